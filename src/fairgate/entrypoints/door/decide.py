"""The handlers of events: decide on one and answer what to do, or take many; and what operators ask of the door."""

import time

from fairgate.domain.errors import DeadlinePassed, PipelineStopped, QueueFull
from fairgate.domain.event import Refusal
from fairgate.entrypoints.door.answers import Decided, decided, results, status_of
from fairgate.entrypoints.door.door import PATIENCE, Door
from fairgate.entrypoints.door.http import Request, Response, encode, problem
from fairgate.monitor.metrics import CONTENT_TYPE

DEADLINE = b"fairgate-deadline-ms"
CALL_SITE = b"fairgate-call-site"
LONGEST_DEADLINE = 60_000
_WHY: dict[type, str] = {DeadlinePassed: "deadline", PipelineStopped: "disk", QueueFull: "queue"}
_DIGITS = len(str(LONGEST_DEADLINE))


async def decide(door: Door, request: Request) -> Response:
    """Decide on one event. Where no decision can be made durable in time, the call site's policy answers."""
    name = request.headers.get(CALL_SITE, b"default").decode("latin-1")
    site = door.sites.get(name)
    if site is None:
        return problem(400, "unknown_call_site", "the settings have no such call site", CALL_SITE.decode())
    deadline = _deadline(request, site.deadline_ms)
    if isinstance(deadline, Response):
        return deadline
    taken = door.decoder.single(request.body, door.clock.now())
    try:
        [outcome] = await door.take([taken], deadline, request.trace)
    except (DeadlinePassed, PipelineStopped, QueueFull) as error:
        if isinstance(taken, Refusal):
            return _refused(taken)
        door.metrics.fell_back(name, _WHY[type(error)])
        return Response(200, encode(Decided(taken.id, action=site.fail, degraded=True, policy=name)))
    if isinstance(outcome, Refusal):
        return _refused(outcome)
    return Response(200, encode(decided(outcome, door.words(outcome))))


async def events(door: Door, request: Request) -> Response:
    """Take one event or many, and say of each what became of it."""
    deadline = _deadline(request, int(PATIENCE * 1_000))
    if isinstance(deadline, Response):
        return deadline
    decoder, now, body = door.decoder, door.clock.now(), request.body
    content_type = request.headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if content_type == b"application/x-ndjson":
        taken = decoder.lines(body, now)
    elif content_type == b"application/cloudevents-batch+json" or body.lstrip()[:1] == b"[":
        taken = decoder.batch(body, now)
    else:
        taken = [decoder.single(body, now)]
    status, found = results(await door.take(taken, deadline, request.trace))
    return Response(status, encode(found))


async def healthz(_door: Door, _request: Request) -> Response:
    """Answer while the process lives."""
    return Response(200, b'{"status":"ok"}')


async def readyz(door: Door, _request: Request) -> Response:
    """Answer whether events are decided on."""
    door.pipeline  # noqa: B018 - raises where they are not
    return Response(200, b'{"status":"ready"}')


async def metrics(door: Door, _request: Request) -> Response:
    """Answer what Prometheus reads."""
    return Response(200, door.metrics.render(door.reading()), ((b"content-type", CONTENT_TYPE),))


def _refused(refusal: Refusal) -> Response:
    return problem(status_of(refusal), refusal.code, refusal.reason, refusal.field)


def _deadline(request: Request, milliseconds: int) -> float | Response:
    """When the request's time is up, on `time.monotonic`."""
    given = request.headers.get(DEADLINE)
    if given is not None:
        if not (given.isdigit() and len(given) <= _DIGITS and 1 <= int(given) <= LONGEST_DEADLINE):
            reason = f"the deadline must be 1 to {LONGEST_DEADLINE} whole milliseconds"
            return problem(400, "bad_deadline", reason, DEADLINE.decode())
        milliseconds = int(given)
    return time.monotonic() + milliseconds / 1_000
