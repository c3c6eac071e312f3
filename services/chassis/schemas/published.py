"""Which schemas have been published, and what they said then. ``python -m chassis.schemas.published`` adds new ones.

A published version never changes, for messages of it wait in streams and its readers run elsewhere: what must change
becomes the next version. Texts for people may change at any time, so they don't count.
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Final

from chassis.schemas import CATALOGUE, Json, Schema
from chassis.schemas.compatibility import NOTES

_RECORD: Final = Path(__file__).parent / "published.json"


def digest(schema: Schema) -> str:
    """The same for schemas that accept the same documents by the same words."""
    meant = _meant({key: value for key, value in schema.items() if key != "$defs"}, schema.get("$defs", {}))
    return hashlib.sha256(json.dumps(meant, sort_keys=True).encode()).hexdigest()[:16]


def _meant(node: Json, defs: Schema) -> Json:
    """A part without texts and with its references followed."""
    match node:
        case {"$ref": str(ref)}:
            return _meant(defs[ref.removeprefix("#/$defs/")], defs)
        case {"properties": dict(parts), **rest}:
            return {**_meant(rest, defs), "properties": {name: _meant(part, defs) for name, part in parts.items()}}
        case dict():
            return {key: _meant(value, defs) for key, value in node.items() if key not in NOTES}
        case list():
            return [_meant(value, defs) for value in node]
        case _:
            return node


def recorded() -> dict[str, str]:
    """Digests of the published versions, by names like ``OrderPlaced.v1``."""
    record: dict[str, str] = json.loads(_RECORD.read_text(encoding="utf-8"))
    return record


def main() -> None:
    """Record what is new, and end with 1 when a published version has changed."""
    before = recorded()
    now = {f"{event_type}.v{version}": digest(CATALOGUE[event_type, version]) for event_type, version in CATALOGUE}
    changed = sorted(name for name, value in before.items() if now.get(name) != value)
    _RECORD.write_text(json.dumps(dict(sorted({**now, **before}.items())), indent=2) + "\n", encoding="utf-8")
    if changed:
        sys.exit(f"changed after it was published: {', '.join(changed)}. Take the change back and make a new version.")


if __name__ == "__main__":
    main()
