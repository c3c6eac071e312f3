"""Faults by header or by environment: what was asked for, where it was asked for, and only where they are enabled."""

from itertools import cycle

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message, Receive, Scope, Send

from chassis.fault import Fault
from chassis.faults import FaultInjection
from chassis.problems import Problem
from support.processes import Start


def fault(text: str, service: str, **more: str) -> dict[str, str]:
    return {"x-fault": text, "x-fault-service": service, **more}


@pytest.mark.parametrize("service", ["gateway", "catalog"])
def test_a_service_fails_when_it_is_the_one_named(gateway: httpx.Client, service: str) -> None:
    answer = gateway.get("/api/v1/catalog", headers=fault("abort=503", service))
    assert answer.status_code == 503
    assert answer.json()["detail"] == f"{service} was asked to fail."
    assert gateway.get("/api/v1/catalog", headers=fault("abort=503", "payments")).status_code == 200


def test_a_service_is_late_when_asked(catalog: httpx.Client) -> None:
    answer = catalog.get("/v1/products", headers=fault("delay=200ms", "catalog"))
    assert answer.status_code == 200
    assert answer.elapsed.total_seconds() >= 0.2


def test_only_the_first_try_of_a_key_fails(catalog: httpx.Client) -> None:
    headers = fault("abort=503;once=first", "catalog")
    assert [catalog.get("/v1/products", headers=headers).status_code for _ in range(3)] == [503, 200, 200]
    assert catalog.get("/v1/products", headers=fault("abort=503;once=other", "catalog")).status_code == 503


def test_a_second_try_passes_on_a_pod_that_has_not_seen_the_first(catalog: httpx.Client) -> None:
    headers = fault("abort=503;once=elsewhere", "catalog", **{"x-envoy-attempt-count": "2"})
    assert catalog.get("/v1/products", headers=headers).status_code == 200


def test_health_has_no_faults(catalog: httpx.Client) -> None:
    assert catalog.get("/readyz", headers=fault("abort=503", "catalog")).status_code == 200


REFUSED = ["abort", "abort=200", "abort=x", "delay=5", "once=a", "abort=503;abort=503", "x=1", "", "percent=30"]
REFUSED += [
    f"abort=500;percent={share}" for share in ("0", "100.1", "-1", "30%", "1e1", "nan", "\N{FULLWIDTH DIGIT ONE}")
]


@pytest.mark.parametrize("text", [text for text in REFUSED if text.isascii()])
def test_a_fault_that_is_not_understood_is_refused_with_an_example(catalog: httpx.Client, text: str) -> None:
    answer = catalog.get("/v1/products", headers=fault(text, "catalog"))
    assert answer.status_code == 400
    assert "250ms" in answer.json()["detail"] or "delay=500ms" in answer.json()["detail"]


def test_faults_are_off_unless_enabled(start: Start) -> None:
    process = start("catalog")
    assert httpx.get(process.url + "/v1/products", headers=fault("abort=503", "catalog")).status_code == 200


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_refused_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match="write it like"):
        Fault.parse(text)


def test_the_environment_alone_makes_every_request_fail_but_those_of_the_platform(start: Start) -> None:
    broken = start("catalog", FAULTS="enabled", FAULT="abort=500")
    with httpx.Client(base_url=broken.url) as client:
        answers = [client.get(path) for path in ("/v1/products", "/v1/identity", "/v1/nothing")]
        assert [answer.status_code for answer in answers] == [500, 500, 500]
        assert answers[0].json()["detail"] == "catalog was asked to fail."
        assert answers[0].headers["x-served-by"].startswith("catalog;")
        assert [client.get(path).status_code for path in ("/livez", "/readyz", "/metrics")] == [200, 200, 200]


def test_the_environment_breaks_nothing_where_faults_are_off(start: Start) -> None:
    whole = start("catalog", FAULT="abort=500")
    assert httpx.get(whole.url + "/v1/products").status_code == 200


async def answer(injection: FaultInjection, path: str = "/v1/products", **headers: str) -> int:
    """The status that a request meets."""
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    await injection({"type": "http", "method": "GET", "path": path, "headers": raw}, receive, send)
    return int(sent[0]["status"])


async def serves(scope: Scope, receive: Receive, send: Send) -> None:
    await Problem(418, "Served.", kind="served").response(scope["path"])(scope, receive, send)


async def test_a_share_of_the_requests_is_drawn_anew_for_each() -> None:
    draws = cycle([0.0, 0.29, 0.3, 0.99])
    always = Fault.parse("abort=500;percent=30")
    injection = FaultInjection(serves, service="catalog", pod="a", always=always, draw=lambda: next(draws))
    assert [await answer(injection) for _ in range(8)] == [500, 500, 418, 418] * 2


async def test_what_a_caller_asks_for_takes_the_place_of_the_environments_fault() -> None:
    injection = FaultInjection(serves, service="catalog", pod="a", always=Fault.parse("abort=500"))
    assert await answer(injection, x_fault="abort=503", x_fault_service="catalog") == 503
    assert await answer(injection, x_fault="abort=503", x_fault_service="orders") == 500


@given(st.floats(0, 1, exclude_max=True), st.integers(1, 100))
def test_a_share_is_the_part_of_the_draws_below_it(draw: float, percent: int) -> None:
    assert Fault.parse(f"delay=1s;percent={percent}").strikes(draw) == (100 * draw < percent)
    assert Fault.parse("delay=1s").strikes(draw)


@given(st.integers(0, 10_000), st.integers(400, 599), st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True))
def test_parts_may_stand_in_any_order(delay: int, abort: int, key: str) -> None:
    fault = Fault.parse(f"delay={delay}ms;abort={abort};once={key}")
    assert (fault.abort, fault.once) == (abort, key)
    assert fault.delay == pytest.approx(delay / 1000)
    assert fault == Fault.parse(f"once={key}; abort={abort}; delay={delay}ms")
