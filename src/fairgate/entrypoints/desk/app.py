"""The desk's application."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Protocol

from fastapi import FastAPI
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Send
from starlette.types import Scope as Asgi

from fairgate import __version__
from fairgate.entrypoints.desk import (
    appeal_routes,
    audit_routes,
    bulk_routes,
    case_routes,
    challenge_routes,
    console,
    door_routes,
    gather_routes,
    job_routes,
    people_routes,
    quality_routes,
    record_routes,
    session_routes,
    shift_routes,
    sql_routes,
)
from fairgate.entrypoints.desk.answers import Health
from fairgate.entrypoints.desk.meters import CONTENT_TYPE
from fairgate.entrypoints.desk.office import Desk, Office
from fairgate.entrypoints.desk.problems import answer_problems, later, problem
from fairgate.entrypoints.desk.remembering import Remembering

#: The largest body: a pack as texts.
MOST_BYTES = 4 << 20
#: Requests at a time.
MOST_REQUESTS = 200
#: What a browser may call this machine by. A page elsewhere whose name was made to point here says another.
_LOCAL = frozenset({"127.0.0.1", "localhost", "[::1]"})
_ABOUT = """SQL over what the door has recorded, backtests and exports; what other services are told, the history of
actions, appeals against them, bulk actions, cases, who reviews them when and how well, challenges, and who did and read
what.

Send an API key as `Authorization: Bearer fg_...`, or log in by `POST /v1/session`; each operation says which scope it
needs. With a session's cookie, what changes anything needs the header `Fairgate-CSRF`. A loopback desk without any API
key or person is open to everyone on its machine."""
_log = logging.getLogger(__name__)


class Going(Protocol):
    """Something that runs by itself."""

    async def run(self) -> None:
        """Run until cancelled."""
        ...


def app_of(office: Office, failed: Callable[[], None]) -> FastAPI:
    """The application around an office; `failed` is called where something that must go on by itself has ended."""
    app = described(_life(office, failed))
    app.state.office = office
    answer_problems(app, office.watch.refused)
    app.add_middleware(Edge, office=office)
    return app


def described(lifespan: Callable[[FastAPI], Any] | None = None) -> FastAPI:
    """All that can be asked of a desk, with no office behind it: its OpenAPI is that of any."""
    app = FastAPI(
        title="Fairgate desk",
        version=__version__,
        description=_ABOUT,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        lifespan=lifespan,
    )
    app.include_router(sql_routes.routes)
    app.include_router(job_routes.routes)
    app.include_router(record_routes.routes)
    app.include_router(appeal_routes.routes)
    app.include_router(session_routes.routes)
    app.include_router(people_routes.routes)
    app.include_router(challenge_routes.routes)
    app.include_router(audit_routes.routes)
    app.include_router(case_routes.routes)
    app.include_router(gather_routes.routes)
    app.include_router(bulk_routes.routes)
    app.include_router(quality_routes.routes)
    app.include_router(shift_routes.routes)
    app.include_router(door_routes.routes)
    _operating(app)
    app.include_router(console.routes)  # last: it answers whatever else is asked for
    return app


def _life(office: Office, failed: Callable[[], None]) -> Callable[[FastAPI], Any]:
    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled():
            _log.critical("the desk can't go on", exc_info=task.exception())
            failed()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        """Run what runs by itself."""
        async with AsyncExitStack() as stack:
            stack.push_async_callback(office.workers.close)
            await office.workers.start()
            remembering = Remembering(office.door, office.workers, office.meters)
            going: tuple[Going, ...] = (
                office.upkeep, office.jobs, office.bulk_runner, office.outcomes, office.anchoring, office.watch,
                office.measuring, office.planning, remembering,
            )  # fmt: skip
            for each in going:
                task = asyncio.create_task(each.run())
                task.add_done_callback(ended)
                stack.push_async_callback(_cancelled, task)
            yield

    return life


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.wait([task])


def _operating(app: FastAPI) -> None:
    @app.get("/healthz", tags=["Operating"])
    async def healthz() -> Health:
        """200 while the process lives."""
        return Health("ok")

    @app.get("/readyz", tags=["Operating"], responses={503: {"model": Health}})
    async def readyz(desk: Desk) -> Health:
        """200 while the lake is kept up; 503 with the reason otherwise, and before the first round is over."""
        lag = desk.upkeep.lag
        if lag.records is None or lag.problem:
            return JSONResponse({"status": lag.problem or "the lake is being looked at"}, 503)  # type: ignore[return-value]
        return Health("ok")

    @app.get("/metrics", tags=["Operating"], response_class=Response)
    async def metrics(desk: Desk) -> Response:
        """The desk's metrics, for Prometheus."""
        desk.meters.lake_lag_seconds.set(desk.upkeep.lag.seconds)
        desk.meters.queries.set(desk.workers.taken)
        desk.meters.tell(await desk.records.reading(), await desk.backlog.hours_behind())
        return Response(desk.meters.render(), media_type=CONTENT_TYPE)


class Edge:
    """Before everything else: bounds bodies, turns strangers' pages away, and counts what is answered."""

    def __init__(self, app: ASGIApp, office: Office) -> None:
        self._app = app
        self._office = office
        self._going = 0

    async def __call__(self, scope: Asgi, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                route = getattr(scope.get("route"), "path", "other")
                self._office.meters.requests.labels(route, str(message["status"])).inc()
            await send(message)

        arrived = self._refused(scope) or await self._arrived(scope, receive)
        if isinstance(arrived, Response):
            await arrived(scope, receive, counted)
            return
        self._going += 1
        try:
            await self._app(scope, _again(arrived, receive), counted)
        finally:
            self._going -= 1

    def _refused(self, scope: Asgi) -> Response | None:
        """The answer to a request that is not looked at; None for others."""
        if self._office.access.open and not _local(dict(scope["headers"]).get(b"host", b"")):
            return problem(421, "not_here", "without API keys the desk answers to 127.0.0.1 and localhost alone")
        if self._going >= MOST_REQUESTS:
            return later("too many requests are being answered: ask again later")
        return None

    async def _arrived(self, scope: Asgi, receive: Receive) -> list[Message] | Response:
        """The messages of a body that has arrived whole, or the answer to one that has not."""
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        messages: list[Message] = []
        size = 0
        try:
            async with asyncio.timeout(self._office.settings.door.body_seconds):
                while max(size, int(declared) if declared.isdigit() else 0) <= MOST_BYTES:
                    message = await receive()
                    messages.append(message)
                    size += len(message.get("body", b""))
                    if size <= MOST_BYTES and not message.get("more_body", False):
                        return messages
        except TimeoutError:
            return problem(408, "slow", "the request did not arrive in time", headers=((b"connection", b"close"),))
        return problem(413, "too_large", f"at most {MOST_BYTES:,} bytes are taken here")


def _local(host: bytes) -> bool:
    name = host.decode("latin-1").lower()
    return name in _LOCAL or name.rpartition(":")[0] in _LOCAL


def _again(messages: list[Message], receive: Receive) -> Receive:
    """Gives what has been received once more, and then what else comes."""
    given = iter(messages)

    async def again() -> Message:
        return next(given, None) or await receive()

    return again
