"""Streams from outside, through the ingress gateway: answers that go on until somebody ends them."""

import socket
import threading
from types import TracebackType
from typing import Self

from loadtests.served_by import parse

GATEWAY = ("127.0.0.1", 8080)


class Endless:
    """One stream of `/stream`, in chunks or as a WebSocket, or the answer to a `call` of gRPC; `revision` served it."""

    def __init__(self, host: str, *, upgrade: str = "", path: str = "/stream", call: str = "") -> None:
        self._over = threading.Event()
        self._socket = socket.create_connection(GATEWAY, timeout=10)
        more = f"connection: upgrade\r\nupgrade: {upgrade}\r\n" if upgrade else ""
        if call:
            more = "content-type: application/grpc\r\nte: trailers\r\ncontent-length: 0\r\n"
        asked = f"POST {call}" if call else f"GET {path}"
        self._socket.sendall(f"{asked} HTTP/1.1\r\nhost: {host}\r\n{more}\r\n".encode())
        head = self._head()
        self.revision = parse(head["x-served-by"])[0].revision
        self._reader = threading.Thread(target=self._read, daemon=True, name="stream")

    def __enter__(self) -> Self:
        self._socket.settimeout(None)
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def goes_on(self) -> bool:
        """Whether nobody has ended it."""
        return not self._over.is_set()

    def close(self) -> None:
        """End it, as a user who goes away."""
        if self.goes_on:
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join(timeout=10)
        self._socket.close()

    def _head(self) -> dict[str, str]:
        said = b""
        while b"\r\n\r\n" not in said:
            more = self._socket.recv(4096)
            assert more, f"no answer but {said!r}"
            said += more
        lines = said.partition(b"\r\n\r\n")[0].decode("latin-1").splitlines()[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}

    def _read(self) -> None:
        try:
            while self._socket.recv(4096):
                pass
        except OSError:
            pass
        self._over.set()
