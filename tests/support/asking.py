"""Single requests and what came of them: through the ingress gateway from outside, or from inside a pod of the mesh."""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from loadtests import Hop
from loadtests.served_by import parse
from support.kubectl import Kubectl

GATEWAY = "http://127.0.0.1:8080"

# Runs in any container with a Python: reads requests from stdin, makes them at once, each on a connection of its own.
_INSIDE = """
import concurrent.futures, http.client, json, sys, time, urllib.parse

def ask(wanted):
    url = urllib.parse.urlsplit(wanted["url"])
    began = time.monotonic()
    try:
        connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=wanted["timeout"])
        path = url.path or "/"
        connection.request(wanted["method"], path, body=wanted["body"], headers=wanted["headers"])
        answer = connection.getresponse()
        body = answer.read().decode(errors="replace")
        headers = {name.lower(): value for name, value in answer.getheaders()}
        return {"status": answer.status, "headers": headers, "body": body, "seconds": time.monotonic() - began}
    except (OSError, http.client.HTTPException) as error:
        return {"status": 0, "headers": {}, "body": repr(error), "seconds": time.monotonic() - began}

wanted = json.load(sys.stdin)
with concurrent.futures.ThreadPoolExecutor(len(wanted)) as pool:
    json.dump(list(pool.map(ask, wanted)), sys.stdout)
"""


@dataclass(frozen=True)
class Request:
    """A request: an absolute URL inside the mesh, a path at the edge. `timeout` is the client's own, in seconds."""

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | None = None
    timeout: float = 30.0


@dataclass(frozen=True)
class Answer:
    """What came back. Status 0: no answer, and `body` says why. Header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: str
    seconds: float

    @property
    def served_by(self) -> tuple[Hop, ...]:
        """Who answered; empty where a proxy did."""
        return parse(self.headers.get("x-served-by", ""))

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def __str__(self) -> str:
        return f"{self.status} after {self.seconds:.2f} s: {self.body[:200]}"


@dataclass(frozen=True)
class Edge:
    """One host of the ingress gateway, as a user outside sees it."""

    host: str

    def ask(self, request: Request) -> Answer:
        """Make one request on a connection of its own."""
        headers = {"host": self.host, **request.headers}
        began = time.monotonic()
        try:
            with httpx.Client(timeout=request.timeout, trust_env=False) as client:
                made = client.request(request.method, GATEWAY + request.url, headers=headers, content=request.body)
        except httpx.TransportError as error:
            return Answer(0, {}, repr(error), time.monotonic() - began)
        return Answer(made.status_code, dict(made.headers), made.text, time.monotonic() - began)

    def get(self, path: str, **headers: str) -> Answer:
        """GET a path; underscores in header names become dashes."""
        return self.ask(Request(path, headers={k.replace("_", "-"): v for k, v in headers.items()}))


@dataclass(frozen=True)
class Inside:
    """A container with a Python, from which requests are made as its app would make them."""

    kubectl: Kubectl
    pod: str
    container: str = "app"

    def ask_all(self, requests: Iterable[Request]) -> list[Answer]:
        """Make all of them at once."""
        wanted = json.dumps([asdict(request) for request in requests])
        said = self.kubectl.exec(self.pod, "python3", "-c", _INSIDE, container=self.container, input=wanted)
        return [Answer(**answer) for answer in json.loads(said)]

    def ask(self, request: Request) -> Answer:
        """Make one request."""
        return self.ask_all([request])[0]


def fault(service: str, what: str) -> dict[str, str]:
    """Headers that ask one service of the shop, wherever it is in the chain, to be late or to fail."""
    return {"x-fault": what, "x-fault-service": service}
