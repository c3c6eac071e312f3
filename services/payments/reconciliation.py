"""Our ledger beside the bank's statement: the last word on whether anybody was charged twice, or for nothing."""

from dataclasses import dataclass

from chassis.database import Database, Session
from payments.bank.client import Ambassador
from payments.bank.messages import Ask
from payments.domain import charge as charges
from payments.domain.charge import Charge
from payments.store import event_store


@dataclass(frozen=True, slots=True)
class Difference:
    """A reference about which bank and ledger disagree."""

    reference: str
    what: str


async def reconcile(database: Database, bank: Ambassador) -> list[Difference]:
    """Where they disagree, charges apart about which the bank still has to say something. Raises ``NoAnswerError``.

    The ledger is read first and once more at the end: what was settled in between is no difference.
    """
    async with database.transaction() as session:
        before = await _charges(session)
    booked = await _statement(bank)
    async with database.transaction() as session:
        after = await _charges(session)
    same = {reference: charge for reference, charge in after.items() if before.get(reference) == charge}
    return list(_differences(same, after, booked))


def _differences(settled: dict[str, Charge], known: dict[str, Charge], booked: dict[str, Ask]) -> list[Difference]:
    found = [
        Difference(reference, "charged by the bank, and nobody here has asked for it")
        for reference in booked.keys() - known.keys()
    ]
    for reference, charge in settled.items():
        if charge.open:
            continue
        entry = booked.get(reference)
        if charge.collected and entry is None:
            found.append(Difference(reference, "charged by our ledger, and not by the bank's statement"))
        elif not charge.collected and entry is not None:
            found.append(Difference(reference, f"charged by the bank, and {charge.status} in our ledger"))
        elif entry is not None and entry.money != charge.money:
            found.append(Difference(reference, f"{entry.money} at the bank, {charge.money} in our ledger"))
    return sorted(found, key=lambda one: one.reference)


async def _charges(session: Session) -> dict[str, Charge]:
    """All charges that were ever intended, by their reference."""
    found: dict[str, Charge] = {}
    async for one in event_store.scan(session, charges.PREFIX):
        found[one.stream] = found.get(one.stream, Charge(one.stream.removeprefix(charges.PREFIX))).after([one.event])
    return {charge.asked.payment: charge for charge in found.values() if charge.intent is not None}


async def _statement(bank: Ambassador) -> dict[str, Ask]:
    """All that the bank has booked, page by page."""
    booked: dict[str, Ask] = {}
    after = ""
    while page := await bank.statement(after=after):
        booked.update({ask.reference: ask for ask in page})
        after = page[-1].reference
    return booked
