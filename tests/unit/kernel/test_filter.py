"""The filter: it forgets nothing, errs seldom, and a table behind it gives the numbers that one without it would."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.kernel.filter import ANYTHING, NOTHING, Filter, look
from fairgate.kernel.rows import Memory

KEYS = st.lists(st.sampled_from([1, 2, 3, 4, 5, 1 << 11, 1 << 12, (1 << 64) - 1, 1 << 63]), max_size=8)


@pytest.mark.parametrize("size", [1 << 12, 1 << 18])
def test_it_holds_what_was_added_and_errs_once_in_two_hundred_when_it_is_full(size: int) -> None:
    draw, made = np.random.default_rng(1), Filter(size)
    keys, others = (draw.integers(1, 1 << 64, count, np.uint64) for count in (made.room, 1 << 18))
    assert look(made.words, others.view(np.int64)) == 0
    made.add(keys[:size])
    assert look(made.words, others.view(np.int64)) < 0.002 * others.size
    made.add(keys[size:])
    assert made.count == made.room
    assert look(made.words, keys.view(np.int64)) == keys.size
    assert look(made.words, others.view(np.int64)) < 0.005 * others.size
    assert made.words.nbytes <= 1.7 * made.room
    assert made.may_hold(int(keys[0]))


def test_a_block_is_a_cache_line() -> None:
    assert {Filter(size).words.ctypes.data % 64 for size in range(1, 9_000, 611)} == {0}


@given(
    st.lists(KEYS, max_size=8),
    st.sets(st.sampled_from([1, 2, 3, 1 << 63, (1 << 64) - 1])),
    st.booleans(),
    st.booleans(),
)
def test_a_table_with_more_elsewhere_is_as_one_dict(
    batches: list[list[int]], old: set[int], by_place: bool, sure: bool
) -> None:
    elsewhere = {key: index for index, key in enumerate(sorted(old))}
    known, memory, seen, asked = dict(elsewhere), Memory(), Filter(64), list[int]()
    seen.add(np.array(sorted(old), np.uint64))
    first = 100

    def find(key: int) -> int:
        asked.append(key)
        return elsewhere.get(key, -1)

    for batch in batches:
        expected, new = [], 0
        for place, key in enumerate(batch):
            expected.append(known.get(key, -1))
            if key not in known:
                known[key] = first + (place if by_place else new)
                new += 1
        words = seen.words if sure else ANYTHING
        assert memory.meet(np.array(batch, np.uint64), first, words, find, by_place=by_place).tolist() == expected
        first += len(batch)
    assert len(memory) == len(known) - len(elsewhere)
    assert set(map(tuple, memory.array().view(np.uint64).tolist())) == set(known.items()) - set(elsewhere.items())
    if sure:
        assert set(asked) <= old


def test_nothing_is_asked_for_where_nothing_is_held() -> None:
    def find(_key: int) -> int:
        raise AssertionError

    keys = np.arange(1, 9, dtype=np.uint64)
    assert Memory().meet(keys, 0, NOTHING, find).tolist() == [-1] * 8
