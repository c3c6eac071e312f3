from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadtests import command
from loadtests.arrivals import SPACINGS, Stage
from loadtests.plan import Ask, Plan, arguments, parse_header, parse_stages

words = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,8}", fullmatch=True)
texts = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=10)
headers = st.lists(st.tuples(words, texts), min_size=1, max_size=2).map(tuple)
asks = st.builds(
    Ask,
    path=texts,
    method=st.sampled_from(["GET", "POST"]),
    headers=st.just(()) | headers,
    body=st.none() | texts,
    expect=st.integers(200, 599),
    name=texts,
)
plans = st.builds(
    Plan,
    stages=st.lists(
        st.builds(Stage, rate=st.floats(0, 1e4), seconds=st.floats(0, 1e6) | st.just(float("inf"))), min_size=1
    ).map(tuple),
    what=asks | words,
    spacing=st.sampled_from(SPACINGS),
    seed=st.integers(0, 2**40),
    host=words,
    headers=headers,
    timeout=st.floats(0.1, 100),
    most_at_once=st.integers(1, 9999),
    worker=st.integers(0, 9),
    workers=st.integers(1, 9),
    record=words.map(Path),
)


@given(plans)
def test_a_plan_goes_through_a_command_line_unchanged(plan: Plan) -> None:
    assert command.plan_of(command.open_parser().parse_args(arguments(plan))) == plan


def test_a_request_can_carry_the_number_of_its_arrival() -> None:
    ask = Ask("/orders/{n}?page={n}", headers=(("idempotency-key", "k{n}"),), body='{"customer": "c{n}"}')
    assert ask.numbered(7) == Ask(
        "/orders/7?page=7", headers=(("idempotency-key", "k7"),), body='{"customer": "c7"}', name="GET /orders/{n}"
    )


@pytest.mark.parametrize("text", ["", "fast", "10:soon", "10:-1", "-1", "1:2:3"])
def test_what_is_no_stage_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"write RATE:SECONDS, such as 20:30"):
        parse_stages([text])


@pytest.mark.parametrize("text", ["", "Host", ": x"])
def test_what_is_no_header_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="write 'Name: value'"):
        parse_header(text)


@pytest.mark.parametrize(
    "line",
    [
        [],
        ["--stage=10"],
        ["--stage=10", "--path=/", "--journey=shopping"],
        ["--stage=soon", "--path=/"],
        ["--stage=1", "--path=/", "--spacing=odd"],
        ["--stage=1", "--path=/", "--header=Host"],
    ],
)
def test_a_wrong_command_line_is_wrong_usage(line: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["open", *line])
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_arrivals_are_spaced_in_a_known_way() -> None:
    with pytest.raises(ValueError, match="poisson or constant, not odd"):
        Plan(stages=(Stage(1, 1),), what="shopping", spacing="odd")  # type: ignore[arg-type]
