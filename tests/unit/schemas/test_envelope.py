"""What an event says of itself: when, what it follows from, and that it is what its schema asks for."""

from datetime import UTC, datetime

import pytest

from chassis import context
from chassis.events import Envelope, MalformedError, event

CONFIRMED = {"orderId": "o-1", "customer": "ada", "total": {"amount": 1999, "currency": "EUR"}}


def test_each_event_has_its_own_moment_with_a_time_zone_and_its_own_id() -> None:
    """A default evaluated once, where a class is made, would give all events of a process one time."""
    before = datetime.now(UTC)
    events = [event("OrderConfirmed", CONFIRMED) for _ in range(3)]
    moments = [one.timestamp for one in events]
    assert before < moments[0] < moments[1] < moments[2]
    assert all(moment.tzinfo is not None for moment in moments)
    assert len({one.event_id for one in events}) == 3


def test_an_event_keeps_its_id_and_time_however_often_it_is_sent() -> None:
    made = event("OrderConfirmed", CONFIRMED)
    assert Envelope.from_bytes(made.to_bytes()) == made


def test_an_event_made_because_of_another_names_it_and_what_began_it_all() -> None:
    with context.resume("click", timeout=1.0):
        first = event("OrderPlaced", PLACED)
    second = event("OrderConfirmed", CONFIRMED, cause=first)
    third = event("OrderShipped", CONFIRMED, cause=second)
    assert first.metadata.causation_id == "click"
    assert [one.metadata.correlation_id for one in (first, second, third)] == ["click"] * 3
    assert [second.metadata.causation_id, third.metadata.causation_id] == [first.event_id, second.event_id]


PLACED = {
    **CONFIRMED,
    "saga": "orchestrated",
    "items": [{"sku": "rope-01", "quantity": 1, "price": {"amount": 1999, "currency": "EUR"}}],
    "address": {"name": "Ada", "street": "Kai 1", "postcode": "24103", "city": "Kiel", "country": "DE"},
}


@pytest.mark.parametrize("left_out", PLACED)
def test_an_event_without_a_field_that_its_readers_need_is_not_sent(left_out: str) -> None:
    with pytest.raises(ValueError, match=f'"{left_out}" is a required property'):
        event("OrderPlaced", {name: value for name, value in PLACED.items() if name != left_out})


def test_money_that_is_no_whole_number_of_minor_units_is_not_sent() -> None:
    with pytest.raises(ValueError, match="is not of type"):
        event("OrderConfirmed", {**CONFIRMED, "total": {"amount": 19.99, "currency": "EUR"}})


@pytest.mark.parametrize("version", [3, 99])
def test_a_version_that_this_process_does_not_know_yet_is_read(version: int) -> None:
    made = event("OrderCancelled", {**CONFIRMED, "reason": "No.", "cancelledBy": "shop"}, version=2)
    newer = made.model_copy(update={"event_version": version, "payload": {**made.payload, "refundedAt": "soon"}})
    assert Envelope.from_bytes(newer.to_bytes()).event_version == version


def test_what_is_no_event_is_told_with_all_that_is_wrong() -> None:
    with pytest.raises(MalformedError, match=r"eventId: Field required.*payload: Field required"):
        Envelope.from_bytes(b"{}")
