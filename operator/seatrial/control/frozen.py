"""A Deployment's pods stay as they were made: a newer operator that would render them differently leaves them alone.

Otherwise an upgrade of the operator would roll every pod of every service at once. What somebody else edits in a
template of ours is healed all the same: then what we would render still is what we rendered.
"""

from seatrial.api.names import ANNOTATION_TEMPLATE
from seatrial.control.cache import Object


def with_pods_as_made(desired: Object, live: Object) -> Object:
    """`desired`, with the pod template of `live` where that was rendered by an operator that renders differently."""
    made = (live["metadata"].get("annotations") or {}).get(ANNOTATION_TEMPLATE)
    if desired["kind"] != "Deployment" or made in {None, desired["metadata"]["annotations"][ANNOTATION_TEMPLATE]}:
        return desired
    annotations = desired["metadata"]["annotations"] | {ANNOTATION_TEMPLATE: made}
    return desired | {
        "metadata": desired["metadata"] | {"annotations": annotations},
        "spec": desired["spec"] | {"template": live["spec"]["template"]},
    }
