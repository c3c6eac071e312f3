"""What is in the shop's stream, read by a client that acknowledges nothing and leaves nothing behind."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from chassis.streams import SHOP

Message = dict[str, Any]


async def kept(broker_url: str) -> list[Message]:
    """All events, in the order in which the broker keeps them."""
    async with _jetstream(broker_url) as jetstream:
        state = (await jetstream.stream_info(SHOP)).state
        numbers = range(state.first_seq, state.last_seq + 1) if state.messages else ()
        found = [await jetstream.get_msg(SHOP, number) for number in numbers]
        return [json.loads(message.data or b"") for message in found]


async def count(broker_url: str) -> int:
    """How many events there are; none where there is no stream."""
    async with _jetstream(broker_url) as jetstream:
        try:
            return (await jetstream.stream_info(SHOP)).state.messages
        except NotFoundError:
            return 0


def forget(broker_url: str) -> None:
    """Forget the stream and all that it keeps."""

    async def delete() -> None:
        async with _jetstream(broker_url) as jetstream:
            with suppress(NotFoundError):
                await jetstream.delete_stream(SHOP)

    asyncio.run(delete())


@asynccontextmanager
async def _jetstream(broker_url: str) -> AsyncIterator[JetStreamContext]:
    client = await nats.connect(broker_url, allow_reconnect=False, connect_timeout=2)
    try:
        yield client.jetstream()
    finally:
        await client.close()
