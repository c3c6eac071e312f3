"""What is told to whom, kept in the database. What each event asks for is built once: building takes longest."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final

from sqlalchemy import Executable, Row, bindparam, select, update

from chassis.database import Session, insert_if_absent, insert_into
from chassis.ids import new_id
from notifications.adapters.tables import JOURNEYS, NOTIFICATIONS, PREFERENCES
from notifications.ports import Medium, Wording

_CHANGE_JOURNEY: Final = update(JOURNEYS).where(JOURNEYS.c.order_id == bindparam("wanted"))
_ADDRESSES: Final = select(PREFERENCES.c.addresses).where(PREFERENCES.c.customer == bindparam("wanted"))
_WAITING: Final = (
    select(NOTIFICATIONS)
    .where(NOTIFICATIONS.c.event_id == bindparam("wanted"), NOTIFICATIONS.c.status == "waiting")
    .order_by(NOTIFICATIONS.c.id)
)
_SENT: Final = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == bindparam("wanted"))


NOWHERE: Final = -1
"""The stage of an order of which nothing is known yet."""


@dataclass(frozen=True)
class News:
    """Something to tell a customer, and what it follows from."""

    event_id: str
    correlation_id: str
    customer: str
    kind: str
    order_id: str | None = None


@dataclass(frozen=True)
class Journey:
    """How far an order has come, and who carries it."""

    stage: int
    carrier: str | None
    tracking_code: str | None


async def journey(session: Session, order_id: str) -> Journey:
    """What is known of an order, which nobody else changes until this transaction ends."""
    found = await session.execute(_journey(session.dialect.name), {"order_id": order_id, "stage": NOWHERE})
    return Journey(*found.one())


@cache
def _journey(dialect: str) -> Executable:
    """Finds a row, or makes one, and locks it: an update that changes nothing does so in one statement."""
    new = insert_into(JOURNEYS, dialect)
    return new.on_conflict_do_update(index_elements=["order_id"], set_={"stage": JOURNEYS.c.stage}).returning(
        JOURNEYS.c.stage, JOURNEYS.c.carrier, JOURNEYS.c.tracking_code
    )


async def change_journey(session: Session, order_id: str, **values: Any) -> None:  # noqa: ANN401 - any column
    """Keep something newer about an order."""
    await session.execute(_CHANGE_JOURNEY, {"wanted": order_id, **values})


async def addresses(session: Session, customer: str) -> dict[Medium, str]:
    """Where a customer wants to be told: by mail, where nothing else was said."""
    said = await session.scalar(_ADDRESSES, {"wanted": customer})
    if said is None:
        return {"email": customer if "@" in customer else f"{customer}@customers.example"}
    return dict(said)


async def prefer(session: Session, customer: str, wanted: Mapping[Medium, str]) -> None:
    """Keep where a customer wants to be told."""
    values = {"addresses": dict(wanted)}
    if not await insert_if_absent(session, PREFERENCES, customer=customer, **values):
        await session.execute(update(PREFERENCES).where(PREFERENCES.c.customer == customer).values(**values))


async def plan(session: Session, news: News, wording: Wording, medium: Medium, *, status: str) -> str:
    """Note that something is to be told by a medium, and give the id under which it is."""
    identity = new_id()
    await insert_if_absent(
        session,
        NOTIFICATIONS,
        id=identity,
        event_id=news.event_id,
        correlation_id=news.correlation_id,
        order_id=news.order_id,
        customer=news.customer,
        kind=news.kind,
        medium=medium,
        subject=wording.subject,
        short=wording.short,
        long=wording.long,
        status=status,
        created_at=datetime.now(UTC),
    )
    return identity


async def waiting(session: Session, event_id: str) -> Sequence[Row[Any]]:
    """What an event has given to tell and that isn't told yet."""
    return (await session.execute(_WAITING, {"wanted": event_id})).all()


@dataclass(frozen=True, order=True)
class Sent:
    """That something was told."""

    id: str
    address: str
    at: datetime


async def note_sent(session: Session, letters: Iterable[Sent]) -> None:
    """Note what was told. In one order everywhere, lest two who note the same wait for each other."""
    rows = [{"wanted": one.id, "status": "sent", "address": one.address, "sent_at": one.at} for one in sorted(letters)]
    await session.execute(_SENT, rows)


async def listed(session: Session, *, customer: str | None, order_id: str | None, limit: int) -> Sequence[Row[Any]]:
    """Notifications, the latest first."""
    query = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.id.desc()).limit(limit)
    if customer is not None:
        query = query.where(NOTIFICATIONS.c.customer == customer)
    if order_id is not None:
        query = query.where(NOTIFICATIONS.c.order_id == order_id)
    return (await session.execute(query)).all()


async def of_event(session: Session, event_id: str) -> Sequence[Row[Any]]:
    """What an event has given to tell."""
    return (await session.execute(select(NOTIFICATIONS).where(NOTIFICATIONS.c.event_id == event_id))).all()
