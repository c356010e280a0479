"""Bulk actions over HTTP: drafted with a preview, confirmed by typing, approved by a second person, run, undone."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.reading import Sight
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.bulk_answers import BulkAnswer, BulkAsked, BulkList, ConfirmAsked, WhyAsked
from fairgate.entrypoints.desk.bulk_drafts import Wanted
from fairgate.entrypoints.desk.bulk_shown import brief, shown
from fairgate.entrypoints.desk.office import Desk, Office, needs
from fairgate.entrypoints.desk.problems import Refusal, documented

routes = APIRouter(tags=["Bulk actions"])
Enforcer = Annotated[Granted, Depends(needs(Scope.ENFORCE))]
Number = Annotated[int, Path(ge=0, le=LARGEST)]


@routes.post(
    "/v1/bulk",
    status_code=201,
    response_model=BulkAnswer,
    responses={
        200: {"model": BulkAnswer, "description": "it was drafted before"},
        **documented(401, 403, 409, 413, 422, 429, 503),
    },
)
async def draft(asked: BulkAsked, desk: Desk, granted: Enforcer) -> Response:
    """Draft a bulk action, and see what it would do. Scope `enforce`, and with a query `sql`.

    The accounts are those that it is drafted with, whatever the query would give later. A draft lasts for an hour.
    """
    if asked.query is not None:
        if Scope.SQL not in granted.scopes:
            raise Refusal(403, "scope_missing", "a query needs the scope sql as well", "query")
        await desk.audited(granted, "bulk", asked.query, Sight(shown=False, told=""))
    wanted = Wanted(
        query=asked.query or "",
        accounts=asked.accounts or (),
        action=asked.action,
        length=asked.length or "",
        reasons=tuple(asked.reasons),
        evidence=tuple(asked.evidence),
        why=asked.why,
        ref=asked.ref,
    )
    drafted = await desk.bulk.draft(wanted, granted)
    return await _answer(desk, drafted.bulk.number, 201 if drafted.new else 200)


@routes.get("/v1/bulk", response_model=BulkList, responses=documented(401, 403, 422, 503))
async def bulks(
    desk: Desk,
    granted: Enforcer,
    before: Annotated[int, Query(ge=0, le=LARGEST, description="Only those with lower numbers.")] = LARGEST,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> Response:
    """Bulk actions, the newest first. Scope `enforce`."""
    del granted
    found, now = await desk.bulk.found(before, limit + 1), desk.records.clock.now()
    page = found[:limit]
    following = page[-1].number if len(found) > limit else None
    return _json(BulkList([brief(each, now) for each in page], following), 200)


@routes.get("/v1/bulk/{number}", response_model=BulkAnswer, responses=documented(401, 403, 404, 422, 503))
async def bulk(number: Number, desk: Desk, granted: Enforcer) -> Response:
    """One, with its preview, how far it is, and its history. Scope `enforce`."""
    del granted
    return await _answer(desk, number)


@routes.post(
    "/v1/bulk/{number}/confirm", response_model=BulkAnswer, responses=documented(401, 403, 404, 409, 413, 422, 503)
)
async def confirm(number: Number, asked: ConfirmAsked, desk: Desk, granted: Enforcer) -> Response:
    """Confirm a draft by typing its `phrase`. It runs then, or waits for a second person where it has `second`."""
    await desk.bulk.confirm(number, asked.typed, granted)
    return await _answer(desk, number)


@routes.post("/v1/bulk/{number}/approve", response_model=BulkAnswer, responses=documented(401, 403, 404, 409, 422, 503))
async def approve(number: Number, desk: Desk, granted: Enforcer) -> Response:
    """Let one run that waits for a second person. Scope `enforce`; not for who drafted or confirmed it."""
    await desk.bulk.approve(number, granted)
    return await _answer(desk, number)


@routes.post(
    "/v1/bulk/{number}/reject", response_model=BulkAnswer, responses=documented(401, 403, 404, 409, 413, 422, 503)
)
async def reject(number: Number, asked: WhyAsked, desk: Desk, granted: Enforcer) -> Response:
    """Say no to one that waits for a second person. Scope `enforce`."""
    await desk.bulk.reject(number, asked.why, granted)
    return await _answer(desk, number)


@routes.post(
    "/v1/bulk/{number}/cancel", response_model=BulkAnswer, responses=documented(401, 403, 404, 409, 413, 422, 503)
)
async def cancel(number: Number, asked: WhyAsked, desk: Desk, granted: Enforcer) -> Response:
    """End one before it runs or while it does. What was done stays, and `progress` tells it. Scope `enforce`."""
    await desk.bulk.cancel(number, asked.why, granted)
    return await _answer(desk, number)


@routes.post(
    "/v1/bulk/{number}/undo", response_model=BulkAnswer, responses=documented(401, 403, 404, 409, 413, 422, 503)
)
async def undo(number: Number, asked: WhyAsked, desk: Desk, granted: Enforcer) -> Response:
    """Undo all that one did, and nothing else. `progress.met` tells what had ended before. Scope `enforce`."""
    await desk.bulk.undo(number, asked.why, granted)
    return await _answer(desk, number)


async def _answer(desk: Office, number: int, status: int = 200) -> Response:
    found, progress, history = await desk.bulk.file(number)
    return _json(shown(found, progress, history, desk.records.clock.now()), status)


def _json(value: BulkAnswer | BulkList, status: int) -> Response:
    return Response(msgspec.json.encode(value), status, {"Cache-Control": "no-store"}, "application/json")
