"""A ledger as a short text in the attempt's status, for the next process to go on from: nothing is counted twice.

It holds the tests and, with them, where the counters stood. What happens until the next process looks is one block.
The placebo isn't kept: it begins anew and finds again what is there.
"""

import base64
import binascii
import json
import zlib
from dataclasses import replace
from datetime import datetime
from typing import Any

from seatrial import stats
from seatrial.api.revision import Share
from seatrial.rollout.analysis import Case, Ledger, Seen, open_ledger
from seatrial.rollout.evidence import Tally
from seatrial.rollout.objectives import objectives

VERSION = 1


def dump(ledger: Ledger) -> str:
    """The text; a few kB, most of it for the callers' counters."""
    plans = {o.name: o.plan for o in objectives(ledger.case.analysis, http=ledger.case.http)}
    data = {
        "version": VERSION,
        "attempt": ledger.case.attempt,
        "policy": ledger.case.policy,
        "since": ledger.since,
        "restarts": ledger.restarts,
        "weight": ledger.weight,
        "requests": ledger.requests,
        "quiet": round(ledger.quiet, 1),
        "seen": {
            name: [stats.dump(plans[name], seen.state), *_numbers(seen.canary), *_numbers(seen.stable)]
            for name, seen in ledger.seen.items()
        },
        "callers": {name: _numbers(share) for name, share in ledger.callers.items()},
        "suspect": ledger.suspect,
        "counters": {
            caller: {str(revision): tally.parts for revision, tally in tallies.items()}
            for caller, tallies in ledger.counters.items()
        },
    }
    return base64.b85encode(zlib.compress(json.dumps(data, separators=(",", ":")).encode(), 9)).decode()


def load(case: Case, text: str, now: datetime) -> Ledger:
    """Go on from a text; where it is of another policy or version, or can't be read, begin anew and count that."""
    try:
        data = json.loads(zlib.decompress(base64.b85decode(text)))
    except (ValueError, zlib.error, binascii.Error):
        return open_ledger(case, now, restarts=1)
    if data.get("attempt") != case.attempt:
        return open_ledger(case, now)
    begun_anew = open_ledger(case, now, restarts=int(data.get("restarts", 0)) + 1)
    if (data.get("version"), data.get("policy")) != (VERSION, case.policy):
        return begun_anew
    try:
        return _read(begun_anew, data)
    except (KeyError, TypeError, ValueError):
        return begun_anew


def _read(empty: Ledger, data: dict[str, Any]) -> Ledger:
    plans = {o.name: o.plan for o in objectives(empty.case.analysis, http=empty.case.http)}
    seen = {}
    for name, plan in plans.items():
        state, canary, canary_bad, stable, stable_bad = data["seen"][name]
        seen[name] = Seen(
            stats.load(plan, state), Share(total=canary, bad=canary_bad), Share(total=stable, bad=stable_bad)
        )
    return replace(
        empty,
        since=data["since"],
        seen=seen,
        restarts=data["restarts"],
        weight=data["weight"],
        requests=data["requests"],
        quiet=data["quiet"],
        callers={name: Share(total=total, bad=bad) for name, (total, bad) in data["callers"].items()},
        suspect=tuple(data["suspect"]),
        counters={
            caller: {int(revision): Tally(*parts) for revision, parts in tallies.items()}
            for caller, tallies in data["counters"].items()
        },
    )


def _numbers(share: Share) -> tuple[int, int]:
    return share.total, share.bad
