"""Stamps of a clock that is ahead of ours: another node wrote them, or this one's clock was put back.

How long ago that was, nobody can say. Each then counts as of now, so that a hold, a deadline or a drain lasts its time
anew, and not until our clock is where the other one was.
"""

from datetime import datetime

from seatrial.api.revision import Attempt, Evidence, RevisionStatus
from seatrial.rollout.world import moment, stamp


def not_ahead(status: RevisionStatus, now: datetime) -> RevisionStatus:
    """The same status without a time to come in what is still counted from."""
    attempts = status.attempts
    if attempts and attempts[-1].phase.active:
        attempts = [*attempts[:-1], _attempt(attempts[-1], now)]
    return status.model_copy(
        update={"attempts": attempts, "draining_since": _by_now(status.draining_since, now)},
    )


def _attempt(attempt: Attempt, now: datetime) -> Attempt:
    return attempt.model_copy(
        update={
            "started_at": _by_now(attempt.started_at, now),
            "weight_since": _by_now(attempt.weight_since, now),
            "verified_since": _by_now(attempt.verified_since, now),
            "evidence": _evidence(attempt.evidence, now),
        }
    )


def _evidence(evidence: Evidence | None, now: datetime) -> Evidence | None:
    return evidence and evidence.model_copy(update={"at": _by_now(evidence.at, now)})


def _by_now(stamped: str | None, now: datetime) -> str | None:
    return stamp(now) if stamped and moment(stamped) > now else stamped
