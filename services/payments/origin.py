"""Whose wish a charge goes back to: kept with work that is done later, so that its events still tell the click."""

from dataclasses import asdict, dataclass
from typing import Any, Self

from chassis import context
from chassis.events import Envelope, event


@dataclass(frozen=True, slots=True)
class Origin:
    """The request or the event that something follows from."""

    correlation: str
    causation: str
    user: str | None = None
    traceparent: str | None = None

    @classmethod
    def of_request(cls) -> Self:
        """The request that is being served. Raises ``LookupError`` outside of one."""
        request = context.current()
        if request is None:
            raise LookupError("no request is being served")
        return cls(request.request_id, request.request_id)

    @classmethod
    def of_event(cls, cause: Envelope) -> Self:
        """An event of another service."""
        told = cause.metadata
        return cls(told.correlation_id, cause.event_id, told.user_id, told.traceparent)

    @classmethod
    def read(cls, content: dict[str, Any]) -> Self:
        """From where ``as_dict`` was kept."""
        return cls(**content)

    def as_dict(self) -> dict[str, Any]:
        """For a column of JSON."""
        return asdict(self)

    def event(self, event_type: str, payload: dict[str, Any]) -> Envelope:
        """Say that something has happened now that goes back to this."""
        told = event(event_type, payload)
        metadata = told.metadata.model_copy(
            update={
                "correlation_id": self.correlation,
                "causation_id": self.causation,
                "user_id": self.user,
                "traceparent": told.metadata.traceparent or self.traceparent,
            }
        )
        return told.model_copy(update={"metadata": metadata})
