"""Prometheus' HTTP API, as much of it as evidence needs: one instant query, and its series with their samples.

A query that Prometheus refuses is the asker's mistake (`Misasked`); everything else that isn't an answer may be over at
the next look (`Unanswered`). Nothing here knows what the numbers mean.
"""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx2

from seatrial.evidence.ask import Unanswered

TIMEOUT = 2.0  # seconds for a whole answer
MOST_BYTES = 8 << 20  # of an answer: whoever may write a MeshService may not fill the operator's memory
_MISASKED = (400, 422)


class Misasked(Exception):  # noqa: N818 # named for what happened
    """Prometheus refuses the query, or its answer isn't one that counts can be taken from: asking again is no use."""


@dataclass(frozen=True)
class Series:
    """One series: its labels, and (seconds of Prometheus' clock, value), oldest first. There is one sample at least."""

    labels: Mapping[str, str]
    samples: tuple[tuple[float, float], ...]

    @property
    def newest(self) -> tuple[float, float]:
        """The last sample."""
        return self.samples[-1]


class PrometheusApi:
    """Asks any Prometheus; who may be asked is decided elsewhere."""

    def __init__(self, *, timeout: float = TIMEOUT) -> None:
        limits = httpx2.Limits(max_connections=32, max_keepalive_connections=16)
        self._client = httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False)
        self._timeout = timeout

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def query(self, address: str, expression: str) -> list[Series]:
        """Evaluate an expression now. A scalar is a series without labels; raises `Misasked` or `Unanswered`.

        `address` is the part before ``/api/v1``, like ``http://prometheus.monitoring:9090``.
        """
        form = {"query": expression, "timeout": f"{self._timeout:g}s"}
        try:
            async with (
                asyncio.timeout(self._timeout),
                self._client.stream("POST", f"{address}/api/v1/query", data=form) as answer,
            ):
                code, body = answer.status_code, await _bounded(answer)
        except TimeoutError as error:
            raise Unanswered(f"no answer within {self._timeout:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        return _parsed(code, body)


@dataclass
class Asking:
    """The questions of one look to one Prometheus: what it refused, and why it gave no answer, are kept."""

    api: PrometheusApi
    address: str
    problems: set[str] = field(default_factory=set)
    unanswered: str = ""

    async def query(self, named: str, expression: str) -> list[Series] | None:
        """The series, None where there was no answer."""
        try:
            return await self.api.query(self.address, expression)
        except Misasked as error:
            self.refuse(named, str(error))
        except Unanswered as error:
            self.unanswered = str(error)
        return None

    def refuse(self, named: str, why: str) -> None:
        """Note what can't be answered: the name of a query, and the reason."""
        self.problems.add(f"{named} at {self.address}: {why}")


async def _bounded(answer: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MOST_BYTES:
            raise Misasked(f"the answer is larger than {MOST_BYTES >> 20} MiB")
    return bytes(body)


def _parsed(code: int, body: bytes) -> list[Series]:
    try:
        answer: dict[str, Any] = json.loads(body)
        status = answer["status"]
        if code == 200 and status == "success":
            return _series(answer["data"])
        said = str(answer["error"])
    except (ValueError, KeyError, TypeError) as error:
        raise Unanswered(f"answers {code}, and not as Prometheus does") from error
    raise Misasked(said) if code in _MISASKED else Unanswered(f"answers {code}: {said}")


def _series(data: Mapping[str, Any]) -> list[Series]:
    kind, result = data["resultType"], data["result"]
    if kind == "scalar":
        return [Series({}, (_sample(result),))]
    if kind == "vector":
        return [Series(one["metric"], (_sample(one["value"]),)) for one in result if "value" in one]
    if kind == "matrix":
        return [Series(one["metric"], tuple(map(_sample, one["values"]))) for one in result if one.get("values")]
    raise Misasked(f"the answer is a {kind}, not numbers")


def _sample(pair: tuple[float, str]) -> tuple[float, float]:
    return float(pair[0]), float(pair[1])
