"""What istiod and Envoy answered once, read as evidence; and what a proxy that is late does to a rollout."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from seatrial.evidence.ask import Absent, Pod, Refused, Unanswered
from seatrial.evidence.carried import LONGEST_DEBOUNCE, STEADY, Carriers, Wanted, matches
from seatrial.evidence.endpoints import Endpoints
from seatrial.evidence.envoy import Counted, Traffic
from seatrial.evidence.istiod import Config, Known, parse_syncz
from seatrial.rollout.world import Mirror, Split

KINDS = ("cluster", "route", "listener")
DATA = Path(__file__).parent / "data"
HOST = "orders.shop.svc.cluster.local"
GATEWAY = Pod("istio-system", "istio-ingressgateway-7757d84bff-qbj9q", "10.0.0.7")
ISTIOD = Pod("istio-system", "istiod-1", "10.0.0.6")


class Answers:
    """Pods that answer what they are told to."""

    def __init__(self) -> None:
        self.syncz: Any = json.loads((DATA / "syncz.json").read_bytes())
        self.configz: Any = json.loads((DATA / "configz.json").read_bytes())
        self.stats = (DATA / "stats.txt").read_text()
        self.failure: Exception | None = None
        self.asked: list[str] = []

    def push(self, counter: int, *, acknowledged: bool = True) -> None:
        """Send the proxy all kinds of resources under a push counter."""
        nonce = f"2026-11-21T11:01:22Z/{counter}" + "u" * 36
        for kind in ("cluster", "route", "listener"):
            self.syncz[0][f"{kind}_sent"] = nonce
            if acknowledged:
                self.syncz[0][f"{kind}_acked"] = nonce

    async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
        self.asked.append(path)
        await asyncio.sleep(0)  # others go on meanwhile
        if self.failure:
            raise self.failure
        if path.startswith("/stats"):
            return self.stats.encode()
        return json.dumps(self.syncz if path.endswith("syncz") else self.configz).encode()


def wanted(weights: dict[int, int], subsets: set[int] | None = None) -> Wanted:
    return Wanted(HOST, frozenset({Split.of(weights)}), frozenset(subsets or weights))


SPLIT = wanted({3: 90, 4: 10})


@dataclass
class Watch:
    """A process that asks, and its clock."""

    answers: Answers = field(default_factory=Answers)
    at: float = 0.0

    def __post_init__(self) -> None:
        self.carriers = Carriers(self.answers)

    async def write(self) -> None:
        await self.carriers.remember(HOST, [ISTIOD], self.at)

    async def look(self, after: float, what: Wanted = SPLIT) -> tuple[str, ...]:
        self.at += after
        return (await self.carriers.look(what, [GATEWAY], [ISTIOD], self.at)).waiting_for


def stored(weights: dict[str, int], subsets: list[str], *, tcp: bool = False) -> Known:
    route = [{"destination": {"host": HOST, "subset": s}, "weight": w} for s, w in weights.items()]
    objects = [
        {"kind": "VirtualService", "spec": {"tcp" if tcp else "http": [{"route": route}]}},
        {"kind": "DestinationRule", "spec": {"host": HOST, "subsets": [{"name": s} for s in subsets]}},
    ]
    return Config(json.dumps(objects).encode()).of(HOST)


def test_the_weights_of_every_route_to_the_host_are_read() -> None:
    known = Config((DATA / "configz.json").read_bytes()).of(HOST)
    assert set(known.splits) == {Split.of({3: 90, 4: 10})}
    assert known.subsets == {3, 4}


@pytest.mark.parametrize("body", [b"null", b"[]", b" [\n ] "])
def test_an_empty_store_has_no_host(body: bytes) -> None:
    assert Config(body).of(HOST) == Known()


@pytest.mark.parametrize("body", [b"", b"404 page not found", b'{"kind": "Status"}', b'[{"kind": "Virt', b"[}"])
def test_what_is_no_store_is_said_to_be_none(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"array of objects|Expecting|Unterminated"):
        Config(body)


def test_another_host_is_not_ours() -> None:
    assert Config((DATA / "configz.json").read_bytes()).of("else.shop.svc.cluster.local") == Known()


def test_a_route_to_no_revision_is_no_routing_of_ours() -> None:
    assert stored({"blue": 100}, ["r1"]).splits == (None,)


def test_a_tcp_route_is_read_like_any_other() -> None:
    assert stored({"r2": 100}, ["r2"], tcp=True).splits == (Split.of({2: 100}),)


def test_a_route_that_sends_copies_differs_from_one_that_sends_none() -> None:
    copies = {"destination": {"host": HOST, "subset": "r4"}, "percentage": {"value": 20}}
    route = {"route": [{"destination": {"host": HOST, "subset": "r3"}}], "mirrors": [copies]}
    known = Config(json.dumps([{"kind": "VirtualService", "spec": {"http": [route]}}]).encode()).of(HOST)
    assert known.splits == (Split.of({3: 100}, Mirror(4, 20)),)


def test_a_routing_is_stored_when_each_of_its_splits_is_and_no_other_one() -> None:
    public, marked = Split.of({3: 100}), Split.of({4: 100})
    asked = Wanted(HOST, frozenset({public, marked}), frozenset({3, 4}))
    assert matches(Known((marked, public, public), asked.subsets), asked)
    assert not matches(Known((public,), asked.subsets), asked)
    assert not matches(Known((marked, public, Split.of({3: 90, 4: 10})), asked.subsets), asked)
    assert not matches(Known((marked, public, None), asked.subsets), asked)


def test_an_acknowledged_push_is_recognized() -> None:
    assert parse_syncz((DATA / "syncz.json").read_bytes())[GATEWAY.proxy].acknowledged


async def test_a_later_push_that_stays_acknowledged_for_a_while_is_carried() -> None:
    watch = Watch()
    await watch.write()
    watch.answers.push(50)
    assert await watch.look(0.5) == (GATEWAY.proxy,)
    assert await watch.look(STEADY) == ()


async def test_a_proxy_that_was_sent_nothing_since_our_write_is_waited_for() -> None:
    watch = Watch()
    await watch.write()
    assert await watch.look(0.5) == (GATEWAY.proxy,)
    assert await watch.look(3.0) == (GATEWAY.proxy,)


async def test_a_proxy_that_no_push_reaches_counts_once_istiod_cannot_hold_one_back_any_longer() -> None:
    watch = Watch()
    await watch.write()
    await watch.look(0.5)
    assert await watch.look(LONGEST_DEBOUNCE) == ()


async def test_after_a_restart_the_longest_wait_counts() -> None:
    watch = Watch()
    assert await watch.look(0.0) == (GATEWAY.proxy,)
    assert await watch.look(LONGEST_DEBOUNCE / 2) == (GATEWAY.proxy,)
    assert await watch.look(LONGEST_DEBOUNCE / 2) == ()


async def test_what_is_sent_and_not_acknowledged_is_waited_for_however_long() -> None:
    watch = Watch()
    await watch.write()
    watch.answers.push(50, acknowledged=False)
    for _ in range(5):
        assert await watch.look(LONGEST_DEBOUNCE) == (GATEWAY.proxy,)


async def test_weights_that_istiod_does_not_have_yet_are_waited_for() -> None:
    watch = Watch()
    await watch.write()
    watch.answers.push(50)
    assert await watch.look(60.0, wanted({3: 50, 4: 50})) == (GATEWAY.proxy,)


async def test_a_subset_that_istiod_does_not_know_yet_is_waited_for() -> None:
    watch = Watch()
    await watch.write()
    watch.answers.push(50)
    await watch.look(0.5, wanted({3: 90, 4: 10}, {3, 4, 5}))
    assert await watch.look(60.0, wanted({3: 90, 4: 10}, {3, 4, 5})) == (GATEWAY.proxy,)


async def test_a_caller_that_istiod_does_not_know_is_waited_for_by_name() -> None:
    watch = Watch()
    watch.answers.syncz = []
    assert await watch.look(0.0) == (GATEWAY.proxy,)
    assert await watch.look(60.0) == (GATEWAY.proxy,)


async def test_a_caller_that_came_after_our_write_is_not_waited_for_long() -> None:
    watch = Watch()
    there, watch.answers.syncz = watch.answers.syncz, []
    await watch.write()
    watch.answers.syncz = there
    assert await watch.look(1.0) == (GATEWAY.proxy,)
    assert await watch.look(STEADY) == ()


async def test_a_settled_mesh_is_not_asked_again_until_we_write() -> None:
    watch = Watch()
    await watch.look(0.0)
    await watch.look(LONGEST_DEBOUNCE)
    watch.answers.asked.clear()
    assert await watch.look(1.0) == ()
    assert not watch.answers.asked
    await watch.write()
    assert await watch.look(1.0) == (GATEWAY.proxy,)


async def test_what_many_ask_within_a_moment_is_asked_once() -> None:
    watch = Watch()
    await asyncio.gather(*(watch.look(0.0) for _ in range(20)))
    assert sorted(watch.answers.asked) == ["/debug/configz", "/debug/syncz"]


async def test_writers_share_an_answer_that_was_asked_for_after_each_of_them_wanted_it() -> None:
    watch = Watch()
    await asyncio.gather(*(watch.write() for _ in range(20)))
    assert len(watch.answers.asked) == 2, "the first one's, and one for all who came while it was under way"
    await watch.write()
    assert len(watch.answers.asked) == 3, "an answer from before a write says nothing of where the proxies are now"


async def test_the_store_is_not_read_again_once_it_has_what_is_wanted() -> None:
    watch = Watch()
    await watch.look(0.0)
    watch.answers.asked.clear()
    assert await watch.look(1.0) == (GATEWAY.proxy,)
    assert watch.answers.asked == ["/debug/syncz"]
    other = Pod("istio-system", "istiod-2", "10.0.0.5")
    await watch.carriers.look(SPLIT, [GATEWAY], [ISTIOD, other], watch.at + 1.0)
    assert "/debug/configz" in watch.answers.asked, "another istiod has to say so too"


async def test_an_istiod_that_is_down_holds_everything() -> None:
    answers = Answers()
    answers.failure = Unanswered("connection refused")
    assert await Watch(answers, at=1e6).look(0.0) == ("istiod (connection refused)",)


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


def test_proxies_that_are_where_others_are_take_no_room_of_their_own() -> None:
    nonces = {f"{kind}_{what}": f"2026-01-01T00:00:00Z/7{'0' * 36}" for kind in KINDS for what in ("sent", "acked")}
    syncs = parse_syncz(json.dumps([{"proxy": f"front-{n}.shop", **nonces} for n in range(3)]).encode())
    assert len(syncs) == 3
    assert len({id(sync) for sync in syncs.values()}) == 1


async def test_callers_that_do_not_answer_are_waited_for_together() -> None:
    class Hanging(Answers):
        asking, all_asked = 0, asyncio.Event()

        async def get(self, pod: Pod, *, port: int, path: str) -> bytes:
            self.asking += 1
            if self.asking == 3:
                self.all_asked.set()
            await self.all_asked.wait()
            raise Unanswered("late")

    callers = [Pod("shop", f"front-{n}", f"10.0.0.{n}") for n in range(3)]
    async with asyncio.timeout(5):
        assert await Traffic(Hanging()).look(HOST, callers, streams=False) == {}


async def test_a_caller_that_knows_no_pod_of_a_revision_is_named_until_it_does() -> None:
    answers = Answers()
    endpoints = Endpoints(answers)
    line = f'envoy_cluster_membership_healthy{{cluster_name="outbound|80|r4|{HOST}"}} '
    answers.stats = line + "0"
    assert await endpoints.unseen_by(HOST, 4, [GATEWAY]) == (GATEWAY.proxy,)
    answers.stats = line + "1"
    assert await endpoints.unseen_by(HOST, 4, [GATEWAY]) == ()
    answers.asked.clear()
    assert await endpoints.unseen_by(HOST, 4, [GATEWAY]) == ()
    assert not answers.asked
    answers.stats = line + "0"
    endpoints.forget(HOST, 4)
    assert await endpoints.unseen_by(HOST, 4, [GATEWAY]) == (GATEWAY.proxy,)


async def test_nobody_waits_for_a_proxy_that_does_not_say_which_pods_it_knows() -> None:
    answers = Answers()
    answers.stats = ""
    assert await Endpoints(answers).unseen_by(HOST, 4, [GATEWAY]) == ()
    answers.failure = Unanswered("timeout")
    assert await Endpoints(answers).unseen_by(HOST, 4, [GATEWAY]) == ()
