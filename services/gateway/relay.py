"""Passing a request on to a service and its answer back, unchanged but for what names places."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote

from fastapi import Request, Response

from chassis.outbound import Upstream

_ANSWER_HEADERS: Final = ("content-type", "cache-control", "etag", "retry-after", "allow")


async def relay(
    request: Request,
    upstream: Upstream,
    path: str,
    *,
    moved: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Ask an upstream what we were asked, at ``path``, and answer what it answers.

    ``moved`` maps prefixes of paths there to ours, for the Location of what was made. Raises the chassis' ``Problem``
    when there is no answer.
    """
    content = await request.body()
    sent = dict(headers or {})
    if content:
        sent["content-type"] = request.headers.get("content-type", "application/json")
    answer = await upstream.request(
        request.method, path, query=request.query_params.multi_items(), content=content or None, headers=sent
    )
    kept = {name: value for name in _ANSWER_HEADERS if (value := answer.headers.get(name)) is not None}
    if location := answer.headers.get("location"):
        kept["location"] = _move(location, moved or {})
    return Response(answer.content, status_code=answer.status_code, headers=kept)


def segment(text: str) -> str:
    """A path parameter as one segment of an upstream's path: a slash in it leads nowhere else."""
    return quote(text, safe="")


def _move(location: str, moved: Mapping[str, str]) -> str:
    for theirs, ours in moved.items():
        if location.startswith(theirs):
            return ours + location.removeprefix(theirs)
    return location
