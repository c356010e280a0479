"""Mutations that keep to the syntax: somewhere in the values that bytes stand for, another value."""

import random
from collections.abc import Callable
from typing import Any, Final

import msgspec

#: What often goes wrong: edges of numbers, of texts, of time, and other types altogether.
ODD: Final[tuple[Any, ...]] = (
    None, True, 0, -1, 13, 1 << 53, -(1 << 63), (1 << 64) - 1, 0.1, -0.0, 1e308, "", " ", "\0", "a" * 600, "\u202e",
    "é", "A.B+c@GMail.com", "x@xn--80ak6aa92e.com", "@", "::ffff:198.51.100.7", "fe80::1%1", "+14155552671", "1.0",
    "2026-01-05T10:31:12Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-01-05T10:31:12",
    "account.signup", "api.request", [], {}, [[]], {"account": "a"}, b"", b"\xc3",
)  # fmt: skip


def mutated(raw: bytes, draw: random.Random, encoding: str) -> bytes | None:
    """The bytes with something else in them; None where they have no such encoding. JSON, a line of it, or msgpack."""
    if encoding == "lines":
        parts = raw.split(b"\n")
        at = draw.randrange(len(parts))
        other = mutated(parts[at], draw, "json")
        return None if other is None else b"\n".join([*parts[:at], other, *parts[at + 1 :]])
    codec: Any = msgspec.msgpack if encoding == "msgpack" else msgspec.json
    try:
        return bytes(codec.encode(_elsewhere(codec.decode(raw), draw)))
    except (msgspec.DecodeError, UnicodeError, OverflowError, RecursionError):
        return None


def _elsewhere(value: Any, draw: random.Random) -> Any:  # noqa: ANN401 - whatever stands there
    """A value with another somewhere in it."""
    if not value or not isinstance(value, dict | list) or draw.random() < 0.1:
        return _another(value, draw)
    if isinstance(value, list):
        at = draw.randrange(len(value))
        changed = [*value[:at], _elsewhere(value[at], draw), *value[at + 1 :]]
        return draw.choice([changed, changed, changed, value + value[at : at + 1], value[:at] + value[at + 1 :]])
    name = draw.choice(list(value))
    rest = {each: value[each] for each in value if each != name}
    return draw.choice([rest, {**value, name: _elsewhere(value[name], draw)}, {**value, name: _another(None, draw)}])


def _another(value: Any, draw: random.Random) -> Any:  # noqa: ANN401 - likewise
    near: list[Callable[[], Any]] = [lambda: draw.choice(ODD)]
    match value:
        case str():
            at = draw.randrange(len(value) + 1)
            near += [
                lambda: value[:at] + chr(draw.randrange(1 << draw.randrange(5, 16))) + value[at:],
                lambda: value[:at],
            ]
        case int() | float():
            near += [lambda: value + 1, lambda: -value, lambda: value * 1_000]
        case bytes():
            near += [lambda: value[:-1], lambda: value + b"\0"]
        case _:
            pass
    return draw.choice(near)()
