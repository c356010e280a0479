"""Random conditions as source text, and random events with holes in them, for one small pack."""

import itertools
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st

from fairgate.language.tree import Kind

PACK = """
[pack]
name = "meaning"
version = "1"

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
mail = { type = "email", required = true }
ip = { type = "ip", required = true }

[[list]]
name = "words"
entries = ["abc", "É"]

[[feature]]
name = "f_number"
on = "seen"
value = 'mean(n, by=u, over="1h")'
[[feature]]
name = "f_text"
on = "seen"
value = "last(t, by=u)"
[[feature]]
name = "f_bool"
on = "seen"
value = "is_new(t, by=u)"
[[feature]]
name = "f_time"
on = "seen"
value = "first(at, by=u)"

[[segment]]
name = "default"
"""
FEATURES = ("f_number", "f_text", "f_bool", "f_time")

NAMES: dict[Kind, tuple[str, ...]] = {
    Kind.NUMBER: ("n", "m", "i", "j", "f_number", "email.digits", "ip.version"),
    Kind.TEXT: ("t", "u", "zone", "f_text", "email", "email.raw", "email.tag", "mail.tag", "ip.network"),
    Kind.BOOL: ("b", "c", "f_bool", "email.disposable", "ip.public"),
    Kind.TIME: ("time", "at", "f_time"),
}
_CONSTANTS = {
    Kind.NUMBER: ("0", "1", "-1", "3", "0.5", "-7", "9007199254740992", "1e-300"),
    Kind.TEXT: ("''", "'a'", "'abc'", "'É'", "'+'"),
    Kind.BOOL: ("True", "False"),
    Kind.TIME: ("time",),
}
_FORMS = {
    Kind.NUMBER: (
        *(f"({{number}} {operator} {{number}})" for operator in "+-*"),
        *(f"({{number}} {operator} ({{number}} + 0))" for operator in "/%"),
        "-({number})", "({time} - {time})", "({number} % 3)", "({number} / -2)", "length({text})", "hour({time})",
        "weekday({time})", "day({time})", "hour_in({time}, {text})", "hour_in({time}, 'Asia/Kathmandu')",
        "abs({number})", "floor({number})", "log({number})", "min({number}, {number})", "max({number}, {number})",
    ),
    Kind.TEXT: ("lower({text})", "upper({text})"),
    Kind.TIME: ("{time}",),
    Kind.BOOL: (
        *(f"({{number}} {operator} {{number}})" for operator in ("==", "!=", "<", "<=", ">", ">=")),
        *(f"({{text}} {operator} {{text}})" for operator in ("==", "!=", "<", ">=")),
        *(f"({{time}} {operator} {{time}})" for operator in ("==", "!=", "<=", ">")),
        *(f"({{bool}} {operator} {{bool}})" for operator in ("==", "!=", "and", "or") for _ in range(2)),
        "(not {bool})", "(not {bool})",
        "({bool} and {bool} and {bool})", "({bool} or {bool} or {bool})", "({number} < {number} <= 3)",
        "({number} in (0, 3, -7))", "({number} not in [0, 0.5])", "({text} in ('a', ''))",
        "({text} not in {{'abc', 'É'}})", "({bool} in (True,))", "({text} in list('words'))",
        "({text} not in list('words'))", "known({number})", "known({text})", "known({bool})", "known({time})",
        "contains({text}, {text})", "starts_with({text}, {text})", "ends_with({text}, {text})",
        "matches({text}, '^a|É.?')", "(ip in cidr('203.0.113.0/25', '2001:db8::/32'))",
        "(ip.raw not in cidr('203.0.113.0/25'))",
    ),
}  # fmt: skip


_HOLE = re.compile(r"(?<!\{)\{(\w+)\}")


@st.composite
def sources(draw: st.DrawFn, kind: Kind, depth: int, rules: tuple[str, ...] = ()) -> str:
    """An expression of a type, which may name these rules."""
    if depth == 0:
        names = NAMES[kind] + (rules if kind == Kind.BOOL else ())
        return draw(st.sampled_from(names if draw(st.integers(0, 3)) else _CONSTANTS[kind]))

    def inner(hole: re.Match[str]) -> str:
        return draw(sources(Kind(hole[1]), draw(st.integers(0, depth - 1)), rules))

    form = draw(st.sampled_from(_FORMS[kind]))
    return _HOLE.sub(inner, form.replace("{{", "\0").replace("}}", "\1")).replace("\0", "{").replace("\1", "}")


def every_form() -> list[str]:
    """Each form of the language filled with names alone, as a condition, thrice with other names; and some corners."""
    names = {kind: itertools.cycle(NAMES[kind] + _CONSTANTS[kind][:1]) for kind in Kind}
    forms = [
        *_FORMS[Kind.BOOL],
        *(f"({form} > 0.5)" for form in _FORMS[Kind.NUMBER]),
        *(f"({form} != t)" for form in _FORMS[Kind.TEXT]),
        *(f"known({form}) == {{bool}}" for kind in (Kind.NUMBER, Kind.BOOL) for form in _FORMS[kind]),
    ]
    return [*(_filled(form, names) for form in forms * 3), "i + j == i", "not (at - time > 90000)", "known(mail.tag)"]


def _filled(form: str, names: Mapping[Kind, Iterator[str]]) -> str:
    return _HOLE.sub(lambda hole: next(names[Kind(hole[1])]), form).replace("{{", "{").replace("}}", "}")


_numbers = st.one_of(st.sampled_from([0.0, -0.0, 1.0, 3.0, -7.0, 0.5, 2.0**53]), st.floats(-(2.0**53), 2.0**53))
_integers = st.sampled_from([-3, 0, 1, 2, 9, 2**53, -(2**53), 2**53 - 1])
_texts = st.sampled_from(["", "a", "abc", "ABC", "É", "é", "x+y", "UTC", "Europe/Paris", "no zone", "Europe"])
_EARLIEST, _LATEST = datetime(1960, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001 - hypothesis wants them naive
_times = st.datetimes(_EARLIEST, _LATEST, timezones=st.just(UTC))
_emails = st.sampled_from(["a.b+tag@gmail.com", "x12@Example.com", "b@mailinator.com"])
_ips = st.sampled_from(["203.0.113.7", "203.0.113.200", "2001:DB8::1", "8.8.8.8"])

#: The attributes of an event, half of the optional ones missing.
events: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "n": st.none() | _numbers, "m": _numbers, "i": st.none() | _integers, "j": _integers, "t": st.none() | _texts,
        "u": _texts, "b": st.none() | st.booleans(), "c": st.booleans(), "at": st.none() | _times,
        "zone": st.none() | _texts, "email": st.none() | _emails, "mail": _emails, "ip": _ips,
    }
)  # fmt: skip
#: What was read of the features, in the order of `FEATURES`.
readings = st.tuples(st.none() | _numbers, st.none() | _texts, st.none() | st.booleans(), st.none() | _times)
times = _times
