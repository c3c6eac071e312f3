"""A small run of the simulation, and the check that its batches decide as the operator does."""

import pytest

from bench.rollout.driver import BACK, run
from bench.rollout.rules import Evidence
from bench.rollout.simulation import Bench, beside, steady_cases
from bench.rollout.streams import Scenario
from bench.rollout.unbatched import Unbatched


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario(50, 0.001),
        Scenario(50, 0.01, 0.02),
        Scenario(50, 0.001, 0.3),
        Scenario(50, 0.001, shape="outage"),
        Scenario(50, 0.001, slow=0.005, slower=2),
    ],
)
def test_the_batched_rule_decides_as_the_analysis_does(scenario: Scenario) -> None:
    latency = scenario.slow is not None
    batched = run(scenario, Evidence(latency=latency), rollouts=60, seed=3)
    single = run(scenario, Unbatched(latency=latency), rollouts=60, seed=3)
    assert (batched.kind == single.kind).all()
    assert (batched.time == single.time).all()


def test_a_small_run_beside_other_rules() -> None:
    bench = Bench(rollouts=200, seed=1)
    print(f"\n{beside(bench, steady_cases())}")
    assert bench.seatrial(Scenario(50, 0.001, 0.3)).share(BACK) == 100
