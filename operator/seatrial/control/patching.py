"""The difference of two statuses as a JSON merge patch (RFC 7386).

One process alone writes our statuses, so nobody needs server-side apply to know whose a field is. It would cost the API
server half as much again, and the status would travel whole with each write.
"""

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]


def merge_patch(before: Json, after: Json) -> dict[str, Any]:
    """What makes `after` of `before`: maps by their fields, null for one that goes, all else whole.

    Neither holds a null. Empty where nothing differs.
    """
    patch: dict[str, Any] = {field: None for field in before if field not in after}
    for field, value in after.items():
        there = before.get(field)
        if isinstance(value, Mapping) and isinstance(there, Mapping):
            if inner := merge_patch(there, value):
                patch[field] = inner
        elif field not in before or there != value:
            patch[field] = value
    return patch
