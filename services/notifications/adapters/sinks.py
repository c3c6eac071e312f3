"""Where messages go: a folder, an HTTP address, or the log. None of them is a real provider.

Each takes a message once, however often it is offered: a crash between sending and noting it makes a second offer.
"""

import asyncio
import logging
import os
from http import HTTPStatus
from pathlib import Path
from typing import Final, Protocol

from chassis.outbound import Upstream, UpstreamUnavailable
from chassis.problems import Problem
from notifications.ports import RefusedError

_log = logging.getLogger(__name__)

_LATER: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})


class Sink(Protocol):
    """Takes finished messages."""

    async def put(self, medium: str, identity: str, content: bytes) -> None:
        """Take a message away. Raises ``RefusedError``, or a 503 ``Problem`` while it can't."""


class Folder:
    """A file a message: ``<folder>/<medium>/<id>``. Written whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def put(self, medium: str, identity: str, content: bytes) -> None:
        """Write the file unless it is there."""
        await asyncio.to_thread(self._write, self._folder / medium, identity, content)

    def _write(self, folder: Path, identity: str, content: bytes) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            draft = folder / f".{identity}.{os.getpid()}"
            draft.write_bytes(content)
            draft.replace(folder / identity)  # the same content again when it was there: nobody can tell
        except OSError as error:
            raise Problem(503, f"{folder}: {error.strerror}.", kind="channel-unavailable") from error


class Post:
    """An HTTP address that knows by the idempotency key what it has."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    async def put(self, medium: str, identity: str, content: bytes) -> None:
        """POST it to ``/<medium>``."""
        headers = {"idempotency-key": identity}
        answer = await self._upstream.request("POST", f"/{medium}", content=content, headers=headers)
        if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in _LATER:
            raise UpstreamUnavailable(self._upstream.name)
        if answer.is_client_error:
            raise RefusedError(f"the provider of {medium} refuses: {answer.status_code} {answer.text[:200]}")


class Log:
    """The log, where no other place is set."""

    async def put(self, medium: str, identity: str, content: bytes) -> None:
        """Say that it would have been sent."""
        _log.info("sent", extra={"medium": medium, "notificationId": identity, "bytes": len(content)})
