"""Every service of the shop killed at random, without warning, while thousands of orders are placed.

100 kills in 20,000 orders; ``SOAK=10`` is 10 kills in 2,000. ``SEED`` chooses who is killed, when and for how long; a
failure tells its seed. Without a cluster: the shop runs as processes, on a real Postgres and a real NATS.
"""

import os

from support.shopping import came_home, sail, shopping

_WORD = os.environ.get("SOAK") or ""
KILLS = int(_WORD) if _WORD.isdigit() else 100
ORDERS = 200 * KILLS
SEED = int(os.environ.get("SEED") or 1)


def test_no_order_is_lost_and_nothing_is_done_twice_whoever_is_killed() -> None:
    with shopping() as opened:
        voyage = sail(opened, orders=ORDERS, kills=KILLS, seed=SEED)
        assert len(voyage.orders) == ORDERS
        came_home(opened, voyage)
