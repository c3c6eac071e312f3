"""Routings of every strategy, and the specs that have them."""

from typing import Any

from hypothesis import strategies as st

from seatrial.rollout.world import Mirror, Routing, Sticky

SHARES = st.integers(1, 99)
NUMBERS = st.integers(1, 999)
STRATEGIES = st.sampled_from(["canary", "blueGreen", "abTest", "mirror", "none"])


def rollout_of(strategy: str, **more: Any) -> dict[str, Any]:
    """A rollout of that strategy with what it needs."""
    given: dict[str, dict[str, Any]] = {
        "canary": {"affinity": {}},
        "abTest": {"match": [{"headers": {"x-beta": {"prefix": "y"}}}, {"cookies": {"plan": "gold", "beta": "1"}}]},
    }
    return {"strategy": strategy, **given.get(strategy, {}), **more}


@st.composite
def moving(draw: st.DrawFn, strategy: str) -> Routing:
    """The routing of a rollout of that strategy somewhere between its first request and its last."""
    stable, canary = draw(st.tuples(NUMBERS, NUMBERS).filter(lambda pair: pair[0] != pair[1]))
    both = frozenset({stable, canary})
    if strategy in {"blueGreen", "abTest"}:
        return Routing({stable: 100}, both, marked=canary)
    if strategy == "mirror":
        return Routing({stable: 100}, both, mirror=Mirror(canary, draw(st.integers(1, 100))))
    if strategy == "none":
        return Routing({canary: 100}, both)
    weight = draw(SHARES)
    earlier = draw(st.sets(SHARES.filter(lambda w: w < weight), max_size=4)) if weight > 1 else set()
    sticky = Sticky(canary, draw(NUMBERS), tuple(sorted(earlier)))
    return Routing({stable: 100 - weight, canary: weight}, both, sticky=sticky)
