"""What is read of an entity without an event, against the naive model; and that to look changes nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, WINDOWS
from fairgate.kernel.rows import Rows
from fairgate.language.tree import Aggregate
from fairgate.pipeline.engine import Engine
from tests.properties.feature_cases import SALT, START, Case, cases, event
from tests.properties.feature_checks import same
from tests.properties.naive_features import Met, NaiveFeatures, Value, _Question
from tests.properties.plain_kernel import Mutant, plain_rows, wrapping

_ATTRIBUTES = {"account": "a", "ip": "b", "card": "k"}
_ENTITIES = st.sampled_from(
    [("account", "u"), ("account", "v"), ("account", "never"), ("ip", "u"), ("ip", "v"), ("card", "1"), ("card", "2.5"),
     ("card", "-0.0")]
)  # fmt: skip
_LATER = st.sampled_from([0, 1, *(WINDOWS[name].tick for name in ("1m", "1h")), WINDOWS["1h"].length, 40 * DAY])


def next_read(naive: NaiveFeatures, aggregate: Aggregate, entity: tuple[str, str], clock: int) -> Value:
    """What an event would read that has nothing but this entity, and is counted by none of the aggregates."""
    kind, text = entity
    value = float(text) if kind == "card" else text
    data = SimpleNamespace(**dict.fromkeys("abkxs") | {"flag": None, _ATTRIBUTES[kind]: value})
    asking = Met(Event("", "", "a type that is counted nowhere", clock, clock, data), clock, clock)
    return _Question(aggregate, naive._log, asking).answer()


@settings(max_examples=200)
@given(cases(), st.integers(0, 30), st.lists(st.tuples(_ENTITIES, _LATER), min_size=1, max_size=6))
def test_a_peek_is_what_the_next_event_would_read(
    case: Case, cut: int, peeks: list[tuple[tuple[str, str], int]]
) -> None:
    engine, naive = Engine(case.checked, SALT, Rows), NaiveFeatures(case.checked)
    engine.run(case.events[:cut])
    for each in case.events[:cut]:
        naive.answer(each)
    for entity, later in peeks:
        peeked = engine.peek(*entity, engine.clock + later)
        for aggregate, value in peeked.features:
            expected = next_read(naive, aggregate, entity, engine.clock + later)
            assert same([None if value != value else value], [expected]), aggregate.text  # noqa: PLR0124
        mine, read = [_ATTRIBUTES[entity[0]]], case.checked.read["use"].values()
        own = [each for each in read if [by.name for by in each.by] == mine]
        assert {each.text for each, _ in peeked.features} == {each.text for each in own if each.name != "is_new"}


@settings(max_examples=200)
@given(cases(), st.lists(st.tuples(st.integers(0, 29), _ENTITIES, _LATER), min_size=1, max_size=10))
def test_to_look_changes_nothing(case: Case, peeks: list[tuple[int, tuple[str, str], int]]) -> None:
    undisturbed, looked_at = Engine(case.checked, SALT, Rows), Engine(case.checked, SALT, Rows)
    for number, each in enumerate(case.events):
        for _, entity, later in (peek for peek in peeks if peek[0] == number):
            looked_at.peek(*entity, looked_at.clock + later)
        [one], [other] = undisturbed.run([each]), looked_at.run([each])
        assert one.packed == other.packed
    one_state, other_state = undisturbed.rows.arrays(), looked_at.rows.arrays()
    assert all(np.array_equal(one_state[name], other_state[name]) for name in one_state)
    assert undisturbed.texts.all() == looked_at.texts.all()


def test_what_spilled_is_counted_too() -> None:
    case = Case(('distinct(s, on="use", by=a, over="24h")', 'count("use", by=a, over="1h")'), ())
    engine = Engine(case.checked, SALT, Rows)
    start = 20_000 * DAY
    events = [event("use", start + number, a="u", s=f"s{number}") for number in range(400)]
    counted = engine.run(events)[-1].features
    peeked = engine.peek("account", "u", start)
    assert peeked.seen
    assert [value for _, value in peeked.features] == counted
    assert 380 <= counted[0] <= 420
    empty = engine.peek("account", "u", start + 2 * DAY)
    assert (empty.seen, [value for _, value in empty.features]) == (True, [0.0, 0.0])


@pytest.mark.parametrize(
    ("line", "counts"),
    [("            self._arena.words[row : row + words.size] = words", [1.0, 1.0]), (None, [1.0, 2.0])],
)
def test_a_look_ahead_that_left_its_mark_would_show(line: str | None, counts: list[float]) -> None:
    """The row's windows slide to the look's clock; were they left there, the next event would find them empty."""
    rows = plain_rows(Mutant("rows", line, "            pass") if line else None)
    case = Case(('count("use", by=a, over="1h")',), (event("use", START, a="u"), event("use", START, a="u")))
    found = []
    with wrapping():
        engine = Engine(case.checked, SALT, rows)
        for each in case.events:
            found += engine.run([each])[0].features
            engine.peek("account", "u", START + DAY)
    assert found == counts
