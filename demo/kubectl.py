"""kubectl, as a user has it: JSON out, manifests in. Nothing here knows Seatrial."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import IO, Any, Self

Object = dict[str, Any]


class DemoError(Exception):
    """The demo can't go on: why, and what to do about it."""

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy


@dataclass(frozen=True)
class Kubectl:
    """kubectl on one context, in one namespace. What it refuses is a `DemoError` with its own words."""

    context: str
    namespace: str

    def __call__(self, *args: str, text: str | None = None, within: float = 60) -> str:
        """Run it with `text` as its input; gives its output."""
        try:
            done = subprocess.run(
                self.argv(*args), input=text, capture_output=True, text=True, timeout=within, check=False
            )
        except FileNotFoundError as error:
            raise DemoError("kubectl isn't on the PATH", "make demo, which brings it along") from error
        except subprocess.TimeoutExpired as error:
            raise DemoError(f"kubectl {args[0]} had no answer within {within:g} s", "make doctor") from error
        if done.returncode:
            said = " ".join((done.stderr.strip() or done.stdout.strip()).split())
            raise DemoError(f"kubectl {' '.join(args[:3])}: {said}", f"try it: {' '.join(self.argv(*args[:3]))}")
        return done.stdout

    def argv(self, *args: str) -> list[str]:
        """The whole command line."""
        return ["kubectl", "--context", self.context, "-n", self.namespace, *args]

    def get(self, kind: str, name: str) -> Object | None:
        """One object, or None."""
        answer = self("get", kind, name, "--ignore-not-found", "-o", "json")
        found: Object | None = json.loads(answer) if answer.strip() else None
        return found

    def apply(self, manifest: Mapping[str, Any]) -> None:
        """Apply one manifest."""
        self("apply", "-f", "-", text=json.dumps(manifest))

    def watch(self, kind: str) -> "Watch":
        """Follow the objects of a kind."""
        return Watch(self.argv("get", kind, "--watch", "-o", "json"))

    def until(self, kind: str, name: str, fits: Callable[[Object], bool], *, within: float) -> Object | None:
        """Wait for an object to fit; None when it didn't in time."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            found = self.get(kind, name)
            if found is not None and fits(found):
                return found
            time.sleep(0.5)
        return None


class Watch:
    """States of objects as they come, from `__enter__` to `__exit__`.

    Where the API server ends the watch it is begun again, so a state may come twice.
    """

    def __init__(self, argv: list[str]) -> None:
        self._argv = argv
        self._news: SimpleQueue[Object] = SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._process is not None:
            self._process.kill()
        self._thread.join(timeout=5)

    def next(self, within: float) -> Object | None:
        """The next state, or None when there is none in time."""
        try:
            return self._news.get(timeout=within)
        except Empty:
            return None

    def _read(self) -> None:
        while not self._stopped.is_set():
            with subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
            ) as self._process:
                if self._process.stdout is not None:
                    for found in objects(self._process.stdout):
                        self._news.put(found)
            self._stopped.wait(0.5)


def objects(stream: IO[str]) -> Iterator[Object]:
    """JSON objects that follow one another, each as soon as its last line is there."""
    text = ""
    for line in stream:
        text += line
        if line.rstrip() == "}":
            yield json.loads(text)
            text = ""
