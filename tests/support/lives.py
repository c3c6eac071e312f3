"""The operator, alive again as soon as it is dead: a program that has loaded all of it once, and forks life after life.

It says the process id of each life on a line of its standard output. SIGTERM ends the present one, and it.
"""

import os
import signal

from seatrial.control.main import run_operator

ENDS = {signal.SIGTERM}


class Lives:
    """One after the other, until it is over."""

    def __init__(self) -> None:
        self._over = False
        self._present = 0

    def live(self) -> None:
        """Return after SIGTERM, when the last one has ended."""
        signal.signal(signal.SIGTERM, self._end)
        while not self._over:
            signal.pthread_sigmask(signal.SIG_BLOCK, ENDS)
            self._present = os.fork()
            if not self._present:
                _be_operator()
            signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
            os.write(1, f"{self._present}\n".encode())
            os.waitpid(self._present, 0)
            self._present = 0

    def _end(self, *_: object) -> None:
        self._over = True
        if self._present:  # 0 would mean everybody
            os.kill(self._present, signal.SIGTERM)


def _be_operator() -> None:
    """What it logs goes where errors go; it exits by itself."""
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDS)
    run_operator()


if __name__ == "__main__":
    Lives().live()
