"""A gRPC server that plays the part which its environment gives it: a share `ERRORS` of its calls ends with `STATUS`.

As `support.actor`, this file's text is handed to a pod's python3. Every call is answered by an empty message and a
status in trailers, whatever was asked, so nothing of what is asked is decoded: of HTTP/2 it speaks what that takes.
`STATUS` is 13 (INTERNAL) where nothing is said; with `STREAMS` messages go on until somebody ends the call. It listens
on `LISTEN` (8080).
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
DATA, HEADERS, RST_STREAM, SETTINGS, PING, WINDOW_UPDATE = 0, 1, 3, 4, 6, 8
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


def begin(stream: int) -> bytes:
    """The beginning of an answer: its head and a message."""
    head = STATUS_200 + field("content-type", "application/grpc") + field("x-served-by", SERVED_BY)
    return frame(HEADERS, END_HEADERS, stream, head) + frame(DATA, 0, stream, EMPTY_MESSAGE)


def answer(stream: int) -> bytes:
    """The whole answer to one call."""
    failing = CHANCE.random() < float(PART("ERRORS", "0"))
    status = PART("STATUS", "13") if failing else "0"
    return begin(stream) + frame(HEADERS, END_HEADERS | END_STREAM, stream, field("grpc-status", status))


async def go_on(writer: asyncio.StreamWriter, stream: int) -> None:
    """An answer without an end."""
    writer.write(begin(stream))
    while True:
        await asyncio.sleep(0.2)
        writer.write(frame(DATA, 0, stream, EMPTY_MESSAGE))
        await writer.drain()


def reply(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """What is said to one frame, but for what streams."""
    said = b""
    if kind == SETTINGS and not flags & ACK:
        said += frame(SETTINGS, ACK, 0)
    if kind == PING and not flags & ACK:
        said += frame(PING, ACK, 0, payload)
    if kind == DATA and payload:
        said += frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", len(payload)))
    if is_asked(kind, flags) and not PART("STREAMS"):
        said += answer(stream)
    return said


def is_asked(kind: int, flags: int) -> bool:
    """Whether a call is complete with this frame."""
    return kind in {DATA, HEADERS} and bool(flags & END_STREAM)


async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer the calls of one connection."""
    streams: dict[int, asyncio.Task[None]] = {}
    try:
        await reader.readexactly(PREFACE)
        writer.write(frame(SETTINGS, 0, 0))
        while True:
            head = await reader.readexactly(9)
            kind, flags, stream = struct.unpack(">BBI", head[3:])
            payload = await reader.readexactly(int.from_bytes(head[:3]))
            writer.write(reply(kind, flags, stream, payload))
            if is_asked(kind, flags) and PART("STREAMS"):
                streams[stream] = asyncio.create_task(go_on(writer, stream))
            if kind == RST_STREAM and stream in streams:
                streams.pop(stream).cancel()
            await writer.drain()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        for task in streams.values():
            task.cancel()
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
