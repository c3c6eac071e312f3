"""Telling customers: what happens to an event from its arrival to the last message that left because of it.

Once in effect, though events come at least once and any step can be the last before a crash:

1. In one transaction the inbox says whether the event is new, what is to be told is noted, and what is left is read.
2. What is noted and not told yet is sent, each message under its own id, by which a channel knows what it has.
3. That it was sent is noted, and only then the event is acknowledged.

An event that comes again goes through step 1 without effect and through 2 and 3 with what is left.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from chassis.consumers import Poison
from chassis.database import Database
from chassis.events import Envelope
from chassis.inbox import Inbox
from chassis.schemas.upcasts import upcast
from notifications.adapters import store
from notifications.adapters.store import News
from notifications.occasions import RECEIPT, STAGES, Occasion, occasion
from notifications.ports import Channel, Medium, Message, RefusedError
from notifications.wording import WordingError, Words

CONSUMER = "customers"
FOLLOWED = (*STAGES, "ShipmentBooked")
"""Events that matter here."""


class Telling:
    """Tells customers what events say."""

    def __init__(self, database: Database, inbox: Inbox, words: Words, channels: Mapping[Medium, Channel]) -> None:
        self._database = database
        self._inbox = inbox
        self._words = words
        self._channels = channels

    async def handle(self, envelope: Envelope) -> None:
        """Tell what an event gives to tell. Raises ``Poison`` when somebody has to mend something first."""
        try:
            async with self._database.transaction() as session:
                if await self._inbox.first_time(session, envelope, CONSUMER):
                    await self._note(session, envelope)
                left = await self._left(session, envelope.event_id)
            await self._send(left)
        except (WordingError, RefusedError) as error:
            raise Poison(str(error)) from error

    async def tell(self, news: News, *, subject: str, text: str) -> None:
        """Tell a customer something that isn't about an event. Raises ``RefusedError``."""
        wording = self._words.plain(subject=subject, short=text, long=text)
        async with self._database.transaction() as session:
            for medium in await store.addresses(session, news.customer):
                await store.plan(session, news, wording, medium, status="waiting")
            left = await self._left(session, news.event_id)
        await self._send(left)

    async def forget(self) -> None:
        """Let go of which events were handled so long ago that the broker has forgotten them too."""
        async with self._database.transaction() as session:
            await self._inbox.forget(session, datetime.now(UTC))

    async def _note(self, session: AsyncSession, envelope: Envelope) -> None:
        payload = upcast(envelope.event_type, envelope.event_version, envelope.payload)
        if envelope.event_type in STAGES:
            await self._note_occasion(session, envelope, occasion(envelope.event_type, payload))
        else:
            await store.journey(session, payload["orderId"])
            parcel = {"carrier": payload["carrier"], "tracking_code": payload["trackingCode"]}
            await store.change_journey(session, payload["orderId"], **parcel)

    async def _note_occasion(self, session: AsyncSession, envelope: Envelope, happened: Occasion) -> None:
        known = await store.journey(session, happened.order)
        if happened.stage == known.stage:
            return  # said once more, by another event
        superseded = happened.stage < known.stage and happened.kind != RECEIPT
        if happened.stage > known.stage:
            await store.change_journey(session, happened.order, stage=happened.stage)
        wording = self._words.of(
            happened.kind,
            {
                **happened.fields,
                "order": happened.order,
                "customer": happened.customer,
                "carrier": known.carrier,
                "tracking": known.tracking_code,
            },
        )
        news = News(
            envelope.event_id, envelope.metadata.correlation_id, happened.customer, happened.kind, happened.order
        )
        for medium in await store.addresses(session, happened.customer):
            await store.plan(session, news, wording, medium, status="superseded" if superseded else "waiting")

    async def _left(self, session: AsyncSession, event_id: str) -> list[tuple[Row[Any], str | None]]:
        """What an event has given to tell and that isn't told yet, each with the address that it goes to now."""
        rows = await store.waiting(session, event_id)
        addresses = await store.addresses(session, rows[0].customer) if rows else {}
        return [(row, addresses.get(row.medium)) for row in rows]

    async def _send(self, left: Sequence[tuple[Row[Any], str | None]]) -> None:
        """Send by every medium, and then say which of them refused."""
        refusals = []
        for row, address in left:
            try:
                await self._send_one(row, address)
            except RefusedError as error:
                refusals.append(f"{row.medium}: {error}")
        if refusals:
            raise RefusedError("; ".join(refusals))

    async def _send_one(self, row: Row[Any], address: str | None) -> None:
        if address is None:
            raise RefusedError(f"{row.customer} has no address for it any more")
        wording = self._words.plain(subject=row.subject, short=row.short, long=row.long)
        await self._channels[row.medium].send(Message(row.id, address, wording))
        async with self._database.transaction() as session:
            await store.sent(session, row.id, address)
