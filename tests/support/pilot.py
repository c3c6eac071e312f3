"""A stand-in for istiod's debug port: what its store has, and that every proxy takes each push a moment later.

The store is filled by watches of the real API server, as istiod's own is, so configuration arrives as late as it does.
"""

import asyncio
import json
import time
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from support.kubectl import Object

GATHERED = 0.1  # seconds for which istiod gathers changes
TAKEN = 0.1  # seconds until a proxy has acknowledged what was pushed
_UUID = str(uuid.UUID(int=0))


class Pilot:
    """Serves in the running loop. `proxies` gives the names of those that are connected."""

    def __init__(self, proxies: Callable[[], Iterable[str]]) -> None:
        self.url = ""
        self._proxies = proxies
        self._store: dict[str, str] = {}  # by uid: JSON
        self._weights: dict[str, dict[int, int]] = {}  # by host
        self._pushes: list[tuple[float, int]] = [(0.0, 1)]
        self._due = False

    async def start(self) -> None:
        """Listen on loopback."""
        app = web.Application()
        app.add_routes([web.get("/debug/configz", self._configz), web.get("/debug/syncz", self._syncz)])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Listen no more."""
        await self._runner.cleanup()

    def weights(self, host: str) -> dict[int, int]:
        """Percent by revision."""
        return self._weights.get(host, {})

    def take(self, event: str, obj: Object) -> None:
        """What a watch says."""
        uid = obj["metadata"]["uid"]
        if event == "DELETED":
            self._store.pop(uid, None)
        else:
            metadata = {k: v for k, v in obj["metadata"].items() if k != "managedFields"}
            self._store[uid] = json.dumps({**obj, "metadata": metadata}, indent=1)
            if obj["kind"] == "VirtualService":
                self._weights.update(_weights(obj["spec"]))
        if not self._due:
            self._due = True
            asyncio.get_running_loop().call_later(GATHERED, self._push)

    def _push(self) -> None:
        self._due = False
        self._pushes = [*self._pushes[-9:], (time.monotonic(), self._pushes[-1][1] + 1)]

    async def _configz(self, _: web.Request) -> web.Response:
        return web.Response(text=f"[{','.join(self._store.values())}]", content_type="application/json")

    async def _syncz(self, _: web.Request) -> web.Response:
        taken = time.monotonic() - TAKEN
        sent = self._pushes[-1][1]
        acknowledged = max((number for at, number in self._pushes if at <= taken), default=sent)
        said = {
            f"{kind}_{what}": f"2026-01-01T00:00:00Z/{number}{_UUID}"
            for kind in ("cluster", "route", "listener", "endpoint")
            for what, number in (("sent", sent), ("acked", acknowledged))
        }
        rest = json.dumps({"cluster_id": "Kubernetes", "proxy_type": "sidecar", "istio_version": "1.31.1", **said})[1:]
        entries = ",\n".join(f'{{"proxy": "{name}", {rest}' for name in self._proxies())
        return web.Response(text=f"[{entries}]", content_type="application/json")


def _weights(spec: dict[str, Any]) -> dict[str, dict[int, int]]:
    """Of the last route to each host, which takes what no other one matches."""
    found: dict[str, dict[int, int]] = {}
    for route in spec.get("http", []):
        ends = route.get("route", [])
        by_host: dict[str, dict[int, int]] = {}
        for end in ends:
            subset = end["destination"].get("subset", "")
            if subset.startswith("r"):
                weights = by_host.setdefault(end["destination"]["host"], {})
                weights[int(subset[1:])] = end.get("weight", 100 if len(ends) == 1 else 0)
        found |= by_host
    return found
