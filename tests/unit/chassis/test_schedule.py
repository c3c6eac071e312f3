"""Schedules on a virtual clock."""

import asyncio
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from chassis.schedule import Job, Schedule, ScheduleMetrics
from chassis.share import Share
from support.clock import now, virtually


class Bench:
    """A schedule of every ten seconds, for so many of them."""

    def __init__(self, annotations: Path | None = None) -> None:
        self.registry = CollectorRegistry()
        self.ran_at: list[float] = []
        self.share = Share(annotations or Path("/nonexistent"), clock=now)

    async def remember(self) -> None:
        self.ran_at.append(now())

    def sail(self, job: Job | None = None, *, seconds: float) -> "Bench":
        async def run() -> None:
            stopping = asyncio.Event()
            asyncio.get_running_loop().call_later(seconds, stopping.set)
            metrics = ScheduleMetrics(self.registry)
            await Schedule("look", 10.0, job or self.remember, share=self.share, metrics=metrics).run(stopping)

        virtually(run())
        return self

    def runs(self, outcome: str) -> float:
        return self.registry.get_sample_value("schedule_runs_total", {"schedule": "look", "outcome": outcome}) or 0


def test_a_job_is_done_about_every_so_many_seconds_and_not_by_all_at_once() -> None:
    benches = [Bench().sail(seconds=1000) for _ in range(20)]
    for bench in benches:
        gaps = [b - a for a, b in zip(bench.ran_at, bench.ran_at[1:], strict=False)]
        assert all(9 <= gap <= 11 for gap in gaps)
        assert 89 <= len(bench.ran_at) <= 112
        assert bench.runs("done") == len(bench.ran_at)
    firsts = sorted(bench.ran_at[0] for bench in benches)
    assert firsts[-1] - firsts[0] > 3, "spread over the ten seconds"


def test_a_job_that_fails_is_done_again(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise RuntimeError("the table is gone")

    assert Bench().sail(fail, seconds=100).runs("failed") >= 8
    assert "the table is gone" in caplog.text


def test_a_run_is_not_begun_while_one_lasts_and_is_finished_at_the_end() -> None:
    bench, under_way, most, finished = Bench(), 0, 0, 0

    async def slow() -> None:
        nonlocal under_way, most, finished
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(35)
        under_way -= 1
        finished += 1

    bench.sail(slow, seconds=100)
    assert (most, under_way) == (1, 0)
    assert finished == bench.runs("done") >= 2


def test_a_pod_without_a_share_does_nothing_and_a_canary_some(tmp_path: Path) -> None:
    idle, canary = tmp_path / "idle", tmp_path / "canary"
    idle.write_text('seatrial.dev/role="kept"\nseatrial.dev/weight="0"\nseatrial.dev/peers="1"\n')
    canary.write_text('seatrial.dev/role="canary"\nseatrial.dev/weight="20"\n')
    assert Bench(idle).sail(seconds=1000).ran_at == []
    assert 60 < len(Bench(canary).sail(seconds=5000).ran_at) < 150
