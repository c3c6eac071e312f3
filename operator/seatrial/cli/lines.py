"""A rollout as lines, each said once: for `watch` where nobody looks at a screen, and for the log of a pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from seatrial.api.revision import Attempt, Revision
from seatrial.cli import phrases
from seatrial.cli.seen import Seen


@dataclass
class Teller:
    """Remembers what it said. The first time it says where things stand, from then on what changed."""

    _said: set[str] = field(default_factory=set)
    _begun: bool = False

    def lines(self, there: Seen) -> list[str]:
        """What is new."""
        new = [line for line in dict.fromkeys(_all(there)) if line not in self._said]
        self._said.update(new)
        if self._begun:
            return new
        self._begun = True
        return [standing(there)]


def standing(there: Seen) -> str:
    """One line for one service."""
    status, active = there.status, there.active
    stable = f"stable revision {status.stable_revision}" if status.stable_revision is not None else "nothing stable yet"
    if active is None:
        return f"{there.name}: {status.phase or 'Unseen'}, {stable}"
    weight = active.attempt.weight
    return f"{there.name}: revision {active.number} {active.attempt.phase.value} at {weight.wanted} %, {stable}"


def _all(there: Seen) -> Iterator[str]:
    """All that could be said of the present state, oldest first."""
    told: list[tuple[str, str]] = []
    for tried in there.attempts:
        told += _of_attempt(tried.revision, tried.attempt)
    told += [line for revision in there.revisions for line in _answers(revision)]
    yield from (line for _, line in sorted(told, key=lambda t: t[0]))
    for condition in there.status.conditions:
        if condition.type in {"Accepted", "ResolvedRefs", "Ready"} and condition.status == "False":
            yield f"{there.name}: {condition.reason}: {condition.message}"


def _of_attempt(revision: Revision, attempt: Attempt) -> Iterator[tuple[str, str]]:
    name = revision.metadata.name
    for entry, reason in phrases.reasons(attempt):
        yield entry.at, f"{phrases.clock(entry.at)} {name} {entry.weight:>3} % {entry.phase.value}: {reason}"
    weight = attempt.weight
    if attempt.phase.active and attempt.verified_since and weight.verified:
        at = attempt.verified_since
        yield at, f"{phrases.clock(at)} {name} {weight.verified:>3} % carried by the proxies"
    known = attempt.evidence
    if attempt.phase.active and known is not None and known.at and not _decided_by(attempt, known.reason):
        yield known.at, f"{phrases.clock(known.at)} {name} {weight.wanted:>3} % {known.verdict}: {known.reason}"


def _decided_by(attempt: Attempt, reason: str) -> bool:
    """Whether a line of the log says it already."""
    return any(reason in entry.reason for entry in attempt.history)


def _answers(revision: Revision) -> Iterator[tuple[str, str]]:
    answer = revision.status.answer
    if answer is not None:
        verb, did = answer.asked.partition("/")[0], "" if answer.done else " refused"
        yield answer.at, f"{phrases.clock(answer.at)} {revision.metadata.name} {verb}{did}: {answer.message}"
