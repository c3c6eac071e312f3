"""One active process: a Lease that is won, renewed, lost and given back.

Nobody compares wall clocks. A candidate calls a Lease expired when it has itself watched the record stand still for
its duration, over reads that succeeded: a time during which the API server was away counts for nobody. The holder stops
earlier than that by its own monotonic clock. `transitions` rises with every holder and is the fencing number of its
writes.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from seatrial.kube.client import Kube, Object
from seatrial.kube.errors import ApiFailure, Conflict
from seatrial.kube.kinds import LEASE

DURATION = 10.0
RENEW_EVERY = 2.0
RENEW_WITHIN = 8.0
LOOK_EVERY = 0.5  # also how late a candidate may learn when the silence began
CALL_TIMEOUT = 3.0


@dataclass(frozen=True)
class Record:
    """What the Lease says. `version` is the object's resourceVersion; nobody holds it where `holder` is empty."""

    holder: str
    transitions: int
    duration: float = DURATION
    version: str = ""


class Store(Protocol):
    """Where the record is kept."""

    async def read(self) -> Record | None:
        """The record, or None where there is none yet."""

    async def write(self, record: Record, *, over: Record | None) -> Record:
        """Replace `over` (None: create), or raise `Conflict` where somebody was faster."""


class Lost(Exception):  # noqa: N818 # it is what happened, and no mistake of anybody
    """The Lease isn't ours any more: nothing may be written from now on."""


class Candidate:
    """One process that wants the Lease. `patience` is the silence after which it takes it from a holder, in seconds.

    A Lease that was given back is free at once, except for a candidate that `waits` out its patience first. So is one
    whose holder's name begins with `heir_of`: that of a process which is surely dead, as the former one of our
    container. One with `leaves_for` doesn't give it back: nobody else gets it for so many seconds.
    """

    def __init__(  # noqa: PLR0913 # each is named at the call
        self,
        store: Store,
        identity: str,
        *,
        patience: float = DURATION,
        waits: bool = False,
        heir_of: str | None = None,
        leaves_for: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.identity = identity
        self.attempts = 0
        self._store = store
        self._patience = patience
        self._waits = waits
        self._heir_of = heir_of
        self._leaves_for = leaves_for
        self._clock = clock
        self._held: Record | None = None
        self._seen: Record | None = None
        self._seen_at: float | None = None
        self._renewed_at = 0.0

    @property
    def fencing(self) -> int:
        """Number of our term; only while we hold the Lease, and nobody else may have it yet."""
        if self._held is None:
            raise Lost("the Lease isn't held")
        if self._clock() - self._renewed_at >= DURATION:  # the process was stopped for a while, and woke up
            raise Lost(f"not renewed for {DURATION:g} s")
        return self._held.transitions

    async def acquire(self) -> int:
        """Wait until the Lease is ours; returns the fencing number."""
        while not await self._try():  # noqa: ASYNC110 # what is waited for happens in another process
            await asyncio.sleep(self._pause())
        return self.fencing

    async def silent(self) -> None:
        """Wait until nobody has touched the Lease for as long as our patience."""
        while self._seen_at is None or self._silence() < self._patience:
            try:
                self._observe(await self._store.read())
            except ApiFailure:
                self._seen_at = None
            await asyncio.sleep(self._pause())

    async def seize(self) -> int:
        """Take it from whoever has it, who then ends; returns the fencing number."""
        while True:
            started = self._clock()
            try:
                seen = await self._store.read()
                term = seen.transitions + 1 if seen else 1
                self._held = await self._store.write(Record(self.identity, term), over=seen)
            except ApiFailure:
                await asyncio.sleep(LOOK_EVERY)
            else:
                self._renewed_at = started
                return term

    async def keep(self) -> None:
        """Renew until it fails for too long or somebody else has it: then `Lost`. It never returns."""
        while True:
            left = self._renewed_at + RENEW_WITHIN - self._clock()
            if left <= 0:
                self._held = None
                raise Lost(f"not renewed for {RENEW_WITHIN:g} s")
            await asyncio.sleep(min(RENEW_EVERY, left))
            try:
                await self._renew()
            except Conflict as error:
                self._held = None
                raise Lost("somebody else took it") from error
            except ApiFailure:
                continue  # tried again until the time is over

    async def release(self) -> None:
        """Give it back, so that the next one need not wait. Nothing happens where it isn't ours, or can't be told."""
        held, self._held = self._held, None
        if held is None:
            return
        left = self._leaves_for
        record = Record("", held.transitions) if left is None else Record(self.identity, held.transitions, left)
        try:
            await self._store.write(record, over=held)
        except ApiFailure:
            return  # it expires by itself

    async def _try(self) -> bool:
        self.attempts += 1
        started = self._clock()
        try:
            seen = await self._store.read()
        except ApiFailure:
            self._seen_at = None  # silence counts over successful reads only
            return False
        self._observe(seen)
        if not self._free(seen):
            return False
        term = seen.transitions + 1 if seen else 1
        try:
            self._held = await self._store.write(Record(self.identity, term), over=seen)
        except ApiFailure:
            return False
        self._renewed_at = started
        return True

    def _observe(self, seen: Record | None) -> None:
        if self._seen_at is None or seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()

    def _silence(self) -> float:
        return 0.0 if self._seen_at is None else self._clock() - self._seen_at

    def _free(self, seen: Record | None) -> bool:
        if (seen is None or not seen.holder) and not self._waits:
            return True
        if seen and self._heir_of and seen.holder.startswith(self._heir_of):
            return True
        duration = seen.duration if seen and seen.holder else 0.0
        return self._silence() >= max(self._patience, duration)

    def _pause(self) -> float:
        return min(LOOK_EVERY, max(0.05, self._patience - self._silence()))

    async def _renew(self) -> None:
        if self._held is None:
            raise Lost("it was given back")
        started = self._clock()
        term = self._held.transitions
        try:
            self._held = await self._store.write(Record(self.identity, term), over=self._held)
        except Conflict:
            # Our own write may have got through without its answer: then the record is still ours.
            seen = await self._store.read()
            if seen is None or (seen.holder, seen.transitions) != (self.identity, term):
                raise
            self._held = seen
        self._renewed_at = started


class LeaseObject:
    """The record as a Lease of the cluster. `kube` should have `CALL_TIMEOUT`, and connections of its own."""

    def __init__(self, kube: Kube, namespace: str, name: str) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name

    async def read(self) -> Record | None:
        """The record, or None where there is no such object."""
        found = await self._kube.find(LEASE, self._name, self._namespace)
        return None if found is None else _record(found)

    async def write(self, record: Record, *, over: Record | None) -> Record:
        """Replace it where its resourceVersion is still that of `over`."""
        metadata: Object = {"name": self._name, "namespace": self._namespace}
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # for people: nothing here compares it
        spec: Object = {
            "holderIdentity": record.holder,
            "leaseDurationSeconds": int(record.duration),
            "leaseTransitions": record.transitions,
            "renewTime": now,
        }
        obj = {"apiVersion": LEASE.api_version, "kind": LEASE.name, "metadata": metadata, "spec": spec}
        if over is None:
            return _record(await self._kube.create(obj))
        metadata["resourceVersion"] = over.version
        return _record(await self._kube.replace(obj))


def _record(obj: Object) -> Record:
    spec = obj.get("spec") or {}
    return Record(
        holder=spec.get("holderIdentity") or "",
        transitions=spec.get("leaseTransitions") or 0,
        duration=float(spec.get("leaseDurationSeconds") or DURATION),
        version=obj["metadata"].get("resourceVersion", ""),
    )
