"""How an attempt is told: each change of phase or weight is one entry of its history and one Event, never one alone."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from seatrial.api.meshservice import Weight
from seatrial.api.revision import Answer, Attempt, Cause, Entry, Evidence, Phase, RevisionStatus
from seatrial.rollout.world import Event, moment, stamp

ENTRIES_KEPT = 50
ATTEMPTS_KEPT = 5
EVIDENCE_EVERY = timedelta(seconds=5)  # between two writes of what is still the same verdict

_REASONS = {
    Phase.QUEUED: "RolloutQueued",
    Phase.STARTING: "RolloutStarted",
    Phase.SHIFTING: "WeightShifted",
    Phase.PAUSED: "RolloutPaused",
    Phase.PROMOTING: "Promoting",
    Phase.SUCCEEDED: "RolloutSucceeded",
    Phase.ROLLING_BACK: "RollingBack",
    Phase.ROLLED_BACK: "RolledBack",
    Phase.FAILED: "RolloutFailed",
    Phase.ABORTED: "RolloutAborted",
    Phase.SUPERSEDED: "RolloutSuperseded",
}
_WARNINGS = frozenset({Phase.ROLLING_BACK, Phase.ROLLED_BACK, Phase.FAILED, Phase.ABORTED})


@dataclass
class Story:
    """Collects what a decision changes in the statuses of the revisions, and the Events that tell it."""

    now: datetime
    statuses: dict[int, RevisionStatus]
    events: list[Event] = field(default_factory=list)

    def attempt(self, revision: int) -> Attempt | None:
        """The newest attempt of a revision, with what this decision changed so far."""
        return self.statuses[revision].attempt if revision in self.statuses else None

    def newest(self) -> Attempt | None:
        """The attempt that began last, of whatever revision."""
        return max((a for s in self.statuses.values() for a in s.attempts), key=lambda a: a.number, default=None)

    def begin(self, revision: int, reason: str, *, cause: Cause, template: int | None) -> None:
        """Append a new attempt; its number is the highest of all revisions plus one, so that order needs no clock.

        `template` is the revision that the spec asks for.
        """
        newest = self.newest()
        number = 1 + (newest.number if newest is not None else 0)
        at = stamp(self.now)
        attempt = Attempt(number=number, phase=Phase.STARTING, started_at=at, cause=cause, template=template)
        status = self.statuses[revision]
        self.statuses[revision] = status.model_copy(update={"attempts": [*status.attempts, attempt]})
        self._tell(revision, attempt, reason)

    def move(self, revision: int, phase: Phase, weight: int, reason: str, *, outcome: Phase | None = None) -> None:
        """Change phase or wanted weight of the newest attempt."""
        attempt = self._newest(revision)
        at = stamp(self.now)
        update: dict[str, object] = {"phase": phase, "outcome": outcome}
        if weight != attempt.weight.wanted:
            update |= {
                "weight": Weight(wanted=weight, verified=attempt.weight.verified),
                "weight_since": at,
                "verified_since": None,
            }
        if attempt.phase is Phase.PAUSED and phase is Phase.SHIFTING:
            update["verified_since"] = None  # the step has its time again
        if not phase.active:
            update |= {"ended_at": at, "decision": reason, "outcome": None, "held": False}
            update["evidence"] = _ended(attempt.evidence)
        self._tell(revision, attempt.model_copy(update=update), reason)

    def verify(self, revision: int) -> None:
        """Note that the proxies carry the wanted weight: from now on the step's hold counts."""
        attempt = self._newest(revision)
        if attempt.verified_since is None or attempt.weight.verified != attempt.weight.wanted:
            wanted = attempt.weight.wanted
            self._replace(
                revision,
                attempt.model_copy(
                    update={"weight": Weight(wanted=wanted, verified=wanted), "verified_since": stamp(self.now)}
                ),
            )

    def hold(self, revision: int, *, held: bool) -> None:
        """Keep the newest attempt where it is until somebody says more, or let it go on."""
        self._replace(revision, self._newest(revision).model_copy(update={"held": held}))

    def promote(self, revision: int) -> None:
        """Let the newest attempt go on without more evidence."""
        self._replace(revision, self._newest(revision).model_copy(update={"held": False, "promoted": True}))

    def weigh(self, revision: int, evidence: Evidence) -> None:
        """Note what the attempt is judged by: with whatever else is told now, at another verdict, else now and then."""
        attempt = self._newest(revision)
        before = attempt.evidence
        if before and evidence.restarts > before.restarts:
            self.say(revision, "EvidenceRestarted", "the policy changed: evidence is counted anew")
        told = any(event.revision == revision for event in self.events)
        if before and before.verdict == evidence.verdict and not told and self._is_fresh(before):
            return
        kept = evidence if attempt.phase.active else _ended(evidence)
        self._replace(revision, attempt.model_copy(update={"evidence": kept}))

    def _is_fresh(self, evidence: Evidence) -> bool:
        return bool(evidence.at) and self.now - moment(evidence.at) < EVIDENCE_EVERY

    def answer(self, revision: int, asked: str, message: str, *, done: bool) -> None:
        """Answer a verb."""
        answer = Answer(asked=asked, at=stamp(self.now), done=done, message=message, open=True)
        self._answered(revision, answer)
        reason = "VerbDone" if done else "VerbRefused"
        self.say(revision, reason, f"{asked.partition('/')[0]}: {message}", warning=not done)

    def close_answer(self, revision: int) -> None:
        """Note that the annotation of the verb that was answered is gone."""
        answer = self.statuses[revision].answer
        if answer is not None and answer.open:
            self._answered(revision, answer.model_copy(update={"open": False}))

    def _answered(self, revision: int, answer: Answer) -> None:
        self.statuses[revision] = self.statuses[revision].model_copy(update={"answer": answer})

    def drain(self, revision: int, *, leaves: bool, idle: bool) -> None:
        """Start the clock of a revision that leaves and is seen to be sent nothing any more, or clear it.

        It runs on while the proxies carry something else: nothing that they are told routes there.
        """
        status = self.statuses[revision]
        if leaves and idle and status.draining_since is None:
            self.statuses[revision] = status.model_copy(update={"draining_since": stamp(self.now)})
        elif not leaves and status.draining_since is not None:
            self.statuses[revision] = status.model_copy(update={"draining_since": None})

    def say(self, revision: int | None, reason: str, message: str, *, warning: bool = False) -> None:
        """An Event beside the history."""
        self.events.append(Event(reason, message, warning=warning, revision=revision))

    def _newest(self, revision: int) -> Attempt:
        attempt = self.attempt(revision)
        if attempt is None:
            raise ValueError(f"revision {revision} has no attempt to change")
        return attempt

    def _tell(self, revision: int, attempt: Attempt, reason: str) -> None:
        entry = Entry(at=stamp(self.now), phase=attempt.phase, weight=attempt.weight.wanted, reason=reason)
        history = [*attempt.history, entry][-ENTRIES_KEPT:]
        self._replace(revision, attempt.model_copy(update={"history": history}))
        self.say(revision, _REASONS[attempt.phase], reason, warning=attempt.phase in _WARNINGS)

    def _replace(self, revision: int, attempt: Attempt) -> None:
        status = self.statuses[revision]
        self.statuses[revision] = status.model_copy(update={"attempts": _bounded([*status.attempts[:-1], attempt])})


def _ended(evidence: Evidence | None) -> Evidence | None:
    """Nobody goes on from it."""
    return evidence.model_copy(update={"checkpoint": ""}) if evidence is not None else None


def _bounded(attempts: list[Attempt]) -> list[Attempt]:
    """The newest attempts; the last one that succeeded stays, since it says which revision is stable."""
    kept = attempts[-ATTEMPTS_KEPT:]
    succeeded = [a for a in attempts if a.phase is Phase.SUCCEEDED]
    return kept if not succeeded or succeeded[-1] in kept else [succeeded[-1], *kept]
