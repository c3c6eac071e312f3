"""What is wrong with an object, as values: where, what, and what to do about it, in words that a user of the API knows.

Pydantic's errors become the same kind of value: a field that doesn't exist is told with the one that was meant.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from enum import StrEnum
from functools import cache
from typing import Any

from pydantic_core import ErrorDetails

from seatrial.api.base import (
    DNS_LABEL_PATTERN,
    DURATION_PATTERN,
    HOST_PATTERN,
    PATH_PATTERN,
)
from seatrial.api.crd import MESHSERVICES, Schema, schema

Location = tuple[str | int, ...]

_PATTERNS = {
    DURATION_PATTERN: ("isn't a duration", "write it like 250ms, 5s, 2m or 1h"),
    DNS_LABEL_PATTERN: ("isn't a name", "take lower-case letters, digits and dashes"),
    HOST_PATTERN: ("isn't a host", "write it like shop.example.com, without scheme, port or path"),
    PATH_PATTERN: ("isn't a path", "begin it with /"),
}
_KINDS = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
}
_LIMITS = {
    "greater_than_equal": ("is less than {ge}", "give {ge} or more"),
    "less_than_equal": ("is more than {le}", "give {le} or less"),
    "string_too_long": ("is longer than {max_length} characters", "shorten it"),
    "string_too_short": ("is too short", "give at least {min_length} characters"),
    "too_long": ("has more than {max_length} items", "take some out"),
    "too_short": ("has fewer than {min_length} items", "give at least {min_length}"),
}


class Level(StrEnum):
    """What a problem means: the spec isn't used; what it names isn't there; it works, though hardly as meant."""

    REFUSED = "refused"
    UNRESOLVED = "unresolved"
    ADVICE = "advice"


@dataclass(frozen=True)
class Problem:
    """One problem of one object. `field` is a path like ``spec.security.calls[0].service``; empty: the whole object."""

    field: str
    message: str
    remedy: str
    value: object = None
    object: str = ""
    level: Level = Level.REFUSED

    def of(self, name: str) -> "Problem":
        """The same of an object that is called so."""
        return replace(self, object=name)

    @property
    def sentence(self) -> str:
        """Where, what and what to do, for a condition: the object is known there."""
        return f"{self.field}: {self.message}; {self.remedy}" if self.field else f"{self.message}; {self.remedy}"

    def __str__(self) -> str:
        return f"{self.object}: {self.sentence}" if self.object else self.sentence


def sentences(problems: Iterable[Problem]) -> str:
    """All of them as the message of one condition."""
    return " · ".join(p.sentence for p in problems)


def shown(value: object) -> str:
    """A value as its user wrote it, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except TypeError:
        text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def path_of(location: Iterable[str | int]) -> str:
    """``spec.env[A B]`` of ``("spec", "env", "A B")``: how kubectl writes a field's path."""
    path = ""
    for part in location:
        if isinstance(part, int) or not re.fullmatch(r"[A-Za-z0-9_]+", part):
            path += f"[{part}]"
        else:
            path += f".{part}" if path else part
    return path


def translated(errors: Iterable[ErrorDetails]) -> Iterator[Problem]:
    """Pydantic's errors in our words."""
    for error in errors:
        location = tuple(part for part in error["loc"] if part != "[key]")
        message, remedy = _words(error, location)
        yield Problem(field=path_of(location), message=message, remedy=remedy, value=error["input"])


def _words(error: ErrorDetails, location: Location) -> tuple[str, str]:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_field(location)
    if kind == "missing":
        return "is missing", "give it" + _about(location)
    if kind == "literal_error":
        return _no_choice(value, location, str(context["expected"]))
    message, remedy = _form(kind, value, context, node(location)) or (
        error["msg"],
        f"see kubectl explain {_explained(location)}",
    )
    return message if isinstance(value, list | dict) else f"{shown(value)} {message}", remedy


def _form(kind: str, value: object, context: Mapping[str, Any], wanted: Schema) -> tuple[str, str] | None:
    if kind == "string_type" and wanted.get("pattern") in _PATTERNS:
        return _PATTERNS[wanted["pattern"]]
    if kind in _KINDS:
        return f"isn't {_KINDS[kind]}", _right_kind(kind, value)
    if kind in _LIMITS:
        message, remedy = _LIMITS[kind]
        return message.format(**context), remedy.format(**context)
    if kind == "value_error":  # the one validator of our own is that of quantities
        return "isn't a quantity", 'write it like "500m", "64Mi" or 2; a fraction in quotes'
    return _PATTERNS.get(context.get("pattern", ""))


def _unknown_field(location: Location) -> tuple[str, str]:
    *above, name = location
    fields = node(tuple(above)).get("properties", {})
    message = "there is no such field"
    if name == "true" and "retryOn" in fields:
        return message, "YAML reads `on` as true; did you mean retryOn?"
    if close := _meant(str(name), fields):
        return message, f"did you mean {close}?"
    if elsewhere := [path_of(p) for p in _places() if p[-1] == name]:
        return message, f"did you mean {' or '.join(elsewhere[:2])}?"
    return message, f"take it out; kubectl explain {_explained(tuple(above))} tells what there is"


def _meant(name: str, known: Mapping[str, Any]) -> str | None:
    plain = {re.sub(r"[^a-z0-9]", "", k.lower()): k for k in known}
    close = get_close_matches(re.sub(r"[^a-z0-9]", "", name.lower()), plain, n=1, cutoff=0.7)
    return plain[close[0]] if close else None


def _no_choice(value: object, location: Location, expected: str) -> tuple[str, str]:
    choices: list[str] = node(location).get("enum") or [expected]
    close = _meant(str(value), dict.fromkeys(choices))
    one_of = f"take one of {', '.join(choices)}" if len(choices) > 1 else f"write {choices[0].strip(chr(39))}"
    return (
        f"{shown(value)} isn't known here",
        f"did you mean {close}? Else {one_of}" if close and close != value else one_of,
    )


def _right_kind(kind: str, value: object) -> str:
    if kind == "string_type" and isinstance(value, str | int | float):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if kind in {"int_type", "bool_type"} and isinstance(value, str):
        return "write it without quotes"
    if kind == "list_type":
        return "write it as a list, like [a, b]"
    return f"give {_KINDS[kind]}"


def _about(location: Location) -> str:
    described = node(location).get("description", "")
    return f": {described[0].lower()}{described[1:].rstrip('.')}" if described else ""


def _explained(location: Location) -> str:
    return ".".join(["ms", *(part for part in location if isinstance(part, str))])


@cache
def _root() -> Schema:
    return schema(MESHSERVICES)


def node(location: Location) -> Schema:
    """The schema of a field; empty where there is none."""
    at = _root()
    for part in location:
        if isinstance(part, int):
            at = at.get("items", {})
        else:
            at = at.get("properties", {}).get(part) or at.get("additionalProperties") or {}
    return at


@cache
def _places() -> tuple[Location, ...]:
    def below(at: Schema, location: Location) -> Iterator[Location]:
        for name, child in at.get("properties", {}).items():
            here = (*location, name)
            yield here
            yield from below(child, here)

    return tuple(below(_root()["properties"]["spec"], ("spec",)))
