"""Watching an object: every state it went through, none missed between two looks.

A phase of a rollout may last less than a poll, and the time since which a weight was verified is overwritten by the
next step; a watch has them all.
"""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO, Self

from support.kubectl import Kubectl, Object


class Watch:
    """States of one object as `kubectl get --watch` tells of them, from `__enter__` to `__exit__`.

    The object needn't be there yet. `seen` has its states in their order, the present one first. A watch that the API
    server ended is begun again, so that it outlives a restart; the same state may then come twice.
    """

    def __init__(self, kubectl: Kubectl, kind: str, name: str) -> None:
        only = f"--field-selector=metadata.name={name}"
        self._argv = kubectl.argv("get", kind, only, "--watch", "-o", "json")
        self._process: subprocess.Popen[str] | None = None
        self._news = threading.Condition()
        self._stopped = False
        self._reader = threading.Thread(target=self._read, daemon=True, name=f"watch {kind}")
        self.seen: list[Object] = []

    def __enter__(self) -> Self:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped = True
        if self._process is not None:
            self._process.kill()
        self._reader.join(timeout=10)

    def until(self, happened: Callable[[Object], object], *, within: float, what: str = "") -> Object:
        """Wait for a state, and give the first one that fits; those seen before the call count too."""
        deadline = time.monotonic() + within
        looked = 0
        with self._news:
            while True:
                for state in self.seen[looked:]:
                    if happened(state):
                        return state
                looked = len(self.seen)
                left = deadline - time.monotonic()
                if left <= 0:
                    last = json.dumps(self.seen[-1].get("status", {})) if self.seen else "nothing"
                    raise AssertionError(f"{what or 'the state'}: not within {within:g} s; last seen: {last}")
                self._news.wait(left)

    def _read(self) -> None:
        while not self._stopped:
            with subprocess.Popen(
                self._argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as self._process:
                if self._process.stdout is not None:
                    for state in _objects(self._process.stdout):
                        with self._news:
                            self.seen.append(state)
                            self._news.notify_all()
            if not self._stopped:
                time.sleep(0.2)  # not to hammer an API server that is restarting


def _objects(stream: IO[str]) -> Iterator[Object]:
    """JSON objects that stand one after the other, each as soon as its closing line is there."""
    text = ""
    for line in stream:
        text += line
        if line.rstrip("\n") == "}":
            yield json.loads(text)
            text = ""
