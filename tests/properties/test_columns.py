"""Columns against the compiled Python: random expressions as source text, random rows with holes in them."""

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fairgate.detect.lists import Lists
from fairgate.domain.event import microseconds, moment
from fairgate.domain.pack import Place, Text
from fairgate.features.texts import Texts
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import wire_of
from fairgate.language.check import check
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.problems import Problems
from fairgate.language.scope import Names
from fairgate.language.to_polars import Columns, missing_columns, to_polars
from fairgate.language.to_python import Writer, compiled, module_of
from fairgate.language.tree import Kind, Node

_PACK = """
[pack]
name = "columns"
version = "1"
[[segment]]
name = "default"
[event.seen.attributes]
n = "number"
m = { type = "number", required = true }
i = "integer"
j = { type = "integer", required = true }
t = "text"
u = { type = "text", required = true }
b = "bool"
c = { type = "bool", required = true }
at = "time"
zone = "text"
email = "email"
ip = { type = "ip", required = true }
[[list]]
name = "words"
entries = ["abc", "", "É"]
[[feature]]
name = "f_number"
value = 'total(n, by=u, over="1h")'
on = "seen"
[[feature]]
name = "f_text"
value = 'last(t, by=u)'
on = "seen"
[[feature]]
name = "f_bool"
value = 'is_new(t, by=u)'
on = "seen"
[[feature]]
name = "f_time"
value = 'first(at, by=u)'
on = "seen"
[[rule]]
name = "base"
on = "seen"
when = "n > m"
[[rule]]
name = "second"
on = "seen"
when = 'not base or contains(t, u)'
"""

_EVENT = "seen"
_MOMENT = pl.Datetime("us", "UTC")
_DTYPES: dict[Kind, Any] = {
    Kind.NUMBER: pl.Float64,
    Kind.TEXT: pl.String,
    Kind.BOOL: pl.Boolean,
    Kind.TIME: _MOMENT,
}

# ------------------------------------------------------------------------------------------------------- expressions

_literals = {
    Kind.NUMBER: st.one_of(
        st.integers(-3, 9).map(str),
        st.sampled_from(["0.5", "-0.25", "1e10", "9007199254740991", "-9007199254740992", "3600", "1e-300"]),
    ),
    Kind.TEXT: st.sampled_from(["''", "'a'", "'abc'", "'É'", "'example.com'", "'ß'", "'.'"]),
    Kind.BOOL: st.sampled_from(["True", "False"]),
}
_names = {
    Kind.NUMBER: ["n", "m", "i", "j", "f_number", "email.digits", "ip.version"],
    Kind.TEXT: ["t", "u", "f_text", "email", "email.raw", "email.tag", "email.domain", "ip", "ip.network"],
    Kind.BOOL: ["b", "c", "f_bool", "base", "second", "email.disposable", "ip.public"],
    Kind.TIME: ["time", "at", "f_time"],
}


def _leaf(kind: Kind) -> st.SearchStrategy[str]:
    names = st.sampled_from(_names[kind])
    return st.one_of(names, _literals[kind]) if kind in _literals else names


@st.composite
def _expression(draw: st.DrawFn, kind: Kind, depth: int) -> str:
    if depth == 0:
        return draw(_leaf(kind))

    def sub(of: Kind) -> str:
        return draw(_expression(of, draw(st.integers(0, depth - 1))))

    forms = {Kind.NUMBER: _NUMBERS, Kind.TEXT: _TEXTS, Kind.BOOL: _BOOLS, Kind.TIME: ("{time}",)}[kind]
    form: str = draw(st.sampled_from(forms))
    values = {key: sub(of) for key, of in _HOLES.items() if "{" + key + "}" in form}
    constants = {
        "numbers": ", ".join(draw(st.lists(_literals[Kind.NUMBER], min_size=1, max_size=3))),
        "texts": ", ".join(draw(st.lists(_literals[Kind.TEXT], min_size=1, max_size=3))),
        "divisor": draw(st.sampled_from(["3", "-7", "0.5", "9e15"])),
    }
    return form.format(**values, **constants)


_HOLES = {
    "number": Kind.NUMBER, "number2": Kind.NUMBER, "text": Kind.TEXT, "text2": Kind.TEXT,
    "bool": Kind.BOOL, "bool2": Kind.BOOL, "time": Kind.TIME, "time2": Kind.TIME,
}  # fmt: skip
_NUMBERS = (
    *(f"({{number}} {operator} {{number2}})" for operator in "+-*" for _ in range(2)),
    *(f"({{number}} {operator} ({{number2}} + 0))" for operator in "/%" for _ in range(2)),  # a bare 0 is an error
    "({number} % {divisor})", "({number} / {divisor})", "-({number})", "({time} - {time2})", "length({text})",
    "hour({time})", "weekday({time})", "day({time})", "hour_in({time}, zone)",
    "hour_in({time}, 'Asia/Kathmandu')", "abs({number})",
    "floor({number})", "log({number})", "min({number}, {number2})", "max({number}, {number2})",
)  # fmt: skip
_TEXTS = ("lower({text})", "upper({text})", "{text}")
_BOOLS = (
    *(f"({{number}} {operator} {{number2}})" for operator in ("==", "!=", "<", "<=", ">", ">=")),
    *(f"({{text}} {operator} {{text2}})" for operator in ("==", "!=", "<", ">=")),
    *(f"({{time}} {operator} {{time2}})" for operator in ("==", "!=", "<", ">=")),
    "({bool} == {bool2})", "({bool} != {bool2})", "({bool} and {bool2})", "({bool} or {bool2})", "(not {bool})",
    "({number} < {number2} <= 3)", "({number} in ({numbers},))", "({number} not in ({numbers},))",
    "({text} in ({texts},))", "({text} not in ({texts},))", "({text} in list('words'))",
    "({text} not in list('words'))", "known({number})",
    "known({text})", "known({bool})", "known({time})", "contains({text}, {text2})", "starts_with({text}, {text2})",
    "ends_with({text}, {text2})", "matches({text}, '^a|É.?$')", "(ip in cidr('203.0.113.0/25', '2001:db8::/32'))",
    "(ip.raw not in cidr('203.0.113.0/25'))",
)  # fmt: skip

# -------------------------------------------------------------------------------------------------------------- rows

_numbers = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, 3.0, -7.0, 0.5, 1e16, -(2.0**53), 2.0**53]), st.floats(-(2.0**53), 2.0**53)
)
_integers = st.one_of(st.integers(-9, 9), st.integers(-(2**53), 2**53))
_texts = st.sampled_from(
    ["", "a", "abc", "ABC", "É", "é", "ẞ", "ß", "İ", "ΑΣ", "x\nabc", "example.com", "\N{GRINNING FACE}"]
)
_times = st.datetimes(datetime(1950, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive
_far_times = st.datetimes(datetime(1, 1, 2), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - as above
_emails = st.sampled_from(["a.b+tag@gmail.com", "x12@Example.com", "b@mailinator.com", "É@example.org"])
_IPS = ("203.0.113.7", "::ffff:203.0.113.200", "2001:DB8::1", "8.8.8.8")
_ZONES = ("Europe/Berlin", "UTC", "no zone", "../x", "", "Europe", None)


@dataclass(frozen=True)
class _Row:
    """An event's data and time, and what was read from the rows for `f_number`, `f_text`, `f_bool` and `f_time`."""

    data: Mapping[str, Any]
    time: datetime
    features: tuple[float, str | None, bool | None, datetime | None]


def _row(
    *,
    f_number: float = math.nan,
    f_text: str | None = None,
    f_bool: bool | None = None,
    f_time: datetime | None = None,
    **data: Any,  # noqa: ANN401
) -> _Row:
    """A row of next to nothing."""
    least = dict.fromkeys(("n", "i", "t", "b", "at", "zone", "email")) | {
        "m": 1.0,
        "j": 1,
        "u": "",
        "c": True,
        "ip": _IPS[0],
    }
    return _Row({**least, **data}, datetime(2026, 1, 5, tzinfo=UTC), (f_number, f_text, f_bool, _kept(f_time)))


def _kept(time: datetime | None) -> datetime | None:
    """A time as rows keep it, in a float64."""
    return None if time is None else moment(int(float(microseconds(time))))


_rows = st.builds(
    _Row,
    st.fixed_dictionaries(
        {
            "n": _numbers | st.none(), "m": _numbers, "i": _integers | st.none(), "j": _integers,
            "t": _texts | st.none(), "u": _texts, "b": st.booleans() | st.none(), "c": st.booleans(),
            "at": _times | _far_times | st.none(),
            "zone": st.sampled_from(_ZONES), "email": _emails | st.none(), "ip": st.sampled_from(_IPS),
        }
    ),
    _times,
    st.tuples(_numbers | st.just(math.nan), _texts | st.none(), st.booleans() | st.none(), _times | st.none()),
)  # fmt: skip


_CHECKED = check_pack(pack_from_texts({"pack.toml": _PACK}), TYPES)
_TYPE = _CHECKED.pack.event_types[_EVENT]
_READ = _CHECKED.read[_EVENT]
_RULES = {each.rule.name: each.when for each in _CHECKED.rules}
_NAMES = Names(
    _CHECKED.pack.event_types,
    TYPES,
    frozenset(_CHECKED.pack.lists),
    features=_READ,
    rules=dict.fromkeys(_RULES, (_EVENT,)),
)
_DATA = wire_of(_TYPE, TYPES).data


def _tree(source: str) -> Node:
    problems = Problems()
    node = check(Text(source, Place("test", 1, 1)), (_EVENT,), _NAMES, problems)
    problems.raise_if_any({"test": source})
    assert node is not None
    return node


def _by_python(node: Node, rows: Sequence[_Row]) -> list[object]:
    """The value on each row by the generated functions; None where it is missing."""
    texts = Texts()
    namespace: dict[str, Any] = {
        **Lists(_CHECKED).bindings(),
        "nan": math.nan,
        "micros": microseconds,
        "as_text": texts.text,
        "as_time": lambda value: None if math.isnan(value) else int(value),
        "as_bool": lambda value: None if math.isnan(value) else value == 1.0,
    }
    out_of = {aggregate.text: index for index, aggregate in enumerate(_READ.values())}
    functions = {}
    for name, tree in {**_RULES, "value": node}.items():
        writer = Writer(_TYPE, TYPES, out_of, namespace)
        body = [f"    return {writer.value(tree)}"]
        functions[name] = compiled(module_of(f"def {name}(d, t, now, f, **r):", writer, _loaded(body)), name, namespace)
    return [_value(functions, row, texts) for row in rows]


def _loaded(body: list[str]) -> list[str]:
    return [*(f"    r_{name} = r.get('{name}')" for name in _RULES), *body]


def _value(functions: Mapping[str, Callable[..., object]], row: _Row, texts: Texts) -> object:
    number, text, flag, moment = row.features
    features = [
        number,
        texts.number(text),
        math.nan if flag is None else float(flag),
        math.nan if moment is None else float(microseconds(moment)),
    ]
    results: dict[str, object] = {}
    for name, function in functions.items():
        results[name] = function(_DATA(**row.data), microseconds(row.time), 0, features, **results)
    value = results["value"]
    return None if isinstance(value, float) and math.isnan(value) else value


def _frame(rows: Sequence[_Row]) -> pl.DataFrame:
    attributes: dict[str, Any] = {"number": pl.Float64, "integer": pl.Int64, "bool": pl.Boolean, "time": _MOMENT}
    return pl.DataFrame(
        [
            pl.Series("_time", [row.time for row in rows], _DTYPES[Kind.TIME]),
            *(
                pl.Series(each.name, [row.data[each.name] for row in rows], attributes.get(each.type, pl.String))
                for each in _TYPE.attributes
            ),
            *(
                pl.Series(name, [row.features[index] for row in rows], _DTYPES[aggregate.kind])
                for index, (name, aggregate) in enumerate(_READ.items())
            ),
        ]
    )


def _by_columns(node: Node, rows: Sequence[_Row]) -> list[object]:
    frame = _frame(rows)
    columns = Columns(
        present=frozenset(frame.columns),
        features={aggregate.text: name for name, aggregate in _READ.items()},
        semantics=TYPES,
        rules=_RULES,
        lists={name: frozenset(spec.entries) for name, spec in _CHECKED.pack.lists.items()},
    )
    assert missing_columns(node, columns) == ()
    return frame.with_columns(value=to_polars(node, columns))["value"].to_list()


_AWKWARD_NUMBERS = (0.0, 1.0, 2.0, 3.0, -7.0, 31.0, 0.1, 0.5, -2.5, 1e16, 2.0**53, -(2.0**53), None)
_AWKWARD_TEXTS = ("", "a", "abc", "ABC", ".", "É", "É", "ẞ", "İ", "ΑΣ", "x\nabc", "\N{GRINNING FACE}", None)
_AWKWARD_TIMES = (
    datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
    datetime(2026, 3, 29, 1, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9998, 7, 1, 3, 4, 5, 678901, UTC),
    None,
)
_PAIRS = tuple(
    _row(
        n=number, f_number=math.nan if number2 is None else number2, t=text, f_text=text2, b=flag, f_bool=flag2, at=at,
        f_time=at2, ip=ip, zone=zone,
    )
    for (number, number2), (text, text2), (flag, flag2), (at, at2), ip, zone in zip(
        itertools.product(_AWKWARD_NUMBERS, repeat=2),
        itertools.product(_AWKWARD_TEXTS, repeat=2),
        itertools.cycle(itertools.product((True, False, None), repeat=2)),
        itertools.cycle(itertools.product(_AWKWARD_TIMES, repeat=2)),
        itertools.cycle(_IPS),
        itertools.cycle(_ZONES),
        strict=False,
    )
)  # fmt: skip
_OPERANDS = {
    "number": "n", "number2": "f_number", "text": "t", "text2": "f_text", "bool": "b", "bool2": "f_bool", "time": "at",
    "time2": "f_time", "numbers": "1, 31, 0.1", "texts": "'abc', ''", "divisor": "3",
}  # fmt: skip


@pytest.mark.parametrize("form", sorted({*_NUMBERS, *_TEXTS, *_BOOLS}))
def test_every_form_is_the_same_on_every_pair_of_awkward_values(form: str) -> None:
    node = _tree(form.format(**_OPERANDS))
    assert _by_columns(node, _PAIRS) == _by_python(node, _PAIRS)


_any = st.tuples(st.sampled_from(Kind), st.integers(0, 4)).flatmap(lambda given: _expression(*given))


@given(st.lists(_any, min_size=1, max_size=6), st.lists(_rows, min_size=1, max_size=12))
@example(["i * j % 7", "(i + j) % 2 == 1", "i + j - i == j"], [_row(i=2**53, j=2**53 - 1)])
@example(["n / 1e-300 / 1e-300 - n / 1e-300 / 1e-300", "floor(n / 1e-300 / 1e-300)"], [_row(n=2.0**53)])
@example(["at - time", "(at - time) % 0.5"], [_row(at=datetime(9998, 7, 1, 3, 4, 5, 678901, UTC))])
def test_columns_mean_what_the_compiled_python_means(sources: list[str], rows: list[_Row]) -> None:
    for source in sources:
        node = _tree(source)
        assert _by_columns(node, rows) == _by_python(node, rows), source
