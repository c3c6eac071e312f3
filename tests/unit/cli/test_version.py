"""`seatrial version`, completion, and the names of all commands."""

import json
from collections.abc import Callable
from typing import Any

from seatrial.cli.app import app
from seatrial.cli.options import revisions_named, services_named
from seatrial.kube.errors import Unavailable

Run = Callable[..., Any]


def test_it_tells_both_versions(harbour: Any, seatrial: Run) -> None:
    assert seatrial("version").out.split() == ["client", "0.1.0", "operator", "not", "installed"]
    labels = {"app.kubernetes.io/version": "0.2.0"}
    meta = {"name": "seatrial-operator", "namespace": "seatrial-system", "labels": labels}
    harbour.add({"kind": "Deployment", "metadata": meta})
    assert json.loads(seatrial("version", "-o", "json").out) == {"client": "0.1.0", "operator": "0.2.0"}


def test_without_a_cluster_it_tells_its_own(harbour: Any, seatrial: Run) -> None:
    harbour.failure = Unavailable("refused")
    shown = seatrial("version")
    assert shown.code == 0
    assert "unknown: refused" in shown.out
    assert seatrial("version", "--client").out == "client    0.1.0\n"


class Typed:
    """What the shell has so far."""

    params: dict[str, str] = {}  # noqa: RUF012 # never changed


def test_names_of_services_are_completed(harbour: Any) -> None:
    for name in ("orders", "order-history", "gateway"):
        harbour.add({"kind": "MeshService", "metadata": {"name": name, "namespace": "shop"}})
    assert services_named(Typed(), "order") == ["orders", "order-history"]  # type: ignore[arg-type]


def test_names_of_revisions_are_completed(harbour: Any) -> None:
    harbour.add({"kind": "Revision", "metadata": {"name": "orders-4", "namespace": "shop"}})
    assert revisions_named(Typed(), "orders-") == ["orders-4"]  # type: ignore[arg-type]


def test_completion_is_silent_without_a_cluster(harbour: Any) -> None:
    harbour.failure = Unavailable("refused")
    assert services_named(Typed(), "") == []  # type: ignore[arg-type]


def test_the_commands_are_these(seatrial: Run) -> None:
    named = {c.name or c.callback.__name__ for c in app.registered_commands if c.callback}
    verbs = {"promote", "pause", "resume", "abort", "retry", "rollback"}
    looks = {"status", "watch", "history", "explain", "wait"}
    assert named == {*verbs, *looks, "restart", "lint", "namespace", "version", "operator", "janitor", "release"}
    assert "A sea trial for every change on Istio." in seatrial("--help").out
