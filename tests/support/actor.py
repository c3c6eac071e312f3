"""A small HTTP server that plays the part which its environment gives it: a revision that is good, or bad in one way.

The tests hand this file's text to a pod's python3, so that a part is a template, needs no image of its own, and starts
in a tenth of a second. Standard library only; shares are from 0 to 1.

`ERRORS` of its answers are `ERROR_CODE` (500), `SLOW` of them come after `SLOW_SECONDS` (1), `HANGS` never, `RESETS` of
the connections are cut instead; `ONLY` confines that to paths that begin so, `GOOD_FOR` keeps a pod from all of it for
so many requests. `CRASH=start` ends it at once, `CRASH=200` after that many requests. `READY=never` fails `/readyz`. It
listens on `LISTEN` (8080). `/seen` counts its requests, `/identity` answers with the request's headers.
"""

import asyncio
import json
import os
import random
import signal
import socket
import struct
import sys

PART = os.environ.get
CHANCE = random.Random(f"{PART('SEED', '')} {PART('POD_NAME', '')}")  # noqa: S311 - a part, not a secret
SERVED_BY = f"{PART('SEATRIAL_SERVICE')};revision={PART('SEATRIAL_REVISION')};pod={PART('POD_NAME')}"
RST = struct.pack("ii", 1, 0)


class Actor:
    """Its requests so far, and how it answers the next one."""

    def __init__(self) -> None:
        self.seen = 0

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
        status, body = 200, "fine\n"
        if path == "/readyz":
            status = 503 if PART("READY") == "never" else 200
        elif path == "/seen":
            body = str(self.seen)
        elif path != "/livez":
            self._count()
            if path.startswith(PART("ONLY", "/")) and self.seen > int(PART("GOOD_FOR", "0")):
                if drawn("RESETS"):
                    cut(writer)
                    return False
                if drawn("HANGS"):
                    return bool(await reader.read())
                if drawn("SLOW"):
                    await asyncio.sleep(float(PART("SLOW_SECONDS", "1")))
                status = int(PART("ERROR_CODE", "500")) if drawn("ERRORS") else 200
            if path == "/identity":
                body = json.dumps(headers)
        answer = f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nx-served-by: {SERVED_BY}\r\n\r\n{body}"
        writer.write(answer.encode())
        await writer.drain()
        return True

    def _count(self) -> None:
        self.seen += 1
        crash = PART("CRASH", "")
        if crash.isdigit() and self.seen > int(crash):
            os._exit(1)


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
