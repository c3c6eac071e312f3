"""What it costs to ask for a cluster that is there. `make bench-cluster` measures the making of one, from nothing."""

import statistics
import sys
import time

from cluster.commands import command
from cluster.host import read_facts

RUNS = 5


def test_a_second_run_with_everything_up() -> None:
    show("make cluster-up, everything up", [seconds("up") for _ in range(RUNS)])


def test_facts_of_the_machine() -> None:
    def read() -> float:
        began = time.perf_counter()
        read_facts()
        return time.perf_counter() - began

    show("facts of the machine", [read() for _ in range(RUNS)])


def seconds(verb: str) -> float:
    began = time.perf_counter()
    command([sys.executable, "-m", "cluster", verb])
    return time.perf_counter() - began


def show(what: str, figures: list[float]) -> None:
    median = statistics.median(figures)
    sys.stdout.write(f"\n{what}: median {median:.2f} s, worst {max(figures):.2f} s of {len(figures)}\n")
