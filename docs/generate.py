"""Write the generated parts of the reference pages again, from the objects that the program itself uses.

A generated part stands between `<!-- generated: name -->` and `<!-- end -->`. `make docs` runs this; a test fails while
a page is stale.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Any

from msgspec import NODEFAULT, Struct, inspect

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND, WINDOW_ALIASES, WINDOWS
from fairgate.entrypoints.desk.app import described
from fairgate.entrypoints.openapi import ALL_ROUTES, document
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import TYPES
from fairgate.language.aggregates import AGGREGATES, Gathering
from fairgate.language.declarations import RESERVED
from fairgate.language.functions import FUNCTIONS, Function
from fairgate.language.pack_tables import (
    ActionTable,
    AppealTable,
    AttributeTable,
    BulkTable,
    CasesTable,
    CostTable,
    EventTable,
    FeatureTable,
    ListTable,
    PackTable,
    ReasonTable,
    RemembersTable,
    RuleTable,
    RuleTestTable,
    SegmentTable,
    SourceEventTable,
    SourceTable,
    Table,
)
from fairgate.language.shapes import limits_of
from fairgate.language.tree import PLAIN_TYPES, PLAIN_TYPES_ABOUT, Kind
from fairgate.monitor.metric_list import metrics_page
from fairgate.settings import Settings
from fairgate.simulate.honest.people import SEGMENTS
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.world_file import (
    Figure,
    Habits,
    Opponent,
    Passing,
    Price,
    Range,
    Release,
    Segment,
    Service,
    World,
)
from fairgate.wiring import load_checked

REFERENCE = Path(__file__).parent / "reference"
#: Where the console's types are made from.
CONSOLE = Path(__file__).parents[1] / "web" / "openapi"
_WORDS = frozenset({"description", "summary", "title"})
_PART = re.compile(r"(<!-- generated: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

#: What each key of a pack's tables means. A key without an entry here stops the generator.
KEYS: Mapping[type[Table], Mapping[str, str]] = {
    PackTable: {
        "name": "what the pack is called",
        "version": "for people; Fairgate itself tells two packs apart by their content",
        "about": "what it is for",
        "prior": "the probability that an event is abusive, before anything is known about it",
    },
    EventTable: {
        "about": "what happened when such an event is sent",
        "label_of": "makes it a label: the event types it speaks of. `of` (the event's id) and `bad` are needed",
        "attributes": "its attributes, by name: a type, or a table as below",
    },
    AttributeTable: {
        "type": "one of the types above",
        "entity": "the kind of entity it identifies: account, ip, device, ...",
        "personal": "kept in a part of the log of its own, and never in clear in a profile",
        "required": "an event without it is refused",
        "about": "what it says",
    },
    FeatureTable: {
        "name": "what rules call it, and the column it is recorded in",
        "value": "one aggregate",
        "on": "the event types at which it is read and recorded",
        "about": "what it says",
    },
    RuleTable: {
        "name": "what other rules, decisions and reports call it",
        "on": "the event types at which it is asked",
        "when": "the condition",
        "score": "log-odds of abuse that it adds when it fires",
        "action": "the least that it asks for when it fires; or a table of one for each event type",
        "reason": "the code of a `[[reason]]`; needed with a score or an action",
        "why": "a line for the reviewer, with expressions in braces",
        "group": "the kind of evidence; a grave action needs two kinds",
        "mode": "`shadow`, `canary 5%` or `live`",
        "by": "the entity a canary is drawn on; else the first that all its event types share",
        "daily_cap": "how often in a UTC day it may count; after that it is silent and the decision says so",
        "owner": "whom to ask",
        "tests": "events on which it must, or must not, fire",
    },
    RuleTestTable: {
        "fires": "true: it must fire on the last event. false: it must not fire on any",
        "events": "the events, in order",
        "about": "what the test shows",
        "listed": "what stands in lists meanwhile, by list, beside what comes with the pack",
    },
    ReasonTable: {
        "code": "what rules name",
        "user": "what the user is told: nothing of how it was found",
        "reviewer": "what to look at",
        "executive": "what it means for the business",
        "clause": "the part of your terms of use that it rests on, told in statements of reasons",
    },
    SegmentTable: {
        "name": "what decisions call it",
        "on": "the event types at which it is looked for; all, unless given",
        "when": "the condition, over the event alone. The last segment has none: it takes the rest",
        "costs": "the costs of each action; those left out are the last segment's",
    },
    CostTable: {
        "bad": "what the action costs on an abusive event",
        "good": "what it costs on an honest one",
    },
    ListTable: {
        "name": "what rules call it",
        "about": "what is in it",
        "entity": "the kind of entity that it lists; its values are compared in their canonical form",
        "effect": "the action on every event of a listed entity; `allow` wins over everything",
        "reason": "the code of a `[[reason]]`; needed with an effect other than `allow`",
        "entries": "values that come with the pack and never end",
        "file": "a file of the pack with more of them, one a line, `#` starts a comment",
        "remembers": "fills it by itself, see below",
    },
    RemembersTable: {
        "of": "the actions against an account by which it is remembered",
        "on": "the event types in which an account uses what the list remembers",
        "for": "how long it is remembered, from the action on; at most 730d",
        "shared_by": "accounts that may have used the same; what more have used is nobody's",
    },
    AppealTable: {
        "text": "how to have an action looked at again, to whoever it is on, as a whole sentence",
        "days": "for how many days from the action on; 1 to 3,650",
    },
    CasesTable: {
        "from": "the least action that opens a case about the account of its event",
        "cost": "the attribute of events that says what they used, in dollars; without one nothing seems to burn",
        "hours": "for how long somebody bad goes on until they are caught otherwise",
        "minutes": "how long a review takes",
        "skills": 'what a reviewer has to know, by the code of a reason: `{ card_check = "payments" }`',
    },
    BulkTable: {
        "paid": "the event type of money that comes in, with an attribute `account`",
        "amount": "its attribute that says how much",
        "paid_if": "the values that its attributes must have, so that what was declined does not count",
        "begins": "the event type with which an account begins, with an attribute `account`",
    },
    ActionTable: {
        "for": "how long it stands, such as `7d`; without it, until somebody undoes it",
        "use": "whether the account may use the service at all",
        "spend": "whether it may spend what it has bought or was given",
        "rate": "the part of its usual rate that it has, above 0 and at most 1",
        "models": "the models that it may use; all of them, unless given",
        "challenge": "the kind of challenge that it is asked for",
        "ends_on": "the event type that ends it, with an attribute that is the account, such as a passed challenge",
    },
    SourceTable: {
        "format": "of the files",
        "event": "how a row becomes an event; one row may become several",
        "name": "what the events' `source` is; the pack's name, unless given",
        "time_format": "the unit of times that are numbers",
    },
    SourceEventTable: {
        "type": "the event type",
        "id": "the column of the event's id",
        "time": "the column of its time",
        "when": "values that columns must have for the row to become this event",
        "id_prefix": "put before the id, so that two events of one row differ",
        "delay": "added to the time, as for a label that becomes known later",
        "attributes": "attributes by the columns they come from",
    },
}

#: What each key of a world's file means, and of what stands in it. A key without an entry here stops the generator.
WORLD_KEYS: Mapping[type[Struct], Mapping[str, str]] = {
    World: {
        "name": "what reports call it",
        "about": "what it is for",
        "begins": "its first day, such as `2026-09-07`; it begins at midnight UTC",
        "honest": "honest accounts that are there at the start",
        "growth": "how many honest accounts come every week, as a share of those at the start",
    },
    Range: {
        "low": "the least it may be",
        "high": "the most it may be",
    },
    Figure: {
        "source": "who published it; `assumed` where nobody did",
        "date": "when: a year, a month or a day",
    },
    Service: {
        "trial_dollars": "what a new account is given; opponents get and count on the middle of it",
        "referral_dollars": "what a newcomer who was invited is given, and as much whoever invited them",
        "review_hours": "after how long a person looks at an account that is held or suspended, or at an appeal",
        "review_dollars": "what such a look costs",
        "review_misses": "of the opponents' accounts that a person looks at, the share that may go on",
        "review_wrongs": "of the honest ones, the share that stays closed",
        "appeals": "of the honest who are banned, the share that appeals. Opponents don't",
        "throttled_hours": "how long an account is slow after a decision to throttle",
        "throttled_hourly": "how often a slow account may ask in an hour",
        "challenge_hours": "for how long whoever passed a challenge gets no other",
        "dispute_days": "after how many days a charge is taken back",
        "classifier_finds": "of the forbidden requests, the share that a classifier of content flags",
        "classifier_wrongs": "of all others, the share that it flags",
        "notice_hours": "after how long an owner notices that somebody else uses the account",
    },
    Habits: {
        "refers": "of the newcomers, those who come by somebody's invitation",
        "second_hand": "of the newcomers at a laptop of their own, those who bought it of somebody here",
        "shares_card": "of private people, those who pay with a friend's card",
        "disputes": "of the charges, those that are taken back in good faith",
        "rotates": "of the days on which a company is at it, those on which it replaces a key",
        "invites": "of the same days, those on which it asks a colleague in",
        "forgets": "of the log-ins, those that begin with a forgotten password",
    },
    Passing: {
        "passes": "the share that passes",
        "seconds": "how long it takes",
        "dollars": "what it costs, passed or not",
    },
    Price: {
        "low": "the least that one costs, in dollars. The price is drawn once, when the world begins",
        "high": "the most",
        "supply": "how many a month there are at that price. What was bought counts for thirty days, less every day",
        "dearer": "times the price at twice the supply, its square at three times, and so on",
    },
    Segment: {
        "share": "their part of honest accounts; all segments together make 1",
        "daily": "how often an account asks on a day that it is used, drawn once for each",
        "days": "the share of days on which it is used",
        "growth": "as `growth` above, for this segment; as in all the world unless given",
    },
    Opponent: {
        "operators": "how many are there, each with a purse and beliefs of its own",
        "budget": "what each has at first, in dollars",
        "skill": "how careful each is, from 0 to 1",
        "resale": "what a dollar's worth of compute brings each, in dollars; at most 1",
        "hands": "who does their challenges: the NAME of a `[challenge.NAME]`",
        "more": "the figures that only this archetype needs, see [archetypes](#archetypes)",
    },
    Release: {
        "day": "how many days after the world begins",
        "model": "what it is called; a name that is not on offer yet",
        "surge": "interest in all models on that day, times what it was",
        "fades": "days until interest is what it was",
        "moves": "of the uses of large models, the share that goes to the new one",
    },
}

_NAMES: Mapping[type[Table], str] = {
    PackTable: "pack", EventTable: "event", AttributeTable: "attribute", FeatureTable: "feature", RuleTable: "rule",
    RuleTestTable: "test", ReasonTable: "reason", SegmentTable: "segment", CostTable: "cost", ListTable: "list",
    RemembersTable: "remembers",
    ActionTable: "action", AppealTable: "appeal", BulkTable: "bulk", CasesTable: "cases",
    SourceTable: "source",
    SourceEventTable: "source-event",
}  # fmt: skip


def table(heads: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    """A Markdown table."""
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '&#124;') for cell in line)} |" for line in lines)


def keys(shape: type[Table]) -> str:
    """The keys of a table, what each takes, and what it means."""
    found = inspect.type_info(shape)
    assert isinstance(found, inspect.StructType)  # noqa: S101 - every table is one
    rows = [
        (f"`{each.encode_name}`", f"{_takes(each.type)}{_default(each)}", KEYS[shape][each.encode_name])
        for each in found.fields
    ]
    return table(("key", "value", "meaning"), *rows)


def _takes(kind: inspect.Type) -> str:
    match kind:
        case inspect.UnionType(types=types):
            return " or ".join(_takes(_bare(each)) for each in types if not isinstance(each, inspect.NoneType))
        case inspect.LiteralType(values=values):
            return ", ".join(f"`{each}`" for each in values)
        case inspect.ListType(item_type=item):
            return f"array of {_takes(item)}s"
        case inspect.EnumType():
            return "word"
        case inspect.DictType() | inspect.StructType():
            return "table"
        case inspect.CustomType(cls=cls) if cls is Path:
            return "path"
        case _:
            return {"StrType": "text", "BoolType": "bool", "IntType": "whole number"}.get(type(kind).__name__, "number")


def _default(field: inspect.Field) -> str:
    if field.required:
        return ", required"
    plain = field.default not in (NODEFAULT, None, "", False)
    return f"; `{field.default}` unless given" if plain else ""


def types() -> str:
    """The types of attributes."""
    rows = [(f"`{name}`", kind, PLAIN_TYPES_ABOUT[name], "") for name, kind in PLAIN_TYPES.items()]
    for name, semantic in TYPES.items():
        parts = " ".join(f"`{part}`" for part in semantic.fields)
        rows.append((f"`{name}`", Kind.TEXT, semantic.about, parts))
    return table(("type", "in rules", "what it is", "parts"), *rows)


def functions() -> str:
    """The functions, with how each is called."""
    return table(
        ("function", "gives", "what"), *((f"`{_call(each)}`", each.result, each.about) for each in FUNCTIONS.values())
    )


def _call(function: Function) -> str:
    if function.name == "cidr":
        return "ip in cidr(text, ...)"
    return f"{function.name}({', '.join(function.parameters)})"


def aggregates() -> str:
    """The aggregates, with how each is written."""
    return table(
        ("aggregate", "gives", "what"),
        *((f"`{_aggregate(each)}`", each.kind or "what `x` is", each.about) for each in AGGREGATES.values()),
    )


def _aggregate(gathering: Gathering) -> str:
    first = {"event": '"event.type"', "bool": "condition"}.get(gathering.first, "x")
    over = "[over=]" if gathering.profile else "over="
    on = "" if gathering.first == "event" else ", [on=]"
    return f"{gathering.name}({first}, by=, {over}, [where=]{on})"


def windows() -> str:
    """The windows and their buckets."""
    spellings = {
        name: [f"`{name}`", *(f"`{alias}`" for alias, of in WINDOW_ALIASES.items() if of == name)] for name in WINDOWS
    }
    rows = [
        (
            ", ".join(spellings[name]),
            str(window.buckets),
            _duration(window.tick),
            _duration(window.length - window.tick),
        )
        for name, window in WINDOWS.items()
    ]
    return table(("window", "buckets", "of", "covers at least"), *rows)


def _duration(time: int) -> str:
    unit, letter = next(
        (unit, letter) for unit, letter in ((DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s")) if time % unit == 0
    )
    return f"{time // unit}{letter}"


def reserved() -> str:
    """The words that no attribute, feature or rule may be called."""
    return " ".join(f"`{word}`" for word in sorted(RESERVED))


def settings() -> str:
    """Every key of `fairgate.toml`, table by table."""
    shape = inspect.type_info(Settings)
    assert isinstance(shape, inspect.StructType)  # noqa: S101 - tells the types: Settings is a struct
    heads = ("key", "type", "default", "limits", "what it says")
    plain = [each for each in shape.fields if _table_of(each) is None]
    parts = ["At the top of the file:", table(heads, *map(_setting, plain))]
    for each in shape.fields:
        parts += _tables(each, "", heads)
    return "\n\n".join(parts)


def _tables(field: inspect.Field, within: str, heads: tuple[str, ...]) -> list[str]:
    """The table that a key stands for, and those in it; nothing for a key with a value."""
    found = _table_of(field)
    if found is None:
        return []
    header, inner = found
    name = f"{within}{field.name}"
    plain = [each for each in inner.fields if _table_of(each) is None]
    parts = [f"## {header.format(name)}", _about(field), table(heads, *map(_setting, plain))]
    return parts + [part for each in inner.fields for part in _tables(each, f"{name}.", heads)]


def _table_of(field: inspect.Field) -> tuple[str, inspect.StructType] | None:
    """How the header of the table is written that a key stands for, and the table; None for a key with a value."""
    match _bare(field.type):
        case inspect.StructType() as shape:
            return "[{}]", shape
        case inspect.DictType(value_type=inspect.StructType() as shape):
            return "[{}.NAME]", shape
        case inspect.ListType(item_type=inspect.StructType() as shape):
            return "[[{}]]", shape
        case _:
            return None


def _setting(field: inspect.Field) -> tuple[str, ...]:
    kind = _bare(field.type)
    inner = [_bare(each) for each in kind.types] if isinstance(kind, inspect.UnionType) else [kind]
    limits = [limits_of(each) for each in inner if isinstance(each, inspect.IntType | inspect.FloatType)]
    given = field.default if field.default_factory is NODEFAULT else field.default_factory()
    default = "none" if given is None else f"`{_toml(given)}`"
    return f"`{field.name}`", _takes(kind), default, "".join(limits), _about(field)


def _about(field: inspect.Field) -> str:
    """A key's description. KeyError where it has none."""
    if not isinstance(field.type, inspect.Metadata) or not (field.type.extra_json_schema or {}).get("description"):
        raise KeyError(field.name)
    return str((field.type.extra_json_schema or {})["description"])


def _bare(kind: inspect.Type) -> inspect.Type:
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | int | float | list) else f'"{value}"'


def world() -> str:
    """Every key of a world's file, table by table."""
    parts = ["At the top of the file:", _keys_of(World)]
    for each in _fields(World):
        found = _part_of(each)
        if found is not None:
            header, shape = found
            parts += [f"## {header}", _first(shape), _keys_of(shape)]
    for name, shape in (("A range", Range), ("A figure", Figure)):
        parts += [f"## {name}", _first(shape), _keys_of(shape)]
    return "\n\n".join(parts)


def _fields(shape: type[Struct]) -> tuple[inspect.Field, ...]:
    found = inspect.type_info(shape)
    assert isinstance(found, inspect.StructType)  # noqa: S101 - every shape is one
    return found.fields


def _part_of(field: inspect.Field) -> tuple[str, type[Struct]] | None:
    """The header of the table that a key of a world stands for, and what is in it; None for a key with a value."""
    match _bare(field.type):
        case inspect.StructType(cls=cls) if not issubclass(cls, Range):
            return f"[{field.name}]", cls
        case inspect.DictType(value_type=inspect.StructType(cls=cls)):
            return f"[{field.name}.NAME]", cls
        case inspect.ListType(item_type=inspect.StructType(cls=cls)):
            return f"[[{field.name}]]", cls
        case _:
            return None


def _keys_of(shape: type[Struct]) -> str:
    """The keys of a table of a world that have values. KeyError for one that has no meaning."""
    plain = [each for each in _fields(shape) if shape is not World or _part_of(each) is None]
    rows = [
        (f"`{each.name}`", _holds(each.type), _unless(each), _limits(each.type), _meaning(shape, each.name))
        for each in plain
    ]
    return table(("key", "type", "default", "limits", "what it says"), *rows)


def _meaning(shape: type[Struct], key: str) -> str:
    for each in shape.__mro__:
        if key in WORLD_KEYS.get(each, {}):
            return WORLD_KEYS[each][key]
    raise KeyError(key)


def _holds(kind: inspect.Type) -> str:
    match _bare(kind):
        case inspect.StructType(cls=cls):
            return "[figure](#a-figure)" if issubclass(cls, Figure) else "[range](#a-range)"
        case inspect.DictType(value_type=value):
            return f"{_holds(value)}s by name"
        case bare:
            return _takes(bare)


def _limits(kind: inspect.Type) -> str:
    kind = _bare(kind)
    inner = [_bare(each) for each in kind.types] if isinstance(kind, inspect.UnionType) else [kind]
    return "".join(limits_of(each) for each in inner if isinstance(each, inspect.IntType | inspect.FloatType))


def _unless(field: inspect.Field) -> str:
    if field.required:
        return "required"
    return "none" if field.default in (None, NODEFAULT) else f"`{_toml(field.default)}`"


def _first(thing: object) -> str:
    """The first paragraph of a docstring, as one line. KeyError where there is none."""
    about = cleandoc(thing.__doc__ or "")
    if not about:
        raise KeyError(getattr(thing, "__name__", thing))
    return " ".join(about.partition("\n\n")[0].split())


def segments() -> str:
    """The kinds of honest people."""
    return table(("segment", "who they are"), *((f"`{name}`", _first(draw)) for name, draw in SEGMENTS.items()))


def opponents() -> str:
    """The archetypes, with what a world's file has to have for each. KeyError for one that doesn't say what it does."""
    rows = []
    for name, each in sorted(archetypes().items()):
        if not each.about:
            raise KeyError(name)
        prices, figures = (" ".join(f"`{one}`" for one in sorted(found)) for found in (each.prices, each.figures))
        rows.append((f"`{name}`", each.about, prices, figures))
    return table(("archetype", "what it does", "buys", "figures in `more`"), *rows)


PARTS: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "world": world,
    "segments": segments,
    "archetypes": opponents,
    "types": types,
    "functions": functions,
    "aggregates": aggregates,
    "windows": windows,
    "reserved": reserved,
    **{f"keys-{name}": partial(keys, shape) for shape, name in _NAMES.items()},
}


#: Pages that are generated whole.
PAGES: Mapping[str, Callable[[], str]] = {"metrics.md": metrics_page}


def generated(page: str) -> str:
    """A page with its generated parts as they should be. KeyError for a part that nobody generates."""
    return _PART.sub(lambda match: f"{match[1]}{PARTS[match[2]]()}\n{match[3]}", page)


def api_documents() -> Mapping[str, str]:
    """What desk and door can be asked, as the console's types are made of it: without words, which no type needs."""
    checked = load_checked("ai_api")
    door = document(ALL_ROUTES, checked, Decoder(checked, 0).wires)
    documents = {"desk.json": described().openapi(), "door.json": door}
    return {name: json.dumps(_bare_of_words(each), indent=1, sort_keys=True) + "\n" for name, each in documents.items()}


def _bare_of_words(part: Any) -> Any:  # noqa: ANN401 - JSON
    if isinstance(part, list):
        return [_bare_of_words(each) for each in part]
    if not isinstance(part, dict):
        return part
    left = {name: each for name, each in part.items() if not (name in _WORDS and isinstance(each, str | list))}
    return {name: _bare_of_words(each) for name, each in left.items() if name not in {"example", "examples"}}


def main() -> None:
    """Rewrite every reference page, and what the console's types are made of."""
    for name, text in api_documents().items():
        (CONSOLE / name).write_text(text)
    for path in sorted(REFERENCE.glob("*.md")):
        page = path.read_text("utf-8")
        path.write_text(generated(page), "utf-8")
    for name, make in PAGES.items():
        (REFERENCE / name).write_text(make(), "utf-8")


if __name__ == "__main__":
    main()
