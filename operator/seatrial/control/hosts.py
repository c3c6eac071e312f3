"""What the services of a namespace share: hosts on the ingress gateway, and hosts outside the mesh.

An object goes when a service that owned it lives and doesn't name the host any more. With the last of its owners it
goes by the garbage collector; without any owner, since a service was deleted and its objects were to stay, it stays.
"""

from seatrial.api.names import ANNOTATION_CONTENT, LABEL_SERVICE, delegate_name
from seatrial.control.cache import Cache, Object, controller_of
from seatrial.control.fleet import Fleet
from seatrial.control.keys import HostsKey
from seatrial.control.observe import Observer
from seatrial.control.writer import Writer
from seatrial.kube.kinds import VIRTUAL_SERVICE
from seatrial.render import content_hash, render_hosts

_GOES_FIRST = ("VirtualService", "DestinationRule")


class Hosts:
    """Passes the key of a namespace's hosts."""

    def __init__(self, cache: Cache, fleet: Fleet, observer: Observer, writer: Writer) -> None:
        self._cache = cache
        self._fleet = fleet
        self._observer = observer
        self._writer = writer

    async def reconcile(self, key: HostsKey) -> None:
        """Write what is shared, and delete what nobody names any more."""
        namespace = key.namespace
        if not self._observer.managed(namespace) or self._observer.terminating(namespace):
            return
        known = self._fleet.known()
        raws = list(self._cache.services(namespace))
        services = [s for raw in raws if (s := self._fleet.in_use(raw, known)) is not None]
        shared = self._cache.owned(namespace, "")
        live = {name: obj["metadata"]["uid"] for name, obj in shared.items()}
        routed = set()
        for service in services:
            name = service.metadata.name
            owned = self._cache.owned(namespace, name)
            if ("VirtualService", delegate_name(name)) in owned:
                routed.add(name)
            if account := owned.get(("ServiceAccount", name)):
                live["ServiceAccount", name] = account["metadata"]["uid"]
        desired = render_hosts(namespace, services, routed=routed, live=live)
        orphans = self._orphans(namespace)
        desired = [with_orphans(o, shared.get(("VirtualService", o["metadata"]["name"])), orphans) for o in desired]
        dying = frozenset(raw["metadata"]["uid"] for raw in raws if raw["metadata"].get("deletionTimestamp"))
        desired = [without_dying(o, shared.get((o["kind"], o["metadata"]["name"])), dying) for o in desired]
        await self._writer.put(key, desired, shared)
        alive = {raw["metadata"]["uid"] for raw in raws if not raw["metadata"].get("deletionTimestamp")}
        rendered = {(o["kind"], o["metadata"]["name"]) for o in desired}
        for obj in sorted(shared.values(), key=order_of_leaving):
            owners = {o["uid"] for o in obj["metadata"].get("ownerReferences") or ()}
            named = (obj["kind"], obj["metadata"]["name"]) in rendered
            if not named and controller_of(obj) is None and owners & alive:
                await self._writer.delete(obj)

    def _orphans(self, namespace: str) -> frozenset[str]:
        """Delegates that outlived their MeshService on purpose."""
        services = {raw["metadata"]["name"] for raw in self._cache.services(namespace)}
        return frozenset(
            obj["metadata"]["name"]
            for obj in self._cache.all(VIRTUAL_SERVICE)
            if obj["metadata"]["namespace"] == namespace
            and (service := (obj["metadata"].get("labels") or {}).get(LABEL_SERVICE))
            and service not in services
            and not obj["metadata"].get("ownerReferences")
        )


def without_dying(desired: Object, live: Object | None, dying: frozenset[str]) -> Object:
    """An object that gets no owner back which is being deleted: whose it then is, the garbage collector says alone."""
    if live is None or not dying:
        return desired
    there = {o["uid"] for o in live["metadata"].get("ownerReferences") or ()}
    owners = [o for o in desired["metadata"].get("ownerReferences") or () if o["uid"] not in dying or o["uid"] in there]
    meta = {k: v for k, v in desired["metadata"].items() if k != "ownerReferences"}
    meta["resourceVersion"] = live["metadata"]["resourceVersion"]
    return desired | {"metadata": meta | ({"ownerReferences": owners} if owners else {})}


def with_orphans(desired: Object, live: Object | None, orphans: frozenset[str]) -> Object:
    """A root that goes on to delegate to what serves without its MeshService, at places that nobody else has."""
    if desired["kind"] != "VirtualService" or live is None:
        return desired
    routes = desired["spec"]["http"]
    taken = [route.get("match") for route in routes]
    kept = [
        route
        for route in live["spec"].get("http") or ()
        if (route.get("delegate") or {}).get("name") in orphans and route.get("match") not in taken
    ]
    if not kept:
        return desired
    ordered = sorted([*routes, *kept], key=_longest_first)
    root = desired | {"spec": desired["spec"] | {"http": ordered}}
    annotations = desired["metadata"]["annotations"] | {ANNOTATION_CONTENT: content_hash(root)}
    return root | {"metadata": root["metadata"] | {"annotations": annotations}}


def _longest_first(route: Object) -> tuple[int, str]:
    paths = [path for match in route.get("match") or () for path in (match.get("uri") or {}).values()]
    longest = max(paths, key=len, default="")
    return (-len(longest), longest)


def order_of_leaving(obj: Object) -> tuple[int, str, str]:
    """Routes go before subsets, and those before the rest."""
    kind = obj["kind"]
    rank = _GOES_FIRST.index(kind) if kind in _GOES_FIRST else len(_GOES_FIRST)
    return (rank, kind, obj["metadata"]["name"])
