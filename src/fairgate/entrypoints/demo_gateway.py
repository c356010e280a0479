"""Another team's gateway in the demo: a small service on this machine that is told how accounts stand, and the clerk.

It is what anybody would write who follows docs/how-to/act.md: it checks who sent a message, and keeps the last word
about each account.
"""

import asyncio
import base64
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from contextlib import ExitStack, asynccontextmanager, closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Final, TypeAlias

import msgspec

from fairgate.backends.embedded.clock import SystemClock
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.casework.opening import Opening
from fairgate.enforce.messages import STANDING_CHANGED, Changed
from fairgate.entrypoints.clerk.clerk import Clerk
from fairgate.entrypoints.clerk.post import Post
from fairgate.entrypoints.http_server import Server, listening_at, server_for
from fairgate.entrypoints.signing import Signer, Unsigned, Verifier, new_secret
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.projection import Projection
from fairgate.ports.cases import Waiting
from fairgate.ports.clock import Clock
from fairgate.settings import DoorSettings, WebhookSettings
from fairgate.wiring import open_records

_NAME: Final = "gateway"
_LARGEST: Final = 64 * 1024
#: Seconds without a message after which all was told.
_PAUSE: Final = 0.2
_BACKLOG: Final = 64
_Message: TypeAlias = MutableMapping[str, Any]


class _Told(msgspec.Struct):
    """A message, as far as it matters here."""

    type: str
    data: msgspec.Raw


class _Beside(Server):
    """A server beside the demo's own: signals are for that one."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class Gateway:
    """The service: an ASGI application. `messages` counts what it was told, `standing` is each account's last word."""

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self.messages = 0
        self.standing: dict[str, str] = {}

    @property
    def restricted(self) -> Counter[str]:
        """How many accounts stand under each action that takes something from them."""
        return Counter(action for action in self.standing.values() if action != "allow")

    async def __call__(
        self,
        scope: _Message,
        receive: Callable[[], Awaitable[_Message]],
        send: Callable[[_Message], Awaitable[None]],
    ) -> None:
        """Take a message, or follow the server's life."""
        if scope["type"] == "lifespan":
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        body, more = b"", True
        while more and len(body) <= _LARGEST:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await send({"type": "http.response.start", "status": self._take(dict(scope["headers"]), body), "headers": []})
        await send({"type": "http.response.body", "body": b""})

    def _take(self, headers: dict[bytes, bytes], body: bytes) -> int:
        try:
            self._verifier.message(headers, body)
        except Unsigned:
            return 401
        told = msgspec.json.decode(body, type=_Told)
        self.messages += 1
        if told.type == STANDING_CHANGED:
            standing = msgspec.json.decode(told.data, type=Changed).standing
            self.standing[standing.value] = standing.action
        return 204


class Followed:
    """What follows from the decisions of the demo: a gateway that is told, and cases that wait for a person."""

    def __init__(self, gateway: Gateway, waiting: Callable[[int], Waiting], clock: Clock) -> None:
        self.gateway = gateway
        self.waiting = Waiting()
        self._waiting = waiting
        self._clock = clock

    def look(self) -> None:
        """See how many cases wait now."""
        self.waiting = self._waiting(self._clock.now())


@asynccontextmanager
async def following(data: Path, clock: Clock) -> AsyncIterator[Followed]:
    """A gateway that a clerk tells of all that the log in a data folder says, and its cases, at the pace of a clock."""
    key = base64.b64decode(new_secret().removeprefix("whsec_"))
    gateway = Gateway(Verifier(key, SystemClock()))
    with ExitStack() as stack:
        server = _Beside(server_for(gateway, DoorSettings(), 1.0, http="httptools").config)
        listener = stack.enter_context(listening_at("127.0.0.1", 0, "Free a port.", _BACKLOG))
        webhook = WebhookSettings(url=f"http://127.0.0.1:{listener.getsockname()[1]}/")
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        log = stack.enter_context(closing(SegmentReader.open(data / "log")))
        records = stack.enter_context(open_records(data))
        projection = Projection(log, records.ledger, [_NAME], pack_from_texts, [Opening(records.case_feed)])
        post = Post(webhook, Signer(key), SystemClock())
        clerk = Clerk(projection, log.refresh, records.outbox, {_NAME: (webhook, post)}, clock)
        working = asyncio.create_task(clerk.run())
        followed = Followed(gateway, records.case_queue.waiting, clock)
        try:
            yield followed
            await _caught_up(projection, gateway, working)
            followed.look()
        finally:
            working.cancel()
            with suppress(asyncio.CancelledError):
                await working
            server.should_exit = True
            await serving


async def _caught_up(projection: Projection, gateway: Gateway, working: asyncio.Task[None]) -> None:
    """Wait until nothing more is told."""
    before = -1
    while not working.done() and (projection.behind or gateway.messages != before):
        before = gateway.messages
        await asyncio.sleep(_PAUSE)
