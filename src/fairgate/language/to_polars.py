"""Compile checked expressions to Polars expressions over recorded columns, with the meaning of the generated Python.

Missing is null. Polars' logic is Kleene's and its comparisons with null are unknown, as the language wants; a NaN
becomes null where it arises, because Polars orders it above all numbers. A function whose Polars twin might differ in
one case out of a million (regular expressions, letter case, logarithms) is the language's own, called once for each
different value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray

from fairgate.domain.windows import DAY, HOUR
from fairgate.language.semantic import SemanticType
from fairgate.language.tree import (
    Arithmetic,
    Attr,
    Both,
    Call,
    Compare,
    FeatureRef,
    Kind,
    Known,
    Listed,
    Literal,
    Node,
    Not,
    Now,
    OneOf,
    RuleRef,
    walk,
)

#: The column that holds an event's own time.
TIME = "_time"

_DTYPES: Mapping[Kind, pl.DataType] = MappingProxyType(
    {Kind.NUMBER: pl.Float64(), Kind.TEXT: pl.String(), Kind.BOOL: pl.Boolean(), Kind.TIME: pl.Int64()}
)
_EXACT = 2**53
_Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True)
class Columns:
    """What there is to compute from: recorded columns, and what expressions speak of by name.

    `present` are the columns of one event type. A plain attribute stands under its name, a part under `email.domain`;
    under the name of an attribute with parts stands the text as sent, from which any part can be had. `features` gives
    the column of an aggregate by its canonical text; `lists` the values that stand in each list; `rules` the conditions
    to inline.
    """

    present: frozenset[str]
    features: Mapping[str, str]
    semantics: Mapping[str, SemanticType]
    rules: Mapping[str, Node]
    lists: Mapping[str, frozenset[str]]


def missing_columns(node: Node, columns: Columns) -> tuple[str, ...]:
    """What the recording lacks for an expression, as rules write it, each once; empty where it can be computed."""
    found: dict[str, None] = {}
    _gather(node, columns, set(), found)
    return tuple(found)


def _gather(node: Node, columns: Columns, seen: set[str], found: dict[str, None]) -> None:
    for each in walk(node):
        match each:
            case RuleRef(name) if name not in seen:
                seen.add(name)
                _gather(columns.rules[name], columns, seen, found)
            case FeatureRef(aggregate) if columns.features.get(aggregate.text) not in columns.present:
                found[aggregate.text] = None
            case Attr() if not _stored(each, columns):
                found[each.path] = None
            case Now() if TIME not in columns.present:
                found[TIME] = None


def to_polars(node: Node, columns: Columns) -> pl.Expr:
    """The expression over recorded columns: Float64, String, Boolean or, for times, Int64 microseconds; null: missing.

    KeyError names a column that `missing_columns` would have told of.
    """
    if isinstance(node, Literal):
        return pl.lit(node.value, _DTYPES[node.kind])
    expression = _expression(node, columns)
    if expression.meta.root_names():
        return expression
    constant = pl.select(expression).item()  # Polars repeats a literal for each row, but no result of a function
    return pl.lit(constant, _DTYPES[node.kind])


def _expression(node: Node, columns: Columns) -> pl.Expr:
    match node:
        case Now():
            return _column(TIME, Kind.TIME, columns)
        case Attr():
            return _attribute(node, columns)
        case FeatureRef(aggregate):
            return _column(columns.features[aggregate.text], aggregate.kind, columns)
        case RuleRef(name):
            return to_polars(columns.rules[name], columns)
        case Arithmetic(operator, left, right):
            return _arithmetic(operator, left, right, columns)
        case Call():
            return _call(node, columns)
        case _:
            return _condition(node, columns)


def _condition(node: Node, columns: Columns) -> pl.Expr:
    match node:
        case Not(item):
            return ~to_polars(item, columns)
        case Both(every, items):
            parts = [to_polars(item, columns) for item in items]
            return pl.all_horizontal(parts) if every else pl.any_horizontal(parts)
        case Compare(operator, left, right):
            return _COMPARISONS[operator](to_polars(left, columns), to_polars(right, columns))
        case OneOf(item, options):
            return _among(to_polars(item, columns), [option.value for option in options], item.kind)
        case Listed(item, name):
            return _among(to_polars(item, columns), sorted(columns.lists[name]), Kind.TEXT)
        case Known(item):
            return to_polars(item, columns).is_not_null()
        case _:
            raise TypeError(node)


_COMPARISONS: Mapping[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = MappingProxyType(
    {
        "==": lambda left, right: left == right,
        "!=": lambda left, right: left != right,
        "<": lambda left, right: left < right,
        "<=": lambda left, right: left <= right,
        ">": lambda left, right: left > right,
        ">=": lambda left, right: left >= right,
    }
)


def _among(item: pl.Expr, values: Sequence[object], kind: Kind) -> pl.Expr:
    there = item.is_in(pl.Series(values, dtype=_DTYPES[kind], strict=False).implode())
    return pl.when(item.is_not_null()).then(there)


def _column(name: str, kind: Kind, columns: Columns) -> pl.Expr:
    if name not in columns.present:
        raise KeyError(name)
    match kind:
        case Kind.NUMBER:
            return pl.col(name).cast(pl.Float64).fill_nan(None)
        case Kind.TIME:
            return pl.col(name).dt.epoch("us")
        case _:
            return pl.col(name)


def _stored(attr: Attr, columns: Columns) -> bool:
    return attr.name in columns.present or (attr.semantic is not None and _part_column(attr) in columns.present)


def _part_column(attr: Attr) -> str:
    return f"{attr.name}.{attr.part or 'value'}"


def _attribute(attr: Attr, columns: Columns) -> pl.Expr:
    if attr.semantic is None or attr.part == "raw":
        return _column(attr.name, attr.kind, columns)
    if _part_column(attr) in columns.present:
        return _column(_part_column(attr), attr.kind, columns)
    parse, part = columns.semantics[attr.semantic].parse, attr.part or "value"
    return _over_different([_column(attr.name, Kind.TEXT, columns)], lambda text: getattr(parse(text), part), attr.kind)


def _arithmetic(operator: str, left: Node, right: Node, columns: Columns) -> pl.Expr:
    first, second = to_polars(left, columns), to_polars(right, columns)
    if left.kind == Kind.TIME:
        return (first - second).map_batches(_seconds, pl.Float64, is_elementwise=True)
    match operator:
        case "+":
            result = first + second
        case "-":
            result = first - second
        case "*":
            result = first * second
        case "/":
            return _by_numpy(first, second, _divided)
        case _:
            return _by_numpy(first, second, np.mod)
    return result.fill_nan(None)


def _by_numpy(left: pl.Expr, right: pl.Expr, operation: Callable[[_Floats, _Floats], _Floats]) -> pl.Expr:
    """Python's `/` and `%`, which numpy has; Polars multiplies by a rounded reciprocal, subtracts a rounded product."""

    def apply(sides: Sequence[pl.Series]) -> pl.Series:
        with np.errstate(all="ignore"):  # what is no number becomes missing
            first, second = (_floats(each) for each in _same_length(sides))
            return pl.Series(sides[0].name, operation(first, second), nan_to_null=True)

    return pl.map_batches([left, right], apply, pl.Float64, is_elementwise=True)


def _divided(left: _Floats, right: _Floats) -> _Floats:
    return np.divide(left, right, out=np.full_like(left, np.nan), where=right != 0)


def _seconds(microseconds: pl.Series) -> pl.Series:
    """Microseconds as seconds, rounded once, as Python divides integers: a float division rounds twice above 2**53."""
    far = (microseconds.abs() > _EXACT).arg_true()
    seconds = pl.Series(microseconds.name, _floats(microseconds.cast(pl.Float64)) / 1e6, nan_to_null=True)
    return seconds.scatter(far, [each / 1_000_000 for each in microseconds.gather(far)])


def _floats(series: pl.Series) -> _Floats:
    return series.fill_null(float("nan")).to_numpy()


def _same_length(series: Sequence[pl.Series]) -> list[pl.Series]:
    """A constant comes as one value, however long the others are."""
    length = next((len(each) for each in series if len(each) != 1), 1)
    return [each if len(each) == length else each.new_from_index(0, length) for each in series]


def _call(node: Call, columns: Columns) -> pl.Expr:
    arguments = [to_polars(argument, columns) for argument in node.arguments]
    native = _NATIVE.get(node.function.name)
    if native is not None:
        return native(*arguments)
    return _over_different(arguments, node.function.make(*node.constants), node.kind)


def _both_there(left: pl.Expr, right: pl.Expr, result: pl.Expr) -> pl.Expr:
    return pl.when(left.is_not_null() & right.is_not_null()).then(result)


#: Functions whose Polars twin is exactly the same, missing where an argument is.
_NATIVE: Mapping[str, Callable[..., pl.Expr]] = MappingProxyType(
    {
        "length": lambda text: text.str.len_chars().cast(pl.Float64),
        "contains": lambda text, part: text.str.contains(part, literal=True),
        "starts_with": lambda text, part: text.str.starts_with(part),
        "ends_with": lambda text, part: text.str.ends_with(part),
        "hour": lambda time: (time // HOUR % 24).cast(pl.Float64),
        "weekday": lambda time: ((time // DAY + 3) % 7).cast(pl.Float64),
        "day": lambda time: (time // DAY).cast(pl.Float64),
        "abs": lambda number: number.abs(),
        "floor": lambda number: number.floor(),
        "min": lambda left, right: _both_there(left, right, pl.min_horizontal(left, right)),
        "max": lambda left, right: _both_there(left, right, pl.max_horizontal(left, right)),
    }
)


def _over_different(arguments: Sequence[pl.Expr], function: Callable[..., Any], kind: Kind) -> pl.Expr:
    """A Python function of columns, called once for each different row of them; null where one of them is."""

    def apply(given: Sequence[pl.Series]) -> pl.Series:
        rows = pl.DataFrame([each.alias(str(index)) for index, each in enumerate(_same_length(given))])
        different = rows.drop_nulls().unique()
        answers = pl.Series("answer", [function(*row) for row in different.iter_rows()], _DTYPES[kind], strict=False)
        if kind == Kind.NUMBER:
            answers = answers.fill_nan(None)
        found = rows.join(different.with_columns(answers), on=rows.columns, how="left", maintain_order="left")
        return found["answer"].alias(given[0].name)

    return pl.map_batches(list(arguments), apply, _DTYPES[kind], is_elementwise=True)
