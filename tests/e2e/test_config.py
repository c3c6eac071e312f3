"""ConfigMaps: a change is a revision, and no pod ever reads what came after its own revision."""

from typing import Any

import pytest

from support.place import Place
from support.services import Service, is_ready, name_of
from support.traffic import nothing_lost
from support.waiting import eventually


@pytest.fixture(scope="module")
def service(shared: Place) -> Service:
    """A service that reads a ConfigMap which isn't there yet: as variables, and as a file."""
    mounted = {
        "volumes": [{"name": "greeting", "configMap": {"name": "greeting"}}],
        "containers": [{"name": "app", "volumeMounts": [{"name": "greeting", "mountPath": "/etc/greeting"}]}],
    }
    made = shared.service(
        "orders",
        replicas=2,
        envFrom=[{"configMapRef": {"name": "greeting"}}],
        podTemplate={"spec": mounted},
        shutdown={"grace": "6s"},
        rollout={"hold": "5s"},
    )
    made.apply()
    return made


def test_a_config_that_is_not_there_is_named_and_a_later_one_is_taken(shared: Place, service: Service) -> None:
    def told() -> bool:
        resolved = service.condition("ResolvedRefs")
        return resolved.get("status") == "False" and "greeting" in resolved["message"]

    eventually(told, within=30, what="ResolvedRefs names the ConfigMap")
    shared.kubectl.apply(_greeting(shared, "ahoy"))
    service.await_ready()
    assert service.condition("ResolvedRefs")["status"] == "True"


def test_a_changed_config_is_a_new_revision_and_old_pods_keep_the_old_content(shared: Place, service: Service) -> None:
    shared.kubectl.apply(_greeting(shared, "ahoy"))
    service.await_stable(1)
    assert _read(service, service.pod(1)) == ("ahoy", "ahoy")

    with shared.load() as load:
        shared.kubectl.apply(_greeting(shared, "farewell"))
        service.await_weight(2, 30)
        service.apply(paused=True)
        service.await_phase(2, "Paused")
        assert _read(service, service.pod(2)) == ("farewell", "farewell")

        before = {name_of(p) for p in service.pods(1)}
        shared.kubectl.delete("pod", min(before), options=["--wait=false"])
        restarted = eventually(
            lambda: _new_and_ready(service, before), within=60, what="a new pod of orders-1 is ready"
        )
        assert _read(service, restarted) == ("ahoy", "ahoy")

        service.apply(paused=False)
        service.await_stable(2)
        nothing_lost(load.stop(), least=100)


def _greeting(place: Place, text: str) -> dict[str, Any]:
    metadata = {"name": "greeting", "namespace": place.namespace}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"GREETING": text}}


def _read(service: Service, pod: str) -> tuple[str, str]:
    """What the app has in its environment, and in its file."""
    variable = service.kubectl.exec(pod, "printenv", "GREETING")
    file = service.kubectl.exec(pod, "cat", "/etc/greeting/GREETING")
    return variable.strip(), file.strip()


def _new_and_ready(service: Service, before: set[str]) -> str:
    new = [p for p in service.pods(1) if name_of(p) not in before and is_ready(p)]
    return name_of(new[0]) if new else ""
