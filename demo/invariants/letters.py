"""Dead letters: messages that nobody could handle. Each is a finding until it is explained or handled once more."""

from collections.abc import Collection

import nats
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from demo.invariants.finding import Finding

_STREAM = "DEAD"


async def dead_letters(url: str, explained: Collection[str]) -> list[Finding]:
    """Read all dead letters, and give those that no text of ``explained`` explains."""
    client = await nats.connect(url, connect_timeout=5, allow_reconnect=False)
    try:
        return await _read(client.jetstream(), explained)
    finally:
        await client.close()


async def _read(jetstream: JetStreamContext, explained: Collection[str]) -> list[Finding]:
    try:
        last = (await jetstream.stream_info(_STREAM)).state.last_seq
    except NotFoundError:
        return []
    found, sequence = [], 1
    while sequence <= last:
        try:
            message = await jetstream.get_msg(_STREAM, seq=sequence, subject="dead.>", next=True)
        except NotFoundError:
            break
        sequence = int(message.seq or last) + 1
        headers = message.headers or {}
        cause, event = headers.get("Dead-Cause", "no cause given"), headers.get("Dead-Event-Id", "no event id")
        if not any(text in cause or text in event for text in explained):
            consumer = str(message.subject).removeprefix("dead.")
            attempts = headers.get("Dead-Attempts", "?")
            found.append(Finding("no dead letters", f"{event} at {consumer}", f"after {attempts} attempts: {cause}"))
    return found
