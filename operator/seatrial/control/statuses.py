"""Writes what was decided and found into statuses and Events, each only when it changed."""

import asyncio
import logging
import time
from collections.abc import Callable
from datetime import datetime

from seatrial.api.base import API_VERSION
from seatrial.api.conditions import Condition, merge
from seatrial.api.meshservice import MeshServiceStatus
from seatrial.control.cache import Object
from seatrial.control.keys import ServiceKey
from seatrial.control.observe import Sight
from seatrial.control.pace import APART, Pace
from seatrial.control.writer import Writer
from seatrial.kube import events
from seatrial.kube.client import Kube
from seatrial.kube.errors import ApiFailure, Terminating
from seatrial.kube.events import About
from seatrial.rollout.report import report
from seatrial.rollout.world import Decision, Event, stamp

log = logging.getLogger(__name__)

_SAID_WHEN_FALSE = ("Accepted", "ResolvedRefs")


class Teller:
    """`instance` names this process in Events; `now` is the wall clock, `clock` a monotonic one.

    `apart` gives the seconds between two writes of a status where what changed is only read.
    """

    def __init__(  # noqa: PLR0913 # each is needed and named
        self,
        kube: Kube,
        writer: Writer,
        *,
        instance: str,
        now: Callable[[], datetime],
        clock: Callable[[], float] = time.monotonic,
        apart: Callable[[], float] = lambda: APART,
    ) -> None:
        self._kube = kube
        self._writer = writer
        self._instance = instance
        self._now = now
        self._clock = clock
        self._pace = Pace(apart)

    async def revisions(self, key: ServiceKey, sight: Sight, decision: Decision) -> float | None:
        """The statuses of the Revisions, then the Events that tell the same.

        Returns the seconds until what wasn't written yet is due; None where all is.
        """
        raws = sight.revisions
        told = {event.revision for event in decision.events}
        waits = [
            await self._write(key, raws[number], status.dump(), at_once=number in told)
            for number, status in sorted(decision.statuses.items())
            if number in raws and number not in decision.forget
        ]
        about = [(raws.get(e.revision) if e.revision is not None else None, e) for e in decision.events]
        await asyncio.gather(*(self._say(raw or sight.raw, event) for raw, event in about))
        return min((wait for wait in waits if wait is not None), default=None)

    async def report(self, key: ServiceKey, sight: Sight, decision: Decision) -> float | None:
        """The MeshService's status; returns as `revisions` does."""
        return await self._tell(key, sight.raw, report(sight.world, decision, sight.findings))

    async def refuse(self, key: ServiceKey, raw: Object, why: tuple[str, ...], reason: str) -> float | None:
        """The status of a MeshService that nothing is done for: what served goes on serving. Returns as `revisions`."""
        before = MeshServiceStatus.parse(raw.get("status") or {})
        generation = raw["metadata"].get("generation", 0)
        accepted = Condition(
            type="Accepted", status="False", reason=reason, message="; ".join(why), observed_generation=generation
        )
        others = [c for c in before.conditions if c.type != "Accepted"]
        if not any(c.type == "Ready" for c in others):
            others.append(
                Condition(
                    type="Ready",
                    status="False",
                    reason="NotAccepted",
                    message="nothing was deployed yet",
                    observed_generation=generation,
                )
            )
        status = before.model_copy(
            update={
                "observed_generation": generation,
                "phase": before.phase if before.stable_revision is not None else "NotAccepted",
                "conditions": merge(before.conditions, [accepted, *others], stamp(self._now())),
            }
        )
        return await self._tell(key, raw, status)

    async def _write(self, key: ServiceKey, raw: Object, status: Object, *, at_once: bool = False) -> float | None:
        """Write it where it changed and may be written; returns the seconds until it may."""
        before, uid = raw.get("status") or {}, raw["metadata"]["uid"]
        if status == before:
            return None
        if not at_once and (wait := self._pace.wait(uid, before, status, self._clock())):
            return wait
        await self._writer.status(key, raw, status)
        self._pace.wrote(uid, self._clock())
        return None

    async def _tell(self, key: ServiceKey, raw: Object, status: MeshServiceStatus) -> float | None:
        before = raw.get("status") or {}
        if (wait := await self._write(key, raw, status.dump())) is not None:
            return wait
        was = {c["type"]: c for c in before.get("conditions") or ()}
        for condition in status.conditions:
            if condition.type in _SAID_WHEN_FALSE and condition.status == "False":
                known = was.get(condition.type) or {}
                if (known.get("status"), known.get("message")) != ("False", condition.message):
                    await self._say(raw, Event(condition.reason, condition.message, warning=True))
        return None

    async def _say(self, raw: Object, event: Event) -> None:
        """An Event that can't be written is no reason to stop."""
        meta = raw["metadata"]
        about = About(API_VERSION, raw["kind"], meta["namespace"], meta["name"], meta["uid"])
        try:
            await events.post(
                self._kube,
                about,
                event.reason,
                event.message,
                warning=event.warning,
                now=self._now(),
                instance=self._instance,
            )
        except Terminating:
            return  # nobody will read it
        except ApiFailure as error:
            log.warning("no Event for %s %s: %s", raw["kind"], meta["name"], error.message)
