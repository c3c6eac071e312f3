"""The start page in one request: parts of several services, gathered at the same time, some of which may be missing."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any

from pydantic import BaseModel, Field

from chassis.problems import Problem


class Missing(BaseModel):
    """A part that couldn't be had."""

    part: str
    status: int
    detail: str


class Home(BaseModel):
    """Parts of the start page. A part that is missing is null here and named in ``missing``."""

    catalog: dict[str, Any] | None = Field(description="Products, as in /api/v1/catalog.")
    orders: dict[str, Any] | None = Field(description="The customer's recent orders, as in /api/v1/orders.")
    missing: list[Missing] = Field(description="Empty when all is there.")


async def gather(parts: Mapping[str, Awaitable[dict[str, Any]]]) -> Home:
    """Wait for all parts. What fails is left out; raises a ``Problem`` only when nothing at all is left."""
    answers = dict(zip(parts, await asyncio.gather(*(_attempt(part) for part in parts.values())), strict=True))
    failures = {name: answer for name, answer in answers.items() if isinstance(answer, Problem)}
    if len(failures) == len(answers):
        raise Problem(
            503,
            "Nothing of this page can be had now: " + " ".join(failure.detail for failure in failures.values()),
            kind="upstream-unavailable",
            title="Upstream unavailable",
            headers={"retry-after": "1"},
        )
    found = {name: answer for name, answer in answers.items() if not isinstance(answer, Problem)}
    return Home(
        catalog=found.get("catalog"),
        orders=found.get("orders"),
        missing=[Missing(part=name, status=one.status, detail=one.detail) for name, one in failures.items()],
    )


async def _attempt(part: Awaitable[dict[str, Any]]) -> dict[str, Any] | Problem:
    try:
        return await part
    except Problem as problem:
        return problem
