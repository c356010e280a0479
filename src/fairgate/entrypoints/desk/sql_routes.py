"""`POST /v1/sql`: one query over the lake and what is not in it yet."""

import asyncio
from time import perf_counter
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from fairgate.domain.access import Scope
from fairgate.domain.reading import Sight
from fairgate.entrypoints.desk.answers import SqlAnswer, SqlAsked
from fairgate.entrypoints.desk.office import Desk, Office, Viewer, told_of, views
from fairgate.entrypoints.desk.problems import documented, refusal_of
from fairgate.entrypoints.desk.tasks import Done, Format, Query, Refused

MEDIA: dict[Format, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "parquet": "application/vnd.apache.parquet",
}
#: What the desk gives a worker beyond a query's own limit, to end it in good order and to send the rows.
_GRACE_SECONDS = 5.0

routes = APIRouter(tags=["SQL"])


@routes.post(
    "/v1/sql",
    response_model=SqlAnswer,
    responses={
        200: {
            "content": {
                "text/csv": {"schema": {"type": "string"}},
                "application/vnd.apache.parquet": {"schema": {"type": "string", "format": "binary"}},
                "application/json": {
                    "example": {
                        "columns": [{"name": "action", "type": "VARCHAR"}, {"name": "events", "type": "BIGINT"}],
                        "rows": [["allow", 41231], ["challenge", 17]],
                        "truncated": False,
                        "left_out": 0,
                        "seconds": 0.042,
                    }
                },
            },
            "headers": {
                "Fairgate-Truncated": {
                    "description": "`true` where there are more rows than were given.",
                    "schema": {"type": "string"},
                },
                "Fairgate-Left-Out": {
                    "description": "How many of the latest records the query did not know of.",
                    "schema": {"type": "integer"},
                },
            },
        },
        **documented(401, 403, 413, 422, 429, 500, 503),
    },
)
async def sql(
    asked: SqlAsked, request: Request, desk: Desk, viewer: Annotated[Viewer, Depends(views(Scope.SQL))]
) -> Response:
    """Answer one SELECT over the lake and the events that are not in it yet.

    Scope `sql`; personal values are shown to keys that have `personal` as well and state a reason, else as tokens. It
    is noted in the audit log before it runs, and ended where it takes too long or the caller hangs up.
    """
    granted, seen = viewer
    query_id = await desk.audited(granted, "sql", asked.query, seen)
    answer = await answered(desk, request, _task(desk, asked, seen))
    status = answer.status if isinstance(answer, Refused) else 200
    await desk.audit.ended(query_id, granted, status, 0 if isinstance(answer, Refused) else answer[0].rows)
    if isinstance(answer, Refused):
        raise refusal_of(answer)
    done, body = answer
    headers = {
        "Fairgate-Truncated": "true" if done.truncated else "false",
        "Fairgate-Left-Out": str(done.left_out),
        "Cache-Control": "no-store",
        **told_of(seen),
    }
    return Response(body, media_type=MEDIA[asked.format], headers=headers)


def _task(desk: Office, asked: SqlAsked, seen: Sight) -> Query:
    most = desk.settings.desk.sql_rows
    return Query(asked.query, min(asked.limit or most, most), asked.format, seen.shown)


async def answered(desk: Office, request: Request, task: Query) -> tuple[Done, bytes] | Refused:
    """A query's answer; it is ended when its caller is gone, which ends this request, too."""
    began = perf_counter()
    running = asyncio.create_task(desk.workers.run(task, desk.settings.desk.sql_seconds + _GRACE_SECONDS))
    gone = asyncio.create_task(_gone(request))
    try:
        await asyncio.wait([running, gone], return_when=asyncio.FIRST_COMPLETED)
        if not running.done():
            return Refused(499, "caller_gone", "the caller hung up")
        return running.result()
    finally:
        gone.cancel()
        running.cancel()
        await asyncio.gather(gone, running, return_exceptions=True)
        desk.meters.query_seconds.observe(perf_counter() - began)


async def _gone(request: Request) -> None:
    """Return when the caller has hung up. The body has been read: nothing else can come."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
