"""The loop of a consumer: asks the broker for as much as this process can and shall do, and starts a task a message.

Runs until the process is asked to end: then it asks for nothing any more, gives back what it hasn't begun, and
finishes what it has. It starts over when the connection is lost or the pod's share of the work changes its kind.
"""

import asyncio
import logging
import time
from contextlib import suppress
from typing import Final

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, ConsumerInfo
from nats.js.errors import NotFoundError

from chassis.broker import Broker
from chassis.consumers import Consumption, Handling, give_back
from chassis.dead_letters import redrive_subject
from chassis.message_metrics import MessageMetrics
from chassis.pulling import ConsumerGoneError, Pull
from chassis.retry import Backoff
from chassis.share import Ration, Share
from chassis.streams import SHOP
from chassis.telemetry import Telemetry

_log = logging.getLogger(__name__)

ACK_WAIT: Final = 10.0
"""Seconds after which the broker takes a message for lost of which it has heard nothing: this is how long one rests
that a killed process had."""
_LOOK: Final = 1.0
_INFO_EVERY: Final = 5.0
_OFTEN: Final = 0.05
_SELDOM: Final = 0.25
"""Of a ration one looks more often the more there is to earn."""
_TEND_EVERY: Final = ACK_WAIT / 4


class Consumer:
    """One durable consumer in one process. All processes of a service share what waits for it."""

    def __init__(
        self, what: Consumption, *, broker: Broker, share: Share, metrics: MessageMetrics, telemetry: Telemetry
    ) -> None:
        self.name = what.name
        self._what = what
        self._broker = broker
        self._share = share
        self._metrics = metrics
        self._handling = Handling(what, broker=broker, metrics=metrics, telemetry=telemetry)
        self._durable = f"{broker.service}-{what.name}"
        self._ration = Ration(most=what.pending)
        self._ration_every = _OFTEN
        self._running: dict[asyncio.Task[None], Msg] = {}
        self._stir = asyncio.Event()
        metrics.declare(what.name)

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until ``stopping`` is set. Cancelled, it gives back at once what it has."""
        backoff = Backoff(cap=2.0)
        ending = asyncio.ensure_future(stopping.wait())
        ending.add_done_callback(lambda _: self._stir.set())
        try:
            while not stopping.is_set():
                if self._share.idle() or not self._broker.connected:
                    self._stir.clear()
                    await self._stirred(_LOOK)
                    continue
                try:
                    await self._session(await self._broker.session(), stopping)
                    backoff.reset()
                except (ConsumerGoneError, NatsError, TimeoutError) as error:
                    _log.warning("consumer starts over", extra={"consumer": self.name, "cause": repr(error)})
                    await asyncio.sleep(backoff.next())
            await self._finish()
        finally:
            ending.cancel()
            for task in self._running:
                task.cancel()
            await self._finish()

    async def _finish(self) -> None:
        while self._running:
            await self._tend()
            await asyncio.wait(self._running, timeout=_TEND_EVERY)

    async def _session(self, client: Client, stopping: asyncio.Event) -> None:
        """Consume over one connection, with one kind of share."""
        held_back = self._share.part.held_back
        await self._bind(client, held_back=held_back)
        pull = Pull(client, stream=SHOP, consumer=self._durable, on_arrival=self._stir.set)
        await pull.open()
        next_info = next_tending = 0.0
        try:
            while not stopping.is_set() and not self._share.idle() and self._share.part.held_back == held_back:
                self._stir.clear()
                pull.check()
                if (now := time.monotonic()) >= next_info:
                    self._note(await client.jetstream().consumer_info(SHOP, self._durable))
                    next_info = now + (self._ration_every if held_back else _INFO_EVERY)
                if now >= next_tending:
                    next_tending = now + _TEND_EVERY
                    await self._tend()
                while pull.waiting and len(self._running) < self._what.workers:
                    self._start(pull.take())
                await self._ask(pull, held_back=held_back)
                await self._stirred(self._ration_every if held_back else min(_LOOK, _TEND_EVERY))
        finally:
            for message in await pull.close():
                await give_back(message)

    async def _bind(self, client: Client, *, held_back: bool) -> None:
        """Have the durable consumer. One that is held back changes nothing about what the others use."""
        jetstream = client.jetstream()
        wanted = ConsumerConfig(
            durable_name=self._durable,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=ACK_WAIT,
            max_deliver=-1,  # the dead letters are ours to fill
            max_ack_pending=self._what.pending,
            filter_subjects=sorted({*self._what.subjects, redrive_subject(f"{self._broker.service}.{self.name}")}),
        )
        try:
            present = (await jetstream.consumer_info(SHOP, self._durable)).config
        except NotFoundError:
            present = None
        if present is None or (not held_back and _differ(present, wanted)):
            await jetstream.add_consumer(SHOP, wanted)

    def _note(self, info: ConsumerInfo) -> None:
        self._metrics.lag(self.name, (info.num_pending or 0) + (info.num_ack_pending or 0))
        if info.delivered is not None:
            earned = self._ration.delivered(info.delivered.consumer_seq, self._share.part.of_all)
            pace = 0.5 if earned >= 1 else 1.5
            self._ration_every = min(_SELDOM, max(_OFTEN, self._ration_every * pace))

    async def _ask(self, pull: Pull, *, held_back: bool) -> None:
        """Ask for what there are free workers for: in one request, or one by one of a ration.

        The broker goes round among requests. So one that is held back has a request a message, and gets its part even
        where most others wait.
        """
        free = self._what.workers - len(self._running) - pull.waiting - pull.outstanding
        if held_back:
            for _ in range(min(free, self._ration.left - pull.waiting - pull.outstanding)):
                await pull.ask(1)
        elif free > 0 and (not pull.outstanding or 2 * free >= self._what.workers):
            await pull.ask(free)

    def _start(self, message: Msg) -> None:
        self._ration.delivered(message.metadata.sequence.consumer, self._share.part.of_all)
        self._ration.took()
        task = asyncio.create_task(self._handling.handle(message), name=f"{self.name} {message.subject}")
        self._running[task] = message
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        del self._running[task]
        self._stir.set()
        if not task.cancelled() and (error := task.exception()) is not None:
            _log.error("a message was left alone", extra={"consumer": self.name}, exc_info=error)

    async def _tend(self) -> None:
        """Tell the broker that work goes on, so that it doesn't hand out again what takes its time."""
        for message in list(self._running.values()):
            if not message.is_acked:
                with suppress(NatsError):  # one that came over a lost connection is another's now
                    await message.in_progress()

    async def _stirred(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stir.wait()
        except TimeoutError:
            return


def _differ(present: ConsumerConfig, wanted: ConsumerConfig) -> bool:
    filters = present.filter_subjects or ([present.filter_subject] if present.filter_subject else [])
    return (sorted(filters), present.ack_wait, present.max_ack_pending, present.max_deliver) != (
        wanted.filter_subjects,
        wanted.ack_wait,
        wanted.max_ack_pending,
        wanted.max_deliver,
    )
