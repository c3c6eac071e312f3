"""A server that does what its path's last part says: answers with any code, late, half, never, or by hanging up.

`/200`, `/503` … answer at once. `/slow` takes a second, `/hang` never answers. `/reset` hangs up before its answer,
`/cut` in the middle of it, `/drip` begins its answer at once and ends it after a second, `/dumb` begins it and never
ends it. `/continue` says 100 first. `/upgrade` speaks no HTTP any more, and ends the connection.
`/grpc-5` answers 200 with that gRPC status in trailers, `/bare-5` in headers.
What isn't HTTP is a word: `echo` gets it back and the connection stays, after `bye` it ends.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

import h2.config
import h2.connection
import h2.events
import h2.exceptions

LATE = 1.0  # seconds
BODY = b"fine"


class Misbehaving:
    """Serves HTTP/1.1, or HTTP/2 when asked to, on a port of loopback for as long as the block lasts."""

    def __init__(self, *, http2: bool = False, port: int = 0) -> None:
        self._http2 = http2
        self.port = port
        self._open: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        for conversation in self._open:
            conversation.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        speak = self._speak2 if self._http2 else self._speak1
        conversation = asyncio.create_task(speak(reader, writer))
        self._open.add(conversation)
        conversation.add_done_callback(self._open.discard)

    async def _speak1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._answer1(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _answer1(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await reader.readuntil(b"\r\n\r\n")
        if b" " not in head:
            writer.write(head)
            return head.startswith(b"echo")
        what = head.split(b" ")[1].rpartition(b"/")[2].decode()
        if what == "continue":
            writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if what == "upgrade":
            writer.write(b"HTTP/1.1 101 X\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
            await writer.drain()
        if what in ("reset", "upgrade"):
            return False
        if what == "hang":
            await reader.read()
        if what == "slow":
            await asyncio.sleep(LATE)
        code = int(what) if what.isdigit() else 200
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (code, len(BODY)) + BODY[:2])
        await writer.drain()
        if what == "cut":
            await asyncio.sleep(0.05)
            return False
        if what == "drip":
            await asyncio.sleep(LATE)
        if what == "dumb":
            await reader.read()
        writer.write(BODY[2:])
        await writer.drain()
        return True

    async def _speak2(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        writer.write(connection.data_to_send())
        asking: dict[int, str] = {}
        try:
            while data := await reader.read(65536):
                for event in connection.receive_data(data):
                    if isinstance(event, h2.events.RequestReceived):
                        path = dict(event.headers)[b":path"].decode()
                        asking[event.stream_id or 0] = path.rpartition("/")[2]
                    elif isinstance(event, h2.events.StreamEnded):
                        self._answer2(connection, event.stream_id or 0, asking.pop(event.stream_id or 0), writer)
                writer.write(connection.data_to_send())
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def _answer2(
        self, connection: h2.connection.H2Connection, stream: int, what: str, writer: asyncio.StreamWriter
    ) -> None:
        kind, _, status = what.partition("-")
        if kind == "hang":
            return
        if kind == "reset":
            connection.reset_stream(stream)
            return
        headers = [(":status", kind if kind.isdigit() else "200"), ("content-type", "application/grpc")]
        if kind == "bare" or kind.isdigit():
            said = [("grpc-status", status)] if status else []
            connection.send_headers(stream, headers + said, end_stream=True)
            return
        connection.send_headers(stream, headers)
        connection.send_data(stream, b"\0\0\0\0\0")
        if kind == "cut":
            connection.reset_stream(stream)
            return

        def finish() -> None:
            with suppress(h2.exceptions.StreamClosedError):  # its client has gone
                connection.send_headers(stream, [("grpc-status", status or "0")], end_stream=True)
            writer.write(connection.data_to_send())

        _after(LATE if kind == "slow" else 0.0, finish)


def _after(seconds: float, act: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_later(seconds, act)
