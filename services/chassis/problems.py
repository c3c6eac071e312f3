"""Errors as RFC 9457 problem details: one shape for every failure of every service, with what to do about it.

Code raises a ``Problem``; the handlers here turn it, a request that doesn't validate, an unknown path and a bug into
``application/problem+json``. A bug tells its caller nothing but the request id to ask for.
"""

from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from chassis import context
from chassis.remedies import remedy

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:seatrial:problem:"
_LONGEST_VALUE = 200


class FieldError(BaseModel):
    """One thing that is wrong in a request."""

    field: str = Field(description="Where: the path in the body like items[0].quantity, or the parameter's name.")
    location: str = Field(description="body, query, path or header.")
    value: Any = Field(description="What was given.")
    remedy: str = Field(description="What to give instead.")


class ProblemDetails(BaseModel):
    """An error, as RFC 9457 describes it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Kind of the problem: the same for all that need the same reaction.")
    title: str
    status: int
    detail: str = Field(description="What happened this time, and the remedy.")
    instance: str = Field(description="The path that was asked for.")
    requestId: str | None = Field(None, description="Find it in logs and traces.")  # noqa: N815 - JSON name
    errors: list[FieldError] | None = Field(None, description="For requests that don't validate.")


class Problem(Exception):  # noqa: N818 - the name that RFC 9457 gives it
    """A failure that the caller shall hear of. ``members`` are further members of the JSON object."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str | None = None,
        title: str | None = None,
        headers: dict[str, str] | None = None,
        **members: object,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.title = title or _phrase(status)
        self.kind = kind or self.title.lower().replace(" ", "-").replace("'", "")
        self.headers = headers
        self.members = members

    def response(self, path: str) -> JSONResponse:
        """The HTTP answer to a request for a path."""
        request = context.current()
        details = {
            "type": TYPE_PREFIX + self.kind,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": path,
            "requestId": request.request_id if request else None,
            **self.members,
        }
        return JSONResponse(details, status_code=self.status, headers=self.headers, media_type=MEDIA_TYPE)


def _phrase(status: int) -> str:
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return "Content too large"  # Python 3.13 has another name for it
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def install(app: FastAPI) -> None:
    """Make an application answer every failure with problem details, and say so in its OpenAPI document."""
    app.add_exception_handler(Problem, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(Exception, _on_bug)
    app.openapi = _Document(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend it


class _Document:
    """OpenAPI document in which errors have the media type that they are sent with."""

    def __init__(self, app: FastAPI) -> None:
        self._generate = app.openapi
        self._document: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        if self._document is None:
            document = self._generate()
            for operations in document.get("paths", {}).values():
                for operation in operations.values():
                    for status, response in operation["responses"].items():
                        if status >= "400" and (content := response.get("content")):
                            response["content"] = dict.fromkeys([MEDIA_TYPE], *content.values())
            self._document = document
        return self._document


async def _on_problem(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, Problem):
        raise error
    return error.response(request.url.path)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers) if error.headers else None
    detail = error.detail
    if error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = f"Nothing is served at {request.url.path}; /openapi.json lists what is."
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        detail = f"{request.method} isn't possible on {request.url.path}; the Allow header lists what is."
    return Problem(error.status_code, detail, headers=headers).response(request.url.path)


async def _on_invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    found = error.errors()
    if any(one["type"] == "json_invalid" for one in found):
        reason = found[0].get("ctx", {}).get("error", "")
        problem = Problem(HTTPStatus.BAD_REQUEST, f"The body is not JSON: {reason}. Send valid JSON.", kind="not-json")
        return problem.response(request.url.path)
    errors = [_field_error(one) for one in found]
    count = "One value is" if len(errors) == 1 else f"{len(errors)} values are"
    return Problem(
        422,
        f"{count} not acceptable: " + "; ".join(f"{e.field}: {e.remedy}" for e in errors),
        kind="invalid-request",
        title="Invalid request",
        errors=[one.model_dump() for one in errors],
    ).response(request.url.path)


async def _on_bug(request: Request, _: Exception) -> JSONResponse:
    return Problem(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "The service failed to handle this request. Its log has the cause under the request id.",
    ).response(request.url.path)


def _field_error(error: dict[str, Any]) -> FieldError:
    location, *path = error["loc"]
    field = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")
    value = None if error["type"] == "missing" else jsonable_encoder(error["input"])
    if isinstance(value, str) and len(value) > _LONGEST_VALUE:
        value = value[:_LONGEST_VALUE] + "…"
    return FieldError(field=field or location, location=location, value=value, remedy=remedy(error))
