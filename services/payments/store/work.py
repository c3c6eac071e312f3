"""Work that is still to be done about charges: who is next, and for whom that is not to be done by another process.

A row is there from the intent on, in the same transaction, until the bank has said its last word. So whatever crashes,
somebody comes back to it. A claim moves the row's time ahead; who dies with a claim loses it by that time.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update

from chassis.database import Session, insert_into
from payments.origin import Origin
from payments.store.tables import open_charges

_LONGEST_PAUSE: Final = 60.0


async def schedule(session: Session, order: str, *, now: datetime, pause: timedelta, origin: Origin) -> None:
    """Somebody must look at this charge after a pause, which takes the place of what there was to do for it."""
    new = insert_into(open_charges, session.dialect.name)
    due = {"due_at": now + pause, "attempts": 0}
    row = {"order_id": order, "opened_at": now, "origin": origin.as_dict(), **due}
    await session.execute(new.values(row).on_conflict_do_update(index_elements=["order_id"], set_=due))


async def done(session: Session, order: str) -> None:
    """Nothing is left to do about this charge."""
    await session.execute(delete(open_charges).where(open_charges.c.order_id == order))


async def claim(session: Session, *, now: datetime, limit: int) -> Sequence[str]:
    """Orders whose charge is due, for the caller alone for a time that doubles with each claim."""
    due = (
        select(open_charges.c.order_id, open_charges.c.attempts)
        .where(open_charges.c.due_at <= now)
        .order_by(open_charges.c.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    found = (await session.execute(due)).all()
    for order, attempts in found:
        pause = min(_LONGEST_PAUSE, 2.0 ** min(attempts + 1, 10))
        change = update(open_charges).where(open_charges.c.order_id == order)
        await session.execute(change.values(due_at=now + timedelta(seconds=pause), attempts=attempts + 1))
    return [order for order, _ in found]


async def origin_of(session: Session, order: str) -> Origin | None:
    """Whose wish an open charge goes back to."""
    found = await session.scalar(select(open_charges.c.origin).where(open_charges.c.order_id == order))
    return None if found is None else Origin.read(found)


async def waiting(session: Session) -> tuple[int, datetime | None]:
    """How many charges the bank still has to say something about, and since when the oldest."""
    query = select(func.count(), func.min(open_charges.c.opened_at)).select_from(open_charges)
    count, oldest = (await session.execute(query)).one()
    return count, oldest
