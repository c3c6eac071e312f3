"""Kopf's part: it watches, fills the indices, and says which key is to be passed. No handler decides or writes.

There is a handler for events and an index for each kind, and nothing that would make Kopf put finalizers or annotations
on objects. Kopf calls handlers only after all indices are filled once: the first call says that the cache is full.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import kopf

from seatrial.api.names import LABEL_MANAGED_BY, LABEL_SERVICE, MANAGED_BY
from seatrial.control.cache import Cache, Object, keys_of
from seatrial.control.keys import HostsKey, Key, ServiceKey
from seatrial.control.slim import metadata, slim, slim_config, slim_pod
from seatrial.kube.credentials import Credentials
from seatrial.kube.kinds import CONFIG_MAP, LEASE, MESH_SERVICE, NAMESPACE, OWNED, POD, REVISION, Kind

Add = Callable[[Key], None]
OURS = f"{LABEL_MANAGED_BY}={MANAGED_BY}"
WATCHED = (*OWNED, POD, REVISION, MESH_SERVICE, CONFIG_MAP, NAMESPACE)
LISTED_AT_ONCE = 100  # objects: what a list of all takes for a moment stays with the process
_IDENTITY: Any = MANAGED_BY  # a name for peering, which is off; Kopf would ask for a user's, and a container has none
_SHOWN_TO_HOSTS = frozenset({"VirtualService", "ServiceAccount"})


@dataclass(frozen=True)
class Concerned:
    """Who must look again: `by_service` beside a MeshService itself, `by_config` (namespace, name) for a ConfigMap.

    `gone` is told of each object of ours that was deleted, `changed` when a MeshService came, went or changed its spec.
    """

    by_service: Callable[[Object], list[Key]] = lambda _: []
    by_config: Callable[[str, str], list[Key]] = lambda _, __: []
    gone: Callable[[Object], None] = lambda _: None
    changed: Callable[[], None] = lambda: None


class Watches:
    """One run of Kopf. `add` gets the keys, `beat` is called at each renewal of the Lease that the API server shows.

    `full` is set once the cache has all there is, `begun_anew` when a watch had to: what was deleted before it did, it
    never tells.
    """

    def __init__(self, *, lease: str, login: Callable[[], Credentials], add: Add, beat: Callable[[], None]) -> None:
        self.full = asyncio.Event()
        self.begun_anew = asyncio.Event()
        self.concerned = Concerned()
        self._add = add
        self._beat = beat
        self._login = login
        self._known: dict[str, object] = {}
        self._listed: set[str] = set()  # uids
        self._indices: dict[str, kopf.Index[Any, Any]] = {}
        self._registry = kopf.OperatorRegistry()
        self._settings = _settings(lease)
        self.cache = Cache(self._indices)
        self._register()

    async def run(self, stop: asyncio.Event, started: asyncio.Event | None = None) -> None:
        """Watch until `stop` is set."""
        await kopf.operator(
            registry=self._registry,
            settings=self._settings,
            clusterwide=True,
            standalone=True,
            identity=_IDENTITY,
            stop_flag=stop,
            ready_flag=started,
        )

    def _register(self) -> None:
        registry = self._registry
        kopf.on.login(registry=registry)(self._logged_in)
        kopf.on.startup(registry=registry)(self._begun)
        for kind in (*OWNED, REVISION):
            self._watch(kind, _by_service, self._noticed_owned)
        self._watch(POD, _pod_by_service, self._noticed_owned)
        self._watch(MESH_SERVICE, _by_name, self._noticed_service)
        self._watch(CONFIG_MAP, _config, self._noticed_config)
        self._watch(NAMESPACE, _namespace, self._noticed_namespace)
        kopf.on.event(LEASE.group, LEASE.version, LEASE.plural, id="heartbeat", registry=registry)(self._heartbeat)

    def _watch(
        self,
        kind: Kind,
        entries: Callable[[Object], Mapping[Any, Object]],
        noticed: Callable[[Object, bool], None],
    ) -> None:
        async def index(body: kopf.Body, **_: object) -> Mapping[Any, Object]:
            return entries(_raw(kind, body))

        async def event(body: kopf.Body, type: str | None, **_: object) -> None:  # noqa: A002 # Kopf passes it by name
            self.full.set()
            self.told(body["metadata"]["uid"], type)
            noticed(_raw(kind, body), type == "DELETED")

        place = (kind.group, kind.version, kind.plural)
        kopf.index(*place, id=kind.plural, registry=self._registry)(index)
        kopf.on.event(*place, id=f"{kind.plural}-noticed", registry=self._registry)(event)

    async def _logged_in(self, **_: object) -> kopf.ConnectionInfo:
        found = await asyncio.to_thread(self._login)
        return kopf.ConnectionInfo(
            server=found.server,
            insecure=found.insecure,
            ca_path=found.ca_path,
            ca_data=found.ca_data,
            token=found.token,
            username=found.username,
            password=found.password,
            certificate_path=found.certificate_path,
            certificate_data=found.certificate_data,
            private_key_path=found.private_key_path,
            private_key_data=found.private_key_data,
        )

    async def _begun(self, **given: Any) -> None:  # noqa: ANN401 # Kopf passes what it has by name, indices among it
        plurals = {kind.plural for kind in WATCHED}
        self._indices.update({name: value for name, value in given.items() if name in plurals})

    def told(self, uid: str, event: str | None) -> None:
        """Kopf gives no type to what it was told by a list: one that is listed again is of a watch that began anew."""
        if event == "DELETED":
            self._listed.discard(uid)
        elif event is None and uid in self._listed:
            self.begun_anew.set()
        else:
            self._listed.add(uid)

    async def _heartbeat(self, **_: object) -> None:
        self._beat()

    def _noticed_owned(self, obj: Object, gone: bool) -> None:  # noqa: FBT001 # one signature for all kinds
        if gone:
            self.concerned.gone(obj)
        for key in keys_of(obj):
            self._add(key)
        meta = obj["metadata"]
        if obj["kind"] in _SHOWN_TO_HOSTS:
            owners = tuple(owner["uid"] for owner in meta.get("ownerReferences") or ())
            if self._changed(meta["uid"], owners, gone=gone):  # whose it is concerns them, and never its weights
                self._add(HostsKey(meta["namespace"]))

    def _noticed_service(self, obj: Object, gone: bool) -> None:  # noqa: FBT001 # likewise
        meta = obj["metadata"]
        self._add(ServiceKey(meta["namespace"], meta["name"]))
        if not self._changed(meta["uid"], (meta.get("generation"), meta.get("deletionTimestamp")), gone=gone):
            return  # only its status did, which concerns nobody else
        self.concerned.changed()
        self._add(HostsKey(meta["namespace"]))
        for key in self.concerned.by_service(obj):
            self._add(key)

    def _noticed_config(self, obj: Object, gone: bool) -> None:  # noqa: FBT001, ARG002 # likewise
        meta = obj["metadata"]
        if _ours(meta):
            for key in keys_of(obj):
                self._add(key)
        else:
            for key in self.concerned.by_config(meta["namespace"], meta["name"]):
                self._add(key)

    def _noticed_namespace(self, obj: Object, gone: bool) -> None:  # noqa: FBT001 # likewise
        meta = obj["metadata"]
        if self._changed(meta["uid"], (meta.get("labels"), meta.get("deletionTimestamp")), gone=gone):
            self._add(HostsKey(meta["name"]))
            for service in self.cache.services(meta["name"]):
                self._add(ServiceKey(meta["name"], service["metadata"]["name"]))

    def _changed(self, uid: str, state: object, *, gone: bool) -> bool:
        if gone:
            self._known.pop(uid, None)
            return True
        before, self._known[uid] = self._known.get(uid), state
        return before != state


class _NoEssence(kopf.DiffBaseStorage):
    """Kopf copies each object whole at each event, to tell handlers of changes what changed. There are none."""

    def build(self, **_: object) -> kopf.BodyEssence:
        return {}

    def fetch(self, **_: object) -> kopf.BodyEssence:
        return {}

    def store(self, **_: object) -> None:
        """Nothing is kept in an object."""


def _settings(lease: str) -> kopf.OperatorSettings:
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.watching.chunk_size = LISTED_AT_ONCE
    settings.persistence.diffbase_storage = _NoEssence()
    settings.networking.error_backoffs = (0.5, 1, 2, 3, 5, 5, 5, 5)
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 5
    settings.queueing.idle_timeout = 1.0
    settings.queueing.exit_timeout = 0.5
    for kind in (*OWNED, POD):
        settings.watching.label_selectors[(kind.group, kind.version, kind.plural)] = OURS
    settings.watching.field_selectors[(LEASE.group, LEASE.version, LEASE.plural)] = f"metadata.name={lease}"
    return settings


def _raw(kind: Kind, body: Mapping[str, Any]) -> Object:
    """Plain data; Kopf's views of it live as long as the event."""
    return {**body, "apiVersion": kind.api_version, "kind": kind.name}


def _ours(meta: Mapping[str, Any]) -> bool:
    labels = meta.get("labels") or {}
    return labels.get(LABEL_MANAGED_BY) == MANAGED_BY and LABEL_SERVICE in labels


def _service_label(obj: Object) -> str:
    return str((obj["metadata"].get("labels") or {}).get(LABEL_SERVICE, ""))


def _by_service(obj: Object) -> Mapping[Any, Object]:
    return {(obj["metadata"]["namespace"], _service_label(obj)): slim(obj)}


def _pod_by_service(obj: Object) -> Mapping[Any, Object]:
    return {(obj["metadata"]["namespace"], _service_label(obj)): slim_pod(obj)}


def _by_name(obj: Object) -> Mapping[Any, Object]:
    return {(obj["metadata"]["namespace"], obj["metadata"]["name"]): slim(obj)}


def _namespace(obj: Object) -> Mapping[Any, Object]:
    return {obj["metadata"]["name"]: {"kind": "Namespace", "metadata": metadata(obj)}}


def _config(obj: Object) -> Mapping[Any, Object]:
    meta = obj["metadata"]
    kept = slim_config(obj)
    entries = {(meta["namespace"], meta["name"]): kept}
    return entries | ({(meta["namespace"], f"copies of {_service_label(obj)}"): kept} if _ours(meta) else {})
