"""What shows whether all is well with the money, and the fraud rules with which one sees to it."""

from collections.abc import Iterable
from typing import Annotated

from fastapi import APIRouter, Body
from sqlalchemy.exc import IntegrityError

from chassis.database import Database
from chassis.problems import Problem
from payments.bank.client import Ambassador
from payments.bank.messages import NoAnswerError
from payments.domain.account import Account
from payments.domain.entries import is_customer
from payments.fraud.reading import LONGEST_TEXT
from payments.fraud.syntax import RuleError
from payments.reconciliation import reconcile
from payments.screening import RuleSet, Screening
from payments.store import accounts
from payments.views import BalanceView, DifferenceView, LedgerView, ReconciliationView, RuleSetView


def audit(database: Database, bank: Ambassador) -> APIRouter:
    """Routes that check. They read everything: a second for some ten thousand charges."""
    routes = APIRouter(tags=["audit"])

    @routes.get("/v1/ledger")
    async def audit_ledger() -> LedgerView:
        """Add up every account from its first event, and see whether the ledger balances."""
        async with database.transaction() as session:
            found = await accounts.audit(session)
        totals = _totals(found.values())
        return LedgerView(
            balanced=not any(totals.values()),
            totals=[BalanceView(amount=amount, currency=currency) for currency, amount in sorted(totals.items())],
            accounts=len(found),
            negativeCustomers=[
                name for name, account in found.items() if is_customer(name) and min(account.balances.values()) < 0
            ],
        )

    @routes.get("/v1/reconciliation")
    async def reconcile_with_bank() -> ReconciliationView:
        """Lay our ledger beside the bank's statement."""
        try:
            differences = await reconcile(database, bank)
        except NoAnswerError as error:
            raise Problem(503, f"The bank gives no statement: {error}", kind="no-statement") from error
        views = [DifferenceView(reference=one.reference, what=one.what) for one in differences]
        return ReconciliationView(agrees=not views, differences=views)

    return routes


def fraud_rules(database: Database, screening: Screening) -> APIRouter:
    """Routes of the fraud rules."""
    routes = APIRouter(tags=["fraud rules"])

    @routes.get("/v1/fraud-rules")
    async def read_rules() -> RuleSetView:
        """Read the rules in force."""
        async with database.transaction() as session:
            return _view(await screening.in_force(session))

    @routes.put("/v1/fraud-rules")
    async def load_rules(
        source: Annotated[str, Body(media_type="text/plain", max_length=LONGEST_TEXT, examples=[_EXAMPLE])],
    ) -> RuleSetView:
        """Put rules in force, on all pods with the next charge. What isn't a set of rules is refused as a whole."""
        try:
            async with database.transaction() as session:
                return _view(await screening.load(session, source))
        except RuleError as error:
            line, column = error.at.line, error.at.column
            wrong = {
                "field": f"line {line}, column {column}",
                "location": "body",
                "value": "".join(source.split("\n")[line - 1 : line]),
                "remedy": error.message,
                "line": line,
                "column": column,
            }
            raise Problem(422, f"{error}.", kind="bad-rules", title="Bad rules", errors=[wrong]) from error
        except IntegrityError as error:
            detail = "Somebody else has loaded rules at the same moment. Look at them, then load yours again."
            raise Problem(409, detail, kind="rules-changed") from error

    return routes


_EXAMPLE = 'rule first-and-dear: deny when first_charge and amount > 2000.00 EUR because "too dear for a first charge"'


def _view(found: RuleSet) -> RuleSetView:
    return RuleSetView(version=found.version, source=found.source, rules=[rule.name for rule in found.rules])


def _totals(found: Iterable[Account]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for account in found:
        for currency, amount in account.balances.items():
            totals[currency] = totals.get(currency, 0) + amount
    return totals
