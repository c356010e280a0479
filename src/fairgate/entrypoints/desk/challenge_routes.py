"""Challenges over HTTP: a service sets one for an account, shows it, and hands over what was answered.

The scope is `decide`, that of services which ask what to do: whoever is told `challenge` has to set one, and may send
what came of it as an event of its own already.
"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.challenge import Challenge, ChallengeState
from fairgate.domain.event import moment
from fairgate.entrypoints.desk.challenge_answers import (
    ChallengeAnswered,
    ChallengeAnswerGiven,
    ChallengeAsked,
    ChallengeShown,
    ResultGiven,
)
from fairgate.entrypoints.desk.challenging import Answered, Asked
from fairgate.entrypoints.desk.office import Desk, Office, needs
from fairgate.entrypoints.desk.problems import documented
from fairgate.ingest.wire import LONGEST_IDENTIFIER
from fairgate.ports.challenger import REPORTED_PASSED, Given

routes = APIRouter(tags=["Challenges"])
Asker = Annotated[Granted, Depends(needs(Scope.DECIDE))]
Id = Annotated[str, Path(pattern="^[A-Za-z0-9_-]{1,64}$")]


@routes.post(
    "/v1/challenges",
    status_code=201,
    response_model=ChallengeShown,
    responses={
        200: {"model": ChallengeShown, "description": "it was set before; a code is not told again"},
        **documented(401, 403, 404, 409, 413, 422, 429, 503),
    },
)
async def put(asked: ChallengeAsked, desk: Desk, granted: Asker) -> Response:
    """Set a challenge for an account. Scope `decide`. Under one `ref` it is set once: 200 then."""
    wanted = Asked(asked.account, asked.kind, asked.action, asked.ref, asked.about.told())
    challenge, new, code = await desk.challenging.put(wanted, granted)
    return _json(_shown(desk, challenge, code), 201 if new else 200)


@routes.get(
    "/v1/challenges/{challenge_id}", response_model=ChallengeShown, responses=documented(401, 403, 404, 422, 503)
)
async def challenge(
    challenge_id: Id,
    desk: Desk,
    _: Asker,
    account: Annotated[str, Query(min_length=1, max_length=LONGEST_IDENTIFIER, description="The account it is for.")],
) -> Response:
    """One challenge of an account. Scope `decide`. Another account's is not told from none."""
    return _json(_shown(desk, await desk.challenging.get(challenge_id, account), None))


@routes.post(
    "/v1/challenges/{challenge_id}/answer",
    response_model=ChallengeAnswered,
    responses=documented(401, 403, 404, 409, 413, 422, 429, 503),
)
async def answer(challenge_id: Id, asked: ChallengeAnswerGiven, desk: Desk, _: Asker) -> Response:
    """Hand over an answer. Scope `decide`. One that is right, or the last one, ends the challenge for good."""
    given = Given(asked.text, asked.about.ip)
    return _json(_answered(await desk.challenging.answer(challenge_id, asked.account, given, asked.about.told())))


@routes.post(
    "/v1/challenges/{challenge_id}/result",
    response_model=ChallengeAnswered,
    responses=documented(401, 403, 404, 409, 413, 422, 429, 503),
)
async def result(challenge_id: Id, asked: ResultGiven, desk: Desk, _: Asker) -> Response:
    """Report what came of a payment or an identity check that you carried out. Scope `decide`."""
    given = Given(REPORTED_PASSED if asked.passed else "failed", asked.about.ip)
    return _json(_answered(await desk.challenging.report(challenge_id, asked.account, given, asked.about.told())))


def _shown(desk: Office, challenge: Challenge, code: str | None) -> ChallengeShown:
    over = challenge.over(desk.records.clock.now())
    return ChallengeShown(
        id=challenge.id,
        kind=challenge.kind,
        account=challenge.account,
        action=challenge.action,
        state=ChallengeState.EXPIRED if over else challenge.state,
        made=moment(challenge.made),
        expires=moment(challenge.expires),
        attempts_left=0 if over else challenge.left,
        show={} if over else dict(desk.challenging.shows(challenge)),
        ended=moment(challenge.expires) if over else moment(challenge.ended) if challenge.ended else None,
        code=code,
    )


def _answered(answered: Answered) -> ChallengeAnswered:
    found = answered.challenge
    return ChallengeAnswered(
        id=found.id,
        state=found.state,
        attempts_left=found.left,
        verified=answered.verified if found.state == ChallengeState.PASSED else None,
        recorded=answered.told,
    )


def _json(value: ChallengeShown | ChallengeAnswered, status: int = 200) -> Response:
    headers = {"Cache-Control": "no-store"}
    return Response(msgspec.json.encode(value), status, headers, "application/json")
