"""What istiod and Envoy answered once, read as evidence; and what a proxy that is late does to a rollout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from seatrial.evidence.ask import Absent, Pod, Refused, Unanswered
from seatrial.evidence.carried import LONGEST_DEBOUNCE, Carriers, Wanted
from seatrial.evidence.envoy import Counted, Traffic
from seatrial.evidence.istiod import parse_dump, parse_syncz

DATA = Path(__file__).parent / "data"
HOST = "orders.shop.svc.cluster.local"
GATEWAY = Pod("istio-system", "istio-ingressgateway-7757d84bff-qbj9q", "10.0.0.7")
ISTIOD = Pod("istio-system", "istiod-1", "10.0.0.6")


class Answers:
    """Pods that answer what they are told to."""

    def __init__(self) -> None:
        self.syncz: Any = json.loads((DATA / "syncz.json").read_bytes())
        self.dump: Any = json.loads((DATA / "config_dump.json").read_bytes())
        for config in self.dump["configs"]:  # the second route of the capture goes to revision 1 alone
            for route in config.get("dynamicRouteConfigs", []):
                for host in route["routeConfig"]["virtualHosts"]:
                    host["routes"] = host["routes"][:1]
        self.stats = (DATA / "stats.txt").read_text()
        self.failure: Exception | None = None
        self.asked: list[str] = []

    async def get(
        self,
        *,
        namespace: str,
        pod: str,
        ip: str,
        port: int,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        self.asked.append(path)
        if self.failure:
            raise self.failure
        if path.startswith("/stats"):
            return self.stats.encode()
        return json.dumps(self.syncz if path.endswith("syncz") else self.dump).encode()


def wanted(weights: dict[int, int], subsets: set[int] | None = None) -> Wanted:
    return Wanted(HOST, frozenset(weights.items()), frozenset(subsets or weights))


async def look(answers: Answers, what: Wanted, *, at: float = 0.0, carriers: Carriers | None = None) -> tuple[str, ...]:
    return (await (carriers or Carriers(answers)).look(what, [GATEWAY], [ISTIOD], at)).waiting_for


def test_the_weights_of_every_route_to_the_host_are_read() -> None:
    generated = parse_dump((DATA / "config_dump.json").read_bytes(), HOST)
    assert [dict(w or {}) for w in generated.weights] == [{1: 90, 2: 10}, {1: 100}]
    assert generated.subsets == {1, 2}
    assert generated.version == 9


def test_another_host_of_the_same_proxy_is_not_ours() -> None:
    assert parse_dump((DATA / "config_dump.json").read_bytes(), "catalog.shop.svc.cluster.local").weights == ()


def test_a_route_to_no_revision_is_no_routing_of_ours() -> None:
    body = {"configs": [{"@type": "x.RoutesConfigDump", "route": {"cluster": f"outbound|80||{HOST}"}}]}
    assert parse_dump(json.dumps(body).encode(), HOST).weights == (None,)


def test_a_tcp_listener_is_read_like_a_route() -> None:
    proxy = {"weightedClusters": {"clusters": [{"name": f"outbound|5432|r2|{HOST}", "weight": 100}]}}
    body = {"configs": [{"@type": "x.ListenersConfigDump", "filters": [{"typedConfig": proxy}]}]}
    assert [dict(w or {}) for w in parse_dump(json.dumps(body).encode(), HOST).weights] == [{2: 100}]


def test_an_acknowledged_push_of_the_wanted_weights_is_carried() -> None:
    assert parse_syncz((DATA / "syncz.json").read_bytes())[GATEWAY.proxy].acknowledged


async def test_a_proxy_that_acknowledged_the_wanted_weights_carries_them() -> None:
    assert await look(Answers(), wanted({1: 90, 2: 10})) == ()


async def test_a_proxy_with_other_weights_is_waited_for_by_name() -> None:
    assert await look(Answers(), wanted({1: 50, 2: 50})) == (GATEWAY.proxy,)


async def test_a_subset_that_istiod_does_not_know_yet_is_waited_for() -> None:
    assert await look(Answers(), wanted({1: 90, 2: 10}, {1, 2, 3})) == (GATEWAY.proxy,)


async def test_what_is_sent_and_not_acknowledged_is_waited_for() -> None:
    answers = Answers()
    answers.syncz[0]["route_acked"] = "2026-11-21T11:01:20Z/8" + "u" * 36
    assert await look(answers, wanted({1: 90, 2: 10})) == (GATEWAY.proxy,)


async def test_a_configuration_newer_than_what_was_acknowledged_is_waited_for() -> None:
    answers = Answers()
    for key in ("route_sent", "route_acked"):
        answers.syncz[0][key] = "2026-11-21T11:01:20Z/8" + "u" * 36
    carriers = Carriers(answers)
    assert await look(answers, wanted({1: 90, 2: 10}), at=5.0, carriers=carriers) == (GATEWAY.proxy,)
    assert await look(answers, wanted({1: 90, 2: 10}), at=5.5, carriers=carriers) == (GATEWAY.proxy,)


async def test_a_newer_version_that_stays_acknowledged_for_a_second_does_not_concern_the_proxy() -> None:
    answers = Answers()
    for key in ("route_sent", "route_acked"):
        answers.syncz[0][key] = "2026-11-21T11:01:20Z/8" + "u" * 36
    carriers = Carriers(answers)
    await look(answers, wanted({1: 90, 2: 10}), at=5.0, carriers=carriers)
    assert await look(answers, wanted({1: 90, 2: 10}), at=6.1, carriers=carriers) == ()


async def test_a_caller_that_istiod_does_not_know_is_waited_for_by_name() -> None:
    answers = Answers()
    answers.syncz = []
    assert await look(answers, wanted({1: 90, 2: 10})) == (GATEWAY.proxy,)


async def test_a_settled_mesh_is_not_asked_again() -> None:
    answers = Answers()
    carriers = Carriers(answers)
    await look(answers, wanted({1: 90, 2: 10}), carriers=carriers)
    answers.asked.clear()
    assert await look(answers, wanted({1: 90, 2: 10}), carriers=carriers) == ()
    assert not answers.asked


async def test_an_istiod_that_is_down_holds_everything() -> None:
    answers = Answers()
    answers.failure = Unanswered("connection refused")
    assert await look(answers, wanted({1: 90, 2: 10}), at=1e6) == ("istiod (connection refused)",)


async def test_a_closed_endpoint_is_said_and_waited_out() -> None:
    answers = Answers()
    answers.failure = Refused("403")
    carriers = Carriers(answers)
    first = await carriers.look(wanted({1: 100}), [GATEWAY], [ISTIOD], 0.0)
    late = await carriers.look(wanted({1: 100}), [GATEWAY], [ISTIOD], LONGEST_DEBOUNCE)
    assert first.waiting_for
    assert not late.waiting_for
    assert "DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES" in late.unverified


async def test_a_new_weight_starts_the_wait_at_a_closed_endpoint_anew() -> None:
    answers = Answers()
    answers.failure = Refused("403")
    carriers = Carriers(answers)
    await carriers.look(wanted({1: 100}), [GATEWAY], [ISTIOD], 0.0)
    later = await carriers.look(wanted({1: 90, 2: 10}), [GATEWAY], [ISTIOD], LONGEST_DEBOUNCE)
    assert later.waiting_for


def test_the_statistics_of_other_hosts_are_left_out() -> None:
    counted = Counted((DATA / "stats.txt").read_text(), HOST)
    assert counted.active == {1: 1}
    assert counted.completed == {1: 19, 2: 4}
    assert counted.connections == {1: 2}


async def test_a_request_under_way_keeps_its_revision_busy_for_two_looks() -> None:
    answers = Answers()
    traffic = Traffic(answers)
    assert await traffic.look(HOST, [GATEWAY], streams=False) == {1: 1}
    answers.stats = ""
    assert await traffic.look(HOST, [GATEWAY], streams=False) == {1: 1}
    assert await traffic.look(HOST, [GATEWAY], streams=False) == {}


async def test_a_request_that_began_and_ended_between_two_looks_is_seen() -> None:
    answers = Answers()
    traffic = Traffic(answers)
    answers.stats = f'envoy_cluster_upstream_rq_completed{{cluster_name="outbound|80|r2|{HOST}"}} 4\n'
    await traffic.look(HOST, [GATEWAY], streams=False)
    answers.stats = f'envoy_cluster_upstream_rq_completed{{cluster_name="outbound|80|r2|{HOST}"}} 5\n'
    assert await traffic.look(HOST, [GATEWAY], streams=False) == {2: 1}


async def test_a_proxy_that_does_not_answer_is_never_taken_for_idle() -> None:
    answers = Answers()
    traffic = Traffic(answers)
    await traffic.look(HOST, [GATEWAY], streams=False)
    answers.failure = Absent("gone")
    assert set(await traffic.look(HOST, [GATEWAY], streams=False)) == {1, 2}
