"""The order's way through the whole shop on the mesh: by request and by event, and through restarts."""

import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest

from loadtests import open_load
from support.helm import Release
from support.kubectl import Kubectl
from support.shop import ORDERS, Shop
from support.traffic import go_on, nothing_lost
from support.waiting import eventually

pytestmark = pytest.mark.beside  # the shop goes on without operators, and for a while without istiod

# Connects with the password that the pod has, to the database named by the argument.
LOOK = """
import asyncio, os, sys
import asyncpg
async def look():
    url = os.environ["DATABASE_URL"].replace("+asyncpg", "").rpartition("/")[0]
    try:
        connection = await asyncpg.connect(f"{url}/{sys.argv[1]}", timeout=10)
        print(await connection.fetchval("SELECT current_database()"))
    except asyncpg.PostgresError as error:
        print("refused:", error)
asyncio.run(look())
"""


@pytest.fixture
def shop(kubectl: Kubectl) -> Iterator[Shop]:
    """The shop; whatever a test has done to it, its invariants hold afterwards."""
    found = Shop(kubectl.within("shop"))
    yield found
    found.holds()


@pytest.mark.parametrize("saga", ["orchestrated", "choreographed"])
def test_an_order_is_paid_booked_confirmed_and_told_of(shop: Shop, saga: str) -> None:
    customer = f"ada-{secrets.token_hex(4)}"
    order = shop.place(customer, saga=saga)
    eventually(
        lambda: shop.status(order) in ("confirmed", "shipped", "delivered"), within=30, what=f"{order} is confirmed"
    )
    shipment = shop.read(f"{ORDERS}/{order}/shipment")
    code = shipment["trackingCode"]
    assert shop.read(f"/api/v1/tracking/{code}")["trackingCode"] == code
    told = eventually(
        lambda: shop.read(f"/api/v1/notifications?customer={customer}")["notifications"],
        within=20,
        what="the customer is told",
    )
    assert {note["orderId"] for note in told} == {order}


def test_what_is_cancelled_is_paid_back_and_put_back(shop: Shop) -> None:
    order = shop.place(f"eve-{secrets.token_hex(4)}", saga="orchestrated")
    eventually(lambda: shop.status(order) == "confirmed", within=30, what=f"{order} is confirmed")
    answer = shop.post(f"{ORDERS}/{order}/cancel", {"reason": "found a shorter rope"})
    assert answer.status in (200, 202), answer
    eventually(lambda: shop.status(order) == "cancelled", within=30, what=f"{order} is cancelled")
    shop.holds(grace=0)  # money, goods and parcel are where they were, at once and for every order


def test_a_person_decides_about_a_saga_that_does_not_come_to_its_end(shop: Shop) -> None:
    with shop.carriers_hang():
        order = shop.place(f"joe-{secrets.token_hex(4)}", saga="orchestrated")
        eventually(lambda: _saga(shop, order)["currentStep"] == "ship", within=30, what=f"{order} waits for a carrier")
        said = shop.seatrial(
            "shop", "sagas", "resolve", order, "--action", "compensate", "--reason", "no carrier sails"
        )
        assert said.startswith(f"{order}: ")
        eventually(lambda: shop.status(order) == "cancelled", within=60, what=f"{order} is cancelled")
    assert shop.read(f"{ORDERS}/{order}")["reason"] == "no carrier sails"
    assert not _sagas(shop, order), "nobody is asked about it any more"


def test_an_upgrade_keeps_passwords_and_pods(shop: Shop) -> None:
    def kept() -> dict[str, object]:
        named = {one["metadata"]["name"]: one for kind in ("secret", "pod") for one in shop.kubectl.list(kind)}
        return {
            **{name: one["data"] for name, one in named.items() if name.endswith(("-database", "-credentials"))},
            **{name: one["metadata"]["uid"] for name, one in named.items() if name in ("postgres-0", "nats-0")},
        }

    before = kept()
    assert len(before) == 10  # six databases and who reads them all, the bank's credentials, two pods
    Release.installed("shop").install()
    assert kept() == before
    assert shop.kubectl.exec(shop.pod("orders"), "python3", "-c", LOOK, "orders").strip() == "orders"


def test_a_service_reads_no_database_but_its_own(shop: Shop) -> None:
    pod = shop.pod("orders")
    assert shop.kubectl.exec(pod, "python3", "-c", LOOK, "orders").strip() == "orders"
    for another in ("payments", "inventory", "postgres"):
        assert shop.kubectl.exec(pod, "python3", "-c", LOOK, another).startswith("refused:"), another


def test_a_broker_that_restarts_loses_no_order_and_no_event(shop: Shop) -> None:
    with open_load(rate=2, journey="ordering", timeout=30) as load:
        go_on(load, 10)
        shop.restart("nats-0")
        go_on(load, 10)
    nothing_lost(load.stop(), least=20)


def test_a_database_that_restarts_leaves_nothing_stuck(shop: Shop) -> None:
    with open_load(rate=2, journey="ordering", timeout=30) as load:
        go_on(load, 10)
        shop.restart("postgres-0")
        load.until(lambda seen: not any(r.error for r in seen.requests[-10:]), within=60)
    # Who ordered meanwhile may have been refused; nobody has paid for nothing (`shop` looks when this ends).


def _sagas(shop: Shop, order: str) -> list[dict[str, Any]]:
    listed = json.loads(shop.seatrial("shop", "sagas", "--status", "unended", "-o", "json"))
    return [saga for saga in listed if saga["sagaId"] == order]


def _saga(shop: Shop, order: str) -> dict[str, Any]:
    found = _sagas(shop, order)
    assert found, f"{order} has ended"
    return found[0]
