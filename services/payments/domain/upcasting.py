"""Old events, told in today's words.

An event is never rewritten where it is stored. When its schema changes, a function here takes data of one version to
the next; reading applies as many as it takes, so the rest of the code knows the newest version alone.
"""

from collections.abc import Callable
from typing import Any, Final

Data = dict[str, Any]


def _posted_1(old: Data) -> Data:
    """The first ledger knew one currency, and wrote the side beside an amount that was never below zero."""
    signed = old["amount"] if old["side"] == "debit" else -old["amount"]
    kept = {name: old[name] for name in ("entry", "kind", "order")}
    return kept | {"amount": signed, "currency": "EUR"}


def _charge_intended_1(old: Data) -> Data:
    """At first there were cards only, one way to run an order, and no idempotency key but the order itself."""
    return old | {"method": "card", "saga": "orchestrated", "key": old["order"]}


_STEPS: Final[dict[tuple[str, int], Callable[[Data], Data]]] = {
    ("Posted", 1): _posted_1,
    ("ChargeIntended", 1): _charge_intended_1,
}


def upcast(kind: str, data: Data, schema: int, newest: int) -> Data:
    """Data of an event in the words of version ``newest``."""
    for version in range(schema, newest):
        data = _STEPS[kind, version](data)
    return data
