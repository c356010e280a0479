"""The audit log over HTTP, for those who lead: who did and read what, and what of it they should look at."""

from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Kind
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.audit_answers import AuditRows, Notices, row_shown, unusual_shown
from fairgate.entrypoints.desk.office import Desk, needs
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.monitor.unusual_reading import HISTORY, unusual_readings
from fairgate.ports.audit import Readings, Sought
from fairgate.wiring import Records

routes = APIRouter(tags=["Audit"])
Lead = Annotated[Granted, Depends(needs(Scope.AUDIT))]
Before = Annotated[int, Query(ge=0, le=LARGEST, description="Only rows with smaller numbers.")]
Limit = Annotated[int, Query(ge=1, le=500, description="How many rows at most.")]
_LONGEST_NAME: Final = 200
_ALLOWED: Final = (Kind.ALLOWED,)


def _about(
    kind: Annotated[
        str | None, Query(max_length=LONGEST_IDENTIFIER, description="Only rows about this; needs `value`.")
    ] = None,
    value: Annotated[
        str | None, Query(max_length=LONGEST_IDENTIFIER, description="The token where it is personal; needs `kind`.")
    ] = None,
) -> Subject | None:
    """Whom or what a query asks for."""
    if (kind is None) != (value is None):
        raise Refusal(422, "malformed", "kind and value are given together, or neither", "kind")
    return None if kind is None or value is None else Subject(kind, value)


def _span(
    since: Annotated[datetime | None, Query(description="Only from this time on.")] = None,
    until: Annotated[datetime | None, Query(description="Only before this time.")] = None,
) -> tuple[int | None, int | None]:
    """From when to when a query asks."""
    return _time(since, "since"), _time(until, "until")


def _sought(
    by: Annotated[str | None, Query(max_length=_LONGEST_NAME, description="Only what this key or person did.")] = None,
    what: Annotated[list[Kind] | None, Query(description="Only rows of these kinds.")] = None,
    *,
    about: Annotated[Subject | None, Depends(_about)],
    span: Annotated[tuple[int | None, int | None], Depends(_span)],
) -> Sought:
    """Which rows a query asks for."""
    return Sought(by, None if what is None else tuple(what), about, *span)


@routes.get("/v1/audit", response_model=AuditRows, responses=documented(401, 403, 422, 503))
async def audit(
    desk: Desk, _: Lead, sought: Annotated[Sought, Depends(_sought)], before: Before = LARGEST, limit: Limit = 100
) -> Response:
    """Who did and read what, the newest first. Scope `audit`."""
    found = await desk.records.do(lambda records: records.audit.found(sought, before, limit + 1))
    page = found[:limit]
    following = page[-1].number if len(found) > limit else None
    return _json(AuditRows([row_shown(each) for each in page], following))


@routes.get("/v1/audit/notices", response_model=Notices, responses=documented(401, 403, 422, 503))
async def notices(
    desk: Desk,
    _: Lead,
    days: Annotated[int, Query(ge=1, le=90, description="How many days to look back.")] = 7,
    before: Before = LARGEST,
    limit: Limit = 100,
) -> Response:
    """What those who lead should look at: who reads personal values far more than is usual, and whom anybody lets pass.

    Scope `audit`. Unusual is more than 20 readings, and than five times the larger of two medians over the 14 days
    before, one's own and all others', within an hour or a day. Each entry in a list that allows, and each account that
    is spared by hand, is shown.
    """
    since = (desk.records.clock.now() // DAY - days) * DAY

    def looked(records: Records) -> tuple[list[Readings], list[Readings], AuditRows]:
        hours, daily = (records.audit.readings(since - HISTORY, span) for span in (HOUR, DAY))
        found = records.audit.found(Sought(what=_ALLOWED, since=since), before, limit + 1)
        following = found[limit - 1].number if len(found) > limit else None
        return hours, daily, AuditRows([row_shown(each) for each in found[:limit]], following)

    hours, daily, allowed = await desk.records.do(looked)
    unusual = [unusual_shown(each, "day") for each in unusual_readings(daily, since)]
    unusual += [unusual_shown(each, "hour") for each in unusual_readings(hours, since)]
    unusual.sort(key=lambda each: each.start, reverse=True)
    return _json(Notices(unusual, allowed.rows, allowed.next))


def _time(given: datetime | None, field: str) -> int | None:
    if given is None:
        return None
    if given.tzinfo is None:
        raise Refusal(422, "malformed", "a time needs its offset from UTC, such as Z at its end", field)
    return int(given.timestamp() * SECOND)


def _json(value: AuditRows | Notices) -> Response:
    return Response(msgspec.json.encode(value), 200, {"Cache-Control": "no-store"}, "application/json")
