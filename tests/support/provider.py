"""A provider of mails, text messages and pushes, as far as notifications can tell: HTTP, and it knows what it has."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Sent:
    """A message as it was taken."""

    medium: str
    id: str
    content: bytes

    @property
    def json(self) -> dict[str, Any]:
        """What a text message or a push says."""
        content: dict[str, Any] = json.loads(self.content)
        return content

    @property
    def mail(self) -> tuple[str, str, str]:
        """To, subject and plain text of a mail."""
        mail = message_from_bytes(self.content, policy=policy.default)
        body = mail.get_body(("plain",))
        assert body is not None
        return mail["To"], mail["Subject"], body.get_content()


@dataclass
class Provider:
    """What it does, which may be changed at any time, and what it has taken."""

    url: str
    delay: float = 0.0
    refused: str | None = None
    """Messages with this in them are refused for ever."""
    down: bool = False
    gate: threading.Event = field(default_factory=threading.Event)
    """While it isn't set, nobody gets an answer."""
    taken: list[Sent] = field(default_factory=list)
    offers: Counter[str] = field(default_factory=Counter)

    def reset(self) -> None:
        """Do as it should, and forget what was taken."""
        self.delay, self.refused, self.down = 0.0, None, False
        self.gate.set()
        self.taken.clear()
        self.offers.clear()

    def to(self, customer: str) -> list[Sent]:
        """Messages in which a customer is named, in the order in which they came."""
        return [one for one in list(self.taken) if customer.encode() in one.content]

    def answer(self, offered: Sent) -> int:
        """Take an offer; a message that it has already is taken once."""
        self.offers[offered.id] += 1
        if self.down:
            return 503
        if self.refused is not None and self.refused.encode() in offered.content:
            return 422
        if all(one.id != offered.id for one in self.taken):
            self.taken.append(offered)
        time.sleep(self.delay)
        self.gate.wait(30)
        return 202


@contextmanager
def provider() -> Iterator[Provider]:
    """Run one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["content-length"]))
            status = running.answer(Sent(self.path.strip("/"), self.headers["idempotency-key"], content))
            try:
                self.send_response(status)
                self.send_header("content-length", "0")
                self.end_headers()
            except BrokenPipeError:
                self.close_connection = True  # who asked has died meanwhile

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the server calls it
            """Stay silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running = Provider(f"http://127.0.0.1:{server.server_port}")
    running.gate.set()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield running
    finally:
        running.gate.set()
        server.shutdown()
        thread.join()
        server.server_close()
