"""What the shop has told: events read back from the broker's stream."""

import asyncio

import nats
from nats.errors import TimeoutError as NothingMore

from chassis.events import Envelope

_PATIENCE = 0.3
"""Seconds without a message after which there are no more."""


def heard(broker_url: str, subject: str) -> list[Envelope]:
    """All events on a subject so far."""

    async def run() -> list[Envelope]:
        client = await nats.connect(broker_url)
        try:
            listening = await client.jetstream().subscribe(subject, ordered_consumer=True)
            found = []
            while True:
                try:
                    found.append(Envelope.from_bytes((await listening.next_msg(timeout=_PATIENCE)).data))
                except NothingMore:
                    return found
        finally:
            await client.close()

    return asyncio.run(run())
