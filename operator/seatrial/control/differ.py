"""Whether an object of the cluster already is what we would write: then nothing is written.

What is rendered must be in the live object. The rest is somebody else's: defaults of the API server, what admission
puts in. A field that we gave once and give no longer shows in the content annotation, a hash of all we gave.
"""

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from seatrial.api.names import ANNOTATION_FENCING

Object = Mapping[str, Any]

_SUFFIXES = {"m": Decimal("0.001"), "": Decimal(1), "k": Decimal(10**3), "M": Decimal(10**6), "G": Decimal(10**9)} | {
    f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)
}


def difference(desired: Object, live: Object) -> str | None:
    """Path of the first field that isn't as desired (`spec.replicas`); None where nothing is to be written."""
    annotations = {k: v for k, v in (desired["metadata"].get("annotations") or {}).items() if k != ANNOTATION_FENCING}
    meta = {k: v for k, v in desired["metadata"].items() if k in {"labels", "finalizers"}}
    meta |= {"annotations": annotations}
    if owners := _owners_differ(desired, live):
        return owners
    body = {k: v for k, v in desired.items() if k not in {"apiVersion", "kind", "metadata", "status"}}
    return _differs(body | {"metadata": meta}, live, "")


def _owners_differ(desired: Object, live: Object) -> str | None:
    """Owners that are missing. One that is there and no longer desired only keeps its object a little longer."""
    there = {o.get("uid") for o in live["metadata"].get("ownerReferences") or ()}
    wanted = {o.get("uid") for o in desired["metadata"].get("ownerReferences") or ()}
    return "metadata.ownerReferences" if wanted - there else None


def _differs(desired: Any, live: Any, path: str) -> str | None:  # noqa: ANN401 # JSON
    if isinstance(desired, Mapping):
        return _map_differs(desired, live, path)
    if isinstance(desired, list):
        return _list_differs(desired, live, path)
    return None if _same(desired, live) else path


def _map_differs(desired: Object, live: Any, path: str) -> str | None:  # noqa: ANN401 # JSON
    if not isinstance(live, Mapping):
        return None if live is None and not _says_anything(desired) else path
    found = (_differs(value, live.get(key), f"{path}.{key}" if path else key) for key, value in desired.items())
    return next((f for f in found if f), None)


def _list_differs(desired: list[Any], live: Any, path: str) -> str | None:  # noqa: ANN401 # JSON
    if not isinstance(live, list) or len(desired) != len(live):
        return None if live is None and not desired else path
    pairs = enumerate(zip(desired, live, strict=True))
    found = (_differs(ours, theirs, f"{path}[{i}]") for i, (ours, theirs) in pairs)
    return next((f for f in found if f), None)


def _says_anything(value: Any) -> bool:  # noqa: ANN401 # JSON
    """Whether the API server keeps it: it leaves zero values out."""
    if isinstance(value, Mapping):
        return any(_says_anything(v) for v in value.values())
    return bool(value)


def _same(desired: Any, live: Any) -> bool:  # noqa: ANN401 # JSON
    if desired == live:
        return type(desired) is type(live) or not isinstance(desired, bool)
    if live is None:
        return not desired
    ours, theirs = _quantity(desired), _quantity(live)
    return ours is not None and ours == theirs


def _quantity(value: Any) -> Decimal | None:  # noqa: ANN401 # JSON
    """A Kubernetes quantity as a number: the API server writes 0.5 as 500m."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    text = str(value)
    number = text.rstrip("KMGTPEikm")
    try:
        return Decimal(number) * _SUFFIXES[text[len(number) :]]
    except (InvalidOperation, KeyError):
        return None
