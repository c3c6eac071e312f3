"""The shop without any operator, as after `helm uninstall`: a pod that is made then does its work all the same."""

import secrets

from support.kubectl import Kubectl
from support.operators import JANITOR, OPERATOR, Operators
from support.services import is_ready, name_of
from support.shop import Shop
from support.waiting import eventually

TOLD_WITHIN = 300.0  # it waits three minutes for somebody to tell it its share


def test_a_consumer_that_starts_without_an_operator_works_in_the_end(kubectl: Kubectl) -> None:
    shop = Shop(kubectl.within("shop"))
    notifications = shop.service("notifications")
    stable = notifications.status()["stableRevision"]
    customer = f"ida-{secrets.token_hex(4)}"
    with Operators(kubectl).gone(OPERATOR, JANITOR):
        before = {name_of(pod) for pod in notifications.pods(stable)}
        shop.kubectl.delete("pod", *before)
        eventually(
            lambda: [pod for pod in notifications.pods(stable) if is_ready(pod) and name_of(pod) not in before],
            within=90,
            what="another pod is ready",
        )
        order = shop.place(customer, saga="orchestrated")
        told = eventually(
            lambda: shop.read(f"/api/v1/notifications?customer={customer}")["notifications"],
            within=TOLD_WITHIN,
            every=5,
            what="the customer is told",
        )
    assert {note["orderId"] for note in told} == {order}
    shop.holds()
