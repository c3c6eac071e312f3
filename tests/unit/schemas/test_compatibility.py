"""The rules by which an event may grow, and that each version in the catalogue keeps them."""

from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.schemas import CATALOGUE, Schema
from chassis.schemas.compatibility import UnjudgedKeywordError, for_new_readers, for_old_readers
from chassis.schemas.upcasts import UPCASTS, upcast

Change = Callable[[dict[str, Any]], None]

OLD = {
    "type": "object",
    "required": ["id", "size"],
    "properties": {
        "id": {"type": "string", "maxLength": 8},
        "size": {"type": "integer", "minimum": 1, "maximum": 9},
        "color": {"enum": ["red", "blue"]},
        "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
    },
    "$defs": {"part": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}},
}


def changed(change: Change) -> dict[str, Any]:
    copy: dict[str, Any] = {
        **OLD,
        "required": list(OLD["required"]),
        "properties": {name: dict(part) for name, part in OLD["properties"].items()},  # type: ignore[attr-defined]
    }
    change(copy)
    return copy


SAFE_FOR_ALL: dict[str, Change] = {
    "an optional field": lambda new: new["properties"].update(weight={"type": "integer"}),
    "another text": lambda new: new.update(description="The same, said better."),
}
SAFE_FOR_OLD_READERS: dict[str, Change] = {
    "a required field": lambda new: (
        new["properties"].update(weight={"type": "integer"}),
        new["required"].append("weight"),
    )[0],
    "an optional field that is required from now on": lambda new: new["required"].append("color"),
    "a narrower range": lambda new: new["properties"]["size"].update(maximum=5),
    "fewer words": lambda new: new["properties"].update(color={"enum": ["red"]}),
}
UNSAFE: dict[str, tuple[Change, str]] = {
    "a field removed": (lambda new: new["properties"].pop("color"), "payload.color is gone"),
    "a field renamed": (
        lambda new: new["properties"].update(colour=new["properties"].pop("color")),
        "payload.color is gone",
    ),
    "a field that was sure and may be missing": (
        lambda new: new["required"].remove("size"),
        "payload.size is required by the reader and may be missing",
    ),
    "another type": (
        lambda new: new["properties"].update(size={"type": "string"}),
        "payload.size is string where the reader takes integer",
    ),
    "a word that old readers don't know": (
        lambda new: new["properties"].update(color={"enum": ["red", "blue", "green"]}),
        "payload.color may be ['green'], which the reader doesn't know",
    ),
    "any word": (
        lambda new: new["properties"].update(color={"type": "string"}),
        "payload.color may be anything where the reader knows ['red', 'blue']",
    ),
    "a wider range": (
        lambda new: new["properties"]["size"].update(maximum=10),
        "payload.size has maximum 10 where the reader takes 9",
    ),
    "no range": (
        lambda new: new["properties"].update(size={"type": "integer"}),
        "payload.size has minimum None where the reader takes 1",
    ),
    "longer text": (
        lambda new: new["properties"]["id"].update(maxLength=9),
        "payload.id has maxLength 9 where the reader takes 8",
    ),
    "a part of a list that may be missing": (
        lambda new: new.update({"$defs": {"part": {"type": "object", "properties": {"name": {"type": "string"}}}}}),
        "payload.parts[].name is required by the reader and may be missing",
    ),
    "a part of a list removed": (
        lambda new: new.update({"$defs": {"part": {"type": "object"}}}),
        "payload.parts[].name is gone",
    ),
}


@pytest.mark.parametrize("name", SAFE_FOR_ALL)
def test_old_and_new_readers_go_on_through(name: str) -> None:
    new = changed(SAFE_FOR_ALL[name])
    assert for_old_readers(OLD, new) == []
    assert for_new_readers(OLD, new) == []


@pytest.mark.parametrize("name", SAFE_FOR_OLD_READERS)
def test_old_readers_go_on_and_new_ones_need_an_upcast_after(name: str) -> None:
    new = changed(SAFE_FOR_OLD_READERS[name])
    assert for_old_readers(OLD, new) == []
    assert for_new_readers(OLD, new)


@pytest.mark.parametrize("name", UNSAFE)
def test_old_readers_are_broken_by(name: str) -> None:
    change, told = UNSAFE[name]
    assert told in for_old_readers(OLD, changed(change))


def test_a_keyword_that_the_checker_does_not_know_is_refused_rather_than_passed_over() -> None:
    with pytest.raises(UnjudgedKeywordError, match="minProperties"):
        for_old_readers(OLD, {**OLD, "minProperties": 1})


SIZES = st.integers(0, 6)
SCHEMAS = st.fixed_dictionaries(
    {"type": st.just("object")},
    optional={
        "required": st.lists(st.sampled_from("ab"), unique=True),
        "properties": st.fixed_dictionaries(
            {},
            optional={
                "a": st.fixed_dictionaries(
                    {"type": st.sampled_from(["integer", "number"])}, optional={"minimum": SIZES, "maximum": SIZES}
                ),
                "b": st.fixed_dictionaries({"enum": st.lists(st.sampled_from("xyz"), min_size=1, unique=True)}),
            },
        ),
    },
)
DOCUMENTS = st.fixed_dictionaries(
    {}, optional={"a": st.integers(-1, 7) | st.just(2.5) | st.just("x"), "b": st.sampled_from(["x", "y", "z", 1])}
)


@given(old=SCHEMAS, new=SCHEMAS, sent=DOCUMENTS)
def test_what_the_checker_lets_through_an_old_reader_accepts(old: Schema, new: Schema, sent: dict[str, Any]) -> None:
    """The law behind the rules: valid by the new version, said to be safe → valid by the old one.

    Fields that neither names are left out: nobody may send what isn't in a schema.
    """
    sent = {name: value for name, value in sent.items() if name in new.get("properties", {})}
    if not for_old_readers(old, new) and jsonschema_rs.Draft202012Validator(new).is_valid(sent):
        jsonschema_rs.validate(old, sent)


CHANGES = sorted((event_type, version) for event_type, version in CATALOGUE if version > 1)


@pytest.mark.parametrize(("event_type", "version"), CHANGES)
def test_a_new_version_in_the_catalogue_keeps_old_consumers_going(event_type: str, version: int) -> None:
    assert for_old_readers(CATALOGUE[event_type, version - 1], CATALOGUE[event_type, version]) == []


@pytest.mark.parametrize(("event_type", "version"), CHANGES)
def test_a_new_version_that_asks_for_more_brings_its_upcast(event_type: str, version: int) -> None:
    old, new = CATALOGUE[event_type, version - 1], CATALOGUE[event_type, version]
    assert ((event_type, version - 1) in UPCASTS) == bool(for_new_readers(old, new))


CANCELLED = {
    "orderId": "o-1",
    "customer": "ada",
    "reason": "Changed my mind.",
    "total": {"amount": 1999, "currency": "EUR"},
}


def test_a_new_consumer_reads_an_old_cancellation_through_its_upcast() -> None:
    jsonschema_rs.validate(CATALOGUE["OrderCancelled", 1], CANCELLED)
    read = upcast("OrderCancelled", 1, CANCELLED)
    jsonschema_rs.validate(CATALOGUE["OrderCancelled", 2], read)
    assert read == {**CANCELLED, "cancelledBy": "unrecorded"}


def test_an_old_consumer_reads_a_new_cancellation_as_it_reads_its_own() -> None:
    sent = {**CANCELLED, "cancelledBy": "customer"}
    jsonschema_rs.validate(CATALOGUE["OrderCancelled", 1], sent)


def test_a_payload_newer_than_this_process_is_left_as_it_is() -> None:
    assert upcast("OrderCancelled", 7, CANCELLED) == CANCELLED
