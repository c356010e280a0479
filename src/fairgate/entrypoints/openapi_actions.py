"""What the OpenAPI document says of the routes of actions."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from fairgate.enforce.standing import May, Standing
from fairgate.enforce.statement import Statement
from fairgate.entrypoints.door.actions import (
    ActionsAnswer,
    ActionShown,
    PostAction,
    PostUndo,
)
from fairgate.entrypoints.door.batches import BatchAnswer, BatchUndoAnswer, PostBatch, PostBatchUndo, RefusedOf
from fairgate.entrypoints.door.http import Problem
from fairgate.entrypoints.openapi_words import Described, Parameter

_SINCE, _UNTIL = datetime(2026, 1, 5, 10, 31, 12, tzinfo=UTC), datetime(2026, 2, 4, 10, 31, 12, tzinfo=UTC)
_USER = "This account seems to be used for others."
_ACTION = ActionShown(
    number=17,
    kind="account",
    value="acc_1",
    action="suspend",
    stands=True,
    since=_SINCE,
    until=_UNTIL,
    reasons=["resale"],
    evidence=["case 12"],
    pack="ai_api 1 (5b1f0c2d)",
    by="fraud desk",
    why="one of thirty that share a device",
    ref="case-12/acc_1",
)
_NUMBER = Parameter("path", "number", "the action's number", "17", required=True)
_IF_MATCH = Parameter("header", "If-Match", "the tag of what you have seen stand: else 412", '"5b1f0c2d-17"')

ACTIONS_DESCRIBED: Mapping[tuple[str, str], Described] = MappingProxyType(
    {
        ("GET", "/v1/accounts/{account}/standing"): Described(
            "What an account may do now. With `If-None-Match` and the tag of the answer before, 304 where that holds.",
            Standing(
                kind="account",
                value="acc_1",
                action="suspend",
                until=_UNTIL,
                may=May(use=False, spend=False, rate=1.0, models=None),
                challenges=[],
                reasons=[_USER],
            ),
            (
                Parameter("path", "account", "the account", "acc_1", required=True),
                Parameter("query", "org", "its organisation, whose standing counts too", "org_1"),
                Parameter("query", "key", "the key that is used, whose standing counts too", "key_1"),
                Parameter("header", "If-None-Match", "the tag of the answer before", '"5b1f0c2d-17"'),
            ),
            problems={404: ("unknown_kind",), 422: ("invalid",)},
            also={304: "It is as the caller has it."},
        ),
        ("GET", "/v1/actions"): Described(
            "What is held about an entity, the oldest first: what stands, and what was undone in the last thirty days.",
            ActionsAnswer([_ACTION]),
            (
                Parameter("query", "kind", "the kind of entity", "account"),
                Parameter("query", "value", "its value, in any spelling, or its token", "acc_1", required=True),
            ),
            problems={404: ("unknown_kind",), 422: ("invalid",)},
        ),
        ("POST", "/v1/actions"): Described(
            "Act on an entity. 201, or 200 where the same was asked for under the same `ref` before.",
            _ACTION,
            (_IF_MATCH,),
            PostAction(
                "account",
                "acc_1",
                "suspend",
                "one of thirty that share a device",
                "30d",
                ["resale"],
                ["case 12"],
                "case-12/acc_1",
            ),
            problems={
                400: ("malformed",),
                404: ("unknown_kind",),
                409: ("ref_taken",),
                412: ("changed",),
                422: ("mistyped", "unknown_action", "unknown_reason", "bad_length", "too_long", "no_reason", "invalid"),
            },
            also={201: "The action was taken."},
        ),
        ("POST", "/v1/actions/batch"): Described(
            "Act on up to a thousand entities of one kind. Sent again, what was done of it is not done twice.",
            BatchAnswer(1, [17], [RefusedOf("", Problem("invalid", "the value is empty", "values"))]),
            body=PostBatch(
                "account", ["acc_1", ""], "suspend", "thirty on one device", "case-12", "30d", ["resale"], ["case 12"]
            ),
            problems={
                400: ("malformed",),
                404: ("unknown_kind",),
                422: ("mistyped", "too_many", "no_ref", "unknown_action", "unknown_reason", "bad_length", "too_long"),
            },
        ),
        ("POST", "/v1/actions/batch/undo"): Described(
            "Undo up to a thousand actions. Those that were undone before count as undone.",
            BatchUndoAnswer(1, [99]),
            body=PostBatchUndo([17, 99], "the wrong device", "7d"),
            problems={400: ("malformed",), 422: ("mistyped", "too_many", "bad_length", "no_reason")},
        ),
        ("GET", "/v1/actions/{number}"): Described(
            "An action by its number. One that has ended by itself is no longer there.",
            _ACTION,
            (_NUMBER,),
            problems={404: ("no_action",)},
        ),
        ("GET", "/v1/actions/{number}/statement"): Described(
            "The statement of reasons for an action, in words for whoever it is on.",
            Statement(
                action="suspend",
                since=_SINCE,
                until=_UNTIL,
                reasons=[_USER],
                clauses=["3.2, one account for one person"],
                facts=["how it was used"],
                automated=False,
                appeal="Write to our support.",
                appeal_until=_UNTIL,
                text="We suspended your account on 5 January 2026, until 4 February 2026. ...",
            ),
            (_NUMBER,),
            problems={404: ("no_action",)},
        ),
        ("POST", "/v1/actions/{number}/undo"): Described(
            "Undo an action, and spare who it was on for a while. One that was undone before stays as it is.",
            _ACTION,
            (_NUMBER,),
            PostUndo("the appeal was granted", "30d"),
            problems={400: ("malformed",), 404: ("no_action",), 422: ("mistyped", "bad_length", "no_reason")},
        ),
    }
)
