"""The processes: the operator, the janitor that takes its place when it is silent, and the hook that ends it all."""

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from seatrial.api.base import ObjectMeta
from seatrial.api.names import FINALIZER, OPERATOR_NAMESPACE
from seatrial.control import telemetry
from seatrial.control.health import HEALTH_PORT, METRICS_PORT, Health, serve
from seatrial.control.telemetry import LEADER
from seatrial.control.term import Setting, Term, unfinished
from seatrial.kube.client import Kube, configuration
from seatrial.kube.errors import ApiFailure
from seatrial.kube.kinds import MESH_SERVICE, NAMESPACE, REVISION
from seatrial.kube.lease import CALL_TIMEOUT, Candidate, LeaseObject, Lost

log = logging.getLogger(__name__)

LEASE = "seatrial"
JANITOR_PATIENCE = 12.5
"""Seconds of silence: more than a standby waits, and little enough for an unjudged revision to be back within 15 s."""
TIDY_EVERY = 0.5
RELEASE_WITHIN = 90.0
KEPT_AFTER_RELEASE = 30.0


def run_operator() -> None:
    """Serve until SIGTERM; exit 1 when the Lease is lost, so that a fresh process begins."""
    _run("operator", _operate)


def run_janitor() -> None:
    """Wait for silence; bring what is active back to stable; give the Lease back; wait again."""
    _run("janitor", _keep_clean)


def run_release() -> None:
    """Take the Lease for good, bring all rollouts back to stable and leave no finalizer behind."""
    _run("release", _release)


class Process:
    """What all of them share: connections, health, signals."""

    def __init__(self, role: str) -> None:
        self.role = role
        config = configuration()
        namespace = os.environ.get("POD_NAMESPACE", OPERATOR_NAMESPACE)
        self.lease = os.environ.get("SEATRIAL_LEASE", LEASE)
        pod = os.environ.get("POD_NAME")
        # The kubelet starts a container again when the former one has ended, and never gives its pod's name to another.
        self.heir_of = f"{pod}-" if pod else None
        self.identity = f"{pod or socket.gethostname()}-{secrets.token_hex(3)}"
        self.kube = Kube(config)
        self._lease_kube = Kube(config, timeout=CALL_TIMEOUT)
        self.store = LeaseObject(self._lease_kube, namespace, self.lease)
        self.health = Health(standby=True)
        self.stop = asyncio.Event()

    def take_signals(self) -> None:
        """SIGTERM and SIGINT end the process in good order."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop.set)

    async def wait_for(self, awaited: Awaitable[object]) -> bool:
        """Whether it came before the end of the process. The process lives meanwhile."""
        waiting = {asyncio.ensure_future(awaited), asyncio.ensure_future(self.stop.wait())}
        try:
            while True:
                self.health.beat()
                ended, _ = await asyncio.wait(waiting, timeout=1.0, return_when=asyncio.FIRST_COMPLETED)
                if ended:
                    break
        finally:
            for task in waiting:
                task.cancel()
            await asyncio.gather(*waiting, return_exceptions=True)
        for task in ended:
            task.result()
        return not self.stop.is_set()

    def term(self, candidate: Candidate, *, judge: bool) -> Term:
        """Ready to run, in the state that the probes show."""
        self.health.standby = False
        term = Term(Setting(kube=self.kube, candidate=candidate, health=self.health, lease=self.lease, judge=judge))
        self.health.ready = term.watches.full.is_set
        LEADER.set(1)
        log.info("%s holds the Lease %s under number %d", self.identity, self.lease, candidate.fencing)
        return term

    async def close(self) -> None:
        """End the connections."""
        await self.kube.close()
        await self._lease_kube.close()


def _run(role: str, work: Callable[[Process], Awaitable[None]]) -> None:
    telemetry.setup(role)

    async def main() -> int:
        process = Process(role)
        process.take_signals()
        health = int(os.environ.get("SEATRIAL_HEALTH_PORT", HEALTH_PORT))
        metrics = int(os.environ.get("SEATRIAL_METRICS_PORT", METRICS_PORT))
        try:
            async with serve(process.health, health_port=health, metrics_port=metrics):
                await work(process)
        except Lost as lost:
            log.error("%s lost the Lease: %s", process.identity, lost)  # noqa: TRY400 # the sentence says it all
            return 1
        finally:
            await process.close()
        return 0

    sys.exit(asyncio.run(main()))


async def _operate(process: Process) -> None:
    candidate = Candidate(process.store, process.identity, heir_of=process.heir_of)
    if await process.wait_for(candidate.acquire()):
        term = process.term(candidate, judge=True)
        await term.run(process.stop, process.take_signals)


async def _keep_clean(process: Process) -> None:
    while not process.stop.is_set():
        candidate = Candidate(process.store, process.identity, patience=JANITOR_PATIENCE, waits=True)
        process.health.standby = True
        LEADER.set(0)
        if not await process.wait_for(_acquire_when_needed(process.kube, candidate)):
            return
        log.warning("nobody renewed the Lease for %.1f s: rollouts go back to stable", JANITOR_PATIENCE)
        await _tidy_up(process, candidate)


async def _release(process: Process) -> None:
    candidate = Candidate(process.store, process.identity, leaves_for=KEPT_AFTER_RELEASE)
    await candidate.seize()
    with suppress(TimeoutError):
        async with asyncio.timeout(RELEASE_WITHIN):
            await _tidy_up(process, candidate)
    await _take_finalizers_away(process.kube)


async def _tidy_up(process: Process, candidate: Candidate) -> None:
    """A term without a judge, until nothing is under way any more."""
    done = asyncio.Event()
    term = process.term(candidate, judge=False)

    async def watch() -> None:
        while not (process.stop.is_set() or term.tidy):  # noqa: ASYNC110 # what is waited for has no single event
            await asyncio.sleep(TIDY_EVERY)
        done.set()

    watching = asyncio.create_task(watch())
    try:
        await term.run(done, process.take_signals)
    finally:
        watching.cancel()


async def _acquire_when_needed(kube: Kube, candidate: Candidate) -> None:
    """The Lease is taken from a silent holder only where something is under way."""
    while True:
        await candidate.silent()
        if await _anything_unfinished(kube):
            await candidate.acquire()
            return
        await asyncio.sleep(JANITOR_PATIENCE)


async def _anything_unfinished(kube: Kube) -> bool:
    try:
        return unfinished(await kube.list(MESH_SERVICE), await kube.list(REVISION), await kube.list(NAMESPACE))
    except ApiFailure:
        return False


async def _take_finalizers_away(kube: Kube) -> None:
    for raw in await kube.list(MESH_SERVICE):
        meta = ObjectMeta.parse(raw["metadata"])
        if FINALIZER in meta.finalizers:
            kept = [f for f in meta.finalizers if f != FINALIZER]
            await kube.merge(MESH_SERVICE, meta.name, meta.namespace, {"metadata": {"finalizers": kept}})
