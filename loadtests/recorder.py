"""Writes a run's record while it goes on, and watches the generator that makes the run (gevent)."""

import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import gevent

from loadtests import record

_BEAT = 0.05  # seconds between two looks at how late the event loop is


class Recorder:
    """One record file, there as soon as the recorder is. Times given to it are `time.monotonic()`."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8", buffering=1)  # a line is readable as soon as it is written
        self._watch: gevent.Greenlet[..., None] | None = None
        self._began = 0.0
        self._sent = 0

    def begin(self, began: float, about: Mapping[str, object]) -> None:
        """Write the header, and watch the generator from now on. Times in the file are relative to `began`."""
        self._began = began
        self._file.write(record.header_line(time.time() + began - time.monotonic(), about))
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
            since, used, worst = time.monotonic(), time.process_time(), 0.0
            while (now := time.monotonic()) - since < 1:
                gevent.sleep(_BEAT)
                worst = max(worst, time.monotonic() - now - _BEAT)
            cpu = (time.process_time() - used) / (now - since)
            self._file.write(record.sample_line(at=self._now(), cpu=cpu, lag=worst))

    def _now(self) -> float:
        return time.monotonic() - self._began
