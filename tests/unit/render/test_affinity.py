"""Users who stay on their side: the routes at the edge as a browser with a cookie meets them, in exact fractions."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.api.meshservice import MeshService
from seatrial.render import Inputs, render
from seatrial.rollout.world import Routing, Sticky
from support.asked_routes import Asked, parts_of, route_for

Json = dict[str, Any]
Users = Mapping[str, Fraction]  # their share by the cookie that they have; the empty text: none

STABLE, CANARY, ATTEMPT = 2, 3, 7
BOTH = frozenset({STABLE, CANARY})
NEW: Users = {"": Fraction(1)}
STEPS = st.sets(st.integers(1, 99), min_size=1, max_size=6).map(sorted)
STRANGERS = st.lists(
    st.sampled_from(
        [
            "a=b",
            "xseatrial-orders=r3.7",
            "seatrial-orders=r3.70",
            "seatrial-orders=r3x7",
            "a=seatrial-orders=r3.7",
            "seatrial-orders-2=r3.7",
            "seatrial-users=s5.7",
        ]
    ),
    max_size=3,
)


def step(steps: list[int], i: int, attempt: int = ATTEMPT) -> Routing:
    sticky = Sticky(CANARY, attempt, tuple(steps[:i]))
    return Routing({STABLE: 100 - steps[i], CANARY: steps[i]}, BOTH, sticky=sticky)


def edge(routing: Routing, *, tls: bool = False, affinity: Json | None = None) -> list[Json]:
    expose = {"host": "shop.localhost", "prefix": "/orders", "rewrite": "/"}
    spec = {
        "image": "x",
        "port": 8080,
        "expose": [expose | ({"tls": {"secretName": "shop"}} if tls else {})],
        "rollout": {"affinity": affinity or {}},
        "traffic": {"routes": [{"match": {"path": {"prefix": "/v1"}}}]},
    }
    meta = {"name": "orders", "namespace": "shop", "uid": "u"}
    objects = render(Inputs(MeshService.parse({"metadata": meta, "spec": spec}), {}, routing, {}))
    (delegate,) = [o for o in objects if o["metadata"]["name"] == "orders-expose"]
    routes: list[Json] = delegate["spec"]["http"]
    return routes


def outcomes(routes: list[Json], cookie: str, asked: Asked, strangers: list[str]) -> dict[tuple[str, str], Fraction]:
    """How probable it is for one request to come to a subset and to get a cookie."""
    header = "; ".join([*strangers, *([cookie] if cookie else []), *strangers])
    route = route_for(routes, Asked(asked.method, asked.path, {"cookie": header} if header else {}))
    assert route is not None
    whole = sum(parts_of(route).values())
    found = {}
    for part in route["route"]:
        answered = part.get("headers", {}).get("response", {}).get("add", {}).get("set-cookie", cookie)
        found[part["destination"]["subset"], answered.partition(";")[0]] = Fraction(part["weight"], whole)
    return found


def visit(
    routes: list[Json], users: Users, asked: Asked | None = None, strangers: list[str] | None = None
) -> tuple[Users, Fraction]:
    """All users ask once: what they have then, and the share of requests that the canary had."""
    after: dict[str, Fraction] = {}
    canary = Fraction(0)
    for cookie, share in users.items():
        found = outcomes(routes, cookie, asked or Asked(path="/orders/v1/a"), strangers or [])
        for (subset, kept), chance in found.items():
            after[kept] = after.get(kept, Fraction(0)) + share * chance
            canary += share * chance if subset == f"r{CANARY}" else 0
    return after, canary


ASKED = st.builds(Asked, st.sampled_from(["GET", "POST"]), st.sampled_from(["/orders", "/orders/v1/a", "/orders/b"]))


@given(STEPS, st.data(), STRANGERS)
def test_the_canary_has_its_share_of_users_at_each_step_whichever_steps_they_missed(
    steps: list[int], data: st.DataObject, strangers: list[str]
) -> None:
    users = NEW
    for i, weight in enumerate(steps):
        for _visit in range(data.draw(st.integers(0, 2))):
            users, canary = visit(edge(step(steps, i)), users, data.draw(ASKED), strangers)
            assert canary == Fraction(weight, 100)


@given(STEPS, st.data())
def test_whoever_was_with_the_canary_stays_with_it(steps: list[int], data: st.DataObject) -> None:
    drawn = data.draw(st.integers(0, len(steps) - 1))
    users, _ = visit(edge(step(steps, drawn)), NEW)
    (cookie,) = [c for c in users if "=r" in c]
    for i in range(drawn, len(steps)):
        assert visit(edge(step(steps, i)), {cookie: Fraction(1)}, data.draw(ASKED))[1] == 1


@given(STEPS)
def test_a_user_of_stable_is_drawn_once_a_step(steps: list[int]) -> None:
    users, _ = visit(edge(step(steps, 0)), NEW)
    (cookie,) = [c for c in users if "=s" in c]
    assert visit(edge(step(steps, 0)), {cookie: Fraction(1)})[1] == 0


@given(STEPS)
def test_a_rollback_and_a_promotion_hold_nobody(steps: list[int]) -> None:
    users, _ = visit(edge(step(steps, 0)), NEW)
    assert visit(edge(Routing({STABLE: 100}, BOTH)), users)[1] == 0
    assert visit(edge(Routing({CANARY: 100}, BOTH)), users)[1] == 1


@given(STEPS, STEPS)
def test_what_was_drawn_in_another_attempt_counts_for_nothing(before: list[int], now: list[int]) -> None:
    users, _ = visit(edge(step(before, 0)), NEW)
    assert visit(edge(step(now, 0, ATTEMPT + 1)), users)[1] == Fraction(now[0], 100)


def test_calls_inside_the_mesh_go_by_weight_alone() -> None:
    service = MeshService.parse(
        {
            "metadata": {"name": "orders", "namespace": "shop", "uid": "u"},
            "spec": {"image": "x", "port": 80, "expose": [{"host": "a"}], "rollout": {"affinity": {}}},
        }
    )
    objects = render(Inputs(service, {}, step([5, 25], 1), {}))
    (inside,) = [o for o in objects if (o["kind"], o["metadata"]["name"]) == ("VirtualService", "orders")]
    for route in inside["spec"]["http"]:
        assert parts_of(route) == {"r2": 75, "r3": 25}
        assert all("headers" not in part for part in route["route"])


@pytest.mark.parametrize("tls", [True, False])
def test_a_cookie_lasts_for_its_time_and_is_kept_from_scripts_and_from_plain_http_where_there_is_none(
    tls: bool,  # noqa: FBT001 # a parameter of the test
) -> None:
    routes = edge(step([50], 0), tls=tls, affinity={"cookie": "side", "for": "1m30s"})
    (cookie,) = {
        p["headers"]["response"]["add"]["set-cookie"] for p in routes[-1]["route"] if p["destination"]["subset"] == "r3"
    }
    secure = "; Secure" if tls else ""
    assert cookie == f"side-orders=r3.7; Max-Age=90; Path=/; HttpOnly; SameSite=Lax{secure}"
