"""Rows taken over from another program's, as arrays: what is refused, and that the rest is as it should be."""

import numpy as np
import pytest

from fairgate.kernel.layout import REQUEST_HEADER
from fairgate.kernel.program import FamilySpec, Fold, Move, Op, Program, RingSpec, Step, Touch, TypeSpec
from fairgate.kernel.rows import Rows

NEVER = RingSpec(0, 1, (Fold.FIRST, Fold.LAST))
MINUTE = RingSpec(5_000_000, 12, (Fold.COUNT,))
KEY, VALUE = REQUEST_HEADER, REQUEST_HEADER + 1
FEEDS = (
    Step(Op.READ_FIRST, 0, 0, out=0),
    Step(Op.READ_LAST, 0, 1, out=1),
    Step(Op.FEED, 0, 0, int(Fold.FIRST), VALUE),
    Step(Op.FEED, 0, 1, int(Fold.LAST), VALUE),
)


def program(salt: int, ring: RingSpec = NEVER) -> Program:
    """One family, and one event type that takes a value in at each of its cells."""
    steps = FEEDS if ring is NEVER else (Step(Op.FEED, 0, 0, int(Fold.COUNT)),)
    return Program((FamilySpec(salt, (ring,), ()),), (TypeSpec(VALUE + 1, 2, (Touch(0, (KEY,), steps),)),))


def rows_of(made: Program, *values: float) -> Rows:
    """Rows that met one key with these values, one after another."""
    rows = Rows(made, expected_rows=1)
    for value in values:
        ask(rows, value)
    return rows


def ask(rows: Rows, value: float = 0.0, key: int = 5) -> list[float]:
    """What is read at an event, which is counted."""
    request, out = np.zeros((1, VALUE + 1), np.uint64), np.zeros((1, 2))
    request[0, KEY], request[0, VALUE] = key, np.float64(value).view(np.uint64)
    rows.advance(request, out, 1)
    found: list[float] = out[0].tolist()
    return found


def test_cells_may_change_places() -> None:
    old, new = rows_of(program(1), 3, 4), Rows(program(1))
    new.carry(old.arrays(), [Move(0, old.program.families[0], 0, ((0, 1), (1, 0)), ())])
    assert ask(new) == [4, 3]


def test_what_is_not_named_begins_empty() -> None:
    old, new = rows_of(program(1), 3, 4), Rows(program(1))
    new.carry(old.arrays(), [Move(0, old.program.families[0], 0, ((0, 0),), ())])
    first, last = ask(new, 9)
    assert first == 3
    assert np.isnan(last)
    assert ask(new) == [3, 9]


def test_rows_that_were_carried_are_a_copy() -> None:
    old, new = rows_of(program(1), 3), Rows(program(1))
    new.carry(old.arrays(), [Move(0, old.program.families[0], 0, ((0, 0), (1, 1)), ())])
    ask(new, 8)
    assert ask(old) == [3, 3]


def test_arrays_that_can_only_be_read_will_do() -> None:
    old, new = rows_of(program(1), 3), Rows(program(1))
    arrays = {name: np.frombuffer(array.tobytes(), np.int64) for name, array in old.arrays().items()}
    new.carry(arrays, [Move(0, old.program.families[0], 0, ((0, 0), (1, 1)), ())])
    assert ask(new) == [3, 3]


def test_without_moves_they_stay_empty() -> None:
    new = Rows(program(1))
    new.carry(rows_of(program(1), 3).arrays(), [])
    assert new.size() == Rows(program(1)).size()


@pytest.mark.parametrize("other", [program(2), program(1, MINUTE)])
def test_a_family_of_another_kind_is_refused(other: Program) -> None:
    old = rows_of(other, 3)
    with pytest.raises(ValueError, match="family 0"):
        Rows(program(1)).carry(old.arrays(), [Move(0, other.families[0], 0, (), ())])


def test_rows_that_have_counted_are_not_carried_into() -> None:
    old = rows_of(program(1), 3)
    with pytest.raises(ValueError, match="empty"):
        rows_of(program(1), 4).carry(old.arrays(), [])
