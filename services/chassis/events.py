"""Events: what a service tells others has happened, in one envelope, checked against the catalogue of schemas.

Whatever is an ``Envelope`` carries a payload that its schema allows: the check is part of making one, so it holds for
who sends and for who reads, and nobody can forget it. A reader that meets a version newer than it knows reads it by
the newest that it knows, for schemas only grow (``chassis.schemas``).
"""

from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, Self

import jsonschema_rs
from opentelemetry import trace
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from chassis import context
from chassis.ids import new_id
from chassis.schemas import CATALOGUE

_TRACE_CONTEXT: Final = TraceContextTextMapPropagator()
_JSON: Final = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True)


class MalformedError(ValueError):
    """These bytes are no event that anyone here could read, today or on a later try."""


class Metadata(BaseModel):
    """Where an event stands among others."""

    model_config = _JSON

    correlation_id: str
    """The same for everything that follows from one request of a user."""
    causation_id: str
    """The event that this one follows from, or the request."""
    user_id: str | None = None
    traceparent: str | None = None
    """The span in which it happened, as W3C writes it: spans of whoever handles the event link to that one."""
    sequence: int | None = None
    """Counts the events of one aggregate: a reader who gets them out of order can tell."""


class Envelope(BaseModel):
    """One event."""

    model_config = _JSON

    event_id: str = Field(min_length=1)
    event_type: str
    event_version: int = Field(ge=1)
    timestamp: AwareDatetime
    metadata: Metadata
    payload: dict[str, Any]

    @model_validator(mode="after")
    def _payload_keeps_the_schema(self) -> Self:
        _check(self.event_type, self.event_version, self.payload)
        return self

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read an event. Raises ``MalformedError`` with all that is wrong."""
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            faults = (f"{'.'.join(map(str, one['loc'])) or 'event'}: {one['msg']}" for one in error.errors())
            raise MalformedError("; ".join(faults)) from error

    def to_bytes(self) -> bytes:
        """The event as it travels: JSON in camelCase."""
        return self.model_dump_json(by_alias=True).encode()

    @property
    def subject(self) -> str:
        """Where it is published: ``shop.orders.OrderPlaced``."""
        return subject(self.event_type)

    @property
    def span_context(self) -> trace.SpanContext | None:
        """The span in which it happened, if that was told."""
        if self.metadata.traceparent is None:
            return None
        happened = _TRACE_CONTEXT.extract({"traceparent": self.metadata.traceparent})
        found = trace.get_current_span(happened).get_span_context()
        return found if found.is_valid else None


def event(
    event_type: str,
    payload: dict[str, Any],
    *,
    cause: Envelope | None = None,
    version: int = 1,
    user: str | None = None,
) -> Envelope:
    """Say that something has happened now, because of ``cause`` or of the request that is being served.

    Raises ``ValueError`` when the payload isn't what the schema of this version asks for.
    """
    request = context.current()
    identity = new_id()
    correlation = cause.metadata.correlation_id if cause else request.request_id if request else identity
    carrier: dict[str, str] = {}
    _TRACE_CONTEXT.inject(carrier)
    return Envelope(
        event_id=identity,
        event_type=event_type,
        event_version=version,
        timestamp=datetime.now(UTC),
        metadata=Metadata(
            correlation_id=correlation,
            causation_id=cause.event_id if cause else correlation,
            user_id=user or (cause.metadata.user_id if cause else None),
            traceparent=carrier.get("traceparent"),
        ),
        payload=payload,
    )


def subject(event_type: str) -> str:
    """Where events of a type are published: each type has one producer, which the catalogue names."""
    return f"shop.{CATALOGUE.producer(event_type)}.{event_type}"


def _check(event_type: str, version: int, payload: dict[str, Any]) -> None:
    try:
        validator = _validator(event_type, min(version, CATALOGUE.newest(event_type)))
    except LookupError as error:
        raise ValueError(str(error)) from error
    faults = [f"payload{_path(error)}: {error.message}" for error in validator.iter_errors(payload)]
    if faults:
        raise ValueError(f"{event_type} v{version}: " + "; ".join(faults))


@cache
def _validator(event_type: str, version: int) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(dict(CATALOGUE.reader(event_type, version)))


def _path(error: jsonschema_rs.ValidationError) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in error.instance_path)
