"""What a carrier that hangs, or is 8 s slower, costs those who want another one: with a bulkhead for each, and without.

Needs no cluster: ``pytest tests/bench/test_carriers.py -s``. The same calls to the same simulated carriers, by
shipping's own guards; without bulkheads all carriers share one pool of as many places. Calls arrive at random, from a
seed.
"""

import asyncio
import random
import time
from collections.abc import Collection
from datetime import UTC, datetime
from statistics import quantiles

import pytest

from chassis.breaker import Breaker, Policy
from chassis.bulkhead import Bulkhead, Full
from shipping.carriers.guarded import GuardedCarrier, Patience
from shipping.carriers.simulated import Conditions, Entry, Pace, SimulatedCarrier
from shipping.domain.shipment import Address, Parcel
from shipping.domain.tariff import TARIFFS

SECONDS, RATE, PLACES, SEED = 12.0, 40.0, 16, 7
WELL = Conditions(delay=0.02)
PARCEL = Parcel(Address("Ada", "Kai 1", "24103", "Kiel", "DE"), (("rope-01", 2),))
ILL = {"all are well": WELL, "one is 8 s slower": Conditions(delay=8.02), "one hangs": Conditions(hang=True)}
NEVER = Policy(failures=10**6)
"""The breaker stays out of it: this is about what the bulkhead does alone."""


class MemoryBooks:
    """Books in which one carrier does differently."""

    def __init__(self, ill: str, conditions: Conditions) -> None:
        self._ill = ill
        self._conditions = conditions

    async def conditions(self, carrier: str) -> Conditions:
        return self._conditions if carrier == self._ill else WELL

    async def enter(self, carrier: str, reference: str, entry: Entry) -> Entry:
        return entry

    async def withdraw(self, carrier: str, reference: str, entry: Entry) -> None:
        """Nothing is kept."""

    async def find(self, carrier: str, codes: Collection[str]) -> list[Entry]:
        return []


class Queue(Bulkhead):
    """What one does without bulkheads: everybody waits for a place in the one pool that all share."""

    def __init__(self, limit: int) -> None:
        super().__init__("shared", limit)
        self._places = asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        await self._places.acquire()

    async def __aexit__(self, *_: object) -> None:
        self._places.release()


def carriers(conditions: Conditions, *, shared: bool) -> list[GuardedCarrier]:
    books = MemoryBooks("coaster", conditions)
    pool = Queue(PLACES * len(TARIFFS))
    return [
        GuardedCarrier(
            SimulatedCarrier(tariff, books, pace=Pace(), now=lambda: datetime.now(UTC)),
            bulkhead=pool if shared else Bulkhead(tariff.carrier, PLACES),
            breaker=Breaker(tariff.carrier, NEVER),
            patience=Patience(booking=60.0, attempts=1),
        )
        for tariff in TARIFFS
    ]


async def measured(conditions: Conditions, *, shared: bool) -> list[float]:
    """Milliseconds that calls to the two well carriers took; a call that has no end in the time counts as that long."""
    chance = random.Random(SEED)  # noqa: S311 - spreads calls
    fleet, took, calls = carriers(conditions, shared=shared), [], []
    start = time.perf_counter()

    async def call(carrier: GuardedCarrier) -> None:
        began = time.perf_counter()
        try:
            await carrier.book("s-1", PARCEL)
        except Full:
            return
        finally:
            if carrier.name != "coaster":
                took.append(1000 * (time.perf_counter() - began))

    while time.perf_counter() - start < SECONDS:
        calls.append(asyncio.create_task(call(chance.choice(fleet))))
        await asyncio.sleep(chance.expovariate(RATE))
    _, waiting = await asyncio.wait(calls, timeout=1.0)
    for one in waiting:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return took


@pytest.mark.parametrize("shared", [False, True], ids=["a bulkhead each", "one pool"])
async def test_latency_of_the_other_carriers(machine: str, shared: bool) -> None:  # noqa: FBT001 - a parameter of the figure
    print(
        f"\n{machine}; {RATE:g} calls/s for {SECONDS:g} s, {PLACES} places a carrier; the two carriers that are well:"
    )
    usual = 0.0
    for title, conditions in ILL.items():
        took = await measured(conditions, shared=shared)
        *_, p99 = quantiles(took, n=100)
        usual = usual or p99
        name = "one pool for all" if shared else "a bulkhead each"
        middle = sorted(took)[len(took) // 2]
        print(f"{name:16} {title:18} p50 {middle:7.1f} ms   p99 {p99:8.1f} ms   {p99 / usual:6.2f} times as long")
