"""Events as columns: what recordings and the lake are made of.

A row has, in this order:

* `_sequence` (the order over all types), `_time`, `_received`, `_source`, `_id`;
* `_action`, `_log_odds`, `_probability`, `_segment`, `_rules` (all that fired), `_silent` (those that changed nothing),
  `_propensity`;
* the attributes that are not personal, as sent;
* the parts that the pack's rules, their words and its segments read, such as `email.domain`, a canonical form as
  `ip.value`; of a personal attribute, only those that don't tell who it is;
* the recorded features, under their names.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import polars as pl

from fairgate.domain.action import Action
from fairgate.domain.event import Decision, Erased, microseconds
from fairgate.domain.pack import EventType
from fairgate.language.checked import CheckedPack
from fairgate.language.semantic import SemanticType
from fairgate.language.tree import PLAIN_TYPES, Attr, Kind, Node, walk

MOMENT = pl.Datetime("us", "UTC")
_DTYPES: Mapping[Kind, Any] = MappingProxyType(
    {Kind.NUMBER: pl.Float64(), Kind.TEXT: pl.String(), Kind.BOOL: pl.Boolean(), Kind.TIME: MOMENT}
)
_FIELDS: Mapping[str, Any] = MappingProxyType({"text": pl.String(), "number": pl.Float64(), "bool": pl.Boolean()})
_WORDS = tuple(action.word for action in Action)


@dataclass(frozen=True, slots=True)
class Rows:
    """Some events of one type, by what they consist of, each as long as the others.

    `values(name)` are an attribute's. `packed` are all features as float64s, one event's after the other's; `texts(at,
    numbers)` are those of the feature at a place that is a text, given the numbers that stand for them.
    """

    sequences: Sequence[int]
    times: Sequence[int]
    received: Sequence[int]
    sources: Sequence[str]
    ids: Sequence[str]
    decisions: Sequence[Decision]
    values: Callable[[str], Sequence[Any]]
    packed: bytes
    texts: Callable[[int, Sequence[float]], Sequence[str | None]]


def event_columns(rows: Rows) -> list[pl.Series]:
    """What stands before the attributes: the event itself, and its decision."""
    decisions = rows.decisions
    return [
        pl.Series("_sequence", rows.sequences, pl.Int64),
        moments("_time", rows.times),
        moments("_received", rows.received),
        pl.Series("_source", rows.sources, pl.String),
        pl.Series("_id", rows.ids, pl.String),
        pl.Series("_action", [_WORDS[each.action] for each in decisions], pl.String),
        pl.Series("_log_odds", [each.log_odds for each in decisions], pl.Float64),
        pl.Series("_probability", [each.probability for each in decisions], pl.Float64),
        pl.Series("_segment", [each.segment for each in decisions], pl.String),
        _names("_rules", [each.rules for each in decisions]),
        _names("_silent", [each.silent for each in decisions]),
        pl.Series("_propensity", [each.propensity for each in decisions], pl.Float64),
    ]


def attribute_columns(event_type: EventType, rows: Rows) -> list[pl.Series]:
    """The attributes that are not personal."""
    return [_attribute(each.name, each.type, rows) for each in event_type.attributes if not each.personal]


def part_columns(read: Iterable[Attr], checked: CheckedPack, rows: Rows) -> list[pl.Series]:
    """Parts of attributes, parsed from their values."""
    parsed: dict[str, list[Any]] = {}
    columns = []
    for attr in read:
        if attr.name not in parsed:
            parsed[attr.name] = _parsed(rows.values(attr.name), checked.semantics[attr.semantic or ""])
        part = attr.part or "value"
        values = [getattr(each, part) if each is not None else None for each in parsed[attr.name]]
        columns.append(pl.Series(f"{attr.name}.{part}", values, _DTYPES[attr.kind]))
    return columns


def feature_columns(recorded: Sequence[tuple[str, Kind]], rows: Rows) -> list[pl.Series]:
    """The recorded features, by their names and types."""
    numbers = np.frombuffer(rows.packed, np.float64).reshape(len(rows.sequences), len(recorded))
    return [_feature(at, name, kind, numbers[:, at], rows) for at, (name, kind) in enumerate(recorded)]


def moments(name: str, microseconds_since: Sequence[int | None]) -> pl.Series:
    """Times given as microseconds since 1970 UTC."""
    return pl.Series(name, microseconds_since, pl.Int64).cast(MOMENT)


def field_column(name: str, kind: str, values: Sequence[Any]) -> pl.Series:
    """A part of a semantic type that is a text, a number or a bool."""
    return pl.Series(name, values, _FIELDS[kind])


def parts_read(event_type: EventType, checked: CheckedPack) -> list[Attr]:
    """The parts of this type's attributes that rules, their words and segments read, and that may be kept."""
    rules = checked.rules_on(event_type.name)
    nodes: list[Node] = [node for rule in rules for node in (rule.when, *(rule.why.values if rule.why else ()))]
    nodes += [each.when for each in checked.segments if each.when is not None]
    read = dict.fromkeys(each for node in nodes for each in walk(node) if isinstance(each, Attr))
    return [attr for attr in read if _may_keep(attr, event_type, checked)]


def _may_keep(attr: Attr, event_type: EventType, checked: CheckedPack) -> bool:
    declared = event_type.attribute(attr.name)
    if declared is None or attr.semantic is None or attr.semantic != declared.type or attr.part == "raw":
        return False
    return not declared.personal or (attr.part or "value") not in checked.semantics[attr.semantic].revealing


def _names(name: str, lists: Iterable[Sequence[str]]) -> pl.Series:
    """Rules' names as lists. Most are empty, and no name has a space, so joined texts are the quickest way there."""
    joined = pl.Series(name, [" ".join(each) or None for each in lists], pl.String)
    return joined.str.split(" ").fill_null([])


def _attribute(name: str, kind: str, rows: Rows) -> pl.Series:
    values = rows.values(name)
    if kind == "time":
        return moments(name, [None if time is None else microseconds(time) for time in values])
    return pl.Series(name, values, pl.Int64() if kind == "integer" else _DTYPES[PLAIN_TYPES.get(kind, Kind.TEXT)])


def _parsed(values: Sequence[Any], semantic: SemanticType) -> list[Any]:
    """Objects with the parts of texts, each text parsed once; of an erased one, with the parts that were kept."""
    objects = {text: semantic.parse(text) for text in {each for each in values if isinstance(each, str)}}
    return [each.parts if isinstance(each, Erased) else objects.get(each) for each in values]


def _feature(at: int, name: str, kind: Kind, numbers: Any, rows: Rows) -> pl.Series:  # noqa: ANN401 - a numpy column
    if kind == Kind.TEXT:
        return pl.Series(name, rows.texts(at, numbers.tolist()), pl.String)
    values = pl.Series(name, np.ascontiguousarray(numbers), nan_to_null=True)
    if kind == Kind.NUMBER:
        return values
    return values.cast(pl.Boolean if kind == Kind.BOOL else pl.Int64).cast(_DTYPES[kind])
