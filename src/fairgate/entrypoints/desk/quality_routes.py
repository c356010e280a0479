"""How good reviews are over HTTP, for those who lead and for everybody about themselves; and gold cases."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from fairgate.casework.figures import Mine, Quality
from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Kind
from fairgate.domain.case import CaseState, Outcome
from fairgate.domain.look import Gold
from fairgate.entrypoints.desk.blindness import Number, Reviewer
from fairgate.entrypoints.desk.case_answers import GoldAsked, WhyAsked
from fairgate.entrypoints.desk.look_answers import GoldAnswer, NoGold, gold_shown
from fairgate.entrypoints.desk.measuring import WINDOW
from fairgate.entrypoints.desk.office import Desk, needs
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.wiring import Records

routes = APIRouter(tags=["Quality"])
Lead = Annotated[Granted, Depends(needs(Scope.AUDIT))]
Days = Annotated[int, Query(ge=1, le=90, description="How many days to look back.")]
_NO_STORE: Final = {"Cache-Control": "no-store"}


@routes.get("/v1/quality", response_model=Quality, responses=documented(401, 403, 422, 429, 503))
async def quality(desk: Desk, _: Lead, days: Days = WINDOW) -> Response:
    """How good reviews are. Scope `audit`.

    How far reviewers agree, in all and by reason; how each errs, by the model of Dawid and Skene; the share of
    decisions that was wrong, as far as it was checked; and how long cases took. `notes` say what rests on too little.
    """
    return Response(await desk.measuring.measure(days), 200, _NO_STORE, "application/json")


@routes.get("/v1/quality/me", response_model=Mine, responses=documented(401, 403, 422, 429, 503))
async def mine(desk: Desk, granted: Reviewer, days: Days = WINDOW) -> Response:
    """How you did yourself. Scope `review`.

    In second looks and gold cases, and of your own decisions those that somebody looked at again. No name of anybody
    else is in it, and not which cases were gold.
    """
    return Response(await desk.measuring.mine(granted.by or ANYONE, days), 200, _NO_STORE, "application/json")


_CHANGES = documented(401, 403, 404, 409, 413, 422, 503)


@routes.post("/v1/cases/{number}/gold", response_model=GoldAnswer, responses=_CHANGES)
async def make_gold(number: Number, asked: GoldAsked, desk: Desk, granted: Lead) -> Response:
    """Make a decided case gold: its truth is known. Scope `audit`.

    It is slipped in now and then for reviewers who don't know it; what they say does nothing, and is scored.
    """
    now = desk.records.clock.now()
    gold = Gold(number, Outcome(asked.truth), now, granted.by or ANYONE, asked.why)

    def there(records: Records) -> Gold | None:
        case = records.cases.get(number)
        if case is None:
            raise Refusal(404, "not_found", "there is no case of this number", "number")
        if case.state is not CaseState.DECIDED:
            raise Refusal(409, "not_decided", "only what was decided can be gold: nobody knows better else", "number")
        return records.gold.get(number)

    made = await desk.records.do(there)
    if made is None:
        await desk.audit.gold(granted, Kind.GOLD, number, asked.why)
        made = await desk.records.do(lambda records: records.gold.make(gold))
    if (made.truth, made.why, made.by) != (gold.truth, gold.why, gold.by):
        raise Refusal(409, "gold", f"{made.by} has made it gold already: undo that first")
    return _json(gold_shown(made))


@routes.post("/v1/cases/{number}/gold/undo", response_model=NoGold, responses=_CHANGES)
async def undo_gold(number: Number, asked: WhyAsked, desk: Desk, granted: Lead) -> Response:
    """Let a case be gold no longer. Scope `audit`. What was said of it counts for nobody then."""
    if await desk.records.do(lambda records: records.gold.get(number)) is None:
        return _json(NoGold(number, undone=False))
    await desk.audit.gold(granted, Kind.NO_GOLD, number, asked.why)
    return _json(NoGold(number, await desk.records.do(lambda records: records.gold.undo(number))))


def _json(value: GoldAnswer | NoGold) -> Response:
    return Response(msgspec.json.encode(value), 200, _NO_STORE, "application/json")
