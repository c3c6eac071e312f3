"""A proxy between an operator and the API server: it names each write, and a rule says what becomes of it.

A write may get through, or be kept back, or its answer; a failure may be said in its place, and a watch be ended. The
operator is a process of this machine then, which is told that the proxy is the API server.
"""

import asyncio
import base64
import json
import re
import ssl
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import aiohttp
import yaml
from aiohttp import web
from yarl import URL

from seatrial.kube.client import configuration
from seatrial.kube.credentials import Credentials, credentials
from support.kubectl import CONTEXT

_PATH = re.compile(
    r"^/(?:api/v1|apis/[^/]+/[^/]+)/namespaces/(?P<namespace>[^/]+)/(?P<plural>[a-z]+)"
    r"(?:/(?P<name>[^/]+))?(?:/(?P<sub>status|proxy))?"
)
_WRITES = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_NO_WRITES = frozenset({"leases", "events"})  # of the Lease's own and of what is only told
_PASSED_ON = frozenset({"accept", "content-type"})
_PLAIN = {"accept-encoding": "identity"}  # a body is passed on as it came, without the header that would explain it


@dataclass(frozen=True)
class Write:
    """A write, named by what it does: two that differ in nothing but time are the same one."""

    verb: str
    kind: str
    name: str
    what: str = ""

    def __str__(self) -> str:
        return " ".join(part for part in (self.verb, self.kind, self.name, self.what) if part)


@dataclass(frozen=True)
class Fate:
    """What becomes of a request: it is passed on after `late` seconds, or answered by `code` instead.

    `cut` ends the line without an answer: "before" it was passed on, or "after"; a watch after so many seconds.
    """

    code: int = 0
    late: float = 0.0
    cut: str = ""
    watched_for: float | None = None


PASSES = Fate()
Rule = Callable[[Write | None], Fate]
"""What becomes of a write, or of anything else (None)."""


class Midway:
    """Serves on loopback for as long as the block lasts; `rule` may be changed at any time. `seen` has the writes."""

    def __init__(self, namespace: str) -> None:
        self.rule: Rule = lambda _: PASSES
        self.seen: list[Write] = []
        self.url = ""
        self._namespace = namespace
        self._server = credentials(configuration(CONTEXT))
        self._told = {"authorization": f"Bearer {self._server.token}"} if self._server.token else {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True, name="midway")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(timeout=20)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(timeout=20)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def kubeconfig(self, folder: Path) -> Path:
        """Write a kubeconfig that leads here."""
        named = {"name": "midway"}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [named | {"cluster": {"server": self.url}}],
            "users": [named | {"user": {}}],
            "contexts": [named | {"context": {"cluster": "midway", "user": "midway"}}],
            "current-context": "midway",
        }
        path = folder / "midway.yaml"
        path.write_text(yaml.safe_dump(config))
        return path

    async def _start(self) -> None:
        tls = await asyncio.to_thread(_tls, self._server)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        connector = aiohttp.TCPConnector(ssl=tls, limit=0)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False)
        app = web.Application(client_max_size=4 * 1024**2)
        app.router.add_route("*", "/{path:.*}", self._pass)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def _stop(self) -> None:
        await self._session.close()
        await self._runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # connections that were cut in the middle of an answer
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        write = write_of(request.method, request.path, body, self._namespace)
        if write is not None:
            self.seen.append(write)
        fate = self.rule(write)
        await asyncio.sleep(fate.late)
        if fate.cut == "before":
            return _hang_up(request)
        if fate.code:
            return web.json_response(_status(fate.code), status=fate.code)
        headers = {k: v for k, v in request.headers.items() if k.lower() in _PASSED_ON} | _PLAIN | self._told
        there = URL(f"{self._server.server}{request.raw_path}", encoded=True)
        async with self._session.request(request.method, there, data=body or None, headers=headers) as answer:
            if "watch" in request.query:
                return await _stream(request, answer, fate.watched_for)
            said = await answer.read()
        if fate.cut == "after":
            return _hang_up(request)
        kind = answer.headers.get("content-type", "application/json")
        return web.Response(status=answer.status, body=said, headers={"content-type": kind})


def write_of(method: str, path: str, body: bytes, namespace: str) -> Write | None:
    """What a request writes in a namespace; None where it writes nothing of interest."""
    found = _PATH.match(path)
    if method not in _WRITES or found is None or found["namespace"] != namespace or found["plural"] in _NO_WRITES:
        return None
    if found["sub"] == "proxy":
        return None
    said: Any = json.loads(body) if body else {}
    name = found["name"] or (said.get("metadata") or {}).get("name", "")
    kind = f"{found['plural']}/{found['sub']}" if found["sub"] else found["plural"]
    if found["plural"] == "pods":
        name = "-".join(name.split("-")[:2])  # of the revision: pods' own names are drawn
    return Write(method, kind, name, "" if method == "DELETE" else _what(kind, said))


def _what(kind: str, said: Mapping[str, Any]) -> str:
    """The part of a write in which it differs from others of its kind."""
    spec, status = said.get("spec") or {}, said.get("status") or {}
    meta = said.get("metadata") or {}
    told: object = ""
    match kind:
        case "revisions/status":
            attempt = (status.get("attempts") or [{}])[-1]
            told = (attempt.get("phase"), attempt.get("weight"), status.get("role"), _judged(attempt), sorted(status))
        case "meshservices/status":
            told = (status.get("phase"), status.get("weight"), sorted(status))
        case "meshservices":
            told = meta.get("finalizers")
        case "pods" | "revisions":
            told = meta.get("annotations")
        case "deployments":
            told = spec.get("replicas")
        case "destinationrules":
            told = [subset["name"] for subset in spec.get("subsets", [])]
        case "virtualservices":
            told = [_ends(route) for route in spec.get("http", [])[:1]]
    return json.dumps(told, sort_keys=True) if told else ""


def _judged(attempt: Mapping[str, Any]) -> tuple[str, bool]:
    """The verdict of an attempt so far, and whether another process can go on from it."""
    evidence = attempt.get("evidence") or {}
    return evidence.get("verdict", ""), bool(evidence.get("checkpoint"))


def _ends(route: Mapping[str, Any]) -> dict[str, int]:
    return {e["destination"]["subset"]: e.get("weight", 100) for e in route.get("route", [])}


async def _stream(
    request: web.Request, answer: aiohttp.ClientResponse, watched_for: float | None
) -> web.StreamResponse:
    """A watch, line by line as it comes; it ends when the API server or its time ends it."""
    response = web.StreamResponse(status=answer.status, headers={"content-type": "application/json"})
    await response.prepare(request)
    try:
        async with asyncio.timeout(watched_for):
            async for chunk in answer.content.iter_any():
                await response.write(chunk)
    except TimeoutError:
        _hang_up(request)
    except ConnectionResetError:
        pass
    return response


def _hang_up(request: web.Request) -> web.Response:
    """Cut the line; what is returned goes nowhere."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


def _status(code: int) -> dict[str, Any]:
    reasons = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError"}
    return {
        "apiVersion": "v1",
        "kind": "Status",
        "status": "Failure",
        "code": code,
        "reason": reasons[code],
        "message": f"{code}, as the rule says",
    }


def _tls(known: Credentials) -> ssl.SSLContext:
    """With what the kubeconfig has: no authority, a token, or a certificate, which Python takes from files alone."""
    if known.insecure:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    else:
        context = ssl.create_default_context(cadata=base64.b64decode(known.ca_data or "").decode())
    if not known.certificate_data:
        return context
    with tempfile.NamedTemporaryFile() as both:
        for part in (known.certificate_data, known.private_key_data):
            both.write(base64.b64decode(part or ""))
        both.flush()
        context.load_cert_chain(both.name)
    return context
