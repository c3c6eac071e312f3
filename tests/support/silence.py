"""A way to a server that can fall silent: nothing is refused, nothing is closed, and nothing arrives any more."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Silence:
    """What is on the way when it is told to fall silent stays there."""

    def __init__(self, host: str, port: int) -> None:
        self._to = host, port
        self._speaks = asyncio.Event()
        self._speaks.set()
        self._ways: set[asyncio.Task[None]] = set()

    def fall(self) -> None:
        self._speaks.clear()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._to)
        ways = {asyncio.create_task(self._carry(*ends)) for ends in ((reader, back), (there, writer))}
        self._ways |= ways

    def end(self) -> None:
        for way in self._ways:
            way.cancel()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while data := await reader.read(65536):
                await self._speaks.wait()
                writer.write(data)
        finally:
            writer.transport.abort()


@asynccontextmanager
async def way_to(host: str, port: int) -> AsyncIterator[tuple[Silence, int]]:
    """Another port that leads there."""
    silence = Silence(host, port)
    server = await asyncio.start_server(silence.serve, "127.0.0.1", 0)
    async with server:
        yield silence, server.sockets[0].getsockname()[1]
        silence.end()
