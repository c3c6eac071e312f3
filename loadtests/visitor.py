"""A user's HTTP client: Locust's FastHttp session, made strict for counting what is lost (gevent).

Locust's client repeats a GET silently when a connection is closed on it, as often as its pool is large. That is kind
to a browser and fatal here: it hides the very requests this project promises not to lose. So a request goes out once,
whatever becomes of it. It has one time limit for all of it, and every status is an answer to be judged.
"""

import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar, cast

import gevent
from geventhttpclient.client import HTTPClient, HTTPClientPool
from geventhttpclient.response import HTTPSocketPoolResponse
from locust.contrib.fasthttp import FastHttpSession, LocustUserAgent, ResponseContextManager
from locust.event import EventHook

from loadtests.answers import Answer, Read, WrongAnswer
from loadtests.recorder import Recorder
from loadtests.served_by import HEADER

T = TypeVar("T")


class Ended(Exception):  # noqa: N818 - the end of a journey isn't an error of this program
    """The journey can't go on; what went wrong has been recorded."""


class OneTryClient(HTTPClient):
    """Sends a request once."""

    def request(
        self,
        method: str,
        request_uri: str,
        body: Any = b"",  # noqa: ANN401 - as the base class has it
        headers: Any = None,  # noqa: ANN401
    ) -> HTTPSocketPoolResponse:
        """Send it over a connection that isn't known to be closed, and read the head of the answer."""
        payload = body.encode() if isinstance(body, str) else bytes(body or b"")
        head = self._build_request(method.upper(), request_uri, body=payload, headers=headers)
        sock = self._connection_pool.get_socket()
        try:
            sock.sendall(head.encode("latin-1") + payload)
        except BaseException:
            self._connection_pool.release_socket(sock)
            raise
        response = HTTPSocketPoolResponse(
            sock,
            self._connection_pool,
            block_size=self.block_size,
            method=method.upper(),
            headers_type=self.headers_type,
        )
        response._sent_request = head  # noqa: SLF001 - the base class does the same
        return response


class OneTryPool(HTTPClientPool):
    """Connections for `OneTryClient`s; `concurrency` is the most of them at once, a host."""

    def get_client(self, url: Any) -> HTTPClient:  # noqa: ANN401 - as the base class has it
        """The client of the URL's host and port."""
        key = url.host, url.port
        if key not in self.clients:
            self.clients[key] = OneTryClient.from_url(url, **self.client_args)
        return self.clients[key]


def pool(*, concurrency: int, timeout: float) -> OneTryPool:
    """Make a pool whose every wait ends after `timeout` seconds."""
    return OneTryPool(concurrency=concurrency, network_timeout=timeout, connection_timeout=timeout)


class AnyStatusAgent(LocustUserAgent):
    """Takes every status as an answer: which ones are wrong, the reader of the answer says."""

    valid_response_codes = frozenset(range(100, 600))


def session(
    base_url: str, events: EventHook, connections: OneTryPool, headers: Iterable[tuple[str, str]]
) -> FastHttpSession:
    """Make the session of one user: no cookies yet, connections from the pool."""
    made = FastHttpSession(base_url, events, None, client_pool=connections)
    made.client = AnyStatusAgent(
        client_pool=connections, cookiejar=made.cookiejar, headers=dict(headers), max_retries=0, insecure=True
    )
    return made


class Visitor:
    """One user on one journey. The first request was due at `intended`, each further one when it is made."""

    def __init__(
        self, http: FastHttpSession, recorder: Recorder, *, number: int, intended: float | None, timeout: float
    ) -> None:
        self.number = number
        self._http = http
        self._recorder = recorder
        self._intended = intended
        self._timeout = timeout

    def ask(  # noqa: PLR0913 - the parts of a request
        self,
        method: str,
        path: str,
        read: Read[T],
        *,
        name: str = "",
        body: object = None,
        headers: Mapping[str, str] | None = None,
    ) -> T:
        """Make a request, let `read` judge the answer, and record both; raises `Ended` unless all went well.

        A `body` that isn't text goes out as JSON.
        """
        name = name or f"{method} {path.partition('?')[0]}"
        sent = dict(headers or {})
        if body is not None and not isinstance(body, str):
            body = json.dumps(body)
            sent.setdefault("Content-Type", "application/json")
        started = time.monotonic()
        intended, self._intended = self._intended or started, None
        with self._send(method, path, name, body, sent) as response:
            ended = time.monotonic()
            response.request_meta["response_time"] = 1000 * (ended - intended)
            answer = _answer(response)
            if answer is None:
                value, error = None, _reason(response.request_meta["exception"], self._timeout)
            else:
                value, error = _judge(answer, read)
            if error:
                response.failure(error)
            else:
                response.success()
        self._recorder.request(
            number=self.number,
            name=name,
            intended=intended,
            started=started,
            ended=ended,
            status=answer.status if answer else 0,
            error=error,
            chain=answer.headers.get(HEADER, "") if answer else "",
        )
        if error:
            raise Ended
        return cast("T", value)

    def _send(self, method: str, path: str, name: str, body: object, headers: dict[str, str]) -> ResponseContextManager:
        with gevent.Timeout(self._timeout):
            return self._http.request(
                method,
                path,
                name=name.removeprefix(f"{method} "),  # Locust shows the method in a column of its own
                data=body,  # type: ignore[arg-type]
                headers=headers,
                catch_response=True,
                allow_redirects=False,
            )


def _answer(response: ResponseContextManager) -> Answer | None:
    """The whole answer, or None where the connection failed before its end."""
    if response.request_meta["exception"] is not None or not response.status_code:
        return None
    headers = {name.lower(): value for name, value in (response.headers or {}).items()}
    return Answer(response.status_code, headers, response.content or b"")


def _judge(answer: Answer, read: Read[T]) -> tuple[T | None, str]:
    try:
        return read(answer), ""
    except WrongAnswer as wrong:
        return None, str(wrong)


def _reason(error: BaseException | None, timeout: float) -> str:
    """Why there is no answer, in a few words."""
    cause = getattr(error, "original", None) or error
    if isinstance(cause, gevent.Timeout | TimeoutError):
        return f"no answer within {timeout:g} s"
    text = str(cause)
    return f"{type(cause).__name__}: {text}" if text else type(cause).__name__
