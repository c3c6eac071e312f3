"""Uvicorn, with an end that loses no request.

Uvicorn itself stops listening at SIGTERM, while callers still send: their connections are refused or, when idle, closed
under a request that is on its way. Here SIGTERM only begins to drain (see ``lifecycle``), and uvicorn's own shutdown
runs when nobody sends any more. SIGINT, from a developer's keyboard, ends at once, after requests under way.
"""

import gc
import logging
import os
import signal
import socket
import sys
from types import FrameType

import uvicorn
from starlette.types import ASGIApp

from chassis.lifecycle import Lifecycle
from chassis.platform import HOST
from chassis.settings import Settings

_log = logging.getLogger(__name__)

_BACKLOG = 2048


class _Server(uvicorn.Server):
    """Ends when the lifecycle says so."""

    def __init__(self, config: uvicorn.Config, lifecycle: Lifecycle) -> None:
        super().__init__(config)
        self._lifecycle = lifecycle
        self._draining_said = False

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002 - as uvicorn calls it
        """Begin to drain. Uvicorn's own would raise the signal again at the end; this way the exit code is 0."""
        self._lifecycle.begin_drain()
        if sig != signal.SIGTERM:
            self.force_exit = self.should_exit  # the second Ctrl-C doesn't wait for requests either
            self.should_exit = True

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is time to stop listening."""
        if self._lifecycle.draining and not self._draining_said:
            self._draining_said = True
            self._lifecycle.announce_drain()
            _log.info("draining", extra={"inFlight": self._lifecycle.in_flight})
        if self._lifecycle.may_stop():
            left = self._lifecycle.time_left()
            _log.info("stopping", extra={"inFlight": self._lifecycle.in_flight, "secondsLeft": round(left, 1)})
            self.config.timeout_graceful_shutdown = round(left)
            self.should_exit = True
        return await super().on_tick(counter)


def run(app: ASGIApp, settings: Settings, lifecycle: Lifecycle) -> None:
    """Serve an application until the process is asked to end and nothing is under way any more."""
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=round(settings.keep_alive),
        timeout_graceful_shutdown=round(settings.shutdown_drain),
    )
    listener = _listen(settings)
    listeners = [listener, *([] if settings.platform_port is None else [_bound(HOST, settings.platform_port)])]
    port = listener.getsockname()[1]
    # What is loaded now stays: the collector needn't walk it again and again, which costs a traced request a fifth.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    _log.info("listening on port %d", port, extra={"port": port, "faults": settings.faults})
    _Server(config, lifecycle).run(sockets=listeners)
    if lifecycle.failed:
        sys.exit(1)


def _listen(settings: Settings) -> socket.socket:
    if settings.listen_fd is not None:
        return socket.socket(fileno=settings.listen_fd)
    return _bound(settings.host, settings.port)


def _bound(host: str, port: int) -> socket.socket:
    try:
        return socket.create_server((host, port), backlog=_BACKLOG)
    except OSError as error:
        why = os.strerror(error.errno or 0)
        sys.exit(f"can't listen on {host}:{port}: {why}. Free the port, or choose another by PORT or PLATFORM_PORT.")
