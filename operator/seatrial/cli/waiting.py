"""How `seatrial wait` ends: the attempt that is waited for, and what its state means to a pipeline.

It waits for the template that is applied now, also where the operator hasn't seen it yet: generations tell that, and
the template itself, which must be that of the revision that the operator aims at.
"""

from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any

from seatrial.api.revision import Phase, Revision, Template
from seatrial.cli.ahead import ahead
from seatrial.cli.seen import Seen, Tried


class Code(IntEnum):
    """Exit codes."""

    SUCCEEDED = 0
    ENDED = 1
    HELD = 2
    TIMEOUT = 3
    SUPERSEDED = 4


@dataclass(frozen=True)
class Goal:
    """What is waited for: a revision by its number, or while that isn't known the template of a generation."""

    revision: int | None
    generation: int = 0
    template: Template | None = None
    named: bool = False


@dataclass(frozen=True)
class Result:
    """How it ended, in a sentence."""

    code: Code
    message: str
    revision: int | None = None

    def data(self) -> dict[str, Any]:
        """For ``--output``."""
        return {"result": self.code.name.title(), "code": int(self.code)} | {
            "revision": self.revision,
            "message": self.message,
        }


def goal(there: Seen, revision: int | None) -> Goal:
    """What to wait for, as the service is when the waiting begins."""
    if revision is not None:
        return Goal(revision, named=True)
    return Goal(None, there.metadata.generation, there.template)


def narrowed(aim: Goal, there: Seen) -> Goal:
    """The same with the number of its revision, where the operator has one for it by now."""
    target = there.revision(there.status.target_revision)
    if aim.revision is not None or target is None or there.status.observed_generation < aim.generation:
        return aim
    if aim.template is not None and not _alike(target, aim.template):
        return aim
    return replace(aim, revision=target.spec.number)


def _alike(revision: Revision, template: Template) -> bool:
    return revision.spec.template.model_dump(exclude_defaults=True) == template.model_dump(exclude_defaults=True)


def result(aim: Goal, there: Seen) -> Result | None:
    """How it ended; None while it goes on."""
    if aim.revision is None:
        return _unseen(aim, there)
    tried = next((t for t in reversed(there.attempts) if t.number == aim.revision), None)
    active = there.active
    if tried is None or (active is not None and active.attempt.number > tried.attempt.number):
        return _not_begun(aim, there, tried)
    if tried.attempt.phase.active:
        return _held(there, tried)
    return _ended(aim, there, tried)


def _unseen(aim: Goal, there: Seen) -> Result | None:
    """While no revision has the template: it may be refused, or changed again."""
    accepted = next((c for c in there.status.conditions if c.type == "Accepted"), None)
    if accepted and accepted.status == "False" and accepted.observed_generation >= aim.generation:
        return Result(Code.ENDED, f"not accepted: {accepted.message}")
    if there.metadata.generation > aim.generation and there.template != aim.template:
        return Result(Code.SUPERSEDED, "the template changed again before a revision of it began")
    return None


def _not_begun(aim: Goal, there: Seen, tried: Tried | None) -> Result | None:
    """No attempt of it yet, or another one has begun since."""
    target, active = there.status.target_revision, there.active
    if tried is not None and aim.named:
        return _ended(aim, there, tried)
    if active is not None and active.attempt.cause != "Template" and active.number != aim.revision:
        verb = active.attempt.cause.lower()
        return Result(Code.ENDED, f"a {verb} gives the traffic to revision {active.number}", aim.revision)
    if target != aim.revision and not aim.named:
        return Result(Code.SUPERSEDED, f"revision {target} is asked for now", aim.revision)
    return None


def _held(there: Seen, tried: Tried) -> Result | None:
    attempt = tried.attempt
    holdable = attempt.phase in {Phase.STARTING, Phase.SHIFTING, Phase.PAUSED}
    if holdable and (there.paused or attempt.held):
        reason = attempt.history[-1].reason if attempt.phase is Phase.PAUSED and attempt.history else ""
        by = reason or f"held at {attempt.weight.wanted} % by {'spec.paused' if there.paused else 'a verb'}"
        return Result(Code.HELD, by, tried.number)
    return None


def _ended(aim: Goal, there: Seen, tried: Tried) -> Result:
    attempt, number = tried.attempt, tried.number
    if attempt.phase is Phase.SUPERSEDED:
        return Result(Code.SUPERSEDED, attempt.decision, number)
    if attempt.phase is not Phase.SUCCEEDED:
        stutters = attempt.decision.lower().startswith(attempt.phase.value.lower())
        message = attempt.decision if stutters else f"{attempt.phase.value}: {attempt.decision}"
        return Result(Code.ENDED, message, number)
    if there.proven != number and not aim.named:
        return Result(Code.ENDED, f"revision {there.proven} is stable in place of it", number)
    return Result(Code.SUCCEEDED, attempt.decision or f"revision {number} is stable", number)


def pending(aim: Goal, there: Seen) -> str:
    """What it still waits for, when the time is over."""
    if aim.revision is None:
        hindered = next((c for c in there.status.conditions if c.type == "ResolvedRefs" and c.status == "False"), None)
        return hindered.message if hindered else "the operator made no revision of the template yet; is it running?"
    active = there.active
    if active is None:
        return f"revision {aim.revision} has not begun"
    state = f"revision {active.number} is {active.attempt.phase.value} at {active.attempt.weight.verified} %"
    coming = ahead(there)
    return f"{state}; next: {coming}" if coming else state
