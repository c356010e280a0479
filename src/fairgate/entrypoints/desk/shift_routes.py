"""Review under capacity over HTTP: who reviews when, the plan of a shift, and how far the queue will be behind."""

import math
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from fairgate.casework.plan import NEVER, Work
from fairgate.casework.worklist import LEADS, Item
from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Doer
from fairgate.domain.errors import NoSuchPerson
from fairgate.domain.event import moment
from fairgate.domain.people import Person
from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import HOUR
from fairgate.entrypoints.desk.backlog import Outlook
from fairgate.entrypoints.desk.office import Desk, needs
from fairgate.entrypoints.desk.planning import Planned
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.desk.shift_answers import (
    DAYS,
    BacklogAnswer,
    HourAnswer,
    HoursAnswer,
    OnDutyAnswer,
    PlanAnswer,
    PlannedAnswer,
    ReviewerAnswer,
    ReviewerAsked,
    ReviewersAnswer,
    clock,
)

routes = APIRouter(tags=["Review under capacity"])
Reader = Annotated[Granted, Depends(needs(Scope.READ))]
Reviewer = Annotated[Granted, Depends(needs(Scope.REVIEW))]
Lead = Annotated[Granted, Depends(needs(Scope.AUDIT))]
#: Of what is left for later, so much is shown.
_MOST_LEFT: Final = 100


@routes.get("/v1/reviewers", response_model=ReviewersAnswer, responses=documented(401, 403, 503))
async def reviewers(desk: Desk, granted: Reader) -> Response:
    """Everybody who may review, with their hours and skills. Scope `read`; accounts they know with `audit` as well."""
    people, rota = await desk.records.do(lambda records: (records.people.all(), records.rota.all()))
    known, leads = {each.person: each for each in rota}, _leads(granted)
    shown = [
        _reviewer(each, known.get(each.id), accounts=leads)
        for each in people
        if each.off is None and Scope.REVIEW in each.role.scopes
    ]
    return _json(ReviewersAnswer(shown))


@routes.put(
    "/v1/reviewers/{person_id}", response_model=ReviewerAnswer, responses=documented(401, 403, 404, 409, 413, 422, 503)
)
async def change(
    person_id: Annotated[str, Path(max_length=20)], asked: ReviewerAsked, desk: Desk, granted: Lead
) -> Response:
    """Write down when somebody reviews, and what they can do. Scope `audit`, as those have who lead.

    It goes into the audit log, and counts from the next plan on, which is made when it is asked for.
    """
    person = await desk.records.do(lambda records: records.people.get(person_id))
    if person is None:
        raise _nobody()
    if person.off is not None or Scope.REVIEW not in person.role.scopes:
        raise Refusal(409, "no_reviewer", f"{person.name} may not review: an admin gives them a role that may")
    shifts = Shifts(
        person=person_id,
        zone=asked.zone,
        hours=tuple(sorted(each.hours for each in asked.hours)),
        skills=tuple(sorted(asked.skills)),
        off=tuple(sorted(set(asked.days_off))),
        apart=tuple(asked.apart),
    )
    doer = Doer(desk.records.clock.now(), granted.by, granted.key)
    try:
        await desk.records.do(lambda records: records.rota.put(shifts, doer))
    except NoSuchPerson as error:
        raise _nobody() from error
    desk.planning.forget()
    return _json(_reviewer(person, shifts, accounts=True))


@routes.get("/v1/plan", response_model=PlanAnswer, responses=documented(401, 403, 503))
async def plan(desk: Desk, _: Reviewer) -> Response:
    """Who looks at what in the shift that is on, or the next. Scope `review`. It is never older than a minute."""
    return _json(_plan(await desk.planning.plan()))


@routes.get("/v1/backlog", response_model=BacklogAnswer, responses=documented(401, 403, 422, 503))
async def backlog(
    desk: Desk, _: Reader, days: Annotated[int, Query(ge=1, le=28, description="How far to look ahead.")] = 7
) -> Response:
    """How far the queue will be behind, in plain words and by the hour. Scope `read`."""
    return _json(_outlook(await desk.backlog.outlook(24 * days)))


def _leads(granted: Granted) -> bool:
    return not granted.key or Scope.AUDIT in granted.scopes


def _nobody() -> Refusal:
    return Refusal(404, "not_found", "there is nobody with this id", "person_id")


def _reviewer(person: Person, shifts: Shifts | None, *, accounts: bool) -> ReviewerAnswer:
    known = shifts or Shifts(person.id, "")
    return ReviewerAnswer(
        id=person.id,
        name=person.name,
        leads=Scope.AUDIT in person.role.scopes,
        zone=known.zone or None,
        hours=[HoursAnswer(DAYS[each.weekday], clock(each.begins), clock(each.ends)) for each in known.hours],
        skills=list(known.skills),
        days_off=list(known.off),
        apart=len(known.apart),
        accounts_apart=list(known.apart) if accounts else [],
    )


def _plan(planned: Planned) -> PlanAnswer:
    late = frozenset(planned.plan.late)
    shown = [
        _planned(item, work, late=work.case in late) for item, work in zip(planned.items, planned.works, strict=True)
    ]
    until = {} if planned.duty is None else {each.shifts.person: each.until for each in planned.duty.people}
    people = zip(planned.reviewers, until.values(), strict=True)  # they are in one order
    lists = planned.plan.lists
    return PlanAnswer(
        made=moment(planned.made),
        begins=None if planned.duty is None else moment(planned.duty.begins),
        ends=None if planned.duty is None else moment(planned.duty.ends),
        planner=planned.by,
        why=planned.why,
        reviewers=[
            OnDutyAnswer(
                each.name,
                moment(until),
                sum(planned.works[place].minutes for place in lists[each.name]),
                [shown[place] for place in lists[each.name]],
            )
            for each, until in sorted(people, key=lambda each: each[0].name)
        ],
        left=len(planned.plan.left),
        first_left=[shown[place] for place in planned.plan.left[:_MOST_LEFT]],
        late=[shown[place] for place in planned.plan.late],
    )


def _planned(item: Item, work: Work, *, late: bool) -> PlannedAnswer:
    return PlannedAnswer(
        kind=item.kind,
        number=item.number,
        minutes=work.minutes,
        value=work.value,
        skill="" if item.skill == LEADS else item.skill,
        escalated=item.skill == LEADS,
        drawn=work.kept,
        due=None if work.due == NEVER else moment(work.due),
        late=late,
    )


def _outlook(found: Outlook) -> BacklogAnswer:
    rows = zip(found.cases.cases, found.arriving, found.staffed, found.forecast.waiting, strict=True)
    behind = found.forecast.hours_behind
    return BacklogAnswer(
        now=moment(found.now),
        words=found.forecast.words,
        waiting=found.waiting,
        hours_behind=None if math.isinf(behind) else behind,
        known=found.cases.known,
        expected=found.cases.words,
        hours=[HourAnswer(moment(found.begins + at * HOUR), *row) for at, row in enumerate(rows)],
    )


def _json(value: ReviewersAnswer | ReviewerAnswer | PlanAnswer | BacklogAnswer) -> Response:
    return Response(msgspec.json.encode(value), 200, {"Cache-Control": "no-store"}, "application/json")
