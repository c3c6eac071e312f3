"""The operator dies before any one write of a rollout, and the next one ends where it would have ended.

Every look of a story and every write of a look is tried once. What the callers send in the meantime is checked by the
sea: nobody is sent to what can't answer.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest

from seatrial.api.revision import Phase
from support.sea import Sea, a_service

LOOKS = 60


@dataclass(frozen=True)
class Story:
    """A change, and what comes of it at which look."""

    rollout: dict[str, Any]
    events: dict[int, Callable[[Sea], object]]


def sees(finding: Any, allowed: int = 0) -> Callable[[Sea], object]:
    return lambda sea: sea.sees(finding, allowed=allowed)


def asks(verb: str, revision: int = 2) -> Callable[[Sea], object]:
    return lambda sea: sea.ask(revision, verb) if revision in sea.revisions else None


STORIES = {
    "a good revision": Story({"analysis": {}}, {0: sees("Better", 100)}),
    "a bad revision": Story({"analysis": {}}, {0: sees("Wait"), 12: sees("Worse")}),
    "by time alone": Story({}, {}),
    "blue green": Story({"strategy": "blueGreen", "analysis": {}}, {0: sees("Better", 100)}),
    "a bad blue green": Story({"strategy": "blueGreen", "analysis": {}}, {0: sees("Wait"), 12: sees("Worse")}),
    "a mirror": Story({"strategy": "mirror", "analysis": {}}, {0: sees("Wait"), 12: sees("Better", 100)}),
    "users who stay": Story({"analysis": {}, "affinity": {}}, {0: sees("Better", 100)}),
    "an abort": Story({"analysis": {}}, {0: sees("Wait"), 12: asks("abort/1")}),
    "a promotion by hand": Story({"analysis": {}}, {0: sees("Wait"), 12: asks("promote/1")}),
    "a third revision": Story(
        {"analysis": {}}, {0: sees("Wait"), 12: lambda sea: sea.change("three"), 20: sees("Better", 100)}
    ),
    "a change back": Story({"analysis": {}}, {0: sees("Wait"), 12: lambda sea: sea.change("one")}),
}


def sail(story: Story, *, look: int = -1, write: int = 0) -> Sea:
    """Tell the story; the operator dies at one look, before one of its writes."""
    sea = Sea(a_service(rollout={"steps": [10, 50], "hold": "2s"} | story.rollout)).sail()
    sea.change("two")
    for number in range(LOOKS):
        if number in story.events:
            story.events[number](sea)
        sea.look(die_after=write if number == look else None)
    return sea


def end(sea: Sea) -> tuple[object, ...]:
    """How it ended: what is routed, who has pods, and how each attempt was decided."""
    attempts = [(n, [a.phase for a in r.status.attempts]) for n, r in sorted(sea.revisions.items())]
    answers = [r.status.answer.done for r in sea.revisions.values() if r.status.answer]
    return dict(sea.routing.weights), sea.routing.subsets, dict(sea.pods), attempts, answers


@pytest.mark.parametrize("name", STORIES)
def test_wherever_the_operator_dies_the_story_ends_the_same(name: str) -> None:
    story = STORIES[name]
    whole = sail(story)
    assert not whole.faults
    assert not any(r.status.attempt and r.status.attempt.phase.active for r in whole.revisions.values())
    for look in range(40):
        for write in count():
            killed = sail(story, look=look, write=write)
            assert end(killed) == end(whole), f"killed at look {look} before write {write}"
            assert not killed.faults, f"killed at look {look} before write {write}: {killed.faults}"
            if not killed.died:
                break


def test_the_stories_end_as_their_names_say() -> None:
    ends = {name: sail(story).phase(2) for name, story in STORIES.items()}
    succeeded = {name for name, phase in ends.items() if phase is Phase.SUCCEEDED}
    assert succeeded == {
        "a good revision",
        "by time alone",
        "blue green",
        "a mirror",
        "users who stay",
        "a promotion by hand",
    }
