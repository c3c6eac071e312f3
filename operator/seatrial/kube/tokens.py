"""Tokens of a ServiceAccount for one audience, asked of the API server and kept while they last.

istiod tells what it generates for the proxies of other namespaces only to the mesh's root namespace. The chart makes an
account without any rights there, and lets the operator ask for tokens of that one.
"""

import asyncio
import time
from collections.abc import Callable

import httpx2
from lightkube.config.client_adapter import AsyncClient, ConnectionParams
from lightkube.config.kubeconfig import SingleConfig

from seatrial.kube.errors import Unavailable, failure

LIFETIME = 3600  # seconds asked for
FRESH = 0.5  # share of it for which a token is used


class Tokens:
    """`current()` gives a valid token of `namespace`/`account` for `audience`."""

    def __init__(  # noqa: PLR0913 # a token is of someone, for someone
        self,
        config: SingleConfig,
        *,
        namespace: str,
        account: str,
        audience: str,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = AsyncClient(config, ConnectionParams(timeout=httpx2.Timeout(timeout)))
        self._path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token"
        self._body = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [audience], "expirationSeconds": LIFETIME},
        }
        self._clock = clock
        self._token = ""
        self._until = clock()
        self._asking = asyncio.Lock()

    async def current(self) -> str:
        """The token. Raises `NotFound` without the account, `Forbidden` without the right to it, or `Unavailable`."""
        async with self._asking:
            if self._clock() >= self._until:
                asked = self._clock()
                self._token = await self._ask()
                self._until = asked + LIFETIME * FRESH
            return self._token

    async def close(self) -> None:
        """End the connections."""
        await self._client.aclose()

    async def _ask(self) -> str:
        try:
            answer = await self._client.post(self._path, json=self._body)
        except (httpx2.HTTPError, OSError) as error:
            raise Unavailable(f"{self._path}: {error or type(error).__name__}") from error
        if answer.status_code not in {200, 201}:
            raise failure(answer.status_code, f"POST {self._path} answers {answer.status_code}")
        token: str = answer.json()["status"]["token"]
        return token
