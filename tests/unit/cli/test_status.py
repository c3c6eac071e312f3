"""`seatrial status`: where services stand, for people and for programs, and one line where it can't be told."""

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from seatrial.kube.errors import Forbidden, Unavailable, Unconfigured

Run = Callable[..., Any]


def service(name: str, status: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"image": "x:1"} | spec,
        "status": status or {},
    }


def revision(number: int, status: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "Revision",
        "metadata": {
            "name": f"orders-{number}",
            "namespace": "shop",
            "labels": {"seatrial.dev/service": "orders"},
        },
        "spec": {"service": "orders", "number": number, "hash": "h", "template": {"image": f"orders:{number}"}},
        "status": status,
    }


def condition(kind: str, status: str, message: str = "") -> dict[str, Any]:
    return {"type": kind, "status": status, "reason": "Because", "message": message}


ROLLING = service(
    "orders",
    {
        "phase": "Shifting",
        "stableRevision": 2,
        "canaryRevision": 3,
        "weight": {"wanted": 25, "verified": 5},
        "replicas": 4,
        "readyReplicas": 3,
        "url": "http://shop.localhost/",
        "brief": "more evidence",
        "conditions": [
            condition("Ready", "True", "serves"),
            condition("ResolvedRefs", "False", "no service inventory"),
        ],
    },
    rollout={"steps": [5, 25, 50]},
)
STORY = [
    {"at": "2026-11-21T10:00:00.000000Z", "phase": "Starting", "weight": 0, "reason": "the template changed"},
    {"at": "2026-11-21T10:00:09.500000Z", "phase": "Shifting", "weight": 25, "reason": "5 % held for 5s"},
]
CANARY = revision(
    3,
    {
        "phase": "Shifting",
        "role": "Canary",
        "weight": {"wanted": 25, "verified": 5},
        "replicas": 2,
        "readyReplicas": 1,
        "message": "waiting for the proxies of gateway-1-x",
        "attempts": [{"number": 4, "phase": "Shifting", "startedAt": STORY[0]["at"], "history": STORY}],
    },
)
STABLE = revision(2, {"phase": "Succeeded", "role": "Stable", "replicas": 2, "readyReplicas": 2})


def test_a_table_of_services_fits_80_columns_and_says_what_is_wrong_below(harbour: Any, seatrial: Run) -> None:
    harbour.add(ROLLING, service("gateway", {"phase": "Ready", "stableRevision": 1}), service("fresh"))
    shown = seatrial("status")
    assert shown.code == 0
    lines = shown.out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].split() == ["SERVICE", "READY", "PODS", "REVISION", "WEIGHT", "PHASE", "LOG"]
    assert lines[1].split() == ["fresh", "-", "0/0", "-", "Unseen"]
    assert lines[2].split() == ["gateway", "-", "0/0", "1", "Ready"]
    assert lines[3].split() == [
        "orders",
        "yes",
        "3/4",
        "2",
        "→",
        "3",
        "5",
        "→",
        "25",
        "%",
        "Shifting",
        "more",
        "evidence",
    ]
    assert "orders: Because: no service inventory" in lines


def test_one_service_is_shown_with_steps_weights_revisions_and_story(harbour: Any, seatrial: Run) -> None:
    harbour.add(ROLLING, STABLE, CANARY)
    out = seatrial("status", "orders").out
    assert "orders  in shop  Shifting  http://shop.localhost/" in out
    assert "stable    revision 2, 2 of 2 pods ready, orders:2" in out
    assert "canary    revision 3, 1 of 2 pods ready, orders:3" in out
    assert "weight    25 % of requests, the proxies still carry 5 %" in out
    assert "steps     5  [25]  50  100" in out
    assert "Because: no service inventory" in out
    assert "10:00:09    25 %  Shifting  5 % held for 5s" in out
    assert max(len(line) for line in out.splitlines()) <= 80


def test_a_service_that_nobody_looked_at_says_so(harbour: Any, seatrial: Run) -> None:
    harbour.add(service("fresh"))
    assert "is Seatrial installed, and running?" in seatrial("status", "fresh").out


def test_a_spec_of_any_kind_is_shown(harbour: Any, seatrial: Run) -> None:
    harbour.add(service("odd", rollout={"steps": "many"}, paused=True))
    assert "Unseen (paused)" in seatrial("status").out


@pytest.mark.parametrize(("form", "read"), [("json", json.loads), ("yaml", yaml.safe_load)])
def test_programs_get_the_same_in_json_and_yaml(
    harbour: Any, seatrial: Run, form: str, read: Callable[..., Any]
) -> None:
    harbour.add(ROLLING, STABLE, CANARY)
    (one,) = read(seatrial("status", "-o", form).out)
    assert one["name"] == "orders"
    assert one["steps"] == [5, 25, 50]
    assert one["status"]["weight"] == {"wanted": 25, "verified": 5}
    assert [r["number"] for r in one["revisions"]] == [2, 3]
    assert read(seatrial("status", "orders", "--output", form).out) == one


def test_services_of_all_namespaces_are_told_apart(harbour: Any, seatrial: Run) -> None:
    harbour.add(service("orders"), service("orders") | {"metadata": {"name": "orders", "namespace": "zoo"}})
    assert [line.split()[:2] for line in seatrial("status", "-A").out.splitlines()[1:]] == [
        ["shop", "orders"],
        ["zoo", "orders"],
    ]


def test_no_services_is_no_failure(harbour: Any, seatrial: Run) -> None:
    assert seatrial("status").out == "no MeshServices in namespace shop: -A shows all namespaces\n"
    assert seatrial("status", "-A").out == "no MeshServices anywhere\n"


@pytest.mark.parametrize(
    ("failure", "says"),
    [
        (Unavailable("the API server: refused"), "https://harbour:6443 doesn't answer (refused); is the cluster up"),
        (Forbidden("Unauthorized"), "doesn't know you; renew the credentials"),
        (Forbidden("you cannot list meshservices"), "you cannot list meshservices; ask"),
    ],
)
def test_a_failing_cluster_is_one_line_with_a_remedy(harbour: Any, seatrial: Run, failure: Any, says: str) -> None:
    harbour.failure = failure
    shown = seatrial("status")
    assert shown.code == 1
    assert shown.out == ""
    assert shown.err.startswith("seatrial: ")
    assert says in shown.err
    assert shown.err.count("\n") == 1


def test_a_kubeconfig_that_isnt_there_is_told(seatrial: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str | None) -> None:
        raise Unconfigured("Context 'nope' not found")

    monkeypatch.setattr("seatrial.cli.cluster.configuration", nothing)
    shown = seatrial("status", "--context", "nope")
    assert shown.code == 1
    assert "no cluster to talk to: Context 'nope' not found; see `kubectl config get-contexts`" in shown.err


def test_a_cluster_without_seatrial_is_told_how_to_get_it(harbour: Any, seatrial: Run) -> None:
    harbour.unknown = {"meshservices"}
    shown = seatrial("status")
    assert shown.code == 1
    assert "doesn't know meshservices; install Seatrial there: helm upgrade --install seatrial" in shown.err


def test_a_missing_namespace_and_a_missing_service_are_two_things(harbour: Any, seatrial: Run) -> None:
    assert "there is no namespace zoo; see" in seatrial("status", "-n", "zoo").err
    assert "there is no namespace zoo; see" in seatrial("status", "orders", "-n", "zoo").err
    assert "there is no MeshService orders in namespace shop; see" in seatrial("status", "orders").err


def test_one_service_of_all_namespaces_makes_no_sense(seatrial: Run) -> None:
    assert "name it with -n in place of -A" in seatrial("status", "orders", "-A").err
