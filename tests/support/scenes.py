"""What may become of a request, and what it must count as: played on a real Envoy, or read from what one said then.

Each scene is a revision of its own, so that all are played at once. A slow request takes longer than 750 ms.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx2

from seatrial.evidence.question import Protocol
from seatrial.rollout.evidence import Tally
from support.envoy import Envoy

SLOWER_THAN = 750.0  # milliseconds
DEAD = "dead"  # nobody listens at the revision's port


@dataclass(frozen=True)
class Scene:
    """Requests, one after the other, by the last part of their path; `patience` is the client's, in seconds."""

    title: str
    asks: Sequence[str]
    counts: Tally
    policy: str = "plain"
    patience: float = 5.0
    protocol: Protocol = "http"

    @property
    def dead(self) -> bool:
        """Whether there is no server."""
        return DEAD in self.asks


def tally(requests: int, failed: int, *, tries: int = 0, failed_tries: int = 0, slow: int = 0) -> Tally:
    """Counts of a scene; without `tries` there were no retries."""
    attempts, failed_attempts = (tries, failed_tries) if tries else (requests, failed)
    return Tally(requests, failed, attempts, failed_attempts, timed=requests, slow=slow, started=requests)


def grpc(title: str, asks: Sequence[str], counts: Tally, policy: str = "plain") -> Scene:
    """A scene that is played by gRPC."""
    return Scene(title, asks, counts, policy, protocol="grpc")


def tcp(title: str, asks: Sequence[str], requests: int, failed: int) -> Scene:
    """A scene of connections: `echo` is ended by the client, `bye` by the server; latency isn't judged."""
    return Scene(title, asks, Tally(requests, failed, requests, failed, started=requests), protocol="tcp")


SCENES = (
    Scene("answers are counted once, by code and not by class again", ["200", "404", "200"], tally(3, 0)),
    Scene("a failing answer is a failed request", ["200", "503", "500"], tally(3, 2)),
    Scene("failures behind retries are failed attempts", ["503"], tally(1, 1, tries=4, failed_tries=4), "retried"),
    Scene("a retried conflict is no failed attempt", ["409"], tally(1, 0, tries=4, failed_tries=0), "retried"),
    Scene("a failed connect is one failure", [DEAD], tally(1, 1, slow=1)),
    Scene("a failed connect is one at each try", [DEAD], tally(1, 1, tries=4, failed_tries=4, slow=1), "retried"),
    Scene("a timeout is one failure, and slow", ["hang"], tally(1, 1, slow=1)),
    Scene("timeouts of tries", ["hang"], tally(1, 1, tries=4, failed_tries=4, slow=1), "retried"),
    Scene("a client that gives up is one failure, and slow", ["hang"], tally(1, 1, slow=1), patience=0.4),
    Scene("a reset is one failure, and slow", ["200", "reset"], tally(2, 1, slow=1)),
    Scene("resets at each try", ["reset"], tally(1, 1, tries=4, failed_tries=4, slow=1), "retried"),
    Scene("an answer that is cut off is a failure, whatever its code", ["200", "cut"], tally(2, 1, slow=1)),
    Scene("an answer that never ends is a failure, whatever its code", ["dumb"], tally(1, 1, slow=1)),
    Scene("a late answer is slow and no failure", ["slow", "200"], tally(2, 0, slow=1)),
    Scene("an answer that ends late is slow", ["drip"], tally(1, 0, slow=1)),
    Scene("an answer that only asks to go on is none", ["continue"], tally(1, 0)),
    Scene("what is upgraded may end without an answer", ["upgrade", "upgrade"], Tally(2, 0, 2, 0, 0, 0, 2)),
    grpc("a status of success", ["grpc-0", "grpc-0"], tally(2, 0)),
    grpc("a status that is the caller's doing is no failure", ["grpc-5", "bare-3"], tally(2, 0)),
    grpc("a status that is the server's doing is a failure", ["grpc-13", "bare-14"], tally(2, 2)),
    grpc("statuses behind retries", ["bare-14"], tally(1, 1, tries=4, failed_tries=4), "retried"),
    grpc("an answer without a status counts by its code", ["503"], tally(1, 1)),
    grpc("what Envoy says in place of an answer is one failure", ["grpc-0", "reset", "grpc-0"], tally(3, 1, slow=1)),
    grpc("a timeout of gRPC is one failure", ["hang", "grpc-0"], tally(2, 1, slow=1)),
    grpc("a stream that is cut off is a failure", ["grpc-0", "cut"], tally(2, 1, slow=1)),
    grpc("a failed connect of gRPC is one failure", [DEAD], tally(1, 1, slow=1)),
    tcp("connections that their clients end", ["echo", "echo"], 2, 0),
    tcp("a connection that the server ends", ["echo", "bye"], 2, 1),
    tcp("a connection that can't be made", [DEAD], 1, 1),
)


async def play(envoy: Envoy, http: httpx2.AsyncClient, http2: httpx2.AsyncClient) -> None:
    """All scenes at once. The clients are made before: that takes so long that requests would wait for it."""
    await asyncio.gather(*(_play(envoy, number, http, http2) for number in range(1, len(SCENES) + 1)))


async def _play(envoy: Envoy, number: int, http: httpx2.AsyncClient, http2: httpx2.AsyncClient) -> None:
    scene = SCENES[number - 1]
    base = f"http://127.0.0.1:{envoy.http}"
    for ask in scene.asks:
        try:
            if scene.protocol == "tcp":
                await _connect(envoy.tcp[number], ask)
            elif scene.protocol == "grpc":
                headers = {"content-type": "application/grpc", "te": "trailers"}
                url = f"{base}/g{number}.{scene.policy}/{ask}"
                await http2.post(url, content=b"\0\0\0\0\0", headers=headers, timeout=scene.patience)
            elif ask == "upgrade":
                await _upgrade(envoy.http, f"/r{number}/{scene.policy}/{ask}")
            else:
                headers = {"expect": "100-continue"} if ask == "continue" else {}
                url = f"{base}/r{number}/{scene.policy}/{ask}"
                await http.get(url, headers=headers, timeout=scene.patience)
        except (httpx2.HTTPError, OSError):
            continue


async def _connect(port: int, ask: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(ask.encode() + b"\r\n\r\n")
    await reader.read(1 if ask == "echo" else -1)
    writer.close()
    await writer.wait_closed()


async def _upgrade(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n".encode())
    await reader.read()
    writer.close()
    await writer.wait_closed()
