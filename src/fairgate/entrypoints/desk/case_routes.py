"""Cases over HTTP: opened, given out, worked on and decided."""

from typing import Annotated, TypeAlias

import msgspec
from fastapi import APIRouter, Depends, Header, Query
from starlette.responses import Response

from fairgate.casework import handling
from fairgate.domain.access import Granted
from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.case import Case, CaseState, Facts, Verdict
from fairgate.domain.event import moment
from fairgate.domain.look import Staged
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.blindness import Blind, Judges, Number, Reviewer, Sighted
from fairgate.entrypoints.desk.case_answers import (
    CaseAnswer,
    CaseAsked,
    CaseDecided,
    CaseFile,
    CaseList,
    CaseSplit,
    HappeningAnswer,
    MergeAsked,
    NoteAsked,
    QueueAnswer,
    SnoozeAsked,
    SplitAsked,
    VerdictAsked,
    WhyAsked,
)
from fairgate.entrypoints.desk.case_shown import blind_shown, case_shown, for_leads
from fairgate.entrypoints.desk.caseroom import Deed
from fairgate.entrypoints.desk.judging import Follows
from fairgate.entrypoints.desk.office import Desk, Office
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.desk.second_looks import Given
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.language.durations import HINT, parse_duration
from fairgate.ports.cases import CasesWanted

routes = APIRouter(tags=["Cases"])
_LONGEST_VERSION = 19


def _seen(
    if_match: Annotated[
        str,
        Header(
            max_length=_LONGEST_VERSION + 2,
            pattern=r'^"?[1-9][0-9]*"?$',
            description="The version of the case that you saw, as its `ETag` says it.",
            examples=['"3"'],
        ),
    ],
) -> int:
    """The version that somebody has seen."""
    seen = int(if_match.strip('"'))
    if seen > LARGEST:
        raise Refusal(422, "malformed", "no case has such a version", "If-Match")
    return seen


Seen: TypeAlias = Annotated[int, Depends(_seen)]


def _wanted(
    state: Annotated[CaseState | None, Query(description="Only those of this state.")] = None,
    account: Annotated[
        str | None, Query(max_length=LONGEST_IDENTIFIER, description="Only those about this account.")
    ] = None,
    claimed_by: Annotated[
        str | None, Query(max_length=LONGEST_IDENTIFIER, description="Only those that they claimed last.")
    ] = None,
    escalated: Annotated[bool | None, Query(description="Only those that wait for leads, or only those not.")] = None,
) -> CasesWanted:
    """Which cases a query asks for."""
    return CasesWanted(state, account, claimed_by, escalated)


@routes.post(
    "/v1/cases",
    status_code=201,
    response_model=CaseAnswer,
    responses={
        200: {"model": CaseAnswer, "description": "it was opened before"},
        **documented(401, 403, 409, 413, 422, 503),
    },
)
async def open_case(asked: CaseAsked, desk: Desk, granted: Reviewer) -> Response:
    """Open a case by hand. Scope `review`. Under one `ref` it is opened once: 200 then."""
    now = desk.records.clock.now()
    facts = Facts(asked.stake(now), events=tuple(sorted(set(asked.events), reverse=True)))
    case = Case(-1, tuple(asked.accounts), facts, now, granted.by or ANYONE, asked.why, asked.ref)
    opened = await desk.caseroom.open(case)
    return _told(desk, opened.case, 201 if opened.new else 200)


@routes.post("/v1/cases/next", response_model=CaseAnswer, responses=documented(401, 403, 404, 422, 503))
async def next_case(desk: Desk, granted: Reviewer) -> Response:
    """Claim the next case, or get the one again that you are at. Scope `review`.

    It is what the plan of the shift has for you, or else the one of which a minute is worth the most and that you have
    the skill for; what waits for leads comes first where you lead, and about every tenth is drawn by lot. Some were
    decided by somebody else, or long ago, and are `blind`: you see the evidence alone.
    """
    given = await desk.second_looks.next(granted)
    return _told(desk, await desk.caseroom.next(granted)) if given is None else _told_blind(desk, given)


@routes.get("/v1/cases", response_model=CaseList, responses=documented(401, 403, 422, 503))
async def cases(
    desk: Desk,
    granted: Reviewer,
    wanted: Annotated[CasesWanted, Depends(_wanted)],
    after: Annotated[int, Query(ge=-1, le=LARGEST, description="Only those with greater numbers.")] = -1,
    limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 100,
) -> Response:
    """Cases, by number, without those that you are to judge by the evidence alone. Scope `review`."""
    hidden = await desk.second_looks.hidden(granted)
    found = await desk.caseroom.found(wanted, after, limit + 1)
    page = found[:limit]
    following = page[-1].number if len(found) > limit else None
    return _json(CaseList([case_shown(desk, each) for each in page if each.number not in hidden], following))


@routes.get("/v1/cases/queue", response_model=QueueAnswer, responses=documented(401, 403, 422, 503))
async def queue(
    desk: Desk, granted: Reviewer, limit: Annotated[int, Query(ge=1, le=500, description="How many at most.")] = 200
) -> Response:
    """The open cases that wait for somebody, the most valuable first, with those that are yours before them.

    Scope `review`. What waits for leads comes first where you lead, and before all that what you are to judge by the
    evidence alone.
    """
    found, waiting = await desk.caseroom.queue(granted, limit)
    hidden = await desk.second_looks.hidden(granted)
    shown = [case_shown(desk, each) for each in found if each.number not in hidden]
    for number in sorted(hidden):
        blind = await desk.second_looks.at(number, granted)
        shown[:0] = [] if blind is None else [blind_shown(desk, blind)]
    return _json(QueueAnswer(shown, waiting.open, waiting.ready, waiting.minutes))


@routes.get("/v1/cases/{number}", response_model=CaseFile, responses=documented(401, 403, 404, 422, 503))
async def case(number: Number, desk: Desk, granted: Reviewer, blind: Blind) -> Response:
    """One case, with what happened to it; its version is in the `ETag`. Scope `review`.

    Who leads sees what each of those said who looked at it, and whether it is gold.
    """
    if blind is not None:
        return _json(CaseFile(blind_shown(desk, blind), []), version=blind.look.version)
    found, history = await desk.caseroom.file(number)
    happened = [HappeningAnswer(moment(each.at), each.by, each.what, each.said) for each in history]
    looks, gold = await for_leads(desk, number) if desk.caseroom.hand(granted).lead else (None, None)
    return _json(CaseFile(case_shown(desk, found), happened, looks, gold), version=found.version)


_CHANGES = documented(401, 403, 404, 409, 413, 422, 503)


@routes.post("/v1/cases/{number}/claim", response_model=CaseAnswer, responses=_CHANGES)
async def claim(number: Number, seen: Seen, desk: Desk, granted: Reviewer, blind: Blind) -> Response:
    """Claim a case: for some minutes it is yours, and longer while you work on it. Scope `review`."""
    if blind is not None:
        return _told_blind(desk, await desk.second_looks.claim(blind, seen, granted))
    return await _changed(desk, granted, number, seen, Deed("claimed", "", handling.claimed))


@routes.post("/v1/cases/{number}/release", response_model=CaseAnswer, responses=_CHANGES)
async def release(number: Number, seen: Seen, desk: Desk, granted: Reviewer, blind: Blind) -> Response:
    """Give a case back that you have claimed. Scope `review`."""
    if blind is not None:
        return _told_blind(desk, await desk.second_looks.release(blind, seen, granted))
    return await _changed(desk, granted, number, seen, Deed("released", "", handling.released))


@routes.post("/v1/cases/{number}/notes", response_model=CaseAnswer, responses=_CHANGES)
async def note(number: Number, asked: NoteAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Write something down about a case, whoever is at it and whatever has become of it. Scope `review`."""
    deed = Deed("noted", asked.text, lambda case, hand: handling.noted(case, hand, asked.text))
    return await _changed(desk, granted, number, seen, deed)


@routes.post("/v1/cases/{number}/snooze", response_model=CaseAnswer, responses=_CHANGES)
async def snooze(number: Number, asked: SnoozeAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Let a case that is yours sleep for a while. Scope `review`."""
    length = parse_duration(asked.length)
    if length is None:
        raise Refusal(422, "bad_length", f"say for how long: {HINT}", "for")
    deed = Deed("snoozed", asked.why, lambda case, hand: handling.snoozed(case, hand, hand.at + length, asked.why))
    return await _changed(desk, granted, number, seen, deed)


@routes.post("/v1/cases/{number}/escalate", response_model=CaseAnswer, responses=_CHANGES)
async def escalate(number: Number, asked: WhyAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Hand a case that is yours to those who lead. Scope `review`."""
    deed = Deed("escalated", asked.why, lambda case, hand: handling.escalated(case, hand, asked.why))
    return await _changed(desk, granted, number, seen, deed)


@routes.post("/v1/cases/{number}/reopen", response_model=CaseAnswer, responses=_CHANGES)
async def reopen(number: Number, asked: WhyAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Have a decided case judged again. Scope `review`. What was done stands until it is undone."""
    deed = Deed("reopened", asked.why, lambda case, hand: handling.reopened(case, hand, asked.why))
    return _told(desk, await desk.caseroom.reopen(number, seen, deed, granted))


@routes.post("/v1/cases/{number}/merge", response_model=CaseAnswer, responses=_CHANGES)
async def merge(number: Number, asked: MergeAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Merge another case about the same actor into one that is yours. Scope `review`."""
    other = asked.other, asked.other_version
    return _told(desk, await desk.caseroom.merge(number, seen, other, asked.why, granted))


@routes.post("/v1/cases/{number}/split", response_model=CaseSplit, responses=_CHANGES)
async def split(number: Number, asked: SplitAsked, seen: Seen, desk: Desk, granted: Sighted) -> Response:
    """Make a case of its own of some accounts of one that is yours. Scope `review`. Nobody is at the new one.

    What is at stake is computed anew for both, by the decisions on their accounts; together it is what it was.
    """
    left, made = await desk.caseroom.split(number, seen, asked.accounts, asked.why, granted)
    return _json(CaseSplit(case_shown(desk, left), case_shown(desk, made)), version=left.version)


@routes.post("/v1/cases/{number}/decision", response_model=CaseDecided, responses=_CHANGES)
async def decide(number: Number, asked: VerdictAsked, seen: Seen, desk: Desk, judge: Judges) -> Response:
    """Judge a case that is yours. Scope `review`, and for actions and undoing `enforce` as well, at the door.

    What follows is done first and the case decided then: where something fails, decide again, and nothing is done
    twice. The door gets a label of the event by which each account came into the case. Where what is grave is too
    doubtful it is `held` until somebody else has looked. What you say of a case that is `blind` is kept, and nothing
    is told of what follows.
    """
    granted = judge.granted
    staged = [Staged(ACTIONS[each.action], tuple(each.accounts or ()), each.length) for each in asked.actions]
    verdict = Verdict(
        outcome=asked.outcome,
        action=max((each.action for each in staged), default=Action.ALLOW),
        reasons=tuple(asked.reasons),
        confidence=asked.confidence,
        at=desk.records.clock.now(),
        by=granted.by or ANYONE,
        why=asked.why,
    )
    follows = Follows(staged, asked.undo, asked.spare)
    if judge.given is not None:
        given: Given | None = await desk.second_looks.say(judge.given, seen, verdict, follows, granted)
    else:
        given = await desk.second_looks.said(number, seen, verdict, granted)
    if given is not None:
        return _json(CaseDecided(blind_shown(desk, given), [], 0, 0, []), version=given.look.version)
    done = await desk.judging.decide(number, seen, verdict, follows, granted)
    labels = done.labelled
    shown = CaseDecided(
        case_shown(desk, done.case), list(done.actions), done.undone, labels.given, list(labels.without), done.held
    )
    return _json(shown, version=done.case.version)


async def _changed(desk: Office, granted: Granted, number: int, seen: int, deed: Deed) -> Response:
    return _told(desk, await desk.caseroom.change(number, seen, deed, granted))


def _told(desk: Office, case: Case, status: int = 200) -> Response:
    return _json(case_shown(desk, case), status, version=case.version)


def _told_blind(desk: Office, given: Given) -> Response:
    return _json(blind_shown(desk, given), version=given.look.version)


def _json(
    value: CaseAnswer | CaseFile | CaseList | CaseSplit | CaseDecided | QueueAnswer, status: int = 200, version: int = 0
) -> Response:
    headers = {"Cache-Control": "no-store"} | ({"ETag": f'"{version}"'} if version else {})
    return Response(msgspec.json.encode(value), status, headers, "application/json")
