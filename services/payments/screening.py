"""Fraud screening: the rules in force, and the facts about a charge that they ask for.

The rules are in the database and each screening looks which version is the newest, so all pods follow a change with the
next charge. They are compiled once a version.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, insert, select

from chassis.database import Session
from payments.domain.money import Money
from payments.fraud.judging import Facts, refusal
from payments.fraud.reading import read
from payments.fraud.syntax import Rules
from payments.store import accounts
from payments.store.tables import fraud_rules


@dataclass(frozen=True, slots=True)
class RuleSet:
    """Rules in force. Version 0 has none: whatever is asked for is allowed."""

    version: int
    source: str
    rules: Rules


class Screening:
    """Decides whether a charge may be made at all."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._compiled = RuleSet(0, "", ())

    async def refusal(self, session: Session, *, customer: str, money: Money, method: str) -> str | None:
        """Why a charge is refused, or None."""
        in_force = await self.in_force(session)
        if not in_force.rules:
            return None
        now = self._clock()
        last_hour, last_day, first = await accounts.sales_since(session, customer, now=now)
        facts = Facts(
            money=money,
            customer=customer,
            method=method,
            charges_last_hour=last_hour,
            charges_last_day=last_day,
            first_charge=first,
            hour=now.hour,
        )
        return refusal(in_force.rules, facts)

    async def in_force(self, session: Session) -> RuleSet:
        """The newest rules."""
        newest = await session.scalar(select(func.max(fraud_rules.c.version))) or 0
        if newest != self._compiled.version:
            source = await session.scalar(select(fraud_rules.c.source).where(fraud_rules.c.version == newest)) or ""
            self._compiled = RuleSet(newest, source, read(source))
        return self._compiled

    async def load(self, session: Session, source: str) -> RuleSet:
        """Put rules in force. Raises ``RuleError``, and ``IntegrityError`` when somebody else does so right now."""
        rules = read(source)
        version = (await self.in_force(session)).version + 1
        await session.execute(insert(fraud_rules).values(version=version, source=source, loaded_at=self._clock()))
        return RuleSet(version, source, rules)
