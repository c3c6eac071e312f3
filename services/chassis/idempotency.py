"""Idempotency keys: who asks again with the same key gets the answer that was given the first time.

The key, the effect and the answer are one transaction, so no crash can leave an effect whose answer is unknown. Of
requests that come at the same moment one does the work; the others wait for its answer. After the IETF draft "The
Idempotency-Key HTTP Header Field".
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from fastapi.responses import JSONResponse
from sqlalchemy import Column, CursorResult, Index, Table, Text, delete, select, update

from chassis.database import Json, Session, Timestamp, insert_if_absent, metadata
from chassis.problems import Problem

TABLES: Final = metadata()
KEYS: Final = Table(
    "idempotency_keys",
    TABLES,
    Column("scope", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column("claimed_at", Timestamp, nullable=False),
    Column("answer", Json),
    Index(None, "claimed_at"),
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered. ``body`` is JSON."""

    status: int
    body: Any
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> JSONResponse:
        """As HTTP."""
        return JSONResponse(self.body, status_code=self.status, headers=dict(self.headers))


class KeyReused(Problem):
    """A key stands for one request: with another it would answer something that was never asked."""

    def __init__(self) -> None:
        super().__init__(
            422,
            "This idempotency key was used for another request. Take a new key, or send the same request.",
            kind="idempotency-key-reused",
            title="Idempotency key reused",
        )


class KeyInUse(Problem):
    """The first request with this key isn't answered yet, or its process died in the middle of several transactions."""

    def __init__(self) -> None:
        super().__init__(
            409,
            "The request with this idempotency key is still under way. Ask again in a moment.",
            kind="idempotency-key-in-use",
            title="Idempotency key in use",
            headers={"retry-after": "1"},
        )


class IdempotencyKeys:
    """The keys that a service was given. ``scope`` keeps apart what different operations and callers chose."""

    async def claim(
        self, session: Session, key: str, *, scope: str, request: object, answer: Answer | None = None
    ) -> Answer | None:
        """The answer that was given under this key, or None: then this transaction does the work, and keeps one.

        ``request`` is what was asked for, as JSON; ``answer`` is kept at once, where it is known before the work is
        done. Raises ``KeyReused`` when the request isn't what it was, and ``KeyInUse`` when a transaction claimed the
        key and committed without an answer.
        """
        claimed = await insert_if_absent(
            session,
            KEYS,
            scope=scope,
            key=key,
            fingerprint=_fingerprint(request),
            claimed_at=datetime.now(UTC),
            **({} if answer is None else {"answer": asdict(answer)}),
        )
        if claimed:
            return None
        known = await self.find(session, key, scope=scope, request=request)
        if known is None:
            raise KeyInUse
        return known

    async def find(self, session: Session, key: str, *, scope: str, request: object) -> Answer | None:
        """The answer that was given under this key, if there is one. Claims nothing. Raises ``KeyReused``."""
        wanted = select(KEYS.c.fingerprint, KEYS.c.answer).where(KEYS.c.scope == scope, KEYS.c.key == key)
        known = (await session.execute(wanted)).one_or_none()
        if known is None:
            return None
        if known.fingerprint != _fingerprint(request):
            raise KeyReused
        return None if known.answer is None else Answer(**known.answer)

    async def keep(self, session: Session, key: str, *, scope: str, answer: Answer) -> None:
        """Keep the answer to a request whose key was claimed; what is kept later takes its place."""
        claimed = update(KEYS).where(KEYS.c.scope == scope, KEYS.c.key == key)
        await session.execute(claimed.values(answer=asdict(answer)))

    async def forget(self, session: Session, before: datetime) -> int:
        """Forget keys that were claimed before a moment, and give how many."""
        forgotten = await session.execute(delete(KEYS).where(KEYS.c.claimed_at < before))
        return forgotten.rowcount if isinstance(forgotten, CursorResult) else 0


def _fingerprint(request: object) -> str:
    """Digest of a request: the same for the same JSON, however its objects are ordered."""
    text = json.dumps(request, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
