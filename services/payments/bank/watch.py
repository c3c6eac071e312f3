"""Shows how the way to the bank stands among payments' own metrics: the ambassador's are behind loopback.

Whoever collects metrics knows one page a pod, and the ambassador's breaker is what decides whether charges are made now
or later.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from prometheus_client import CollectorRegistry, Gauge

from chassis import context
from chassis.background import pause
from chassis.breaker import State
from chassis.ids import new_id
from payments.bank.client import Ambassador
from payments.bank.messages import NoAnswerError

_EVERY_SECONDS: Final = 5.0
_PATIENCE_SECONDS: Final = 2.0


class Watch:
    """Looks at the ambassador. ``show`` is told the state of its breaker, or None where it doesn't answer."""

    def __init__(
        self, ambassador: Ambassador, show: Callable[[State | None], None], registry: CollectorRegistry
    ) -> None:
        self._ambassador = ambassador
        self._show = show
        self._up = Gauge("payments_ambassador_up", "Whether the ambassador of this pod answers.", registry=registry)

    async def run(self, stopping: asyncio.Event) -> None:
        """Look until the process ends, whatever share of the work it has."""
        while not stopping.is_set():
            await self.look()
            await pause(stopping, _EVERY_SECONDS)

    async def look(self) -> None:
        """Look once."""
        state = None
        with suppress(NoAnswerError), context.resume(new_id(), timeout=_PATIENCE_SECONDS):
            state = await self._ambassador.breaker()
        self._up.set(state is not None)
        self._show(state)
