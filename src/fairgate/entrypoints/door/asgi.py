"""The ASGI application: finds the route, checks the caller, reads the body, asks the handler, and answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from fairgate.domain.access import Granted
from fairgate.domain.access import Scope as KeyScope
from fairgate.domain.errors import DeadlinePassed, LogError, PipelineStopped, QueueFull
from fairgate.entrypoints.access import Access, Denied, of_this_machine
from fairgate.entrypoints.door.decide import CALL_SITE
from fairgate.entrypoints.door.door import Door
from fairgate.entrypoints.door.http import Request, Response, problem
from fairgate.entrypoints.door.queue import Bodies, BodiesTooMany, BodyTooLarge, ClientGone, Receive
from fairgate.entrypoints.door.routes import ROUTES, Route, Router
from fairgate.monitor.logs import REQUEST
from fairgate.ports.traces import Traces

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_NOBODY = Granted("", "", frozenset())
_FROM_A_PAGE = Denied(
    403, "from_a_page", "without API keys the door answers programs on this machine, and no web pages", ()
)
_FAILED = problem(500, "failed", "this request failed; the service's own output says why")
_CLOSING = problem(503, "stopped", "the door is being closed: send it again", headers=((b"retry-after", b"3"),))
_NOT_FOUND = problem(404, "not_found", "there is nothing at this path")
#: Seconds that a caller is told to wait, drawn so that not all come back at once.
_RETRY_SECONDS = (1, 3)
_MOST_QUERY = 32
_log = logging.getLogger(__name__)


class Application:
    """The door to an ASGI server."""

    def __init__(self, door: Door, access: Access, traces: Traces, routes: Sequence[Route] = ROUTES) -> None:
        self.door = door
        self._access = access
        self._traces = traces
        self._router = Router(routes)
        self._bodies = Bodies(door.settings.door.queue_megabytes << 20)
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        began = time.monotonic()
        self._count += 1
        REQUEST.set(f"{self._count:x}")
        found, params = self._router.find(scope["raw_path"].decode("latin-1"))
        route = found.get(scope["method"])
        headers: dict[bytes, bytes] = dict(scope["headers"])
        self.door.requests += 1
        try:
            if route is None:
                response = _not_allowed(found) if found else _NOT_FOUND
            else:
                response = await self._answer(route, params, headers, scope["query_string"], receive)
        except ClientGone:
            return
        except asyncio.CancelledError:  # the server is stopping, and has waited long enough
            response = _CLOSING
        finally:
            self.door.requests -= 1
        body = response.body
        fields = [*response.headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": fields})
        await send({"type": "http.response.body", "body": body})
        self._count_answer(route, headers, response.status, time.monotonic() - began)

    async def _answer(
        self, route: Route, params: Mapping[str, str], headers: Mapping[bytes, bytes], query: bytes, receive: Receive
    ) -> Response:
        granted = _NOBODY if route.scope is None else self._granted(route.scope, route.also, headers)
        if isinstance(granted, Denied):
            return problem(granted.status, granted.code, granted.reason, headers=granted.headers)
        try:
            body = await self._bodies.read(receive, route.largest, headers.get(b"content-length", b""))
        except (BodyTooLarge, BodiesTooMany) as error:
            return self._failed(error)
        trace = self._traces.request(route.path, headers.get(b"traceparent"))
        response = _FAILED
        try:
            request = Request(params, _query(query), headers, body, granted.by, granted.scopes, trace, granted.key)
            response = await route.handler(self.door, request)
        except Exception as error:  # noqa: BLE001 - one request must not end the service
            response = self._failed(error)
        finally:
            self._bodies.release(body)
            trace.end(response.status)
        return response

    def _granted(self, scope: KeyScope, also: KeyScope | None, headers: Mapping[bytes, bytes]) -> Granted | Denied:
        if self._access.open and not of_this_machine(headers):
            return _FROM_A_PAGE
        key = headers.get(b"authorization")
        found = self._access.check(key, scope)
        if isinstance(found, Denied) and also is not None:
            other = self._access.check(key, also)
            return other if isinstance(other, Granted) else found
        return found

    def _failed(self, error: Exception) -> Response:
        """What is answered where a body can't be read or its handler has raised."""
        match error:
            case BodyTooLarge():
                return problem(413, "too_large", f"at most {error.limit:,} bytes are taken here")
            case BodiesTooMany():
                return self._later(429, "busy", "too many large requests come in at a time: send it again later")
            case QueueFull():
                return self._later(429, "busy", "too many events wait to be written to disk: send it again later")
            case DeadlinePassed():
                return self._later(503, "late", "it is not on disk yet, and may come to be: send it again")
            case PipelineStopped() | LogError():
                reason = "the log can't be written: send it again, it is tried until it can"
                return self._later(503, "stopped", reason)
            case _:
                _log.error("a request failed; the door goes on", exc_info=error)
                return _FAILED

    def _count_answer(self, route: Route | None, headers: Mapping[bytes, bytes], status: int, seconds: float) -> None:
        site = headers.get(CALL_SITE, b"default").decode("latin-1") if route is not None and route.has_policy else ""
        self.door.metrics.answered("" if route is None else route.path, status, seconds, site)

    def _later(self, status: int, code: str, reason: str) -> Response:
        seconds = str(self.door.draw.randint(*_RETRY_SECONDS)).encode()
        return problem(status, code, reason, headers=((b"retry-after", seconds),))

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.door.close()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _not_allowed(routes: Mapping[str, Route]) -> Response:
    allowed = ", ".join(sorted(routes))
    return problem(405, "method_not_allowed", f"this path takes {allowed}", headers=((b"allow", allowed.encode()),))


def _query(text: bytes) -> Mapping[str, str]:
    return dict(parse_qsl(text.decode("latin-1"), keep_blank_values=True)[:_MOST_QUERY]) if text else {}
