"""Runs notifications: ``python -m notifications``. The one place that knows all parts."""

from pathlib import Path

from pydantic import Field, HttpUrl

from chassis import dead_letter_routes, endpoints
from chassis.inbox import Inbox
from chassis.service import Service
from chassis.settings import Settings, load
from notifications.adapters.channels import Email, Push, Sms
from notifications.adapters.sinks import Folder, Log, Post, Sink
from notifications.adapters.trails import Trails
from notifications.entrypoints import events, http
from notifications.ports import Channel, Medium
from notifications.telling import Telling
from notifications.wording import Words


class NotificationsSettings(Settings):
    """Settings of notifications."""

    service: str = Field("notifications", validation_alias="SEATRIAL_SERVICE")
    sink_url: HttpUrl | None = Field(None, description="Where messages are posted to: /email, /sms and /push below it.")
    sink_folder: Path | None = Field(None, description="Where messages are written to, unless they are posted.")
    workers: int = Field(8, ge=1, le=64, description="Events under way at once.")
    intake: int = Field(16, ge=1, description="Notes by HTTP under way at once; one more is answered with 429.")


def main() -> None:
    """Compose and run."""
    settings = load(NotificationsSettings)
    service = Service(settings, title="Notifications", description="What customers are told.")
    database = service.database(settings.database_url, migrations="notifications")
    telling = Telling(database, Inbox(), Words(), _channels(_sink(settings, service)))
    trails = Trails(database)
    events.connect(service, telling, trails, workers=settings.workers)
    service.offer(
        http.router(database, telling, trails, service.bulkhead("intake", settings.intake)),
        dead_letter_routes.router(service.broker),
        endpoints.identity(settings),
    )
    service.run()


def _channels(sink: Sink) -> dict[Medium, Channel]:
    return {"email": Email(sink), "sms": Sms(sink), "push": Push(sink)}


def _sink(settings: NotificationsSettings, service: Service) -> Sink:
    if settings.sink_url is not None:
        return Post(service.upstream("provider", str(settings.sink_url)))
    return Log() if settings.sink_folder is None else Folder(settings.sink_folder)


if __name__ == "__main__":
    main()
