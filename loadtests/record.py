"""What a run was: each request as it went, at full precision, and the generator's own condition beside it.

A record file is JSON lines, written while the run goes on and readable at any moment: a header, then a list a request
and an object a second about the generator, at last an end. Nothing is summed up or put into buckets, so that records of
several workers merge without loss and every question can still be asked afterwards. Pure but for reading files.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from loadtests.bounds import ALPHA, Bound, binomial_bound, percentile
from loadtests.served_by import Hop, parse

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Request:
    """One request. Times are seconds; `intended` is Unix time.

    `latency` counts from the intended start, so what waited because of earlier answers isn't left out (no coordinated
    omission); `lag` is the part of it that the generator itself was late.
    """

    number: int
    name: str
    intended: float
    lag: float
    latency: float
    status: int
    error: str = ""
    served_by: tuple[Hop, ...] = ()

    @property
    def started(self) -> float:
        """When the generator began to send it, Unix time."""
        return self.intended + self.lag

    @property
    def ended(self) -> float:
        """When its answer was read to the end, or given up, Unix time."""
        return self.intended + self.latency

    @property
    def lost(self) -> bool:
        """A user got nothing for it: no whole answer (refused, reset, cut off, timed out: status 0), or a 5xx."""
        return self.status == 0 or self.status >= 500

    @property
    def failed(self) -> bool:
        """Lost, or answered wrongly; `error` says how."""
        return bool(self.error) or self.lost

    def revision_of(self, service: str) -> int | None:
        """Revision of the service that took part in the answer, the first one if several calls were made."""
        return next((hop.revision for hop in self.served_by if hop.service == service), None)


@dataclass(frozen=True, slots=True)
class Sample:
    """A second of a worker's life: share of one CPU that it used, and how late it was at worst, in seconds."""

    at: float
    cpu: float
    lag: float
    worker: int = 0


@dataclass(frozen=True)
class Split:
    """Calls that a service took, by revision."""

    service: str
    counts: Mapping[int, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """Calls to all revisions."""
        return sum(self.counts.values())

    def percent(self, revision: int) -> float:
        """Share of a revision; 0 without calls."""
        return 100 * self.counts.get(revision, 0) / self.total if self.total else 0.0

    def bound(self, percent: float, alpha: float = ALPHA) -> Bound:
        """Counts that a revision with this share of the traffic gets, but for a chance of `alpha`."""
        return binomial_bound(self.total, percent / 100, alpha)

    def fits(self, revision: int, percent: float, alpha: float = ALPHA) -> bool:
        """Whether the revision's count can be told from that share. Without calls nothing fits."""
        return self.total > 0 and self.counts.get(revision, 0) in self.bound(percent, alpha)


@dataclass(frozen=True)
class Recording:
    """A run, or a part of one: requests in the order of their intended starts."""

    requests: tuple[Request, ...] = ()
    samples: tuple[Sample, ...] = ()
    finished: bool = False

    @property
    def total(self) -> int:
        """Requests that are over; those still under way are recorded when they end."""
        return len(self.requests)

    @cached_property
    def lost(self) -> tuple[Request, ...]:
        """Requests without a whole answer, or answered with 5xx."""
        return tuple(r for r in self.requests if r.lost)

    @cached_property
    def failed(self) -> tuple[Request, ...]:
        """Lost requests and wrong answers."""
        return tuple(r for r in self.requests if r.failed)

    @property
    def failures(self) -> Counter[str]:
        """How often each kind of failure was seen."""
        return Counter(f"{r.name}: {r.error or r.status}" for r in self.failed)

    @property
    def seconds(self) -> float:
        """From the first intended start to the last answer."""
        return max(r.ended for r in self.requests) - self.requests[0].intended if self.requests else 0.0

    def between(self, start: float, end: float) -> Self:
        """The part that lies in a window of Unix times: requests sent at `start` or later and over by `end`."""
        return type(self)(
            tuple(r for r in self.requests if r.started >= start and r.ended <= end),
            tuple(s for s in self.samples if start <= s.at <= end),
            self.finished,
        )

    def named(self, name: str) -> Self:
        """The requests of one name."""
        return type(self)(tuple(r for r in self.requests if r.name == name), self.samples, self.finished)

    def split(self, service: str) -> Split:
        """How the calls to a service were divided between its revisions, by what the answers say."""
        return Split(
            service, Counter(hop.revision for r in self.requests for hop in r.served_by if hop.service == service)
        )

    def percentile(self, percent: float) -> float:
        """Latency in seconds that this percentage of requests didn't exceed; `ValueError` without requests.

        A request that was lost counts with the time its user waited.
        """
        return percentile([r.latency for r in self.requests], percent)


class Reader:
    """Reads a record file while it is written: `poll` takes in what is new."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.begun = False
        self.finished = False
        self.requests: list[Request] = []
        self.samples: list[Sample] = []
        self._position = 0
        self._started = 0.0
        self._worker = 0

    def poll(self) -> None:
        """Read the lines that were completed since the last call. A file that isn't there yet is empty."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(self._position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self._position += len(line)
                self._take(json.loads(line))

    def recording(self) -> Recording:
        """All that was read so far."""
        return merge([Recording(tuple(self.requests), tuple(self.samples), self.finished)])

    def _take(self, entry: Any) -> None:  # noqa: ANN401 - a line of JSON
        if isinstance(entry, list):
            number, name, offset, lag, latency, status, error, chain = entry
            hops = parse(chain)
            self.requests.append(Request(number, name, self._started + offset, lag, latency, status, error, hops))
        elif "cpu" in entry:
            self.samples.append(Sample(self._started + entry["at"], entry["cpu"], entry["lag"], self._worker))
        elif "end" in entry:
            self.finished = True
        elif entry.get("format") == FORMAT:
            self._started = entry["started"]
            self._worker = entry.get("worker", 0)
            self.begun = True
        else:
            raise ValueError(f"{self.path} isn't a record of format {FORMAT}: {entry}")


def read(*paths: Path) -> Recording:
    """Read the record files of a run's workers and merge them."""
    readers = [Reader(path) for path in paths]
    for reader in readers:
        reader.poll()
    return merge(reader.recording() for reader in readers)


def merge(parts: Iterable[Recording]) -> Recording:
    """Put the records of several workers together; it is finished when all of them are."""
    parts = list(parts)
    return Recording(
        tuple(sorted((r for part in parts for r in part.requests), key=lambda r: (r.intended, r.number, r.ended))),
        tuple(sorted((s for part in parts for s in part.samples), key=lambda s: s.at)),
        bool(parts) and all(part.finished for part in parts),
    )


def header_line(started: float, about: Mapping[str, object]) -> str:
    """First line of a record: Unix time of the beginning, which all other times are relative to, and what is run."""
    return json.dumps({"format": FORMAT, "started": started, **about}) + "\n"


def request_line(  # noqa: PLR0913 - the columns of a row
    *, number: int, name: str, offset: float, lag: float, latency: float, status: int, error: str, chain: str
) -> str:
    """A request; `offset` is its intended start in seconds from the beginning, `chain` the header as it came."""
    return json.dumps([number, name, offset, lag, latency, status, error, chain]) + "\n"


def sample_line(*, at: float, cpu: float, lag: float) -> str:
    """A second of the generator, `at` seconds from the beginning."""
    return json.dumps({"at": at, "cpu": cpu, "lag": lag}) + "\n"


def end_line(*, at: float, sent: int) -> str:
    """The last line: nothing is under way any more."""
    return json.dumps({"end": at, "sent": sent}) + "\n"
