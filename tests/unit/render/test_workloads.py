from collections.abc import Callable
from typing import Any

from seatrial.render import render

Make = Callable[..., Any]


def of_kind(inputs: Any, kind: str) -> list[dict[str, Any]]:
    return [o for o in render(inputs) if o["kind"] == kind]


def named(inputs: Any, kind: str, name: str) -> dict[str, Any]:
    return next(o for o in of_kind(inputs, kind) if o["metadata"]["name"] == name)


def owners(obj: dict[str, Any]) -> list[str]:
    return [r["kind"] for r in obj["metadata"]["ownerReferences"]]


def test_each_revision_has_a_deployment_of_its_own_pods(make: Make) -> None:
    inputs = make({"port": 8080}, weights={1: 90, 2: 10}, scales={1: 3, 2: 1})
    one, two = of_kind(inputs, "Deployment")
    assert (one["metadata"]["name"], one["spec"]["replicas"]) == ("orders-1", 3)
    assert two["spec"]["selector"]["matchLabels"] == {"seatrial.dev/service": "orders", "seatrial.dev/revision": "2"}


def test_a_revision_that_is_gone_gets_no_deployment(make: Make) -> None:
    inputs = make({"port": 8080}, weights={1: 100}, scales={1: 1, 7: 2})
    assert [o["metadata"]["name"] for o in of_kind(inputs, "Deployment")] == ["orders-1"]


def test_only_what_has_traffic_and_two_pods_has_a_disruption_budget(make: Make) -> None:
    inputs = make(
        {"port": 8080},
        weights={1: 90, 2: 10},
        subsets=[1, 2, 3],
        revisions={1: {}, 2: {}, 3: {}},
        scales={1: 3, 2: 1, 3: 2},
    )
    assert [o["metadata"]["name"] for o in of_kind(inputs, "PodDisruptionBudget")] == ["orders-1"]


def test_an_autoscaler_looks_at_the_app_container_alone(make: Make) -> None:
    (scaler,) = of_kind(make({"port": 8080, "autoscaling": {"min": 2, "max": 9}}), "HorizontalPodAutoscaler")
    (metric,) = scaler["spec"]["metrics"]
    assert (metric["type"], metric["containerResource"]["container"]) == ("ContainerResource", "app")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 9)


def test_while_two_revisions_have_pods_no_autoscaler_takes_any_from_them(make: Make) -> None:
    inputs = make(
        {"port": 8080, "autoscaling": {"min": 2, "max": 9}},
        weights={1: 50, 2: 50},
        revisions={1: {}, 2: {}, 3: {}},
        scales={1: 6, 2: 3, 3: 0},
    )
    scalers = of_kind(inputs, "HorizontalPodAutoscaler")
    assert [(s["metadata"]["name"], s["spec"]["minReplicas"]) for s in scalers] == [("orders-1", 6), ("orders-2", 3)]


def test_under_an_autoscaler_replicas_stay_said_since_unsaid_means_one(make: Make) -> None:
    inputs = make({"port": 8080, "autoscaling": {"max": 9}}, scales={1: 7}, live={("Deployment", "orders-1"): "u"})
    assert of_kind(inputs, "Deployment")[0]["spec"]["replicas"] == 7


def test_a_migration_is_tried_once_within_its_time(make: Make) -> None:
    inputs = make({"port": 8080, "migrate": {"command": ["m"], "timeout": "90s"}}, migrate=[1])
    (job,) = of_kind(inputs, "Job")
    assert job["metadata"]["name"] == "orders-1-migrate"
    assert (job["spec"]["backoffLimit"], job["spec"]["activeDeadlineSeconds"]) == (0, 90)


def test_no_migration_is_rendered_that_was_not_asked_for(make: Make) -> None:
    assert not of_kind(make({"migrate": {"command": ["m"]}}), "Job")
    assert not of_kind(make({"port": 8080}, migrate=[1]), "Job")


def test_the_service_leads_to_pods_and_not_to_migrations(make: Make) -> None:
    (service,) = of_kind(make({"port": 8080}), "Service")
    assert service["spec"]["selector"] == {"app.kubernetes.io/name": "orders", "seatrial.dev/service": "orders"}
    assert service["spec"]["ports"][0]["appProtocol"] == "http"


def test_a_service_without_ports_has_nothing_to_be_called_by(make: Make) -> None:
    kinds = {o["kind"] for o in render(make({}))}
    assert kinds == {"ServiceAccount", "NetworkPolicy", "Sidecar", "AuthorizationPolicy", "Deployment"}


LIVE = {
    ("VirtualService", "orders"): "v",
    ("VirtualService", "orders-expose"): "x",
    ("DestinationRule", "orders"): "d",
    ("Service", "orders"): "s",
    ("Deployment", "orders-1"): "p",
}
EXPOSED = {"port": 8080, "expose": [{"host": "a.localhost"}], "autoscaling": {"min": 2, "max": 3}}


def test_deletion_takes_routes_then_subsets_then_pods_then_what_pods_need(make: Make) -> None:
    inputs = make(EXPOSED, live=LIVE, scales={1: 2})
    assert owners(named(inputs, "VirtualService", "orders")) == ["MeshService"]
    assert owners(named(inputs, "VirtualService", "orders-expose")) == ["MeshService"]
    assert owners(named(inputs, "DestinationRule", "orders")) == ["MeshService", "VirtualService", "VirtualService"]
    assert owners(named(inputs, "Deployment", "orders-1")) == ["MeshService", "DestinationRule"]
    assert owners(named(inputs, "Service", "orders")) == ["MeshService", "DestinationRule"]
    for kind in ("HorizontalPodAutoscaler", "PodDisruptionBudget"):
        assert owners(named(inputs, kind, "orders-1")) == ["MeshService", "Deployment"]
    for kind in ("ServiceAccount", "AuthorizationPolicy", "Sidecar", "NetworkPolicy"):
        assert owners(named(inputs, kind, "orders")) == ["MeshService", "Service"]


def test_what_does_not_exist_owns_nothing(make: Make) -> None:
    assert {kind for o in render(make(EXPOSED)) for kind in owners(o)} == {"MeshService"}


def test_a_workers_identity_outlives_its_pods(make: Make) -> None:
    inputs = make({}, live={("Deployment", "orders-1"): "p"})
    assert owners(named(inputs, "ServiceAccount", "orders")) == ["MeshService", "Deployment"]
