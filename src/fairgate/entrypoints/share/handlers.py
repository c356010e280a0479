"""The handlers of the sidecar's requests. What a caller is told is coarse: no oracle; operators are told all."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from typing import Final, TypeAlias, TypeVar

import msgspec

from fairgate.entrypoints.door.http import JSON, Problem, Response, encode, problem
from fairgate.entrypoints.door.queue import ClientGone, Receive
from fairgate.entrypoints.share.meters import CONTENT_TYPE
from fairgate.entrypoints.share.sidecar import Sidecar
from fairgate.entrypoints.share.wire import (
    MOST_CHARGES,
    Abort,
    Aborted,
    Acquire,
    Capacity,
    CapacityAnswer,
    Charge,
    Charged,
    ChargedMany,
    Decision,
    Explained,
    Granted,
    Later,
    Principal,
    PrincipalAnswer,
    Settle,
    Settled,
)
from fairgate.integrations.driver import ShareClosed, Waiting
from fairgate.share import Denied, Grant, Reason, Standing

ANYONE: Final = "anyone on this machine"
_UNKNOWN: Final = "no grant of this id is known: there never was one, or it ended long ago"
#: What callers are told, in place of why.
_TOLD: Final[Mapping[Reason, tuple[int, str, str]]] = {
    Reason.BUSY: (429, "busy", "there is no capacity for this now: ask again later"),
    Reason.LATE: (429, "busy", "there is no capacity for this now: ask again later"),
    Reason.TOO_LARGE: (422, "too_large", "no request as large as this is ever granted"),
    Reason.NO_SUCH_MODEL: (422, "no_such_model", "no pool of capacity has this model"),
}
_GONE = frozenset({"http.disconnect"})
_LONGEST_NAME = 256
_BodyT = TypeVar("_BodyT")


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request that has arrived whole, from a caller who may make it. `by` is the name of its API key."""

    body: bytes
    by: str
    receive: Receive
    account: str = ""
    headers: Mapping[bytes, bytes] = {}


Handler: TypeAlias = Callable[[Sidecar, Request], Awaitable[Response]]


class Unfit(Exception):
    """Ends the handling of a request that can't be done; `response` says why."""

    def __init__(self, status: int, code: str, reason: str, field: str = "") -> None:
        super().__init__(code)
        self.response = problem(status, code, reason, field)


class _Bodies:
    """A decoder of each kind of body."""

    acquire = msgspec.json.Decoder(Acquire).decode
    charge = msgspec.json.Decoder(Charge | list[Charge]).decode
    settle = msgspec.json.Decoder(Settle).decode
    abort = msgspec.json.Decoder(Abort).decode
    principal = msgspec.json.Decoder(Principal).decode
    capacity = msgspec.json.Decoder(Capacity).decode


async def acquire(sidecar: Sidecar, request: Request) -> Response:
    """Ask for compute, and wait for it; whoever hangs up leaves the queue."""
    asked = _decoded(_Bodies.acquire, request.body)
    milliseconds = sidecar.settings.deadline_ms if asked.deadline_ms is None else asked.deadline_ms
    began = time.monotonic()
    answer = sidecar.driver.ask(asked.account, asked.model, asked.input_tokens, asked.max_output, milliseconds / 1_000)
    if isinstance(answer, Waiting):
        answer = await _outcome(sidecar, answer, request.receive)
    if isinstance(answer, Denied):
        return _denied(sidecar, answer)
    sidecar.gave(answer)
    sidecar.meters.grants.inc()
    sidecar.meters.waits.observe(time.monotonic() - began)
    return Response(200, encode(Granted(answer.id, answer.estimate)))


async def charge(sidecar: Sidecar, request: Request) -> Response:
    """Take note of what was written so far, for one grant or many."""
    given = _decoded(_Bodies.charge, request.body)
    if isinstance(given, list):
        if len(given) > MOST_CHARGES:
            raise Unfit(400, "invalid", f"at most {MOST_CHARGES:,} charges are taken at a time")
        news, stop = 0, list[str]()
        for each in given:
            if isinstance(found := sidecar.share.open(each.grant), Grant):
                news += found.charge(each.output)
                if found.stopped:
                    stop.append(found.id)
        if news:
            sidecar.ended()
        return Response(200, encode(ChargedMany(news, stop)))
    grant = _grant(sidecar, given.grant)
    if not isinstance(grant, Grant):
        return Response(200, encode(Charged(charged=False)))
    charged = grant.charge(given.output)
    if charged:
        sidecar.ended()
    return Response(200, encode(Charged(charged, grant.stopped)))


async def settle(sidecar: Sidecar, request: Request) -> Response:
    """Take note of what was used, and end the grant."""
    told = _decoded(_Bodies.settle, request.body)
    found = _grant(sidecar, told.grant)
    settled = isinstance(found, Grant) and found.settle(told.input, told.output, told.cached, told.gpu_seconds)
    if settled:
        sidecar.meters.settled.inc()
        sidecar.ended()
    return Response(200, encode(Settled(settled)))


async def abort(sidecar: Sidecar, request: Request) -> Response:
    """End a grant early: its input and what it has written are counted."""
    told = _decoded(_Bodies.abort, request.body)
    found = _grant(sidecar, told.grant)
    aborted = False
    if isinstance(found, Grant):
        if told.output is not None:
            found.charge(told.output)
        aborted = found.abort()
        sidecar.meters.aborted.inc()
        sidecar.ended()
    return Response(200, encode(Aborted(aborted)))


async def principal(sidecar: Sidecar, request: Request) -> Response:
    """Say what is known of an account: on disk before it counts."""
    told = _decoded(_Bodies.principal, request.body)
    reason = _reason(told.reason)
    standing = Standing(told.cluster, told.p_link, told.trust, told.paid, told.newcomer, told.verified, told.ceil)
    version = sidecar.next_version(told.account) if told.version is None else told.version
    said = sidecar.said(told.account, standing, version, request.by or ANYONE, reason)
    applied = await sidecar.set_principal(said)
    return Response(200, encode(PrincipalAnswer(told.account, applied, sidecar.version_of(told.account))))


async def capacity(sidecar: Sidecar, request: Request) -> Response:
    """Give a pool another capacity: on disk before it counts."""
    told = _decoded(_Bodies.capacity, request.body)
    reason = _reason(told.reason)
    try:
        await sidecar.set_capacity(told.pool, told.capacity, request.by or ANYONE, reason)
    except KeyError:
        raise Unfit(404, "unknown_pool", "the settings have no such pool", "pool") from None
    return Response(200, encode(CapacityAnswer(told.pool, told.capacity)))


async def state(sidecar: Sidecar, _request: Request) -> Response:
    """Who gets what now, and who waits."""
    return Response(200, encode(sidecar.share.state()))


async def explain(sidecar: Sidecar, request: Request) -> Response:
    """Why an account gets what it gets, in words for operators."""
    if len(request.account) > _LONGEST_NAME:
        raise Unfit(400, "invalid", f"an account has at most {_LONGEST_NAME} characters", "account")
    return Response(200, encode(_explained(sidecar, request.account)))


def _explained(sidecar: Sidecar, account: str) -> Explained:
    """Why an account gets what it gets: what the share knows of it, and what decisions came to."""
    found, word = sidecar.share.explain(account), sidecar.decisions.last(account)
    if word is None:
        return Explained(**msgspec.structs.asdict(found))
    ceil, off = sidecar.decisions.meant(word), sidecar.decisions.off_for(word)
    decision = Decision(word.action, ceil, off is None, word.said, word.message)
    what = "it may not use the service" if not word.use else f"its rate is {word.rate:.0%} of the usual"
    means = "which takes no compute away" if ceil is None else f"which means a ceiling of {ceil * 100:.3g}% here"
    since = f"{word.said.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    words = [f"By Fairgate's decisions its action is {word.action}, as of {since}: {what}, {means}."]
    if off is not None and ceil is not None:
        words.append(f"That does not count while {off} is switched off.")
    more = msgspec.structs.asdict(found) | {"words": found.words + words, "decision": decision}
    return Explained(**more)


async def metrics(sidecar: Sidecar, _request: Request) -> Response:
    """What Prometheus reads."""
    return Response(200, sidecar.meters.render(), ((b"content-type", CONTENT_TYPE),))


async def healthz(_sidecar: Sidecar, _request: Request) -> Response:
    """Answer while the process lives."""
    return Response(200, b'{"status":"ok"}')


async def readyz(sidecar: Sidecar, _request: Request) -> Response:
    """Answer whether compute is shared out."""
    if sidecar.driver.closed:
        raise ShareClosed
    return Response(200, b'{"status":"ready"}')


def later(status: int, code: str, reason: str, seconds: float) -> Response:
    """The answer to what it is worth asking for again, after so many seconds."""
    header = (b"retry-after", str(max(1, math.ceil(seconds))).encode())
    return Response(status, encode(Later(Problem(code, reason), seconds)), (*JSON, header))


async def _outcome(sidecar: Sidecar, waiting: Waiting, receive: Receive) -> Grant | Denied:
    """What comes of a place in the queue. Raises `ClientGone`, after it was given up, or `ShareClosed`."""
    gone = asyncio.ensure_future(_hung_up(receive))
    try:
        await asyncio.wait((waiting.outcome, gone), return_when=asyncio.FIRST_COMPLETED)
        hung_up = gone.done()
    except asyncio.CancelledError:
        waiting.leave()
        raise
    finally:
        gone.cancel()
    if hung_up:
        waiting.leave()
        sidecar.meters.left.inc()
        raise ClientGone
    return waiting.outcome.result()


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] not in _GONE:
        pass


def _denied(sidecar: Sidecar, denied: Denied) -> Response:
    sidecar.meters.denials[denied.reason].inc()
    status, code, reason = _TOLD[denied.reason]
    if math.isfinite(denied.retry_after):
        return later(status, code, reason, round(denied.retry_after, 3))
    return problem(status, code, reason)


def _grant(sidecar: Sidecar, key: str) -> Grant | bool:
    found = sidecar.grant(key)
    if found is False:
        raise Unfit(404, "unknown_grant", _UNKNOWN, "grant")
    return found


def _decoded(decode: Callable[[bytes], _BodyT], body: bytes) -> _BodyT:
    try:
        return decode(body)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$")
        raise Unfit(400, "invalid", _quiet(what), where.strip(".`")) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Unfit(400, "malformed", "the body is not JSON in UTF-8") from None


def _quiet(what: str) -> str:
    """A decoder's words, without the name of a key that somebody sent."""
    return "there is a key that this body has not" if "unknown field" in what else what


def _reason(text: str) -> str:
    reason = text.strip()
    if not reason or not reason.isprintable():
        raise Unfit(400, "no_reason", "say why, in characters that can be printed", "reason")
    return reason
