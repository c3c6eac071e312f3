"""A cluster that was interrupted, stopped or lost, and the next `cluster-up`.

It takes the cluster away from every other test, so it runs when it is asked for: SOAK=cluster make soak.
"""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cluster.commands import command, probe
from cluster.host import NODE
from cluster.images import load_manifest
from cluster.istio import gateway_answers
from support.interrupting import hear_interrupts

pytestmark = pytest.mark.skipif(os.environ.get("SOAK") != "cluster", reason="takes the cluster away: SOAK=cluster")

ROOT = Path(__file__).parents[2]
UP = [sys.executable, "-u", "-m", "cluster", "up"]
LONG = 1500.0


def up() -> str:
    """Bring the cluster up and return what was said."""
    return command(UP, cwd=ROOT, timeout=LONG)


def interrupt_in(step: str, seconds: float) -> int:
    """Bring the cluster up, press Ctrl-C some seconds after a step began, and return the exit code."""
    with subprocess.Popen(
        UP,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - sets a signal only
    ) as run:
        assert run.stdout
        for line in run.stdout:
            if f"] {step}" in line and line.rstrip().endswith("…"):
                threading.Timer(seconds, run.send_signal, (signal.SIGINT,)).start()
        return run.wait()


def forget_cluster() -> None:
    command([sys.executable, "-m", "cluster", "down"], cwd=ROOT)


def forget_node_image() -> None:
    forget_cluster()
    command(["docker", "image", "rm", "--force", load_manifest().node])


@pytest.mark.parametrize(
    ("step", "seconds"),
    [
        ("Node image", 2),  # while the node is written
        ("Node image", 15),  # while images are unpacked into it
        ("Kubernetes cluster", 1),  # before kubeadm
        ("Kubernetes cluster", 9),  # while the control plane starts
        ("Istio", 3),
        ("Mesh policies and gateway", 0.1),
    ],
)
def test_ctrl_c_inside_a_step_is_made_good_by_the_next_run(step: str, seconds: float) -> None:
    if step == "Node image":
        forget_node_image()
    else:
        forget_cluster()
    assert interrupt_in(step, seconds) == 130
    up()
    assert gateway_answers()


@pytest.mark.parametrize("verb", ["stop", "kill", "restart"])
def test_a_node_that_was_stopped_comes_back_with_what_was_in_it(verb: str) -> None:
    up()
    command(["kubectl", "create", "configmap", f"kept-{verb}", "-n", "default"])
    command(["docker", verb, NODE])
    up()
    assert gateway_answers()
    command(["kubectl", "delete", "configmap", f"kept-{verb}", "-n", "default"])


def test_a_node_that_lost_its_kubernetes_is_made_anew() -> None:
    up()
    command(["docker", "exec", NODE, "rm", "-rf", "/etc/kubernetes/manifests", "/var/lib/etcd"])
    command(["docker", "stop", NODE])
    said = up()
    assert "it is made anew" in said
    assert gateway_answers()


def test_a_second_run_takes_seconds() -> None:
    up()
    began = time.monotonic()
    assert "already there" in up()
    assert time.monotonic() - began < 10
    assert probe(["docker", "ps", "--quiet", "--filter", f"name={NODE}"])
