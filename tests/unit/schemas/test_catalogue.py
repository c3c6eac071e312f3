"""The catalogue itself: each schema is one, says what it is about, and covers what services send."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from chassis.schemas import CATALOGUE, UnknownEventError, published

SERVICES = Path(__file__).parents[3] / "services"
KEYS = sorted(CATALOGUE)
OUTSIDE = {"partners"}


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0]}.v{key[1]}")
def test_a_schema_is_valid_says_what_happened_and_who_tells_it(key: tuple[str, int]) -> None:
    schema = CATALOGUE[key]
    jsonschema_rs.Draft202012Validator(schema, validate_formats=True)
    event_type, version = key
    assert schema["$id"].endswith(f"/{event_type}.v{version}.json")
    assert schema["title"] == f"{event_type}, version {version}"
    assert schema["description"].endswith(".")
    assert (SERVICES / schema["x-producer"]).is_dir() or schema["x-producer"] in OUTSIDE


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0]}.v{key[1]}")
def test_every_field_is_described(key: tuple[str, int]) -> None:
    schema = CATALOGUE[key]
    for name, part in schema["properties"].items():
        told = part if "description" in part else schema["$defs"][part["$ref"].removeprefix("#/$defs/")]
        assert told["description"].endswith("."), name


@pytest.mark.parametrize("key", KEYS, ids=lambda key: f"{key[0]}.v{key[1]}")
def test_readers_are_tolerant_so_that_an_event_can_grow(key: tuple[str, int]) -> None:
    def objects(node: Any) -> Iterator[dict[str, Any]]:
        if isinstance(node, dict):
            yield node
            for value in node.values():
                yield from objects(value)

    assert all("additionalProperties" not in node for node in objects(CATALOGUE[key]))


def test_versions_of_an_event_are_counted_without_a_gap() -> None:
    for event_type in {event_type for event_type, _ in CATALOGUE}:
        newest = CATALOGUE.newest(event_type)
        assert [(event_type, version) in CATALOGUE for version in range(1, newest + 1)] == [True] * newest


def test_a_published_version_never_changes() -> None:
    """Mend it by taking the change back, or, for a new version: python -m chassis.schemas.published."""
    assert published.recorded() == {
        f"{name}.v{version}": published.digest(CATALOGUE[name, version]) for name, version in KEYS
    }


def test_texts_for_people_may_change_and_what_a_schema_accepts_may_not() -> None:
    schema = CATALOGUE["OrderPlaced", 1]
    assert published.digest({**schema, "description": "Said better."}) == published.digest(schema)
    assert published.digest({**schema, "required": ["orderId"]}) != published.digest(schema)


def test_an_event_that_nobody_registered_is_named() -> None:
    with pytest.raises(UnknownEventError, match="OrderPlaned"):
        CATALOGUE.newest("OrderPlaned")
    with pytest.raises(UnknownEventError, match=r"OrderPlaced\.v9"):
        CATALOGUE["OrderPlaced", 9]


def test_a_message_newer_than_this_process_is_judged_by_the_newest_version_it_knows() -> None:
    assert CATALOGUE.reader("OrderCancelled", 9) is CATALOGUE["OrderCancelled", 2]
    assert CATALOGUE.reader("OrderCancelled", 1) is CATALOGUE["OrderCancelled", 1]


def sent() -> Iterator[tuple[str, str, int]]:
    """Service, event type and version of each call ``event("Type", …)`` in the services' code."""
    for path in sorted(SERVICES.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Name("event") | ast.Attribute(attr="event"), args=[ast.Constant(str(name)), *_]):
                    versions = [
                        one.value.value
                        for one in node.keywords
                        if one.arg == "version" and isinstance(one.value, ast.Constant)
                    ]
                    yield path.relative_to(SERVICES).parts[0], name, int(str(versions[0])) if versions else 1


def test_every_event_in_the_code_is_registered_and_sent_by_its_producer_alone() -> None:
    for service, name, version in sent():
        assert (name, version) in CATALOGUE, f"{service} sends {name} version {version}"
        assert CATALOGUE.producer(name) == service, f"{service} sends {name}"
