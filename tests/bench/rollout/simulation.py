"""Simulated rollouts by the ten thousand: how often each promise is broken, and what the evidence takes and costs.

    PYTHONPATH=tests nice .venv/bin/python -m bench.rollout.simulation

runs Seatrial's decision code (`seatrial.stats`) and models of two other rules on the same streams, on all cores, and
writes docs/benchmarks-simulation.md. Rates are of binomial requests in Poisson arrivals; every figure comes from a seed
and is the same on any number of cores.
"""

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from bench.rollout.driver import BACK, PAUSED, UP, Outcome, run
from bench.rollout.rules import Evidence, Rule, argo, flagger_fast, flagger_tutorial
from bench.rollout.streams import Scenario, Shape

CHUNK = 1000  # rollouts at once: what fits into a cache
BASES = (0.0, 0.001, 0.01, 0.05)
TRAFFIC = (5, 50, 500)
MARGIN = LIMIT = 0.01
SLOW = 0.005
SHAPES: dict[Shape, str] = {
    "steady": "none",
    "warm-up": "warm-up: 10 points more slow requests at first, halved every 3.5 s",
    "bursts": "bursts of one arm: 30 % for 1 s, once in 5 min",
    "autocorrelated": "errors of one arm in episodes: 10 % for 3 s on average, once in 5 min",
    "outage": "an outage that both share: 50 % for 10 s within the first minute",
    "diurnal": "traffic between 20 and 180 % of its mean, within 2 min",
}


@dataclass
class Bench:
    """Runs scenarios, each one once, and says on stderr how far it is. `each` is a `map`, perhaps over processes."""

    rollouts: int
    seed: int
    each: Callable[..., Iterable[Outcome]] = map
    begun: float = field(default_factory=time.monotonic)
    known: dict[tuple[Scenario, str], Outcome] = field(default_factory=dict)

    def __call__(self, scenario: Scenario, name: str, rule: Callable[[], Rule]) -> Outcome:
        if (scenario, name) not in self.known:
            sizes = [min(CHUNK, self.rollouts - done) for done in range(0, self.rollouts, CHUNK)]
            seeds = range(self.seed, self.seed + len(sizes))
            parts = list(self.each(partial(run_part, scenario), [rule() for _ in sizes], sizes, seeds))
            fields = ("kind", "time", "requests", "harmed", "highest")
            self.known[scenario, name] = Outcome(**{f: np.concatenate([getattr(p, f) for p in parts]) for f in fields})
            print(f"{time.monotonic() - self.begun:6.0f} s  {name}  {scenario}", file=sys.stderr)
        return self.known[scenario, name]

    def seatrial(self, scenario: Scenario) -> Outcome:
        """Steps of 10 and 50 %, everything else as by default."""
        return self(scenario, "Seatrial", lambda: Evidence(latency=scenario.slow is not None))

    def chosen(self, scenario: Scenario) -> Outcome:
        """From 5 % on the evidence chooses."""
        return self(scenario, "Seatrial, no steps", lambda: Evidence(latency=scenario.slow is not None, steps=()))


def run_part(scenario: Scenario, rule: Rule, rollouts: int, seed: int) -> Outcome:
    """What one process does at a time."""
    return run(scenario, rule, rollouts=rollouts, seed=seed)


OTHERS: dict[str, Callable[[], Rule]] = {
    "Flagger-like, 60 s": flagger_tutorial,
    "Flagger-like, 10 s": flagger_fast,
    "Argo-like, 5 s": argo,
}


def percent(value: float) -> str:
    """Percent of rollouts, with a digit more where there are few."""
    return f"{value:.2f}" if 0 < value < 1 else f"{value:.0f}"


def spread(quantiles: tuple[float, float] | None) -> str:
    """Median (95th percentile)."""
    return f"{quantiles[0]:.0f} ({quantiles[1]:.0f})" if quantiles else "-"


def rightly_back(scenario: Scenario) -> bool:
    """Whether a rollback keeps the promise: worse by more than the margin, or above the limit where stable isn't."""
    arms = [(scenario.base + scenario.extra, scenario.base), (scenario.canary_slow, scenario.slow or 0.0)]
    return any(
        canary - stable > MARGIN + 1e-9 or (canary > LIMIT + 1e-9 and stable <= LIMIT) for canary, stable in arms
    )


def wrongly_up(scenario: Scenario, seen: Outcome) -> float:
    """Percent that were given a weight at which the harm is more than the margin."""
    extra = max(scenario.extra, scenario.canary_slow - (scenario.slow or 0.0))
    return 100 * float(np.mean(seen.highest / 100 * extra > MARGIN + 1e-9))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def harmless(bench: Bench) -> str:
    """Equal revisions and tolerated differences."""
    rows = []
    for base, extra, rps in ((b, e, r) for b in BASES for e in (0.0, 0.005, 0.01) for r in TRAFFIC):
        scenario = Scenario(rps, base, extra)
        seen = bench.seatrial(scenario)
        back = percent(seen.share(BACK)) + (" (above the limit)" if rightly_back(scenario) else "")
        rows.append([
            f"{100 * base:g}", f"+{100 * extra:g}", f"{rps}", back, percent(seen.reached(50)), percent(seen.share(UP)),
            percent(seen.share(PAUSED)), spread(seen.quantiles(seen.time, UP)),
        ])  # fmt: skip
    return table(
        [
            "base rate, %", "canary, points", "requests/s", "rolled back, %", "reached 50 %, %", "reached 100 %, %",
            "inconclusive, %", "time to 100 %, s",
        ],
        rows,
    )  # fmt: skip


def harmful(bench: Bench) -> str:
    """Revisions that fail more."""
    rows = []
    for base, extra, rps in ((b, e, r) for b in BASES for e in (0.02, 0.05, 0.3) for r in TRAFFIC):
        scenario = Scenario(rps, base, extra)
        rows.append([f"{100 * base:g}", f"+{100 * extra:g}", f"{rps}", *_found(scenario, bench.seatrial(scenario))])
    return table(["base rate, %", "canary, points", "requests/s", *_FOUND], rows)


_FOUND = (
    "rolled back, %", "after, s", "requests of the canary", "users harmed", "wrongly promoted, %", "inconclusive, %",
)  # fmt: skip


def _found(scenario: Scenario, seen: Outcome) -> list[str]:
    return [
        percent(seen.share(BACK)),
        *(spread(seen.quantiles(of, BACK)) for of in (seen.time, seen.requests, seen.harmed)),
        percent(wrongly_up(scenario, seen)),
        percent(seen.share(PAUSED)),
    ]


def slow(bench: Bench) -> str:
    """Latency: stable has 0.5 % slow requests."""
    rows = []
    for times, rps in ((t, r) for t in (1, 2, 5) for r in TRAFFIC):
        scenario = Scenario(rps, slow=SLOW, slower=times)
        seen = bench.seatrial(scenario)
        rows.append([
            f"{times}-fold", f"{100 * scenario.canary_slow:.1f}", f"{rps}", *_found(scenario, seen),
            spread(seen.quantiles(seen.time, UP)),
        ])  # fmt: skip
    return table(["latency", "slow requests, %", "requests/s", *_FOUND, "time to 100 %, s"], rows)


def chosen(bench: Bench) -> str:
    """No steps given."""
    rows = []
    for base, extra, rps in ((b, e, r) for b in BASES[:3] for e in (0.0, 0.02, 0.05, 0.3) for r in TRAFFIC[1:]):
        scenario = Scenario(rps, base, extra)
        seen = bench.chosen(scenario)
        rows.append([
            f"{100 * base:g}", f"+{100 * extra:g}", f"{rps}", *_found(scenario, seen), percent(seen.share(UP)),
            spread(seen.quantiles(seen.time, UP)),
        ])  # fmt: skip
    head = ["base rate, %", "canary, points", "requests/s", *_FOUND, "reached 100 %, %", "time to 100 %, s"]
    return table(head, rows)


def needed(bench: Bench) -> str:
    """Requests of the canary until a verdict, by margin: promotion from an even split, rollback from 10 %."""
    rows, bench = [], replace(bench, rollouts=max(bench.rollouts // 5, 1))  # medians need fewer
    for delta, base in ((d, b) for d in (0.005, 0.01, 0.02, 0.05) for b in BASES):
        cells = [f"{100 * delta:g}", f"{100 * base:g}"]
        good, name = Scenario(40, base), f"margin {100 * delta:g}"
        even = bench(good, name, partial(Evidence, delta=delta, steps=(50,), requests=0, hold=0, timeout=1000))
        cells.append(spread(even.quantiles(even.requests, UP)))
        for extra in (0.05, 0.3):
            bad = Scenario(50, base, delta + extra)
            found = bench(bad, name, partial(Evidence, delta=delta, steps=(10,), timeout=1000))
            cells += [spread(found.quantiles(of, BACK)) for of in (found.requests, found.harmed)]
        rows.append(cells)
    return table(
        [
            "margin, points", "base rate, %", "requests until 100 % is allowed, equal canary",
            "requests until rolled back, 5 points beyond the margin", "users harmed",
            "requests until rolled back, 30 points beyond", "users harmed",
        ],
        rows,
    )  # fmt: skip


def beside(bench: Bench, cases: Sequence[tuple[str, Scenario]]) -> str:
    """The rules side by side: percent rolled back; after which time; users harmed; time to 100 %."""
    rows = []
    for label, scenario in cases:
        outcomes = [("Seatrial", bench.seatrial(scenario))]
        outcomes += [(name, bench(scenario, name, rule)) for name, rule in OTHERS.items()]
        for number, (name, seen) in enumerate(outcomes):
            rows.append([
                "" if number else label, name, percent(seen.share(BACK)), spread(seen.quantiles(seen.time, BACK)),
                spread(seen.quantiles(seen.harmed, BACK)), percent(seen.share(UP)),
                spread(seen.quantiles(seen.time, UP)),
            ])  # fmt: skip
    return table(
        [
            "case", "rule", "rolled back, %", "after, s", "users harmed by those", "reached 100 %, %",
            "time to 100 %, s",
        ],
        rows,
    )  # fmt: skip


def steady_cases() -> list[tuple[str, Scenario]]:
    """Base rates and what the canary adds to them."""
    return [
        (f"{100 * base:g} %, canary +{100 * extra:g}", Scenario(50, base, extra))
        for base in BASES
        for extra in (0.0, 0.02, 0.05, 0.3)
    ]


def disturbed_cases() -> list[tuple[str, Scenario]]:
    """What violates an assumption, or seems to, with an equal canary and with a bad one."""
    return [
        (f"{what}; canary +{100 * extra:g}", Scenario(50, extra=extra, shape=shape, slow=_slow(shape)))
        for shape, what in SHAPES.items()
        if shape != "steady"
        for extra in (0.0, 0.3)
    ]


def _slow(shape: Shape) -> float | None:
    return SLOW if shape == "warm-up" else None


def report(bench: Bench) -> str:
    """The page."""
    sections = [
        ("Equal and tolerated revisions", harmless(bench)),
        ("Harmful revisions", harmful(bench)),
        ("Latency", slow(bench)),
        ("Weights chosen by the evidence", chosen(bench)),
        ("Requests needed, by margin (a fifth as many rollouts)", needed(bench)),
        ("Beside other rules, 50 requests/s", beside(bench, steady_cases())),
        ("Disturbances, 50 requests/s, base rate 0.1 %", beside(bench, disturbed_cases())),
    ]
    return INTRODUCTION.format(rollouts=bench.rollouts, seed=bench.seed) + "\n\n".join(
        f"## {title}\n{text}" for title, text in sections
    )


INTRODUCTION = """\
# Simulated rollouts

{rollouts:,} rollouts a row, seed {seed}; this page is written by
`PYTHONPATH=tests nice .venv/bin/python -m bench.rollout.simulation`.

Seatrial's rows come from its own decision code, with the defaults of `analysis`: margin 1 point, limit 1 %,
confidence 95, steps of 10 and 50 %, `hold: 5s`, `minRequests: 50`, `stepTimeout: 5m`. Requests arrive by a Poisson law;
a look a second; 5 s of stable traffic before the canary's first request; a decision takes effect 1 s after it is made.
The errors' objective stands for that of attempts too, which without retries sees the same and never decides first.
Times are median (95th percentile) in seconds from the canary's first weight. *Inconclusive*: a step without a verdict
within 5 minutes, which pauses the rollout. *Users harmed*: bad requests of the canary, with those until the decision
takes effect.

Promises: *rolled back* is 5 % at most for an equal or tolerated canary within the limit, and *wrongly promoted* (to a
weight at which weight times difference is above the margin) is 5 % at most. A canary above the limit of 1 % is rolled
back rightly, while stable isn't above it.

Other rules: *Flagger-like, 60 s* is its tutorial (interval 1m, threshold 5, stepWeight 10, maxWeight 50, success rate
99); *10 s* its shortest interval, threshold 1, steps 10 and 50; *Argo-like*: background analysis every 5 s,
failureLimit 0, pauses of 20 s at 10 and 50 %. They are given fresh and complete metrics and the same 1 s of delay.

"""


def main() -> None:
    """Run all, write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rollouts", type=int, default=10_000, help="a row (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="(default: %(default)s)")
    parser.add_argument(
        "--out", type=Path, default=Path("docs/benchmarks-simulation.md"), help="(default: %(default)s)"
    )
    arguments = parser.parse_args()
    with ProcessPoolExecutor() as processes:
        bench = Bench(arguments.rollouts, arguments.seed, processes.map)
        text = report(bench)
    wall, used = (time.monotonic() - bench.begun) / 60, resource.getrusage(resource.RUSAGE_CHILDREN)
    busy = (used.ru_utime + used.ru_stime) / 60
    took = f"{wall:.1f} minutes on {os.cpu_count()} cores, {busy:.1f} of CPU time"
    arguments.out.write_text(f"{text}\n\n{took}.\n")
    print(f"{text}\n\n{took}")


if __name__ == "__main__":
    main()
