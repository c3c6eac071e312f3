"""What orders asks of inventory and payments, and what it makes of their answers."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime

import pytest

from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.outbound import Upstream
from chassis.telemetry import Telemetry
from orders.adapters.asking import AskedParcels, AskedPayments, AskedStock
from orders.composition import OrdersSettings
from orders.domain.money import Money
from orders.domain.order import Flow, Item, Order
from orders.ports.services import NoAnswerError, RefusedError
from support.stand_in import stand_in

ORDER = Order.place(
    id="o-1",
    customer="ada",
    items=[Item("rope-01", 2)],
    prices={"rope-01": Money(2990, "EUR")},
    address=None,
    flow=Flow.ORCHESTRATED,
    now=datetime(2026, 11, 21, tzinfo=UTC),
)
Connect = Callable[[str], Upstream]
WANTED = {"orderId": "o-1", "items": [{"sku": "rope-01", "quantity": 2}]}
DUE = {"orderId": "o-1", "customer": "ada", "amount": {"amount": 5980, "currency": "EUR"}}
CALLS: dict[str, tuple[str, str, object]] = {
    "reserve": ("POST", "/v1/reservations", WANTED),
    "release": ("DELETE", "/v1/reservations/o-1", None),
    "commit": ("POST", "/v1/reservations/o-1/commit", None),
    "charge": ("POST", "/v1/charges", DUE),
    "refund": ("POST", "/v1/charges/o-1/refund", None),
}


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    settings = OrdersSettings()
    lifecycle = Lifecycle(settle=0, drain=1, clock=lambda: 0.0)
    made: list[Upstream] = []

    def upstream(url: str) -> Upstream:
        made.append(
            Upstream("other", url, timeout=0.3, metrics=Metrics(settings, lifecycle), telemetry=Telemetry(settings))
        )
        return made[-1]

    yield upstream
    for one in made:
        await one.close()


def call(name: str, upstream: Upstream) -> Awaitable[bool | None]:
    stock, payments = (kind(upstream, timeout=0.3) for kind in (AskedStock, AskedPayments))
    found: Callable[[Order], Awaitable[bool | None]] = getattr(stock, name, None) or getattr(payments, name)
    return found(ORDER)


@pytest.mark.parametrize("name", CALLS)
async def test_each_call_says_what_is_meant_and_has_a_key_of_its_order_and_step(name: str, connect: Connect) -> None:
    with stand_in(lambda _: (200, {})) as other:
        await call(name, connect(other.url))
    (asked,) = other.asked
    assert (asked.method, asked.path, asked.body) == CALLS[name]
    assert asked.headers["idempotency-key"] == f"o-1/{name}"


@pytest.mark.parametrize("name", ["charge", "refund"])
@pytest.mark.parametrize(("status", "done"), [(200, True), (201, True), (202, False)])
async def test_a_payment_may_be_made_or_promised(name: str, status: int, done: bool, connect: Connect) -> None:  # noqa: FBT001
    with stand_in(lambda _: (status, {})) as other:
        assert await call(name, connect(other.url)) is done


@pytest.mark.parametrize("status", [402, 409, 422])
@pytest.mark.parametrize("name", CALLS)
async def test_a_refusal_is_told_with_its_reason(name: str, status: int, connect: Connect) -> None:
    with (
        stand_in(lambda _: (status, {"detail": "out of stock"})) as other,
        pytest.raises(RefusedError, match="out of stock"),
    ):
        await call(name, connect(other.url))


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"title": "no detail"}'])
async def test_a_refusal_without_a_reason_is_one_too(body: bytes, connect: Connect) -> None:
    with stand_in(lambda _: (409, body)) as other, pytest.raises(RefusedError, match="refused with 409"):
        await call("reserve", connect(other.url))


@pytest.mark.parametrize("status", [400, 403, 404, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("name", CALLS)
async def test_any_other_answer_is_none(name: str, status: int, connect: Connect) -> None:
    with stand_in(lambda _: (status, {"detail": "?"})) as other, pytest.raises(NoAnswerError, match=str(status)):
        await call(name, connect(other.url))


@pytest.mark.parametrize(("status", "withdrawn"), [(200, True), (204, True), (409, False)])
async def test_a_parcel_is_withdrawn_or_it_is_too_late(status: int, withdrawn: bool, connect: Connect) -> None:  # noqa: FBT001
    with stand_in(lambda _: (status, b"")) as other:
        assert await AskedParcels(connect(other.url), timeout=0.3).withdraw(ORDER) is withdrawn
    assert (other.asked[0].method, other.asked[0].path) == ("DELETE", "/v1/shipments/o-1")


async def test_silence_and_absence_are_no_answer(connect: Connect) -> None:
    with pytest.raises(NoAnswerError, match="could not be reached"):
        await call("charge", connect("http://127.0.0.1:9"))
