"""What a request is to its handler, and what the handler gives back."""

from collections.abc import Mapping

import msgspec

from fairgate.domain.access import Scope
from fairgate.monitor.traces import NO_TRACE
from fairgate.ports.traces import RequestTrace

JSON = ((b"content-type", b"application/json"),)
encode = msgspec.json.Encoder().encode


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request that has arrived whole, from a caller who may make it."""

    #: The parts of the path that the route names in braces, percent-decoded.
    params: Mapping[str, str]
    #: Of a name given twice the last counts.
    query: Mapping[str, str]
    #: Names in lower case; of one given twice the last counts.
    headers: Mapping[bytes, bytes]
    body: bytes
    #: The name of the caller's API key, and what it may do.
    by: str
    scopes: frozenset[Scope]
    trace: RequestTrace = NO_TRACE
    #: The id of the caller's API key.
    key: str = ""


class Response(msgspec.Struct, frozen=True, gc=False):
    """An answer. `content-length` is added when it is sent."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = JSON


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why something was not done: a stable code, and a reason in words that never repeats what was sent."""

    code: str
    reason: str
    field: str = ""


class Problems(msgspec.Struct, frozen=True):
    """The body of an answer that is an error."""

    error: Problem


def problem(
    status: int, code: str, reason: str, field: str = "", headers: tuple[tuple[bytes, bytes], ...] = ()
) -> Response:
    """The answer to what can't be done; `headers` beside the content type."""
    return Response(status, encode(Problems(Problem(code, reason, field))), JSON + headers)
