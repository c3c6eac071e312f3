"""Calls to other services: what travels with them, and what doesn't."""

import httpx
import pytest

from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.outbound import Upstream
from chassis.settings import Settings
from chassis.telemetry import Telemetry


class Other:
    """Another service, and what it was asked."""

    def __init__(self, answer: httpx.Response) -> None:
        self.asked: list[httpx.Request] = []
        self._answer = answer

    def __call__(self, request: httpx.Request) -> httpx.Response:
        """Answer always the same."""
        self.asked.append(request)
        return self._answer


def upstream(other: Other) -> Upstream:
    settings = Settings(SEATRIAL_SERVICE="gateway")
    metrics = Metrics(settings, Lifecycle(settle=0, drain=0, clock=lambda: 0.0))
    made = Upstream("catalog", "http://catalog", timeout=5, metrics=metrics, telemetry=Telemetry(settings))
    made._way = httpx.MockTransport(other)
    return made


async def test_what_one_caller_was_given_is_not_sent_for_the_next() -> None:
    other = Other(httpx.Response(200, headers={"set-cookie": "seatrial=r2; Path=/"}))
    catalog = upstream(other)
    for _ in range(2):
        await catalog.request("GET", "/v1/products")
    await catalog.close()
    assert [request.headers.get("cookie") for request in other.asked] == [None, None]


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_an_answer_like_any_other(status: int) -> None:
    other = Other(httpx.Response(status, headers={"location": "http://elsewhere/"}))
    catalog = upstream(other)
    answer = await catalog.request("GET", "/v1/products", query=[("sku", "rope-01")])
    await catalog.close()
    assert answer.status_code == status
    assert [str(request.url) for request in other.asked] == ["http://catalog/v1/products?sku=rope-01"]


async def test_a_call_carries_its_trace_and_what_is_left_of_its_time() -> None:
    other = Other(httpx.Response(200))
    catalog = upstream(other)
    await catalog.request("GET", "/v1/products")
    await catalog.close()
    (asked,) = other.asked
    assert asked.headers["traceparent"].startswith("00-")
    assert 0 < int(asked.headers["x-deadline-ms"]) <= 5000
