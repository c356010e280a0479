"""What rules mean: the compiled Python against a naive interpreter, with holes in the data; and mutants."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairgate.detect.lists import Lists
from fairgate.detect.rules import compile_detector
from fairgate.domain.event import microseconds
from fairgate.features.texts import Texts
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import wire_of
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.to_python import Writer
from fairgate.language.tree import Kind
from tests.contracts.planting import Edit, planted
from tests.properties.naive_meaning import EPOCH, World, meaning
from tests.properties.rule_texts import FEATURES, PACK, events, every_form, readings, sources, times

Reading = tuple[float | None, str | None, bool | None, datetime | None]


@dataclass(frozen=True)
class Moment:
    """An event, what was read of the features at it, and its time."""

    data: dict[str, Any]
    reading: Reading
    time: datetime


@st.composite
def conditions(draw: st.DrawFn) -> list[str]:
    """Conditions, each of which may name those before it as rules."""
    found: list[str] = []
    for _ in range(draw(st.integers(1, 6))):
        named = tuple(f"is_{index}" for index in range(len(found)))
        found.append(draw(sources(Kind.BOOL, draw(st.integers(1, 4)), named)))
    return found


moments = st.lists(st.builds(Moment, events, readings, times), min_size=1, max_size=8)


def checked_pack(conditions: Sequence[str]) -> CheckedPack:
    """The pack with three rules for each condition: whether it is true, is false, and is known."""
    rules = [
        f'[[rule]]\nname = "{name}_{index}"\non = "seen"\nwhen = """{form.format(condition)}"""'
        for index, condition in enumerate(conditions)
        for name, form in (("is", "{}"), ("isnt", "not ({})"), ("knows", "known({})"))
    ]
    return check_pack(pack_from_texts({"pack.toml": "\n".join([PACK, *rules])}), TYPES)


def fired_naively(checked: CheckedPack, moment: Moment) -> set[str]:
    trees = {each.rule.name: each.when for each in checked.rules}
    texts = [checked.read["seen"][name].text for name in FEATURES]
    number, text, flag, when = moment.reading
    values = (number, text, flag, microseconds(when) if when else None)
    world = World(
        time=microseconds(moment.time),
        attributes=moment.data,
        features=dict(zip(texts, values, strict=True)),
        lists={name: frozenset(spec.entries) for name, spec in checked.pack.lists.items()},
        rules=trees,
        parse={name: kind.parse for name, kind in TYPES.items()},
    )
    return {name for name, tree in trees.items() if meaning(tree, world) is True}


def fired_compiled(checked: CheckedPack) -> Callable[[Moment], set[str]]:
    texts = Texts()
    out_of = {aggregate.text: index for index, aggregate in enumerate(checked.read["seen"].values())}
    detector = compile_detector(checked, "seen", out_of, texts.text, Lists(checked).bindings())
    make = wire_of(checked.pack.event_types["seen"], TYPES).data

    def fired_at(moment: Moment) -> set[str]:
        number, text, flag, when = moment.reading
        features = [
            math.nan if number is None else number,
            texts.number(text),
            math.nan if flag is None else float(flag),
            math.nan if when is None else float(microseconds(when)),
        ]
        time = microseconds(moment.time)
        fired: list[int] = []
        failed: list[tuple[int, str]] = []
        detector.judge(make(**moment.data), time, max(0, time), features, fired, failed)
        assert failed == []
        return {detector.rules[position].rule.name for position in fired}

    return fired_at


def agree(conditions: Sequence[str], moments: Sequence[Moment]) -> None:
    checked = checked_pack(conditions)
    compiled = fired_compiled(checked)
    for moment in moments:
        assert compiled(moment) == fired_naively(checked, moment)


@given(conditions(), moments)
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_rules_mean_what_the_naive_interpreter_says(conditions: list[str], moments: list[Moment]) -> None:
    agree(conditions, moments)


def test_deep_conditions_are_compiled_at_once() -> None:
    nested = "b"
    for _ in range(11):
        nested = f"(not (known({nested}) == (c and not b)) or b)"
    data = dict.fromkeys(("n", "i", "t", "at", "zone", "email"))
    data |= {"m": 0.0, "j": 0, "u": "", "ip": "8.8.8.8", "mail": "a@example.com", "c": True}
    now = datetime(2026, 1, 5, tzinfo=UTC)
    agree([nested], [Moment({**data, "b": b}, (None,) * 4, now) for b in (None, True, False)])


#: What is wrong with a mutant, and how: the method of the writer, and what in its source becomes what.
MUTANTS = {
    "!= holds where a number is missing": ("_compare", 'operator != "!="', "True"),
    "!= holds where a text is missing": ("_compare", "else operator ==", "else operator !="),
    "not (a < b) is a > b": ("_test", "_OPPOSITE[operator]", '{"<": ">"}.get(operator, _OPPOSITE[operator])'),
    "not turns unknown into true": (
        "_truth",
        "return self._truth(item, wanted=not wanted)",
        'return f"(not {self._truth(item, wanted=wanted)})"',
    ),
    "not (a and b) is not a and not b": ("_truth", "every == wanted", "every"),
    "or of an unknown is unknown": ("_truth_value", "{not every} if {decided} else", ""),
    "and of unknown and false is unknown": (
        "_truth_value",
        "if {decided} else",
        "if ({decided}) and not ({unknown}) else",
    ),
    "not in forgets missing": (
        "_test",
        "return [guard] if guard else [], f\"{value} {'in'",
        "return [], f\"{value} {'in'",
    ),
    "not in a list forgets missing": (
        "_test",
        'return [guard] if guard else [], f"list_{name}',
        'return [], f"list_{name}',
    ),
    "an entry of a list never ends": ("_test", "> now", "> -1"),
    "division by zero is zero": ("_arithmetic", "if {first} != 0 else nan", "if {first} != 0 else 0"),
    "division by a missing number is zero": (
        "_arithmetic",
        "if {first} != 0 else nan",
        "if {first} > 0 or {later} < 0 else 0",
    ),
    "the time between is in microseconds": ("_arithmetic", "/ 1000000", "/ 1"),
    "integers stay integers": ("_double", 'return f"float({source})"', "return source"),
    "a missing number is known": ("there", "node.kind == Kind.NUMBER", "False"),
    "everything is known": ("_known", "if self._never_missing(item)", "if True"),
    "a required e-mail has a tag": ("_never_missing", 'node.part in ("", "value", "raw")', "True"),
    "an optional attribute is there": ("_never_missing", "declared.required and", ""),
    "a call with a missing second value": ("_called", "for guard, _ in pairs if", "for guard, _ in pairs[:1] if"),
    "a rule is false where it does not fire": ("_truth", "(r_{name} is False)", "(not r_{name})"),
    "a missing bool is false": (
        "_truth",
        "({self._attribute(node)} is {wanted})",
        "(bool({self._attribute(node)}) is {wanted})",
    ),
    "a missing feature is false": ("_truth", "== {float(wanted)}", "{'==' if wanted else '!='} 1.0"),
}


def some_moments() -> list[Moment]:
    """Moments with awkward values and many holes, always the same."""
    draw = Random(7)
    numbers: list[float | None] = [None, 0.0, 1.0, -7.0, 0.5]
    texts: list[str | None] = [None, "", "abc", "É", "UTC"]
    bools: list[bool | None] = [None, True, False]
    moments: list[datetime | None] = [None, datetime(2026, 1, 5, 3, tzinfo=UTC), datetime(2026, 1, 6, tzinfo=UTC)]
    found = []
    for _ in range(40):
        data = {
            "n": draw.choice(numbers), "m": draw.choice(numbers[1:]), "i": draw.choice([None, 0, 3, 2**53]),
            "j": draw.choice([0, 1, -2]), "t": draw.choice(texts), "u": draw.choice(texts[1:]), "b": draw.choice(bools),
            "c": draw.choice(bools[1:]), "at": draw.choice(moments), "zone": draw.choice(texts),
            "email": draw.choice([None, "a.b+tag@gmail.com", "b@mailinator.com"]),
            "mail": draw.choice(["a+b@gmail.com", "c@d.example"]),
            "ip": draw.choice(["203.0.113.7", "2001:DB8::1", "8.8.8.8"]),
        }  # fmt: skip
        reading = draw.choice(numbers), draw.choice(texts), draw.choice(bools), draw.choice(moments)
        found.append(Moment(data, reading, draw.choice(moments[1:]) or EPOCH))
    return found


def test_every_form_means_what_the_naive_interpreter_says() -> None:
    agree(every_form(), some_moments())


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS.keys())
def test_a_planted_fault_is_noticed(mutant: tuple[str, str, str]) -> None:
    with planted(Edit(Writer, *mutant)), pytest.raises(AssertionError):
        agree([*every_form(), "not is_0", "not (is_1 or is_2)"], some_moments())
