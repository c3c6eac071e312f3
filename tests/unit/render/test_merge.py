from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.render.merge import merged

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

APP = {
    "containers": [
        {
            "name": "app",
            "image": "a",
            "args": ["x", "y"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "ports": [{"containerPort": 80}],
            "readinessProbe": {"httpGet": {"path": "/readyz", "port": 80}, "periodSeconds": 2},
        }
    ],
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
}


def app(patch: dict[str, Any]) -> Any:
    return merged(APP, {"containers": [{"name": "app", **patch}]})["containers"][0]


def test_containers_merge_by_name_and_new_ones_follow() -> None:
    result = merged(APP, {"containers": [{"name": "proxy", "image": "p"}, {"name": "app", "image": "b"}]})
    assert [(c["name"], c["image"]) for c in result["containers"]] == [("app", "b"), ("proxy", "p")]


def test_variables_merge_by_name() -> None:
    assert app({"env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]})["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "3"},
        {"name": "C", "value": "4"},
    ]


def test_a_variable_from_a_secret_takes_the_place_of_its_value() -> None:
    source = {"secretKeyRef": {"name": "s", "key": "k"}}
    assert app({"env": [{"name": "A", "valueFrom": source}]})["env"][0] == {"name": "A", "valueFrom": source}


def test_another_kind_of_probe_takes_the_place_of_the_rendered_one() -> None:
    probe = {"exec": {"command": ["true"]}}
    assert app({"readinessProbe": probe})["readinessProbe"] == {**probe, "periodSeconds": 2}


def test_another_kind_of_volume_takes_the_place_of_the_one_of_that_name() -> None:
    base = {"volumes": [{"name": "v", "emptyDir": {}}]}
    assert merged(base, {"volumes": [{"name": "v", "secret": {"secretName": "s"}}]})["volumes"] == [
        {"name": "v", "secret": {"secretName": "s"}}
    ]


def test_lists_without_names_are_replaced() -> None:
    assert app({"args": ["z"]})["args"] == ["z"]
    tolerations = {"tolerations": [{"key": "a"}]}
    assert merged(tolerations, {"tolerations": [{"key": "b"}]}) == {"tolerations": [{"key": "b"}]}


def test_null_deletes() -> None:
    assert "readinessProbe" not in app({"readinessProbe": None})
    assert merged(APP, {"securityContext": {"seccompProfile": None}})["securityContext"] == {"runAsNonRoot": True}


def test_patch_delete_takes_an_item_or_a_map_out() -> None:
    assert app({"env": [{"name": "A", "$patch": "delete"}]})["env"] == [{"name": "B", "value": "2"}]
    assert merged(APP, {"securityContext": {"$patch": "delete"}})["securityContext"] == {}


def test_patch_replace_takes_the_place_of_a_map_or_of_a_whole_list() -> None:
    assert merged(APP, {"securityContext": {"$patch": "replace", "fsGroup": 1}})["securityContext"] == {"fsGroup": 1}
    assert app({"env": [{"$patch": "replace"}, {"name": "Z", "value": "1"}]})["env"] == [{"name": "Z", "value": "1"}]


def test_retain_keys_drops_the_others() -> None:
    patch = {"securityContext": {"$retainKeys": ["fsGroup"], "fsGroup": 1}}
    assert merged(APP, patch)["securityContext"] == {"fsGroup": 1}


def test_what_is_patched_stays_as_it_was() -> None:
    before = repr(APP)
    app({"env": [{"name": "A", "$patch": "delete"}], "image": "c"})
    assert repr(APP) == before


KEYED = {
    "containers": "name",
    "volumes": "name",
    "imagePullSecrets": "name",
    "hostAliases": "ip",
    "topologySpreadConstraints": "topologyKey",
}


@pytest.mark.parametrize(("field", "key"), KEYED.items())
def test_every_named_list_of_a_pod_keeps_what_the_patch_does_not_name(field: str, key: str) -> None:
    result = merged({field: [{key: "a", "x": 1}, {key: "b"}]}, {field: [{key: "b", "x": 2}, {key: "c"}]})
    assert result[field] == [{key: "a", "x": 1}, {key: "b", "x": 2}, {key: "c"}]


names = st.sampled_from("abc")
leaves = st.none() | st.integers(0, 2) | st.lists(st.integers(0, 2), max_size=2)
trees = st.dictionaries(names, leaves | st.dictionaries(names, leaves, max_size=2), max_size=3)


@CALM
@given(trees, trees)
def test_patching_twice_is_patching_once(base: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merged(base, patch)
    assert merged(once, patch) == once


@CALM
@given(trees)
def test_an_empty_patch_changes_nothing(base: dict[str, Any]) -> None:
    assert merged(base, {}) == base
