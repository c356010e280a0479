"""The door, asked through the desk: so that pages have one server to talk to, and one session."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.reading import PERSONAL, REASON
from fairgate.entrypoints.desk.office import Desk, needs

routes = APIRouter(tags=["The door"])
#: What is passed on of a request, and of an answer.
_ASKED: Final = ("content-type", "accept", "if-none-match", REASON)
_TOLD: Final = ("content-type", "etag", "retry-after", "cache-control", PERSONAL)


@routes.api_route("/v1/door/{path:path}", methods=["GET", "POST", "PUT", "DELETE"], include_in_schema=False)
async def forward(
    path: str, request: Request, desk: Desk, granted: Annotated[Granted, Depends(needs(Scope.READ))]
) -> Response:
    """Ask the door, in the name of whoever asks: it lets them do there what they may do, and notes their name."""
    del path  # decoded: the door gets it as it was sent
    raw = request.scope["raw_path"].decode("ascii").partition("/v1/door")[2].partition("?")[0]
    query = request.scope["query_string"].decode("ascii")
    headers = {name: request.headers[name] for name in _ASKED if name in request.headers}
    answer = await desk.door.forward(
        request.method, f"{raw}?{query}" if query else raw, await request.body(), headers, granted
    )
    told = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
    return Response(answer.content, answer.status_code, told)
