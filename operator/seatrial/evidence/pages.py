"""Pages of proxies, shared by all services that ask the same proxy within a moment: one gateway calls them all.

A question costs a proxy work for every statistic that it has, whatever is asked for, so all hosts that anybody asked
for lately are in it.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field

from seatrial.evidence.ask import Ask, Pod
from seatrial.evidence.caller import When
from seatrial.evidence.envoy import STATS_PORT
from seatrial.evidence.figures import AWAY, HERE, Figures, Page, away_path, inbound_path, outbound_path, read

MOMENT = 0.45  # seconds for which a page is shared: less than half of what lies between two looks
REMEMBERED = 5.0  # seconds after which a host that nobody asks for any more is left out
TIDIED = 1.0  # seconds between two times that shelves nobody needs are cleared


@dataclass(frozen=True)
class Way:
    """How a page is asked for: in whose terms, and with how long requests took, which is most of it.

    Pages that are asked for in different ways are never mixed: what is on one and not on the other would seem to fall.
    """

    tcp: bool = False
    latency: bool = True


_NO_HOSTS = frozenset({HERE, AWAY})  # what is asked for on a page of its own


@dataclass(frozen=True)
class _Read:
    """A page with all its hosts."""

    when: When
    hosts: frozenset[str]
    figures: Mapping[str, Mapping[int, Figures]]
    uptime: float | None


@dataclass
class _Shelf:
    """Of one proxy, and one way to ask: who is asked for, the question under way, and the page of before."""

    asked_for: dict[str, float] = field(default_factory=dict)
    asking: "tuple[frozenset[str], asyncio.Task[_Read]] | None" = None
    read: _Read | None = None


class Pages:
    """Asks each proxy once a moment."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._shelves: dict[tuple[str, Way, str | None], _Shelf] = {}
        self._tidied = float("-inf")

    async def of(self, pod: Pod, host: str, now: float, way: Way) -> tuple[Page, When]:
        """What a proxy says of a host, of what came in (`HERE`) or of what its pod asked of others (`AWAY`).

        `now` is a monotonic clock in seconds.
        """
        if not 0 <= now - self._tidied < TIDIED:
            self._tidied = now
            self._forget_old(now)
        shelf = self._shelves.setdefault((pod.proxy, way, host if host in _NO_HOSTS else None), _Shelf())
        shelf.asked_for[host] = now
        found = shelf.read
        if found is None or host not in found.hosts or now - found.when.asked >= MOMENT:
            if shelf.asking is None or host not in shelf.asking[0]:
                hosts = frozenset(h for h, at in shelf.asked_for.items() if now - at < REMEMBERED)
                shelf.asking = hosts, asyncio.create_task(self._read(pod, shelf, hosts, now, way))
            found = await asyncio.shield(shelf.asking[1])
        return Page(found.figures.get(host, {}), found.uptime), found.when

    async def _read(self, pod: Pod, shelf: _Shelf, hosts: frozenset[str], now: float, way: Way) -> _Read:
        clock = asyncio.get_running_loop().time
        began = clock()
        try:
            body = await self._ask.get(pod, port=STATS_PORT, path=_path(hosts, way))
        finally:
            if shelf.asking is not None and shelf.asking[0] == hosts:
                shelf.asking = None
        when = When(now, now + clock() - began)
        figures, uptime = read(body.decode(), tcp=way.tcp, away=AWAY in hosts)
        shelf.read = _Read(when, hosts, figures, uptime)
        return shelf.read

    def _forget_old(self, now: float) -> None:
        for key, shelf in list(self._shelves.items()):
            if shelf.asking is None and all(now - at >= REMEMBERED for at in shelf.asked_for.values()):
                del self._shelves[key]


def _path(hosts: frozenset[str], way: Way) -> str:
    if HERE in hosts:
        return inbound_path(tcp=way.tcp)
    if AWAY in hosts:
        return away_path(latency=way.latency)
    return outbound_path(sorted(hosts), tcp=way.tcp, latency=way.latency)
