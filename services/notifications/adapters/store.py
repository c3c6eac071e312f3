"""What is told to whom, kept in the database. What each event asks for is built once: building takes longest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import Row, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.database import insert_if_absent
from chassis.ids import new_id
from notifications.adapters.tables import JOURNEYS, NOTIFICATIONS, PREFERENCES
from notifications.ports import Medium, Wording

_JOURNEY: Final = (
    select(JOURNEYS.c.stage, JOURNEYS.c.carrier, JOURNEYS.c.tracking_code)
    .where(JOURNEYS.c.order_id == bindparam("wanted"))
    .with_for_update()
)
_ADDRESSES: Final = select(PREFERENCES.c.addresses).where(PREFERENCES.c.customer == bindparam("wanted"))
_WAITING: Final = (
    select(NOTIFICATIONS)
    .where(NOTIFICATIONS.c.event_id == bindparam("wanted"), NOTIFICATIONS.c.status == "waiting")
    .order_by(NOTIFICATIONS.c.id)
)
_SENT: Final = update(NOTIFICATIONS).where(NOTIFICATIONS.c.id == bindparam("wanted"))


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


async def journey(session: AsyncSession, order_id: str) -> Journey:
    """What is known of an order, which nobody else changes until this transaction ends."""
    await insert_if_absent(session, JOURNEYS, order_id=order_id, stage=-1)
    return Journey(*(await session.execute(_JOURNEY, {"wanted": order_id})).one())


async def change_journey(session: AsyncSession, order_id: str, **values: Any) -> None:  # noqa: ANN401 - any column
    """Keep something newer about an order."""
    await session.execute(update(JOURNEYS).where(JOURNEYS.c.order_id == order_id).values(**values))


async def addresses(session: AsyncSession, customer: str) -> dict[Medium, str]:
    """Where a customer wants to be told: by mail, where nothing else was said."""
    said = await session.scalar(_ADDRESSES, {"wanted": customer})
    if said is None:
        return {"email": customer if "@" in customer else f"{customer}@customers.example"}
    return dict(said)


async def prefer(session: AsyncSession, customer: str, wanted: Mapping[Medium, str]) -> None:
    """Keep where a customer wants to be told."""
    values = {"addresses": dict(wanted)}
    if not await insert_if_absent(session, PREFERENCES, customer=customer, **values):
        await session.execute(update(PREFERENCES).where(PREFERENCES.c.customer == customer).values(**values))


async def plan(session: AsyncSession, news: News, wording: Wording, medium: Medium, *, status: str) -> None:
    """Note that something is to be told by a medium."""
    await insert_if_absent(
        session,
        NOTIFICATIONS,
        id=new_id(),
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


async def waiting(session: AsyncSession, event_id: str) -> Sequence[Row[Any]]:
    """What an event has given to tell and that isn't told yet."""
    return (await session.execute(_WAITING, {"wanted": event_id})).all()


async def sent(session: AsyncSession, identity: str, address: str) -> None:
    """Note that it was told."""
    values = {"status": "sent", "address": address, "sent_at": datetime.now(UTC)}
    await session.execute(_SENT, {"wanted": identity, **values})


async def listed(
    session: AsyncSession, *, customer: str | None, order_id: str | None, limit: int
) -> Sequence[Row[Any]]:
    """Notifications, the latest first."""
    query = select(NOTIFICATIONS).order_by(NOTIFICATIONS.c.id.desc()).limit(limit)
    if customer is not None:
        query = query.where(NOTIFICATIONS.c.customer == customer)
    if order_id is not None:
        query = query.where(NOTIFICATIONS.c.order_id == order_id)
    return (await session.execute(query)).all()


async def of_event(session: AsyncSession, event_id: str) -> Sequence[Row[Any]]:
    """What an event has given to tell."""
    return (await session.execute(select(NOTIFICATIONS).where(NOTIFICATIONS.c.event_id == event_id))).all()
