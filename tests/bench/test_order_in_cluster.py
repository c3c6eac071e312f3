"""What an order takes in the cluster, from the intended click to the answer: at 2, 20 and 50 orders a second.

Through the ingress gateway and every sidecar on the way, both flows in turn, one order in ten taken back. The
figures are printed with the machine's load; afterwards every rule about the shop holds, or it was no order.
"""

import time

import pytest

from loadtests import open_load, percentile
from support.kubectl import Kubectl
from support.shop import Shop

SECONDS = 60.0
WARM_UP = 10.0


@pytest.mark.parametrize("rate", [2, 20, 50])
def test_an_order(rate: int, kubectl: Kubectl, machine: str) -> None:
    with open_load(rate=rate, duration=WARM_UP + SECONDS, journey="ordering", timeout=30) as load:
        seen = load.wait()
    began = seen.requests[0].intended + WARM_UP
    placed = [r for r in seen.requests if r.name == "POST /api/v1/orders" and r.intended >= began]
    latencies = [1000 * r.latency for r in placed]
    p50, p95, p99 = (percentile(latencies, percent) for percent in (50, 95, 99))
    refused = sum(1 for r in placed if r.error)
    print(
        f"\n{rate} orders/s: p50 {p50:.0f} ms, p95 {p95:.0f} ms, p99 {p99:.0f} ms, {refused} of {len(placed)} refused "
        f"({machine})"
    )
    settled = time.monotonic()
    Shop(kubectl.within("shop")).holds(within=300)
    print(f"all rules hold {time.monotonic() - settled:.0f} s after the last order")
