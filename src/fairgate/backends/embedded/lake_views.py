"""The views that SQL sees: one for each event type, and `decisions`, `rules` and `labels` over all of them."""
# ruff: noqa: S608 - all that is put into SQL here is a checked name, quoted, or a quoted text

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from types import MappingProxyType
from typing import Final

from fairgate.backends.embedded.lake_manifest import Manifest, Schema, conflicts

#: The function that opens what is sealed, where personal columns may be read.
UNSEALED: Final = "_unsealed"
_HIDDEN: Final = ("_key", "_sealed", "_personal", "_label_of")
_SQL: Final = MappingProxyType({"Float64": "DOUBLE", "String": "VARCHAR"})

#: What `decisions` has of an event, and `labels` of a label: the expression over the files, its name, its type.
_COMMON: Final = (
    ("_sequence", "sequence", "BIGINT"),
    ("_time", "time", "TIMESTAMPTZ"),
    ("_received", "received", "TIMESTAMPTZ"),
    ("_day", "day", "DATE"),
    ("{type}", "type", "VARCHAR"),
    ("{account}", "account", "VARCHAR"),
    ("_source", "source", "VARCHAR"),
)
_DECIDED: Final = (
    *_COMMON,
    ("_id", "id", "VARCHAR"),
    ("_action", "action", "VARCHAR"),
    ("_log_odds", "log_odds", "DOUBLE"),
    ("_probability", "probability", "DOUBLE"),
    ("_segment", "segment", "VARCHAR"),
    ("_rules", "rules", "VARCHAR[]"),
    ("_silent", "silent", "VARCHAR[]"),
    ("_propensity", "propensity", "DOUBLE"),
    ("_pack", "pack", "VARCHAR"),
)
_LABELLED: Final = (
    *_COMMON,
    ("of", "of", "VARCHAR"),
    ("bad", "bad", "BOOLEAN"),
    ("_label_of", "label_of", "VARCHAR[]"),
)
_RULES: Final = """
    SELECT * EXCLUDE (rules, silent, log_odds, probability, segment, propensity), list_contains(silent, rule) AS silent
    FROM (SELECT *, unnest(rules) AS rule FROM decisions WHERE len(rules) > 0)"""
#: A label is the latest where none about the same event came after it.
_LATEST: Final = "row_number() OVER (PARTITION BY source, of ORDER BY sequence DESC) = 1 AS latest"


@dataclass(frozen=True, slots=True)
class Group:
    """Files of one event type that have the same columns. `tail` is one with rows that are not in the lake yet.

    With `before`, only rows with a lower sequence are meant.
    """

    paths: tuple[Path, ...]
    schema: Schema
    tail: bool = False
    before: int | None = None


#: Where the rows of each event type are.
Groups = Mapping[str, Sequence[Group]]


def groups_of(folder: Path, manifest: Manifest, tail: Mapping[str, Group]) -> Groups:
    """The groups of a lake's files, and of the tail, by event type."""
    names = sorted({*(part.event_type for part in manifest.parts), *tail})
    found: dict[str, list[Group]] = {name: [] for name in names}
    for name, groups in found.items():
        parts = sorted(manifest.of(name), key=manifest.alike)
        for (place, goes_on), run in groupby(parts, key=manifest.alike):
            paths = tuple(each.path(folder) for each in run)
            groups.append(Group(paths, manifest.schemas[place], before=manifest.sequence if goes_on else None))
        if name in tail:
            groups.append(tail[name])
    return found


def view_names(event_types: Iterable[str]) -> dict[str, str]:
    """Event types by the names of their views: `api_request` for `api.request`, then `_` where that is taken."""
    named: dict[str, str] = {}
    taken = {"decisions", "rules", "labels"}
    for event_type in sorted(event_types):
        name = event_type.replace(".", "_").replace("-", "_")
        while name.lower() in taken:
            name += "_"
        taken.add(name.lower())
        named[name] = event_type
    return named


def statements(groups: Groups, wanted: frozenset[str], *, readable: bool) -> Iterator[str]:
    """The SQL that makes the wanted views (in lower case), each after those that it reads."""
    for name, event_type in view_names(groups).items():
        if name.lower() in wanted:
            yield f"CREATE VIEW {quoted(name)} AS {_of_type(groups[event_type], readable=readable)}"
    if not wanted.isdisjoint({"decisions", "rules"}):
        yield f"CREATE VIEW decisions AS {_over_all(groups, _DECIDED, readable=readable)}"
    if "rules" in wanted:
        yield f"CREATE VIEW rules AS {_RULES}"
    if "labels" in wanted:
        labels = {name: each for name, each in groups.items() if _has("_label_of", each)}
        yield f"CREATE VIEW labels AS SELECT *, {_LATEST} FROM ({_over_all(labels, _LABELLED, readable=readable)})"


def quoted(name: str) -> str:
    """A name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(value: str) -> str:
    """A text as an SQL literal."""
    return "'" + value.replace("'", "''") + "'"


def _over_all(groups: Groups, columns: Sequence[tuple[str, str, str]], *, readable: bool) -> str:
    selects = []
    for event_type, each in groups.items():
        account = "account" if _has("account", each) else "NULL"
        listed = ", ".join(
            f"{value.format(type=literal(event_type), account=account)}::{kind} AS {name}"
            for value, name, kind in columns
        )
        opened = readable and "account" in _personal(each)
        selects.append(f"SELECT {listed} FROM ({_opened(each) if opened else _rows(each)})")
    nothing = f"SELECT {', '.join(f'NULL::{kind} AS {name}' for _, name, kind in columns)} WHERE false"
    return " UNION ALL ".join(selects) or nothing


def _of_type(groups: Sequence[Group], *, readable: bool) -> str:
    hidden = ", ".join(name for name in _HIDDEN if _has(name, groups))
    exclude = f" EXCLUDE ({hidden})" if hidden else ""
    return f"SELECT *{exclude} FROM ({_opened(groups) if readable else _rows(groups)})"


def _opened(groups: Sequence[Group]) -> str:
    """The rows with their personal values; one call opens all of a row's."""
    personal = _personal(groups)
    if not personal:
        return _rows(groups)
    call = f"{UNSEALED}([{', '.join(map(literal, personal))}], _personal, _key, _sealed)"
    values = ", ".join(f"_opened[{at}] AS {quoted(name)}" for at, name in enumerate(personal, 1))
    return f"SELECT * EXCLUDE (_opened) REPLACE ({values}) FROM (SELECT *, {call} AS _opened FROM ({_rows(groups)}))"


def _rows(groups: Sequence[Group]) -> str:
    casts = conflicts([group.schema for group in groups])
    selects = []
    for group in groups:
        paths = ", ".join(literal(str(path)) for path in group.paths)
        days = "" if group.tail else ", hive_partitioning = true, hive_types = {'_day': DATE}"
        replaced = ", ".join(
            f"{quoted(name)}::{_SQL[kind]} AS {quoted(name)}"
            for name, kind in casts.items()
            if name in group.schema.columns
        )
        replace = f" REPLACE ({replaced})" if replaced else ""
        where = "" if group.before is None else f" WHERE _sequence < {group.before}"
        selects.append(f"SELECT *{replace} FROM read_parquet([{paths}]{days}){where}")
    return " UNION ALL BY NAME ".join(selects)


def _has(column: str, groups: Sequence[Group]) -> bool:
    return any(column in group.schema.columns for group in groups)


def _personal(groups: Sequence[Group]) -> list[str]:
    return list(dict.fromkeys(name for group in groups for name in group.schema.personal))
