"""One story told twice by an operator of this machine: undisturbed, and under a rule that strikes it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from loadtests import Recording
from support.apart import Apart
from support.midway import Midway, Rule
from support.operators import JANITOR, OPERATOR, Operators
from support.place import Place
from support.stories import STORIES, End, begin, end_of
from support.traffic import story as told_of


@dataclass
class Stage:
    """Where stories are told. No operator of the cluster looks on."""

    place: Place
    midway: Midway
    apart: Apart

    def tell(self, name: str, title: str, rule: Callable[[Apart], Rule] | None = None) -> End:
        """Tell a story of a service that is called `name`, under load; returns how it ended, with nobody harmed."""
        story = STORIES[title]
        service = begin(self.place, name, story)
        self.midway.seen.clear()
        passes = self.midway.rule
        with self.place.load(rate=20, path=f"/{name}/identity") as load:
            if rule is not None:
                self.midway.rule = rule(self.apart)
            try:
                story.told(service)
            finally:
                self.midway.rule = passes
            seen = load.until(lambda s: _ended(s, story.ends_with), within=60)
        _nobody_harmed(seen, story.ends_with)
        return end_of(service)


def _ended(seen: Recording, status: int) -> bool:
    return seen.total >= 40 and all(r.status == status for r in seen.requests[-20:])


def _nobody_harmed(seen: Recording, last: int) -> None:
    """Every request was answered: by the service, and after its deletion by the edge."""
    assert {r.status for r in seen.requests} <= {200, last}, told_of(seen)
    assert not seen.lost, told_of(seen)


@contextmanager
def stage(place: Place, operators: Operators) -> Iterator[Stage]:
    """With an operator of this machine instead of the cluster's own."""
    with (
        operators.gone(OPERATOR, JANITOR),
        Midway(place.namespace) as midway,
        Apart(midway, place.folder, place.kubectl) as apart,
    ):
        yield Stage(place, midway, apart)
