"""A rollout as lines, each said once: for `watch` where nobody looks at a screen, and for the log of a pipeline."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from seatrial.api.revision import Attempt, Revision
from seatrial.cli import phrases
from seatrial.cli.seen import Seen
from seatrial.rollout.verbs import verb_of


@dataclass(frozen=True)
class Told:
    """A line, the moment that it belongs to, and what makes it another one than those before."""

    at: str
    what: str
    line: str


@dataclass
class Teller:
    """Remembers what it said. The first time it says where things stand, from then on what changed."""

    _said: set[str] = field(default_factory=set)
    _begun: bool = False

    def lines(self, there: Seen) -> list[str]:
        """What is new."""
        new = [told for told in _all(there) if told.what not in self._said]
        self._said.update(told.what for told in new)
        if self._begun:
            return [told.line for told in new]
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


def _all(there: Seen) -> Iterator[Told]:
    """All that could be said of the present state, oldest first."""
    told = [line for tried in there.attempts for line in _of_attempt(tried.revision, tried.attempt)]
    told += [line for revision in there.revisions for line in _answers(revision)]
    yield from sorted(told, key=lambda t: t.at)
    for condition in there.status.conditions:
        if condition.type in {"Accepted", "ResolvedRefs", "Ready"} and condition.status == "False":
            said = f"{there.name}: {condition.reason}: {condition.message}"
            yield Told("", said, said)


def _of_attempt(revision: Revision, attempt: Attempt) -> Iterator[Told]:
    name = revision.metadata.name
    for entry, reason in phrases.reasons(attempt):
        yield _line(entry.at, f"{name} {entry.weight:>3} % {entry.phase.value}: {reason}")
    weight = attempt.weight
    if attempt.phase.active and attempt.verified_since and weight.verified:
        yield _line(attempt.verified_since, f"{name} {weight.verified:>3} % carried by the proxies")
    known = attempt.evidence
    if attempt.phase.active and known is not None and known.at and not _decided_by(attempt, known.reason):
        verdict = f"{known.verdict}: {known.reason}"
        line = _line(known.at, f"{name} {weight.wanted:>3} % {verdict}")
        yield replace(line, what=f"{attempt.number} {verdict}")  # the same verdict a moment later is no news


def _decided_by(attempt: Attempt, reason: str) -> bool:
    """Whether a line of the log says it already."""
    return any(reason in entry.reason for entry in attempt.history)


def _answers(revision: Revision) -> Iterator[Told]:
    answer = revision.status.answer
    if answer is not None:
        verb, did = verb_of(answer.asked), "" if answer.done else " refused"
        yield _line(answer.at, f"{revision.metadata.name} {verb}{did}: {answer.message}")


def _line(at: str, said: str) -> Told:
    line = f"{phrases.clock(at)} {said}"
    return Told(at, line, line)
