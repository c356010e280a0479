import numpy as np
import pytest
from numpy.typing import NDArray

from fairgate.kernel.arena import Arena
from fairgate.kernel.layout import REQUEST_HEADER
from fairgate.kernel.program import FamilySpec, Fold, Op, Program, RingSpec, Step, Touch, TypeSpec
from fairgate.kernel.rows import Rows

HOUR = 3_600_000_000
NOON = 480_000 * HOUR
RING = RingSpec(HOUR, 24, (Fold.COUNT,))
COUNT = (Step(Op.FEED, 0, 0, int(Fold.COUNT)), Step(Op.READ_SUM, 0, 0, out=0))


def counting(salt: int = 1) -> Program:
    touch = Touch(0, (REQUEST_HEADER,), COUNT)
    return Program((FamilySpec(salt, (RING,), ()),), (TypeSpec(REQUEST_HEADER + 1, 1, (touch,)),))


def counts(rows: Rows, keys: NDArray[np.uint64], clock: int = NOON) -> NDArray[np.float64]:
    requests = np.zeros((keys.size, REQUEST_HEADER + 1), np.uint64)
    requests[:, 1] = requests[:, 2] = clock
    requests[:, 3] = keys
    out = np.full((keys.size, 1), -1.0)
    rows.advance(requests, out, keys.size)
    return out[:, 0]


def probes(rows: Rows) -> int:
    """How far from its own slot the key is that is farthest."""
    table = rows.arrays()["table"].reshape(-1, 2)
    slots = np.flatnonzero(table[:, 0])
    mask = len(table) - 1
    return int(((slots - (table[slots, 0] & mask)) & mask).max())


def test_table_and_arena_grow_without_a_trace() -> None:
    keys = np.random.default_rng(3).permutation(np.arange(1, 20_001, dtype=np.uint64))
    small, large = Rows(counting(), expected_rows=1), Rows(counting(), expected_rows=keys.size)
    before = small.size().reserved_bytes
    for times in (1, 2):
        assert counts(small, keys).tolist() == counts(large, keys).tolist() == [times] * keys.size
    assert small.size().rows == large.size().rows == keys.size
    assert small.size().used_bytes == large.size().used_bytes
    assert small.size().reserved_bytes > 100 * before


def test_keys_that_an_attacker_aligned_are_spread() -> None:
    aligned = np.arange(1, 30_001, dtype=np.uint64) << np.uint64(40)  # one and the same slot, were they not mixed
    rows = Rows(counting(), expected_rows=aligned.size)
    counts(rows, aligned)
    assert probes(rows) < 100


def test_the_secret_says_where_a_key_goes() -> None:
    rows, other = Rows(counting(1)), Rows(counting(2))
    for each in (rows, other):
        counts(each, np.array([7], np.uint64))
    assert rows.arrays()["table"].tolist() != other.arrays()["table"].tolist()


def test_room_of_evicted_rows_is_used_again() -> None:
    rows, keys = Rows(counting(), expected_rows=1), np.arange(1, 501, dtype=np.uint64)
    counts(rows, keys)
    used = rows.size().used_bytes
    later = NOON + 24 * HOUR
    assert rows.sweep(later, 1_000) == keys.size
    assert rows.size().rows == 0
    assert counts(rows, keys + np.uint64(500), later).tolist() == [1] * keys.size
    assert rows.size().used_bytes == used
    assert rows.size().evicted == keys.size


def test_sweeps_go_round() -> None:
    rows, keys = Rows(counting(), expected_rows=1), np.arange(1, 101, dtype=np.uint64)
    counts(rows, keys)
    assert [rows.sweep(NOON + 24 * HOUR, 30) for _ in range(4)] == [30, 30, 30, 10]
    counts(rows, keys, NOON + 25 * HOUR)
    assert sum(rows.sweep(NOON + 49 * HOUR, 30) for _ in range(6)) == keys.size


def test_rows_made_of_a_snapshot_are_a_copy() -> None:
    rows, keys = Rows(counting()), np.arange(1, 11, dtype=np.uint64)
    counts(rows, keys)
    kept = {name: array.copy() for name, array in rows.arrays().items()}
    counts(rows, keys)
    again = Rows(counting())
    again.load(kept)
    assert counts(again, keys).tolist() == [2] * 10
    assert counts(rows, keys).tolist() == [3] * 10
    assert kept["arena"].tolist() == Rows.arrays(_loaded(kept))["arena"].tolist()


def _loaded(kept: dict[str, NDArray[np.int64]]) -> Rows:
    rows = Rows(counting(), expected_rows=1)
    rows.load(kept)
    return rows


def test_an_arena_keeps_what_it_holds_and_adds_zeros() -> None:
    arena = Arena(1_000)
    assert not arena.words.any()
    arena.words[:] = np.arange(1_000)
    arena.grow(300_000)
    assert arena.words[:1_000].tolist() == list(range(1_000))
    assert arena.words.size == 300_000
    assert not arena.words[1_000:].any()


def test_an_arena_that_someone_looks_at_does_not_grow() -> None:
    arena = Arena(1_000)
    view = arena.words[5:]
    with pytest.raises(BufferError):
        arena.grow(2_000)
    assert view.size == 995


def test_an_arena_grows_where_the_system_cannot_move_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    arena = Arena(1_000)
    arena.words[:] = np.arange(1_000)
    kept = bytes(arena._map)
    monkeypatch.setattr(arena, "_map", _Unmoving(kept))
    arena.grow(2_000)
    assert arena.words[:1_000].tolist() == list(range(1_000))
    assert not arena.words[1_000:].any()


class _Unmoving(bytes):
    """Memory of a system without mremap."""

    __slots__ = ()

    def resize(self, _: int) -> None:
        raise SystemError("mmap: resizing not available--no mremap()")
