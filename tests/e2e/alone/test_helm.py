"""Seatrial upgraded, taken away and put back: services don't notice."""

from collections.abc import Iterator

import pytest

from support.fixtures import a_release
from support.helm import Release
from support.operators import JANITOR, OPERATOR, Operators
from support.place import Place, in_mid_rollout
from support.services import Service, uid_of
from support.traffic import go_on, nothing_lost


@pytest.fixture(scope="module")
def release(operators: Operators) -> Iterator[Release]:
    """Seatrial's release: each test leaves it in a state in which the next one can use it."""
    yield from a_release(operators)


@pytest.fixture(scope="module")
def service(shared: Place) -> Service:
    """A service that is there all the time."""
    made = shared.service("orders")
    made.apply()
    made.await_stable(1)
    return made


def test_the_chart_tests_itself(release: Release) -> None:
    assert "Succeeded" in release.test()


def test_an_upgrade_leaves_services_untouched(
    shared: Place, service: Service, release: Release, operators: Operators
) -> None:
    stable = service.status()["stableRevision"]
    before, operator = _written(service), {uid_of(p) for p in operators.pods()}
    with shared.load() as load:
        release.install(logLevel="debug")
        operators.await_holder()
        assert not operator & {uid_of(p) for p in operators.pods()}, "the operator wasn't replaced: nothing is proven"
        go_on(load, 150)
        nothing_lost(load.stop())
    assert _written(service) == before
    service.release("two")
    service.await_stable(stable + 1)


def test_an_uninstall_leaves_traffic_working_and_namespaces_free(
    shared: Place, service: Service, place: Place, release: Release, operators: Operators
) -> None:
    stable = service.status()["stableRevision"]
    service.apply(env={"RELEASE": "three"}, rollout={"hold": "300s"})
    in_mid_rollout(place, grace="6s")
    service.await_weight(stable + 1, 30)
    with shared.load() as load:
        release.uninstall()

        assert not operators.kubectl.list("deployments"), "something of the release is left"
        assert service.weights() == {f"r{stable}": 100}, "no weight stays half-way"
        assert not service.the()["metadata"].get("finalizers")
        place.goes_away()
        seen = go_on(load, 100)
        assert {r.revision_of("orders") for r in seen.requests[-50:]} == {stable}

        release.install()
        operators.await_holder(within=90)  # the hook that ended the last one keeps the Lease for a while
        service.apply(env={"RELEASE": "four"}, rollout={"hold": "1s"})
        service.await_stable(stable + 2)
        nothing_lost(load.stop(), least=200)


def test_operator_and_janitor_are_as_restricted_as_what_they_manage(operators: Operators) -> None:
    for deployment in (OPERATOR, JANITOR):
        spec = operators.kubectl.the("deployment", deployment)["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in spec["containers"]:
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert container["securityContext"]["capabilities"]["drop"] == ["ALL"]


def _written(service: Service) -> dict[str, str]:
    """Versions of everything that Seatrial wrote and nobody else touches, and the pods as they are."""
    kinds = "virtualservices,destinationrules,authorizationpolicies,sidecars,serviceaccounts,services,networkpolicies"
    found = service.kubectl.list(kinds, f"seatrial.dev/service={service.name}")
    versions = {f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found}
    deployments = {d["metadata"]["name"]: str(d["metadata"]["generation"]) for d in service.kubectl.list("deployments")}
    return versions | deployments | {f"pod {uid_of(p)}": "" for p in service.pods()}
