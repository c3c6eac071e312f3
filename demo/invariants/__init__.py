"""What must hold in the shop after anything: money, goods, sagas and events, looked at in the tables of its services.

``check`` reads the databases of a running shop and names each row that breaks a rule; ``python -m demo.invariants``
prints it. Nothing here imports a service: a rule that used the code it judges would repeat its faults.

A shop at work always has something under way. Rows that changed less than ``grace`` seconds ago are left alone by rules
about what should have come to an end; the others hold at every moment.
"""

import asyncio
from collections.abc import Collection, Mapping

from demo.invariants.across import BROKEN_ACROSS
from demo.invariants.finding import Finding
from demo.invariants.letters import dead_letters
from demo.invariants.reading import read_inside, read_world, reading

__all__ = ["Finding", "check", "examine"]

BROKER = "nats"
GRACE = 30.0


def check(urls: Mapping[str, str], *, grace: float = GRACE, explained: Collection[str] = ()) -> list[Finding]:
    """Look at a shop: ``urls`` has the database of each service by its name, and the broker's as ``nats``.

    What isn't given isn't looked at. A dead letter with a text of ``explained`` in its cause or event id is left out.
    Raises ``OSError`` or what asyncpg and nats raise when something can't be read.

    >>> check({"orders": "postgresql+asyncpg://orders:…@localhost/orders"})  # doctest: +SKIP
    [Finding(rule='sagas end', subject='01998f…', detail='running since 2026-11-21 16:59:03+00')]
    """
    return asyncio.run(examine(urls, grace=grace, explained=explained))


async def examine(urls: Mapping[str, str], *, grace: float = GRACE, explained: Collection[str] = ()) -> list[Finding]:
    """Do as ``check`` does, on an event loop that runs already."""
    async with reading({name: url for name, url in urls.items() if name != BROKER}) as databases:
        world = await read_world(databases, grace)
        found = [finding for rule in BROKEN_ACROSS for finding in rule(world)]
        found += await read_inside(databases, grace)
    if BROKER in urls:
        found += await dead_letters(urls[BROKER], explained)
    return found
