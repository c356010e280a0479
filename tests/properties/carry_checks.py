"""What must hold of rows that were carried into another pack's: run on the program, and on it with a mistake planted.

Each check takes the class of rows and raises AssertionError where something is wrong.
"""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, permutations
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fairgate.domain.event import Event
from fairgate.domain.windows import DAY, EVER
from fairgate.kernel import layout as at
from fairgate.kernel.rows import Rows
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import Aggregate, Attr, Listed, Node, Now, walk
from fairgate.pipeline.engine import Engine, FeatureValue
from tests.properties.carry_cases import Form, Handover, burst
from tests.properties.feature_cases import SALT, START, event

_ENTITIES = (("account", "u"), ("account", "v"), ("account", "never"), ("ip", "u"), ("card", "1"), ("card", "2.5"))


class Carried:
    """Three engines of a new pack: one carried, one that counts what is left of the log, one that counts all of it."""

    def __init__(self, rows: type[Rows], given: Handover) -> None:
        new, make = given.new.checked, partial(rows, expected_rows=1)
        self.old, self.carried, self.short, self.whole = (
            Engine(checked, SALT, make) for checked in (given.old.checked, new, new, new)
        )
        self.given = given
        for start in range(0, given.seen, 7):
            self.old.run(given.events[start : min(start + 7, given.seen)])
        clocks = list(accumulate((each.received for each in given.events), max, initial=0))
        for text in self.old.texts.all():
            self.carried.texts.number(text)
        kept = {name: array.copy() for name, array in self.old.rows.arrays().items()}
        self.anew = self.carried.carry(kept, given.old.checked)
        self.whole.run(given.events[: given.left])
        self.carried.clock = self.short.clock = clocks[given.left]

    def events_after(self) -> Iterator[tuple[Event, list[dict[str, FeatureValue]]]]:
        """Each event that the old pack never saw, and what the three read there, by the aggregates' texts."""
        given, engines = self.given, (self.carried, self.short, self.whole)
        for engine in engines:
            engine.run(given.events[given.left : given.seen])
        for each in given.events[given.seen :]:
            yield each, [read(engine, each) for engine in engines]

    def expect(self, found: Sequence[dict[str, FeatureValue]], what: object) -> None:
        """What began anew or has a window is as the rest of the log says, all else as the whole."""
        carried, short, whole = found
        for text in carried:
            expected = (whole if text in self.profiles - set(self.anew) else short)[text]
            assert carried[text] == expected, f"{text} reads {carried[text]}, not {expected}, at {what}"

    @property
    def profiles(self) -> set[str]:
        return {each.text for each in aggregates(self.given.new.checked) if each.over is EVER}


def aggregates(checked: CheckedPack) -> list[Aggregate]:
    """All that a pack records."""
    return list({each.text: each for read in checked.read.values() for each in read.values()}.values())


def read(engine: Engine, each: Event) -> dict[str, FeatureValue]:
    """What an engine reads at an event, which it counts."""
    [judged] = engine.run([each])
    texts = (aggregate.text for aggregate in engine.checked.read[each.type].values())
    return dict(zip(texts, map(_comparable, engine.values(each.type, judged.features)), strict=True))


def peeked(engine: Engine, kind: str, value: str, clock: int) -> dict[str, FeatureValue]:
    """What it reads of an entity."""
    return {each.text: _comparable(found) for each, found in engine.peek(kind, value, clock).features}


def _comparable(value: FeatureValue) -> FeatureValue:
    return None if isinstance(value, float) and math.isnan(value) else value


def profiles_survive(rows: type[Rows], given: Handover) -> None:
    """What has a counterpart is as if the whole log had been counted; all else as if what is left of it had been."""
    three = Carried(rows, given)
    assert set(three.anew) == set(without_counterpart(given)), three.anew
    is_whole(three.carried)
    for each, found in three.events_after():
        three.expect(found, each)
    engines = (three.carried, three.short, three.whole)
    for kind, value in _ENTITIES:
        three.expect([peeked(engine, kind, value, three.whole.clock) for engine in engines], (kind, value))
    is_whole(three.carried)


def without_counterpart(given: Handover) -> Iterable[str]:
    """The texts of the new pack's profiles that the old one has nothing like."""
    changed = given.old.personal ^ given.new.personal
    old = {_meaning(each) for each in aggregates(given.old.checked)}
    for each in aggregates(given.new.checked):
        nodes = [*each.by, *(inner for node in (each.value, each.where) if node is not None for inner in walk(node))]
        stale = any(isinstance(node, Attr) and node.name in changed for node in nodes)
        stale |= given.old.listed != given.new.listed and any(isinstance(node, Listed) for node in nodes)
        if each.over is EVER and (stale or _meaning(each) not in old):
            yield each.text


def _meaning(each: Aggregate) -> tuple[str, object, tuple[str, ...], Node | None, tuple[Attr, ...], Node | None]:
    """`since` speaks of the last event's time."""
    name, value = ("last", Now()) if each.name == "since" else (each.name, each.value)
    return name, each.over, each.on, value, each.by, each.where


def is_whole(engine: Engine) -> None:
    """Rows and chunks fill the arena without a gap, each row is found by its key, each chunk belongs to one set."""
    program, arrays = engine.plan.program, engine.rows.arrays()
    table, arena, counters = arrays["table"].reshape(-1, 2), arrays["arena"], arrays["meta"]
    found = {key: row for key, row in table.tolist() if key}
    live, free, chunks, owned = set[int](), Counter[int](), Counter[int](), Counter[int]()
    row = 1
    while row < counters[at.BUMP]:
        family = int(arena[row + at.FAMILY])
        number = family if family >= 0 else -1 - family
        if number == at.SPILL_FAMILY:
            chunks[row] += family >= 0
            row += at.SPILL_WORDS
            continue
        spec = program.families[number]
        if family < 0:
            free[number] += 1
        else:
            assert found.get(int(arena[row])) == row
            live.add(row)
            sets = (int(arena[row + spec.set_start(each)]) for each in range(len(spec.sets)))
            owned.update(chunk for chunk in sets if chunk)
        row += spec.row_words
    assert row == counters[at.BUMP]
    assert live == set(found.values())
    assert (+chunks) == owned
    assert counters[at.ROWS] == len(live)
    assert counters[at.SPILLS] == owned.total()
    assert 2 * len(found) <= len(table)
    for number in range(len(program.families)):
        assert _length(arena, int(counters[at.FREE_ROWS + number])) == free[number]
    assert _length(arena, int(counters[at.FREE_SPILL])) == sum(count == 0 for count in chunks.values())


def _length(arena: NDArray[np.int64], first: int) -> int:
    """How many there are in a list of free rows or chunks."""
    length = 0
    while first:
        first, length = int(arena[first]), length + 1
    return length


_KNOWN = ('is_new(s, on="use", by=a)', 'is_new(x, on="use", by=a)', 'since("use", by=a)', 'first(s, on="use", by=a)')


def spilled_sets_come_along(rows: type[Rows]) -> None:
    """To the last value, beside sets that did not, where sets and cells have changed places; and they spill on."""
    windows = ('distinct(s, on="use", by=a, over="1m")', 'distinct(s, on="use", by=b, over="1m")')
    later = [event("use", START + DAY, a=f"w{number}", b="u", x=1) for number in range(30)]  # evicts, frees the chunks
    alone = event("use", START + DAY, a="w1", s="alone")
    events = (*burst(40), *later, alone, *burst(200, "v"), *burst(17, "w"))
    old, new = (
        Form((*windows, *_KNOWN)),
        Form((_KNOWN[1], *windows, 'first(k, on="use", by=a)', _KNOWN[3], _KNOWN[2], _KNOWN[0])),
    )
    asked = [event("pay", START + DAY, a=key, s=f"s{number}", x=number) for key in "uvw" for number in range(210)]
    asked.append(event("pay", START + DAY, a="w1", s="alone"))
    given = Handover(old, new, (*events, *asked), len(events), len(events) - 100)
    three = Carried(rows, given)
    assert three.old.rows.size().evicted > 0
    assert three.carried.rows.size().spills == 6
    is_whole(three.carried)
    for each, found in three.events_after():
        three.expect(found, each)
    for each in (*burst(300, "u"), *burst(30, "new")):
        carried, whole = read(three.carried, each), read(three.whole, each)
        assert [carried[text] for text in _KNOWN] == [whole[text] for text in _KNOWN]
    is_whole(three.carried)


def full_sets_forget_the_longest_unseen(rows: type[Rows]) -> None:
    """Of more values than a set has room for, what is known after a carry is no other in kind: the newest."""
    days, each_day = 8, 100
    events = [
        event("use", START + day * DAY, a="u", s=f"{day} {number}") for day in range(days) for number in range(each_day)
    ]
    now = START + days * DAY
    asked = [event("pay", now, a="u", s=each.data.s) for each in events]
    strange = [event("pay", now, a="u", s=f"never {number}") for number in range(2_000)]
    form = Form((_KNOWN[0],))
    three = Carried(rows, Handover(form, form, (*events, *asked, *strange), len(events), len(events) // 2))
    answers = [[found[_KNOWN[0]] for found in each] for _, each in three.events_after()]
    carried, whole = (
        [np.mean([answer[index] for answer in answers[day * each_day : (day + 1) * each_day]]) for day in range(days)]
        for index in (0, 2)
    )
    assert all(abs(one - other) <= 0.15 for one, other in zip(carried, whole, strict=True)), (carried, whole)
    assert max(carried[-2:]) <= 0.02
    assert min(carried[:2]) >= 0.8
    assert np.mean([answer[0] for answer in answers[len(asked) :]]) >= 0.999


def a_row_of_which_nothing_moves_is_left(rows: type[Rows]) -> None:
    """Rows hold what moves, and those who were touched then; a row that had nothing is no row."""
    old = Form(('first(x, on="use", by=a)', 'is_new(s, on="pay", by=a)', 'last(x, on="pay", by=a)'))
    new = Form(('is_new(s, on="pay", by=a)', 'last(x, on="pay", by=a)'))
    events = (
        event("use", START, a="nothing", x=1),
        event("pay", START, a="set", s="p"),
        event("pay", START + 5, a="cell", x=2),
    )
    three = Carried(rows, Handover(old, new, events, 3, 3))
    assert three.carried.rows.size().rows == 2
    found = [three.carried.peek("account", name, START + 5) for name in ("nothing", "set", "cell")]
    assert [each.seen for each in found] == [False, True, True]
    arena = three.carried.rows.arrays()["arena"]
    spec = three.carried.plan.program.families[0]
    assert arena[1 + at.LAST_TOUCHED :: spec.row_words].tolist() == [START, START + 5]


def room_is_made_for_all(rows: type[Rows]) -> None:
    """Of table and arena, however small they were, and for as many chunks as there are rows."""
    keys = [f"k{number}" for number in range(1_500)]
    events = [event("use", START, a=key, s="p") for key in keys]
    events += [each for key in keys[:40] for each in burst(20, key)]
    form = Form(_KNOWN)
    three = Carried(rows, Handover(form, form, tuple(events), len(events), len(events)))
    is_whole(three.carried)
    assert three.carried.rows.size().rows == len(keys)
    for key in keys:
        assert peeked(three.carried, "account", key, START) == peeked(three.whole, "account", key, START)
    for each in burst(3, "another"):
        assert read(three.carried, each) == read(three.whole, each)


def what_means_something_else_begins_anew(rows: type[Rows]) -> None:
    """Where a value, a condition or a key became personal, or is so no more, and where a list has changed."""
    words = (
        'is_new(b, on="use", by=a)',
        'since("use", by=a, where=known(b))',
        'since("use", by=b)',
        'since("use", by=a)',
    )
    form = Form((*words, 'since("use", by=a, where=s in list("odd"))'))
    forms = [form, replace(form, personal=frozenset("b")), replace(form, listed=frozenset({"s0"}))]
    for old, new in permutations(forms, 2):
        profiles_survive(rows, Handover(old, new, burst(6), 3, 2))


def other_words_begin_anew(rows: type[Rows]) -> None:
    """Whichever of them differ."""
    words = (
        'last(x, on="use", by=a)',
        'first(x, on="use", by=a)',
        'last(k, on="use", by=a)',
        'last(x, on="pay", by=a)',
        'last(x, on="use", by=b)',
        'last(x, on="use", by=(a, b))',
        'last(x, on="use", by=(b, a))',
        'last(x, on="use", by=a, where=x > 1)',
        'is_new(x, on="use", by=a)',
    )
    for one, other in permutations(words, 2):
        profiles_survive(rows, Handover(Form((one,)), Form((other,)), burst(4), 2, 1))


Check: TypeAlias = Callable[[type[Rows]], None]
#: The checks that need no handover.
ALONE: tuple[Check, ...] = (
    spilled_sets_come_along,
    full_sets_forget_the_longest_unseen,
    a_row_of_which_nothing_moves_is_left,
    room_is_made_for_all,
    other_words_begin_anew,
    what_means_something_else_begins_anew,
)
