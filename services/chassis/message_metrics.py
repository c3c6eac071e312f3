"""Metrics of consumers: what became of messages, how long each took, and how many wait."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


@dataclass(slots=True)
class Outcome:
    """What became of a message: handled, failed, waits, dead or given back."""

    name: str = "given back"


class MessageMetrics:
    """The consumers of one process."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._messages = Counter(
            "messages",
            "Messages by what became of them. 'failed' and 'waits' come again, 'dead' is among the dead letters.",
            ["consumer", "event", "outcome"],
            registry=registry,
        )
        self._seconds = Histogram(
            "message_duration_seconds",
            "Time to handle a message, waits for another try apart.",
            ["consumer", "event"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._dead = Counter(
            "dead_letters", "Messages put among the dead letters by this process.", ["consumer"], registry=registry
        )
        self._lag = Gauge(
            "consumer_lag", "Messages that wait for a consumer, in all its processes.", ["consumer"], registry=registry
        )

    @contextmanager
    def handling(self, consumer: str, event: str) -> Iterator[Outcome]:
        """Count and time the handling of one message; what became of it is written into what this gives."""
        outcome, started = Outcome(), time.perf_counter()
        try:
            yield outcome
        finally:
            self._seconds.labels(consumer, event).observe(time.perf_counter() - started)
            self._messages.labels(consumer, event, outcome.name).inc()
            if outcome.name == "dead":
                self._dead.labels(consumer).inc()

    def declare(self, consumer: str) -> None:
        """Show a consumer's numbers from the start, so that a first dead letter is a rise and not a new series."""
        self._dead.labels(consumer)
        self._lag.labels(consumer)

    def lag(self, consumer: str, messages: int) -> None:
        """So many messages wait."""
        self._lag.labels(consumer).set(messages)
