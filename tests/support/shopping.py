"""The whole shop as processes, shopped at while its parts are killed: what a test does with it and asks of it."""

import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

import httpx
import pytest

from chassis.local import Shop, shop
from demo.invariants import Finding, check
from support.waiting import eventually

Flow = Literal["orchestrated", "choreographed"]
FLOWS: tuple[Flow, Flow] = ("orchestrated", "choreographed")
BACK_WITHIN = 30.0
"""Seconds after the last restart from which on nothing has stood still for as long."""

_QUICK = {
    "LOG_LEVEL": "info",
    "COLLECTION_AFTER": "200ms",
    "DELIVERY_DAY": "200ms",
    "CHARGE_GRACE": "3s",
    "BREAKER_OPEN_FOR": "2s",
}
"""Parcels that are fetched at once and arrive at once; and a bank that is back is asked again before long."""
_TRY_AGAIN = frozenset({409, 429, 500, 502, 503, 504})
_DATABASES = ("orders", "inventory", "payments", "bank", "shipping", "notifications")
_ENDED = frozenset({"delivered", "cancelled"})
BUYERS = 4
_PATIENCE = 180.0
"""Seconds for which a customer tries again: a killed service is back as soon as the machine has time for it."""
_STALLED = 300.0
_HOME_WITHIN = 120.0
"""Seconds in which everything has come to its end, the last parcel too, on a machine that has other work."""


@dataclass
class Kill:
    """One part that was killed, after so many orders, and for how long it stayed away."""

    part: str
    after: int
    away: float


@dataclass
class Voyage:
    """What was done to a shop, so that a failure can be told and repeated."""

    seed: int
    orders: dict[str, str] = field(default_factory=dict)
    """Order ids by idempotency key."""
    kills: list[Kill] = field(default_factory=list)


class Shopping:
    """A running shop and its customers."""

    def __init__(self, running: Shop) -> None:
        self.shop = running
        self.data = running.data
        self._browser = httpx.Client(timeout=20)  # one for all: to make one takes as long as an order

    def close(self) -> None:
        """Go home."""
        self._browser.close()

    def place(self, customer: str, *, saga: Flow = "orchestrated", key: str | None = None, quantity: int = 1) -> str:
        """Place an order as a patient customer does, who tries again with the same key, and give its id."""
        answer = self.placing(customer, saga=saga, key=key, quantity=quantity)
        identity: str = answer.json()["id"]
        return identity

    def placing(
        self, customer: str, *, saga: Flow = "orchestrated", key: str | None = None, quantity: int = 1
    ) -> httpx.Response:
        """Place an order, and give the answer."""
        body = {"customer": customer, "saga": saga, "items": [{"sku": "rope-01", "quantity": quantity}]}
        headers = {} if key is None else {"idempotency-key": key}

        def taken() -> httpx.Response | None:
            try:
                answer = self._browser.post(f"{self.url}/api/v1/orders", json=body, headers=headers)
            except httpx.TransportError as error:
                raise AssertionError(repr(error)) from error
            assert answer.status_code not in _TRY_AGAIN, answer.text
            return answer

        answer = eventually(taken, within=_PATIENCE, every=0.1, what="an order is taken") if key else taken()
        assert answer is not None
        assert answer.status_code == 201, answer.text
        return answer

    @property
    def url(self) -> str:
        """Where customers come in."""
        return self.shop["gateway"].url

    def order(self, identity: str) -> dict[str, Any]:
        """An order as it is now."""
        answer = self._browser.get(f"{self.url}/api/v1/orders/{identity}")
        assert answer.is_success, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def await_status(self, identity: str, *statuses: str, within: float = BACK_WITHIN) -> str:
        """Wait until an order has one of these statuses, and give it."""

        def arrived() -> str:
            status = str(self.order(identity)["status"])
            assert status in statuses, status
            return status

        return eventually(arrived, within=within, every=0.1, what=f"order {identity} is {' or '.join(statuses)}")

    def broken(self, *explained: str, grace: float = 0.0) -> list[Finding]:
        """What must hold and doesn't, and what hasn't come to its end though nothing has happened for ``grace`` s."""
        urls = {name: self.data.database_url(name) for name in _DATABASES if name in self.shop}
        return check({**urls, "nats": self.data.broker_url}, grace=grace, explained=explained)

    def all_holds(self, *explained: str) -> None:
        """Wait until everything has come to its end and every invariant holds. Nothing may stand still meanwhile."""
        still_from = time.monotonic() + BACK_WITHIN

        def holds() -> bool:
            found = self.broken(*explained)
            if found and time.monotonic() > still_from and (stuck := self.broken(*explained, grace=BACK_WITHIN)):
                pytest.fail(f"nothing happens to it any more: {stuck[:10]}")
            assert not found, found[:10]
            return True

        eventually(holds, within=_HOME_WITHIN, every=1.0, what="every invariant holds")

    def all_ended(self, orders: Sequence[str], *, within: float = BACK_WITHIN) -> None:
        """Wait until these orders have been delivered or cancelled."""

        def ended() -> bool:
            rows = dict(line.split("|") for line in self.sql("orders", "SELECT id, status FROM orders").splitlines())
            under_way = [f"{one}: {rows.get(one)}" for one in orders if rows.get(one) not in _ENDED]
            assert not under_way, f"{len(under_way)} under way, such as {under_way[:3]}"
            return True

        eventually(ended, within=within, every=0.5, what="every order has come to its end")

    def sql(self, service: str, statement: str) -> str:
        """Ask a service's database."""
        return self.data.postgres.sql(statement, database=service)

    def told(self, order: str) -> list[str]:
        """What was told about an order: kinds, the first first."""
        said = self.sql(
            "notifications",
            f"SELECT kind FROM notifications WHERE order_id = '{order}' AND status = 'sent' ORDER BY id",  # noqa: S608 - an id of ours
        )
        return said.splitlines()

    def told_twice(self) -> list[str]:
        """Orders of which something was told more than once by one medium."""
        said = self.sql(
            "notifications",
            "SELECT order_id, kind, medium, count(*) FROM notifications WHERE order_id IS NOT NULL "
            "GROUP BY order_id, kind, medium HAVING count(*) > 1",
        )
        return said.splitlines()


@contextmanager
def shopping(**env: str) -> Iterator[Shopping]:
    """Open a shop of its own."""
    with shop(quiet=True, env={**_QUICK, **env}) as running, closing(Shopping(running)) as opened:
        yield opened


def sail(shopping: Shopping, *, orders: int, kills: int, seed: int) -> Voyage:
    """Place orders while parts are killed at seeded points, and start them again. Returns when all run.

    The order of events on a busy machine isn't the seed's to choose; who is killed, about when and for how long is.
    """
    random = Random(seed)  # noqa: S311 - must repeat, not be secret
    voyage = Voyage(seed)
    parts = sorted(shopping.shop)
    points = sorted(random.sample(range(1, orders), kills))
    victims = [part for _ in range(0, kills, len(parts)) for part in random.sample(parts, len(parts))]
    plan = [Kill(part, point, random.uniform(0.0, 1.0)) for part, point in zip(victims, points, strict=False)]
    flows = [random.choice(FLOWS) for _ in range(orders)]
    stirred = threading.Condition()

    def buy(number: int) -> None:
        key = f"voyage-{seed}-{number}"
        order = shopping.place(f"sailor-{seed}-{number % 7}", saga=flows[number], key=key)
        with stirred:
            voyage.orders[key] = order
            stirred.notify_all()

    def await_orders(count: int) -> None:
        with stirred:
            stirred.wait_for(lambda: len(voyage.orders) >= count or all(one.done() for one in buying), _STALLED)

    with ThreadPoolExecutor(BUYERS) as pool:
        buying = [pool.submit(buy, number) for number in range(orders)]
        for kill in plan:
            await_orders(kill.after)
            _kill(shopping.shop, kill)
            voyage.kills.append(kill)
        for one in buying:
            one.result()
    for part in parts:
        shopping.shop[part].await_ready()
    return voyage


def _kill(running: Shop, kill: Kill) -> None:
    running[kill.part].kill()
    threading.Event().wait(kill.away)  # the outage itself
    running.restart(kill.part)


def came_home(shopping: Shopping, voyage: Voyage, *explained: str) -> None:
    """Assert that a voyage cost nothing: each key one order, nothing stuck, every invariant holds, all told once."""
    story = f"seed {voyage.seed}: {[(one.part, one.after) for one in voyage.kills]}"
    orders = list(voyage.orders.values())
    assert len(set(orders)) == len(orders), story
    shopping.all_holds(*explained)
    shopping.all_ended(orders, within=_HOME_WITHIN)
    placed = shopping.sql("orders", f"SELECT count(*) FROM orders WHERE customer LIKE 'sailor-{voyage.seed}-%'")  # noqa: S608 - a number of ours
    assert int(placed) == len(orders), f"{story}: a key made two orders"
    assert shopping.told_twice() == [], story
    eventually(
        lambda: int(shopping.sql("notifications", "SELECT count(*) FROM notifications WHERE status = 'waiting'")) == 0,
        within=BACK_WITHIN,
        every=1.0,
        what=f"{story}: the last customer is told",
    )
