"""What is under way at a caller's proxy towards each revision of a host, from Envoy's own statistics.

Envoy serves them at port 15090. Gauges that are zero are left out (`usedonly`), so what isn't there is idle.
"""

import asyncio
import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from seatrial.evidence.ask import Absent, Ask, Pod, Refused, Unanswered

STATS_PORT = 15090
LOOKS = 2

_LINE = re.compile(
    r"^envoy_cluster_(?P<stat>upstream_rq_active|upstream_rq_completed|upstream_cx_active)"
    r'\{[^}]*cluster_name="outbound\|[0-9]+\|r(?P<revision>[0-9]+)\|(?P<host>[^"|;]+);?"[^}]*\} (?P<value>[0-9.e+]+)$',
    re.MULTILINE,
)


def stats_path(host: str) -> str:
    """Path and query that give the few statistics of one host."""
    pattern = rf"^cluster\.outbound\|[0-9]+\|r[0-9]+\|{re.escape(host)};?\.upstream_(rq_active|rq_completed|cx_active)$"
    return f"/stats/prometheus?usedonly&filter={quote(pattern, safe='')}"


class Counted:
    """Of one proxy towards one host, by revision: requests under way, connections open, requests ended so far."""

    def __init__(self, text: str, host: str) -> None:
        self.active: dict[int, int] = {}
        self.connections: dict[int, int] = {}
        self.completed: dict[int, int] = {}
        kinds = {
            "upstream_rq_active": self.active,
            "upstream_cx_active": self.connections,
            "upstream_rq_completed": self.completed,
        }
        for found in _LINE.finditer(text):
            if found["host"] == host and found["stat"] in kinds:
                values, revision = kinds[found["stat"]], int(found["revision"])
                values[revision] = values.get(revision, 0) + int(float(found["value"]))


class Traffic:
    """Which revisions of a host had something under way at one of the last two looks."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._looks: dict[str, list[dict[int, int]]] = {}  # by host: busy requests by revision, newest last
        self._completed: dict[tuple[str, str], dict[int, int]] = {}  # by host and proxy

    async def look(self, host: str, callers: Sequence[Pod], *, streams: bool) -> Mapping[int, int]:
        """Requests by revision; where the service speaks TCP (`streams`), open connections.

        A proxy that doesn't answer is taken for busy with one request towards every revision that it was seen to call:
        silence is never idleness.
        """
        busy: dict[int, int] = {}
        for told in await asyncio.gather(*(self._of(host, caller, streams=streams) for caller in callers)):
            for revision, count in told.items():
                busy[revision] = busy.get(revision, 0) + count
        looks = [*self._looks.get(host, []), busy][-LOOKS:]
        self._looks[host] = looks
        revisions = {revision for look in looks for revision in look}
        return {r: max(look.get(r, 0) for look in looks) for r in revisions if any(look.get(r) for look in looks)}

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host that is gone."""
        self._looks.pop(host, None)
        for key in [k for k in self._completed if k[0] == host]:
            del self._completed[key]

    async def _of(self, host: str, caller: Pod, *, streams: bool) -> Mapping[int, int]:
        key = (host, caller.proxy)
        before = self._completed.get(key, {})
        try:
            body = await self._ask.get(caller, port=STATS_PORT, path=stats_path(host))
        except (Absent, Refused, Unanswered):
            return dict.fromkeys(before, 1)
        counted = Counted(body.decode(), host)
        self._completed[key] = counted.completed
        busy = dict(counted.connections if streams else counted.active)
        for revision, total in counted.completed.items():
            if total > before.get(revision, total):
                busy[revision] = busy.get(revision, 0) or 1
        return busy
