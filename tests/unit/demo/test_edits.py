import json
import shlex
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.fault import Fault
from demo.edits import BROKEN, FAULT, Mooring, breaking, change, patch, settled, typed, way_back
from demo.kubectl import Kubectl, Object

SPECS = st.fixed_dictionaries(
    {},
    optional={
        "env": st.dictionaries(st.sampled_from(["RELEASE", "FAULTS", "FAULT", "LOG_LEVEL"]), st.sampled_from("ab")),
        "rollout": st.fixed_dictionaries(
            {"steps": st.lists(st.integers(1, 99), max_size=2)},
            optional={"analysis": st.fixed_dictionaries({"confidence": st.integers(50, 99)}), "hold": st.just("5s")},
        ),
    },
)


def merged(target: Any, edit: Any) -> Any:
    """JSON merge patch, RFC 7396."""
    if not isinstance(edit, dict):
        return edit
    whole = dict(target) if isinstance(target, dict) else {}
    for key, value in edit.items():
        whole |= {key: merged(whole.get(key), value)}
    return {key: value for key, value in whole.items() if value is not None}


def test_the_change_is_another_template_each_time() -> None:
    assert change("one", [10], "8s", 2.0)["spec"]["env"] != change("two", [10], "8s", 2)["spec"]["env"]


def test_the_change_is_judged_by_evidence() -> None:
    rollout = change("one", [10], "8s", 2.0)["spec"]["rollout"]
    assert rollout == {"steps": [10], "hold": "8s", "analysis": {"toleratePercentPoints": 2}}


def test_the_bad_edit_is_a_fault_that_the_services_understand() -> None:
    assert Fault.parse(breaking("one")["spec"]["env"][FAULT]) == Fault(abort=500, percent=30)


@given(SPECS)
def test_the_way_back_from_the_demos_edits_leads_to_the_spec_as_it_was(spec: dict[str, Any]) -> None:
    good = {"env": {}, "rollout": {}} | spec
    edited = merged(merged(good, change("new", [10, 50], "5s", 2.0)["spec"]), breaking("bad")["spec"])
    assert merged(edited, way_back(edited, good)["spec"]) == good


@given(SPECS, SPECS)
def test_once_the_way_was_gone_there_is_none(now: dict[str, Any], good: dict[str, Any]) -> None:
    back = merged(now, way_back(now, good).get("spec", {}))
    assert way_back(back, good) == {}
    untouched = {name: value for name, value in now.get("env", {}).items() if name not in {"RELEASE", *BROKEN}}
    assert untouched.items() <= back.get("env", {}).items()


@pytest.mark.parametrize("edit", [breaking("demo-20261121-120000"), change("demo-20261121-120000", [10, 50], "5s", 2)])
def test_an_edit_can_be_pasted_into_a_shell_and_fits_the_picture(edit: Object) -> None:
    lines = typed(Kubectl("kind-seatrial", "shop"), edit)
    typed_words = shlex.split("\n".join(lines).removeprefix("$ "))
    assert typed_words[:6] == ["kubectl", "-n", "shop", "patch", "ms", "orders"]
    assert json.loads(typed_words[-1]) == edit
    assert max(len(line) for line in lines) <= 102


@dataclass(frozen=True)
class Cluster(Kubectl):
    """Has objects by kind and takes edits of its MeshService."""

    context: str = ""
    namespace: str = "shop"
    objects: dict[str, Object] = field(default_factory=dict)

    def get(self, kind: str, name: str) -> Object | None:
        found = self.objects.get(kind)
        return found if found and found["metadata"]["name"] == name else None

    def __call__(self, *args: str, text: str | None = None, within: float = 60) -> str:
        assert args[:2] == ("patch", "ms")
        self.objects["meshservice"] = merged(self.objects["meshservice"], json.loads(args[-1]))
        return ""

    @property
    def env(self) -> dict[str, str]:
        env: dict[str, str] = self.objects["meshservice"]["spec"]["env"]
        return env


def orders(env: dict[str, str]) -> Object:
    conditions = [
        {"type": "Ready", "status": "True", "reason": "Serving", "lastTransitionTime": "2026-11-21T12:00:00Z"}
    ]
    return {
        "apiVersion": "seatrial.dev/v1alpha1",
        "kind": "MeshService",
        "metadata": {"name": "orders", "namespace": "shop"},
        "spec": {"image": "orders:dev", "env": env, "rollout": {"steps": [5], "hold": "5s"}},
        "status": {"stableRevision": 2, "conditions": conditions},
    }


GOOD = {"RELEASE": "one", "FAULTS": "disabled"}


def test_whoever_interrupts_leaves_orders_as_it_was() -> None:
    cluster = Cluster(objects={"meshservice": orders(GOOD)})
    before = cluster.objects["meshservice"]

    def cut_short() -> None:
        with Mooring(cluster):
            patch(cluster, change("two", [10], "5s", 2.0))
            patch(cluster, breaking("bad"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cut_short()
    assert cluster.objects["meshservice"] == before


def test_the_good_template_is_kept_and_the_way_to_roll_out_is_not() -> None:
    cluster = Cluster(objects={"meshservice": orders(GOOD)})
    with Mooring(cluster) as mooring:
        patch(cluster, change("two", [10], "5s", 2.0))
        mooring.keep()
        patch(cluster, breaking("bad"))
        assert mooring.back()["spec"]["env"] == {"RELEASE": "two", "FAULTS": "disabled", "FAULT": None}
    assert cluster.env == GOOD | {"RELEASE": "two"}
    assert cluster.objects["meshservice"]["spec"]["rollout"] == {"steps": [5], "hold": "5s"}


@pytest.mark.parametrize("stable", [GOOD, GOOD | BROKEN | {"FAULTS": "disabled"}])
def test_a_broken_template_that_was_left_behind_is_mended(stable: dict[str, str]) -> None:
    revision = {"metadata": {"name": "orders-2"}, "spec": {"template": {"env": stable}}}
    cluster = Cluster(objects={"meshservice": orders(GOOD | BROKEN | {"RELEASE": "bad"}), "revision": revision})
    assert settled(cluster).spec.env == GOOD
