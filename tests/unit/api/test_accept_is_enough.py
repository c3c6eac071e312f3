"""What is accepted can be rendered: no user's spec makes the operator stumble later."""

import json
from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from seatrial.api.accept import accept
from seatrial.api.base import ObjectMeta
from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision, RevisionSpec, template_of
from seatrial.render import Inputs, render, render_hosts
from seatrial.rollout.world import Mirror, Routing, Sticky
from support.manifests import a_manifest
from support.routings import rollout_of

LEAF = (
    st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from(["", "app", "x", "1e999999999", "9" * 5000, "5s"])
)
ANY = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("name"), inner), max_leaves=4
)
RESOURCES = ANY | st.dictionaries(st.sampled_from(["requests", "limits"]), ANY | st.dictionaries(st.just("cpu"), ANY))


def a_map(*names: str, **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return ANY | st.fixed_dictionaries({}, optional=dict.fromkeys(names, ANY) | parts)


def a_list(of: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return ANY | st.lists(of, max_size=2)


NAME = st.sampled_from(["app", "side", "", None, 3])
VARIABLES = a_list(a_map("value", "valueFrom", name=NAME))
PARTS = ("ports", "volumeMounts", "livenessProbe", "lifecycle", "envFrom", "securityContext", "$patch")
CONTAINER = a_map(*PARTS, name=NAME, env=VARIABLES, resources=RESOURCES)
VOLUME = a_map("emptyDir", "configMap", "projected", name=NAME)
POD = a_map("tolerations", "affinity", "$patch", containers=a_list(CONTAINER), volumes=a_list(VOLUME))
METADATA = a_map(labels=ANY | st.dictionaries(st.text(max_size=3), ANY), annotations=ANY)


@given(st.fixed_dictionaries({}, optional={"spec": POD, "metadata": METADATA}))
def test_whatever_pod_template_is_accepted_can_be_rendered(pod_template: dict[str, Any]) -> None:
    service = accept(a_manifest(podTemplate=pod_template))
    assume(isinstance(service, MeshService))
    assert isinstance(service, MeshService)
    rendered = render(inputs(service))
    (deployment,) = [o for o in rendered if o["kind"] == "Deployment"]
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels["seatrial.dev/revision"] == "1"
    yaml.safe_dump(rendered)


def inputs(service: MeshService) -> Inputs:
    """A service with one revision that has all of the traffic."""
    placed = service.model_copy(update={"metadata": ObjectMeta(name="orders", namespace="shop", uid="u")})
    spec = RevisionSpec(service="orders", number=1, hash="0" * 12, template=template_of(service.spec))
    revision = Revision(metadata=ObjectMeta(name="orders-1", namespace="shop", uid="r"), spec=spec)
    return Inputs(service=placed, revisions={1: revision}, routing=Routing({1: 100}, frozenset({1})), scales={1: 1})


def test_a_service_with_everything_can_be_rendered() -> None:
    service = accept(
        a_manifest(
            traffic={"routes": [{"match": {"path": {"regex": "/a.*"}, "headers": {"X-Tier": "gold"}}}]},
            security={"callers": [{"ingress": {}}], "calls": [{"host": "*.example.com"}]},
            expose=[{"host": "a.localhost", "prefix": "/x/", "rewrite": "/"}],
        )
    )
    assert isinstance(service, MeshService)
    assert render(inputs(service))
    assert render_hosts("shop", [inputs(service).service], routed={"orders"})


@pytest.mark.parametrize("strategy", ["canary", "abTest", "mirror"])
@pytest.mark.parametrize("prefixes", [1, 6, 32])
def test_the_most_routes_that_are_accepted_fit_into_an_object(strategy: str, prefixes: int) -> None:
    expose = [{"host": "shop.localhost", "prefix": f"/{i}", "rewrite": "/"} for i in range(prefixes)]
    for count in range(64, -1, -1):
        routes = [{"match": {"path": {"prefix": f"/v1/orders/{i}"}}} for i in range(count)]
        more = {"steps": list(range(5, 45, 5)), "analysis": {}} if strategy != "abTest" else {"analysis": {}}
        manifest = a_manifest(expose=expose, traffic={"routes": routes}, rollout=rollout_of(strategy, **more))
        service = accept(manifest)
        if isinstance(service, MeshService):
            break
    assert isinstance(service, MeshService)
    marked, mirror = (2 if strategy == "abTest" else None), (Mirror(2, 100) if strategy == "mirror" else None)
    sticky = Sticky(2, 7, tuple(range(5, 45, 5))) if strategy == "canary" else None
    weights = {1: 50, 2: 50} if sticky else {1: 100}
    routing = Routing(weights, frozenset({1, 2}), marked, mirror, sticky)
    for obj in render(replace(inputs(service), routing=routing)):
        assert len(json.dumps(obj)) < 1_500_000
