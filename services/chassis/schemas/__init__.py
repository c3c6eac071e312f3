"""The catalogue of events: what each event of the shop carries, in one place for all who send and who read.

A file ``<EventType>.v<N>.json`` beside this module is the JSON Schema of the payload of one version of one event. What
events share (money, items, addresses) stands in ``common.json``; here it is put into each schema, so that each can be
used alone. Schemas are open: a reader ignores the fields that it doesn't know, which is what lets an event grow.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

Schema = dict[str, Any]
"""A JSON Schema as its document."""
Json = Any
"""A part of a document."""

_COMMON: Final = "common.json"


class UnknownEventError(LookupError):
    """Nobody has registered this event."""


class Catalogue(Mapping[tuple[str, int], Schema]):
    """Schemas by event type and version."""

    def __init__(self, folder: Path) -> None:
        common = _read(folder / _COMMON)["$defs"]
        self._schemas = {
            _name_and_version(path): _alone(_read(path), common) for path in sorted(folder.glob("*.v*.json"))
        }
        self._newest: dict[str, int] = {}
        for name, version in self._schemas:
            self._newest[name] = max(version, self._newest.get(name, version))

    def __getitem__(self, key: tuple[str, int]) -> Schema:
        """The schema of exactly this version. Raises ``UnknownEventError``."""
        try:
            return self._schemas[key]
        except KeyError:
            event_type, version = key
            raise UnknownEventError(f"no schema {event_type}.v{version}.json is registered") from None

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Event types with their versions."""
        return iter(self._schemas)

    def __len__(self) -> int:
        """How many schemas there are."""
        return len(self._schemas)

    def newest(self, event_type: str) -> int:
        """The highest version that is known here. Raises ``UnknownEventError``."""
        try:
            return self._newest[event_type]
        except KeyError:
            raise UnknownEventError(f"no event {event_type} is registered") from None

    def reader(self, event_type: str, version: int) -> Schema:
        """What to judge a message by. One that is newer than this process is read as the newest that it knows."""
        return self[event_type, min(version, self.newest(event_type))]

    def producer(self, event_type: str) -> str:
        """The one service that sends this event. Raises ``UnknownEventError``."""
        producer: str = self[event_type, self.newest(event_type)]["x-producer"]
        return producer


def _read(path: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return document


def _name_and_version(path: Path) -> tuple[str, int]:
    name, _, version = path.stem.rpartition(".v")
    return name, int(version)


def _alone(schema: dict[str, Any], common: dict[str, Any]) -> Schema:
    """The schema with the parts that it refers to inside it."""
    return {**_local(schema), "$defs": _local(common)}


def _local(node: Json) -> Json:
    match node:
        case {"$ref": str(ref), **rest}:
            return {**rest, "$ref": ref.removeprefix(_COMMON)}
        case dict():
            return {key: _local(value) for key, value in node.items()}
        case list():
            return [_local(value) for value in node]
        case _:
            return node


CATALOGUE: Final = Catalogue(Path(__file__).parent)
"""Every event of the shop."""
