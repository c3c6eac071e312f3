"""Whether the callers' proxies know a pod of a revision: pods are ready at the API server before Envoy hears of them.

A route to a subset without a known pod answers 503. Where a proxy doesn't say, nobody waits for it: its other evidence
counts.
"""

import asyncio
import re
from collections.abc import Sequence
from urllib.parse import quote

from seatrial.evidence.ask import Absent, Ask, Pod, Refused, Unanswered
from seatrial.evidence.envoy import STATS_PORT

_LINE = re.compile(
    r'^envoy_cluster_membership_healthy\{[^}]*cluster_name="(?P<cluster>[^"]+?);?"[^}]*\} (?P<value>[0-9.e+]+)$',
    re.MULTILINE,
)


class Endpoints:
    """Remembers who has seen a revision, so that each proxy is asked until then only."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._seen: set[tuple[str, int, str]] = set()  # host, revision, proxy

    async def unseen_by(self, host: str, revision: int, callers: Sequence[Pod]) -> tuple[str, ...]:
        """The callers that know no healthy pod of it yet."""
        asked = [c for c in callers if (host, revision, c.proxy) not in self._seen]
        seeing = await asyncio.gather(*(self._sees(host, revision, c) for c in asked))
        for caller, sees in zip(asked, seeing, strict=True):
            if sees:
                self._seen.add((host, revision, caller.proxy))
        return tuple(sorted(c.proxy for c, sees in zip(asked, seeing, strict=True) if sees is False))

    def forget(self, host: str, revision: int | None = None) -> None:
        """Drop what is remembered of a revision that has no pods any more, or of a host that is gone."""
        self._seen = {s for s in self._seen if s[0] != host or (revision is not None and s[1] != revision)}

    async def _sees(self, host: str, revision: int, caller: Pod) -> bool | None:
        """None where the proxy doesn't say."""
        pattern = rf"^cluster\.outbound\|[0-9]+\|r{revision}\|{re.escape(host)};?\.membership_healthy$"
        path = f"/stats/prometheus?filter={quote(pattern, safe='')}"
        try:
            body = await self._ask.get(caller, port=STATS_PORT, path=path)
        except (Absent, Refused, Unanswered):
            return None
        healthy = [
            float(found["value"])
            for found in _LINE.finditer(body.decode())
            if found["cluster"].endswith(f"|r{revision}|{host}")
        ]
        return min(healthy) > 0 if healthy else None
