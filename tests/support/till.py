"""Payments with its ambassador, the bank behind it, and data services of their own: all of them real processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any, Final

import httpx

from chassis.local import Shop, shop
from chassis.local_data import DataServices
from support.waiting import eventually

SECRET: Final = "known-to-both-of-them"  # noqa: S105 - of the bank that is started here
SOON: Final = 30.0
_SETTINGS: Final = {
    "BANK_SECRET": SECRET,
    "BANK_TIMEOUT": "1s",
    "CHARGE_PATIENCE": "5s",
    "CHARGE_GRACE": "6s",
    "BREAKER_FAILURES": "20",
    "BREAKER_OPEN_FOR": "1s",
    "BREAKER_SUCCESSES": "1",
    "SLOW_FOR": "700ms",
    "LOST_FOR": "3s",
}
_orders = count(1)


class Till:
    """What tests do with it. Orders and customers are new for each test."""

    def __init__(self, processes: Shop) -> None:
        self.processes = processes
        self.payments = httpx.Client(base_url=processes["payments"].url, timeout=30)

    def new_order(self) -> str:
        """Its customer is called as it is."""
        return f"o-{next(_orders)}"

    def bank_behaves(self, plan: str) -> None:
        """Tell the bank how to behave from now on; what it was asked before is forgotten for that."""
        httpx.put(self.processes["bank"].url + "/behaviour", json={"behaviour": plan}).raise_for_status()

    def charge(self, order: str, *, customer: str | None = None, amount: int = 1999, key: str = "") -> httpx.Response:
        """Ask for a charge."""
        body = {"orderId": order, "customer": customer or order, "amount": {"amount": amount, "currency": "EUR"}}
        return self.payments.post("/v1/charges", json=body, headers={"idempotency-key": key or f"{order}/charge"})

    def refund(self, order: str) -> httpx.Response:
        """Ask for a refund."""
        return self.payments.post(f"/v1/charges/{order}/refund", json={"reason": "changed my mind"})

    def status(self, order: str) -> str:
        """How the charge for an order stands."""
        found = self.payments.get(f"/v1/charges/{order}")
        return str(found.json()["status"]) if found.is_success else "none"

    def becomes(self, order: str, status: str) -> None:
        """Wait until it stands so."""
        eventually(lambda: self.status(order) == status, within=SOON, every=0.1, what=f"{order} is {status}")

    def owes(self, customer: str, at: str | None = None) -> int:
        """What a customer owes, in cents."""
        params = {"at": at} if at else {}
        found = self.payments.get(f"/v1/accounts/customer:{customer}/balance", params=params).json()
        return sum(balance["amount"] for balance in found["balances"])

    def booked(self, customer: str) -> list[str]:
        """What the bank has taken from a customer and not given back, in its own words."""
        found = httpx.get(self.processes["bank"].url + "/statement", auth=("shop", SECRET)).text
        return [line for line in found.splitlines() if f";ACC={customer};" in line]

    def history(self, order: str) -> list[str]:
        """Types of what has happened to the charge for an order."""
        told: list[dict[str, Any]] = self.payments.get(f"/v1/charges/{order}/history").json()["events"]
        return [event["type"] for event in told]

    def audited(self, order: str) -> list[dict[str, object]]:
        """The ambassador's audit lines about an order's charge."""
        reference = self.payments.get(f"/v1/charges/{order}").json()["paymentId"]
        entries = self.processes["payments.ambassador"].entries
        return [entry for entry in entries if entry.get("reference") == reference]

    def is_sound(self) -> None:
        """Wait until nothing is open, and see that ledger and bank agree to the cent."""

        def agrees() -> bool:
            found = self.payments.get("/v1/reconciliation").json()
            assert found.get("agrees"), found
            return True

        ledger = self.payments.get("/v1/ledger").json()
        assert ledger["balanced"], ledger
        assert ledger["negativeCustomers"] == []
        eventually(agrees, within=SOON, every=0.5, what="ledger and bank agree")


@contextmanager
def till(data: DataServices) -> Iterator[Till]:
    """Open it, on data services that nobody else uses."""
    with shop(names=["bank", "payments", "payments.ambassador"], data=data, env=_SETTINGS, quiet=True) as processes:
        opened = Till(processes)
        try:
            yield opened
        finally:
            opened.payments.close()
