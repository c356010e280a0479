"""Appeals over HTTP: filed for whoever an action is on, and decided by somebody else than who took it."""

from collections.abc import Mapping, Sequence
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from fairgate.domain.access import Scope
from fairgate.domain.appeal import Appeal, AppealState, Ruling
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.domain.reading import Sight
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.appeal_answers import (
    LARGEST,
    AppealAnswer,
    AppealAsked,
    AppealDecided,
    AppealList,
    DecisionAsked,
)
from fairgate.entrypoints.desk.office import Desk, Office, Viewer, told_of, views
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.ports.appeals import Wanted

routes = APIRouter(tags=["Appeals"])
Viewing = Annotated[Viewer, Depends(views(Scope.REVIEW))]
Number = Annotated[int, Path(ge=0, le=LARGEST)]


def _wanted(
    state: Annotated[AppealState | None, Query(description="Only those of this state.")] = None,
    account: Annotated[
        str | None,
        Query(max_length=LONGEST_IDENTIFIER, description="Only those of this account, as actions show it."),
    ] = None,
    action: Annotated[int | None, Query(ge=0, le=LARGEST, description="Only those against this action.")] = None,
) -> Wanted:
    """Which appeals a query asks for."""
    return Wanted(state, None if account is None else Subject(ACCOUNT, account), action)


@routes.post(
    "/v1/appeals",
    status_code=201,
    response_model=AppealAnswer,
    responses={
        200: {"model": AppealAnswer, "description": "it was filed before"},
        **documented(401, 403, 404, 409, 413, 422, 503),
    },
)
async def file(asked: AppealAsked, desk: Desk, viewer: Viewing) -> Response:
    """File an appeal for whoever an action is on. Scope `review`. Under one `ref` it is filed once: 200 then."""
    filed = await desk.hearing.file(asked.action, asked.words, asked.ref, viewer.granted)
    return await _answered(desk, filed.appeal, viewer, 201 if filed.new else 200)


@routes.get("/v1/appeals", response_model=AppealList, responses=documented(401, 403, 422, 503))
async def appeals(
    desk: Desk,
    viewer: Viewing,
    wanted: Annotated[Wanted, Depends(_wanted)],
    after: Annotated[int | None, Query(ge=0, le=LARGEST, description="Only those behind the one of this number.")] = (
        None
    ),
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> Response:
    """Appeals, those that are due first at first. Scope `review`; the appellants' words with `personal` as well.

    Words are shown to who states why, and that they were is noted in the audit log.
    """
    found = await desk.hearing.found(wanted, after, limit + 1)
    page = found[:limit]
    following = page[-1].number if len(found) > limit else None
    seen = await _seen(desk, viewer, page)
    shown = [_shown(desk, each, words=seen.shown) for each in page]
    return _json(AppealList(shown, following), headers=told_of(seen))


@routes.get("/v1/appeals/{number}", response_model=AppealAnswer, responses=documented(401, 403, 404, 422, 503))
async def appeal(number: Number, desk: Desk, viewer: Viewing) -> Response:
    """One appeal. Scope `review`; the appellant's words with `personal` as well, to who states why."""
    return await _answered(desk, await desk.hearing.get(number), viewer)


@routes.post(
    "/v1/appeals/{number}/decision",
    response_model=AppealAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 503),
)
async def decide(number: Number, asked: DecisionAsked, desk: Desk, viewer: Viewing) -> Response:
    """Decide an appeal. Scope `review`, and to grant one `enforce` at the door, which then undoes the action.

    Whoever took the action or filed the appeal may not, and that they tried is noted in the audit log.
    """
    if asked.spare is not None and not asked.granted:
        raise Refusal(422, "malformed", "nobody is spared where an appeal is refused", "spare")
    granted = viewer.granted
    ruled = Ruling(asked.granted, desk.records.clock.now(), granted.by or ANYONE, asked.why)
    return await _answered(desk, await desk.hearing.decide(number, granted, ruled, asked.spare), viewer)


async def _answered(desk: Office, appeal: Appeal, viewer: Viewer, status: int = 200) -> Response:
    seen = await _seen(desk, viewer, [appeal])
    return _json(_shown(desk, appeal, words=seen.shown), status, told_of(seen))


async def _seen(desk: Office, viewer: Viewer, appeals: Sequence[Appeal]) -> Sight:
    """Whether somebody is shown the words of appeals, which is noted before."""
    granted, seen = viewer
    if seen.shown:
        await desk.audit.read(granted, [Subject("appeal", str(each.number)) for each in appeals], seen)
    return seen


def _shown(desk: Office, appeal: Appeal, *, words: bool) -> AppealAnswer:
    ruling = appeal.ruling
    return AppealAnswer(
        number=appeal.number,
        action=appeal.action,
        kind=appeal.subject.kind,
        value=appeal.subject.value,
        taken_by=appeal.taken_by,
        state=appeal.state,
        filed=moment(appeal.filed),
        filed_by=appeal.filed_by,
        due=moment(appeal.due),
        overdue=appeal.overdue(desk.records.clock.now()),
        words=appeal.words if words else None,
        ref=appeal.ref,
        decided=None if ruling is None else AppealDecided(moment(ruling.at), ruling.by, ruling.why),
    )


def _json(value: AppealAnswer | AppealList, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    headers = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(value), status, headers, "application/json")
