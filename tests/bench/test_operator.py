"""Figures of the operator: how long its own share of the work takes, what it writes at rest, how much memory it holds.

They are printed, with the machine, and only their being there is asserted.
"""

import statistics
import time

from prometheus_client.parser import text_string_to_metric_families

from support.kubectl import Kubectl
from support.operators import SYSTEM, Operators
from support.place import Place
from support.waiting import eventually

SERVICES = 30
MEBIBYTE = 2**20


def figures() -> dict[str, float]:
    """Metrics of the process that holds the Lease, summed over their labels."""
    kubectl = Kubectl()
    holder = Operators(kubectl).await_holder()
    text = kubectl.raw(f"/api/v1/namespaces/{SYSTEM}/pods/{holder}:8080/proxy/metrics")
    found: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name] = found.get(sample.name, 0.0) + sample.value
    return found


def test_one_service_from_apply_to_ready(place: Place, machine: str) -> None:
    took = []
    for number in range(3):
        service = place.catalog(f"one-{number}", exposed=False)
        begun = time.monotonic()
        service.apply()
        service.await_ready(within=120)
        took.append(time.monotonic() - begun)
    print(f"\napply → Ready: median {statistics.median(took):.1f} s of {[f'{t:.1f}' for t in took]} ({machine})")
    assert took


def test_thirty_services_at_once(place: Place, machine: str) -> None:
    services = [place.service(f"many-{number}", exposed=False) for number in range(SERVICES)]
    before = figures()
    begun = time.monotonic()
    place.kubectl.apply(*(s.manifest for s in services))
    applied = time.monotonic() - begun

    def rendered() -> bool:
        return (
            len(place.kubectl.list("deployments")) >= SERVICES
            and len(place.kubectl.list("virtualservices")) >= SERVICES
        )

    eventually(rendered, within=300, what="all have pods and routes")
    share = time.monotonic() - begun - applied
    eventually(lambda: all(s.is_ready() for s in services), within=600, every=2, what="all are Ready")
    ready = time.monotonic() - begun
    after = figures()
    passes = after["seatrial_reconcile_duration_seconds_count"] - before["seatrial_reconcile_duration_seconds_count"]
    busy = after["seatrial_reconcile_duration_seconds_sum"] - before["seatrial_reconcile_duration_seconds_sum"]
    print(
        f"\n{SERVICES} services: kubectl apply {applied:.1f} s, then all objects written in {share:.1f} s, "
        f"all Ready after {ready:.1f} s; {passes:.0f} passes of {1000 * busy / passes:.0f} ms; resident memory "
        f"{after['process_resident_memory_bytes'] / MEBIBYTE:.0f} MiB ({machine})"
    )
    idle = figures()
    watched = 20.0
    end = time.monotonic() + watched
    eventually(lambda: time.monotonic() >= end, within=watched + 5, what="a quiet while")
    rest = figures()
    print(
        f"at rest, in {watched:.0f} s: {rest['seatrial_writes_total'] - idle['seatrial_writes_total']:.0f} writes, "
        f"{rest['process_cpu_seconds_total'] - idle['process_cpu_seconds_total']:.2f} s of CPU"
    )
    assert passes > 0
