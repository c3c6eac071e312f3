"""A rollout that is judged by a real Prometheus, from its samples to the verdict."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from seatrial.api.revision import Phase
from seatrial.control.judging import Judging
from seatrial.evidence.ask import Pod
from seatrial.evidence.prometheus import PrometheusSource
from seatrial.evidence.prometheus_api import PrometheusApi
from seatrial.rollout.world import Verdict
from support.prometheus import RunningPrometheus, running
from support.sea import Sea, a_service

GATEWAY = Pod("shop", "gateway-1-x", "10.0.0.9")


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPrometheus]:
    with running(tmp_path_factory.mktemp("prometheus"), {"gateway": "10.0.0.9:15090"}) as process:
        yield process


async def callers() -> dict[str, list[Pod]]:
    return {"shop/gateway": [GATEWAY]}


class Court:
    """A rollout from 1 to 2; a scrape of its caller before every look, 15 seconds after the one before."""

    def __init__(self, prometheus: RunningPrometheus, *queries: dict[str, Any]) -> None:
        where = {"address": prometheus.address, "queries": list(queries)}
        analysis = {"source": "prometheus", "prometheus": where}
        self.prometheus = prometheus
        self.sea = Sea(a_service(rollout={"steps": [10, 50], "analysis": analysis})).sail()
        self.source = PrometheusSource(PrometheusApi(timeout=5), allowed=frozenset({prometheus.address}))
        self.time = 1000.0
        self.judging = Judging(
            {"prometheus": self.source}, clock=lambda: self.time, now=lambda: datetime(2026, 1, 1, tzinfo=UTC)
        )

    async def look(self, *, failing: float = 0.0) -> Verdict | None:
        for revision, count in ((1, 450), (2, 50)):
            bad = round(count * failing) if revision == 2 else 0
            for code, number in (("200", count - bad), ("503", bad)):
                self.count(revision, code, number if revision in self.sea.revisions else 0)
        self.prometheus.await_scrape()
        self.time += 15.0
        self.sea.verdict = await self.judging.verdict(
            self.sea.service, list(self.sea.revisions.values()), callers, lambda _: []
        )
        self.sea.look()
        return self.sea.verdict

    def count(self, revision: int, code: str, number: int) -> None:
        meta = self.sea.service.metadata
        self.prometheus.exporter.add(
            "gateway",
            "istio_requests_total",
            number,
            reporter="source",
            source_canonical_service="gateway",
            source_workload_namespace="shop",
            destination_service=f"{meta.name}.{meta.namespace}.svc.cluster.local",
            destination_canonical_revision=f"r{revision}",
            response_code=code,
        )

    async def shifting(self) -> "Court":
        self.sea.change("two")
        for _ in range(8):
            if self.weight != 10:
                await self.look()
        assert self.weight == 10
        return self

    @property
    def weight(self) -> int:
        """What revision 2 is to get."""
        attempt = self.sea.revisions[2].status.attempt if 2 in self.sea.revisions else None
        return attempt.weight.wanted if attempt else 0


async def test_a_bad_revision_goes_back_with_its_numbers(prometheus: RunningPrometheus) -> None:
    court = await Court(prometheus).shifting()
    looks = 0
    while court.sea.phase(2) is Phase.SHIFTING and looks < 4:
        verdict = await court.look(failing=0.3)
        looks += 1
    await court.source.close()
    assert court.sea.phase(2) is Phase.ROLLING_BACK
    assert verdict is not None
    assert verdict.finding == "Worse"
    assert verdict.reason.startswith(f"canary {15 * looks} of ")


async def test_a_good_one_goes_on(prometheus: RunningPrometheus) -> None:
    court = await Court(prometheus).shifting()
    for _ in range(12):
        if court.weight < 50:
            await court.look()
    await court.source.close()
    assert court.weight == 50


async def test_a_query_that_is_refused_holds_it_and_is_named(prometheus: RunningPrometheus) -> None:
    court = await Court(prometheus, {"name": "rows", "total": "vector(1)", "bad": "sum("}).shifting()
    for _ in range(8):
        verdict = await court.look()
    await court.source.close()
    assert verdict is not None
    assert (verdict.finding, verdict.allowed) == ("NoData", 0)
    assert "query rows of revision 1, bad" in verdict.reason
    assert "parse error" in verdict.reason
    advice = next(c for c in court.sea.service.status.conditions if c.type == "PolicyAdvice")
    assert advice.status == "True"
    assert verdict.evidence.problems[0] in advice.message
