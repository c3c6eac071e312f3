"""One story told twice by an operator of this machine: undisturbed, and under a rule that strikes it.

Each time nobody may be harmed but by a revision that is meant to be bad, and no request may be counted twice.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from typing import Protocol

from loadtests import Recording
from support.apart import Apart, Kills, istiods_port
from support.midway import Fate, Midway, Rule, Write
from support.place import Place
from support.services import counted
from support.stories import STORIES, End, Story, end_of, made_for
from support.traffic import story as told_of

ONLY = os.environ.get("STRIKE", "")  # a pattern in the names of writes, for some of the crash points
LEAST = 1 if ONLY else 8  # writes that any story has
CONFLICT = 409  # no answer to a read
FAULTS = {CONFLICT: 0.04, 429: 0.04, 500: 0.04}
LATE, HOW_LATE = 0.1, 1.5  # share of requests, and seconds
WATCHED_FOR = 7.0


@dataclass
class Stage:
    """Where stories are told."""

    place: Place
    midway: Midway
    apart: Apart

    def tell(self, name: str, title: str, rule: Callable[[Apart], Rule] | None = None) -> End:
        """Tell a story of a service that is called `name`, under load; returns how it ended."""
        story = STORIES[title]
        service = made_for(self.place, name, story)
        if story.new:
            with struck(self.midway, self.apart, rule):
                story.told(service)
        else:
            service.apply()
            service.await_stable(1)
        with self.place.load(rate=20, path=f"/{name}/identity") as load:
            if not story.new:
                with struck(self.midway, self.apart, rule):
                    story.told(service)
            seen = load.until(lambda s: _ended(s, story.ends_with), within=60)
        _nobody_harmed(seen, service.name, story)
        answers, revision = seen.split(name).counts.get(2, 0), service.kubectl.get("rev", f"{name}-2")
        assert revision is None or counted(revision) <= answers, f"revision 2 answered {answers} requests"
        return end_of(service)


class Scene(Protocol):
    """Where stories can be told."""

    @property
    def apart(self) -> Apart:
        """The operator."""
        ...

    def tell(self, name: str, title: str, rule: Callable[[Apart], Rule] | None = None) -> End:
        """Tell one, and say how it ended."""
        ...


class Calm:
    """How each story ends undisturbed; told once, when somebody asks."""

    def __init__(self) -> None:
        self._ends: dict[str, End] = {}

    def end(self, scene: Scene, title: str) -> End:
        """That of a title."""
        if title not in self._ends:
            self._ends[title] = scene.tell("calm", title)
        return self._ends[title]


def ends_alike_wherever_it_dies(scene: Scene, title: str, end: End) -> str:
    """Tell a story whose operator dies before and after each distinct write, which must end so; returns the figures."""
    rules: list[Kills] = []

    def kills(apart: Apart) -> Rule:
        rules.append(Kills(apart, ONLY))
        return rules[0]

    before = scene.apart.deaths
    told = scene.tell("struck", title, kills)
    tried = rules[0].tries
    assert told == end
    assert len(tried) >= LEAST, f"only {[str(w) for w in tried]}: nothing is proven"
    return f"{title}: {len(tried)} distinct writes, {scene.apart.deaths - before} deaths"


def troubles(seed: str) -> Rule:
    """An API server that is slow, refuses, fails, and ends its watches, each by chance."""
    random = Random(seed)  # noqa: S311 - troubles must repeat, not be secret

    def trouble(write: Write | None) -> Fate:
        late = HOW_LATE if random.random() < LATE else 0.0
        drawn = random.random()
        for code, share in FAULTS.items():
            drawn -= share
            if drawn < 0 and (write is not None or code != CONFLICT):
                return Fate(code=code, late=late)
        return Fate(late=late, watched_for=WATCHED_FOR)

    return trouble


@contextmanager
def struck(midway: Midway, apart: Apart, rule: Callable[[Apart], Rule] | None) -> Iterator[None]:
    """Under a rule while the block lasts."""
    passes = midway.rule
    if rule is not None:
        midway.rule = rule(apart)
    try:
        yield
    finally:
        midway.rule = passes


def _ended(seen: Recording, status: int) -> bool:
    return seen.total >= 40 and all(r.status == status for r in seen.requests[-20:])


def _nobody_harmed(seen: Recording, name: str, story: Story) -> None:
    """Every request was answered: by the service, and after its deletion by the edge."""
    harmed = [r for r in seen.requests if r.lost or r.status not in {200, story.ends_with}]
    by_whom = {r.revision_of(name) for r in harmed}
    assert by_whom <= ({2} if story.bad else set()), told_of(seen)


@contextmanager
def stage(place: Place) -> Iterator[Stage]:
    """With an operator of this machine, where the cluster has none of its own."""
    with (
        Midway(place.namespace) as midway,
        istiods_port(place.kubectl, place.folder) as istiod,
        Apart(midway, place.folder, istiod) as apart,
    ):
        yield Stage(place, midway, apart)
