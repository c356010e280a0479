"""Small packs and small logs for the features' properties, and a machine that runs one with the kernel.

Time is shrunk to where mistakes live: steps of whole buckets and whole windows, a microsecond more or less.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, WINDOWS
from fairgate.features.extract import compile_extract
from fairgate.features.plan import plan_features
from fairgate.features.texts import Texts
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.rows import Rows
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.tree import Kind
from tests.properties.naive_features import Value

SALT = 0x9D2C_5680_1F83_D9AB
START = 6_900 * DAY  # a boundary of every window's buckets
_HEAD = """
[pack]
name = "small"
version = "1"

[event.use.attributes]
a = { type = "text", entity = "account" }
b = { type = "text", entity = "ip" }
k = { type = "number", entity = "card" }
x = "number"
s = "text"
flag = "bool"

[event.pay.attributes]
a = { type = "text", entity = "account", required = true }
b = { type = "text", entity = "ip" }
k = { type = "number", entity = "card" }
x = "number"
s = "text"
flag = "bool"

[[segment]]
name = "default"
"""
_CONDITIONS = ("flag", "x > 0", 's == "p" or flag', "not flag and known(s)")
_NUMBERS, _PLAIN = ("x", "x * 2 - 1", "x / k"), ("x", "s", "k", "time")
_VALUES = {
    **dict.fromkeys(("total", "mean", "smallest", "largest"), _NUMBERS),
    **dict.fromkeys(("distinct", "first", "last", "is_new"), _PLAIN),
    **dict.fromkeys(("count", "since"), ()),
    "rate": _CONDITIONS,
}
_PROFILES = ("first", "last", "since", "is_new")
_KEYS = ("a", "b", "k", "(a, b)", "(k, a)")
_ATTRIBUTES = {
    "a": ("u", "v", None),
    "b": ("u", "v", None),
    "k": (1, 2.5, 0, -0.0, None),
    "x": (1, -2, 0.5, 0.1, 3e5, None),
    "s": ("p", "q", "r", "", None),
    "flag": (True, False, None),
}


@dataclass(frozen=True)
class Case:
    """A pack, by its features, and a log of events."""

    features: tuple[str, ...]
    events: tuple[Event, ...]

    @property
    def checked(self) -> CheckedPack:
        return checked_pack(self.features)


@cache
def checked_pack(features: tuple[str, ...]) -> CheckedPack:
    """The pack that records these features at both of its event types."""
    tables = [
        f'[[feature]]\nname = "f{number}"\nvalue = \'{value}\'\non = ["use", "pay"]\n'
        for number, value in enumerate(features)
    ]
    return check_pack(pack_from_texts({"pack.toml": "\n".join([_HEAD, *tables])}), TYPES)


class Machine:
    """Plan, extraction and rows of a pack, without rules: events in, features out."""

    def __init__(self, checked: CheckedPack, rows: type[Rows] = Rows, *, expected_rows: int = 1) -> None:
        self._plan = plan_features(checked, SALT)
        self._make = rows
        self.rows = rows(self._plan.program, expected_rows=expected_rows)
        self.texts = Texts()
        self.clock = 0
        self._extract = {
            name: compile_extract(checked, name, self._plan, self.texts, {})[0] for name in checked.pack.event_types
        }

    def run(self, events: Sequence[Event]) -> list[list[Value]]:
        """Take events as one batch."""
        program = self._plan.program
        requests = np.zeros((len(events), program.request_words), np.uint64)
        out = np.full((len(events), max(1, program.outs)), -7.0)
        for index, event in enumerate(events):
            self.clock = max(self.clock, event.received)
            at = index * requests.strides[0]
            self._extract[event.type](event.data, event.time, self.clock, requests.data.cast("B"), at)
        self.rows.advance(requests, out, len(events))
        return [self._values(event, numbers) for event, numbers in zip(events, out.tolist(), strict=True)]

    def reopen(self) -> None:
        """Go on with rows made from a snapshot of these."""
        kept = self.rows.arrays()
        self.rows = self._make(self._plan.program, expected_rows=1)
        self.rows.load(kept)

    def _values(self, event: Event, numbers: Sequence[float]) -> list[Value]:
        kinds = self._plan.types[event.type].kinds
        return [self._value(kind, number) for kind, number in zip(kinds, numbers, strict=False)]

    def _value(self, kind: Kind, number: float) -> Value:
        if kind == Kind.TEXT:
            return self.texts.text(number)
        if math.isnan(number):
            return None
        return bool(number) if kind == Kind.BOOL else number


def event(kind: str, received: int, time: int | None = None, **attributes: Any) -> Event:  # noqa: ANN401 - as the pack says
    """An event of the small pack; attributes not given are missing."""
    data = SimpleNamespace(**(dict.fromkeys(_ATTRIBUTES) | attributes))
    return Event("test", "", kind, received if time is None else time, received, data)


@st.composite
def aggregates(draw: DrawFn, windows: Sequence[str]) -> str:
    """Any aggregate, as a rule writes it, over one of these windows or none."""
    name = draw(st.sampled_from(sorted(_VALUES)))
    types = draw(st.sampled_from(['"use"', '"pay"', '("use", "pay")']))
    parts = [draw(st.sampled_from(_VALUES[name])), f"on={types}"] if _VALUES[name] else [types]
    parts.append(f"by={draw(st.sampled_from(_KEYS))}")
    if name not in _PROFILES or draw(st.booleans()):
        parts.append(f'over="{draw(st.sampled_from(windows))}"')
    if draw(st.booleans()):
        parts.append(f"where={draw(st.sampled_from(_CONDITIONS))}")
    return f"{name}({', '.join(parts)})"


@st.composite
def cases(draw: DrawFn, *, most_events: int = 30) -> Case:
    """A few features over one or two windows, and events around the edges of those windows' buckets."""
    windows = draw(st.lists(st.sampled_from(sorted(WINDOWS)), min_size=1, max_size=2, unique=True))
    features = draw(st.lists(aggregates(windows), min_size=1, max_size=5, unique=True))
    fewest = draw(st.sampled_from([0, most_events // 2]))
    steps = draw(st.lists(_events(windows), min_size=fewest, max_size=most_events))
    return Case(tuple(features), tuple(_logged(steps)))


@dataclass(frozen=True)
class _Step:
    """An event not yet in its place, by how much later the clock is than at the one before.

    `stale` is how long before the clock it is received, out of turn; `age` how long before that it happened (under 0:
    the sender's clock is ahead).
    """

    kind: str
    later: int
    stale: int
    age: int
    attributes: tuple[tuple[str, Any], ...]


def _events(windows: Sequence[str]) -> SearchStrategy[_Step]:
    edges, tick = {0}, WINDOWS[windows[0]].tick
    for window in (WINDOWS[name] for name in windows):
        edges |= {window.tick, 2 * window.tick, window.length - window.tick, window.length, window.length + window.tick}
    edges = {edge + by for edge in edges for by in (-1, 0, 1)}
    none, some = st.just(0), st.sampled_from([tick, tick // 2])
    edge, ahead = st.sampled_from(sorted(edges)), st.sampled_from([-1, -tick // 2, -tick])
    attributes = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in _ATTRIBUTES.items()})
    return st.builds(
        _Step,
        st.sampled_from(["use", "pay"]),
        st.one_of(none, none, some, edge).map(abs),
        st.one_of(none, none, none, edge),
        st.one_of(none, none, edge, edge, ahead),
        attributes.map(lambda given: tuple(given.items())),
    )


def _logged(steps: Sequence[_Step]) -> list[Event]:
    clock, log = START, []
    for step in steps:
        clock += step.later
        received, attributes = clock - max(0, step.stale), dict(step.attributes)
        if step.kind == "pay":
            attributes["a"] = attributes["a"] or "u"
        log.append(event(step.kind, received, received - step.age, **attributes))
    return log
