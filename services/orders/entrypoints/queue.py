"""Orders driven by messages: what other services tell of an order, and what partners order.

A message about an order that isn't here can't be handled ever: whoever tells it has heard of the order from us.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from pydantic import ValidationError

from chassis.consumers import Poison
from chassis.events import Envelope, subject
from orders.application.coordinator import Coordinator, Heard
from orders.application.ordering import Ordering, Trail
from orders.domain.errors import OrderError, WrongStateError
from orders.domain.saga import Action, Done, Fact, Refused, Step, Undone
from orders.entrypoints.views import OrderRequest

_FACTS: Final[Mapping[str, Callable[[Mapping[str, Any]], Fact]]] = {
    "StockReserved": lambda _: Done(Step.RESERVE),
    "StockReservationFailed": lambda told: Refused(Step.RESERVE, told["reason"]),
    "StockReleased": lambda _: Undone(Step.RESERVE),
    "PaymentCharged": lambda _: Done(Step.PAY),
    "PaymentFailed": lambda told: Refused(Step.PAY, told["reason"]),
    "PaymentRefunded": lambda _: Undone(Step.PAY),
    "ShipmentBooked": lambda _: Done(Step.SHIP),
    "ShipmentFailed": lambda told: Refused(Step.SHIP, told["reason"]),
}
"""What an event tells the saga of its order."""


class Consume(Protocol):
    """How a service takes a handler: ``Service.consume``."""

    def __call__(
        self, name: str, subjects: Sequence[str], handler: Callable[[Envelope], Awaitable[None]], *, deliveries: int
    ) -> None:
        """Handle events of these subjects."""


def attach(consume: Consume, ordering: Ordering, coordinator: Coordinator) -> None:
    """Listen to what concerns orders."""

    async def answers(envelope: Envelope) -> None:
        """What inventory, payments and shipping did, or didn't."""
        heard = Heard(envelope.event_id, _FACTS[envelope.event_type](envelope.payload))
        if not await coordinator.hear(envelope.payload["orderId"], heard):
            raise Poison(f"there is no order {envelope.payload['orderId']}")

    async def travels(envelope: Envelope) -> None:
        """Where the parcel is. Comes again while the order isn't confirmed yet."""
        order_id = envelope.payload["orderId"]
        if envelope.event_type == "ShipmentDelivered":
            await ordering.delivered(order_id, envelope.event_id)
        else:
            await ordering.collected(order_id, envelope.event_id)

    async def partners(envelope: Envelope) -> None:
        """An order by queue. Its id is its idempotency key."""
        trail = Trail(envelope.metadata.correlation_id, envelope.event_id)
        try:
            wish = OrderRequest.model_validate(envelope.payload).wish()
            await ordering.place(wish, key=envelope.event_id, trail=trail)
        except (ValidationError, OrderError) as error:
            raise Poison(f"this can't be ordered: {error}") from error

    async def stuck(envelope: Envelope) -> None:
        """A saga that is stuck goes to the dead letters; brought back from there, it is tried once more."""
        if await coordinator.note(envelope.event_id):
            raise Poison(envelope.payload["cause"])
        try:
            await coordinator.resolve(envelope.payload["orderId"], Action.RETRY, "brought back from the dead letters")
        except WrongStateError:
            return  # it came to its end meanwhile

    consume("sagas", [subject(kind) for kind in _FACTS], answers, deliveries=20)
    consume("parcels", [subject("ShipmentDispatched"), subject("ShipmentDelivered")], travels, deliveries=20)
    consume("partners", [subject("OrderRequested")], partners, deliveries=5)
    consume("stuck", [subject("SagaStuck")], stuck, deliveries=5)
