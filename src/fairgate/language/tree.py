"""Checked expressions: typed trees that the compilers walk. Missing is a value of every type.

The value types and what stands for them: a *number* is a float or int, missing is NaN; *text* is str, *bool* is bool,
*time* is int microseconds since 1970 UTC, and missing is None for these three.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

from fairgate.domain.windows import Window
from fairgate.language.functions import Function


class Kind(StrEnum):
    """The type of a value."""

    NUMBER = "number"
    TEXT = "text"
    BOOL = "bool"
    TIME = "time"


#: Plain attribute types; the semantic ones come from ingest.
PLAIN_TYPES: Mapping[str, Kind] = MappingProxyType(
    {"text": Kind.TEXT, "number": Kind.NUMBER, "integer": Kind.NUMBER, "bool": Kind.BOOL, "time": Kind.TIME}
)
#: What an event may send for each.
PLAIN_TYPES_ABOUT: Mapping[str, str] = MappingProxyType(
    {
        "text": "any text, at most 8,192 characters; 512 printable ones where it identifies an entity",
        "number": "a finite number within 2**53",
        "integer": "a whole number within 2**53; a number in rules",
        "bool": "true or false",
        "time": "a date and time with its offset from UTC (RFC 3339), to the microsecond",
    }
)


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant."""

    value: float | str | bool
    kind: Kind


@dataclass(frozen=True, slots=True)
class Now:
    """The event's own time."""

    kind: Kind = Kind.TIME


@dataclass(frozen=True, slots=True)
class Attr:
    """An attribute of the event, or one part of it. With a `semantic` type, no part means its canonical form."""

    name: str
    part: str
    kind: Kind
    semantic: str | None

    @property
    def path(self) -> str:
        """As the rule writes it."""
        return f"{self.name}.{self.part}" if self.part else self.name


@dataclass(frozen=True, slots=True)
class Aggregate:
    """A feature: what is gathered of which events, per which key, over which window. `text` is its canonical form."""

    name: str
    on: tuple[str, ...]
    value: "Node | None"
    by: tuple[Attr, ...]
    over: Window
    where: "Node | None"
    kind: Kind
    text: str


@dataclass(frozen=True, slots=True)
class FeatureRef:
    """The value of an aggregate at this event."""

    aggregate: Aggregate

    @property
    def kind(self) -> Kind:
        """The aggregate's type."""
        return self.aggregate.kind


@dataclass(frozen=True, slots=True)
class RuleRef:
    """Whether another rule's condition holds."""

    name: str
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Not:
    """Unknown stays unknown."""

    item: "Node"
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Both:
    """`and` (every) or `or` (any), in Kleene's three-valued logic."""

    every: bool
    items: tuple["Node", ...]
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Compare:
    """One comparison; with a missing side it is unknown."""

    operator: str
    left: "Node"
    right: "Node"
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class OneOf:
    """Whether a value is among constants."""

    item: "Node"
    options: tuple[Literal, ...]
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Listed:
    """Whether a value is in a named list now."""

    item: "Node"
    name: str
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Known:
    """Whether a value is there."""

    item: "Node"
    kind: Kind = Kind.BOOL


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """`+ - * / %` of numbers; division by zero is missing. Time minus time is seconds."""

    operator: str
    left: "Node"
    right: "Node"
    kind: Kind = Kind.NUMBER


@dataclass(frozen=True, slots=True)
class Call:
    """A function of the language; missing where an argument is. Constants it needs are in `constants`."""

    function: Function
    arguments: tuple["Node", ...]
    constants: tuple[str, ...]

    @property
    def kind(self) -> Kind:
        """The function's result type."""
        return Kind(self.function.result)


Node: TypeAlias = (
    Literal | Now | Attr | FeatureRef | RuleRef | Not | Both | Compare | OneOf | Listed | Known | Arithmetic | Call
)


def children(node: Node) -> tuple[Node, ...]:
    """The expressions directly inside this one."""
    match node:
        case Not(item) | OneOf(item) | Listed(item) | Known(item):
            return (item,)
        case Both(_, items):
            return items
        case Compare(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case Call(_, arguments):
            return arguments
        case _:
            return ()


def walk(node: Node) -> list[Node]:
    """This expression and all inside it; not what an aggregate gathers."""
    return [node, *(inner for child in children(node) for inner in walk(child))]


def aggregates(node: Node | None) -> list[Aggregate]:
    """The aggregates that an expression reads."""
    return [each.aggregate for each in walk(node) if isinstance(each, FeatureRef)] if node else []
