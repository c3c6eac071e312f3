"""How calls travel to the API server: by aiohttp's connections, underneath lightkube and httpx.

httpx' own pool asks each of its connections for its state at each call, and reads and writes by several layers: with
dozens of writes a second that was half of what a write took. Nothing can be streamed this way: a watch never ends.
"""

from urllib.request import getproxies, proxy_bypass

import aiohttp
import httpx2
from lightkube.config.client_adapter import verify_cluster
from lightkube.config.kubeconfig import SingleConfig
from lightkube.config.models import User
from yarl import URL

CONNECT_WITHIN = 5.0  # seconds
IDLE = 30.0  # seconds for which a connection is kept
AT_ONCE = 32  # calls under way: more would wait in the API server instead of here, on a connection each
_ITS_OWN = frozenset({"host", "connection", "content-length", "accept-encoding"})  # headers that aiohttp sets
_UNDONE = frozenset({"content-encoding", "content-length", "transfer-encoding"})  # what aiohttp has read by already


class Transport(httpx2.AsyncBaseTransport):
    """Connections to one API server. Raises `httpx2.TransportError` where a call gets no answer."""

    def __init__(self, config: SingleConfig) -> None:
        self._proxy = _proxy(URL(config.cluster.server))
        self._tls = verify_cluster(config.cluster, config.user or User(), config.abs_file)
        self._session: aiohttp.ClientSession | None = None  # made where the event loop runs

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send it, and read all of the answer."""
        headers = {name: value for name, value in request.headers.items() if name not in _ITS_OWN}
        body = await request.aread()
        try:
            async with self._connections().request(
                request.method,
                URL(str(request.url), encoded=True),
                headers=headers,
                data=body or None,
                allow_redirects=False,
            ) as answer:
                content = await answer.read()
        except aiohttp.ClientError as error:
            raise httpx2.TransportError(str(error) or type(error).__name__) from error
        said = [(name, value) for name, value in answer.headers.items() if name.lower() not in _UNDONE]
        return httpx2.Response(answer.status, headers=said, content=content, request=request)

    async def aclose(self) -> None:
        """End the connections."""
        if self._session is not None:
            await self._session.close()

    def _connections(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(ssl=self._tls, keepalive_timeout=IDLE, limit=AT_ONCE),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_WITHIN),
                proxy=self._proxy,
            )
        return self._session


def _proxy(server: URL) -> str | None:
    """The one that the environment names for it. aiohttp would look for it at each call, in a thread."""
    return None if proxy_bypass(server.host or "") else getproxies().get(server.scheme)
