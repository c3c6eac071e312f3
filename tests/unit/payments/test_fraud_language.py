"""The language of the fraud rules: its grammar, its types, its limits, and what it means."""

import string
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payments.domain.money import Money
from payments.fraud.checking import FACTS, Kind
from payments.fraud.judging import Facts, refusal
from payments.fraud.reading import DEEPEST, LONGEST_TEXT, MOST_RULES, read
from payments.fraud.syntax import (
    Among,
    Amount,
    Both,
    Compared,
    Denied,
    Either,
    Expression,
    Fact,
    Matched,
    Number,
    Place,
    Rule,
    RuleError,
    Text,
)
from payments.fraud.writing import write

FACTS_NOW = Facts(
    money=Money(5000, "EUR"),
    customer="ada@example.test",
    method="card",
    charges_last_hour=3,
    charges_last_day=9,
    first_charge=False,
    hour=23,
)

written_text = st.text(st.characters(codec="utf-8", exclude_characters='"\\', min_codepoint=32), max_size=20)
currencies = st.sampled_from(["EUR", "USD", "JPY", "KWD"])
ATOMS: dict[Kind, st.SearchStrategy[Expression]] = {
    Kind.NUMBER: st.builds(Number, st.integers(0, 10**15 - 1)),
    Kind.MONEY: st.builds(Amount, st.integers(0, 10**12), currencies),
    Kind.TEXT: st.builds(Text, written_text),
}
for name, kind in FACTS.items():
    ATOMS[kind] = st.one_of(ATOMS[kind], st.just(Fact(name))) if kind in ATOMS else st.just(Fact(name))


def about(kind: Kind) -> st.SearchStrategy[Expression]:
    orders = ["==", "!="] if kind is Kind.TEXT else ["==", "!=", "<", "<=", ">", ">="]
    options = st.lists(ATOMS[kind], min_size=1, max_size=4).map(tuple)
    return st.one_of(
        st.builds(Compared, ATOMS[kind], st.sampled_from(orders), ATOMS[kind]),
        st.builds(Among, ATOMS[kind], options, st.booleans()),
    )


texts = ATOMS[Kind.TEXT]
simple = st.one_of(
    ATOMS[Kind.TRUTH],
    about(Kind.NUMBER),
    about(Kind.MONEY),
    about(Kind.TEXT),
    st.builds(Matched, texts, st.sampled_from(["contains", "starts_with", "ends_with"]), texts),
)


def compound(parts: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    some = st.lists(parts, min_size=2, max_size=3).map(tuple)
    return st.one_of(
        st.builds(Denied, parts),
        st.builds(Both, some),
        st.builds(Either, some),
        st.builds(Compared, parts, st.sampled_from(["==", "!="]), parts),
    )


expressions = st.recursive(simple, compound, max_leaves=12)
names = st.from_regex(r"[a-z][a-z0-9_-]{0,20}", fullmatch=True)
reserved = {
    "allow",
    "and",
    "because",
    "contains",
    "deny",
    "ends_with",
    "in",
    "not",
    "or",
    "rule",
    "starts_with",
    "when",
}
rules = st.lists(
    st.builds(
        Rule,
        names.filter(lambda name: name not in reserved),
        st.sampled_from(["allow", "deny"]),
        expressions,
        st.none() | written_text,
    ),
    max_size=4,
    unique_by=lambda rule: rule.name,
).map(tuple)


@given(rules)
def test_what_is_written_is_read_as_the_same_rules(made: tuple[Rule, ...]) -> None:
    assert read(write(made)) == made


@given(rules)
def test_whatever_is_accepted_can_be_judged(made: tuple[Rule, ...]) -> None:
    refusal(read(write(made)), FACTS_NOW)


def place_of_error(text: str) -> Place | None:
    try:
        read(text)
    except RuleError as error:
        return error.at
    return None


@given(st.text(string.printable, max_size=80))
def test_any_text_is_rules_or_an_error_with_its_place(text: str) -> None:
    at = place_of_error("rule a: deny when " + text)
    assert at is None or (at.line >= 1 and at.column >= 1)


@pytest.mark.parametrize(
    ("text", "place", "remedy"),
    [
        ("rule a deny when first_charge", (1, 8), "give :"),
        ("rule a:\n  perhaps when first_charge", (2, 3), "allow or deny"),
        ("rule a: deny when", (1, 18), "the text ends"),
        ("rule a: deny when\n  amount > 3", (2, 12), "an amount is needed here"),
        ("rule a: deny when amount > 1.5 EUR", (1, 28), "2 decimals"),
        ("rule a: deny when amuont > 1 EUR", (1, 19), "no fact is called amuont"),
        ("rule a: deny when customer < method", (1, 28), "has no order"),
        ("rule a: deny when hour", (1, 19), "true or false is needed"),
        ("rule a: deny when hour in [1, 2, customer]", (1, 34), "a number is needed"),
        ("rule a: deny when $x", (1, 19), "begins nothing"),
        ("rule a: deny when (first_charge", (1, 32), ")"),
        ("rule a: deny when first_charge\nrule a: allow when first_charge", (2, 1), "already"),
        ('rule a: deny when customer == "x\ny"', (1, 31), "begins nothing"),
    ],
)
def test_an_error_names_line_column_and_remedy(text: str, place: tuple[int, int], remedy: str) -> None:
    with pytest.raises(RuleError) as refused:
        read(text)
    assert (refused.value.at.line, refused.value.at.column) == place
    assert remedy in refused.value.message


class TestBounds:
    """No rules can hang or sink the service that loads them."""

    @pytest.mark.parametrize(
        "text",
        [
            "rule a: deny when " + "not " * DEEPEST + "first_charge",
            "\n".join(f"rule r{n}: deny when first_charge" for n in range(MOST_RULES + 1)),
            "#" * (LONGEST_TEXT + 1),
            "rule a: deny when " + "(" * 19_000,
        ],
    )
    def test_what_is_too_much_is_refused(self, text: str) -> None:
        with pytest.raises(RuleError):
            read(text)

    @pytest.mark.parametrize("text", ["(" * 9000 + "first_charge" + ")" * 9000, " or ".join(["first_charge"] * 1200)])
    def test_what_is_long_but_flat_is_read_and_judged_in_a_moment(self, text: str) -> None:
        started = time.process_time()
        assert refusal(read("rule a: deny when " + text), FACTS_NOW) is None
        assert time.process_time() - started < 3


@pytest.mark.parametrize(
    ("when", "holds"),
    [
        ("amount > 49.99 EUR", True),
        ("amount >= 50.00 EUR and amount <= 50 EUR", True),
        ("amount > 1.00 USD", False),
        ("amount != 50.00 USD", True),
        ('currency == "EUR"', True),
        ('customer ends_with "@example.test"', True),
        ('customer starts_with "bob" or customer contains "da@"', True),
        ('method in ["card", "transfer"] and hour not in [9, 10, 11]', True),
        ("not first_charge", True),
        ("not charges_last_hour >= 3", False),
        ("first_charge and hour > 1 or charges_last_day == 9", True),
        ("first_charge and (hour > 1 or charges_last_day == 9)", False),
    ],
)
def test_what_a_rule_means(when: str, holds: bool) -> None:  # noqa: FBT001
    assert (refusal(read(f"rule a: deny when {when}"), FACTS_NOW) is not None) is holds


def test_the_first_rule_that_holds_decides() -> None:
    source = """
        # Friends may do what they want.
        rule friends: allow when customer in ["ada@example.test"]
        rule late: deny when hour >= 22 because "come back in the morning"
    """
    assert refusal(read(source), FACTS_NOW) is None
    assert refusal(read(source), replace(FACTS_NOW, customer="eve")) == "come back in the morning"
    assert refusal(read(source), replace(FACTS_NOW, customer="eve", hour=12)) is None
    assert refusal((), FACTS_NOW) is None


def test_a_rule_without_a_reason_gives_its_name() -> None:
    assert refusal(read("rule too-late: deny when hour == 23"), FACTS_NOW) == "refused by rule too-late"
