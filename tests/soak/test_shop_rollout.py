"""A rollout of payments while orders come in. It needs two cores for itself, so `make e2e` leaves it out."""

import secrets

from loadtests import open_load
from support.kubectl import Kubectl
from support.shop import Shop
from support.traffic import go_on, nothing_lost
from support.waiting import eventually


def test_a_rollout_of_payments_under_orders_loses_nothing(kubectl: Kubectl) -> None:
    shop = Shop(kubectl.within("shop"))
    payments = shop.service("payments")
    before = payments.status()["stableRevision"]
    was = payments.the()["spec"]["rollout"]
    payments.kubectl.patch("ms", "payments", {"spec": {"rollout": {"steps": [50], "hold": "2s"}}})
    try:
        with open_load(rate=2, journey="ordering", timeout=30) as load:
            go_on(load, 10)
            payments.kubectl.patch("ms", "payments", {"spec": {"env": {"RELEASE": secrets.token_hex(4)}}})
            eventually(
                lambda: (
                    payments.status()["stableRevision"] > before and payments.status().get("canaryRevision") is None
                ),
                within=180,
                every=1,
                what="the new payments has all the traffic",
            )
            go_on(load, 10)
        nothing_lost(load.stop(), least=40)
    finally:
        payments.kubectl.patch("ms", "payments", [{"op": "replace", "path": "/spec/rollout", "value": was}])
    shop.holds(within=120)
