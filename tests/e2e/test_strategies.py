"""Ways for a new revision to be judged before the public gets it: marked requests, an audience, copies.

Each revision plays a part that its environment gives it (`support.actor`).
"""

from collections.abc import Mapping

from loadtests import Ask, OpenLoad, open_load
from support.asking import Inside, Request
from support.place import PATH, Place
from support.services import Service, attempt_of, is_ready, name_of, phase_of
from support.traffic import go_on, nothing_lost
from support.waiting import eventually

EASY = {"toleratePercentPoints": 5}  # sure after some dozens of requests
RATE = 20


def test_blue_green_flips_once_marked_requests_have_proved_the_new_revision(place: Place) -> None:
    service = served(place, {"strategy": "blueGreen", "steps": None, "analysis": EASY})
    with place.load(rate=RATE) as public, service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        second.until(lambda r: phase_of(r) == "Shifting", within=60, what="marked requests may come")
        eventually(lambda: side(place, x_seatrial_preview="orders") == 2, within=30, what="marked requests get it")
        assert side(place) == 1
        with marked(place, {"x-seatrial-preview": "orders"}) as preview:
            second.until(lambda r: phase_of(r) == "Succeeded", within=90, what="it is promoted")
            nothing_lost(preview.stop(), least=20)
        service.await_stable(2)
        go_on(public, 20)
        nothing_lost(public.stop(), least=40)
    assert {e["weight"] for e in attempt_of(second.seen[-1])["history"]} == {0, 100}
    assert side(place) == 2


def test_an_ab_test_gives_its_audience_the_new_revision_and_nobody_else(place: Place) -> None:
    match = [{"headers": {"x-audience": {"exact": "beta"}}}, {"cookies": {"audience": "beta"}}]
    service = served(place, {"strategy": "abTest", "steps": None, "match": match, "analysis": EASY})
    with place.load(rate=RATE) as public, service.watched(2) as second:
        service.apply(env={"RELEASE": "two"})
        second.until(lambda r: phase_of(r) == "Shifting", within=60, what="the audience may come")
        eventually(lambda: side(place, x_audience="beta") == 2, within=30, what="the audience gets it")
        assert {side(place, cookie="theme=dark; audience=beta") for _ in range(5)} == {2}
        assert {side(place, cookie="audience=beta2") for _ in range(5)} == {1}
        assert set(public.snapshot().split("orders").counts) == {1}
        with marked(place, {"x-audience": "beta"}) as beta:
            second.until(lambda r: phase_of(r) == "Succeeded", within=90, what="it is promoted")
            nothing_lost(beta.stop(), least=20)
        service.await_stable(2)
        nothing_lost(public.stop(), least=40)


def test_a_mirrored_revision_is_judged_by_copies_whose_answers_nobody_gets(place: Place) -> None:
    service = served(place, {"strategy": "mirror", "steps": [30], "analysis": EASY})
    with place.load(rate=RATE) as public, service.watched(2) as second:
        service.apply(env={"RELEASE": "two", "ERRORS": "0.6", "GOOD_FOR": "30"})
        eventually(lambda: copies(service) >= 5, within=60, what="copies arrive")
        second.until(lambda r: phase_of(r) == "RolledBack", within=90, what="it is taken back")
        seen = public.stop()
    nothing_lost(seen, least=40)
    assert set(seen.split("orders").counts) == {1}
    assert {e["weight"] for e in attempt_of(second.seen[-1])["history"]} == {0}


def served(place: Place, rollout: Mapping[str, object]) -> Service:
    """A service whose first revision serves."""
    service = place.actor("orders", replicas=1, rollout=dict(rollout))
    service.apply()
    service.await_stable(1)
    return service


def side(place: Place, **headers: str) -> int:
    """Revision that answers one request."""
    answer = place.edge.get(PATH, **headers)
    assert answer.status == 200, answer
    return answer.served_by[0].revision


def marked(place: Place, headers: Mapping[str, str]) -> OpenLoad:
    """Requests with these headers, for as long as the block lasts."""
    ask = Ask(PATH, name="marked", headers=tuple(headers.items()))
    return open_load(rate=RATE, ask=ask, headers=(("Host", place.edge.host),))


def copies(service: Service) -> int:
    """Requests that the new revision's pods got."""
    asked = (Inside(service.kubectl, name_of(pod)) for pod in service.pods(2) if is_ready(pod))
    return sum(int(inside.ask(Request("http://127.0.0.1:8080/seen")).body or 0) for inside in asked)
