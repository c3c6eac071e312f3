"""Telling customers: what happens to an event from its arrival to the last message that left because of it.

Once in effect, though events come at least once and any step can be the last before a crash:

1. In one transaction the inbox says whether the event is new, what is to be told is noted, and what is left is read.
2. What is noted and not told yet is sent, each message under its own id, by which a channel knows what it has.
3. That it was sent is noted, and only then the event is acknowledged.

An event that comes again goes through step 1 without effect and through 2 and 3 with what is left.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chassis.consumers import Poison
from chassis.database import Database, Session
from chassis.events import Envelope
from chassis.inbox import Inbox
from chassis.schemas.upcasts import upcast
from chassis.together import Together
from notifications.adapters import store
from notifications.adapters.store import News, Sent
from notifications.occasions import RECEIPT, STAGES, Occasion, occasion
from notifications.ports import Channel, Medium, Message, RefusedError, Wording
from notifications.wording import WordingError, Words

CONSUMER = "customers"
FOLLOWED = (*STAGES, "ShipmentBooked")
"""Events that matter here."""


@dataclass(frozen=True)
class Letter:
    """What is to be told to somebody by one medium. ``address`` is where it goes now, None where it can't go."""

    id: str
    customer: str
    medium: Medium
    address: str | None
    wording: Wording


class Telling:
    """Tells customers what events say."""

    def __init__(self, database: Database, inbox: Inbox, words: Words, channels: Mapping[Medium, Channel]) -> None:
        self._database = database
        self._inbox = inbox
        self._words = words
        self._channels = channels
        self._sent = Together(self._note_sent)

    async def handle(self, envelope: Envelope) -> None:
        """Tell what an event gives to tell. Raises ``Poison`` when somebody has to mend something first."""
        try:
            async with self._database.transaction() as session:
                new = await self._inbox.first_time(session, envelope, CONSUMER)
                left = await (self._note(session, envelope) if new else self._left(session, envelope.event_id))
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

    async def _note(self, session: Session, envelope: Envelope) -> Sequence[Letter]:
        """Note what an event that is new gives to tell, and give it."""
        payload = upcast(envelope.event_type, envelope.event_version, envelope.payload)
        if envelope.event_type in STAGES:
            return await self._note_occasion(session, envelope, occasion(envelope.event_type, payload))
        await store.journey(session, payload["orderId"])
        parcel = {"carrier": payload["carrier"], "tracking_code": payload["trackingCode"]}
        await store.change_journey(session, payload["orderId"], **parcel)
        return ()

    async def _note_occasion(self, session: Session, envelope: Envelope, happened: Occasion) -> Sequence[Letter]:
        known = await store.journey(session, happened.order)
        if happened.stage == known.stage:
            return ()  # said once more, by another event
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
        noted = [
            Letter(
                await store.plan(session, news, wording, medium, status="superseded" if superseded else "waiting"),
                happened.customer,
                medium,
                address,
                wording,
            )
            for medium, address in (await store.addresses(session, happened.customer)).items()
        ]
        return () if superseded else noted

    async def _left(self, session: Session, event_id: str) -> Sequence[Letter]:
        """What an event has given to tell and that isn't told yet."""
        rows = await store.waiting(session, event_id)
        addresses = await store.addresses(session, rows[0].customer) if rows else {}
        return [
            Letter(
                row.id,
                row.customer,
                row.medium,
                addresses.get(row.medium),
                self._words.plain(subject=row.subject, short=row.short, long=row.long),
            )
            for row in rows
        ]

    async def _send(self, left: Sequence[Letter]) -> None:
        """Send by every medium, and then say which of them refused."""
        refusals = []
        for letter in left:
            try:
                await self._send_one(letter)
            except RefusedError as error:
                refusals.append(f"{letter.medium}: {error}")
        if refusals:
            raise RefusedError("; ".join(refusals))

    async def _send_one(self, letter: Letter) -> None:
        if letter.address is None:
            raise RefusedError(f"{letter.customer} has no address for it any more")
        await self._channels[letter.medium].send(Message(letter.id, letter.address, letter.wording))
        await self._sent.store(Sent(letter.id, letter.address, datetime.now(UTC)))

    async def _note_sent(self, letters: Sequence[Sent]) -> None:
        async with self._database.transaction() as session:
            await store.note_sent(session, letters)
