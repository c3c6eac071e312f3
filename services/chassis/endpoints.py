"""Endpoints that every service has: health and metrics for the platform, and who it thinks is calling."""

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse, Response
from pydantic import BaseModel, Field

from chassis import context, metrics
from chassis.lifecycle import Lifecycle
from chassis.metrics import Metrics
from chassis.problems import Problem
from chassis.settings import Settings


def platform(lifecycle: Lifecycle, numbers: Metrics) -> APIRouter:
    """``/livez``, ``/readyz`` and ``/metrics``: not part of the API, so not in its OpenAPI document."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/livez")
    async def read_liveness() -> Response:
        """The event loop turns: that is all a restart could mend, so it asks for nothing else."""
        return PlainTextResponse("ok\n")

    @routes.get("/readyz")
    async def read_readiness() -> Response:
        """Whether to send requests here. Other services aren't asked: their outage must not take this one away too."""
        if not lifecycle.started:
            problem = Problem(503, "This process waits for its database.", kind="starting")
            return problem.response("/readyz")
        if not lifecycle.ready:
            return Problem(503, "This process is ending; another one takes over.", kind="ending").response("/readyz")
        return PlainTextResponse("ok\n")

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        """Metrics in the text format of Prometheus."""
        return Response(numbers.render(), media_type=metrics.CONTENT_TYPE)

    return routes


class Identity(BaseModel):
    """Who answered, and whom it saw calling."""

    service: str = Field(description="The service that answers.")
    revision: str
    pod: str
    namespace: str
    caller: str | None = Field(description="SPIFFE ID of the caller as its certificate says; null outside the mesh.")


def identity(settings: Settings) -> APIRouter:
    """``GET /v1/identity``: shows which identity mutual TLS proved to this service."""
    routes = APIRouter(tags=["identity"])

    @routes.get("/v1/identity")
    async def read_identity() -> Identity:
        """Tell who is calling."""
        request = context.current()
        return Identity(
            service=settings.service,
            revision=settings.revision,
            pod=settings.pod,
            namespace=settings.namespace,
            caller=request.caller if request else None,
        )

    return routes
