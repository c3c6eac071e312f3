"""Publishes what is in its outbox, and does nothing else."""

from chassis.service import Service
from chassis.settings import Settings as Base
from chassis.settings import load


class Settings(Base):
    service: str = "announcer"


if __name__ == "__main__":
    settings = load(Settings)
    service = Service(settings, title="Announcer")
    service.outbox(service.database(settings.database_url, migrations="announcer"))
    service.run()
