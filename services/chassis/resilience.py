"""Breakers and bulkheads of one process, each with its numbers on ``/metrics``."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from chassis.breaker import Breaker, Policy, State
from chassis.bulkhead import Bulkhead


class Resilience(Collector):
    """Makes them, one for a name, and shows what they do."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._breakers: dict[str, Breaker] = {}
        self._bulkheads: dict[str, Bulkhead] = {}
        self._elsewhere: dict[str, State] = {}
        registry.register(self)

    def breaker(self, name: str, policy: Policy | None = None) -> Breaker:
        """The breaker of that name; a policy counts when it is asked for first."""
        if name not in self._breakers:
            self._breakers[name] = Breaker(name, policy)
        return self._breakers[name]

    def bulkhead(self, name: str, limit: int) -> Bulkhead:
        """The bulkhead of that name; the limit counts when it is asked for first."""
        if name not in self._bulkheads:
            self._bulkheads[name] = Bulkhead(name, limit)
        return self._bulkheads[name]

    def elsewhere(self, name: str, state: State | None) -> None:
        """The state of a breaker that another process has, or that it isn't known."""
        if state is None:
            self._elsewhere.pop(name, None)
        else:
            self._elsewhere[name] = state

    def collect(self) -> Iterator[Metric]:
        """The numbers as they are now."""
        yield from self._of_breakers()
        yield from self._of_bulkheads()

    def _of_breakers(self) -> Iterator[Metric]:
        states = GaugeMetricFamily("breaker_state", "1 for the state a breaker is in.", labels=["breaker", "state"])
        moves = CounterMetricFamily("breaker_transitions", "Moves, by where they led.", labels=["breaker", "to"])
        refused = CounterMetricFamily("breaker_refused", "Calls that were not made.", labels=["breaker"])
        for name, breaker in self._breakers.items():
            for state in State:
                states.add_metric([name, state.value], float(breaker.state is state))
                moves.add_metric([name, state.value], breaker.moves[state])
            refused.add_metric([name], breaker.refused)
        for name, found in self._elsewhere.items():
            for state in State:
                states.add_metric([name, state.value], float(found is state))
        return iter((states, moves, refused))

    def _of_bulkheads(self) -> Iterator[Metric]:
        in_use = GaugeMetricFamily("bulkhead_in_use", "Places that are taken.", labels=["bulkhead"])
        limit = GaugeMetricFamily("bulkhead_limit", "Places that there are.", labels=["bulkhead"])
        rejected = CounterMetricFamily("bulkhead_rejected", "Calls that were not made.", labels=["bulkhead"])
        for name, bulkhead in self._bulkheads.items():
            in_use.add_metric([name], bulkhead.in_use)
            limit.add_metric([name], bulkhead.limit)
            rejected.add_metric([name], bulkhead.rejected)
        return iter((in_use, limit, rejected))
