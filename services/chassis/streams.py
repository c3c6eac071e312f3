"""What the broker keeps for the shop, and for how long.

One place, because others build on these ages: an inbox that forgot an event while the broker can still send it would
let it have its effect twice.
"""

from datetime import timedelta
from typing import Final

from nats.js.api import RetentionPolicy, StorageType, StreamConfig

SHOP: Final = "SHOP"
DEAD: Final = "DEAD"
BEGUN: Final = "BEGUN"

_HAPPENED_KEPT: Final = timedelta(days=7)
_DEAD_KEPT: Final = timedelta(days=30)
_BEGUN_KEPT: Final = timedelta(days=1)
_DUPLICATES_KNOWN: Final = timedelta(minutes=5)

LONGEST_WAY: Final = 2 * _HAPPENED_KEPT + _DEAD_KEPT
"""From the first time that a message is handled to the last: it may wait in the stream, die at the end of that, lie
among the dead letters, be redriven at the end of that, and wait in the stream again."""

STREAMS: Final = (
    StreamConfig(
        name=SHOP,
        description="What has happened in the shop, and what is handled once more.",
        subjects=["shop.>", "redrive.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=_HAPPENED_KEPT.total_seconds(),
        duplicate_window=_DUPLICATES_KNOWN.total_seconds(),
    ),
    StreamConfig(
        name=DEAD,
        description="Messages that nobody could handle, with the cause.",
        subjects=["dead.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=_DEAD_KEPT.total_seconds(),
        duplicate_window=_DUPLICATES_KNOWN.total_seconds(),
    ),
    StreamConfig(
        name=BEGUN,
        description="How often the handling of a message was begun and never ended.",
        subjects=["begun.>"],
        retention=RetentionPolicy.LIMITS,
        storage=StorageType.FILE,
        max_age=_BEGUN_KEPT.total_seconds(),
        max_msgs_per_subject=1,
    ),
)
