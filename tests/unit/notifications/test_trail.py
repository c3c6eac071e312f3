"""The trail of a click, drawn."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from notifications.trail import Step, draw

START = datetime(2026, 11, 21, 12, tzinfo=UTC)


def step(identity: str, cause: str, seconds: float, name: str = "", where: str = "orders") -> Step:
    return Step(identity, cause, name or identity, where, START + timedelta(seconds=seconds))


def test_each_step_stands_below_what_it_follows_from_in_the_order_of_time() -> None:
    steps = [
        step("mail", "placed", 0.5, "email sent: We have your order", "notifications"),
        step("placed", "click", 0.0, "OrderPlaced"),
        step("reserved", "placed", 0.25, "StockReserved", "inventory"),
        step("charged", "reserved", 0.75, "PaymentCharged", "payments"),
    ]
    assert draw("click", steps) == [
        "request click, 2026-11-21T12:00:00.000+00:00",
        "└─ OrderPlaced                        orders           +0.000 s",
        "   ├─ StockReserved                   inventory        +0.250 s",
        "   │  └─ PaymentCharged               payments         +0.750 s",
        "   └─ email sent: We have your order  notifications    +0.500 s",
    ]


def test_a_step_whose_cause_is_not_known_any_more_stands_below_the_request() -> None:
    assert len(draw("click", [step("orphan", "forgotten", 0.0)])) == 2


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw("click", []) == []


@given(st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from("abcdefgh?"), min_size=1))
def test_every_step_is_drawn_once(causes: dict[str, str]) -> None:
    forest = {one: cause for one, cause in causes.items() if cause < one}
    lines = draw("click", [step(one, cause, ord(one)) for one, cause in forest.items()])
    drawn = [one for line in lines for one in forest if f"─ {one} " in line]
    assert sorted(drawn) == sorted(forest)


def test_causes_that_go_in_a_circle_are_no_trail_and_no_endless_one() -> None:
    assert len(draw("click", [step("a", "b", 0.0), step("b", "a", 1.0)])) == 1
