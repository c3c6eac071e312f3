"""A door for the platform alone: probes and metrics on a port of their own, for a service that listens on loopback.

The kubelet and whoever collects metrics come from outside of the pod. They get in here, to their three paths, and to
nothing else that the service has.
"""

from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.problems import Problem
from chassis.telemetry import PROBES

HOST: Final = "0.0.0.0"  # noqa: S104 - that is what it is for


class Door:
    """ASGI application in front of another: what comes by ``port`` gets no further than to the platform's paths."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self._app = app
        self._port = port

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or not."""
        app = self._app
        if scope["type"] == "http" and scope["server"][1] == self._port and scope["path"] not in PROBES:
            app = Problem(404, "This port is for probes and metrics.", kind="not-here").response(scope["path"])
        await app(scope, receive, send)
