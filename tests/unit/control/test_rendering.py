"""What is rendered when: once for what is the same, and anew for what was forgotten."""

from dataclasses import replace

from seatrial.api.meshservice import MeshService
from seatrial.control.keys import ServiceKey
from seatrial.control.rendering import Rendering
from seatrial.render import Inputs
from seatrial.rollout.world import Routing

KEY = ServiceKey("shop", "orders")
SERVICE = MeshService.parse(
    {"metadata": {"name": "orders", "namespace": "shop", "uid": "u"}, "spec": {"image": "orders:dev", "port": 8080}}
)
INPUTS = Inputs(service=SERVICE, revisions={}, routing=Routing(), scales={})


def test_what_nothing_has_changed_of_is_not_rendered_again() -> None:
    rendering = Rendering()
    assert rendering.of(KEY, INPUTS) is rendering.of(KEY, replace(INPUTS))


def test_what_has_changed_is() -> None:
    rendering = Rendering()
    before = rendering.of(KEY, INPUTS)
    assert rendering.of(KEY, replace(INPUTS, fencing=1)) is not before


def test_what_was_forgotten_is_rendered_alike() -> None:
    rendering = Rendering()
    before = rendering.of(KEY, INPUTS)
    rendering.forget(KEY)
    again = rendering.of(KEY, INPUTS)
    assert again == before
    assert again is not before
