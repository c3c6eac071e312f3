"""The composition root of a service: settings in, a running process out.

A service's ``__main__`` makes a ``Service``, names whom it calls, gives it its routers and runs it::

    service = Service(load(OrdersSettings), title="Orders")
    catalog = service.upstream("catalog", settings.catalog_url)
    database = service.database(settings.database_url, migrations="orders")
    service.offer(http.router(application))
    service.run()
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from starlette.types import ASGIApp

from chassis import endpoints, logs, problems, server
from chassis.background import Background, Run, Until
from chassis.breaker import Breaker, Policy, State
from chassis.bulkhead import Bulkhead
from chassis.faults import FaultInjection
from chassis.inbound import Inbound
from chassis.lifecycle import Lifecycle
from chassis.message_metrics import MessageMetrics
from chassis.metrics import Metrics
from chassis.outbound import Guards, Upstream
from chassis.platform import Door
from chassis.problems import ProblemDetails
from chassis.resilience import Resilience
from chassis.schedule import Job, Schedule, ScheduleMetrics
from chassis.settings import Settings
from chassis.share import Share
from chassis.telemetry import Telemetry

if TYPE_CHECKING:
    from chassis.broker import Broker
    from chassis.consumers import Handler
    from chassis.database import Database
    from chassis.outbox import Outbox

# What only some services use is imported where they ask for it: a service without a database and without events, as the
# gateway is, starts in half the time and takes half the memory.
# ruff: noqa: PLC0415

_log = logging.getLogger(__name__)

_OPENING_SECONDS = 2.0
"""So long a start waits for its database before it serves without being ready."""


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
        self._message_metrics = MessageMetrics(self._metrics.registry)
        self._schedule_metrics = ScheduleMetrics(self._metrics.registry)
        self._resilience = Resilience(self._metrics.registry)
        self._breaker_policy = Policy(
            failures=settings.breaker_failures,
            within=settings.breaker_within,
            open_for=settings.breaker_open_for,
            successes=settings.breaker_successes,
        )
        self.share = Share()
        self._upstreams: list[Upstream] = []
        self._databases: list[Database] = []
        self._background = Background(self._lifecycle)
        self._api = FastAPI(
            title=title,
            description=description,
            version="1",
            docs_url=None,  # its page loads scripts from elsewhere
            redoc_url=None,
            lifespan=self._lifespan,
            telemetry={"tracing": False, "metrics": False, "logs": False},  # the chassis' own is around all of it
            responses={
                "4XX": {"model": ProblemDetails, "description": "The request can't be served as it is."},
                "5XX": {"model": ProblemDetails, "description": "The service or one that it needs failed."},
            },
        )
        problems.install(self._api)
        if settings.faults == "enabled":
            self._api.add_middleware(FaultInjection, service=settings.service, pod=settings.pod, always=settings.fault)

    @cached_property
    def broker(self) -> "Broker":
        """The broker, connected to while the service runs."""
        from chassis.broker import Broker

        return Broker(self._settings.broker_url, service=self._settings.service, telemetry=self._telemetry)

    def upstream(self, name: str, base_url: str, *, breaker: bool = False, bulkhead: int | None = None) -> Upstream:
        """A service that this one calls; by a breaker per endpoint, and at most so many times at once, if wanted."""
        upstream = Upstream(
            name,
            base_url,
            timeout=self._settings.request_timeout,
            metrics=self._metrics,
            telemetry=self._telemetry,
            guards=Guards(
                breaker=self.breaker if breaker else None,
                bulkhead=None if bulkhead is None else self.bulkhead(name, bulkhead),
            ),
        )
        self._upstreams.append(upstream)
        return upstream

    @property
    def registry(self) -> CollectorRegistry:
        """Where metrics of its own are registered, to be seen on ``/metrics``."""
        return self._metrics.registry

    def breaker(self, name: str, policy: Policy | None = None) -> Breaker:
        """The circuit breaker of that name, as the settings want it unless a policy is given."""
        return self._resilience.breaker(name, policy or self._breaker_policy)

    def breaker_elsewhere(self, name: str, state: State | None) -> None:
        """Show a breaker that another process has among ours, until its state isn't known any more."""
        self._resilience.elsewhere(name, state)

    def bulkhead(self, name: str, limit: int) -> Bulkhead:
        """The bulkhead of that name."""
        return self._resilience.bulkhead(name, limit)

    def database(self, url: SecretStr | None, *, migrations: str) -> "Database":
        """The database of this service; it isn't ready before that answers.

        ``migrations`` is the package whose migrations it has. On SQLite they are run at the start; on Postgres
        ``python -m chassis migrate`` has done so before.
        """
        from chassis.database import Database

        database = Database(
            url,
            migrations=migrations,
            application=self._settings.pod,
            connections=self._settings.database_connections,
        )
        self._telemetry.instrument_database(database.engine)
        self._databases.append(database)
        return database

    def outbox(self, database: "Database") -> "Outbox":
        """Where this service puts its events. They leave by a relay, if there is a broker."""
        from chassis.outbox import Outbox
        from chassis.relay import Relay

        if not self.broker.enabled:
            return Outbox()
        relay = Relay(database, self.broker, share=self.share, registry=self._metrics.registry)
        self.background("outbox relay", relay.run, until="end")
        return Outbox(relay.wake)

    def consume(  # noqa: PLR0913 - what a consumer can be told
        self,
        name: str,
        subjects: Sequence[str],
        handler: "Handler",
        *,
        deliveries: int = 5,
        pending: int = 64,
        workers: int = 8,
    ) -> None:
        """Handle events: at least once, ``workers`` at a time here and ``pending`` in all processes of the service.

        What an exception of the handler leads to, and ``deliveries``: see ``chassis.consumers``. The name is for good:
        the broker remembers by it what was handled. Other subjects are another consumer.
        """
        from chassis.consumers import Consumption
        from chassis.consuming import Consumer

        what = Consumption(name, subjects, handler, deliveries=deliveries, pending=pending, workers=workers)
        consumer = Consumer(
            what,
            broker=self.broker,
            share=self.share,
            metrics=self._message_metrics,
            telemetry=self._telemetry,
        )
        self.background(f"consumer {name}", consumer.run)

    def every(self, name: str, seconds: float, job: Job) -> None:
        """Do this about every so many seconds, in each process of the service. See ``chassis.schedule``."""
        schedule = Schedule(name, seconds, job, share=self.share, metrics=self._schedule_metrics)
        self.background(f"schedule {name}", schedule.run)

    def background(self, name: str, run: Run, *, until: Until = "drain") -> None:
        """Do this beside the requests, until the drain begins or until the last request is over.

        ``run`` gets an event that is set when it shall end, and is given what is left of the drain to finish. When it
        ends before, or with an error, the process ends.
        """
        self._background.add(name, run, until=until)

    def offer(self, *routers: APIRouter) -> None:
        """Serve these routes. Routers name full paths, which is how they stand in logs and metrics."""
        for router in routers:
            self._api.include_router(router)

    def asgi(self) -> ASGIApp:
        """The service as an ASGI application, with nothing more to offer: routes are tried in their order."""
        self.offer(endpoints.platform(self._lifecycle, self._metrics))
        app = Inbound(
            self._api,
            settings=self._settings,
            lifecycle=self._lifecycle,
            metrics=self._metrics,
            telemetry=self._telemetry,
        )
        port = self._settings.platform_port
        return app if port is None else Door(app, port)

    def run(self) -> None:
        """Serve until the process is asked to end."""
        server.run(self.asgi(), self._settings, self._lifecycle)

    @asynccontextmanager
    async def _lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        opening = asyncio.create_task(self._open())
        opening.add_done_callback(self._opened)
        await asyncio.wait({opening}, timeout=_OPENING_SECONDS)
        yield
        opening.cancel()
        await asyncio.wait({opening})
        await self._background.end()
        if self._uses_broker:
            await self.broker.close()
        for upstream in self._upstreams:
            await upstream.close()
        for database in self._databases:
            await database.close()
        await asyncio.to_thread(self._telemetry.shutdown)

    async def _open(self) -> None:
        """Become ready once everything that requests need is there."""
        for database in self._databases:
            await database.open()
        if self._uses_broker:
            await self.broker.open()
        self._background.start()
        self._lifecycle.start()

    @property
    def _uses_broker(self) -> bool:
        return "broker" in vars(self)

    def _opened(self, opening: asyncio.Task[None]) -> None:
        if not opening.cancelled() and (error := opening.exception()) is not None:
            _log.critical("the database can't be used, and the process ends", exc_info=error)
            self._lifecycle.fail()
