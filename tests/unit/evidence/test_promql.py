"""What is filled into a query stays what it is."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seatrial.evidence.promql import filled, literal, one_of


def unquoted(text: str) -> str:
    """What PromQL reads in a string literal."""
    assert text[0] == text[-1] == '"'
    inner = text[1:-1]
    assert not re.search(r'(?<!\\)(\\\\)*"', inner), "the literal ends too early"
    return re.sub(r"\\(.)", lambda found: "\n" if found[1] == "n" else found[1], inner)


@given(st.text(alphabet='ab"\\\n{}', max_size=20))
def test_a_literal_is_read_as_what_was_written(text: str) -> None:
    assert unquoted(literal(text)) == text


@given(st.lists(st.text(alphabet='ab1.:[]|()*+?^$\\"{}', min_size=1, max_size=10), min_size=1, max_size=4))
def test_a_choice_matches_its_texts_and_nothing_else(texts: list[str]) -> None:
    pattern = re.compile(unquoted(one_of(texts)))
    assert all(pattern.fullmatch(text) for text in texts)
    assert not pattern.fullmatch("b1b1" + texts[0])


def test_every_place_is_filled_and_the_rest_is_left_alone() -> None:
    text = filled(
        'a{s="{{service}}", r=~"{{ revision }}|x{2}"}[{{window}}]', {"service": "o", "revision": "3", "window": "9s"}
    )
    assert text == 'a{s="o", r=~"3|x{2}"}[9s]'


@pytest.mark.parametrize("value", ['"} or up{x="', "a b", "{{revision}}", "", "a\n"])
def test_a_value_that_could_end_what_it_stands_in_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="isn't safe"):
        filled('a{s="{{service}}"}', {"service": value})


def test_a_place_that_isnt_known_is_named_with_those_that_are() -> None:
    with pytest.raises(
        ValueError, match=r"\{\{pod\}\} can't be filled in: there are \{\{revision\}\}, \{\{service\}\}"
    ):
        filled("a{{pod}}", {"service": "o", "revision": "3"})
