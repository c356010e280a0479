"""Errors as answers: whatever goes wrong, the caller gets a code and a reason in words, and never what was sent."""

import logging
import secrets
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from fairgate.domain.errors import DeskUnwritable, RecordsUnavailable
from fairgate.entrypoints.desk.answers import ProblemAnswer
from fairgate.entrypoints.desk.jobs import Busy
from fairgate.entrypoints.desk.records import NoRecords
from fairgate.entrypoints.desk.tasks import Refused
from fairgate.entrypoints.door import http

#: Seconds that a caller is told to wait, drawn so that not all come back at once.
_RETRY_SECONDS = (1, 3)
_UNREADABLE, _LATER = 400, 429
_draw = secrets.SystemRandom()
_log = logging.getLogger(__name__)


class Refusal(Exception):
    """Ends a request with this answer."""

    def __init__(
        self, status: int, code: str, reason: str, field: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()
    ) -> None:
        super().__init__(status, code)
        self.status, self.code, self.reason = status, code, reason
        self.response = problem(status, code, reason, field, headers)


def problem(
    status: int, code: str, reason: str, field: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Response:
    """The answer to what can't be done, in the same words and shape as the door's."""
    answer = http.problem(status, code, reason, field, headers)
    return Response(
        answer.body, answer.status, {name.decode("latin-1"): value.decode("latin-1") for name, value in answer.headers}
    )


def later(reason: str) -> Response:
    """The answer to what can't be done yet."""
    return problem(_LATER, "busy", reason, headers=_retry())


def refusal_of(refused: Refused) -> Refusal:
    """What a worker refused, as an answer."""
    headers = _retry() if refused.status == _LATER else ()
    return Refusal(refused.status, refused.code, refused.reason, headers=headers)


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for its OpenAPI."""
    return {status: {"model": ProblemAnswer, "description": _DESCRIPTIONS[status]} for status in statuses}


_DESCRIPTIONS = {
    401: "no API key or session, or one that doesn't count",
    403: "the API key or the role lacks a scope; or the page of another site asked (`csrf`)",
    404: "there is nothing of that id",
    409: "it has ended already, or something else stands in the way; `code` says what",
    413: "the body is too large",
    422: "what was asked for is wrong, and can't be done as it is",
    429: "too many wait already; `Retry-After` says when to ask again",
    500: "something in Fairgate is broken; its log says what",
    503: "it can't be done now: the disk fails, or a process ended",
}


def answer_problems(app: FastAPI, told: Callable[[Request, Refusal], None]) -> None:
    """Let everything that goes wrong in `app` be answered so; `told` is told of each refusal."""

    @app.exception_handler(Refusal)
    async def refused(request: Request, error: Refusal) -> Response:
        told(request, error)
        return error.response

    @app.exception_handler(RequestValidationError)
    async def wrong(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"][1:] if first["type"] != "json_invalid")
        return problem(422, "malformed", _words(first), field)

    @app.exception_handler(HTTPException)
    async def http_error(_: Request, error: HTTPException) -> Response:
        if error.status_code == _UNREADABLE:
            return problem(422, "malformed", "the body is not JSON")
        code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "refused")
        headers = tuple((name.encode(), value.encode()) for name, value in (error.headers or {}).items())
        return problem(error.status_code, code, str(error.detail).lower(), headers=headers)

    @app.exception_handler(Busy)
    async def busy(_: Request, __: Busy) -> Response:
        return later("too many jobs wait already: ask again later")

    @app.exception_handler(DeskUnwritable)
    async def unwritable(_: Request, error: DeskUnwritable) -> Response:
        _log.error("a request could not be written down, and so was not done", exc_info=error)
        return problem(503, "unwritable", "it can't be written down, so it is not done: the service's output says why")

    @app.exception_handler(NoRecords)
    async def no_records(_: Request, __: NoRecords) -> Response:
        return problem(
            503, "no_records", "there are no records yet: the clerk makes them, which `fairgate serve` starts"
        )

    @app.exception_handler(RecordsUnavailable)
    async def no_use(_: Request, error: RecordsUnavailable) -> Response:
        _log.error("a request could not be answered from the clerk's records", exc_info=error)
        return problem(503, "records_unavailable", "the records can't be used: the service's output says why")

    @app.exception_handler(Exception)
    async def failed(_: Request, __: Exception) -> Response:
        return problem(500, "failed", "this request failed; the service's own output says why")


def _retry() -> tuple[tuple[bytes, bytes], ...]:
    return ((b"retry-after", str(_draw.randint(*_RETRY_SECONDS)).encode()),)


def _words(error: Any) -> str:  # noqa: ANN401 - as the validation library has it
    """What is wrong, without what was sent."""
    if error["type"] == "json_invalid":
        return f"this is not JSON at byte {error['loc'][-1]}: {error.get('ctx', {}).get('error', 'malformed')}"
    if error["loc"] == ("body",):
        return "the body must be a JSON object, sent as application/json"
    return str(error["msg"]).removeprefix("Value error, ").lower()
