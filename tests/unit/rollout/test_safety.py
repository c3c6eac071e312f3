"""Whatever a user, the weather and a killer do, in any order: no request is lost by what was decided."""

from typing import get_args

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.api.revision import Phase
from seatrial.rollout.decide import decide
from seatrial.rollout.verbs import VERBS
from seatrial.rollout.world import Finding, Pods, stamp
from support.sea import Sea, a_service

Move = tuple[str, object]

images = st.sampled_from(["one", "two", "three", "broken"])
steps = st.lists(st.integers(1, 99), unique=True, max_size=4).map(sorted)
strategies = st.sampled_from(["canary", "blueGreen", "abTest", "mirror", "none"])
verdicts = st.one_of(
    st.none(),
    st.tuples(st.sampled_from(get_args(Finding)), st.integers(0, 100)),
)
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
    st.tuples(st.just("strategy"), strategies),
    st.tuples(st.just("verdict"), verdicts),
    st.tuples(st.just("verb"), st.tuples(st.integers(1, 5), st.sampled_from(VERBS))),
)
voyages = st.lists(st.tuples(moves, st.integers(0, 9)), max_size=20)

silence = st.tuples(st.sampled_from([f for f in get_args(Finding) if f != "Better"]), st.just(0))
moves_without_proof = st.one_of(
    st.tuples(st.just("change"), images),
    st.tuples(st.just("replicas"), st.integers(1, 2)),
    st.tuples(st.just("pause"), st.booleans()),
    st.tuples(st.just("die"), st.integers(0, 6)),
    st.tuples(st.just("slow"), st.integers(0, 6)),
    st.tuples(st.just("verdict"), st.one_of(st.none(), silence)),
    st.tuples(st.just("outage"), st.integers(1, 3)),
    st.tuples(st.just("verb"), st.tuples(st.integers(1, 5), st.sampled_from(["pause", "resume", "abort", "retry"]))),
)


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
        case ("strategy", str(strategy)):
            match_ = [{"headers": {"x-group": {"exact": "b"}}}] if strategy == "abTest" else []
            rollout = {"strategy": strategy, "match": match_, "hold": "1s", "analysis": {"stepTimeout": "15s"}}
            sea.change(sea.hash, rollout=rollout | ({"affinity": {}} if strategy == "canary" else {}))
        case ("verb", (int(revision), str(verb))):
            if revision in sea.revisions:
                sea.ask(revision, verb)
        case ("outage", int(number)) if number in sea.pods:
            outage(sea, number)
        case _:
            happen(sea, move)


def outage(sea: Sea, number: int) -> None:
    """A revision's pods cease to be ready, and are again after as long as new ones take."""
    sea.pods[number], sea.ages[number] = Pods(sea.pods[number].wanted, 0, waiting_since=stamp(sea.now)), 0


def as_finding(name: object) -> Finding:
    return next(finding for finding in get_args(Finding) if finding == name)


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
        case ("verdict", None):
            sea.verdict = None
        case ("verdict", (finding, int(allowed))):
            sea.sees(as_finding(finding), allowed=allowed if finding == "Better" else 0)
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
    sea.sees("Better", allowed=100)
    for number in sea.revisions:
        sea.ask(number, "resume")
    sea.sail(600)
    decision = decide(sea.world())
    assert decision.look_after is None
    assert dict(sea.routing.weights) == {decision.stable: 100}
    assert sea.routing.subsets == {decision.stable}
    assert {n for n, p in sea.pods.items() if p.wanted} == {decision.stable}
    target = next(n for n, r in sea.revisions.items() if r.spec.hash == sea.hash)
    given_up = {Phase.FAILED, Phase.ROLLED_BACK, Phase.SUPERSEDED, Phase.ABORTED}
    assert target == decision.stable or sea.phase(target) in given_up or was_left(sea, target)


def was_left(sea: Sea, target: int) -> bool:
    """Whether a verb took the traffic away from what the spec asks for, to another revision."""
    attempts = [a for r in sea.revisions.values() for a in r.status.attempts]
    newest = max(attempts, key=lambda attempt: attempt.number)
    return newest.cause != "Template" and newest.template == target


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(voyages)
def test_what_has_been_proved_worse_gets_nothing_from_the_next_look_on(voyage: list[tuple[Move, int]]) -> None:
    sea = sail(voyage, calm=True)
    sea.judge = True
    sea.sees("Worse")
    for _ in range(2):
        decision = sea.look()
    canary, attempt = decision.canary, None
    if canary is not None and decision.stable is not None:
        attempt = decision.statuses[canary].attempt
    if attempt and attempt.phase is not Phase.STARTING and attempt.cause != "Rollback":
        assert canary not in decision.routing.routed


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(moves_without_proof, st.integers(0, 9)), max_size=20))
def test_nothing_is_promoted_that_nobody_proved_or_asked_for(voyage: list[tuple[Move, int]]) -> None:
    sea = Sea(a_service(replicas=1, rollout={"steps": [10], "hold": "1s", "analysis": {}}), ready_after=4).sail()
    sea.sees("Wait")
    for move, looks in voyage:
        carry_out(sea, move)
        for _ in range(looks):
            sea.look()
    promoted = {n for n, r in sea.revisions.items() if any(a.phase is Phase.SUCCEEDED for a in r.status.attempts)}
    assert promoted <= {1}


@settings(max_examples=100, deadline=None)
@given(voyages)
def test_a_decision_made_twice_is_the_same_decision(voyage: list[tuple[Move, int]]) -> None:
    sea = sail(voyage)
    assert decide(sea.world()) == decide(sea.world())
