"""One term: what happens between winning the Lease and giving it back."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from seatrial.api.names import FINALIZER
from seatrial.api.revision import Phase
from seatrial.control import garbage
from seatrial.control.asking import Asking
from seatrial.control.audit import hide_what_is_gone
from seatrial.control.cache import Object, Written
from seatrial.control.configs import Configs
from seatrial.control.fleet import Fleet
from seatrial.control.gauges import Gauges
from seatrial.control.health import Health
from seatrial.control.judging import LOOK_APART, Judging, Source
from seatrial.control.keys import HostsKey, Key, ServiceKey
from seatrial.control.looks import Measured
from seatrial.control.mesh import MeshView
from seatrial.control.observe import Observer
from seatrial.control.pace import apart
from seatrial.control.queue import KeyedQueue
from seatrial.control.reconciler import Parts, Reconciler
from seatrial.control.statuses import Teller
from seatrial.control.telemetry import ERRORS, LOOP_LAG, QUEUE_DEPTH, QUEUE_WAIT
from seatrial.control.watches import Concerned, Watches
from seatrial.control.writer import Writer
from seatrial.evidence.prometheus import PrometheusSource, allowed_addresses
from seatrial.evidence.prometheus_api import PrometheusApi
from seatrial.evidence.proxies import Proxies
from seatrial.kube.client import Kube
from seatrial.kube.credentials import credentials
from seatrial.kube.errors import ApiFailure
from seatrial.kube.kinds import NAMESPACE, REVISION
from seatrial.kube.lease import Candidate, Lost
from seatrial.kube.reach import PodReach

log = logging.getLogger(__name__)

LOOKS_AT_ONCE = 256
GATHERED, GATHERED_AT_MOST = 0.0025, 0.25  # seconds for each rollout under way until an event leads to a pass
WORKERS = 12  # passes at once: more would wait for one another in the API server, and keep looks from the processor
PULSE = 0.1  # seconds between two looks at how late the loop is
LEAVE_WITHIN = 5.0  # seconds for the watches to end
AUDIT_EVERY = 300.0  # seconds
LISTED_WITHIN = 10.0  # seconds after the first watch that began anew until the others did too
LONGEST_TIDYING = 60.0  # seconds of a term that only tidies up
STEADY = 3.0  # seconds without anything to do after which a term that only tidies up is over


@dataclass(frozen=True)
class Setting:
    """What a process has for all of its terms. `judge`: whether rollouts are judged, or only brought back to stable."""

    kube: Kube
    candidate: Candidate
    health: Health
    lease: str
    judge: bool = True
    clock: Callable[[], float] = time.monotonic


class Term:
    """Watches, queue and reconciler of one term."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._queue: KeyedQueue[Key] = KeyedQueue(
            self._pass, workers=WORKERS, failed=_failed, waited=QUEUE_WAIT.observe
        )
        self._looks: KeyedQueue[ServiceKey] = KeyedQueue(self._look, workers=LOOKS_AT_ONCE, failed=_failed)
        self._stop = asyncio.Event()
        self._idle_since: float | None = None
        self._full_since: float | None = None
        self._gauges = Gauges()
        self._prometheus = PrometheusSource(PrometheusApi(), allowed=allowed_addresses(os.environ))
        self._reach = PodReach(setting.kube.config, direct="KUBERNETES_SERVICE_HOST" in os.environ)
        self._ask = Asking(self._reach, istiod=os.environ.get("SEATRIAL_ISTIOD_URL", ""))
        self.watches = Watches(
            lease=setting.lease,
            login=lambda: credentials(setting.kube.config),
            add=self._noticed,
            beat=setting.health.beat,
        )
        self._judging = self._court() if setting.judge else None
        self._reconciler = Reconciler(self._assemble())

    async def run(self, until: asyncio.Event, on_started: Callable[[], None]) -> None:
        """Until `until` is set, or what holds us up ends: raises `Lost` when the Lease is gone.

        `on_started` is called when Kopf has taken the signals, which are ours.
        """
        started = asyncio.Event()
        tasks: set[asyncio.Task[Any]] = {
            asyncio.create_task(until.wait(), name="stop"),
            asyncio.create_task(self._setting.candidate.keep(), name="lease"),
            asyncio.create_task(self._queue.run(), name="queue"),
            asyncio.create_task(self._looks.run(), name="looks"),
            asyncio.create_task(self._after(started, on_started), name="signals"),
            asyncio.create_task(self._audit(), name="audit"),
            asyncio.create_task(_pulse(), name="pulse"),
        }
        watching = asyncio.create_task(self.watches.run(self._stop, started), name="watches")
        try:
            ended, _ = await asyncio.wait({*tasks, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._leave(tasks, watching)
        for task in ended:
            if not task.cancelled() and (error := task.exception()):
                raise error
        if watching in ended:
            raise RuntimeError("the watches ended by themselves")

    async def _leave(self, tasks: set[asyncio.Task[Any]], watching: asyncio.Task[None]) -> None:
        """Writes end first, then the Lease is free for the next one, then the watches go."""
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._setting.candidate.release()
        self._stop.set()
        with suppress(TimeoutError, asyncio.CancelledError):
            async with asyncio.timeout(LEAVE_WITHIN):
                await watching
        await self._reach.close()
        await self._prometheus.close()
        self._gauges.clear()

    @property
    def tidy(self) -> bool:
        """Nothing is under way any more, for a while; or it takes too long: then another one shall have the Lease."""
        if not self.watches.full.is_set():
            return False
        now = self._setting.clock()
        if self._full_since is None:
            self._full_since = now
        if self._queue.depth or self._queue.busy or self._unfinished():
            self._idle_since = None
        elif self._idle_since is None:
            self._idle_since = now
        steady = self._idle_since is not None and now - self._idle_since >= STEADY
        return steady or now - self._full_since >= LONGEST_TIDYING

    def _unfinished(self) -> bool:
        return unfinished(
            self.watches.cache.services(), self.watches.cache.all(REVISION), self.watches.cache.all(NAMESPACE)
        )

    async def _after(self, started: asyncio.Event, on_started: Callable[[], None]) -> None:
        await started.wait()
        on_started()
        await asyncio.Event().wait()

    async def _audit(self) -> None:
        """Look at everything from time to time, and when watches began anew, whether they said something or not."""
        with garbage.old_spared():
            await self.watches.full.wait()
            while True:
                with suppress(TimeoutError):
                    async with asyncio.timeout(AUDIT_EVERY):
                        await self.watches.begun_anew.wait()
                    await asyncio.sleep(LISTED_WITHIN)
                self.watches.begun_anew.clear()
                try:
                    if await hide_what_is_gone(self._setting.kube, self.watches.cache):
                        self.watches.concerned.changed()
                except ApiFailure as error:
                    log.warning("no audit this time: %s", error.message)
                for raw in self.watches.cache.services():
                    meta = raw["metadata"]
                    self._queue.add(ServiceKey(meta["namespace"], meta["name"]))
                    self._queue.add(HostsKey(meta["namespace"]))
                garbage.collect()

    async def _pass(self, key: Key) -> float | None:
        await self.watches.full.wait()
        QUEUE_DEPTH.set(self._queue.depth)
        return await self._reconciler.reconcile(key)

    async def _look(self, key: ServiceKey) -> float | None:
        """One look at a rollout, and the pass that it calls for."""
        if self._judging is None:
            return None
        after = await self._judging.look(key.namespace, key.name)
        if after is not None and (news := self._judging.news(key.namespace, key.name)):
            self._queue.add(key, first=news == "worse")
        return after

    @property
    def _rollouts(self) -> int:
        return self._judging.rollouts if self._judging is not None else 0

    def _noticed(self, key: Key) -> None:
        """Events come by the handful, most echoes of our own writes: where much goes on, a pass is for several."""
        self._queue.add(key, min(GATHERED * self._rollouts, GATHERED_AT_MOST))

    def _court(self) -> Judging:
        sources: dict[str, Source] = {"proxies": Proxies(self._ask), "prometheus": self._prometheus}
        return Judging(
            {name: Measured(name, source) for name, source in sources.items()},
            begun=lambda namespace, name: self._looks.add(ServiceKey(namespace, name), LOOK_APART),
            clock=self._setting.clock,
        )

    def _assemble(self) -> Parts:
        setting, cache = self._setting, self.watches.cache
        candidate, kube = setting.candidate, setting.kube
        written = Written()
        writer = Writer(kube, written, lambda: candidate.fencing, setting.clock)
        fleet, configs, judging = Fleet(cache), Configs(kube, cache), self._judging
        mesh = MeshView(kube, cache, self._ask, setting.clock)
        self.watches.concerned = Concerned(fleet.related, fleet.users_of_config, writer.gone, fleet.changed)
        return Parts(
            cache=cache,
            fleet=fleet,
            configs=configs,
            mesh=mesh,
            observer=Observer(kube, cache, fleet, configs, mesh, judging=judging, clock=setting.clock),
            judging=judging,
            writer=writer,
            written=written,
            teller=Teller(
                kube,
                writer,
                instance=candidate.identity,
                now=lambda: datetime.now(UTC),
                clock=setting.clock,
                apart=lambda: apart(self._rollouts),
            ),
            gauges=self._gauges,
            fencing=lambda: candidate.fencing,
            clock=setting.clock,
        )


def unfinished(services: Iterable[Object], revisions: Iterable[Object], namespaces: Iterable[Object]) -> bool:
    """Whether a rollout is under way in a namespace that stays, or a deletion waits for us."""
    staying = {n["metadata"]["name"] for n in namespaces if not n["metadata"].get("deletionTimestamp")}
    waiting = (s["metadata"] for s in services if s["metadata"].get("deletionTimestamp"))
    if any(FINALIZER in (meta.get("finalizers") or ()) for meta in waiting):
        return True
    phases = ((r.get("status") or {}).get("phase") for r in revisions if r["metadata"]["namespace"] in staying)
    return any(Phase(phase).active for phase in phases if phase)


async def _pulse() -> None:
    clock = asyncio.get_running_loop().time
    while True:
        due = clock() + PULSE
        await asyncio.sleep(PULSE)
        LOOP_LAG.observe(clock() - due)


def _failed(key: Key, error: Exception, after: float) -> None:
    ERRORS.labels(type(error).__name__).inc()
    if isinstance(error, ApiFailure | Lost):
        log.warning("%s: %s: %s; again in %.1f s", key, type(error).__name__, error, after)
    else:
        log.error("%s: again in %.1f s", key, after, exc_info=error)
