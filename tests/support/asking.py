"""Single requests and what came of them: through the ingress gateway from outside, or from inside a pod of the mesh."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from loadtests import Hop
from loadtests.served_by import parse
from support import requester
from support.kubectl import Kubectl

GATEWAY = "http://127.0.0.1:8080"

_INSIDE = Path(requester.__file__).read_text()


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
        return Answer(**requester.ask(asdict(request) | {"url": GATEWAY + request.url, "headers": headers}))

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
