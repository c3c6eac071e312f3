"""Locustfile: a number of users who shop, think, and shop again (closed: who waits for an answer asks for nothing)."""

from itertools import count

from locust import FastHttpUser, between, task
from locust.env import Environment

from loadtests.journeys import shopping
from loadtests.locust_records import Records, worker_of
from loadtests.plan import HEADERS, HOST
from loadtests.visitor import Ended, Visitor, pool, session

_TIMEOUT = 10.0  # seconds for a whole request
_FAR = 1_000_000_000  # apart are the visits of two workers

_records = Records()
_records.listen()
_visits = count()


class ShopUser(FastHttpUser):
    """Goes shopping once in a while, over connections of his own."""

    host = HOST
    wait_time = between(0.5, 1.5)

    def __init__(self, environment: Environment) -> None:
        super().__init__(environment)
        connections = pool(concurrency=1, timeout=_TIMEOUT)
        self.client = session(self.host or HOST, environment.events.request, connections, HEADERS)

    @task
    def shop(self) -> None:
        """Go on one journey."""
        number = worker_of(self.environment) * _FAR + next(_visits)
        try:
            shopping(Visitor(self.client, _records.recorder, number=number, intended=None, timeout=_TIMEOUT))
        except Ended:
            return
