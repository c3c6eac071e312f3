"""Whether everybody goes on working when an event gets a new version.

Two directions count, because services roll out one by one and messages wait in streams:

- a consumer that knows the old version meets a message of the new one: ``for_old_readers``;
- a consumer that knows the new version meets a message of the old one: ``for_new_readers``.

Both ask the same question with the roles exchanged: may the *writer* send what the *reader* doesn't accept? The answer
is a list of sentences, empty when it may not. Judges the keywords that the catalogue uses and refuses any other, rather
than pass over one that it doesn't understand.
"""

from collections.abc import Iterator
from typing import Final

from chassis.schemas import Json, Schema

NOTES: Final = frozenset({"$schema", "$id", "$defs", "title", "description", "examples", "x-producer"})
"""Keywords that are for people, or name things."""
_LOWEST: Final = ("minimum", "minLength", "minItems")
_HIGHEST: Final = ("maximum", "maxLength", "maxItems")
_EXACT: Final = ("pattern", "format")
_JUDGED: Final = frozenset({"type", "enum", "required", "properties", "items", *_LOWEST, *_HIGHEST, *_EXACT})


class UnjudgedKeywordError(ValueError):
    """A schema uses a keyword that the checker knows nothing about."""


def for_old_readers(old: Schema, new: Schema) -> list[str]:
    """What breaks consumers of ``old`` when ``new`` is sent."""
    return [*_removed(_Side(old), _Side(new), "payload"), *_unreadable(_Side(old), _Side(new), "payload")]


def for_new_readers(old: Schema, new: Schema) -> list[str]:
    """What breaks consumers of ``new`` at messages of ``old``: an upcast has to mend it."""
    return list(_unreadable(_Side(new), _Side(old), "payload"))


class _Side:
    """A schema, or a part of one, with its references followed."""

    def __init__(self, node: Schema, root: Schema | None = None) -> None:
        self._root = node if root is None else root
        if "$ref" in node:
            node = self._root["$defs"][node["$ref"].removeprefix("#/$defs/")]
        self.node = node
        if unknown := node.keys() - _JUDGED - NOTES:
            raise UnjudgedKeywordError(f"teach the checker what {', '.join(sorted(unknown))} means, or do without")

    def get(self, keyword: str, default: Json = None) -> Json:
        return self.node.get(keyword, default)

    @property
    def required(self) -> frozenset[str]:
        return frozenset(self.get("required", ()))

    @property
    def properties(self) -> dict[str, "_Side"]:
        return {name: _Side(part, self._root) for name, part in self.get("properties", {}).items()}

    @property
    def items(self) -> "_Side | None":
        part = self.get("items")
        return None if part is None else _Side(part, self._root)


def _removed(old: _Side, new: _Side, at: str) -> Iterator[str]:
    """Fields that are gone, optional ones as well: somebody reads them. A renamed field is one that is gone."""
    for name, part in old.properties.items():
        if name in new.properties:
            yield from _removed(part, new.properties[name], f"{at}.{name}")
        else:
            yield f"{at}.{name} is gone"
    if old.items and new.items:
        yield from _removed(old.items, new.items, f"{at}[]")


def _unreadable(reader: _Side, writer: _Side, at: str) -> Iterator[str]:
    yield from _values(reader, writer, at)
    yield from _bounds(reader, writer, at)
    for name in sorted(reader.required - writer.required):
        yield f"{at}.{name} is required by the reader and may be missing"
    for name, part in reader.properties.items():
        if name in writer.properties:
            yield from _unreadable(part, writer.properties[name], f"{at}.{name}")
    if reader.items:
        yield from _unreadable(reader.items, writer.items or _Side({}), f"{at}[]")


def _values(reader: _Side, writer: _Side, at: str) -> Iterator[str]:
    wanted, given = reader.get("type"), writer.get("type")
    if wanted is not None and given != wanted and (wanted, given) != ("number", "integer"):
        yield f"{at} is {given or 'of any type'} where the reader takes {wanted}"
    if (known := reader.get("enum")) is not None:
        if (sent := writer.get("enum")) is None:
            yield f"{at} may be anything where the reader knows {known}"
        elif strange := [value for value in sent if value not in known]:
            yield f"{at} may be {strange}, which the reader doesn't know"
    for keyword in _EXACT:
        if keyword in reader.node and writer.get(keyword) != reader.get(keyword):
            yield f"{at} has {keyword} {writer.get(keyword)} where the reader takes {reader.get(keyword)}"


def _bounds(reader: _Side, writer: _Side, at: str) -> Iterator[str]:
    for keyword, sign in [*((one, 1) for one in _LOWEST), *((one, -1) for one in _HIGHEST)]:
        limit, sent = reader.get(keyword), writer.get(keyword)
        if limit is not None and (sent is None or sign * sent < sign * limit):
            yield f"{at} has {keyword} {sent} where the reader takes {limit}"
