"""`POST /v1/cases/from-query`: the accounts that a query gives, or that are named, become cases."""

from collections import Counter
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.case import Case, Facts
from fairgate.domain.reading import Sight
from fairgate.entrypoints.desk.bulk_drafts import fit
from fairgate.entrypoints.desk.case_answers import MOST_GATHERED, CasesGathered, GatherAsked
from fairgate.entrypoints.desk.gathering import Gathering, Rows, evidence_of, rows_of
from fairgate.entrypoints.desk.office import Desk, Office, needs
from fairgate.entrypoints.desk.problems import Refusal, documented, refusal_of
from fairgate.entrypoints.desk.sql_routes import answered
from fairgate.entrypoints.desk.tasks import Query, Refused
from fairgate.entrypoints.door.bodies import ANYONE

#: Cases that are told of where accounts are in open ones already.
_MOST_TOLD = 100

routes = APIRouter(tags=["Cases"])


@routes.post(
    "/v1/cases/from-query",
    status_code=201,
    response_model=CasesGathered,
    responses={
        200: {"model": CasesGathered, "description": "a preview, or all of it was opened before"},
        **documented(401, 403, 409, 413, 422, 429, 500, 503),
    },
)
async def gather(
    asked: GatherAsked, request: Request, desk: Desk, granted: Annotated[Granted, Depends(needs(Scope.REVIEW))]
) -> Response:
    """Open one case about all accounts that a query gives, or one about each. Scope `review`, and with a query `sql`.

    The query runs as one of `/v1/sql` does, with personal values hidden. Its text stays with the cases as their
    evidence. Accounts that are in an open case stay there and are told. With `preview` none is opened. Under one `ref`
    the same is opened once.
    """
    rows = Rows(asked.accounts or (), {}) if asked.query is None else await _rows(desk, request, asked.query, granted)
    skipped = Counter[str]()
    accounts = fit(rows.accounts, skipped)
    gathering = Gathering(desk.records)
    if asked.preview:
        done = await gathering.preview(accounts, apart=asked.apart)
    else:
        now, query = desk.records.clock.now(), asked.query or ""
        facts = Facts(asked.stake(now), evidence=evidence_of(query))
        like = Case(-1, tuple(accounts), facts, now, granted.by or ANYONE, asked.why, asked.ref, query=query)
        done = await (gathering.apart if asked.apart else gathering.one)(like, rows.events)
    told = CasesGathered(
        preview=asked.preview,
        accounts=done.accounts,
        opened=done.opened,
        cases=list(done.cases),
        skipped={reason: skipped[reason] for reason in ("null", "duplicate", "unfit")},
        there=len(done.there),
        there_cases=sorted(set(done.there.values()))[:_MOST_TOLD],
    )
    status = 201 if done.opened else 200
    return Response(msgspec.json.encode(told), status, {"Cache-Control": "no-store"}, "application/json")


async def _rows(desk: Office, request: Request, query: str, granted: Granted) -> Rows:
    """What a query gives, which is noted in the audit log before it runs."""
    if Scope.SQL not in granted.scopes:
        raise Refusal(403, "scope_missing", "a query needs the scope sql as well", "query")
    query_id = await desk.audited(granted, "case", query, Sight(shown=False, told=""))
    limit = min(MOST_GATHERED, desk.settings.desk.sql_rows)
    answer = await answered(desk, request, Query(query, limit, "json", personal=False))
    status = answer.status if isinstance(answer, Refused) else 200
    await desk.audit.ended(query_id, granted, status, 0 if isinstance(answer, Refused) else answer[0].rows)
    if isinstance(answer, Refused):
        raise refusal_of(answer)
    return rows_of(answer[1], limit)
