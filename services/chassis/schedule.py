"""What a process does again and again: expire, clean up, look for what got stuck.

Every process of a service has the same schedules and none knows of the others, so a job must be safe beside itself
(``SKIP LOCKED``, or changes that are the same twice). The times are shaken, lest all look at the same moment. A process
that isn't the stable revision's takes its turn as often as its weight says.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram

from chassis.share import Share

_log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[None]]


class ScheduleMetrics:
    """The schedules of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.runs = Counter("schedule_runs", "Runs of a job, by outcome.", ["schedule", "outcome"], registry=registry)
        self.seconds = Histogram(
            "schedule_run_duration_seconds",
            "Time that a run of a job took.",
            ["schedule"],
            buckets=(0.01, 0.1, 1.0, 10.0, 60.0),
            registry=registry,
        )


@dataclass(frozen=True, slots=True)
class Schedule:
    """One job, about every so many seconds from the end of a run to the start of the next."""

    name: str
    seconds: float
    job: Job
    share: Share
    metrics: ScheduleMetrics

    async def run(self, stopping: asyncio.Event) -> None:
        """Do it until ``stopping`` is set; a run that has begun is finished."""
        pause = self.seconds * random.random()  # noqa: S311 - spreads load
        while not await _set_within(stopping, pause):
            if self.share.turn():
                await self._once()
            pause = self.seconds * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load

    async def _once(self) -> None:
        started, outcome = time.perf_counter(), "failed"
        try:
            await self.job()
            outcome = "done"
        except Exception:  # noqa: BLE001 - the next run may go well, and the process has more to do than this
            _log.error("a scheduled job failed", extra={"schedule": self.name}, exc_info=True)
        finally:
            self.metrics.seconds.labels(self.name).observe(time.perf_counter() - started)
            self.metrics.runs.labels(self.name, outcome).inc()


async def _set_within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()
    return event.is_set()
