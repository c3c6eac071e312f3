"""Timeouts, retries and circuit breakers: what callers feel, and what their proxies counted."""

import json
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from support.asking import Answer, Inside, Request, fault
from support.place import Place
from support.proxies import Stats, stats
from support.services import Service, name_of
from support.waiting import eventually

TIMEOUT = 1.0
EARLY = 0.01  # how much earlier: Envoy counts from when its loop last looked at the clock
LATE = 0.6  # how much later than its timeout an answer may come on a busy machine


@dataclass(frozen=True)
class Caller:
    """Somebody whose proxy acts: the ingress gateway, or a service of the mesh."""

    ask: Callable[[Request], Answer]
    stats: Callable[[], Stats]
    base: str
    cluster: str

    def request(self, path: str, method: str = "GET", **headers: str) -> Answer:
        """Ask the callee; header names with underscores."""
        return self.ask(Request(self.base + path, method, {k.replace("_", "-"): v for k, v in headers.items()}))

    def retries(self) -> float:
        """Retries that its proxy made towards the callee."""
        return self.stats().total("envoy_cluster_upstream_rq_retry", cluster=self.cluster)


@pytest.fixture(scope="module")
def services(shared: Place) -> dict[str, Service]:
    """All of them, which start together; `caller` calls two."""
    once = {"attempts": 0}
    breaker = {"maxConnections": 1, "maxPendingRequests": 1, "maxRequests": 100}
    ejection = {"consecutive5xxErrors": 3, "interval": "1s", "ejectFor": "60s", "maxEjectionPercent": 50}
    callers = [{"ingress": {}}, {"service": "caller"}]
    callee = shared.catalog(
        "callee",
        replicas=2,
        env={"LOG_LEVEL": "debug"},  # it logs each request then, and the tests count what arrived
        traffic={
            "timeout": f"{TIMEOUT:g}s",
            "retries": {"attempts": 2},
            "routes": [
                {"match": {"method": "POST", "path": {"exact": "/v1/keyed"}}, "idempotent": True},
                {"match": {"path": {"prefix": "/v1/slow"}}, "timeout": "15s"},
            ],
        },
        security={"callers": callers},
        shutdown={"grace": "3s"},
    )
    narrow = shared.catalog(
        "narrow",
        traffic={"retries": once, "circuitBreaker": breaker},
        expose=[{"host": shared.edge.host, "prefix": "/narrow", "rewrite": "/"}],
        security={"callers": callers},
    )
    pair = shared.catalog(
        "pair",
        replicas=2,
        traffic={"retries": once, "circuitBreaker": ejection},
        expose=[{"host": shared.edge.host, "prefix": "/pair", "rewrite": "/"}],
    )
    calls = [{"service": "callee"}, {"service": "narrow"}]
    caller = shared.service("caller", exposed=False, security={"calls": calls})
    made = {service.name: service for service in (callee, narrow, pair, caller)}
    shared.kubectl.apply(*(service.manifest for service in made.values()))
    for service in made.values():
        service.await_stable(1)
    return made


@pytest.fixture
def callee(services: dict[str, Service]) -> Service:
    return services["callee"]


@pytest.fixture(params=["ingress", "caller"])
def caller(request: pytest.FixtureRequest, shared: Place, services: dict[str, Service]) -> Caller:
    cluster = f"outbound|80|r1|callee.{shared.namespace}."
    if request.param == "ingress":
        made = Caller(shared.edge.ask, shared.gateway_stats, "", cluster)
    else:
        service = services["caller"]
        inside = Inside(shared.kubectl, service.pod())
        made = Caller(inside.ask, lambda: shared.stats(service), "http://callee", cluster)
    eventually(lambda: made.request("/v1/identity").status == 200, within=20, what="it is answered")
    return made


def test_a_timeout_cuts_at_its_value(caller: Caller) -> None:
    answer = caller.request("/v1/identity", **_fault("delay=8s"))
    assert answer.status == 504, answer
    assert TIMEOUT - EARLY < answer.seconds < TIMEOUT + LATE


def test_a_route_has_its_own_timeout(caller: Caller) -> None:
    answer = caller.request("/v1/slow", **_fault("delay=2s"))
    assert answer.status == 404, "the service's own answer, after its delay"
    assert answer.served_by
    assert answer.seconds >= 2


def test_a_failed_get_is_retried_and_the_proxy_counts_it(caller: Caller) -> None:
    before = caller.retries()
    answer = caller.request("/v1/identity", **_fault(f"abort=503;once={secrets.token_hex(4)}"))
    assert answer.status == 200, answer
    eventually(lambda: caller.retries() == before + 1, within=5, what="the retry is counted")


def test_retries_end_after_their_number(caller: Caller) -> None:
    before = caller.retries()
    answer = caller.request("/v1/identity", **_fault("abort=503"))
    assert answer.status == 503, answer
    eventually(lambda: caller.retries() == before + 2, within=5, what="both retries are counted")


def test_a_post_that_failed_is_not_repeated(caller: Caller) -> None:
    before = caller.retries()
    answer = caller.request("/v1/identity", "POST", **_fault(f"abort=503;once={secrets.token_hex(4)}"))
    assert answer.status == 503, answer
    assert answer.served_by, "it had arrived"
    caller.request("/v1/identity", **_fault(f"abort=503;once={secrets.token_hex(4)}"))
    eventually(lambda: caller.retries() == before + 1, within=5, what="only the GET after it was retried")


def test_a_post_that_takes_an_idempotency_key_is_repeated(caller: Caller) -> None:
    before = caller.retries()
    answer = caller.request("/v1/keyed", "POST", **_fault(f"abort=503;once={secrets.token_hex(4)}"))
    assert answer.status == 404, "the service's own answer to the second try"
    assert answer.served_by
    eventually(lambda: caller.retries() == before + 1, within=5, what="the retry is counted")


def test_a_post_under_way_at_a_pod_that_dies_is_not_made_again(services: dict[str, Service], callee: Service) -> None:
    """Nobody can know whether it acted: the user learns that it failed, and no other pod sees it."""
    victim, other = (name_of(p) for p in callee.pods(1))
    caller = services["caller"]
    posts = [Request("http://callee/v1/slow", "POST", fault(victim, "delay=12s"))] * 8
    before = _posts_in_log(callee, other)
    with ThreadPoolExecutor() as beside:
        asked = beside.submit(Inside(caller.kubectl, caller.pod()).ask_all, posts)
        eventually(lambda: _under_way(callee, victim) > 0, within=10, what="a POST is under way at the pod")
        callee.kubectl.delete("pod", victim, options=["--force", "--grace-period=0", "--wait=false"])
        answers = asked.result(timeout=30)

    cut = [a for a in answers if not a.served_by]
    assert cut
    assert all(a.status == 503 for a in cut), [str(a) for a in cut]
    answered = len(answers) - len(cut)
    assert _posts_in_log(callee, other) - before == answered, "a POST that may have arrived was made again"


def test_a_breaker_refuses_what_is_too_much_and_the_proxy_counts_it(
    shared: Place, services: dict[str, Service]
) -> None:
    crowd = services["caller"]
    inside = shared.inside(crowd)
    url = "http://narrow/v1/identity"
    eventually(lambda: inside.ask(Request(url)).status == 200, within=20, what="it is answered")
    cluster = f"outbound|80|r1|narrow.{shared.namespace}."

    answers = inside.ask_all([Request(url, headers=fault("narrow", "delay=1s"))] * 8)

    refused = [a for a in answers if a.status == 503 and a.headers.get("x-envoy-overloaded") == "true"]
    assert refused, [str(a) for a in answers]
    assert [a.status for a in answers if a not in refused] == [200] * (len(answers) - len(refused))
    assert all(a.seconds < 0.9 for a in refused), "refused at once, not after waiting"
    overflow = "envoy_cluster_upstream_rq_pending_overflow"
    eventually(lambda: shared.stats(crowd).total(overflow, cluster=cluster) == len(refused), within=5)

    def logged() -> bool:
        log = crowd.kubectl("logs", crowd.pod(), "-c", "istio-proxy", "--tail=100")
        return sum('"response_flags":"UO"' in line for line in log.splitlines()) == len(refused)

    eventually(logged, within=15, what="the access log says UO for each")


def test_a_pod_that_keeps_failing_is_ejected(shared: Place, services: dict[str, Service]) -> None:
    service = services["pair"]
    eventually(lambda: service.status()["readyReplicas"] == 2, within=30, what="both pods are ready")
    failing = service.pod()
    asked = Request("/pair/v1/identity", headers=fault(failing, "abort=503"))
    eventually(lambda: shared.edge.ask(asked).status == 200, within=20, what="it is routed")

    def only_the_other_answers() -> bool:
        return all(shared.edge.ask(asked).status == 200 for _ in range(12))

    eventually(only_the_other_answers, within=20, what="the failing pod is ejected")
    active = "envoy_cluster_outlier_detection_ejections_active"
    assert shared.gateway_stats().total(active, cluster=f"outbound|80|r1|pair.{shared.namespace}.") == 1


def _fault(what: str) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in fault("callee", what).items()}


def _under_way(service: Service, pod: str) -> float:
    """Requests that a pod's proxy has handed to the app and that aren't answered."""
    return stats(service.kubectl, pod).total("envoy_cluster_upstream_rq_active", cluster="inbound|8080|")


def _posts_in_log(service: Service, pod: str) -> int:
    """POSTs that the app itself saw."""
    log = service.kubectl("logs", pod, "-c", "app")
    return sum(1 for line in log.splitlines() if line.startswith("{") and json.loads(line).get("method") == "POST")
