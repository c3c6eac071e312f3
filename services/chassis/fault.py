"""What a fault is, as people write it: ``delay=500ms;abort=503``, in a header or in the environment of a pod."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Self

from pydantic import BeforeValidator
from pydantic_settings import NoDecode

from chassis.durations import seconds

_EXAMPLE: Final = "write it like delay=500ms, abort=503, abort=500;percent=30 or abort=503;once=my-key"
_PERCENT: Final = re.compile(r"\d{1,3}(\.\d{1,6})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fault:
    """Seconds of delay, a status to fail with, a key under which only the first try fails, a share of the requests."""

    delay: float = 0.0
    abort: int | None = None
    once: str | None = None
    percent: float = 100.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read it. Raises ``ValueError`` with the remedy."""
        parts: dict[str, str] = {}
        for part in text.split(";"):
            key, _, value = part.strip().partition("=")
            if key not in ("delay", "abort", "once", "percent") or not value or key in parts:
                raise ValueError(f"{part.strip()!r} isn't understood as a fault: {_EXAMPLE}")
            parts[key] = value
        abort, percent = parts.get("abort"), parts.get("percent", "100")
        if abort is not None and not (abort.isdecimal() and 400 <= int(abort) <= 599):
            raise ValueError(f"abort={abort} isn't an error status from 400 to 599: {_EXAMPLE}")
        if not (_PERCENT.fullmatch(percent) and 0 < float(percent) <= 100):
            raise ValueError(f"percent={percent} isn't a share of requests, above 0 and up to 100: {_EXAMPLE}")
        if "once" in parts and abort is None:
            raise ValueError(f"once needs an abort beside it: {_EXAMPLE}")
        if "percent" in parts and abort is None and "delay" not in parts:
            raise ValueError(f"percent needs an abort or a delay beside it: {_EXAMPLE}")
        return cls(
            delay=seconds(parts["delay"]) if "delay" in parts else 0.0,
            abort=int(abort) if abort is not None else None,
            once=parts.get("once"),
            percent=float(percent),
        )

    def strikes(self, draw: float) -> bool:
        """Whether a request is among the share, by a number drawn from 0 up to, but without, 1."""
        return 100 * draw < self.percent


def _read(text: object) -> object:
    return Fault.parse(text) if isinstance(text, str) else text


FaultText = Annotated[Fault, NoDecode, BeforeValidator(_read)]
"""A setting that is a fault, read from its text, which isn't JSON."""
