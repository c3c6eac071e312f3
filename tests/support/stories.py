"""A launch, a rollout, a rollback and a deletion, told in short, and their ends: alike, whatever befalls the operator.

Two are told once more with evidence that decides: a good revision gets through, a bad one is taken back.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from support.place import Place
from support.services import Service, is_ready
from support.waiting import eventually

WITHIN = 900.0  # seconds: an operator that dies at each write needs some for each
KINDS = (
    "deployments,services,serviceaccounts,poddisruptionbudgets,networkpolicies,jobs,virtualservices,destinationrules,"
    "sidecars,authorizationpolicies,revisions"
)


EASY = {"toleratePercentPoints": 5, "stepTimeout": "30m"}  # sure after some dozens of requests


@dataclass(frozen=True)
class Story:
    """`told` acts and waits for the end; `ends_with` is what asks then are answered by.

    `rollout` says how long a step is held and what it is judged by. A `bad` one has a second revision that may fail. A
    `new` one begins with nothing, others with a service that serves.
    """

    told: Callable[[Service], None]
    rollout: Mapping[str, Any] = field(default_factory=lambda: {"hold": "2s", "analysis": None})
    ends_with: int = 200
    bad: bool = False
    new: bool = False


def _launch(service: Service) -> None:
    service.apply()
    service.await_stable(1, within=WITHIN)


def _rollout(service: Service) -> None:
    service.apply(env={"RELEASE": "two"})
    service.await_stable(2, within=WITHIN)
    eventually(lambda: not service.pods(1), within=WITHIN, what="the old pods are gone")


def _rollback(service: Service) -> None:
    service.apply(env={"RELEASE": "two"})
    service.await_weight(2, 30, within=WITHIN)
    service.apply(env={"RELEASE": "one"})
    service.await_phase(2, "RolledBack", within=WITHIN)
    service.await_stable(1, within=WITHIN)
    eventually(lambda: not service.pods(2), within=WITHIN, what="its pods are gone")


def _deletion(service: Service) -> None:
    service.apply(env={"RELEASE": "two"})
    service.await_weight(2, 30, within=WITHIN)
    service.kubectl.delete("ms", service.name, options=["--wait=false"])
    eventually(lambda: service.kubectl.get("ms", service.name) is None, within=WITHIN, what="it is gone")
    eventually(lambda: not end_of(service).objects, within=WITHIN, what="all that was its own is gone")


def _refusal(service: Service) -> None:
    service.apply(env={"RELEASE": "two", "ERRORS": "0.3"})
    service.await_phase(2, "RolledBack", within=WITHIN)
    service.await_stable(1, within=WITHIN)
    eventually(lambda: not service.pods(2), within=WITHIN, what="its pods are gone")


_HELD = {"hold": "600s", "analysis": None}
_JUDGED = {"hold": "2s", "analysis": EASY}
STORIES: Mapping[str, Story] = {
    "launch": Story(_launch, new=True),
    "rollout": Story(_rollout),
    "rollback": Story(_rollback, _HELD),
    "deletion": Story(_deletion, _HELD, ends_with=404),
    "judged good": Story(_rollout, _JUDGED),
    "judged bad": Story(_refusal, _JUDGED, bad=True),
}


@dataclass(frozen=True)
class End:
    """What is there at the end, with the service's name left out: objects with replicas, pods, and each log."""

    objects: frozenset[str]
    pods: tuple[tuple[str, int], ...]
    logs: tuple[tuple[str, ...], ...]


def made_for(place: Place, name: str, story: Story) -> Service:
    """A service at the prefix of its name, that isn't applied yet."""
    return place.actor(
        name,
        rollout={"steps": [30], **story.rollout},
        expose=[{"host": place.edge.host, "prefix": f"/{name}"}],
        shutdown={"drain": "5s", "grace": "6s"},
    )


def end_of(service: Service) -> End:
    """How it is now."""
    found = service.kubectl.list(KINDS, f"seatrial.dev/service={service.name}")
    there = frozenset(
        f"{o['kind']} {o['metadata']['name'].replace(service.name, '')} {o['spec'].get('replicas', '')}".strip()
        if "spec" in o
        else f"{o['kind']} {o['metadata']['name'].replace(service.name, '')}"
        for o in found
    )
    ready = Counter(p["metadata"]["labels"]["seatrial.dev/revision"] for p in service.pods() if is_ready(p))
    revisions = sorted((o for o in found if o["kind"] == "Revision"), key=lambda o: o["spec"]["number"])
    logs = tuple(
        tuple(f"{e['phase']} {e['weight']}" for e in attempt["history"])
        for revision in revisions
        for attempt in revision["status"].get("attempts", [])
    )
    return End(there, tuple(sorted(ready.items())), logs)
