"""A small HTTP server that plays the part which its environment gives it: a revision that is good, or bad in one way.

The tests hand this file's text to a pod's python3, so that a part is a template, needs no image of its own, and starts
in a tenth of a second. Standard library only; shares are from 0 to 1.

`ERRORS` of its answers are `ERROR_CODE` (500), `SLOW` of them come after `SLOW_SECONDS` (1), `HANGS` never, `RESETS` of
the connections are cut instead and `DROPS` of them closed; `ONLY` confines that to paths that begin so, `GOOD_FOR`
keeps a pod from all of it for so many requests. `CRASH=start` ends it at once, `CRASH=200` after that many requests.
`READY=never` fails `/readyz`. It listens on `LISTEN` (8080). `/seen` counts its requests, `/takers` those of each
revision of a consumer (`x-taken-by`), `/identity` answers with the request's headers, `/stream` goes on until its end.
"""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import sys
from collections import Counter

PART = os.environ.get
CHANCE = random.Random(f"{PART('SEED', '')} {PART('POD_NAME', '')}")  # noqa: S311 - a part, not a secret
SERVED_BY = f"{PART('SEATRIAL_SERVICE')};revision={PART('SEATRIAL_REVISION')};pod={PART('POD_NAME')}"
RST = struct.pack("ii", 1, 0)


class Actor:
    """Its requests so far, and how it answers the next one."""

    def __init__(self) -> None:
        self.seen = 0
        self.takers: Counter[str] = Counter()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; False when the connection is over."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        path = head.split(" ", 2)[1]
        fields = (line.partition(":") for line in head.splitlines()[1:] if line)
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        await reader.readexactly(int(headers.get("content-length", 0)))
        if path.startswith("/stream"):
            await stream(writer, headers.get("upgrade", ""))
            return False
        status, body = self._told(path)
        if not body:
            self._count(headers.get("x-taken-by", ""))
            body = json.dumps(headers) if path == "/identity" else "fine\n"
            if path.startswith(PART("ONLY", "/")) and self.seen > int(PART("GOOD_FOR", "0")):
                if drawn("RESETS"):
                    cut(writer)
                    return False
                if drawn("DROPS"):
                    return False
                if drawn("HANGS"):
                    return bool(await reader.read())
                if drawn("SLOW"):
                    await asyncio.sleep(float(PART("SLOW_SECONDS", "1")))
                status = int(PART("ERROR_CODE", "500")) if drawn("ERRORS") else 200
        answer = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nx-served-by: {SERVED_BY}\r\n\r\n{body}"
        writer.write(answer.encode())
        await writer.drain()
        return True

    def _told(self, path: str) -> tuple[int, str]:
        """What it says of itself, and does well whatever its part; without a body for any other path."""
        ready = 503 if path == "/readyz" and PART("READY") == "never" else 200
        said = {"/seen": str(self.seen), "/takers": json.dumps(self.takers), "/livez": "fine\n", "/readyz": "fine\n"}
        return ready, said.get(path, "")

    def _count(self, taker: str) -> None:
        self.seen += 1
        self.takers.update([taker] if taker else [])
        crash = PART("CRASH", "")
        if crash.isdigit() and self.seen > int(crash):
            os._exit(1)


async def stream(writer: asyncio.StreamWriter, upgrade: str) -> None:
    """Say something now and then until somebody ends it: in chunks, or as another protocol after an upgrade."""
    if upgrade:
        head = f"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: {upgrade}\r\nx-served-by: {SERVED_BY}\r\n\r\n"
    else:
        head = f"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\nx-served-by: {SERVED_BY}\r\n\r\n"
    writer.write(head.encode())
    while True:
        writer.write(b"tick\n" if upgrade else b"5\r\ntick\n\r\n")
        await writer.drain()
        await asyncio.sleep(0.2)


def drawn(name: str) -> bool:
    """Whether chance picks this request for one way to be bad."""
    share = float(PART(name, "0"))
    return share > 0 and CHANCE.random() < share


def cut(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RST)
    writer.transport.abort()


async def play() -> None:
    """Serve until SIGTERM."""
    if PART("CRASH") == "start":
        sys.exit("crashed as asked")
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    server = await asyncio.start_server(Actor().converse, port=int(PART("LISTEN", "8080")))
    await over.wait()
    server.close()


if __name__ == "__main__":
    asyncio.run(play())
