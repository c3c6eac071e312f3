from collections.abc import Callable, Mapping
from typing import Any

import pytest

from seatrial.api.meshservice import MeshService
from seatrial.api.revision import Revision, template_of
from seatrial.render import Callee, Inputs
from seatrial.rollout.world import Mirror, Routing, Sticky

UID = "00000000-0000-0000-0000-000000000001"
Make = Callable[..., Inputs]


def service_of(spec: Mapping[str, Any], metadata: Mapping[str, Any] | None = None) -> MeshService:
    known = {"name": "orders", "namespace": "shop", "uid": UID}
    return MeshService.parse({"metadata": known | dict(metadata or {}), "spec": {"image": "orders:dev", **spec}})


def revision_of(service: MeshService, number: int, given: Mapping[str, Any]) -> Revision:
    name = service.metadata.name
    template = template_of(service.spec).dump() | {k: v for k, v in given.items() if k != "configs"}
    return Revision.parse(
        {
            "metadata": {"name": f"{name}-{number}", "namespace": service.metadata.namespace},
            "spec": {
                "service": name,
                "number": number,
                "hash": "0" * 12,
                "template": template,
                "configs": given.get("configs", []),
            },
        }
    )


def _sticky(given: Mapping[str, Any] | None) -> Sticky | None:
    return Sticky(given["canary"], given["attempt"], tuple(given["earlier"])) if given else None


@pytest.fixture
def make() -> Make:
    """Inputs from a spec and from whatever else is said; one revision with all of the traffic where nothing is."""

    def make(spec: Mapping[str, Any], **given: Any) -> Inputs:
        service = service_of(spec, given.get("metadata"))
        weights = given.get("weights", {1: 100})
        revisions = given.get("revisions", {n: {} for n in weights})
        return Inputs(
            service=service,
            revisions={n: revision_of(service, n, r or {}) for n, r in revisions.items()},
            routing=Routing(
                weights,
                frozenset(given.get("subsets", weights)),
                marked=given.get("marked"),
                mirror=Mirror(**given["mirror"]) if given.get("mirror") else None,
                sticky=_sticky(given.get("sticky")),
            ),
            scales=given.get("scales", dict.fromkeys(revisions, 1)),
            migrate=tuple(given.get("migrate", ())),
            live=given.get("live", {}),
            callees={k: Callee(**c) for k, c in given.get("callees", {}).items()},
            fencing=given.get("fencing", 0),
        )

    return make
