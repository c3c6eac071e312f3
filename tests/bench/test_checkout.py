"""What a slow carrier costs a checkout: nothing. Each order's time with carriers as usual and 8 s slower, as a ratio.

Needs no cluster: ``pytest tests/bench/test_checkout.py -s``. The shop runs as plain processes with a real Postgres
and a real NATS. Orders come at their own time, whether the ones before were answered or not, and count from when they
were meant to begin; no more of them than slow carriers can take. Rounds alternate, so that a busy machine slows both.
"""

import asyncio
import time
from collections.abc import Sequence

import httpx

from chassis.local import Shop, shop
from loadtests.bounds import percentile
from support.waiting import eventually

ROUNDS, ORDERS, RATE = 4, 60, 5.0
CARRIERS = ("coaster", "dray", "albatross")
BODY = {"customer": "ada", "items": [{"sku": "rope-01", "quantity": 1}]}


async def checkout(client: httpx.AsyncClient, start: float) -> float:
    await asyncio.sleep(start - time.monotonic())
    answer = await client.post("/api/v1/orders", json=BODY)
    assert answer.status_code == 201, answer.text
    return (time.monotonic() - start) * 1000


async def checkouts(url: str, count: int) -> Sequence[float]:
    """Milliseconds of each order."""
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        first = time.monotonic() + 0.1
        return await asyncio.gather(*(checkout(client, first + number / RATE) for number in range(count)))


def make(carriers_delay: str, running: Shop) -> None:
    for name in CARRIERS:
        told = {"delay": carriers_delay, "failPercent": 0, "hang": False}
        httpx.put(f"{running['shipping'].url}/v1/carriers/{name}/conditions", json=told).raise_for_status()


def nothing_is_under_way(running: Shop) -> bool:
    return not httpx.get(f"{running['orders'].url}/v1/sagas").json()["sagas"]


def test_a_slow_carrier_makes_no_checkout_slower(machine: str) -> None:
    took: dict[str, list[float]] = {"as usual": [], "8 s slower": []}
    with shop(quiet=True) as running:
        url = running["gateway"].url
        asyncio.run(checkouts(url, 30))  # connections and code are warm then
        for number in range(ROUNDS):
            for name, delay in (("as usual", "20ms"), ("8 s slower", "8s"))[:: 1 if number % 2 else -1]:
                make(delay, running)
                took[name] += asyncio.run(checkouts(url, ORDERS))
                make("20ms", running)
                eventually(lambda: nothing_is_under_way(running), within=120, what="all orders are settled")
    print(f"\ncheckout at {RATE:g} orders/s, by the gateway, stock and payment in line ({machine})")
    for name, values in took.items():
        middle, most = percentile(values, 50), percentile(values, 99)
        print(f"carriers {name:10}  p50 {middle:6.1f} ms   p99 {most:6.1f} ms   of {len(values)} orders")
    usual, slow = (percentile(values, 99) for values in took.values())
    print(f"p99 is {slow / usual:.2f} times as long with carriers that take 8 s more")
