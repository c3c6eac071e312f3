"""What notifications need of the world outside: a way to reach a customer."""

from dataclasses import dataclass
from typing import Literal, Protocol, get_args

Medium = Literal["email", "sms", "push"]
"""The ways to reach somebody."""
MEDIA: tuple[Medium, ...] = get_args(Medium)


@dataclass(frozen=True)
class Wording:
    """The same news in all lengths."""

    subject: str
    short: str
    long: str
    html: str
    """The long text as a page."""


@dataclass(frozen=True)
class Message:
    """Something to tell somebody."""

    id: str
    """A channel sends a message of the same id once, however often it is asked."""
    address: str
    wording: Wording


class Channel(Protocol):
    """Sends messages by one medium."""

    async def send(self, message: Message) -> None:
        """Send it. Raises ``RefusedError`` when that is in vain, and a 503 ``Problem`` when later is worth a try."""


class RefusedError(Exception):
    """This message will never get to this address."""
