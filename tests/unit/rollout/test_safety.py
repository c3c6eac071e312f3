"""Whatever a user, the weather and a killer do, in any order: no request is lost by what was decided."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.api.revision import Phase
from seatrial.rollout.decide import decide
from support.sea import Sea, a_service

Move = tuple[str, object]

images = st.sampled_from(["one", "two", "three", "broken"])
steps = st.lists(st.integers(1, 99), unique=True, max_size=4).map(sorted)
moves = st.one_of(
    st.tuples(st.just("change"), images),
    st.tuples(st.just("replicas"), st.integers(1, 6)),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("steps"), steps),
    st.tuples(st.just("die"), st.integers(0, 6)),
    st.tuples(st.just("ack"), st.integers(0, 5)),
    st.tuples(st.just("subsets"), st.integers(0, 5)),
    st.tuples(st.just("slow"), st.integers(0, 6)),
    st.tuples(st.just("judge"), st.booleans()),
    st.tuples(st.just("busy"), st.integers(0, 2)),
)
voyages = st.lists(st.tuples(moves, st.integers(0, 9)), max_size=20)


def sail(voyage: list[tuple[Move, int]], *, calm: bool = False) -> Sea:
    """Each move, and some looks after it; from a sea with a stable revision where it begins calm."""
    sea = Sea(a_service(rollout={"steps": [10, 50], "hold": "1s"}), broken=frozenset({"broken"}))
    if calm:
        sea.sail()
    for move, looks in voyage:
        carry_out(sea, move)
        for _ in range(looks):
            sea.look()
    return sea


def carry_out(sea: Sea, move: tuple[str, object]) -> None:
    """What the user does, or else what happens."""
    match move:
        case ("change", str(image)):
            sea.change(image)
        case ("replicas", int(count)):
            sea.change(sea.hash, replicas=count)
        case ("pause", bool(paused)):
            sea.change(sea.hash, paused=paused)
        case ("steps", list(chosen)):
            sea.change(sea.hash, rollout={"steps": chosen, "hold": "1s", "progressDeadline": "20s"})
        case _:
            happen(sea, move)


def happen(sea: Sea, move: tuple[str, object]) -> None:
    match move:
        case ("die", int(after)):
            sea.look(die_after=after)
        case ("ack", int(looks)):
            sea.ack_after = looks
        case ("subsets", int(looks)):
            sea.subsets_after = looks
        case ("slow", int(looks)):
            sea.ready_after = looks
        case ("judge", bool(judge)):
            sea.judge = judge
        case ("busy", int(count)):
            sea.busy = dict.fromkeys(sea.revisions, count) if count else {}


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(voyage=voyages, calm=st.booleans())
def test_no_caller_ever_sends_to_what_cannot_answer(voyage: list[tuple[Move, int]], *, calm: bool) -> None:
    assert not sail(voyage, calm=calm).faults


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(voyages)
def test_every_story_comes_to_rest_with_one_revision_carrying_everything(voyage: list[tuple[Move, int]]) -> None:
    sea = sail(voyage, calm=True)
    sea.judge, sea.busy, sea.ack_after, sea.ready_after = True, {}, 1, 1
    sea.change(sea.hash, paused=False)
    sea.sail(600)
    decision = decide(sea.world())
    assert decision.look_after is None
    assert dict(sea.routing.weights) == {decision.stable: 100}
    assert sea.routing.subsets == {decision.stable}
    assert {n for n, p in sea.pods.items() if p.wanted} == {decision.stable}
    target = next(n for n, r in sea.revisions.items() if r.spec.hash == sea.hash)
    assert target == decision.stable or sea.phase(target) in {Phase.FAILED, Phase.ROLLED_BACK, Phase.SUPERSEDED}


@settings(max_examples=100, deadline=None)
@given(voyages)
def test_a_decision_made_twice_is_the_same_decision(voyage: list[tuple[Move, int]]) -> None:
    sea = sail(voyage)
    assert decide(sea.world()) == decide(sea.world())
