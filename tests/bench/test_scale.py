"""Hundreds of services and a hundred rollouts at once: whether each is looked at in time, and what that takes.

A real API server with its controllers, and nothing beside it (see `controlplane`): hundreds of pods need more than a
small machine has. So pods run nowhere, and their kubelet, sidecars and istiod are stand-ins (see `crowd`). Figures are
printed, with the machine. What is asserted is that each rollout ended as its evidence says.

`SERVICES=100 ROLLOUTS=33` takes other numbers. It ends within `DEPLOYED_WITHIN` and `ROLLED_OUT_WITHIN` in any case.
"""

import json
import os
import re
import statistics
import subprocess
import time
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from time import process_time

import pytest

from support.afloat import Afloat, Figures
from support.controlplane import ControlPlane
from support.crowd import Crowd, Member, members
from support.fixtures import ROOT
from support.kubectl import CONTEXT, Kubectl, Object
from support.services import attempt_of
from support.waiting import eventually

FOLDER = ROOT / "reports" / "bench" / "scale"
SERVICES = int(os.environ.get("SERVICES", "300"))
ROLLOUTS = int(os.environ.get("ROLLOUTS", "100"))
NAMESPACE_OF = 50  # services in each
RATE = 60.0  # requests a second of each service: a rollout takes a minute or more
BAD, FAILS = 10, 0.3  # of so many rollouts one fails such a share of its requests
IN_TIME = (0.8, 1.2)  # seconds from look to look
LOOK_EVERY = 5.0  # seconds: to tell all metrics takes the operator time too
AT_REST = 10.0
DEPLOYED_WITHIN, ROLLED_OUT_WITHIN = 600.0, 400.0
MEBIBYTE = 2**20
MOST = 16  # kinds of requests that are told
_LABEL = re.compile(r'(\w+)="([^"]*)"')


@dataclass
class Course:
    """What was seen while rollouts were under way: one entry a look."""

    active: list[float] = field(default_factory=list)
    memory: list[int] = field(default_factory=list)
    load: list[float] = field(default_factory=list)

    def take(self, figures: Figures) -> None:
        """One more."""
        self.active.append(figures.total("seatrial_rollouts"))
        self.memory.append(figures.memory)
        self.load.append(os.getloadavg()[0])


@pytest.fixture
def plane(monkeypatch: pytest.MonkeyPatch) -> Iterator[ControlPlane]:
    """The API server that everybody here means."""
    with ControlPlane(FOLDER / "plane") as made:
        monkeypatch.setenv("KUBECONFIG", str(made.kubeconfig))
        yield made


def managed(count: int) -> list[str]:
    """So many namespaces of the operator's."""
    names = [f"bench-scale-{n}" for n in range(count)]
    for name in names:
        subprocess.run(["seatrial", "namespace", name, "--context", CONTEXT], check=True, timeout=60)
    return names


def test_many_services_and_rollouts_at_once(plane: ControlPlane, machine: str) -> None:
    names = managed(-(-SERVICES // NAMESPACE_OF))
    with Crowd(Kubectl(), RATE) as crowd, Afloat(FOLDER, Kubectl(), crowd.istiod) as operator:
        everyone = members(names, SERVICES)
        chosen = chosen_of(everyone)
        crowd.fails = {member.host: FAILS for member in chosen[::BAD]}
        print(f"\n{SERVICES} services, {len(chosen)} rollouts at once ({machine})")
        deploy(operator, everyone)
        rest(operator)
        roll_out(operator, crowd, plane, chosen)
        ended = Counter(attempt_of(revision)["phase"] for revision in revisions(names, 2))
        print(f"ended: {dict(ended)}; the sidecars' stand-ins gave {crowd.sidecars.pages} pages")
        assert ended == {"RolledBack": len(crowd.fails), "Succeeded": len(chosen) - len(crowd.fails)}


def chosen_of(everyone: list[Member]) -> list[Member]:
    """Those who are rolled out: spread over all namespaces, and no front, which nobody calls."""
    called = [member for member in everyone if member.number]
    return [called[n * len(called) // ROLLOUTS] for n in range(min(ROLLOUTS, len(called)))]


def deploy(operator: Afloat, everyone: list[Member]) -> None:
    """Apply all, and wait until all are Ready."""
    before, begun = operator.figures(), time.monotonic()
    apply(everyone, "one")
    applied = time.monotonic() - begun
    names = {member.namespace for member in everyone}
    eventually(
        lambda: sum(stable(service) == 1 for service in listed("ms", names)) == len(everyone),
        within=DEPLOYED_WITHIN,
        every=4,
        what="all serve",
    )
    took, after = time.monotonic() - begun, operator.figures().since(before)
    print(
        f"deployed: applied in {applied:.0f} s, all serve after {took:.0f} s; "
        f"{after.total('seatrial_writes_total'):.0f} writes, {after.cpu:.0f} s of CPU, {passes(after)}, "
        f"memory {after.memory / MEBIBYTE:.0f} MiB"
    )


def rest(operator: Afloat) -> None:
    """What nothing costs."""
    before, end = operator.figures(), time.monotonic() + AT_REST
    eventually(lambda: time.monotonic() >= end, within=AT_REST + 5, what="a quiet while")
    after = operator.figures().since(before)
    print(
        f"at rest, {AT_REST:.0f} s: {after.total('seatrial_writes_total'):.0f} writes, {after.cpu:.2f} s of CPU, "
        f"memory {after.memory / MEBIBYTE:.0f} MiB"
    )


def roll_out(operator: Afloat, crowd: Crowd, plane: ControlPlane, chosen: list[Member]) -> None:
    """Change all at once, and wait until each has ended."""
    before, begun, asked, busy, ours = operator.figures(), time.monotonic(), requests(plane), plane.cpu, process_time()
    course = Course()
    apply(chosen, "two")

    def over() -> bool:
        course.take(operator.figures())
        began = max(course.active) > len(chosen) / 2
        return began and not course.active[-1]

    eventually(over, within=ROLLED_OUT_WITHIN, every=LOOK_EVERY, what="all have ended")
    took, after = time.monotonic() - begun, operator.figures().since(before)
    asked, ours = requests(plane) - asked, process_time() - ours
    lag = after.spread("seatrial_loop_lag_seconds")
    looks = after.spread("seatrial_look_interval_seconds", source="proxies")
    print(
        f"rolled out in {took:.0f} s, at most {max(course.active):.0f} at once; load average "
        f"{statistics.fmean(course.load):.1f} (up to {max(course.load):.1f})\n"
        f"looks: {looks.count:.0f}, by the operator's own count {100 * looks.upto(IN_TIME[1]):.2f} % of them at most "
        f"{IN_TIME[1]} s after the one before, p99 {looks.quantile(0.99):.2f} s\n"
        f"{seen_by_sidecars(crowd.looks(), begun)}\n"
        f"reconciling: {passes(after)}; the event loop woke late by p50 {1000 * lag.quantile(0.5):.0f} ms, "
        f"p99 {1000 * lag.quantile(0.99):.0f} ms\n"
        f"operator: {after.cpu / took:.2f} cores, memory at most {max(course.memory) / MEBIBYTE:.0f} MiB; "
        f"{after.total('seatrial_writes_total') / took:.1f} writes/s of {asked.total() / took:.0f} requests/s "
        f"to the API server by all; errors: {errors(after)}\n"
        f"writes a rollout: {writes(after, len(chosen))}\n"
        f"requests a rollout: {most(asked, len(chosen))}\n"
        f"cores: {', '.join(f'{name} {(at - busy[name]) / took:.2f}' for name, at in plane.cpu.items())}; "
        f"of this process, all stand-ins in it: {ours / took:.2f}"
    )


def most(asked: Counter[str], rollouts: int) -> str:
    """Of what is asked most."""
    return ", ".join(f"{what} {count / rollouts:.1f}" for what, count in asked.most_common(MOST))


def seen_by_sidecars(looks: dict[str, list[float]], since: float) -> str:
    """The same as the sidecars of the pods on trial saw it, each asked once a look."""
    apart = [b - a for times in looks.values() for a, b in pairwise(t for t in times if t >= since)]
    if not apart:
        return "seen by the sidecars: no two looks"
    in_time = sum(IN_TIME[0] <= gap <= IN_TIME[1] for gap in apart)
    ranked = sorted(apart)
    return (
        f"seen by the sidecars: {len(apart)} intervals, {100 * in_time / len(apart):.2f} % of {IN_TIME[0]} to "
        f"{IN_TIME[1]} s, median {statistics.median(apart):.3f} s, p99 {ranked[int(0.99 * len(ranked))]:.2f} s, "
        f"longest {ranked[-1]:.2f} s"
    )


def passes(figures: Figures) -> str:
    """How long reconciling took."""
    spread, waited = (figures.spread(f"seatrial_{name}_seconds") for name in ("reconcile_duration", "queue_wait"))
    return (
        f"{spread.count:.0f} passes, p50 {1000 * spread.quantile(0.5):.0f} ms, "
        f"p99 {1000 * spread.quantile(0.99):.0f} ms, {100 * spread.upto(1.0):.2f} % within 1 s; they waited for their "
        f"turn p50 {1000 * waited.quantile(0.5):.0f} ms, p99 {1000 * waited.quantile(0.99):.0f} ms"
    )


def writes(figures: Figures, rollouts: int) -> str:
    """Of each kind."""
    found = {
        dict(about)["kind"]: value
        for (name, about), value in figures.samples.items()
        if name == "seatrial_writes_total"
    }
    ranked = sorted(found.items(), key=lambda one: -one[1])
    return ", ".join(f"{kind} {value / rollouts:.1f}" for kind, value in ranked if value)


def errors(figures: Figures) -> dict[str, int]:
    """By kind."""
    return {
        dict(about)["failure"]: int(value)
        for (name, about), value in figures.samples.items()
        if name == "seatrial_errors_total" and value
    }


def requests(plane: ControlPlane) -> Counter[str]:
    """That the API server answered so far, whoever asked, by verb and resource; but watches, which last."""
    asked: Counter[str] = Counter()
    for line in plane.kubectl("get", "--raw", "/metrics").splitlines():
        if line.startswith("apiserver_request_total{"):
            about = dict(_LABEL.findall(line))
            if about["verb"] != "WATCH":
                what = "/".join(part for part in (about["resource"], about["subresource"]) if part)
                asked[f"{about['verb']} {what}"] += int(float(line.rpartition(" ")[2]))
    return asked


def apply(some: list[Member], release: str) -> None:
    """As users do: kubectl takes its time for each object, so each namespace has one of its own."""
    names = sorted({member.namespace for member in some})
    with ThreadPoolExecutor(len(names)) as users:
        for done in [users.submit(Kubectl(timeout=300).apply, *manifests(some, n, release)) for n in names]:
            done.result()


def manifests(some: list[Member], namespace: str, release: str) -> list[Object]:
    """Those of a namespace."""
    return [member.manifest(release) for member in some if member.namespace == namespace]


def listed(kind: str, names: Collection[str]) -> list[Object]:
    """All objects of a kind in the namespaces."""
    answer: Object = json.loads(Kubectl()("get", kind, "--all-namespaces", "-o", "json"))
    return [obj for obj in answer["items"] if obj["metadata"]["namespace"] in names]


def revisions(names: Collection[str], number: int) -> list[Object]:
    """Revisions of that number."""
    return [revision for revision in listed("rev", names) if revision["spec"]["number"] == number]


def stable(service: Object) -> int | None:
    """Its stable revision."""
    found: int | None = service.get("status", {}).get("stableRevision")
    return found
