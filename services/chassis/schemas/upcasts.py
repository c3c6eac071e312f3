"""How a payload of an older version becomes one of the next: for readers that are newer than the message.

Only a version that asks for more than the one before has a function here. Readers that are older than the message need
nothing: ``compatibility`` sees to it that a new version still holds all that an old one promised.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from chassis.schemas import CATALOGUE

Payload = Mapping[str, Any]
Upcast = Callable[[Payload], Payload]


def _who_cancelled(payload: Payload) -> Payload:
    """Version 1 of OrderCancelled didn't say whose wish it was, and the reason is a free text: nobody can tell now."""
    return {**payload, "cancelledBy": "unrecorded"}


UPCASTS: Final[Mapping[tuple[str, int], Upcast]] = {("OrderCancelled", 1): _who_cancelled}
"""By event type and the version that the function starts from."""


def upcast(event_type: str, version: int, payload: Payload) -> Payload:
    """The payload as the newest version that is known here. One that is newer still is left as it is."""
    for step in range(version, CATALOGUE.newest(event_type)):
        convert = UPCASTS.get((event_type, step))
        if convert is not None:
            payload = convert(payload)
    return payload
