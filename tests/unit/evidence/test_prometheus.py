"""The evidence source `prometheus` against a real Prometheus that scrapes real pages."""

import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import pytest

from seatrial.api.rollouts import Prometheus, Query
from seatrial.evidence.ask import Pod
from seatrial.evidence.prometheus import PrometheusSource, allowed_addresses
from seatrial.evidence.prometheus_api import PrometheusApi
from seatrial.evidence.question import Question
from seatrial.rollout.evidence import Look, Tally
from support.prometheus import RunningPrometheus, running

GATEWAY = Pod("shop", "gateway-1-a", "10.0.0.1")
EDGE = Pod("istio-system", "ingress-a", "10.0.0.2")
STABLE = (Pod("shop", "orders-1-a", "10.0.1.1"), Pod("shop", "orders-1-b", "10.0.1.2"))
INSTANCES = {
    "gateway": "10.0.0.1:15020",
    "gateway-again": "10.0.0.1:15090",
    "edge": "10.0.0.2:15090",
    "late": "10.0.0.3:15090",
    "stable-a": "10.0.1.1:15090",
    "stable-b": "10.0.1.2:15090",
    "app": "10.0.2.1:8080",
}
FROM = {"gateway": ("shop", "gateway"), "edge": ("istio-system", "istio-ingressgateway"), "late": ("shop", "gateway")}
FROM["gateway-again"] = FROM["gateway"]
NEVER_UP = frozenset({"late"})  # until the one test that is about it
_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    with running(tmp_path_factory.mktemp("prometheus"), INSTANCES, down=NEVER_UP) as process:
        yield process


class Trial:
    """One service's rollout from 1 to 2, seen by Prometheus; a service of its own each, so that tests can share one."""

    def __init__(self, prometheus: RunningPrometheus) -> None:
        self.prometheus = prometheus
        self.exporter = prometheus.exporter
        self.name = f"orders{next(_numbers)}"
        self.host = f"{self.name}.shop.svc.cluster.local"
        callers = {"shop/gateway": (GATEWAY,), "ingress": (EDGE,), f"shop/{self.name}": (STABLE[0],)}
        policy = Prometheus(address=prometheus.address)
        self.question = Question(self.host, callers, (1, 2), prometheus=policy)
        self.source = self.fresh()
        self.now = 1000.0

    def fresh(self) -> PrometheusSource:
        """As another process has it."""
        return PrometheusSource(PrometheusApi(timeout=5), allowed=frozenset({self.prometheus.address}))

    def calls(self, count: int, revision: int, *, by: str = "gateway", code: int = 200, **labels: str) -> None:
        namespace, service = FROM.get(by, ("shop", self.name))
        about = {
            "reporter": "source",
            "destination_service": self.host,
            "destination_canonical_revision": f"r{revision}",
            "source_canonical_service": service,
            "source_workload_namespace": namespace,
            "response_code": str(code),
            "response_flags": "-",
        }
        self.exporter.add(by, "istio_requests_total", count, **(about | labels))

    def took(self, milliseconds: float, count: int, revision: int, *, end: str = "") -> None:
        bounds = {f"100{end}": 100, f"250{end}": 250, f"1000{end}": 1000, "+Inf": float("inf")}
        about = {
            "reporter": "source",
            "destination_service": self.host,
            "destination_canonical_revision": f"r{revision}",
            "source_canonical_service": "gateway",
            "source_workload_namespace": "shop",
            "response_code": "200",
        }
        for text, bound in bounds.items():
            grown = count if milliseconds <= bound else 0
            self.exporter.add("gateway", "istio_request_duration_milliseconds_bucket", grown, le=text, **about)

    async def look(self, *, after: float = 3.0) -> Look:
        """A look at what Prometheus has by now, so many seconds after the look before."""
        self.prometheus.await_scrape()
        self.now += after
        return await self.source.look(self.question, self.now)

    def asks(self, **query: Any) -> None:
        policy = Prometheus(address=self.prometheus.address, queries=[Query(**query)])
        self.question = replace(self.question, prometheus=policy)


@pytest.fixture
async def trial(prometheus: RunningPrometheus) -> AsyncIterator[Trial]:
    made = Trial(prometheus)
    yield made
    await made.source.close()
    prometheus.exporter.down.difference_update(set(INSTANCES) - NEVER_UP)


def requests(count: int, failed: int = 0) -> Tally:
    return Tally(requests=count, failed=failed, attempts=count, failed_attempts=failed, started=count)


async def test_what_was_before_the_first_look_is_no_evidence(trial: Trial) -> None:
    trial.calls(100, 1)
    trial.calls(7, 2, code=503)
    look = await trial.look()
    assert (look.tallies[1], look.tallies[2], look.seconds) == (Tally(), Tally(), 0.0)


async def test_requests_are_counted_by_revision_and_caller(trial: Trial) -> None:
    trial.calls(100, 1)
    trial.calls(5, 1, by="edge")
    await trial.look()
    trial.calls(90, 1)
    trial.calls(8, 2)
    trial.calls(2, 2, code=503)
    trial.calls(1, 1, by="edge")
    look = await trial.look()
    assert look.tallies == {1: requests(91), 2: requests(10, failed=2)}
    assert look.by_caller == {"shop/gateway": {1: requests(90), 2: requests(10, 2)}, "ingress": {1: requests(1)}}
    assert (look.silent, look.suspect, look.problems) == ((), (), ())


async def test_a_look_between_two_scrapes_brings_nothing_and_is_no_time_of_silence(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.exporter.down.update(INSTANCES)
    last = await trial.look()  # may have the scrape before they were down
    look = await trial.look()
    assert (look.of(1), look.seconds, look.problems) == (Tally(), 0.0, ())
    trial.exporter.down.difference_update(set(INSTANCES) - NEVER_UP)
    trial.calls(30, 1)
    look = await trial.look()
    assert look.of(1) == requests(30)
    assert look.seconds == (6.0 if last.seconds else 9.0)


async def test_prometheus_is_asked_at_every_third_look_and_nothing_is_lost_between(trial: Trial) -> None:
    trial.calls(100, 1)
    trial.asks(name="rows", total="sum(", bad="vector(0)")
    first = await trial.look()
    trial.calls(10, 1)
    for _ in range(2):
        look = await trial.look(after=1.0)
        assert (look.tallies, look.seconds) == ({}, 0.0)
        assert (look.problems, look.counters) == (first.problems, first.counters)
    look = await trial.look(after=1.0)
    assert (look.of(1), look.seconds) == (requests(10), 3.0)


async def test_that_nothing_new_was_scraped_for_minutes_is_said(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.exporter.down.update(INSTANCES)
    for _ in range(4):
        look = await trial.look(after=40)
    assert [p for p in look.problems if "no new sample of the service's callers for 120 s" in p]


async def test_answers_that_only_look_well_are_failures(trial: Trial) -> None:
    trial.calls(1, 2)
    await trial.look()
    trial.calls(1, 2, code=0)
    trial.calls(1, 2, response_flags="UR,DC")
    trial.calls(1, 2, code=404)
    trial.calls(1, 2, response_flags="DC")
    assert (await trial.look()).of(2) == requests(4, failed=2)


@pytest.mark.parametrize(("protocol", "failed"), [("grpc", 1), ("http", 0)])
async def test_a_status_of_grpc_counts_where_the_service_speaks_it(trial: Trial, protocol: Any, failed: int) -> None:
    trial.question = replace(trial.question, protocol=protocol)
    trial.calls(1, 2)
    await trial.look()
    trial.calls(1, 2, grpc_response_status="14")
    trial.calls(1, 2, grpc_response_status="5")
    assert (await trial.look()).of(2) == requests(2, failed)


async def test_the_first_failures_of_a_revision_are_counted_though_their_series_is_new(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.calls(30, 2, code=503)
    assert (await trial.look()).of(2) == requests(30, failed=30)


async def test_a_caller_that_was_scraped_before_it_called_is_counted_from_zero(trial: Trial) -> None:
    await trial.look()
    trial.calls(12, 2, by="edge")
    assert (await trial.look()).of(2) == requests(12)


async def test_a_caller_that_is_new_to_prometheus_is_counted_from_there(trial: Trial) -> None:
    trial.calls(100, 1)
    trial.calls(5000, 1, by="late")
    await trial.look()
    trial.exporter.down.discard("late")
    assert (await trial.look()).of(1) == Tally()
    trial.calls(4, 2, by="late")
    assert (await trial.look()).of(2) == requests(4)


async def test_a_proxy_that_is_scraped_at_two_ports_is_counted_once(trial: Trial) -> None:
    for port in ("gateway", "gateway-again"):
        trial.calls(100, 1, by=port)
    await trial.look()
    for port in ("gateway", "gateway-again"):
        trial.calls(10, 1, by=port)
    assert (await trial.look()).of(1) == requests(10)


async def test_a_proxy_that_begins_anew_loses_nothing_and_is_named(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.exporter.drop("gateway", destination_service=trial.host)
    trial.calls(9, 1)
    look = await trial.look()
    assert (look.of(1), look.suspect) == (requests(9), ("shop/gateway (10.0.0.1:15020)",))


async def test_a_service_is_no_evidence_for_itself_nor_is_a_caller_that_isnt_one(trial: Trial) -> None:
    trial.calls(1, 1)
    trial.calls(1, 2, by="app")
    trial.calls(1, 2, by="edge", source_workload_namespace="elsewhere")
    await trial.look()
    trial.calls(50, 2, by="app")
    trial.calls(50, 2, by="edge", source_workload_namespace="elsewhere")
    assert (await trial.look()).of(2) == Tally()


async def test_another_process_goes_on_from_the_checkpoint(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.calls(10, 2, code=500)
    before = await trial.look()
    trial.calls(7, 2)
    trial.calls(3, 1)
    await trial.source.close()
    trial.source = trial.fresh()
    trial.source.resume(trial.host, before.counters)
    look = await trial.look()
    assert look.tallies == {1: requests(3), 2: requests(7)}
    assert (await trial.look()).of(2) == Tally()


@pytest.mark.parametrize("end", ["", ".0"])  # Prometheus 3 writes the boundary 250 as 250.0
async def test_slow_requests_are_those_beyond_the_boundary(trial: Trial, end: str) -> None:
    trial.question = replace(trial.question, slower_than=250.0)
    trial.took(50, 10, 1, end=end)
    await trial.look()
    trial.took(50, 10, 1, end=end)
    trial.took(260, 3, 2, end=end)
    trial.took(240, 4, 2, end=end)
    look = await trial.look()
    assert (look.of(1).timed, look.of(1).slow) == (10, 0)
    assert (look.of(2).timed, look.of(2).slow) == (7, 3)


async def test_a_boundary_that_the_histogram_hasnt_is_said_with_the_nearest(trial: Trial) -> None:
    trial.question = replace(trial.question, slower_than=300.0)
    trial.took(50, 10, 1)
    trial.calls(10, 1)
    await trial.look()
    trial.took(50, 10, 1)
    trial.calls(10, 1)
    look = await trial.look()
    assert look.of(1) == requests(10)
    (problem,) = look.problems
    assert "no boundary at 300ms; the nearest is 250ms" in problem


async def test_stable_pods_are_told_by_their_own_proxies(trial: Trial) -> None:
    trial.question = replace(trial.question, stable_pods=STABLE)
    for pod in ("stable-a", "stable-b"):
        trial.calls(1, 1, by=pod, reporter="destination")
    await trial.look()
    trial.calls(20, 1, by="stable-a", reporter="destination")
    trial.calls(5, 1, by="stable-b", reporter="destination", code=500)
    look = await trial.look()
    assert look.stable_pods == {"orders-1-a.shop": requests(20), "orders-1-b.shop": requests(5, failed=5)}


async def test_that_prometheus_has_nothing_of_the_service_is_said(trial: Trial) -> None:
    (problem,) = (await trial.look()).problems
    assert "does it scrape their proxies" in problem


async def test_a_query_of_ones_own_is_the_difference_between_two_looks(trial: Trial) -> None:
    rows = 'sum(rows_total{service="{{service}}",namespace="{{ namespace }}",revision="{{revision}}"%s})'
    trial.asks(name="rows", total=rows % "", bad=rows % ',result="lost"')
    trial.question = replace(trial.question, protocol="tcp")

    def written(count: int, result: str, revision: int) -> None:
        about = {"service": trial.name, "namespace": "shop", "revision": str(revision), "result": result}
        trial.exporter.add("app", "rows_total", count, **about)

    for revision in (1, 2):
        written(10, "lost", revision)
        written(90, "kept", revision)
    assert (await trial.look()).queries == {"rows": {1: (0, 0), 2: (0, 0)}}
    written(5, "lost", 2)
    written(5, "kept", 2)
    written(50, "kept", 1)
    look = await trial.look()
    assert look.queries == {"rows": {1: (50, 0), 2: (10, 5)}}
    assert (look.problems, look.seconds, look.tallies) == ((), 3.0, {})
    await trial.source.close()
    trial.source = trial.fresh()
    trial.source.resume(trial.host, look.counters)
    written(2, "lost", 2)
    assert (await trial.look()).queries["rows"] == {1: (0, 0), 2: (2, 2)}


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ("sum(rows_total", "parse error"),
        ("rows_total{service='{{servise}}'}", "{{servise}} can't be filled in: there are {{namespace}}"),
        ("count by (instance) (up)", "gives 7 series: put sum( ) around it"),
        ("vector(NaN)", "gives nan, which is no count"),
        ("1/0", "gives inf, which is no count"),
        ("vector(-1)", "gives -1.0, which is no count"),
        ("there_is_no_such_metric", "gives no series, and that isn't zero"),
        ("up[1m]", "gives"),
        ("'text'", "a string, not numbers"),
        ("rows_total{revision=~'{{revision}}(', x='{{service}}'}", "missing closing )"),
    ],
)
async def test_a_query_that_cant_be_counted_is_named_with_the_reason_and_is_no_data(
    trial: Trial, bad: str, says: str
) -> None:
    trial.asks(name="rows", total="vector(1)", bad=bad)
    trial.calls(1, 1)
    look = await trial.look()
    named = [p for p in look.problems if p.startswith("query rows of revision 1, bad")]
    assert len(named) == 1
    assert says in named[0]
    assert (look.queries, look.silent) == ({}, ())


async def test_a_comment_in_a_query_is_a_comment(trial: Trial) -> None:
    trial.asks(name="rows", total="vector(1) # all of them", bad="vector(0)\n# none")
    assert (await trial.look()).queries == {"rows": {1: (0, 0), 2: (0, 0)}}


async def test_a_window_reaches_back_to_where_counting_began(trial: Trial) -> None:
    window = "sum(last_over_time(jobs_total{service='{{service}}'}[{{window}}]))"
    trial.asks(name="jobs", total=window, bad="vector(0)")
    trial.exporter.add("app", "jobs_total", 10, service=trial.name, pod="a")
    trial.exporter.add("app", "jobs_total", 10, service=trial.name, pod="b")
    await trial.look()
    trial.exporter.drop("app", service=trial.name, pod="a")
    trial.exporter.add("app", "jobs_total", 4, service=trial.name, pod="b")
    assert (await trial.look()).queries["jobs"][2] == (4, 0)


async def test_an_address_that_the_chart_doesnt_allow_isnt_asked(trial: Trial) -> None:
    source = PrometheusSource(PrometheusApi(), allowed=frozenset({"http://prometheus.monitoring:9090"}))
    look = await source.look(trial.question, 1.0)
    await source.close()
    (problem,) = look.problems
    assert problem.startswith(trial.prometheus.address)
    assert "prometheus.addresses has http://prometheus.monitoring:9090" in problem
    assert look.tallies == {}


async def test_a_prometheus_that_cant_be_reached_is_silent_and_nothing_is_lost(trial: Trial) -> None:
    trial.calls(100, 1)
    await trial.look()
    trial.calls(10, 1)
    api = trial.source._api
    trial.source._api = PrometheusApi(timeout=0.000001)
    look = await trial.look()
    await trial.source.close()
    trial.source._api = api
    assert look.tallies == {}
    assert look.silent == (f"Prometheus at {trial.prometheus.address} (no answer within 1e-06 s)",)
    assert (await trial.look()).of(1) == requests(10)


async def test_what_isnt_a_prometheus_is_silent(trial: Trial) -> None:
    with trial.exporter.serving() as port:
        address = f"http://127.0.0.1:{port}"
        trial.question = replace(trial.question, prometheus=Prometheus(address=address))
        source = PrometheusSource(PrometheusApi(), allowed=frozenset({address}))
        look = await source.look(trial.question, 1.0)
        await source.close()
    assert look.silent == (f"Prometheus at {address} (answers 501, and not as Prometheus does)",)


def test_addresses_are_compared_without_the_slash_at_their_end() -> None:
    environment = {"SEATRIAL_PROMETHEUS_ADDRESSES": "http://a:9090/ https://b/prometheus"}
    assert allowed_addresses(environment) == {"http://a:9090", "https://b/prometheus"}
    assert allowed_addresses({}) == frozenset()
