import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

BREAKS = ["answer_close", "answer_reset", "answer_cut_head", "answer_cut_body", "answer_cut_chunk", "answer_nonsense"]


class Target(ThreadingHTTPServer):
    """A real HTTP server whose paths name how it misbehaves."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.seen: Counter[str] = Counter()
        self.cookies: list[str] = []
        self.bodies: list[tuple[str, str, str]] = []
        self.guard = threading.Lock()
        self.frozen_from = self.frozen_until = float("inf")

    def freeze(self, *, after: float, seconds: float) -> None:
        """Answer nothing for a while, as a process does that collects garbage."""
        self.frozen_from = time.monotonic() + after
        self.frozen_until = self.frozen_from + seconds

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away isn't news."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Target

    def do_GET(self) -> None:
        path, self.close_connection = self.path.partition("?")[0], False
        length = int(self.headers.get("content-length", 0))
        with self.server.guard:
            self.server.seen[path] += 1
            self.server.cookies.append(self.headers.get("cookie", ""))
            body = self.rfile.read(length).decode()
            self.server.bodies.append((self.path, self.headers.get("x-key", ""), body))
        if self.server.frozen_from <= time.monotonic() < self.server.frozen_until:
            threading.Event().wait(self.server.frozen_until - time.monotonic())
        getattr(self, f"answer_{path.strip('/') or 'well'}", self.answer_missing)()

    do_POST = do_GET  # noqa: N815 - the base class looks for this name

    def answer_well(self) -> None:
        self.answer(200, b"hello")

    def answer_error(self) -> None:
        self.answer(503, b"no healthy upstream")

    def answer_sometimes(self) -> None:
        odd = self.server.seen["/sometimes"] % 2
        self.answer(503 if odd else 200, b"")

    def answer_missing(self) -> None:
        self.answer(404, b"no such thing")

    def answer_hang(self) -> None:
        threading.Event().wait(5)
        self.answer(200, b"at last")

    def answer_broken(self) -> None:
        """Break the connection, each time in the next of all ways."""
        getattr(self, BREAKS[self.server.seen["/broken"] % len(BREAKS)])()

    def answer_close(self) -> None:
        self.close_connection = True

    def answer_reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def answer_cut_head(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-le")
        self.close_connection = True

    def answer_cut_body(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf a bo")
        self.close_connection = True

    def answer_cut_chunk(self) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n64\r\nhalf a bo")
        self.close_connection = True

    def answer_nonsense(self) -> None:
        self.wfile.write(b"220 mail.example.com ESMTP\r\n")
        self.close_connection = True

    def answer_goodbye(self) -> None:
        self.answer(200, b"the connection ends here", close=True)

    def answer(self, status: int, body: bytes, *, close: bool = False) -> None:
        head = [
            f"HTTP/1.1 {status} Whatever",
            f"content-length: {len(body)}",
            "x-served-by: gateway;revision=1;pod=g, orders;revision=3;pod=o",
            "set-cookie: seatrial=yes",
            *(["connection: close"] if close else []),
        ]
        self.wfile.write("\r\n".join(head).encode() + b"\r\n\r\n" + body)
        self.close_connection = close

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[Target]:
    with Target() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
