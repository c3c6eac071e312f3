"""Which events drive notifications, and by how much at a time."""

from typing import Final

from chassis.events import subject
from chassis.service import Service
from notifications.adapters.trails import Trails
from notifications.telling import CONSUMER, FOLLOWED, Telling

_FORGET_EVERY: Final = 3600.0
_RECORDED_AT_ONCE: Final = 32
"""More than of what does something: they share transactions."""


def connect(service: Service, telling: Telling, trails: Trails, *, workers: int) -> None:
    """Follow the events: those about orders to tell of them, and all of them for the trail.

    ``workers`` bounds what is in memory and under way at the channels. What they can't keep up with waits in the broker
    and shows as lag.
    """
    service.consume(CONSUMER, [subject(event_type) for event_type in FOLLOWED], telling.handle, workers=workers)
    service.consume("trail", ["shop.>"], trails.record, workers=_RECORDED_AT_ONCE)
    service.every("forget trails", _FORGET_EVERY, trails.forget)
    service.every("forget what was handled", _FORGET_EVERY, telling.forget)
