"""What must hold of any kernel: run on the compiled one, and on plain ones with a mistake planted in them.

Each check takes the class of rows and raises AssertionError where they are wrong.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from fairgate.domain.windows import DAY, EVER, WINDOWS, Window
from fairgate.kernel.layout import REQUEST_HEADER
from fairgate.kernel.program import FamilySpec, Op, Program, RingSpec, Step, Touch, TypeSpec
from fairgate.kernel.rows import Rows
from tests.properties.feature_cases import START, Case, Machine
from tests.properties.naive_features import NaiveFeatures, Value

_SALT = 0xB5026F5AA96619E9
_FEED, _READ = 0, 1  # event types: one counts its value and reads, the other only reads
_KEY, _VALUE = REQUEST_HEADER, REQUEST_HEADER + 1


Keys: TypeAlias = int | NDArray[np.int64]


def same(found: Sequence[Value], expected: Sequence[Value]) -> bool:
    """Whether two rows of features are the same: floats to a part in 10**9, all else exactly."""
    return len(found) == len(expected) and all(map(_equal, found, expected))


def _equal(found: Value, expected: Value) -> bool:
    if found is None or expected is None or isinstance(found, str) or isinstance(expected, str):
        return found == expected
    return math.isclose(found, expected, rel_tol=1e-9, abs_tol=1e-9)


def agrees_with_the_naive_model(rows: type[Rows], case: Case) -> None:
    """Row by row."""
    naive = NaiveFeatures(case.checked)
    found = Machine(case.checked, rows).run(case.events)
    for number, (event, features) in enumerate(zip(case.events, found, strict=True)):
        expected = naive.answer(event)
        assert same(features, expected), f"event {number} reads {features}, not {expected}"


@dataclass(frozen=True)
class Pause:
    """What is done after so many events: a sweep over so many rows, and perhaps a move to rows made from a snapshot."""

    events: int
    sweep: int
    reopen: bool


def is_undisturbed(rows: type[Rows], case: Case, pauses: Sequence[Pause]) -> None:
    """Batches, sweeps and snapshots don't show: every answer is the same to the last bit."""
    expected = Machine(case.checked, rows).run(case.events)
    machine, found, taken = Machine(case.checked, rows), [], 0
    for pause in (*pauses, Pause(len(case.events), 0, reopen=False)):
        found += machine.run(case.events[taken : taken + pause.events])
        taken += pause.events
        machine.rows.sweep(machine.clock, pause.sweep)
        if pause.reopen:
            machine.reopen()
    assert found == expected


class OneSet:
    """A family with nothing but one value set over one window: values in, counts or is_new out."""

    def __init__(self, rows: type[Rows], window: Window, *, seen: bool) -> None:
        feed, read = (Op.FEED_SEEN, Op.READ_IS_NEW) if seen else (Op.FEED_DISTINCT, Op.READ_DISTINCT)
        reads = Step(read, 0, 0, slot=_VALUE, out=0)
        family = FamilySpec(_SALT, (RingSpec(window.tick, window.buckets, ()),), (0,))
        types = [Touch(0, (_KEY,), (Step(feed, 0, 0, slot=_VALUE), reads)), Touch(0, (_KEY,), (reads,))]
        program = Program((family,), tuple(TypeSpec(_VALUE + 1, 1, (touch,)) for touch in types))
        self.rows = rows(program, expected_rows=1)
        self.random = np.random.default_rng(7)

    def fresh(self, count: int) -> NDArray[np.uint64]:
        """Hashes never given before."""
        return self.random.integers(1, 1 << 64, count, np.uint64)

    def meet(self, values: NDArray[np.uint64], clock: int, *, late: int = 0, key: Keys = 1) -> NDArray[np.float64]:
        """Count values one after another; what is read at each."""
        return self._ask(_FEED, values, clock, clock - late, key)

    def ask(self, values: NDArray[np.uint64], clock: int, *, key: Keys = 1) -> NDArray[np.float64]:
        """Read without counting anything."""
        return self._ask(_READ, values, clock, clock, key)

    def _ask(self, kind: int, values: NDArray[np.uint64], clock: int, time: int, key: Keys) -> NDArray[np.float64]:
        requests = np.zeros((values.size, _VALUE + 1), np.uint64)
        requests[:, :_KEY] = (kind, clock, time)
        requests[:, _KEY], requests[:, _VALUE] = key, values
        out = np.full((values.size, 1), -7.0)
        self.rows.advance(requests, out, values.size)
        return out[:, 0]


def distinct_is_exact_to_16(rows: type[Rows]) -> None:
    """Whatever else is out of the window; and the 17th value, which spills the set, loses none of them."""
    window = WINDOWS["1h"]
    one = OneSet(rows, window, seen=False)
    values = one.fresh(40)
    counts = one.meet(values[:16], START)
    assert counts.tolist() == list(range(1, 17))
    assert one.meet(one.fresh(20), START, late=window.length).tolist() == [16] * 20
    assert one.rows.size().spills == 0
    counts = one.meet(values, START)
    assert one.rows.size().spills == 1
    assert all(abs(count - max(number, 16)) <= 1 for number, count in enumerate(counts.tolist(), 1))
    again = one.meet(values, START)
    assert set(again.tolist()) == {counts[-1]}


def distinct_slides(rows: type[Rows]) -> None:
    """A spilled set covers the window's buckets, no more and no fewer."""
    window, each = WINDOWS["1h"], 10
    one, errors = OneSet(rows, window, seen=False), []
    for number in range(3 * window.buckets):
        count = one.meet(one.fresh(each), START + number * window.tick)[-1]
        errors.append(count - each * min(number + 1, window.buckets))
    assert abs(np.mean(errors)) < each / 2


def distinct_takes_values_late_and_again(rows: type[Rows]) -> None:
    """A value counts in the bucket of its own time, and stays for as long as it was last seen."""
    window, many = WINDOWS["1h"], 100
    one, ticks = OneSet(rows, window, seen=False), [START + number * window.tick for number in range(20)]
    values = one.fresh(many)
    one.meet(values, ticks[0])
    one.meet(one.fresh(many), ticks[6], late=window.length)  # out already
    one.meet(one.fresh(many), ticks[6], late=window.length - window.tick)  # out with the next tick
    assert abs(one.ask(values[:1], ticks[6])[0] - 2 * many) < many / 4
    assert abs(one.meet(values, ticks[7])[-1] - many) < many / 4
    assert abs(one.ask(values[:1], ticks[18])[0] - many) < many / 4
    assert one.ask(values[:1], ticks[19])[0] == 0


def distinct_is_exact_again(rows: type[Rows]) -> None:
    """When all in a spilled set has left the window, its chunk is given back."""
    window = WINDOWS["10m"]
    one = OneSet(rows, window, seen=False)
    one.meet(one.fresh(20), START)
    for number in range(1, 3 * window.buckets):  # kept alive: it must not be given back yet
        count = one.meet(one.fresh(2), START + number * window.tick)[-1]
        assert abs(count - (20 + 2 * number if number < window.buckets else 2 * window.buckets)) <= 2
    assert one.rows.size().spills == 1
    later = START + (4 * window.buckets - 1) * window.tick
    assert one.ask(one.fresh(1), later).tolist() == [0]
    assert one.meet(one.fresh(5), later).tolist() == [1, 2, 3, 4, 5]
    assert one.rows.size().spills == 0


def stamps_outlast_their_16_bits(rows: type[Rows]) -> None:
    """A set that stays spilled for more than 65,535 ticks counts from a later tick, and forgets what is out."""
    window, many = WINDOWS["1m"], 40
    one, keep = OneSet(rows, window, seen=False), window.buckets - 1
    one.meet(one.fresh(many), START)
    alive, ticks = one.fresh(1), range(keep, 65_535 - window.buckets, keep)  # the last that 16 bits can tell
    for number in ticks:
        one.meet(alive, START + number * window.tick)
    last = ticks[-1]
    one.meet(one.fresh(many), START + last * window.tick)
    count = one.meet(one.fresh(1), START + (last + keep) * window.tick)[0]
    assert abs(count - (many + 2)) <= 3
    count = one.meet(one.fresh(1), START + (last + 2 * keep) * window.tick)[0]
    assert count == 2


def distinct_is_within_5_percent(rows: type[Rows]) -> None:
    """At 3,000 values in the window, over a hundred keys."""
    one, values = OneSet(rows, WINDOWS["24h"], seen=False), 3_000
    errors = [one.meet(one.fresh(values), START, key=key)[-1] / values - 1 for key in range(1, 101)]
    assert math.sqrt(np.mean(np.square(errors))) <= 0.05


def is_new_knows_16_values(rows: type[Rows]) -> None:
    """Exactly, each as long as it was last seen; and no value is known before it was met."""
    window = WINDOWS["1h"]
    one = OneSet(rows, window, seen=True)
    values = one.fresh(16)
    assert one.meet(values, START).tolist() == [1] * 16
    assert one.meet(values[:8], START + window.tick).tolist() == [0] * 8
    assert one.ask(values, START + window.length - 1).tolist() == [0] * 16
    assert one.ask(values, START + window.length).tolist() == [0] * 8 + [1] * 8
    assert one.ask(values, START + window.length + window.tick).tolist() == [1] * 16


def is_new_knows_200_values(rows: type[Rows]) -> None:
    """Nearly all, for as long as the window; of values never met fewer than one in a thousand seem known."""
    for window in (WINDOWS["1h"], EVER):
        one = OneSet(rows, window, seen=True)
        values = one.fresh(200)
        assert one.meet(values, START).sum() >= 199
        assert one.ask(values, START + window.length - (window.tick > 0)).sum() <= 2
        if window is not EVER:
            assert one.ask(values, START + window.length).sum() == 200
        known = one.ask(one.fresh(20_000), START) == 0.0
        assert known.mean() < 0.001


def is_new_forgets_the_longest_unseen(rows: type[Rows]) -> None:
    """Of twice as many values as there is room for the newest are known; what comes late displaces nothing newer."""
    for window, step in ((WINDOWS["1h"], WINDOWS["1h"].tick), (EVER, DAY)):
        one = OneSet(rows, window, seen=True)
        met = [one.fresh(100) for _ in range(10)]
        for number, values in enumerate(met):
            one.meet(values, START + number * step)
        now = START + 9 * step
        unknown = [one.ask(values, now).mean() for values in met]
        assert unknown[-1] <= 0.01
        assert unknown[0] >= 0.9
        assert all(older >= newer - 0.1 for older, newer in pairwise(unknown))
        one.meet(one.fresh(400), now, late=9 * step)
        assert [one.ask(values, now).mean() for values in met][1:] == unknown[1:]


def chunks_are_kept_and_given_back(rows: type[Rows]) -> None:
    """What sets spilled is in a snapshot; it goes when its row goes, and is used again."""
    window, keys = WINDOWS["1h"], range(1, 5)
    one = OneSet(rows, window, seen=False)
    values = [one.fresh(100) for _ in keys]
    counts = [one.meet(each, START, key=key)[-1] for key, each in zip(keys, values, strict=True)]
    again = OneSet(rows, window, seen=False)
    again.rows.load(one.rows.arrays())
    assert [again.ask(each[:1], START, key=key)[0] for key, each in zip(keys, values, strict=True)] == counts
    used, later = one.rows.size().used_bytes, START + window.length
    assert one.rows.size().spills == len(keys)
    assert one.rows.sweep(later, 100) == len(keys)
    assert one.rows.size().spills == 0
    assert [one.meet(each, later, key=key + 4)[-1] for key, each in zip(keys, values, strict=True)] == counts
    assert one.rows.size().used_bytes == used


def a_row_stays_while_its_window_does(rows: type[Rows]) -> None:
    """To the microsecond; and not much longer."""
    window, one = WINDOWS["1m"], OneSet(rows, WINDOWS["1m"], seen=False)
    one.meet(one.fresh(1), START)
    one.rows.sweep(START + window.length - 1, 10)
    assert one.rows.size().rows == 1
    one.rows.sweep(START + window.length + window.tick, 10)
    assert one.rows.size().rows == 0


def rows_outlive_their_neighbours(rows: type[Rows]) -> None:
    """Rows are evicted one by one from a crowded table: those that stay are still found, and keep their counts."""
    window, keys = WINDOWS["1m"], np.arange(1, 900)
    one, stays = OneSet(rows, window, seen=False), keys % 3 > 0
    value, now = one.fresh(1), START + window.length
    one.meet(np.resize(value, keys.size), START, key=keys)
    one.meet(np.resize(value, stays.sum()), now - window.tick, key=keys[stays])
    expected = stays.astype(float).tolist()
    for _ in range(10):
        one.rows.sweep(now, 100)
        assert one.ask(np.resize(value, keys.size), now, key=keys).tolist() == expected
    assert one.rows.size().rows == stays.sum()
    assert one.rows.size().evicted == keys.size - stays.sum()


Check: TypeAlias = Callable[[type[Rows]], None]
#: The checks that need no case.
ALONE: tuple[Check, ...] = (
    distinct_is_exact_to_16,
    distinct_slides,
    distinct_takes_values_late_and_again,
    distinct_is_exact_again,
    stamps_outlast_their_16_bits,
    distinct_is_within_5_percent,
    is_new_knows_16_values,
    is_new_knows_200_values,
    is_new_forgets_the_longest_unseen,
    chunks_are_kept_and_given_back,
    a_row_stays_while_its_window_does,
    rows_outlive_their_neighbours,
)
