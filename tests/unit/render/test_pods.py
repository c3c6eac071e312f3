import json
from collections.abc import Callable
from typing import Any

import pytest

from seatrial.api.buckets import LATENCY_BUCKETS_MS
from seatrial.render.pods import migration_template, pod_template

Make = Callable[..., Any]
RESTRICTED = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


def pod(make: Make, **spec: Any) -> Any:
    return pod_template(make({"port": 8080, **spec}).revisions[1])


def app(make: Make, **spec: Any) -> Any:
    return pod(make, **spec)["spec"]["containers"][0]


def test_http_probes_ask_the_first_http_port(make: Make) -> None:
    ports = [
        {"name": "db", "port": 5432, "targetPort": 15432, "appProtocol": "tcp"},
        {"name": "web", "port": 80, "targetPort": 8081},
    ]
    container = app(make, port=None, ports=ports, probes={"startup": "/livez", "live": "/livez", "ready": "/readyz"})
    assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": 8081, "scheme": "HTTP"}
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert (container["startupProbe"]["httpGet"]["port"], container["startupProbe"]["periodSeconds"]) == (8081, 1)


def test_without_a_readiness_path_the_port_must_accept_connections(make: Make) -> None:
    assert app(make)["readinessProbe"]["tcpSocket"] == {"port": 8080}
    assert "livenessProbe" not in app(make)


def test_a_worker_has_neither_ports_nor_probes_nor_a_pause(make: Make) -> None:
    container = app(make, port=None)
    assert not {"ports", "readinessProbe", "lifecycle"} & container.keys()


@pytest.mark.parametrize(("grace", "pause"), [("45s", 5), ("9s", 3), ("1500ms", 0), ("0s", 0)])
def test_the_pause_before_sigterm_leaves_most_of_the_grace_to_the_app(make: Make, grace: str, pause: int) -> None:
    container = app(make, shutdown={"grace": grace})
    assert container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0) == pause


def test_a_grace_of_part_of_a_second_is_rounded_up(make: Make) -> None:
    assert pod(make, shutdown={"grace": "1500ms"})["spec"]["terminationGracePeriodSeconds"] == 2


def test_facts_about_the_pod_come_before_the_users_variables(make: Make) -> None:
    names = [v["name"] for v in app(make, env={"Z": "1", "A": "2"})["env"]]
    assert names == ["SEATRIAL_SERVICE", "SEATRIAL_REVISION", "POD_NAME", "POD_NAMESPACE", "A", "Z"]


def test_two_ports_with_one_target_are_one_container_port(make: Make) -> None:
    ports = [{"name": n, "port": p, "targetPort": 8080} for n, p in (("http", 80), ("alt", 8000))]
    assert app(make, port=None, ports=ports)["ports"] == [{"containerPort": 8080, "protocol": "TCP", "name": "http"}]


def test_containers_that_the_patch_adds_are_admitted_by_pod_security(make: Make) -> None:
    patch = {"spec": {"containers": [{"name": "x", "image": "x"}], "initContainers": [{"name": "y", "image": "y"}]}}
    spec = pod(make, podTemplate=patch)["spec"]
    assert [c["securityContext"] for c in (*spec["containers"], *spec["initContainers"])] == [RESTRICTED] * 3


def test_the_patch_may_give_up_what_pod_security_asks_for(make: Make) -> None:
    patch = {
        "spec": {"securityContext": None, "containers": [{"name": "app", "securityContext": {"privileged": True}}]}
    }
    spec = pod(make, podTemplate=patch)["spec"]
    assert "securityContext" not in spec
    assert spec["containers"][0]["securityContext"]["privileged"] is True


def test_labels_that_selectors_rely_on_cannot_be_patched(make: Make) -> None:
    labels = {"seatrial.dev/revision": "9", "app.kubernetes.io/name": "other", "team": "a"}
    found = pod(make, podTemplate={"metadata": {"labels": labels}})["metadata"]["labels"]
    assert (found["seatrial.dev/revision"], found["app.kubernetes.io/name"], found["team"]) == ("1", "orders", "a")


def test_what_the_api_server_drops_is_not_rendered(make: Make) -> None:
    mount = {"name": "v", "mountPath": "/v", "readOnly": False}
    container = {"name": "app", "env": [{"name": "B", "value": ""}], "volumeMounts": [mount], "command": []}
    patch = {"hostNetwork": False, "containers": [container], "volumes": [{"name": "v", "emptyDir": {}}]}
    spec = pod(make, env={"A": ""}, podTemplate={"spec": patch})["spec"]
    assert "hostNetwork" not in spec
    assert spec["volumes"][1:] == [{"name": "v", "emptyDir": {}}]
    assert spec["containers"][0]["env"][-2:] == [{"name": "A"}, {"name": "B"}]
    assert spec["containers"][0]["volumeMounts"][1:] == [{"name": "v", "mountPath": "/v"}]
    assert "command" not in spec["containers"][0]


def test_quantities_are_canonical_wherever_they_stand(make: Make) -> None:
    patch = {
        "containers": [{"name": "x", "image": "x", "resources": {"limits": {"memory": "1024Mi"}}}],
        "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "0.5Gi"}}],
    }
    spec = pod(make, resources={"requests": {"cpu": "0.1"}}, podTemplate={"spec": patch})["spec"]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "100m"}}
    assert spec["containers"][1]["resources"] == {"limits": {"memory": "1Gi"}}
    assert spec["volumes"][1]["emptyDir"] == {"sizeLimit": "512Mi"}


def test_proxies_flush_each_second_into_fine_buckets(make: Make) -> None:
    annotations = pod(make)["metadata"]["annotations"]
    assert annotations["sidecar.istio.io/statsFlushInterval"] == "1s"
    buckets = json.loads(annotations["sidecar.istio.io/statsHistogramBuckets"])
    assert buckets == {"cluster.": list(LATENCY_BUCKETS_MS)}
    assert list(LATENCY_BUCKETS_MS) == sorted(set(LATENCY_BUCKETS_MS))


def test_a_restart_asked_for_makes_other_pods(make: Make) -> None:
    inputs = make({"port": 8080}, revisions={1: {}, 2: {"restart": "2026-01-01"}})
    one, two = (pod_template(inputs.revisions[n])["metadata"]["annotations"] for n in (1, 2))
    assert "seatrial.dev/restart" not in one
    assert two["seatrial.dev/restart"] == "2026-01-01"


def test_a_migration_runs_in_the_apps_image_and_environment(make: Make) -> None:
    spec = {"port": 8080, "env": {"A": "1"}, "args": ["serve"], "migrate": {"command": ["migrate", "up"]}}
    job = migration_template(make(spec).revisions[1])["spec"]
    (container,) = job["containers"]
    assert (container["image"], container["command"], job["restartPolicy"]) == (
        "orders:dev",
        ["migrate", "up"],
        "Never",
    )
    assert {"name": "A", "value": "1"} in container["env"]
    assert not {"args", "ports", "readinessProbe", "lifecycle"} & container.keys()
    assert container["securityContext"] == RESTRICTED


def test_a_migration_has_no_other_container_that_would_keep_it_up(make: Make) -> None:
    patch = {
        "spec": {
            "containers": [{"name": "ambassador", "image": "x"}],
            "volumes": [{"name": "v", "emptyDir": {}}],
        }
    }
    job = migration_template(make({"migrate": {"command": ["m"]}, "podTemplate": patch}).revisions[1])["spec"]
    assert [c["name"] for c in job["containers"]] == ["app"]
    assert job["volumes"] == [{"name": "v", "emptyDir": {}}]


def test_pods_of_a_migration_have_the_services_policy_but_are_none_of_its_endpoints(make: Make) -> None:
    labels = migration_template(make({"migrate": {"command": ["m"]}}).revisions[1])["metadata"]["labels"]
    assert labels["seatrial.dev/service"] == "orders"
    assert labels["app.kubernetes.io/name"] != "orders"
    assert "seatrial.dev/revision" not in labels


def test_the_app_can_read_what_its_pod_is_told(make: Make) -> None:
    template = pod(make)
    mount = app(make)["volumeMounts"][0]
    volume = next(v for v in template["spec"]["volumes"] if v["name"] == mount["name"])
    item = volume["downwardAPI"]["items"][0]
    assert f"{mount['mountPath']}/{item['path']}" == "/etc/seatrial/pod/annotations"
    assert item["fieldRef"]["fieldPath"] == "metadata.annotations"


def test_a_pod_that_nobody_has_seen_yet_takes_no_work(make: Make) -> None:
    told = pod(make)["metadata"]["annotations"]
    assert told["seatrial.dev/weight"] == "0"


def test_volumes_of_the_patch_come_beside_the_pods_own(make: Make) -> None:
    patch = {
        "volumes": [{"name": "cache", "emptyDir": {}}],
        "containers": [{"name": "app", "volumeMounts": [{"name": "cache", "mountPath": "/cache"}]}],
    }
    template = pod(make, podTemplate={"spec": patch})
    assert {v["name"] for v in template["spec"]["volumes"]} == {"cache", "seatrial-pod"}
    mounts = template["spec"]["containers"][0]["volumeMounts"]
    assert {m["mountPath"] for m in mounts} == {"/cache", "/etc/seatrial/pod"}
