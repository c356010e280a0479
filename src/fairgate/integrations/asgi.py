"""ASGI middleware for a gateway in Python: every request asks for its share before a model is called.

app = FairShare(app, Sidecar("http://127.0.0.1:8082", key), ask, fail="open")

`ask` says what a request needs: its account from the gateway's own authentication, the rest from its body. A client
never names its own account: who could, would have as many shares as names.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from fairgate.domain.errors import BadAmount
from fairgate.integrations.client import Asked, Refused, ShareClient
from fairgate.integrations.gate import Fail, Gate, Ticket
from fairgate.integrations.usage import Counter, Meter, one_an_event

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]
#: What a request needs, from its ASGI scope and its body; None for one that needs nothing.
Ask: TypeAlias = Callable[[Scope, bytes], Asked | None]

#: Where models are called, in the interfaces of OpenAI and Anthropic.
PATHS: Final = ("/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages")
#: The last event of a stream that is cut off, as the clients of both interfaces read it.
_CUT_OFF: Final = (
    b'event: error\ndata: {"type":"error","error":{"type":"busy","code":"busy",'
    b'"message":"This answer has come to an early end. Please try again later."}}\n\n'
)
_FAILED = 400
_T = TypeVar("_T")
_STATUS = {"too_large": 413, "no_such_model": 404, "unavailable": 503}
_WORDS = {
    "too_large": "This request is larger than any that is taken.",
    "no_such_model": "There is no such model.",
    "unavailable": "The service is not available just now.",
}


class _Gone(Exception):
    """The client has hung up."""


class FairShare:
    """Lets the application answer what is granted, and says what it used.

    `fail` names what happens while nobody can be asked: `open` or `closed`. `count` counts the tokens in an event of a
    stream. `counts` of `gate` are for the gateway's own metrics.
    """

    def __init__(  # noqa: PLR0913 - the options of a middleware
        self,
        app: App,
        client: ShareClient,
        ask: Ask,
        *,
        fail: Fail,
        paths: Sequence[str] = PATHS,
        count: Counter = one_an_event,
        largest_body: int = 32 << 20,
    ) -> None:
        self.gate = Gate(client, fail)
        self._app = app
        self._ask = ask
        self._paths = frozenset(paths)
        self._count = count
        self._largest = largest_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, partial(self._live, send))
            return
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] not in self._paths:
            await self._app(scope, receive, send)
            return
        client = _Client(receive)
        try:
            await self._model(scope, client, send)
        except _Gone:
            return
        finally:
            client.close()

    async def _live(self, send: Send, message: Message) -> None:
        """Let go of what is open when the application has been stopped."""
        if message["type"].startswith("lifespan.shutdown"):
            await self.gate.close()
        await send(message)

    async def _model(self, scope: Scope, client: "_Client", send: Send) -> None:
        """Answer a request for a model. Raises `_Gone`."""
        body = await client.read(self._largest)
        if body is None:
            await _refuse(send, Refused("too_large", None))
            return
        try:
            asked = self._ask(scope, body)
        except (ValueError, TypeError, LookupError):  # what can't be read here must not pass unasked either
            await _answer(send, _FAILED, "invalid", "This request can't be read.", None)
            return
        if asked is None:
            await self._app(scope, client.receive, send)
            return
        try:
            entered = await client.meanwhile(self.gate.enter(asked))
        except BadAmount:
            await _answer(send, _FAILED, "invalid", "This request can't be read.", None)
            return
        if isinstance(entered, Refused):
            await _refuse(send, entered)
        else:
            await _Passing(entered, send, self._count).run(self._app, scope, client.receive)


class _Client:
    """What comes from a client: the body, which the application gets again, and later that it has hung up."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._body: bytes | None = None
        self._next: asyncio.Task[Message] | None = None

    async def read(self, largest: int) -> bytes | None:
        """The whole body; None where it is larger. Raises `_Gone`."""
        parts: list[bytes] = []
        size = 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            part = message.get("body", b"")
            size += len(part)
            if size > largest:
                return None
            parts.append(part)
            if not message.get("more_body", False):
                self._body = b"".join(parts)
                return self._body

    async def meanwhile(self, asking: Awaitable[Ticket | Refused]) -> Ticket | Refused:
        """Wait for an answer for as long as the client does. Raises `_Gone`."""
        answer = asyncio.ensure_future(asking)
        gone = self._following()
        try:
            await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            answer.cancel()
            gone.cancel()
            raise
        if answer.done():
            return await answer
        answer.cancel()
        await asyncio.wait({answer})
        if not answer.cancelled() and answer.exception() is None and isinstance(ticket := answer.result(), Ticket):
            await ticket.abort()
        raise _Gone

    async def receive(self) -> Message:
        """What the application receives."""
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        following = self._following()
        message = await asyncio.shield(following)
        self._next = None
        return message

    def close(self) -> None:
        """Receive no more."""
        if self._next is not None:
            self._next.cancel()

    def _following(self) -> asyncio.Task[Message]:
        if self._next is None:
            self._next = asyncio.ensure_future(_coroutine(self._receive()))
        return self._next


class _Passing:
    """An answer on its way to the client, with what it uses."""

    def __init__(self, ticket: Ticket, send: Send, count: Counter) -> None:
        self._ticket = ticket
        self._send = send
        self._count = count
        self._meter = Meter(count, streams=False)
        self._status = 0
        self._whole = False
        self._answering: asyncio.Future[None] | None = None
        self._stopped = False

    async def run(self, app: App, scope: Scope, receive: Receive) -> None:
        """Let the application answer; whatever becomes of it, the grant ends."""
        answering = self._answering = asyncio.ensure_future(_coroutine(app(scope, receive, self._pass)))
        try:
            await asyncio.wait({answering})
        except asyncio.CancelledError:
            answering.cancel()
            await asyncio.wait({answering})
            raise
        finally:
            self._answering = None  # its error leads back here: what it was reading from a model is let go of at once
            await asyncio.shield(self._end())
        if self._stopped:
            await self._send({"type": "http.response.body", "body": _CUT_OFF, "more_body": False})
        else:
            await answering

    async def _pass(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            streams = any(n.lower() == b"content-type" and b"event-stream" in v for n, v in message.get("headers", ()))
            self._meter = Meter(self._count, streams=streams)
        elif message["type"] == "http.response.body":
            self._meter.take(message.get("body", b""))
            self._whole = not message.get("more_body", False)
            if self._meter.streams:
                self._ticket.charge(self._meter.output)
                if self._ticket.stopped and not (self._whole or self._stopped):
                    self._stop()
        if not self._stopped:
            await self._send(message)

    def _stop(self) -> None:
        """End whatever writes the answer: while it waits for a model, for it lets go of that at once then."""
        self._stopped = True
        if self._answering is not None:
            asyncio.get_running_loop().call_soon(self._answering.cancel)

    async def _end(self) -> None:
        """What came whole is settled as it says; what failed, or came to an early end, as far as it went."""
        if self._whole:
            self._meter.end()
        if self._whole and (self._meter.told or self._status < _FAILED):
            await self._ticket.settle(self._meter.usage(self._ticket.asked.input_tokens))
        else:
            await self._ticket.abort()


async def _coroutine(awaitable: Awaitable[_T]) -> _T:
    return await awaitable


async def _refuse(send: Send, refused: Refused) -> None:
    words = _WORDS.get(refused.code, "Too many requests at a time. Please try again later.")
    await _answer(send, _STATUS.get(refused.code, 429), refused.code, words, refused.retry_after)


async def _answer(send: Send, status: int, code: str, words: str, retry_after: float | None) -> None:
    """An error as clients of such interfaces know it."""
    body = msgspec.json.encode({"error": {"message": words, "type": code, "code": code}})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if retry_after is not None:
        headers.append((b"retry-after", str(max(1, math.ceil(retry_after))).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
