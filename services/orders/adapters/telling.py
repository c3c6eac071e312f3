"""An order's events as others read them: the payloads of the catalogue, built from the order alone."""

from dataclasses import asdict
from typing import Any

from chassis.events import Envelope, event
from orders.domain.money import Money
from orders.domain.order import Event, Order
from orders.domain.saga import Saga
from orders.ports.storage import Work


def envelope(what: Event, work: Work) -> Envelope:
    """What is told of an order, with the correlation and the cause that its saga has kept."""
    order = work.order
    match what:
        case Event.PLACED:
            told = event("OrderPlaced", _placed(order), user=order.customer)
        case Event.SHIPMENT_REQUESTED:
            told = event("ShipmentRequested", _shipment(order), user=order.customer)
        case Event.CONFIRMED:
            told = event("OrderConfirmed", _state(order), user=order.customer)
        case Event.SHIPPED:
            told = event("OrderShipped", _state(order), user=order.customer)
        case Event.DELIVERED:
            told = event("OrderDelivered", _state(order), user=order.customer)
        case Event.CANCELLED:
            why = {"reason": order.reason, "cancelledBy": order.cancelled_by}
            told = event("OrderCancelled", {**_state(order), **why}, user=order.customer, version=2)
    return _trailed(told, work.saga)


def stuck(work: Work) -> Envelope:
    """That a saga can't be brought to its end by a machine."""
    saga = work.saga
    payload = {
        "orderId": saga.id,
        "step": saga.to_undo[0],
        "cause": (saga.trouble or "unknown")[:500],
        "attempts": saga.attempts,
    }
    return _trailed(event("SagaStuck", payload, user=work.order.customer), saga)


def _trailed(told: Envelope, saga: Saga) -> Envelope:
    metadata = told.metadata.model_copy(
        update={"correlation_id": saga.trail["correlation"], "causation_id": saga.trail["causation"]}
    )
    return told.model_copy(update={"metadata": metadata})


def _money(money: Money) -> dict[str, Any]:
    return {"amount": money.amount, "currency": money.currency}


def _placed(order: Order) -> dict[str, Any]:
    items = [{"sku": line.sku, "quantity": line.quantity, "price": _money(line.unit_price)} for line in order.lines]
    return {**_state(order), "saga": order.flow, "items": items, "address": asdict(order.address)}


def _shipment(order: Order) -> dict[str, Any]:
    items = [{"sku": line.sku, "quantity": line.quantity} for line in order.lines]
    return {"orderId": order.id, "items": items, "address": asdict(order.address)}


def _state(order: Order) -> dict[str, Any]:
    return {"orderId": order.id, "customer": order.customer, "total": _money(order.total)}
