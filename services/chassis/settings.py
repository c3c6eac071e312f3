"""Settings of a service: all of them from environment variables, checked once, before anything is opened.

A wrong variable ends the process with its name, its value and the remedy on one line, which is what a person sees who
reads the log of a pod that doesn't start.
"""

import socket
import sys
from typing import Literal, NoReturn, TypeVar

from pydantic import AliasChoices, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from chassis.durations import Duration
from chassis.fault import FaultText


class Settings(BaseSettings):
    """What every service can be told. A service adds its own by inheriting. Defaults of durations are in seconds."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, validate_default=False)

    service: str = Field(validation_alias="SEATRIAL_SERVICE")
    revision: str = Field("0", validation_alias="SEATRIAL_REVISION")
    pod: str = Field(default_factory=socket.gethostname, validation_alias="POD_NAME")
    namespace: str = Field("default", validation_alias="POD_NAMESPACE")

    host: str = "0.0.0.0"  # noqa: S104 - in a pod the sidecar is the only one that gets here
    port: int = Field(8080, ge=0, le=65535)
    listen_fd: int | None = Field(None, ge=3)
    """A socket that listens already, handed over by who started the process: used instead of host and port."""
    platform_port: int | None = Field(None, ge=0, le=65535)
    """Where probes and metrics are asked for, from everywhere, if the service itself listens on loopback."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    request_timeout: Duration = 15.0
    """Most time that a request may take with all calls it makes; callers can ask for less."""
    keep_alive: Duration = 3900.0
    """Longer than the hour after which a sidecar drops an idle connection: the side that sends requests must be the one
    that closes, else it writes into a connection that is going away and the request is lost."""
    max_body: int = Field(256 * 1024, gt=0)
    """Bytes of a request's body."""

    shutdown_settle: Duration = 5.0
    """Least time to go on serving after SIGTERM, while callers learn that this pod is leaving."""
    shutdown_drain: Duration = 25.0
    """Most time between SIGTERM and the end."""

    database_url: SecretStr | None = None
    """``postgresql+asyncpg://role:password@host/database``; without it a SQLite database in memory."""
    database_connections: int = Field(8, ge=1)
    """Connections to Postgres, and so transactions at a time, of this process."""
    broker_url: str | None = None
    """``nats://host:4222``; without it no events leave or arrive."""

    breaker_failures: int = Field(5, ge=1)
    """So many failures of an endpoint within ``breaker_within`` open its circuit breaker."""
    breaker_within: Duration = Field(10.0, gt=0)
    breaker_open_for: Duration = Field(60.0, gt=0)
    """So long an open breaker refuses calls before it lets a probe pass."""
    breaker_successes: int = Field(3, ge=1)
    """So many probes in a row that went well close it."""

    faults: Literal["enabled", "disabled"] = "disabled"
    """Whether callers may ask for delays and errors by header, and ``FAULT`` counts: in tests only."""
    fault: FaultText | None = None
    """What every request of this pod meets, probes apart, while faults are enabled: ``abort=500;percent=30``."""

    otlp_endpoint: str | None = Field(
        None, validation_alias=AliasChoices("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
    )
    """Where traces go; without it none leave the process. The exporter reads the same variables itself."""

    @property
    def served_by(self) -> str:
        """This process as it stands in ``x-served-by``."""
        return f"{self.service};revision={self.revision};pod={self.pod}"


SettingsT = TypeVar("SettingsT", bound=Settings)


def load(kind: type[SettingsT]) -> SettingsT:
    """Read the settings from the environment, or end the process with what is wrong and how to mend it."""
    try:
        return kind()
    except ValidationError as error:
        _refuse(kind, error)


def _refuse(kind: type[Settings], error: ValidationError) -> NoReturn:
    for problem in error.errors():
        name = str(problem["loc"][0])
        alias = kind.model_fields[name].validation_alias if name in kind.model_fields else None
        variable = alias if isinstance(alias, str) else name.upper()
        given = "" if problem["type"] == "missing" else f"={problem['input']!r}"
        sys.stderr.write(f"environment variable {variable}{given}: {problem['msg']}\n")
    sys.exit(2)
