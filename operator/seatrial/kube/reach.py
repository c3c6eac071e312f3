"""How a port of a pod is asked: by its IP inside the cluster, through the API server's pod proxy from a laptop."""

import asyncio
from collections.abc import Mapping

import httpx2
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig

from seatrial.kube.errors import Unavailable, failure


class PodReach:
    """GET from pods. ``direct`` is for processes on the cluster's network; the other way needs ``pods/proxy``.

    The API server takes the Authorization header for its own and doesn't pass it on: what asks for a token can't be
    reached that way, and says 401.
    """

    def __init__(self, config: SingleConfig, *, direct: bool, timeout: float = 2.0) -> None:
        self.direct = direct
        self._timeout = timeout
        limits = httpx2.Limits(max_connections=64, max_keepalive_connections=32)
        self._client = (
            httpx2.AsyncClient(timeout=timeout, limits=limits, trust_env=False)
            if direct
            else AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(timeout)))
        )

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

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
                answer = await self._client.get(url, headers=dict(headers or {}))
        except (httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"{url}: {error or type(error).__name__}") from error
        if answer.status_code != 200:
            raise failure(answer.status_code, f"{url} answers {answer.status_code}")
        return answer.content
