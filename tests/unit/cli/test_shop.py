"""`seatrial shop sagas`: which sagas wait for a person, and telling orders what that person decided."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from support.stand_in import Asked, StandIn, stand_in

Run = Callable[..., Any]
STUCK = {
    "sagaId": "o-2",
    "type": "orchestrated",
    "status": "stuck",
    "currentStep": None,
    "completedSteps": ["reserve", "pay"],
    "data": {"toUndo": ["reserve"], "reason": None, "trouble": "undo reserve: inventory answered 500"},
    "startedAt": "2026-11-21T12:00:00Z",
    "updatedAt": "2026-11-21T12:05:00Z",
}


def answer(asked: Asked) -> tuple[int, Any]:
    """Two pages of stuck sagas; o-9 has ended."""
    url = urlsplit(asked.path)
    query = parse_qs(url.query)
    if asked.method == "GET" and query["status"] == ["stuck"]:
        last = query.get("after") == ["o-2"]
        return 200, {"sagas": [{**STUCK, "sagaId": "o-1"} if last else STUCK], "next": None if last else "o-2"}
    if asked.method == "GET":
        return 200, {"sagas": [], "next": None}
    if "o-9" in url.path:
        return 409, {"detail": "the saga of order o-9 is completed: there is nothing left to resolve."}
    return 200, {**STUCK, "status": "compensating"}


@pytest.fixture
def orders() -> Iterator[StandIn]:
    with stand_in(answer) as service:
        yield service


def test_all_sagas_that_wait_for_a_person_are_listed_with_their_reason(orders: StandIn, seatrial: Run) -> None:
    shown = seatrial("shop", "sagas", "--url", orders.url)
    assert shown.code == 0
    assert [line.split()[0] for line in shown.out.splitlines() if line.startswith("o-")] == ["o-2", "o-1"]
    assert "inventory answered 500" in " ".join(shown.out.split())
    listed = json.loads(seatrial("shop", "sagas", "--url", orders.url, "-o", "json").out)
    assert [saga["sagaId"] for saga in listed] == ["o-2", "o-1"]


def test_where_none_waits_that_is_said(orders: StandIn, seatrial: Run) -> None:
    assert seatrial("shop", "sagas", "--url", orders.url, "--status", "running").out == "no saga is running\n"


def test_a_decision_goes_to_each_saga_with_its_reason(orders: StandIn, seatrial: Run) -> None:
    decided = ["--action", "compensate", "--reason", "inventory is back", "--url", orders.url]
    shown = seatrial("shop", "sagas", "resolve", "o-1", "o-2", *decided)
    assert shown.code == 0
    assert [(asked.path, asked.body) for asked in orders.asked] == [
        (f"/v1/sagas/{order}/resolve", {"action": "compensate", "reason": "inventory is back"})
        for order in ("o-1", "o-2")
    ]


def test_what_is_refused_is_told_in_one_line(orders: StandIn, seatrial: Run) -> None:
    shown = seatrial("shop", "sagas", "resolve", "o-9", "--reason", "why not", "--url", orders.url)
    assert shown.code == 1
    assert shown.err.startswith("seatrial: the saga of order o-9 is completed: there is nothing left to resolve; ")
    assert seatrial("shop", "sagas", "--url", "http://127.0.0.1:9").err.startswith("seatrial: orders can't be asked")


def pod(name: str, *, ready: bool) -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": str(ready)}]
    labels = {"seatrial.dev/service": "orders"}
    metadata = {"name": name, "namespace": "shop", "labels": labels}
    return {"kind": "Pod", "metadata": metadata, "status": {"conditions": conditions}}


def kubectl(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A kubectl that does this and notes its arguments."""
    program = folder / "kubectl"
    program.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_the_way_there_is_a_port_of_a_ready_pod(
    orders: StandIn, seatrial: Run, harbour: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.add(pod("orders-1-a", ready=False), pod("orders-1-b", ready=True))
    port = orders.url.rpartition(":")[2]
    kubectl(tmp_path, f'echo "Forwarding from 127.0.0.1:{port} -> 8080"\nexec sleep 60', monkeypatch)
    shown = seatrial("shop", "sagas", "--context", "kind-seatrial")
    assert shown.code == 0, shown.err
    assert "o-2" in shown.out
    asked = (tmp_path / "asked").read_text().split()
    assert asked == ["port-forward", "--namespace", "shop", "pod/orders-1-b", ":8080", "--context", "kind-seatrial"]


def test_a_forward_that_is_refused_is_told(
    seatrial: Run, harbour: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    harbour.add(pod("orders-1-a", ready=True))
    kubectl(tmp_path, "echo 'Error from server (Forbidden): pods/portforward' >&2\nexit 1", monkeypatch)
    shown = seatrial("shop", "sagas")
    assert (shown.code, "Forbidden" in shown.err) == (1, True)


def test_without_a_ready_pod_there_is_no_way(seatrial: Run, harbour: Any) -> None:
    harbour.add(pod("orders-1-a", ready=False))
    assert "no pod of orders is ready in namespace shop" in seatrial("shop", "sagas").err
