"""What a process of orders does by itself: takes sagas up that nobody drives, keeps its own, counts, forgets."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, Gauge

from chassis.background import pause
from chassis.problems import Problem
from orders.application.coordinator import Coordinator
from orders.application.ordering import Ordering

_log = logging.getLogger(__name__)

_AT_A_TIME: Final = 50
_HEARTBEAT_SECONDS: Final = 3.0
"""A third of a lease: it survives two that fail."""


class Every(Protocol):
    """How a service takes a schedule: ``Service.every``."""

    def __call__(self, name: str, seconds: float, job: Callable[[], Awaitable[None]]) -> None:
        """Do it about every so many seconds."""


def attach(every: Every, ordering: Ordering, coordinator: Coordinator, registry: CollectorRegistry) -> None:
    """Do it from now on."""
    sagas = Gauge("orders_sagas", "Sagas that aren't at their end, in all processes.", ["status"], registry=registry)

    async def take_up() -> None:
        await coordinator.take_up(limit=_AT_A_TIME)

    async def count() -> None:
        for status, number in (await ordering.unended()).items():
            sagas.labels(status).set(number)

    async def forget() -> None:
        await ordering.forget()

    every("sagas", 3.0, take_up)
    every("forget", 3600.0, forget)
    every("saga count", 30.0, count)


def heartbeat(coordinator: Coordinator, busy: Callable[[], bool]) -> Callable[[asyncio.Event], Awaitable[None]]:
    """Keeps the leases of this process while it drives sagas; the last one outlasts what is left to finish."""

    async def beat(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await pause(stopping, _HEARTBEAT_SECONDS)
            if busy():
                await _prolong(coordinator)

    return beat


async def _prolong(coordinator: Coordinator) -> None:
    try:
        await coordinator.stay()
    except Problem as problem:
        _log.warning("leases could not be prolonged", extra={"cause": problem.detail})
