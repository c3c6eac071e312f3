"""Notifications over HTTP: what was told, how customers want to be told, and an intake that says when it is full."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import uuid4

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from chassis import context
from chassis.bulkhead import Bulkhead, Full
from chassis.database import Database
from chassis.problems import Problem
from notifications.adapters import store
from notifications.adapters.store import News
from notifications.adapters.trails import Trails
from notifications.ports import MEDIA, Medium, RefusedError
from notifications.telling import Telling
from notifications.trail import draw

Customer = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$", examples=["ada"])]
Id = Annotated[str, Field(pattern=r"^[\x21-\x7e]{1,128}$")]
Line = Annotated[str, Field(min_length=1, max_length=120, pattern=r"^[^\x00-\x1f\x7f]+$")]


class NotificationView(BaseModel):
    """Something that a customer was told, or will be."""

    id: str
    customer: str
    orderId: str | None  # noqa: N815 - JSON name
    kind: str = Field(description="placed, confirmed, shipped, delivered, cancelled, or note.")
    medium: Medium
    subject: str
    text: str
    status: str = Field(description="waiting, sent, or superseded by something newer about the same order.")
    address: str | None
    createdAt: datetime  # noqa: N815 - JSON name
    sentAt: datetime | None  # noqa: N815 - JSON name

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        """The view of a row."""
        return cls(
            id=row.id,
            customer=row.customer,
            orderId=row.order_id,
            kind=row.kind,
            medium=row.medium,
            subject=row.subject,
            text=row.short,
            status=row.status,
            address=row.address,
            createdAt=row.created_at,
            sentAt=row.sent_at,
        )


class NotificationList(BaseModel):
    """Notifications, the latest first."""

    notifications: list[NotificationView]


class Note(BaseModel):
    """Something to tell a customer that is no event."""

    model_config = ConfigDict(extra="forbid")

    customer: Customer
    subject: Line
    text: Line


class Told(BaseModel):
    """What became of a note."""

    notifications: list[NotificationView]


class Preferences(BaseModel):
    """Where a customer wants to be told. A medium without an address is not used."""

    model_config = ConfigDict(extra="forbid")

    email: Annotated[str, Field(pattern=r"^[^\s@<>,;\"]+@[^\s@<>,;\"]+$", max_length=254)] | None = None
    sms: Annotated[str, Field(pattern=r"^\+[1-9][0-9]{6,14}$")] | None = None
    push: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:-]{1,200}$")] | None = None

    @property
    def addresses(self) -> dict[Medium, str]:
        """Addresses by medium."""
        return {medium: address for medium in MEDIA if (address := getattr(self, medium)) is not None}


def router(database: Database, telling: Telling, trails: Trails, intake: Bulkhead) -> APIRouter:
    """Routes of notifications."""
    routes = APIRouter(tags=["notifications"])

    @routes.get("/v1/notifications")
    async def list_notifications(
        customer: Annotated[Customer | None, Query()] = None,
        order: Annotated[Id | None, Query()] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> NotificationList:
        """List what was told, the latest first."""
        async with database.transaction() as session:
            rows = await store.listed(session, customer=customer, order_id=order, limit=limit)
        return NotificationList(notifications=[NotificationView.of(row) for row in rows])

    @routes.post("/v1/notifications", status_code=201)
    async def tell(
        note: Note,
        idempotency_key: Annotated[
            str | None,
            Header(pattern=r"^[\x21-\x7e]{1,128}$", description="A note sent again with its key is told once."),
        ] = None,
    ) -> Told:
        """Tell a customer something now. While too many are being told it is 429, and the sender keeps the note."""
        key = idempotency_key or str(uuid4())
        request = context.current()
        news = News(f"note-{note.customer}-{key}", request.request_id if request else key, note.customer, "note")
        try:
            async with intake:
                await telling.tell(news, subject=note.subject, text=note.text)
        except Full as error:
            detail = "As many notes as fit are being told. Send this one again in a moment."
            raise Problem(429, detail, kind="intake-full", title="Intake full", headers={"retry-after": "1"}) from error
        except RefusedError as error:
            raise Problem(422, f"It can't be told: {error}.", kind="refused", title="Refused") from error
        async with database.transaction() as session:
            rows = await store.of_event(session, news.event_id)
        return Told(notifications=[NotificationView.of(row) for row in rows])

    @routes.get("/v1/preferences/{customer}")
    async def read_preferences(customer: Annotated[Customer, Path()]) -> Preferences:
        """Read where a customer is told. Who never said is told by mail."""
        async with database.transaction() as session:
            return Preferences.model_validate(await store.addresses(session, customer))

    @routes.put("/v1/preferences/{customer}")
    async def write_preferences(customer: Annotated[Customer, Path()], wanted: Preferences) -> Preferences:
        """Say where a customer wants to be told from now on, also about what waits among the dead letters."""
        async with database.transaction() as session:
            await store.prefer(session, customer, wanted.addresses)
        return wanted

    @routes.get("/v1/trails/{identity}", response_class=PlainTextResponse)
    async def read_trail(
        identity: Annotated[Id, Path(description="A request's x-request-id, or an order's id.")],
    ) -> PlainTextResponse:
        """Draw what followed from a request: which event from which, down to the last notification."""
        trail = await trails.of(identity)
        if trail is None:
            detail = "Nothing is known to follow from this. Give the x-request-id of a request, or the id of an order."
            raise Problem(404, detail, kind="unknown-trail")
        return PlainTextResponse("\n".join(draw(trail.correlation_id, trail.steps)) + "\n")

    return routes
