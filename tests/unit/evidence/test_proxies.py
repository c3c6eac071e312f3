"""Looks at many proxies: who is asked, who is silent, and what is kept of whom."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qs, unquote, urlsplit

import pytest

from seatrial.evidence.ask import Absent, Pod, Refused, Unanswered
from seatrial.evidence.figures import outbound_path, read
from seatrial.evidence.proxies import DEADLINE, Proxies
from seatrial.evidence.question import Question, no_evidence
from seatrial.rollout.evidence import Look, Tally

HOST = "orders.shop.svc.cluster.local"
EDGE = Pod("istio-system", "istio-ingressgateway-1", "10.0.0.1")
FRONT = Pod("shop", "gateway-1-a", "10.0.0.2")
BACK = Pod("shop", "gateway-1-b", "10.0.0.3")
STABLE = Pod("shop", "orders-3-a", "10.0.0.4")
OTHER = Pod("shop", "orders-3-b", "10.0.0.5")
ASKED = Question(HOST, {"ingress": [EDGE], "shop/gateway": [FRONT, BACK]}, (3, 4), slower_than=250)


@dataclass
class Counts:
    """Of one proxy towards one revision."""

    good: int = 0
    bad: int = 0


@dataclass
class Fleet:
    """Proxies that answer with what they counted, or not at all."""

    counts: dict[tuple[str, int], Counts] = field(default_factory=dict)
    failures: dict[str, Exception] = field(default_factory=dict)
    late: set[str] = field(default_factory=set)
    asked: list[tuple[Pod, str]] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0
    up: float = 1000.0
    now: float = 0.0

    def count(self, pod: Pod, revision: int, *, good: int = 0, bad: int = 0) -> None:
        """Requests that the pod's proxy saw the end of; revision 0: that came in."""
        of = self.counts.setdefault((pod.proxy, revision), Counts())
        of.good += good
        of.bad += bad

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        assert port == 15090
        self.asked.append((pod, path))
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        await asyncio.sleep(10 if pod.proxy in self.late else 0)
        self.at_once -= 1
        if pod.proxy in self.failures:
            raise self.failures[pod.proxy]
        return self.page(pod.proxy).encode()

    def page(self, proxy: str) -> str:
        lines = [f"envoy_server_uptime{{}} {int(self.up)}"]
        for (of, revision), counts in self.counts.items():
            if of == proxy:
                name = f"outbound|80|r{revision}|{HOST}" if revision else "inbound|8080||"
                total = counts.good + counts.bad
                lines += [
                    f'envoy_cluster_upstream_rq{{cluster_name="{name}",response_code="200"}} {counts.good}',
                    f'envoy_cluster_upstream_rq{{cluster_name="{name}",response_code_class="2xx"}} {counts.good}',
                    f'envoy_cluster_upstream_rq{{cluster_name="{name}",response_code="503"}} {counts.bad}',
                    f'envoy_cluster_upstream_rq{{cluster_name="{name}",response_code_class="5xx"}} {counts.bad}',
                    f'envoy_cluster_upstream_rq_total{{cluster_name="{name}"}} {total}',
                    f'envoy_cluster_upstream_rq_time_bucket{{cluster_name="{name}",le="250"}} {total}',
                    f'envoy_cluster_upstream_rq_time_count{{cluster_name="{name}"}} {total}',
                ]
        return "\n".join([*lines, ""])


@dataclass
class Trial:
    """A source and its clock."""

    fleet: Fleet = field(default_factory=Fleet)
    question: Question = ASKED

    def __post_init__(self) -> None:
        self.proxies = Proxies(self.fleet)
        self.at = 0.0

    async def look(self, question: Question | None = None) -> Look:
        self.at += 1
        self.fleet.up += 1
        return await self.proxies.look(question or self.question, self.at)


def brief(tallies: Mapping[int, Tally]) -> dict[int, tuple[int, int]]:
    return {revision: (tally.requests, tally.failed) for revision, tally in tallies.items()}


async def test_the_first_look_begins_and_the_next_ones_are_differences() -> None:
    trial = Trial()
    trial.fleet.count(EDGE, 3, good=100, bad=7)
    first = await trial.look()
    trial.fleet.count(EDGE, 3, good=10, bad=1)
    trial.fleet.count(EDGE, 4, bad=2)
    second = await trial.look()
    assert (first.seconds, brief(first.tallies)) == (0.0, {3: (0, 0), 4: (0, 0)})
    assert (second.seconds, brief(second.tallies)) == (1.0, {3: (11, 1), 4: (2, 2)})


async def test_counts_are_told_by_calling_service() -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.count(EDGE, 4, good=5)
    trial.fleet.count(FRONT, 4, good=3, bad=1)
    trial.fleet.count(BACK, 4, bad=2)
    look = await trial.look()
    assert brief({1: look.by_caller["ingress"][4], 2: look.by_caller["shop/gateway"][4]}) == {1: (5, 0), 2: (6, 3)}
    assert look.of(4).requests == 11


async def test_a_caller_at_two_addresses_or_under_two_names_counts_once() -> None:
    second = replace(FRONT, ip="fd00::2")
    trial = Trial(question=replace(ASKED, callers={"shop/gateway": [FRONT, second], "shop/front": [FRONT]}))
    await trial.look()
    trial.fleet.count(FRONT, 4, good=3)
    assert (await trial.look()).of(4).requests == 3


async def test_a_service_is_no_evidence_for_itself() -> None:
    own = Pod("shop", "orders-4-x", "10.0.0.9")
    trial = Trial(question=replace(ASKED, callers={"shop/orders": [own], "ingress": [EDGE]}))
    await trial.look()
    trial.fleet.count(own, 4, good=1000)
    look = await trial.look()
    assert look.of(4) == Tally()
    assert own not in {pod for pod, _ in trial.fleet.asked}


@pytest.mark.parametrize("failure", [Unanswered("refused"), Absent("gone"), Refused("403")])
async def test_a_caller_that_cannot_be_asked_is_named_and_loses_nothing(failure: Exception) -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.failures[FRONT.proxy] = failure
    trial.fleet.count(FRONT, 4, good=3, bad=2)
    silent = await trial.look()
    trial.fleet.failures.clear()
    after = await trial.look()
    assert (silent.silent, silent.of(4)) == ((FRONT.proxy,), Tally())
    assert (after.silent, brief(after.tallies)[4]) == ((), (5, 2))


async def test_a_caller_that_is_late_holds_nobody_up() -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.late.add(FRONT.proxy)
    trial.fleet.count(EDGE, 4, good=1)
    began = asyncio.get_running_loop().time()
    look = await trial.look()
    assert asyncio.get_running_loop().time() - began < DEADLINE + 0.5
    assert (look.silent, look.of(4).requests) == ((FRONT.proxy,), 1)


async def test_a_caller_that_has_vanished_keeps_what_it_told_and_may_come_back() -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.count(FRONT, 4, bad=3)
    assert (await trial.look()).of(4).failed == 3
    without = replace(ASKED, callers={"ingress": [EDGE]})
    gone = await trial.look(without)
    assert (gone.of(4), gone.silent) == (Tally(), ())
    trial.fleet.count(FRONT, 4, bad=1)
    assert (await trial.look()).of(4).failed == 1


async def test_a_caller_that_is_gone_for_long_is_forgotten() -> None:
    trial = Trial()
    await trial.look()
    trial.at += 1000
    assert BACK.proxy not in (await trial.look(replace(ASKED, callers={"ingress": [EDGE]}))).counters


async def test_an_old_pod_that_becomes_a_caller_does_not_bring_its_past() -> None:
    trial = Trial(question=replace(ASKED, callers={"ingress": [EDGE]}))
    await trial.look()
    trial.fleet.count(FRONT, 3, good=10_000, bad=500)
    assert (await trial.look(ASKED)).of(3) == Tally()


async def test_a_new_pod_of_a_caller_counts_from_its_first_request() -> None:
    trial = Trial(question=replace(ASKED, callers={"ingress": [EDGE]}))
    await trial.look()
    trial.at += 60
    trial.fleet.up = 5
    trial.fleet.count(FRONT, 4, good=2, bad=1)
    assert (await trial.look(ASKED)).of(4).failed == 1


async def test_figures_that_fall_are_doubted_by_name() -> None:
    trial = Trial()
    trial.fleet.count(FRONT, 4, good=10, bad=10)
    await trial.look()
    trial.fleet.counts[FRONT.proxy, 4] = Counts(good=20)
    look = await trial.look()
    assert (look.suspect, look.of(4)) == ((FRONT.proxy,), Tally())


async def test_another_process_of_ours_goes_on_from_the_checkpoint() -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.count(FRONT, 4, good=10, bad=1)
    counters = (await trial.look()).counters
    trial.fleet.count(FRONT, 4, good=5, bad=1)
    trial.proxies = Proxies(trial.fleet)
    trial.proxies.resume(HOST, counters)
    look = await trial.look()
    assert brief(look.tallies)[4] == (6, 1)
    assert look.seconds == 0.0


async def test_what_is_forgotten_begins_anew() -> None:
    trial = Trial()
    await trial.look()
    trial.fleet.count(FRONT, 4, bad=3)
    trial.proxies.forget(HOST)
    assert (await trial.look()).of(4) == Tally()


async def test_another_latency_begins_anew() -> None:
    trial = Trial()
    trial.fleet.count(FRONT, 4, good=3)
    await trial.look()
    trial.fleet.count(FRONT, 4, good=3)
    assert (await trial.look(replace(ASKED, slower_than=None))).of(4) == Tally()


async def test_a_latency_that_is_no_boundary_of_a_proxy_is_not_guessed() -> None:
    trial = Trial(question=replace(ASKED, slower_than=240))
    await trial.look()
    trial.fleet.count(FRONT, 4, good=3)
    look = await trial.look()
    assert (look.of(4).requests, look.of(4).timed, look.of(4).slow) == (3, 0, 0)


async def test_the_stable_pods_tell_what_came_in_each_for_itself() -> None:
    trial = Trial(question=replace(ASKED, stable_pods=[STABLE, OTHER]))
    await trial.look()
    trial.fleet.count(STABLE, 0, good=8)
    trial.fleet.count(OTHER, 0, good=5, bad=3)
    look = await trial.look()
    assert {pod: (t.requests, t.failed) for pod, t in look.stable_pods.items()} == {
        STABLE.proxy: (8, 0),
        OTHER.proxy: (8, 3),
    }
    assert look.of(3) == Tally()
    assert STABLE.proxy not in look.counters


async def test_a_stable_pod_that_does_not_answer_is_no_silent_caller() -> None:
    trial = Trial(question=replace(ASKED, stable_pods=[STABLE]))
    trial.fleet.failures[STABLE.proxy] = Unanswered("refused")
    look = await trial.look()
    assert (look.silent, look.stable_pods) == ((), {})


async def test_a_proxy_is_asked_once_a_moment_by_all_services_that_it_calls() -> None:
    trial = Trial(question=replace(ASKED, callers={"ingress": [EDGE]}))
    other = replace(trial.question, host="catalog.shop.svc.cluster.local")
    await trial.look()
    await trial.look(other)
    trial.fleet.count(EDGE, 4, good=2)
    trial.fleet.asked.clear()
    looks = await asyncio.gather(*(trial.proxies.look(q, trial.at + 1) for q in (trial.question, other)))
    assert [look.of(4).requests for look in looks] == [2, 0]
    assert len(trial.fleet.asked) == 1
    again = await trial.proxies.look(trial.question, trial.at + 1.1)
    assert (again.of(4), len(trial.fleet.asked)) == (Tally(), 1)
    assert (await trial.proxies.look(trial.question, trial.at + 2)).silent == ()
    assert len(trial.fleet.asked) == 2


async def test_a_hundred_callers_are_asked_at_once() -> None:
    pods = [Pod("shop", f"front-1-{n}", f"10.1.0.{n}") for n in range(100)]
    trial = Trial(question=replace(ASKED, callers={"shop/front": pods}))
    await trial.look()
    assert trial.fleet.most_at_once == 100
    assert not (await trial.look()).silent


def test_nobody_to_ask_is_said() -> None:
    assert no_evidence(ASKED) == ""
    assert "security.callers" in no_evidence(replace(ASKED, callers={}))
    assert "shop/gateway" in no_evidence(replace(ASKED, callers={"shop/gateway": []}))
    assert "shop/orders" in no_evidence(replace(ASKED, callers={"shop/orders": [STABLE]}))


def test_names_of_clusters_may_have_a_mark_at_their_end() -> None:
    line = 'envoy_cluster_upstream_rq{{cluster_name="outbound|80|r4|{host}{mark}",response_code="503"}} 2\n'
    for mark in ("", ";"):
        assert read(line.format(host=HOST, mark=mark))[0][HOST][4].codes == {503: 2}


def test_other_hosts_other_labels_and_other_orders_of_labels_do_not_matter() -> None:
    page = (
        'envoy_cluster_upstream_rq{response_code="503",cluster_name="outbound|80|r4|orders.shop.svc.cluster.local"} 2\n'
        'envoy_cluster_upstream_rq{cluster_name="outbound|80|r4|orders.bi.svc.cluster.local",response_code="503"} 9\n'
        'envoy_cluster_upstream_rq{cluster_name="outbound|80||orders.shop.svc.cluster.local",response_code="503"} 9\n'
        "envoy_http_downstream_rq_total{} 9\n"
    )
    found, _ = read(page)
    assert {revision: dict(f.codes) for revision, f in found[HOST].items()} == {4: {503: 2}}


def test_ports_of_a_revision_are_summed_and_those_without_http_left_out() -> None:
    def lines(port: int, *series: str) -> str:
        return "".join(f"envoy_cluster_{s.format(c=f'outbound|{port}|r4|{HOST}')}\n" for s in series)

    answer = 'upstream_rq{{cluster_name="{c}",response_code="200"}} 2'
    page = lines(80, answer) + lines(81, answer) + lines(90, 'upstream_rq_total{{cluster_name="{c}"}} 7')
    figures = read(page)[0][HOST][4]
    assert (figures.codes[200], figures.counts["upstream_rq_total"]) == (4, 0)


def test_only_what_is_needed_is_asked_for() -> None:
    query = parse_qs(urlsplit(outbound_path([HOST])).query, keep_blank_values=True)
    assert "usedonly" in query
    assert r"orders\.shop\.svc\.cluster\.local" in query["filter"][0]


@pytest.mark.parametrize("slower_than", [250.0, None])
async def test_callers_are_asked_how_long_requests_took_where_that_is_judged(slower_than: float | None) -> None:
    trial = Trial(question=replace(ASKED, slower_than=slower_than, stable_pods=[STABLE]))
    await trial.look()
    asked = {pod: unquote(path) for pod, path in trial.fleet.asked}
    assert ("upstream_rq_time" in asked[EDGE]) == (slower_than is not None)
    assert "upstream_rq_time" not in asked[STABLE], "its own pods are compared by failures alone"


async def test_who_judges_latency_and_who_does_not_share_no_page() -> None:
    trial = Trial()
    await trial.look()
    await trial.proxies.look(replace(ASKED, host="other.shop.svc.cluster.local", slower_than=None), trial.at)
    assert [pod for pod, _ in trial.fleet.asked].count(EDGE) == 2


async def test_pods_that_nobody_calls_are_asked_for_what_they_asked_of_others() -> None:
    workers = {3: [STABLE], 4: [OTHER]}
    trial = Trial(question=replace(ASKED, callers={}, workers=workers))
    await trial.look()
    trial.fleet.count(STABLE, 7, good=10)  # calls of whatever revision of whomever
    trial.fleet.count(OTHER, 7, good=1)
    trial.fleet.count(OTHER, 8, bad=2)
    trial.fleet.count(OTHER, 0, bad=5)  # came in: health checks
    look = await trial.look()
    assert brief(look.tallies) == {3: (10, 0), 4: (3, 2)}
    assert look.problems == ()
    assert not look.by_caller


async def test_a_worker_that_cannot_be_asked_is_named_and_what_it_counted_comes_later() -> None:
    trial = Trial(question=replace(ASKED, callers={}, workers={3: [STABLE], 4: [OTHER]}))
    await trial.look()
    trial.fleet.count(OTHER, 7, bad=2)
    trial.fleet.failures[OTHER.proxy] = Unanswered("gone")
    assert (await trial.look()).silent == (OTHER.proxy,)
    del trial.fleet.failures[OTHER.proxy]
    assert brief((await trial.look()).tallies) == {3: (0, 0), 4: (2, 2)}


async def test_a_service_that_nobody_can_tell_of_says_so() -> None:
    look = await Trial(question=replace(ASKED, callers={})).look()
    assert "security.callers" in look.problems[0]
