"""The ASGI application of the sidecar: finds the route, checks the caller, reads the body, answers."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

from fairgate.domain.access import Granted
from fairgate.domain.access import Scope as KeyScope
from fairgate.domain.errors import BadAmount, SharesUnusable
from fairgate.entrypoints.access import Access, Denied, of_this_machine
from fairgate.entrypoints.door.http import Response, problem
from fairgate.entrypoints.door.queue import Bodies, BodiesTooMany, BodyTooLarge, ClientGone, Receive
from fairgate.entrypoints.share import handlers, leases, webhook
from fairgate.entrypoints.share.handlers import Handler, Request, Unfit, later
from fairgate.entrypoints.share.sidecar import Behind, Sidecar
from fairgate.integrations.driver import ShareClosed
from fairgate.monitor.logs import REQUEST
from fairgate.settings import Settings

Scope: TypeAlias = MutableMapping[str, Any]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_BODY, _BATCH = 8 * 1024, 128 * 1024
#: Bytes of large bodies that are held at a time.
_HELD = 64 << 20
_EXPLAIN = "/v1/share/explain/"
_NOT_FOUND = problem(404, "not_found", "there is nothing at this path")
_FAILED = problem(500, "failed", "this request failed; the sidecar's own output says why")
_CLOSING = later(503, "stopped", "the sidecar is being closed: ask again", 2.0)
_UNWRITABLE = problem(503, "unwritable", "this can't be written down, so it does not count: the output says why")
_CROWDED = later(429, "busy", "too many large requests come in at a time: send it again later", 2.0)
_FROM_A_PAGE = problem(
    403, "from_a_page", "without API keys the sidecar answers programs on this machine, and no web pages"
)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Route:
    """A request that is answered. Without a scope the handler alone says who may ask; `largest` is in bytes."""

    method: str
    path: str
    scope: KeyScope | None
    largest: int
    handler: Handler


ROUTES: Final = (
    Route("POST", "/v1/share/acquire", KeyScope.SHARE, _BODY, handlers.acquire),
    Route("POST", "/v1/share/charge", KeyScope.SHARE, _BATCH, handlers.charge),
    Route("POST", "/v1/share/settle", KeyScope.SHARE, _BODY, handlers.settle),
    Route("POST", "/v1/share/abort", KeyScope.SHARE, _BODY, handlers.abort),
    Route("POST", leases.PATH, KeyScope.SHARE, leases.LARGEST, leases.leases),
    Route("POST", webhook.PATH, None, webhook.LARGEST, webhook.standing),
    Route("POST", "/v1/share/principal", KeyScope.ENFORCE, _BODY, handlers.principal),
    Route("POST", "/v1/share/capacity", KeyScope.ENFORCE, _BODY, handlers.capacity),
    Route("GET", "/v1/share/state", KeyScope.READ, 0, handlers.state),
    Route("GET", "/v1/share/explain/{account}", KeyScope.READ, 0, handlers.explain),
    Route("GET", "/metrics", KeyScope.READ, 0, handlers.metrics),
    Route("GET", "/healthz", None, 0, handlers.healthz),
    Route("GET", "/readyz", None, 0, handlers.readyz),
)
_BY_PATH: Final[Mapping[str, Route]] = {route.path: route for route in ROUTES}
PATHS: Final = tuple(_BY_PATH)


class Application:
    """The sidecar to an ASGI server. `settings.door` has the limits of its connections."""

    def __init__(self, sidecar: Sidecar, settings: Settings, access: Access) -> None:
        self.sidecar = sidecar
        #: What the server's connections ask for: the same as of a door.
        self.door = Behind(settings, sidecar.meters)
        self._access = access
        self._bodies = Bodies(_HELD)
        self._count = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        began = time.monotonic()
        self._count += 1
        REQUEST.set(f"{self._count:x}")
        route, account = _find(scope["raw_path"].decode("latin-1"))
        try:
            response = await self._answer(route, account, scope, receive)
        except ClientGone:
            return
        except asyncio.CancelledError:  # the server is stopping, and has waited long enough
            response = _CLOSING
        body = response.body
        fields = [*response.headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": response.status, "headers": fields})
        await send({"type": "http.response.body", "body": body})
        path = "" if route is None else route.path
        self.sidecar.meters.answered(path, response.status, time.monotonic() - began)

    def stop(self) -> None:
        """Tell all who wait, and all who come, that nothing is granted any more."""
        self.sidecar.driver.close()

    async def _answer(self, route: Route | None, account: str, scope: Scope, receive: Receive) -> Response:
        if route is None:
            return _NOT_FOUND
        if scope["method"] != route.method:
            allow = ((b"allow", route.method.encode()),)
            return problem(405, "method_not_allowed", f"this path takes {route.method}", headers=allow)
        headers: dict[bytes, bytes] = dict(scope["headers"])
        by = self._granted(route.scope, headers)
        if isinstance(by, Response):
            return by
        body = b""
        try:
            body = await self._bodies.read(receive, route.largest, headers.get(b"content-length", b""))
            return await route.handler(self.sidecar, Request(body, by, receive, account, headers))
        except ClientGone:
            raise
        except BodyTooLarge as error:
            if route.path == webhook.PATH:
                self.sidecar.meters.refused["too_large"].inc()
            return _failed(error)
        except Exception as error:  # noqa: BLE001 - one request must not end the service
            return _failed(error)
        finally:
            self._bodies.release(body)

    def _granted(self, scope: KeyScope | None, headers: Mapping[bytes, bytes]) -> str | Response:
        """The name of the caller's key, or why there is no answer."""
        if scope is None:
            return ""
        if self._access.open and not of_this_machine(headers):
            return _FROM_A_PAGE
        found: Granted | Denied = self._access.check(headers.get(b"authorization"), scope)
        if isinstance(found, Denied):
            return problem(found.status, found.code, found.reason, headers=found.headers)
        return found.by

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                self.stop()
                await send({"type": "lifespan.shutdown.complete"})
                return


def _find(path: str) -> tuple[Route | None, str]:
    """The route of a path that is still percent-encoded, and the account in it, which may have an encoded slash."""
    route = _BY_PATH.get(path)
    if route is not None and "{" not in path:
        return route, ""
    account = path.removeprefix(_EXPLAIN)
    if account != path and account and "/" not in account:
        return _BY_PATH[f"{_EXPLAIN}{{account}}"], unquote(account)
    return None, ""


def _failed(error: Exception) -> Response:
    match error:
        case Unfit():
            return error.response
        case ShareClosed():
            return _CLOSING
        case BodyTooLarge():
            return problem(413, "too_large", f"at most {error.limit:,} bytes are taken here")
        case BodiesTooMany():
            return _CROWDED
        case BadAmount():
            return problem(400, "invalid", str(error))
        case SharesUnusable():
            _log.error("what was said can't be written down", exc_info=error)
            return _UNWRITABLE
        case _:
            _log.error("a request failed; the sidecar goes on", exc_info=error)
            return _FAILED
