"""What an order costs: CPU time of each part of the shop, from the click to the last notification; and a shop at rest.

Needs no cluster: ``pytest tests/bench/test_order_cost.py -s``. The shop runs as plain processes with a real Postgres
and a real NATS. CPU time is nearly the same on a busy machine as on a quiet one. Half of the orders go each way,
orchestrated and choreographed. Beside it stands what an order leads to: requests served, transactions, events.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from support.machine import cpu_seconds_of_family
from support.processes import requests_served
from support.shopping import FLOWS, Shopping, shopping
from support.waiting import eventually

WARM, ORDERS, BUYERS, REST = 100, 500, 8, 10.0
MESSAGES = 4
"""What a customer is told of an order that goes well: placed, confirmed, shipped, delivered."""


@dataclass(frozen=True)
class Used:
    """What was used so far, by part."""

    at: float
    cpu: Mapping[str, float]
    requests: Mapping[str, float]
    transactions: Mapping[str, float]
    events: int

    @classmethod
    def by(cls, opened: Shopping) -> "Used":
        """Look at all parts."""
        running = opened.shop
        pids = {name: process.pid for name, process in running.items()}
        pids |= {"postgres": opened.data.postgres.pid, "nats": opened.data.nats.pid}
        said = opened.sql("postgres", "SELECT datname, xact_commit FROM pg_stat_database WHERE datname IS NOT NULL")
        return cls(
            at=time.monotonic(),
            cpu={name: cpu_seconds_of_family(pid) for name, pid in pids.items()},
            requests={name: requests_served(process) for name, process in running.items()},
            transactions={name: float(count) for name, count in (line.split("|") for line in said.splitlines())},
            events=int(opened.sql("notifications", "SELECT count(*) FROM trail")),
        )


def test_what_an_order_costs(machine: str) -> None:
    with shopping() as opened:
        bought(opened, WARM)
        rest = Used.by(opened)
        eventually(lambda: time.monotonic() > rest.at + REST, within=2 * REST, what="a shop at rest is watched")
        before = Used.by(opened)
        bought(opened, ORDERS)
        after = Used.by(opened)
        print(f"\nan order, both flows, {ORDERS} orders in {after.at - before.at:.0f} s ({machine})")
        tell(rest, before, after)


def bought(opened: Shopping, count: int) -> None:
    """Have orders placed as fast as a few buyers can, and wait until all are delivered and all customers told."""
    told = "SELECT count(*) FROM notifications WHERE status IN ('sent', 'superseded') AND medium = 'email'"
    sooner = int(opened.sql("notifications", told))
    asyncio.run(_bought(opened.url, count))
    eventually(
        lambda: int(opened.sql("notifications", told)) == sooner + MESSAGES * count,
        within=600,
        every=1.0,
        what="all customers are told of all orders",
    )


async def _bought(url: str, count: int) -> None:
    numbers = iter(range(count))
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:

        async def buyer() -> None:
            for number in numbers:
                item = {"sku": "rope-01", "quantity": 1}
                body = {"customer": f"sailor-{number % 7}", "saga": FLOWS[number % 2], "items": [item]}
                answer = await client.post("/api/v1/orders", json=body)
                assert answer.status_code == 201, answer.text

        await asyncio.gather(*(buyer() for _ in range(BUYERS)))


def tell(rest: Used, before: Used, after: Used) -> None:
    """Print a line a part: CPU time an order and at rest, requests and transactions an order."""
    rows = [
        (
            part,
            1000 * (after.cpu[part] - before.cpu[part]) / ORDERS,
            1000 * (before.cpu[part] - rest.cpu[part]) / (before.at - rest.at),
            (after.requests.get(part, 0) - before.requests.get(part, 0)) / ORDERS,
            (after.transactions.get(part, 0) - before.transactions.get(part, 0)) / ORDERS,
        )
        for part in after.cpu
    ]
    rows.append(("all", *(sum(column) for column in zip(*(row[1:] for row in rows), strict=True))))  # type: ignore[arg-type]
    print(f"{'':19} {'CPU ms':>8} {'at rest ms/s':>13} {'requests':>9} {'transactions':>13}")
    for part, cpu, resting, requests, transactions in rows:
        print(f"{part:19} {cpu:8.1f} {resting:13.1f} {requests:9.1f} {transactions:13.1f}")
    print(f"{(after.events - before.events) / ORDERS:.1f} events an order")
