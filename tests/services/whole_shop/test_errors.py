"""Every failure is answered with problem details that name the field, the value and the remedy."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from support.processes import Start

MEDIA_TYPE = "application/problem+json"
JSON = {"content-type": "application/json"}


def problem(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    details: dict[str, Any] = answer.json()
    assert details["status"] == status
    assert details["type"].startswith("urn:seatrial:problem:")
    assert details["title"]
    assert details["detail"]
    assert details["instance"].startswith("/")
    assert details["requestId"] == answer.headers["x-request-id"]
    return details


@pytest.mark.parametrize(
    ("body", "field", "value", "remedy"),
    [
        ({"customer": "ada", "items": []}, "items", [], "give at least 1"),
        ({"customer": "ada"}, "items", None, "add it"),
        (
            {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 0}]},
            "items[0].quantity",
            0,
            "give a number of at least 1",
        ),
        (
            {"customer": "ada", "items": [{"sku": "rope-01", "quantity": "2"}]},
            "items[0].quantity",
            "2",
            "give a whole number",
        ),
        ({"customer": "ada", "items": [{"sku": "rope-01", "quantity": 1}], "x": 1}, "x", 1, "leave it out"),
        ({"customer": 7, "items": [{"sku": "rope-01", "quantity": 1}]}, "customer", 7, "give a string"),
        ([], "body", [], "give a JSON object, with content-type application/json"),
        (
            {"customer": "ada", "items": [{"sku": "nothing", "quantity": 1}]},
            "items[0].sku",
            "nothing",
            "give the SKU of a product in the catalog",
        ),
    ],
)
def test_a_wrong_order_is_refused_by_field_value_and_remedy(
    gateway: httpx.Client, body: object, field: str, value: object, remedy: str
) -> None:
    details = problem(gateway.post("/api/v1/orders", json=body), 422)
    assert {"field": field, "location": "body", "value": value, "remedy": remedy} in details["errors"]


def test_a_wrong_query_is_refused_by_its_name(gateway: httpx.Client) -> None:
    details = problem(gateway.get("/api/v1/catalog", params={"limit": "1000"}), 422)
    assert details["errors"] == [
        {"field": "limit", "location": "query", "value": "1000", "remedy": "give a number of at most 100"}
    ]


def test_a_long_value_is_not_sent_back_whole(gateway: httpx.Client) -> None:
    details = problem(gateway.get("/api/v1/catalog", params={"q": "x" * 5000}), 422)
    assert len(details["errors"][0]["value"]) < 250


def test_a_body_that_is_not_json_is_a_bad_request(gateway: httpx.Client) -> None:
    answer = gateway.post("/api/v1/orders", content=b"{nope", headers={"content-type": "application/json"})
    assert "JSON" in problem(answer, 400)["detail"]


def test_a_body_that_is_too_large_is_refused(gateway: httpx.Client) -> None:
    problem(gateway.post("/api/v1/orders", content=b" " * 300_000), 413)


def test_an_unknown_path_is_a_problem_with_the_headers_of_every_answer(gateway: httpx.Client) -> None:
    answer = gateway.get("/nope")
    assert "/openapi.json" in problem(answer, 404)["detail"]
    assert answer.headers["x-served-by"].startswith("gateway;")


def test_a_wrong_method_says_which_are_right(gateway: httpx.Client) -> None:
    answer = gateway.put("/api/v1/identity")
    problem(answer, 405)
    assert answer.headers["allow"] == "GET"


@pytest.mark.parametrize("path", ["/api/v1/catalog/no-such-thing", "/api/v1/orders/no-such-order"])
def test_what_does_not_exist_is_not_found(gateway: httpx.Client, path: str) -> None:
    problem(gateway.get(path), 404)


def test_a_slash_in_a_parameter_leads_nowhere_else(gateway: httpx.Client) -> None:
    assert gateway.get("/api/v1/catalog/..%2F..%2Fmetrics").status_code in (404, 422)


def test_a_bug_tells_the_log_everything_and_the_caller_only_where_to_look(start: Start) -> None:
    process = start("workbench")
    answer = httpx.get(process.url + "/bug")
    details = problem(answer, 500)
    assert "secret" not in answer.text
    assert answer.headers["x-served-by"].startswith("workbench;")
    process.stop()
    [entry] = [entry for entry in process.entries if "exception" in entry]
    assert "RuntimeError: the secret is 42" in str(entry["exception"])
    assert entry["requestId"] == details["requestId"]
    assert entry["traceId"]


def test_a_body_that_does_not_say_how_long_it_is_has_the_same_limit(start: Start) -> None:
    def chunks(count: int) -> Iterator[bytes]:
        yield b'"'
        yield from (b"x" * 1000 for _ in range(count))
        yield b'"'

    with httpx.Client(base_url=start("workbench").url, timeout=20) as client:
        assert client.post("/length", content=chunks(200), headers=JSON).json() == 200_000
        details = problem(client.post("/length", content=chunks(300), headers=JSON), 413)
        assert details == problem(client.post("/length", content=b" " * 300_000, headers=JSON), 413) | {
            "requestId": details["requestId"]
        }
