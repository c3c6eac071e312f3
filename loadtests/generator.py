"""Open arrival: every visit begins when it is due, whatever became of those before it (gevent).

The arrival times are laid down beforehand (`arrivals`). A visit that begins late counts from when it was due, and its
lateness is in the record; so neither a slow target nor a slow generator can make latencies look better than they were.
"""

import time
from collections.abc import Callable, Iterator

import gevent
from gevent.event import Event
from gevent.pool import Pool

from loadtests.visitor import Ended, Visitor

Journey = Callable[[Visitor], object]
Welcome = Callable[[int, float], Visitor]  # number of the arrival, when it was due (monotonic) -> a new user


class OpenArrival:
    """One run of a list of arrivals: pairs of number and offset in seconds from `began` (monotonic time)."""

    def __init__(
        self,
        arrivals: Iterator[tuple[int, float]],
        *,
        began: float,
        welcome: Welcome,
        journey: Journey,
        most_at_once: int,
    ) -> None:
        self._arrivals = arrivals
        self._began = began
        self._welcome = welcome
        self._journey = journey
        self._visits = Pool(most_at_once)
        self._stopping = Event()
        self._crash: BaseException | None = None

    def run(self) -> None:
        """Begin every visit when it is due, and wait for the last one to end; what a journey raised is raised."""
        for number, offset in self._arrivals:
            due = self._began + offset
            if not self._wait_until(due):
                break
            visit = self._visits.spawn(self._visit, number, due)
            visit.link_exception(self._crashed)
        self._visits.join()
        if self._crash is not None:
            raise self._crash

    def stop(self) -> None:
        """Let no further visit begin; those under way end by themselves."""
        self._stopping.set()

    def _wait_until(self, due: float) -> bool:
        """Wait, and say whether the run goes on. Lets the visits have their turn also when we are late."""
        while (left := due - time.monotonic()) > 0:
            if self._stopping.wait(left):
                return False
        gevent.sleep(0)
        return not self._stopping.is_set()

    def _visit(self, number: int, due: float) -> None:
        try:
            self._journey(self._welcome(number, due))
        except Ended:
            return

    def _crashed(self, visit: "gevent.Greenlet[..., None]") -> None:
        self._crash = visit.exception
        self.stop()
