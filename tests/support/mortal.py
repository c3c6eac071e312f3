"""A consumer that some messages kill, as one dies whose handler runs out of memory or into a fault of C code.

``python -m support.mortal URL JOURNAL`` starts it anew whenever it has died, as a kubelet does, until it is ended
itself. Each life is a fork of a process that has everything loaded, so it begins at once, and what the last one had in
hand comes again after a second: no test waits for ten. The journal has a line for each event that was handled, and one
for each death.
"""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from unittest.mock import patch

from chassis import consuming
from chassis.events import Envelope
from support.messaging import Worker

DEADLY = "deadly"
DIED = "died"


@dataclass(frozen=True)
class Address:
    """Where the broker is."""

    url: str


@contextmanager
def mortal(url: str, journal: Path) -> Iterator[None]:
    """Have it alive, again and again, in this block."""
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-m", "support.mortal", url, str(journal)]
    with subprocess.Popen(command, env=env, start_new_session=True) as kubelet:
        try:
            yield
        finally:
            os.killpg(kubelet.pid, signal.SIGKILL)


def _live_again_and_again(url: str, journal: Path) -> None:
    while True:
        if not (life := os.fork()):
            with patch.multiple(consuming, ACK_WAIT=1.0, _TEND_EVERY=0.25):
                asyncio.run(_consume(url, journal))
        os.waitpid(life, 0)
        _write(journal, DIED)


async def _consume(url: str, journal: Path) -> None:
    worker = Worker(Address(url), service="mortal")
    await worker.broker.open()
    await worker.consumer(partial(_handle, journal)).run(asyncio.Event())


async def _handle(journal: Path, envelope: Envelope) -> None:
    if envelope.payload["reason"] == DEADLY:
        os.kill(os.getpid(), signal.SIGKILL)
    _write(journal, envelope.event_id)


def _write(journal: Path, line: str) -> None:
    with journal.open("a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")


if __name__ == "__main__":
    _live_again_and_again(sys.argv[1], Path(sys.argv[2]))
