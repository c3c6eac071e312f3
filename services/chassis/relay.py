"""The outbox' other end: publishes what was committed, and forgets it once the broker keeps it.

Any number of processes may do so at once. A pass takes whole aggregates: it locks the oldest event of each, skipping
what another process has locked, and may then publish those behind it too, for none of them becomes the oldest before
this transaction ends. Within an aggregate one event waits until the broker keeps the one before; aggregates
don't wait for one another. A process that dies frees its locks, and what it had published but not forgotten is
published again under the same id.

A commit of this process starts a pass at once. What others left is found by looking, once a second: NOTIFY would tell,
but takes a lock of the whole database at every commit.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from sqlalchemy import Row, Select, bindparam, delete, func, select

from chassis.broker import BrokerUnavailableError
from chassis.database import Database, DatabaseUnavailable
from chassis.events import Envelope, MalformedError
from chassis.outbox import OUTBOX
from chassis.retry import Backoff
from chassis.share import Share

_log = logging.getLogger(__name__)

_BATCH: Final = 500
_WINDOW: Final = 1000
_LOOK_SECONDS: Final = 1.0
_MEASURE_SECONDS: Final = 10.0
_PASS_SECONDS: Final = 10.0
"""After which a pass begins no more: a transaction mustn't stay open for long."""
_STUCK_SECONDS: Final = 60.0
"""After which a pass is given up, whatever it waits for."""
_Waiting: TypeAlias = Row[int, str, str, str, str, datetime]
"""A row of the outbox."""
_DELAYS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)


def _take() -> Select[int, str, str, str, str, datetime]:
    """The oldest events, whole aggregates only, of which no other process has locked the first; locks the first ones.

    Whatever waits, it looks at no more than the oldest few: all that come before those are among them.
    """
    oldest = select(OUTBOX).order_by(OUTBOX.c.position).limit(_WINDOW).cte("oldest")
    first = select(func.min(oldest.c.position)).group_by(oldest.c.aggregate_id)
    taken = (
        select(OUTBOX.c.aggregate_id)
        .where(OUTBOX.c.position.in_(first))
        .order_by(OUTBOX.c.position)
        .limit(_BATCH)
        .with_for_update(skip_locked=True)
        .cte("taken")
    )
    return (
        select(*oldest.c)
        .join(taken, taken.c.aggregate_id == oldest.c.aggregate_id)
        .order_by(oldest.c.position)
        .limit(_BATCH)
    )


_TAKE: Final = _take()
_MEASURE: Final = select(func.count(), func.min(OUTBOX.c.added_at))
_FORGET: Final = delete(OUTBOX).where(OUTBOX.c.position.in_(bindparam("kept", expanding=True)))


class Publisher(Protocol):
    """What a relay needs of a broker; see ``chassis.broker.Broker``."""

    @property
    def connected(self) -> bool:
        """Whether it can be talked to now."""

    async def publish(self, envelope: Envelope) -> None:
        """Publish an event and wait until it is kept. Raises ``BrokerUnavailableError``."""

    async def send(self, subject: str, data: bytes, *, message_id: str) -> None:
        """The same for bytes."""


class RelayMetrics:
    """How far behind the outbox is."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.backlog = Gauge("outbox_events", "Events that wait to be published.", registry=registry)
        self.age = Gauge("outbox_age_seconds", "Age of the oldest event that waits.", registry=registry)
        self.published = Counter("outbox_published", "Events that the broker keeps.", registry=registry)
        self.failures = Counter("outbox_failures", "Passes that could not be finished.", registry=registry)
        self.delay = Histogram(
            "outbox_delay_seconds", "From the event to its publication.", buckets=_DELAYS, registry=registry
        )


class Relay:
    """One process' part in publishing."""

    def __init__(self, database: Database, broker: Publisher, *, share: Share, registry: CollectorRegistry) -> None:
        self._database = database
        self._broker = broker
        self._share = share
        self._metrics = RelayMetrics(registry)
        self._wake = asyncio.Event()
        self._next_measure = 0.0

    def wake(self) -> None:
        """Look now: there is something."""
        self._wake.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Publish until told to stop, and then what is left."""
        backoff = Backoff(base=0.1, cap=5.0)
        ending = asyncio.ensure_future(stopping.wait())
        ending.add_done_callback(lambda _: self._wake.set())
        try:
            while not stopping.is_set():
                await self._sleep(await self._once(backoff))
            while self._may_work() and await self.publish_some():
                pass
        except (BrokerUnavailableError, DatabaseUnavailable) as error:
            _log.info("what is left in the outbox waits for another process", extra={"cause": str(error)})
        finally:
            ending.cancel()

    async def publish_some(self) -> int:
        """One pass; how many events the broker keeps now.

        Raises ``BrokerUnavailableError`` when that isn't all that it tried, and ``DatabaseUnavailable``.
        """
        async with self._database.transaction() as session:
            rows = (await session.execute(_TAKE)).all()
            if not rows:
                return 0
            deadline = time.monotonic() + _PASS_SECONDS
            chains = [_Chain(self._broker, chain, deadline) for chain in _by_aggregate(rows)]
            await asyncio.gather(*(chain.publish() for chain in chains))
            kept = [row for chain in chains for row in chain.kept]
            await session.execute(_FORGET, {"kept": [row.position for row in kept]})
        now = datetime.now(UTC)
        for row in kept:
            self._metrics.delay.observe((now - row.added_at).total_seconds())
        self._metrics.published.inc(len(kept))
        for chain in chains:
            if chain.failure is not None:
                raise chain.failure
        return len(kept)

    def _may_work(self) -> bool:
        return self._broker.connected and not self._share.idle()

    async def _once(self, backoff: Backoff) -> float:
        """Do a pass if there is reason to, and give the seconds until the next."""
        self._wake.clear()
        if not self._may_work():
            return _LOOK_SECONDS
        started = time.monotonic()
        try:
            async with asyncio.timeout(_STUCK_SECONDS):
                await self._measure()
                published = await self.publish_some()
        except (BrokerUnavailableError, DatabaseUnavailable, TimeoutError) as error:
            self._metrics.failures.inc()
            _log.warning("events wait in the outbox", extra={"cause": repr(error.__cause__ or error)})
            return backoff.next()
        backoff.reset()
        if not self._share.part.held_back:
            return 0.0 if published == _BATCH else _LOOK_SECONDS  # what came since has woken us
        if not published or self._share.idle():
            return _LOOK_SECONDS
        # A canary publishes in its share of the time; what it leaves others find.
        weight = self._share.weight()
        return (time.monotonic() - started) * (1 - weight) / weight

    async def _sleep(self, seconds: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._wake.wait()

    async def _measure(self) -> None:
        if time.monotonic() < self._next_measure:
            return
        self._next_measure = time.monotonic() + _MEASURE_SECONDS
        async with self._database.transaction() as session:
            backlog, oldest = (await session.execute(_MEASURE)).one()
        self._metrics.backlog.set(backlog)
        self._metrics.age.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0.0)


class _Chain:
    """The events of one aggregate, each published when the broker keeps the one before."""

    def __init__(self, broker: Publisher, rows: Sequence[_Waiting], deadline: float) -> None:
        self.kept: list[_Waiting] = []
        self.failure: BrokerUnavailableError | None = None
        self._broker = broker
        self._rows = rows
        self._deadline = deadline

    async def publish(self) -> None:
        """Publish as many as go well in the time there is."""
        for row in self._rows:
            if self.kept and time.monotonic() > self._deadline:
                return
            try:
                await self._send(row)
            except BrokerUnavailableError as error:
                self.failure = error
                return
            self.kept.append(row)

    async def _send(self, row: _Waiting) -> None:
        message: bytes = row.message.encode()
        try:
            envelope = Envelope.from_bytes(message)
        except MalformedError:
            # A newer revision of this service knows what it wrote; this one needn't.
            await self._broker.send(row.subject, message, message_id=row.event_id)
        else:
            await self._broker.publish(envelope)


def _by_aggregate(rows: Sequence[_Waiting]) -> list[list[_Waiting]]:
    chains: dict[str, list[_Waiting]] = {}
    for row in rows:
        chains.setdefault(row.aggregate_id, []).append(row)
    return list(chains.values())
