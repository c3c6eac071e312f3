"""How a port of a pod is asked: by its IP inside the cluster, through the API server's pod proxy from a laptop."""

import asyncio
from collections.abc import Mapping
from functools import lru_cache

import aiohttp
import httpx2
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig
from yarl import URL

from seatrial.kube.errors import Unavailable, failure

IDLE = 30.0  # seconds for which a connection is kept: a proxy is asked once a second while a rollout is active


class PodReach:
    """GET from pods. ``direct`` is for processes on the cluster's network; the other way needs ``pods/proxy``.

    The API server takes the Authorization header for its own and doesn't pass it on: what asks for a token can't be
    reached that way, and says 401.
    """

    def __init__(self, config: SingleConfig, *, direct: bool, timeout: float = 2.0) -> None:
        self.direct = direct
        self._timeout = timeout
        self._client = _Direct() if direct else _Proxied(config, timeout)

    async def close(self) -> None:
        """End the connections."""
        await self._client.close()

    async def get(  # noqa: PLR0913 # an address has as many parts
        self,
        *,
        namespace: str,
        pod: str,
        ip: str,
        port: int,
        path: str,
        headers: Mapping[str, str] | None = None,
    ) -> bytes:
        """The body of a 200, or `ApiFailure`. `path` begins with a slash and may have a query."""
        host = f"[{ip}]" if ":" in ip else ip
        proxied = f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"
        return await self.fetch(f"http://{host}:{port}{path}" if self.direct else proxied, headers)

    async def fetch(self, url: str, headers: Mapping[str, str] | None = None) -> bytes:
        """The body of a 200 from an address as it is."""
        try:
            async with asyncio.timeout(self._timeout):
                status, body = await self._client.get(url, dict(headers or {}))
        except (aiohttp.ClientError, httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"{url}: {str(error) or type(error).__name__}") from error
        if status != 200:
            raise failure(status, f"{url} answers {status}")
        return body


class _Direct:
    """Hundreds of pods a second: connections are kept, and nobody compresses what goes over the cluster's network."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None  # made where the event loop runs

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE)
            self._session = aiohttp.ClientSession(
                connector=connector,
                headers={"Accept-Encoding": "identity"},
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None),  # who asks has a limit of his own
            )
        async with self._session.get(_address(url), headers=headers) as answer:
            return answer.status, await answer.read()

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()


@lru_cache(maxsize=4096)
def _address(url: str) -> URL:
    """The same ones are asked each second."""
    return URL(url, encoded=True)


class _Proxied:
    """By way of the API server, with the user's credentials."""

    def __init__(self, config: SingleConfig, timeout: float) -> None:
        self._client = AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(timeout)))

    async def get(self, url: str, headers: dict[str, str]) -> tuple[int, bytes]:
        answer = await self._client.get(url, headers=headers)
        return answer.status_code, answer.content

    async def close(self) -> None:
        await self._client.aclose()
