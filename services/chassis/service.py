"""The composition root of a service: settings in, a running process out.

A service's ``__main__`` makes a ``Service``, names whom it calls, gives it its routers and runs it::

    service = Service(load(OrdersSettings), title="Orders")
    catalog = service.upstream("catalog", settings.catalog_url)
    service.offer(http.router(application))
    service.run()
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp

from chassis import endpoints, logs, problems, server
from chassis.faults import FaultInjection
from chassis.inbound import Inbound
from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.outbound import Upstream
from chassis.problems import ProblemDetails
from chassis.settings import Settings
from chassis.telemetry import Telemetry


class Service:
    """One process of a service."""

    def __init__(self, settings: Settings, *, title: str, description: str = "") -> None:
        logs.configure(settings)
        self._settings = settings
        self._telemetry = Telemetry(settings)
        self._lifecycle = Lifecycle(
            settle=settings.shutdown_settle, drain=settings.shutdown_drain, clock=time.monotonic
        )
        self._metrics = Metrics(settings, self._lifecycle)
        self._upstreams: list[Upstream] = []
        self._api = FastAPI(
            title=title,
            description=description,
            version="1",
            docs_url=None,  # its page loads scripts from elsewhere
            redoc_url=None,
            lifespan=self._lifespan,
            telemetry=self._telemetry.for_server(),
            max_body_size=settings.max_body,
            responses={
                "4XX": {"model": ProblemDetails, "description": "The request can't be served as it is."},
                "5XX": {"model": ProblemDetails, "description": "The service or one that it needs failed."},
            },
        )
        problems.install(self._api)
        if settings.faults == "enabled":
            self._api.add_middleware(FaultInjection, service=settings.service, pod=settings.pod, always=settings.fault)

    def upstream(self, name: str, base_url: str) -> Upstream:
        """A service that this one calls."""
        upstream = Upstream(
            name,
            base_url,
            timeout=self._settings.request_timeout,
            metrics=self._metrics,
            telemetry=self._telemetry,
        )
        self._upstreams.append(upstream)
        return upstream

    def offer(self, *routers: APIRouter) -> None:
        """Serve these routes. Routers name full paths, which is how they stand in logs and metrics."""
        for router in routers:
            self._api.include_router(router)

    def asgi(self) -> ASGIApp:
        """The service as an ASGI application, with nothing more to offer: routes are tried in their order."""
        self.offer(endpoints.platform(self._lifecycle, self._metrics))
        return Inbound(self._api, settings=self._settings, lifecycle=self._lifecycle, metrics=self._metrics)

    def run(self) -> None:
        """Serve until the process is asked to end."""
        server.run(self.asgi(), self._settings, self._lifecycle)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        self._lifecycle.start()
        yield
        for upstream in self._upstreams:
            await upstream.close()
        await asyncio.to_thread(self._telemetry.shutdown)
