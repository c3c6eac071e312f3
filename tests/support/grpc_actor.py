"""A gRPC server that plays the part which its environment gives it: a share `ERRORS` of its calls ends with `STATUS`.

As `support.actor`, this file's text is handed to a pod's python3. Every call is answered by an empty message and a
status in trailers, whatever was asked, so nothing of what is asked is decoded: of HTTP/2 it speaks what that takes.
`STATUS` is 13 (INTERNAL) where nothing is said; it listens on `LISTEN` (8080).
"""

import asyncio
import os
import random
import signal
import struct

PART = os.environ.get
CHANCE = random.Random(PART("POD_NAME", ""))  # noqa: S311 - a part, not a secret
SERVED_BY = f"{PART('SEATRIAL_SERVICE')};revision={PART('SEATRIAL_REVISION')};pod={PART('POD_NAME')}"

PREFACE = 24  # bytes that a client says first
DATA, HEADERS, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 4, 6, 8
ACK = END_STREAM = 1
END_HEADERS = 4
STATUS_200 = b"\x88"  # by its number in HPACK's static table
EMPTY_MESSAGE = bytes(5)


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """One frame of HTTP/2."""
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def field(name: str, value: str) -> bytes:
    """A header as HPACK spells it without tables."""
    return b"\x00" + b"".join(bytes([len(text)]) + text.encode() for text in (name, value))


def answer(stream: int) -> bytes:
    """The whole answer to one call."""
    failing = CHANCE.random() < float(PART("ERRORS", "0"))
    status = PART("STATUS", "13") if failing else "0"
    head = STATUS_200 + field("content-type", "application/grpc") + field("x-served-by", SERVED_BY)
    return (
        frame(HEADERS, END_HEADERS, stream, head)
        + frame(DATA, 0, stream, EMPTY_MESSAGE)
        + frame(HEADERS, END_HEADERS | END_STREAM, stream, field("grpc-status", status))
    )


def reply(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """What is said to one frame."""
    said = b""
    if kind == SETTINGS and not flags & ACK:
        said += frame(SETTINGS, ACK, 0)
    if kind == PING and not flags & ACK:
        said += frame(PING, ACK, 0, payload)
    if kind == DATA and payload:
        said += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload)))
    if kind in (DATA, HEADERS) and flags & END_STREAM:
        said += answer(stream)
    return said


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the calls of one connection."""
    try:
        await reader.readexactly(PREFACE)
        writer.write(frame(SETTINGS, 0, 0))
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            writer.write(reply(kind, flags, stream, payload))
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def play() -> None:
    """Serve until SIGTERM."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await asyncio.start_server(converse, port=int(PART("LISTEN", "8080")))
    await over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(play())
