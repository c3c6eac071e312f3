"""Writes a run's record while it goes on, and watches the generator that makes the run (gevent)."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import gevent

from loadtests import record
from loadtests.instant import Instant

_BEAT = 0.05  # seconds between two looks at how late the event loop is


class Recorder:
    """One record file, there as soon as the recorder is. Times given to it are `time.monotonic()`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", buffering=1)  # a line is readable as soon as it is written
        self._watch: gevent.Greenlet[..., None] | None = None
        self._began = 0.0
        self._sent = 0
        self._since = self._used = self._worst = 0.0

    def begin(self, began: Instant, about: Mapping[str, object]) -> None:
        """Write the header, and watch the generator from now on. Times in the file are relative to `began`."""
        self._began = began.monotonic
        self._file.write(record.header_line(began.unix, about))
        self._since, self._used = time.monotonic(), time.process_time()
        self._watch = gevent.spawn(self._watch_itself)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(whole=error is None)

    def close(self, *, whole: bool = True) -> None:
        """End the record; without an end line it doesn't count as finished."""
        if self._file.closed:
            return
        if self._watch is not None:
            self._watch.kill()
            self._sample()
        if whole:
            self._file.write(record.end_line(at=self._now(), sent=self._sent))
        self._file.close()

    def request(  # noqa: PLR0913 - the columns of a row
        self,
        *,
        number: int,
        name: str,
        intended: float,
        started: float,
        ended: float,
        status: int,
        error: str,
        chain: str,
    ) -> None:
        """Record a request that is over. After the end of the record nothing is written any more."""
        if self._file.closed:
            return
        self._sent += 1
        self._file.write(
            record.request_line(
                number=number,
                name=name,
                offset=intended - self._began,
                lag=started - intended,
                latency=ended - intended,
                status=status,
                error=error,
                chain=chain,
            )
        )

    def _watch_itself(self) -> None:
        """Take a sample a second. The loop's own lateness shows a starved generator between arrivals too."""
        while True:
            now = time.monotonic()
            gevent.sleep(_BEAT)
            self._worst = max(self._worst, time.monotonic() - now - _BEAT)
            if now - self._since >= 1:
                self._sample()

    def _sample(self) -> None:
        """Write down how the time since the last sample was."""
        now, used = time.monotonic(), time.process_time()
        cpu = (used - self._used) / max(now - self._since, _BEAT)
        self._file.write(record.sample_line(at=self._now(), cpu=cpu, lag=self._worst))
        self._since, self._used, self._worst = now, used, 0.0

    def _now(self) -> float:
        return time.monotonic() - self._began
