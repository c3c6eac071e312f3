"""Channels: how a message is put for email, SMS and push, before a sink carries it away.

They stand where clients of real providers would. What they make is what such a provider takes.
"""

import json
from email import policy
from email.message import EmailMessage
from typing import Final

from notifications.adapters.sinks import Sink
from notifications.ports import Message, RefusedError

_SENDER: Final = "Seatrial shop <shop@shop.example>"
_LONGEST_SMS: Final = 3 * 153
"""Characters of three joined messages: what costs more is cut."""
_LARGEST_PUSH: Final = 4096
"""Bytes that push services take."""


class Email:
    """Mails with a plain and an HTML part."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def send(self, message: Message) -> None:
        """Send it as RFC 5322 has it."""
        mail = EmailMessage(policy=policy.SMTP)
        try:
            mail["From"], mail["To"], mail["Subject"] = _SENDER, message.address, message.wording.subject
        except ValueError as error:  # a line break in a header: somebody tries to add one of their own
            raise RefusedError(f"no mail can have these headers: {error}") from error
        mail["Message-ID"] = f"<{message.id}@shop.example>"
        mail.set_content(message.wording.long)
        mail.add_alternative(message.wording.html, subtype="html")
        await self._sink.put("email", message.id, mail.as_bytes())


class Sms:
    """Text messages."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def send(self, message: Message) -> None:
        """Send the short text, cut to what three messages hold."""
        text = message.wording.short
        if len(text) > _LONGEST_SMS:
            text = text[: _LONGEST_SMS - 1] + "…"
        await self._sink.put("sms", message.id, _json({"to": message.address, "text": text}))


class Push:
    """Notes on a phone's screen."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    async def send(self, message: Message) -> None:
        """Send subject and short text."""
        body = _json({"token": message.address, "title": message.wording.subject, "body": message.wording.short})
        if len(body) > _LARGEST_PUSH:
            raise RefusedError(f"a push of {len(body)} bytes is larger than {_LARGEST_PUSH}")
        await self._sink.put("push", message.id, body)


def _json(content: dict[str, str]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
