"""Whether the callers' proxies carry a routing: asked of istiod for each of them, never assumed.

A proxy carries it when istiod's store has had it for a while, the proxy has acknowledged a later push than the last one
before our write, and nothing is on its way to it. The last push before is known to the process that wrote
(`remember`). Another one, after a restart or a takeover, waits for as long as istiod may hold a push back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seatrial.evidence.answers import Istiods
from seatrial.evidence.ask import Ask, Pod, Refused, Unanswered
from seatrial.evidence.istiod import Known, Sync
from seatrial.rollout.world import Split

STEADY = 1.2  # seconds: longer than istiod gathers changes (0.1 s) and than its answers are shared
LONGEST_DEBOUNCE = 10.0  # seconds after which istiod pushes at the latest (PILOT_DEBOUNCE_MAX)


@dataclass(frozen=True)
class Wanted:
    """A routing of one host, hashable so that it can be remembered: what its routes do, and subsets."""

    host: str
    splits: frozenset[Split]
    subsets: frozenset[int]


@dataclass(frozen=True)
class Carried:
    """Who doesn't carry it yet, by name; and why the proxies couldn't be asked, in one sentence."""

    waiting_for: tuple[str, ...] = ()
    unverified: str = ""


@dataclass(frozen=True)
class _Since:
    """What holds for a routing, since when, and which istiods say so."""

    wanted: Wanted
    at: float
    by: frozenset[str] = frozenset()


class Carriers:
    """Remembers who was seen to carry what, so that a settled mesh isn't asked again."""

    def __init__(self, ask: Ask) -> None:
        self._istiods = Istiods(ask)
        self._carrying: dict[str, tuple[Wanted, frozenset[str]]] = {}  # by host
        self._before: dict[str, Mapping[str, Sync]] = {}  # by host: the proxies just before our last write
        self._stored: dict[str, _Since] = {}  # by host
        self._blind_since: dict[str, _Since] = {}

    async def remember(self, host: str, istiods: Sequence[Pod], now: float) -> None:
        """Note where the proxies are, just before a write that concerns `host`."""
        self._carrying.pop(host, None)
        self._stored.pop(host, None)
        try:
            syncs = await self._istiods.syncs(istiods, now, fresh=True)
        except (Refused, Unanswered):
            self._before.pop(host, None)
        else:
            self._before[host] = {proxy: sync for proxy, (_, sync) in syncs.items()}

    async def look(self, wanted: Wanted, callers: Sequence[Pod], istiods: Sequence[Pod], now: float) -> Carried:
        """Who of `callers` still waits for `wanted`. `now` is a monotonic clock in seconds."""
        known, proxies = self._carrying.get(wanted.host, (wanted, frozenset()))
        done = proxies if known == wanted else frozenset()
        open_ = [c for c in callers if c.proxy not in done]
        if not open_:
            self._carrying[wanted.host] = (wanted, done & {c.proxy for c in callers})
            return Carried()
        if not istiods:
            return Carried(waiting_for=("istiod (no pod of it is ready)",))
        try:
            carrying = await self._asked(wanted, open_, istiods, now)
        except Refused as refused:
            return self._blind(wanted, str(refused), now)
        except Unanswered as trouble:
            return Carried(waiting_for=(f"istiod ({trouble})",))
        self._carrying[wanted.host] = (wanted, done | carrying)
        return Carried(waiting_for=tuple(sorted(c.proxy for c in open_ if c.proxy not in carrying)))

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host that is gone."""
        for memory in (self._carrying, self._before, self._stored, self._blind_since):
            memory.pop(host, None)

    async def _asked(
        self, wanted: Wanted, callers: Sequence[Pod], istiods: Sequence[Pod], now: float
    ) -> frozenset[str]:
        """Those of `callers` that carry it. An istiod is asked for its store until that has it: it is much to read."""
        stored = self._stored.get(wanted.host)
        if stored is None or stored.wanted != wanted or stored.by != _names(istiods):
            configs = await self._istiods.configs(istiods, now)
            if not all(matches(config.of(wanted.host), wanted) for config in configs):
                self._stored.pop(wanted.host, None)
                return frozenset()
            stored = self._stored[wanted.host] = _Since(wanted, now, _names(istiods))
        syncs = await self._istiods.syncs(istiods, now)
        return frozenset(
            c.proxy
            for c in callers
            if c.proxy in syncs and self._carries(c, wanted, syncs[c.proxy][1], now - stored.at)
        )

    def _carries(self, caller: Pod, wanted: Wanted, sync: Sync, stored_for: float) -> bool:
        before = self._before.get(wanted.host)
        if not sync.acknowledged:
            return False
        if before is not None and sync.advanced(before.get(caller.proxy)):
            return stored_for >= STEADY
        return stored_for >= LONGEST_DEBOUNCE

    def _blind(self, wanted: Wanted, why: str, now: float) -> Carried:
        """Where the endpoint is closed, wait for as long as istiod may hold a push back, and say so."""
        since = self._blind_since.get(wanted.host)
        if since is None or since.wanted != wanted:
            since = self._blind_since[wanted.host] = _Since(wanted, now)
        unverified = (
            f"istiod's debug API is closed to the operator ({why}), so weights count as carried "
            f"{LONGEST_DEBOUNCE:.0f} s after they were written: "
            "add seatrial-system to istiod's DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES"
        )
        waiting = () if now - since.at >= LONGEST_DEBOUNCE else ("istiod (its debug API is closed)",)
        return Carried(waiting_for=waiting, unverified=unverified)


def _names(istiods: Sequence[Pod]) -> frozenset[str]:
    return frozenset(istiod.name for istiod in istiods)


def matches(known: Known, wanted: Wanted) -> bool:
    """Every route to the host does one of the things wanted, each is done by some route, and the subsets are right."""
    return frozenset(known.splits) == wanted.splits and known.subsets == wanted.subsets
