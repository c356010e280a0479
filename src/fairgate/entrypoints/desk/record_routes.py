"""The clerk's records over HTTP: what other services are still to be told, and all that was done to an account."""

import logging
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from starlette.responses import Response

from fairgate.domain.access import Granted, Scope
from fairgate.domain.event import moment
from fairgate.domain.ledger import Subject
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.dead_message import dead_message
from fairgate.entrypoints.desk.answers import ActionHistory, DeadList, SentAgain, WebhookBacklog, WebhookList
from fairgate.entrypoints.desk.labelling import case_of
from fairgate.entrypoints.desk.office import Desk, Viewer, needs, told_of, views
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.door.actions import ActionShown, action_shown
from fairgate.ingest.wire import LONGEST_IDENTIFIER

#: The largest number that SQL has.
_LARGEST: Final = (1 << 63) - 1
_T = TypeVar("_T")

routes = APIRouter(tags=["Records"])
Reader = Annotated[Granted, Depends(needs(Scope.READ))]
Enforcer = Annotated[Granted, Depends(needs(Scope.ENFORCE))]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
_log = logging.getLogger(__name__)


class _Actions(msgspec.Struct):
    """An `ActionHistory`, in the door's words."""

    actions: list[ActionShown]
    next: int | None


@routes.get("/v1/webhooks", response_model=WebhookList, responses=documented(401, 403, 503))
async def webhooks(desk: Desk, _: Reader) -> Response:
    """What waits for each service, since when, and how much was put aside. Scope `read`."""
    shown = [
        WebhookBacklog(
            receiver=each.receiver,
            configured=each.receiver in desk.settings.webhook,
            waiting=each.waiting,
            oldest=moment(each.oldest) if each.oldest else None,
            dead=each.dead,
        )
        for each in await desk.records.backlogs()
    ]
    return _json(WebhookList(shown))


@routes.get("/v1/webhooks/dead", response_model=DeadList, responses=documented(401, 403, 422, 503))
async def dead(
    desk: Desk,
    viewer: Annotated[Viewer, Depends(views(Scope.READ))],
    receiver: Annotated[str | None, Query(max_length=200, description="Only those to this service.")] = None,
    after: Annotated[int, Query(ge=-1, le=_LARGEST, description="Only those with larger numbers.")] = -1,
    limit: Limit = 100,
) -> Response:
    """Messages that were put aside, by number. Scope `read`; bodies, which name accounts, with `personal` as well.

    Bodies are shown to who states why, and that they were is noted in the audit log.
    """
    found = await desk.records.do(lambda records: records.outbox.dead(receiver, after, limit + 1))
    page, more = _page(found, limit)
    granted, seen = viewer
    if seen.shown:
        await desk.audit.read(granted, [Subject("message", str(each.number)) for each in page], seen)
    shown = [dead_message(each, personal=seen.shown) for each in page]
    return _json(DeadList(shown, page[-1].number if more else None), headers=told_of(seen))


@routes.post(
    "/v1/webhooks/dead/{number}/again",
    status_code=202,
    response_model=SentAgain,
    responses=documented(401, 403, 404, 422, 503),
)
async def again(number: Annotated[int, Path(ge=0, le=_LARGEST)], desk: Desk, granted: Enforcer) -> Response:
    """Let a message that was put aside be sent again, behind all that waits. Scope `enforce`."""
    now = desk.records.clock.now()
    if not await desk.records.do(lambda records: records.outbox.again(number, now)):
        raise Refusal(404, "not_found", "no message of this number is put aside", "number")
    _log.info("message %d, which was put aside, is sent again", number, extra={"by": granted.by})
    return _json(SentAgain(number), 202)


@routes.get(
    "/v1/accounts/{account:path}/actions", response_model=ActionHistory, responses=documented(401, 403, 422, 503)
)
async def actions(
    account: Annotated[
        str, Path(max_length=LONGEST_IDENTIFIER, description="As actions show it: the token where it is personal.")
    ],
    desk: Desk,
    granted: Reader,
    before: Annotated[int, Query(ge=0, le=_LARGEST, description="Only those with smaller numbers.")] = _LARGEST,
    limit: Limit = 100,
) -> Response:
    """All that was ever done to an account, also what is over, the newest first. Scope `read`.

    Without what followed from a case that you are to judge by the evidence alone.
    """
    subject = Subject(ACCOUNT, account)
    found = await desk.records.do(lambda records: records.ledger.of(subject, before, limit + 1))
    page, more = _page(found, limit)
    now, hidden = desk.records.clock.now(), await desk.second_looks.hidden(granted)
    shown = [action_shown(each, now) for each in page if case_of(each) not in hidden]
    return _json(_Actions(shown, page[-1].number if more else None))


def _page(found: Sequence[_T], limit: int) -> tuple[Sequence[_T], bool]:
    """What is shown of what was found, and whether there is more."""
    return found[:limit], len(found) > limit


def _json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(msgspec.json.encode(value), status, headers, media_type="application/json")
