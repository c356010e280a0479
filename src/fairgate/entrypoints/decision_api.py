"""The door: decisions over HTTP, as raw ASGI. One event loop decides, one thread at a time makes durable."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

import msgspec

from fairgate.decide.reasons import Reader, reasons_of, render
from fairgate.domain.errors import PipelineStopped
from fairgate.domain.event import Refusal
from fairgate.ingest.decode import LARGEST_BATCH, LARGEST_EVENT, Taken
from fairgate.pipeline.online import Answer, Outcome, Pipeline

Scope: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send: TypeAlias = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_JSON = (b"content-type", b"application/json")
#: Where nothing was taken: the status of each code, else 422.
_STATUS = {"malformed": 400, "too_large": 413}
_UNACCEPTABLE = 422
_log = logging.getLogger(__name__)
_MOST_WORDS = 4_096
_encode = msgspec.json.Encoder().encode


class _Decided(msgspec.Struct, omit_defaults=True):
    """What the caller of a decision is told: the action and words for its user; no scores, no rules, no oracle."""

    id: str
    sequence: int
    action: str
    reasons: list[str] = []
    degraded: bool = False
    repeated: bool = False


class _Refused(msgspec.Struct, omit_defaults=True):
    """Why an event was not taken."""

    code: str
    reason: str
    field: str = ""


class _Result(msgspec.Struct, omit_defaults=True):
    """What became of one event of several."""

    id: str
    sequence: int | None = None
    action: str | None = None
    repeated: bool = False
    error: _Refused | None = None


class _Results(msgspec.Struct):
    accepted: int
    refused: int
    results: list[_Result]


class _TooLarge(Exception):
    """Ends the reading of a body; answered with 413."""


class _Gone(Exception):
    """The client has hung up; there is nobody to answer."""


class Door:
    """The ASGI application.

    `on_taken` is told of every outcome once it is durable (the demo's screen listens there). A snapshot is made after
    every `snapshot_events` events and at a graceful stop.
    """

    def __init__(
        self, pipeline: Pipeline, *, snapshot_events: int, on_taken: Callable[[Taken, Outcome], None] | None = None
    ) -> None:
        self._pipeline = pipeline
        self._snapshot_events = snapshot_events
        self._on_taken = on_taken
        self._snapshot_at = 0
        self._keeping: asyncio.Task[None] | None = None
        self._durable: asyncio.Future[None] | None = None
        self._committing: asyncio.Task[None] | None = None
        self._stop_told = False
        self._user_words: dict[tuple[object, ...], list[str]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or follow the server's life."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            allowed = _ROUTES.get(scope["path"])
            headers = [_JSON]
            if allowed is None:
                status, body = 404, _problem("not_found", "there is nothing at this path")
            elif scope["method"] != allowed:
                status, body = 405, _problem("method_not_allowed", f"this path takes {allowed}")
                headers.append((b"allow", allowed.encode()))
            else:
                try:
                    status, body = await self._answer(scope, receive)
                except _Gone:
                    return
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        try:
            match scope["path"]:
                case "/v1/decide":
                    return await self._decide(await _body(scope, receive, LARGEST_EVENT))
                case "/v1/events":
                    return await self._events(await _body(scope, receive, LARGEST_BATCH), _content_type(scope))
                case "/healthz":
                    return 200, b'{"status":"ok"}'
                case _:
                    return _STOPPED if self._pipeline.stopped else (200, b'{"status":"ready"}')
        except _TooLarge as error:
            return 413, _problem("too_large", str(error))
        except PipelineStopped:
            return _STOPPED
        except Exception:  # noqa: BLE001 - one request must not end the service
            return self._failure()

    def _failure(self) -> tuple[int, bytes]:
        """Tell of the error that is being handled: the first that stops the door, or one that a request died of."""
        if not self._pipeline.stopped:
            _log.exception("a request failed; the door goes on")
            return 500, _problem("failed", "this request failed; the service's own output says why")
        if not self._stop_told:
            self._stop_told = True
            _log.exception("the door has stopped: nothing is decided until it is restarted")
        return _STOPPED

    async def _decide(self, body: bytes) -> tuple[int, bytes]:
        pipeline = self._pipeline
        taken = pipeline.decoder.single(body, pipeline.clock.now())
        [outcome] = await self._take([taken])
        if isinstance(outcome, Refusal):
            return _STATUS.get(outcome.code, _UNACCEPTABLE), _encode({"error": _refused(outcome)})
        decision = outcome.decision
        decided = _Decided(
            id=outcome.id,
            sequence=outcome.sequence,
            action=decision.action.word,
            reasons=self._words(outcome) if decision.rules or decision.lists else [],
            degraded=bool(decision.degraded),
            repeated=outcome.repeated,
        )
        return 200, _encode(decided)

    async def _events(self, body: bytes, content_type: str) -> tuple[int, bytes]:
        decoder, now = self._pipeline.decoder, self._pipeline.clock.now()
        if content_type == "application/x-ndjson":
            taken = decoder.lines(body, now)
        elif content_type == "application/cloudevents-batch+json" or body.lstrip()[:1] == b"[":
            taken = decoder.batch(body, now)
        else:
            taken = [decoder.single(body, now)]
        outcomes = await self._take(taken)
        refused = [outcome for outcome in outcomes if isinstance(outcome, Refusal)]
        accepted = len(outcomes) - len(refused)
        found = {_STATUS.get(refusal.code, _UNACCEPTABLE) for refusal in refused}
        status = 200 if accepted or not refused else found.pop() if len(found) == 1 else _UNACCEPTABLE
        return status, _encode(_Results(accepted, len(refused), [_result(outcome) for outcome in outcomes]))

    async def _take(self, taken: list[Taken]) -> list[Outcome]:
        outcomes = self._pipeline.take(taken)
        await self._until_durable()
        if self._on_taken is not None:
            for each, outcome in zip(taken, outcomes, strict=True):
                self._on_taken(each, outcome)
        return outcomes

    async def _until_durable(self) -> None:
        """Wait for a commit that starts after this call: all that wait meanwhile share it."""
        if self._durable is None:
            self._durable = asyncio.get_running_loop().create_future()
        waiting = self._durable
        if self._committing is None:
            self._committing = asyncio.create_task(self._commit())
        await asyncio.shield(waiting)

    async def _commit(self) -> None:
        """Commit until nobody waits any more."""
        loop = asyncio.get_running_loop()
        try:
            while (waiting := self._durable) is not None:
                self._durable = None
                try:
                    await loop.run_in_executor(None, self._pipeline.commit)
                except BaseException as error:
                    waiting.set_exception(error)  # nobody who waits may be told that it is durable
                    if not isinstance(error, Exception):
                        raise
                    continue
                waiting.set_result(None)
                self._snapshot_when_due()
        finally:
            self._committing = None

    def _snapshot_when_due(self) -> None:
        events, busy = self._pipeline.engine.counts.events, self._keeping is not None and not self._keeping.done()
        if events - self._snapshot_at >= self._snapshot_events and not busy:
            self._snapshot_at = events
            self._keeping = asyncio.create_task(self._snapshot())

    async def _snapshot(self) -> None:
        """Keep the state. Without a snapshot a start takes longer and loses nothing, so a failure stops nobody."""
        try:
            captured = self._pipeline.capture()
            await asyncio.get_running_loop().run_in_executor(None, self._pipeline.keep, captured)
        except Exception:  # noqa: BLE001 - as the docstring says
            _log.exception("no snapshot could be made: the next start will read more of the log")

    def _words(self, outcome: Answer) -> list[str]:
        """The user's texts for a decision; the same rules and lists give the same words, so they are kept."""
        decision = outcome.decision
        key = (outcome.type, decision.action, decision.rules, decision.silent, decision.lists)
        if key not in self._user_words:
            if len(self._user_words) >= _MOST_WORDS:
                self._user_words.clear()
            given = reasons_of(self._pipeline.engine.checked.pack, outcome.type, decision)
            self._user_words[key] = [render(each, Reader.USER, {}) for each in given]
        return self._user_words[key]

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                if self._keeping is not None:
                    await self._keeping
                if not self._pipeline.stopped:
                    await self._snapshot()
                await send({"type": "lifespan.shutdown.complete"})
                return


_ROUTES = {"/v1/decide": "POST", "/v1/events": "POST", "/healthz": "GET", "/readyz": "GET"}


def _result(outcome: Outcome) -> _Result:
    if isinstance(outcome, Refusal):
        return _Result(outcome.id, error=_refused(outcome))
    return _Result(outcome.id, outcome.sequence, outcome.decision.action.word, outcome.repeated)


def _refused(refusal: Refusal) -> _Refused:
    return _Refused(refusal.code, refusal.reason, refusal.field)


def _problem(code: str, reason: str) -> bytes:
    return _encode({"error": _Refused(code, reason)})


_STOPPED = 503, _problem("stopped", "an earlier error stopped the door; restart it")


def _content_type(scope: Scope) -> str:
    for name, value in scope["headers"]:
        if name == b"content-type":
            return str(value.decode("latin-1")).partition(";")[0].strip().lower()
    return ""


async def _body(scope: Scope, receive: Receive, limit: int) -> bytes:
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > limit:
            raise _TooLarge(f"the body has {int(value):,} bytes; at most {limit:,} are taken")
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _TooLarge(f"the body has more than {limit:,} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts) if len(parts) > 1 else part
