"""What holds for every rendering, whatever the spec and the decision."""

import json
import random
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from seatrial.api.meshservice import MeshService
from seatrial.api.names import MAX_SERVICE_NAME
from seatrial.api.revision import Revision, template_of
from seatrial.render import Inputs, content_hash, render, render_hosts
from seatrial.rollout.world import Routing

Json = dict[str, Any]
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy

NAMES = st.from_regex(rf"\A[a-z][-a-z0-9]{{0,{MAX_SERVICE_NAME - 2}}}[a-z0-9]\Z")
PROTOCOLS = st.sampled_from(["http", "grpc", "tcp"])
METHODS = st.sampled_from(["GET", "POST", "PUT", "PATCH"])
PATHS = st.none() | st.builds(
    lambda kind, path: {kind: path}, st.sampled_from(["exact", "prefix", "regex"]), st.sampled_from(["/", "/a", "/a/b"])
)
RETRIES = st.fixed_dictionaries(
    {"attempts": st.integers(0, 3), "retryOn": st.lists(st.sampled_from(["5xx", "reset"]), unique=True)}
)
ROUTES = st.fixed_dictionaries(
    {
        "match": st.fixed_dictionaries({"method": st.none() | METHODS, "path": PATHS}),
        "idempotent": st.booleans(),
        "retries": st.none() | RETRIES,
        "timeout": st.none() | st.sampled_from(["0s", "250ms", "1m"]),
    }
)
PORTS = st.lists(
    st.builds(
        lambda n, p: {"name": f"p{n}", "port": n, "targetPort": n + 8000, "appProtocol": p},
        st.integers(1, 99),
        PROTOCOLS,
    ),
    max_size=3,
    unique_by=lambda p: p["port"],
)
PATCHES = st.sampled_from(
    [
        {},
        {"containers": [{"name": "app", "resources": {"limits": {"memory": "1024Mi"}}}]},
        {"containers": [{"name": "side", "image": "s"}], "volumes": [{"name": "v", "emptyDir": {}}]},
        {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"a": "b"}},
    ]
)
SPECS = st.fixed_dictionaries(
    {
        "image": st.just("x:1"),
        "replicas": st.integers(0, 5),
        "autoscaling": st.none() | st.just({"min": 2, "max": 5}),
        "ports": PORTS,
        "env": st.dictionaries(st.sampled_from(["A", "B", "C"]), st.sampled_from(["", "1"])),
        "migrate": st.none() | st.just({"command": ["m"]}),
        "podTemplate": st.fixed_dictionaries({"spec": PATCHES}),
        "traffic": st.fixed_dictionaries(
            {"routes": st.lists(ROUTES, max_size=3), "retries": RETRIES, "circuitBreaker": st.none() | st.just({})}
        ),
        "security": st.fixed_dictionaries(
            {
                "callers": st.lists(st.sampled_from([{"service": "a"}, {"ingress": {}}]), max_size=2),
                "calls": st.lists(st.sampled_from([{"service": "b"}, {"host": "c.example.com"}]), max_size=2),
            }
        ),
        "expose": st.lists(
            st.fixed_dictionaries(
                {"host": st.sampled_from(["a.localhost", "b.localhost"]), "prefix": st.sampled_from(["/", "/a"])}
            ),
            max_size=3,
            unique_by=lambda e: (e["host"], e["prefix"]),
        ),
    }
)
NUMBERS = st.integers(1, 999)


@st.composite
def routings(draw: st.DrawFn, numbers: list[int]) -> Routing:
    chosen = draw(st.lists(st.sampled_from(numbers), max_size=2, unique=True))
    share = draw(st.integers(0, 100))
    weights = dict(zip(chosen, (share, 100 - share) if len(chosen) == 2 else (100,), strict=False))
    return Routing(weights, frozenset(weights) | draw(st.frozensets(st.sampled_from(numbers))))


@st.composite
def inputs(draw: st.DrawFn) -> Inputs:
    name = draw(NAMES)
    service = MeshService.parse(
        {"metadata": {"name": name, "namespace": "shop", "uid": "u"}, "spec": draw(SPECS)},
    )
    numbers = draw(st.lists(NUMBERS, min_size=1, max_size=3, unique=True))
    template = template_of(service.spec).dump()
    revisions = {
        n: Revision.parse(
            {
                "metadata": {"name": f"{name}-{n}"},
                "spec": {"service": name, "number": n, "hash": "h", "template": template},
            }
        )
        for n in numbers
    }
    kinds = ["VirtualService", "DestinationRule", "Service"]
    existing = [(k, name) for k in kinds] + [("Deployment", f"{name}-{n}") for n in numbers]
    return Inputs(
        service=service,
        revisions=revisions,
        routing=draw(routings(numbers)),
        scales=draw(st.fixed_dictionaries({n: st.integers(0, 5) for n in numbers})),
        migrate=tuple(draw(st.lists(st.sampled_from(numbers), max_size=1))),
        live={key: f"uid-{i}" for i, key in enumerate(existing) if draw(st.booleans())},
        fencing=draw(st.integers(0, 9)),
    )


def all_of(given_: Inputs) -> list[Json]:
    return render(given_) + render_hosts(given_.namespace, [given_.service], routed={given_.name})


def route_destinations(objects: list[Json]) -> Iterator[list[Json]]:
    for obj in objects:
        if obj["kind"] == "VirtualService":
            for route in (*obj["spec"].get("http", ()), *obj["spec"].get("tcp", ())):
                if "delegate" not in route:
                    yield route["route"]


def containers(objects: list[Json]) -> Iterator[tuple[Json, Json]]:
    for obj in objects:
        if obj["kind"] in {"Deployment", "Job"}:
            pod = obj["spec"]["template"]["spec"]
            yield from ((pod, c) for c in pod["containers"])


@CALM
@given(inputs())
def test_weights_sum_to_100_in_every_route(given_: Inputs) -> None:
    for destinations in route_destinations(all_of(given_)):
        assert sum(d["weight"] for d in destinations) == 100
        assert all(d["weight"] > 0 for d in destinations)


@CALM
@given(inputs())
def test_no_destination_is_without_its_subset(given_: Inputs) -> None:
    objects = render(given_)
    rules = [o["spec"] for o in objects if o["kind"] == "DestinationRule"]
    known = {(r["host"], s["name"]) for r in rules for s in r.get("subsets", ())}
    for destinations in route_destinations(objects):
        assert {(d["destination"]["host"], d["destination"]["subset"]) for d in destinations} <= known


@CALM
@given(inputs())
def test_subsets_are_applied_before_the_routes_to_them(given_: Inputs) -> None:
    kinds = [o["kind"] for o in render(given_)]
    if "VirtualService" in kinds:
        assert kinds.index("DestinationRule") < kinds.index("VirtualService")


@CALM
@given(inputs(), st.randoms(use_true_random=False))
def test_the_same_inputs_are_the_same_bytes(given_: Inputs, shuffle: random.Random) -> None:
    def mixed(mapping: Any) -> Any:
        items = list(mapping.items())
        shuffle.shuffle(items)
        return dict(items)

    again = Inputs(
        service=MeshService.parse(given_.service.dump()),
        revisions=mixed(given_.revisions),
        routing=Routing(mixed(given_.routing.weights), given_.routing.subsets),
        scales=mixed(given_.scales),
        migrate=given_.migrate,
        live=mixed(given_.live),
        fencing=given_.fencing,
    )
    assert json.dumps(all_of(given_)) == json.dumps(all_of(again))


@CALM
@given(inputs())
def test_every_object_has_our_labels_an_owner_and_the_hash_of_itself(given_: Inputs) -> None:
    for obj in render(given_):
        metadata = obj["metadata"]
        assert metadata["labels"]["app.kubernetes.io/managed-by"] == "seatrial"
        assert metadata["labels"]["seatrial.dev/service"] == given_.name
        assert metadata["namespace"] == "shop"
        (controller,) = (r for r in metadata["ownerReferences"] if r.get("controller"))
        assert (controller["kind"], controller["uid"]) == ("MeshService", "u")
        assert not any(r["blockOwnerDeletion"] for r in metadata["ownerReferences"])
        assert metadata["annotations"]["seatrial.dev/content"] == content_hash(obj)


@CALM
@given(inputs())
def test_nothing_is_rendered_twice(given_: Inputs) -> None:
    keys = [(o["kind"], o["metadata"]["name"]) for o in all_of(given_)]
    assert len(set(keys)) == len(keys)


@CALM
@given(inputs())
def test_names_are_within_their_limits(given_: Inputs) -> None:
    for obj in all_of(given_):
        assert len(obj["metadata"]["name"]) <= 63
        assert all(len(value) <= 63 for value in obj["metadata"]["labels"].values())


@CALM
@given(inputs())
def test_pods_are_admitted_where_pod_security_is_restricted(given_: Inputs) -> None:
    for pod, container in containers(render(given_)):
        assert pod["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
        assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}


@CALM
@given(inputs(), st.integers(0, 9))
def test_a_new_holder_of_the_lease_has_nothing_to_write(given_: Inputs, fencing: int) -> None:
    other = Inputs(**{**vars(given_), "fencing": fencing})
    contents = [[o["metadata"]["annotations"]["seatrial.dev/content"] for o in render(i)] for i in (given_, other)]
    assert contents[0] == contents[1]


@CALM
@given(inputs())
def test_what_exists_beside_an_object_changes_nothing_that_it_says(given_: Inputs) -> None:
    alone = Inputs(**{**vars(given_), "live": {}})
    contents = [[o["metadata"]["annotations"]["seatrial.dev/content"] for o in render(i)] for i in (given_, alone)]
    assert contents[0] == contents[1]


@CALM
@given(inputs())
def test_rendering_leaves_its_inputs_as_they_were(given_: Inputs) -> None:
    before = repr(given_)
    all_of(given_)
    assert repr(given_) == before


@CALM
@given(inputs())
def test_no_empty_list_is_rendered_into_a_pod_where_the_api_server_would_drop_it(given_: Inputs) -> None:
    def empties(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for key, child in value.items():
                if child == []:
                    yield key
                yield from empties(child)
        elif isinstance(value, list):
            for child in value:
                yield from empties(child)

    for pod, _container in containers(render(given_)):
        assert not list(empties(pod))
