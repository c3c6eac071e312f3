"""Whether the callers' proxies carry a routing: asked of istiod for each of them, never assumed.

A proxy carries it when what istiod generates for it says so, all that was sent to it is acknowledged, and what was
acknowledged is at least as new as what was generated; or when the first two held a second ago already, since a later
push that doesn't concern the proxy moves the version alone. A proxy whose configuration has no route to the host
depends on nothing.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from seatrial.evidence.answers import Istiods
from seatrial.evidence.ask import Absent, Ask, Pod, Refused, Unanswered
from seatrial.evidence.istiod import Generated, Sync, counter

STEADY = 1.0  # seconds for which the same must have been seen: longer than answers are shared
LONGEST_DEBOUNCE = 10.0  # seconds after which istiod pushes at the latest (PILOT_DEBOUNCE_MAX)


@dataclass(frozen=True)
class Wanted:
    """A routing of one host, hashable so that it can be remembered: (revision, percent) pairs, and subsets."""

    host: str
    weights: frozenset[tuple[int, int]]
    subsets: frozenset[int]


@dataclass(frozen=True)
class Carried:
    """Who doesn't carry it yet, by name; and why the proxies couldn't be asked, in one sentence."""

    waiting_for: tuple[str, ...] = ()
    unverified: str = ""


class Carriers:
    """Remembers who was seen to carry what, so that a settled mesh isn't asked again."""

    def __init__(self, ask: Ask, token: Callable[[], str] | None = None) -> None:
        self._istiods = Istiods(ask, token)
        self._carrying: dict[str, tuple[Wanted, frozenset[str]]] = {}  # by host
        self._matching: dict[tuple[str, str], tuple[Wanted, float]] = {}  # by host and proxy, since when
        self._blind_since: dict[str, tuple[Wanted, float]] = {}

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
            carrying = {c.proxy for c in await self._asked(wanted, open_, istiods, now)}
        except Refused as refused:
            return self._blind(wanted, str(refused), now)
        except Unanswered as trouble:
            return Carried(waiting_for=(f"istiod ({trouble})",))
        self._carrying[wanted.host] = (wanted, done | carrying)
        return Carried(waiting_for=tuple(sorted(c.proxy for c in open_ if c.proxy not in carrying)))

    def forget(self, host: str) -> None:
        """Drop what is remembered of a host that is gone."""
        self._carrying.pop(host, None)
        self._blind_since.pop(host, None)
        for key in [k for k in self._matching if k[0] == host]:
            del self._matching[key]

    async def _asked(self, wanted: Wanted, callers: Iterable[Pod], istiods: Sequence[Pod], now: float) -> list[Pod]:
        syncs = await self._istiods.syncs(istiods, now)
        return [c for c in callers if c.proxy in syncs and await self._carries(wanted, c, *syncs[c.proxy], now)]

    async def _carries(self, wanted: Wanted, caller: Pod, istiod: Pod, sync: Sync, now: float) -> bool:
        try:
            dump = await self._istiods.dump(istiod, caller, now)
        except Absent:
            return False  # it moved to another istiod between the two questions
        generated = dump.towards(wanted.host)
        key = (wanted.host, caller.proxy)
        if not sync.acknowledged or not matches(generated, wanted):
            self._matching.pop(key, None)
            return False
        before, since = self._matching.setdefault(key, (wanted, now))
        if before != wanted:
            self._matching[key] = (wanted, now)
            since = now
        acked = min((counter(nonce) for nonce in (sync.cluster[1], sync.route[1]) if nonce), default=-1)
        if acked >= generated.version or now - since >= STEADY:
            del self._matching[key]
            return True
        return False

    def _blind(self, wanted: Wanted, why: str, now: float) -> Carried:
        """Where the endpoint is closed, wait for as long as istiod may hold a push back, and say so."""
        before, since = self._blind_since.setdefault(wanted.host, (wanted, now))
        if before != wanted:
            self._blind_since[wanted.host] = (wanted, now)
            since = now
        unverified = (
            f"istiod's debug API is closed to the operator ({why}), so weights count as carried "
            f"{LONGEST_DEBOUNCE:.0f} s after they were written: "
            "add seatrial-system to istiod's DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES"
        )
        waiting = () if now - since >= LONGEST_DEBOUNCE else ("istiod (its debug API is closed)",)
        return Carried(waiting_for=waiting, unverified=unverified)


def matches(generated: Generated, wanted: Wanted) -> bool:
    """Every route to the host has the wanted weights, and the subsets are the wanted ones."""
    if not generated.weights:
        return True  # the proxy can't reach the host at all
    weights = dict(wanted.weights)
    return generated.subsets == wanted.subsets and all(w is not None and dict(w) == weights for w in generated.weights)
