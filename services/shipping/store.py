"""Shipments in the database."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, case, select, tuple_, update

from chassis.database import Session, insert_if_absent
from chassis.events import Envelope
from shipping.domain.shipment import Address, Parcel, Shipment, Status
from shipping.tables import shipments, steps, withdrawals


@dataclass(frozen=True, slots=True)
class Record:
    """A shipment with what the service needs to go on with it."""

    shipment: Shipment
    cause: Envelope | None = None
    asked_at: datetime | None = None
    due_at: datetime | None = None


async def open_record(session: Session, fresh: Shipment, *, now: datetime) -> Record:
    """Lock the shipment of an order; where there is none, ``fresh`` becomes it."""
    if await insert_if_absent(session, shipments, **_values(fresh), updated_at=now):
        return Record(fresh)
    found = await lock_record(session, fresh.order_id)
    return found or Record(fresh)


async def lock_record(session: Session, order_id: str) -> Record | None:
    """Lock the shipment of an order, if there is one."""
    query = select(shipments).where(shipments.c.order_id == order_id).with_for_update()
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _record(row)


async def read_shipment(
    session: Session, *, order_id: str | None = None, tracking_code: str | None = None
) -> Shipment | None:
    """A shipment to look at, by its order or by its tracking code."""
    query = select(shipments)
    if order_id is not None:
        query = query.where(shipments.c.order_id == order_id)
    if tracking_code is not None:
        query = query.where(shipments.c.tracking_code == tracking_code)
    row = (await session.execute(query)).one_or_none()
    return None if row is None else _record(row).shipment


async def read_steps(session: Session, order_id: str) -> list[tuple[Status, datetime]]:
    """When a shipment came to be what it was, the first step first."""
    query = select(steps.c.status, steps.c.at).where(steps.c.order_id == order_id).order_by(steps.c.at)
    return [(Status(status), at) for status, at in await session.execute(query)]


async def save(
    session: Session,
    shipment: Shipment,
    *,
    now: datetime,
    due_at: datetime | None,
    asked: Envelope | None = None,
) -> None:
    """Write back a shipment that was locked. ``asked`` is the event by which a carrier is to be found from now on."""
    values = {**_values(shipment), "due_at": due_at, "updated_at": now}
    if asked is not None:
        values |= {"cause": asked.model_dump(mode="json", by_alias=True), "asked_at": now}
    await session.execute(update(shipments).where(shipments.c.order_id == shipment.order_id).values(values))
    await insert_if_absent(session, steps, order_id=shipment.order_id, status=shipment.status, at=now)


async def claim(
    session: Session, statuses: Sequence[Status], *, now: datetime, lease: timedelta, limit: int
) -> list[Record]:
    """Take on shipments that are due, for the time of a lease; then they are due again, if nobody saved them.

    A carrier will be asked to book those that are still requested, which counts as a try.
    """
    due = (
        select(shipments.c.order_id)
        .where(shipments.c.due_at <= now, shipments.c.status.in_(statuses))
        .order_by(shipments.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    tried = case((shipments.c.status == Status.REQUESTED, 1), else_=0)
    taken = (
        update(shipments)
        .where(shipments.c.order_id.in_(due.scalar_subquery()))
        .values(due_at=now + lease, tries=shipments.c.tries + tried)
        .returning(shipments)
    )
    return [_record(row) for row in await session.execute(taken)]


async def prolong(session: Session, order_ids: Iterable[str], *, now: datetime, lease: timedelta) -> None:
    """Stay with shipments whose carrier takes its time."""
    ours = shipments.c.order_id.in_(list(order_ids))
    await session.execute(
        update(shipments).where(ours, shipments.c.status == Status.REQUESTED).values(due_at=now + lease)
    )


async def withdraw_from(session: Session, shipment: Shipment, carriers: Iterable[str], *, now: datetime) -> None:
    """Have carriers told that nobody wants their booking."""
    for carrier in carriers:
        values = {"order_id": shipment.order_id, "carrier": carrier, "reference": shipment.id}
        await insert_if_absent(session, withdrawals, **values, tries=0, due_at=now)


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A carrier that is to let go of a booking. ``tries`` is how often it was asked to."""

    order_id: str
    carrier: str
    reference: str
    tries: int


async def claim_withdrawals(session: Session, *, now: datetime, lease: timedelta, limit: int) -> list[Withdrawal]:
    """Take on withdrawals that are due, for the time of a lease."""
    due = (
        select(withdrawals.c.order_id, withdrawals.c.carrier)
        .where(withdrawals.c.due_at <= now)
        .order_by(withdrawals.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    taken = (
        update(withdrawals)
        .where(tuple_(withdrawals.c.order_id, withdrawals.c.carrier).in_(due))
        .values(due_at=now + lease, tries=withdrawals.c.tries + 1)
        .returning(withdrawals)
    )
    rows = await session.execute(taken)
    return [Withdrawal(row.order_id, row.carrier, row.reference, row.tries) for row in rows]


async def settle_withdrawal(session: Session, one: Withdrawal, *, due_at: datetime | None) -> None:
    """A carrier has let go, or is to be asked again at a time."""
    ours = (withdrawals.c.order_id == one.order_id, withdrawals.c.carrier == one.carrier)
    await session.execute(update(withdrawals).where(*ours).values(due_at=due_at))


def _values(shipment: Shipment) -> dict[str, Any]:
    values = asdict(shipment)
    values["parcel"] = None if shipment.parcel is None else asdict(shipment.parcel)
    return values


def _record(row: Row[Any]) -> Record:
    shipment = Shipment(
        id=row.id,
        order_id=row.order_id,
        status=Status(row.status),
        flow=row.flow,
        parcel=None if row.parcel is None else _parcel(row.parcel),
        paid=row.paid,
        carrier=row.carrier,
        tracking_code=row.tracking_code,
        reason=row.reason,
        tries=row.tries,
    )
    cause = None if row.cause is None else Envelope.model_validate(row.cause)
    return Record(shipment, cause, row.asked_at, row.due_at)


def _parcel(stored: dict[str, Any]) -> Parcel:
    return Parcel(Address(**stored["address"]), tuple((sku, units) for sku, units in stored["items"]))
