"""Users who stay over a step: those of the new revision keep it, the others are drawn once more, no share drifts."""

from collections import Counter

from loadtests import ALPHA, binomial_bound
from support.place import PATH, Place

USERS = 80
FIRST, SECOND = 20, 60


def test_a_step_draws_stable_users_once_and_moves_nobody_back(place: Place) -> None:
    rollout: dict[str, object] = {"steps": [FIRST, SECOND], "hold": "600s", "analysis": None, "affinity": {}}
    service = place.actor("orders", replicas=1, rollout=rollout)
    service.apply()
    service.await_stable(1)
    service.apply(env={"RELEASE": "two"})
    service.await_weight(2, FIRST)
    users = [ask(place) for _ in range(USERS)]
    fits([revision for revision, _ in users], FIRST)
    drawn_to = dict(users)
    assert set(drawn_to) == {1, 2}
    for revision, cookie in drawn_to.items():
        assert {ask(place, f"theme=dark; {cookie}")[0] for _ in range(20)} == {revision}, "somebody didn't stay"

    service.apply(rollout={"hold": "30s"})
    service.await_weight(2, SECOND)
    later = [ask(place, cookie) for _, cookie in users]
    assert all(now == 2 for (before, _), (now, _) in zip(users, later, strict=True) if before == 2)
    drawn = [now for (before, _), (now, _) in zip(users, later, strict=True) if before == 1]
    fits(drawn, 100 * (SECOND - FIRST) / (100 - FIRST))
    assert [ask(place, cookie) for _, cookie in later] == later, "somebody was drawn twice in a step"
    assert service.attempt(2)["weight"]["wanted"] == SECOND, "it was too late to tell"


def ask(place: Place, cookie: str = "") -> tuple[int, str]:
    """The revision that answers a user, and the cookie that he has then."""
    answer = place.edge.get(PATH, **({"cookie": cookie} if cookie else {}))
    assert answer.status == 200, answer
    given = answer.headers.get("set-cookie", "").partition(";")[0]
    return answer.served_by[0].revision, given or cookie


def fits(revisions: list[int], percent: float) -> None:
    """The share of the second revision can't be told from what was asked for."""
    counts = Counter(revisions)
    allowed = binomial_bound(counts.total(), percent / 100, ALPHA)
    assert counts[2] in allowed, f"{counts} where {percent} % were asked for"
