"""Packs that take over from one another, with what their profiles know: both packs, a log, and where each begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from fairgate.domain.event import Event
from fairgate.ingest.identifiers import TYPES
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from tests.properties.feature_cases import START, cases, event

_CONDITIONS = ("flag", "x > 0", 's == "p" or flag', 's in list("odd")', 'not s in list("odd") and known(a)')
_VALUES = {"first": ("x", "s", "k", "time"), "last": ("x", "s", "k", "time"), "is_new": ("b", "x", "s", "k", "time")}
_KEYS = ("a", "b", "k", "(a, b)", "(b, a)", "(k, a)")
_TYPES = ('"use"', '"pay"', '("use", "pay")')
_ENTITIES = {"a": "account", "b": "ip", "k": "card"}


@dataclass(frozen=True)
class Form:
    """A pack by what may differ: its features, which of a and b are personal, and the entries of its list."""

    features: tuple[str, ...]
    personal: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset({"q"})

    @property
    def checked(self) -> CheckedPack:
        return checked_form(self)


@cache
def checked_form(form: Form) -> CheckedPack:
    """The pack of a form, which records its features at both of its event types."""
    kinds = {"a": "text", "b": "text", "k": "number"}
    keys = "\n".join(
        f'{name} = {{ type = "{kind}", entity = "{_ENTITIES[name]}", personal = {str(name in form.personal).lower()} }}'
        for name, kind in kinds.items()
    )
    rest = 'x = "number"\ns = "text"\nflag = "bool"\n'
    tables = [
        '[pack]\nname = "small"\nversion = "1"\n',
        *(f"[event.{name}.attributes]\n{keys}\n{rest}" for name in ("use", "pay")),
        f'[[list]]\nname = "odd"\nentries = {sorted(form.listed)}\n',
        '[[segment]]\nname = "default"\n',
        *(
            f'[[feature]]\nname = "f{number}"\nvalue = \'{value}\'\non = ["use", "pay"]\n'
            for number, value in enumerate(form.features)
        ),
    ]
    return check_pack(pack_from_texts({"pack.toml": "\n".join(tables)}), TYPES)


@dataclass(frozen=True)
class Handover:
    """Rows of `old`, which counted the first `seen` events, are carried into those of `new`.

    That counts the events from number `left` on, which is no later: those before have left the log.
    """

    old: Form
    new: Form
    events: tuple[Event, ...]
    seen: int
    left: int


@st.composite
def profiles(draw: DrawFn) -> str:
    """Any aggregate without a window, as a rule writes it."""
    name, types = draw(st.sampled_from(["first", "last", "since", "is_new"])), draw(st.sampled_from(_TYPES))
    parts = [types] if name == "since" else [draw(st.sampled_from(_VALUES[name])), f"on={types}"]
    parts.append(f"by={draw(st.sampled_from(_KEYS))}")
    if draw(st.booleans()):
        parts.append(f"where={draw(st.sampled_from(_CONDITIONS))}")
    return f"{name}({', '.join(parts)})"


@st.composite
def handovers(draw: DrawFn) -> Handover:
    """Two packs that share some profiles, in whatever order, and some events with many values of one key now and then.

    Mostly they differ in nothing else. Where they have windows too, rows of the old one may have been evicted.
    """
    case = draw(cases(most_events=40))
    some = st.lists(profiles(), max_size=2, unique=True)
    shared = draw(st.lists(profiles(), min_size=1, max_size=4, unique=True))
    old = _arranged(draw, [*shared, *draw(some), *case.features])
    new = _arranged(draw, [*(_perhaps_another(draw, each) for each in shared), *draw(some), *case.features])
    personal = st.sampled_from([frozenset[str](), frozenset("b"), frozenset("ab")])
    listed = st.sampled_from([frozenset({"q"}), frozenset({"p", "r"})])
    is_personal, in_list = draw(personal), draw(listed)
    same = draw(st.booleans())
    many = draw(st.sampled_from([0, 0, 20, 60]))
    events = (*burst(many), *case.events)
    seen = len(events) - draw(st.integers(0, len(events)))
    return Handover(
        Form(old, is_personal, in_list),
        Form(new, is_personal, in_list) if same else Form(new, draw(personal), draw(listed)),
        events,
        seen,
        seen - draw(st.integers(0, seen)),
    )


def _perhaps_another(draw: DrawFn, profile: str) -> str:
    """Mostly the same, else one that may be taken for it."""
    was, now = draw(st.sampled_from([("", ""), ("", ""), ("first", "last"), ("last", "first"), ("flag", "x > 0")]))
    return profile.replace(was, now) if was else profile


def _arranged(draw: DrawFn, features: Sequence[str]) -> tuple[str, ...]:
    return tuple(draw(st.permutations(list(dict.fromkeys(features)))))


def burst(count: int, key: str = "u") -> tuple[Event, ...]:
    """Events of one key, each with a value of its own."""
    return tuple(event("use", START, a=key, b=key, k=1, x=number, s=f"s{number}") for number in range(count))
