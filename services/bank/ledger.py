"""The bank's books: one booking a reference, whatever is asked how often.

A charge that was asked before is told again with status 94 and the status that it had. A refund of what was never
charged closes the reference: nothing can be charged under it any more.
"""

from typing import Final

from sqlalchemy import Boolean, Column, Table, Text, select, update

from bank.records import Record
from chassis.database import Database, Session, insert_if_absent, metadata
from chassis.ids import new_id

METADATA: Final = metadata()
bookings = Table(
    "bookings",
    METADATA,
    Column("reference", Text, primary_key=True),
    Column("account", Text, nullable=False),
    Column("amount", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("authorisation", Text, nullable=False),
    Column("refunded", Boolean, nullable=False),
)

APPROVED: Final = "00"
INVALID: Final = "12"
NOTHING_BOOKED: Final = "25"
ASKED_BEFORE: Final = "94"
_REFUSED: Final = {"declined": "05", "broke": "51", "expired": "54", "blocked": "62"}
"""What becomes of accounts whose names begin so."""


class Ledger:
    """Books what is asked for."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def book(self, asked: Record) -> Record:
        """Do what a record asks, and answer it."""
        async with self._database.transaction() as session:
            match asked["TYP"]:
                case "CHG":
                    outcome = await _charge(session, asked)
                case "RFD":
                    outcome = await _refund(session, asked)
                case _:
                    outcome = await _enquire(session, asked)
        return asked | outcome

    async def statement(self, *, after: str, limit: int) -> list[Record]:
        """What was charged and is not refunded, by reference, behind one."""
        booked = (
            select(bookings)
            .where(bookings.c.reference > after, bookings.c.status == APPROVED, bookings.c.refunded.is_(False))
            .order_by(bookings.c.reference)
            .limit(limit)
        )
        async with self._database.transaction() as session:
            found = (await session.execute(booked)).mappings().all()
        return [
            {
                "TYP": "CHG",
                "REF": row["reference"],
                "ACC": row["account"],
                "AMT": row["amount"],
                "CUR": row["currency"],
                "STS": row["status"],
                "AUT": row["authorisation"],
            }
            for row in found
        ]


async def _charge(session: Session, asked: Record) -> Record:
    refusals = (code for name, code in _REFUSED.items() if asked["ACC"].startswith(name))
    status = next(refusals, APPROVED)
    if await _open(session, asked, status):
        return await _enquire(session, asked)
    first = await _enquire(session, asked)
    if first["STS"] in (NOTHING_BOOKED, INVALID):
        return first
    return {**first, "STS": ASKED_BEFORE, "ORG": first["STS"]}


async def _refund(session: Session, asked: Record) -> Record:
    if await _open(session, asked, NOTHING_BOOKED):
        return {"STS": NOTHING_BOOKED}
    booking = await _enquire(session, asked)
    if booking["STS"] == INVALID:
        return booking
    if booking["STS"] != APPROVED:
        close = update(bookings).where(bookings.c.reference == asked["REF"])
        await session.execute(close.values(status=NOTHING_BOOKED))
        return {"STS": NOTHING_BOOKED}
    pay_back = update(bookings).where(bookings.c.reference == asked["REF"], bookings.c.refunded.is_(False))
    paid_back = await session.scalar(pay_back.values(refunded=True).returning(bookings.c.reference))
    again = {} if paid_back else {"STS": ASKED_BEFORE, "ORG": APPROVED}
    return {"STS": APPROVED, "AUT": booking["AUT"], **again}


async def _enquire(session: Session, asked: Record) -> Record:
    query = select(bookings).where(bookings.c.reference == asked["REF"]).with_for_update()
    found = (await session.execute(query)).mappings().first()
    if found is None or found["status"] == NOTHING_BOOKED:
        return {"STS": NOTHING_BOOKED}
    if (found["account"], found["amount"], found["currency"]) != (asked["ACC"], asked["AMT"], asked["CUR"]):
        return {"STS": INVALID}
    return {"STS": found["status"], "AUT": found["authorisation"]}


async def _open(session: Session, asked: Record, status: str) -> bool:
    """A booking under a new reference; False when there is one."""
    return await insert_if_absent(
        session,
        bookings,
        reference=asked["REF"],
        account=asked["ACC"],
        amount=asked["AMT"],
        currency=asked["CUR"],
        status=status,
        authorisation=f"A{new_id()[-12:].upper()}",
        refunded=False,
    )
