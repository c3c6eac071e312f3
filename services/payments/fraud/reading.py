"""From text to rules that can be evaluated, or to an error with line, column and remedy.

Parsing takes time in proportion to the text (LALR) and uses no recursion; the depth of what it makes is limited as it
is made, so that walking it later is safe.
"""

from collections.abc import Sequence
from functools import cache
from importlib import resources
from typing import Final

from lark import Lark, Token, Transformer, UnexpectedInput, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedToken

from payments.domain.decimals import read as read_decimal
from payments.fraud.checking import check
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
    Rules,
    Text,
    depth,
)

LONGEST_TEXT: Final = 20_000
MOST_RULES: Final = 200
DEEPEST: Final = 30

_WORDS: Final = {
    "NAME": "a name",
    "NUMBER": "a number",
    "MONEY": "an amount like 100.00 EUR",
    "TEXT": 'a text in "quotes"',
    "COMPARATOR": "a comparison",
    "MATCHER": "contains, starts_with or ends_with",
    "VERDICT": "allow or deny",
    "COLON": ":",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "$END": "the end",
}


def read(text: str) -> Rules:
    """Rules from their text. Raises ``RuleError`` at the first thing that is wrong."""
    if len(text) > LONGEST_TEXT:
        raise RuleError(Place(1, 1), f"the rules are longer than {LONGEST_TEXT} characters: shorten them")
    try:
        rules: Rules = _parser().parse(text)  # type: ignore[assignment]  # what the builder below returns
    except UnexpectedInput as error:
        raise _explained(error, text) from error
    _refuse_repeated_names(rules)
    for rule in rules:
        check(rule)
    return rules


@cache
def _parser() -> Lark:
    grammar = resources.files("payments.fraud").joinpath("grammar.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", start="rules", transformer=_Builder(), maybe_placeholders=True)


def _at(token: Token) -> Place:
    return Place(token.line or 0, token.column or 0)


@v_args(inline=True)
class _Builder(Transformer[Token, Rules]):
    """Makes a node of each rule of the grammar as the parser reduces it; methods are named as the rules are."""

    def rules(self, *rules: Rule) -> Rules:
        if len(rules) > MOST_RULES:
            raise RuleError(rules[MOST_RULES].at, f"there are more than {MOST_RULES} rules: take some away")
        return rules

    def rule(self, keyword: Token, name: Token, verdict: Token, when: Expression, because: Token | None) -> Rule:
        said = because[1:-1] if because else None
        return Rule(str(name), "deny" if verdict == "deny" else "allow", when, said, _at(keyword))

    def fact(self, token: Token) -> Expression:
        return Fact(str(token), _at(token))

    def number(self, token: Token) -> Expression:
        return Number(int(token), _at(token))

    def money(self, token: Token) -> Expression:
        digits, currency = token.split(" ")
        try:
            return Amount(read_decimal(digits, currency), currency, _at(token))
        except ValueError as error:
            raise RuleError(_at(token), str(error)) from error

    def text(self, token: Token) -> Expression:
        return Text(token[1:-1], _at(token))

    def grouped(self, inner: Expression) -> Expression:
        return inner

    def options(self, *options: Expression) -> tuple[Expression, ...]:
        return options

    def compared(self, left: Expression, by: Token, right: Expression) -> Expression:
        return _shallow(Compared(left, str(by), right, _at(by)))

    def matched(self, left: Expression, by: Token, right: Expression) -> Expression:
        return _shallow(Matched(left, str(by), right, _at(by)))

    def among(self, left: Expression, by: Token, options: tuple[Expression, ...]) -> Expression:
        return _shallow(Among(left, options, at=_at(by)))

    def not_among(self, left: Expression, by: Token, _: Token, options: tuple[Expression, ...]) -> Expression:
        return _shallow(Among(left, options, absent=True, at=_at(by)))

    def denied(self, by: Token, part: Expression) -> Expression:
        return _shallow(Denied(part, _at(by)))

    def both(self, *parts: Expression | Token) -> Expression:
        return _shallow(Both(*_joined(parts)))

    def either(self, *parts: Expression | Token) -> Expression:
        return _shallow(Either(*_joined(parts)))


def _shallow(node: Expression) -> Expression:
    if depth(node) > DEEPEST:
        raise RuleError(node.at, f"expressions are nested more than {DEEPEST} deep here: write them flatter")
    return node


def _joined(parts: Sequence[Expression | Token]) -> tuple[tuple[Expression, ...], Place]:
    """What stands between the words that join, and where the first of these is."""
    words = [part for part in parts if isinstance(part, Token)]
    return tuple(part for part in parts if not isinstance(part, Token)), _at(words[0])


def _refuse_repeated_names(rules: Rules) -> None:
    seen: set[str] = set()
    for rule in rules:
        if rule.name in seen:
            raise RuleError(rule.at, f"there is a rule {rule.name} already: name this one differently")
        seen.add(rule.name)


def _explained(error: UnexpectedInput, text: str) -> RuleError:
    if isinstance(error, UnexpectedToken):
        wanted = sorted(_WORDS.get(name, name.lower()) for name in error.accepts or error.expected)
        found = "the text ends" if error.token.type == "$END" else f"{str(error.token)!r} isn't expected"
        at = _end(text) if error.token.type == "$END" else Place(error.line, error.column)
        return RuleError(at, f"{found}; give {' or '.join(wanted)}")
    if isinstance(error, UnexpectedCharacters):
        return RuleError(Place(error.line, error.column), f"{error.char!r} begins nothing that the language knows")
    return RuleError(_end(text), str(error))


def _end(text: str) -> Place:
    *before, last = text.split("\n")
    return Place(len(before) + 1, len(last) + 1)
