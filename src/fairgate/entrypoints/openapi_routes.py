"""What the OpenAPI document says of each route: its parameters, bodies, answers and problems, each with an example."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from fairgate.entrypoints.door.anchors import AnchorAnswer, PostAnchor
from fairgate.entrypoints.door.answers import Decided, Result, Results
from fairgate.entrypoints.door.changes import (
    ErasureAnswer,
    LabelAnswer,
    PackAnswer,
    PostErasure,
    PostLabel,
    PutEntry,
    PutSwitch,
    SpokenOf,
)
from fairgate.entrypoints.door.http import Problem
from fairgate.entrypoints.door.memory import MemoryAnswer, PostMemory, RememberedAnswer, WaitingShown
from fairgate.entrypoints.door.reads import PAGE
from fairgate.entrypoints.door.shown import (
    DecisionAnswer,
    DecisionShown,
    EntityAnswer,
    EntityFeatureShown,
    EntriesAnswer,
    EntryShown,
    EventShown,
    FeatureShown,
    ListsAnswer,
    ListShown,
    ReasonShown,
    RuleShown,
    SwitchesAnswer,
)
from fairgate.entrypoints.openapi_actions import ACTIONS_DESCRIBED
from fairgate.entrypoints.openapi_words import Described, Parameter, State

_MOMENT = datetime(2026, 1, 5, 10, 31, 12, tzinfo=UTC)
_NEXT_WEEK = datetime(2026, 1, 12, 10, 31, 12, tzinfo=UTC)
_USER = "We saw many new accounts from your network."
_EVENT_CODES = ("missing", "mistyped", "unknown_type", "invalid", "ahead", "late")
_DEADLINE = Parameter("header", "Fairgate-Deadline-Ms", "how long to wait at most, 1 to 60,000 milliseconds", 50)
_SITE = Parameter("header", "Fairgate-Call-Site", "the call site whose policy answers if need be", "default")
_WHY = Parameter(
    "header",
    "Fairgate-Reason",
    "why personal values are to be shown to a key with the scope `personal`: 3 to 300 characters, or `case 12`",
    "a complaint, ticket 4711",
)
_LIST = Parameter("path", "name", "the list", "blocked_cards", required=True)
_VALUE = Parameter("path", "value", "a value of the list's entity", "card_1", required=True)
_ENTRY = EntryShown("blocked_cards", "t1:9f2c5d0e8b7a46139f2c5d0e8b7a4613", _NEXT_WEEK, "fraud desk", "reported stolen")
_SWITCHES = SwitchesAnswer(all=False, rules=["signup_burst"], actions=["ban"])
_DECISION = DecisionAnswer(
    sequence=4711,
    event=EventShown(
        source="sign-up service",
        id="01HZX4",
        type="account.signup",
        time=_MOMENT,
        received=_MOMENT,
        attributes={"account": "acc_1"},
        personal={"email": "t1:0d3f5a7c9b1e42680d3f5a7c9b1e4268"},
        readable=False,
    ),
    decision=DecisionShown(
        action="challenge",
        log_odds=-1.2,
        probability=0.23,
        segment="default",
        lists=[],
        silent=[],
        drawn=[],
        notes=[],
        degraded=[],
        propensity=1.0,
        pack="ai_api 1 (5b1f0c2d)",
    ),
    reasons=[
        ReasonShown(
            code="signup_burst",
            user=_USER,
            reviewer="Burst of sign-ups: 5 sign-ups from one address within an hour",
            executive="Accounts are being made in bulk.",
            score=2.0,
            decisive=True,
            lists=[],
            rules=["signup_burst"],
        )
    ],
    rules=[
        RuleShown(
            name="signup_burst",
            score=2.0,
            mode="live",
            silent=False,
            owner="abuse team",
            group="network",
            why="5 sign-ups from one address within an hour",
        )
    ],
    features={'count("account.signup", by=ip, over="1h")': FeatureShown("number", 5.0)},
)
_ENTITY = EntityAnswer(
    kind="account",
    value="acc_1",
    seen=True,
    at=_MOMENT,
    features=[
        EntityFeatureShown(
            name='count("api.request", by=account, over="1h")',
            formula='count("api.request", by=account, over="1h")',
            window="1h",
            by="account",
            read_at=["api.request"],
            type="number",
            value=12.0,
        )
    ],
    lists=[],
)
_REFUSED = Problem("missing", "data.account is required", "data.account")
_SAID = PostLabel(
    SpokenOf(source="sign-up service", id="01HZX4"),
    bad=True,
    kind="free_credits",
    said_by="reviewer",
    source="case",
    confidence=0.9,
    selected_by="throwaway_burst",
    propensity=1.0,
)

#: By method and path. A route without an entry stops the document from being made.
DESCRIBED: Mapping[tuple[str, str], Described] = MappingProxyType(
    {
        ("POST", "/v1/decide"): Described(
            "Decide on one event and say what to do. The answer comes when it is on disk, or from the call site's "
            "policy when the deadline has passed.",
            Decided("01HZX4", 4711, "challenge", [_USER]),
            (_DEADLINE, _SITE),
            events=True,
            problems={400: ("malformed", "bad_deadline", "unknown_call_site"), 422: _EVENT_CODES},
        ),
        ("POST", "/v1/events"): Described(
            "Take one event, an array, or a line for each, and say of each what became of it.",
            Results(1, 1, [Result("1", 4712, "allow"), Result("2", error=_REFUSED)]),
            (_DEADLINE,),
            events=True,
            problems={400: ("malformed", "bad_deadline"), 422: _EVENT_CODES, 429: ("busy",)},
        ),
        ("GET", "/v1/decisions/{id}"): Described(
            "A decision with its reasons, evidence and features, by its number, or by its event's id and source.",
            _DECISION,
            (
                Parameter("path", "id", "the log's number, or with `source` the event's id", "4711", required=True),
                Parameter("query", "source", "the event's source, where `id` is its id", "sign-up service"),
                _WHY,
            ),
            problems={400: ("no_source",), 404: ("no_decision",), 503: ("late",)},
        ),
        ("GET", "/v1/entities/{kind}/{value}"): Described(
            "What is remembered of an entity now, and the lists it is in. One never met has `seen` false.",
            _ENTITY,
            (
                Parameter("path", "kind", "the kind of entity, such as account or ip", "account", required=True),
                Parameter("path", "value", "its value, in any spelling, or its token", "acc_1", required=True),
                _WHY,
            ),
            problems={404: ("unknown_kind",), 422: ("invalid",), 503: ("late",)},
        ),
        ("GET", "/v1/lists"): Described(
            "The lists of the pack.",
            ListsAnswer(
                [ListShown("blocked_cards", "cards that are held", "card", "hold", "payment_risk", personal=True)]
            ),
        ),
        ("GET", "/v1/lists/{name}"): Described(
            "What stands in a list, by value, a page at a time.",
            EntriesAnswer([_ENTRY], _ENTRY.value),
            (
                _LIST,
                Parameter("query", "limit", "entries on a page, 1 to 1,000", PAGE),
                Parameter("query", "after", "the `next` of the page before", _ENTRY.value),
            ),
            problems={400: ("bad_limit",), 404: ("unknown_list",)},
        ),
        ("PUT", "/v1/lists/{name}/{value}"): Described(
            "Enter a value in a list for a time, or give it another end.",
            _ENTRY,
            (_LIST, _VALUE),
            PutEntry("7d", "reported stolen"),
            problems={
                400: ("malformed",),
                404: ("unknown_list",),
                422: ("mistyped", "bad_length", "no_reason", "invalid"),
            },
        ),
        ("DELETE", "/v1/lists/{name}/{value}"): Described(
            "Take a value off a list.",
            _ENTRY,
            (_LIST, _VALUE, Parameter("query", "why", "the reason, kept in the log", "a mistake", required=True)),
            problems={404: ("unknown_list", "no_entry"), 422: ("no_reason", "invalid")},
        ),
        **ACTIONS_DESCRIBED,
        ("GET", "/v1/switches"): Described("What is switched off.", _SWITCHES),
        ("PUT", "/v1/switches/{rule}"): Described(
            "Switch a rule, an action, or `all` enforcement, off or on again.",
            _SWITCHES,
            (Parameter("path", "rule", "the rule, `action:` with an action, or `all`", "signup_burst", required=True),),
            PutSwitch(off=True, why="it fires on a customer's load test"),
            problems={400: ("malformed",), 404: ("unknown_rule",), 422: ("mistyped", "no_reason")},
        ),
        ("POST", "/v1/labels"): Described(
            "Say what an earlier event turned out to be. It becomes an event of the pack's label type, timed now.",
            LabelAnswer("account.label", "3c0f", 4713, repeated=False),
            body=_SAID,
            problems={
                400: ("malformed",),
                404: ("no_event",),
                422: ("mistyped", "bad_label", *_EVENT_CODES),
                429: ("busy",),
            },
        ),
        ("GET", "/v1/memory"): Described(
            "How much is remembered of banned accounts, and which bans nobody has looked up, at most a hundred.",
            MemoryAnswer(412, [WaitingShown(17, "acc_1", _MOMENT, ["cards_of_banned"])]),
        ),
        ("POST", "/v1/memory"): Described(
            "Remember a ban by tokens of what its account used, in place of what it was remembered by.",
            RememberedAnswer(17, 1, datetime(2027, 1, 5, 10, 31, 12, tzinfo=UTC)),
            body=PostMemory(17, {"cards_of_banned": ["t1:9f2c5d0e8b7a46139f2c5d0e8b7a4613"]}, "what acc_1 used"),
            problems={
                400: ("malformed",),
                404: ("no_action",),
                409: ("not_remembered",),
                422: ("mistyped", "too_many", "invalid", "no_reason"),
            },
        ),
        ("POST", "/v1/erasures"): Described(
            "Make what is personal in an account's events unreadable, for ever. What was counted stays counted.",
            ErasureAnswer(
                "acc_1",
                "nothing personal of this account can be read any more, here or in backups to come; 2 tokens of what it"
                " used stay in lists until 2026-07-04 to know it again (fraud prevention, see our notice 4.2); the"
                " words of its appeals, and its challenges, go as soon as the clerk reads of it; 1 action on it stays,"
                " as do those on its keys and cards",
                2,
                datetime(2026, 7, 4, 10, 31, 12, tzinfo=UTC),
                "fraud prevention, see our notice 4.2",
                1,
            ),
            body=PostErasure("acc_1", "asked for by its owner, request 4711"),
            problems={400: ("malformed",), 404: ("nothing_sealed",), 422: ("mistyped", "no_reason")},
        ),
        ("POST", "/v1/audit/anchors"): Described(
            "Let the event log vouch for the audit log as it is now. The desk posts these by itself.",
            AnchorAnswer(4711),
            body=PostAnchor(4711, "9f" * 32, 1, "5b" * 32),
            problems={400: ("malformed",), 403: ("not_signed",), 422: ("mistyped",), 503: ("no_secret",)},
        ),
        ("POST", "/v1/reload"): Described(
            "Let the pack go live as its folder has it now, while events are taken. `fairgate reload` prepares that.",
            PackAnswer("ai_api", "2", "5b1f0c2d", changed=True),
            problems={409: ("not_prepared", "under_way", "bad_settings"), 422: ("bad_pack",)},
        ),
        ("GET", "/openapi.json"): Described("This document.", {"openapi": "3.1.0"}),
        ("GET", "/metrics"): Described("Prometheus metrics.", "fairgate_events_total 4711\n"),
        ("GET", "/healthz"): Described("Whether the process lives.", State("ok")),
        ("GET", "/readyz"): Described("Whether events are decided on.", State("ready")),
    }
)
