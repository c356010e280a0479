"""A row's windows: rings of buckets that slide with the log's clock, and what is counted in them and read.

A window covers the bucket of the clock and those before it; an event's own time only chooses the bucket it counts in,
if that is still covered. `place` works this out for every window once an event, so that no row has to divide.
"""

import math

from fairgate.domain.windows import DAY
from fairgate.kernel import layout as at
from fairgate.kernel.compiled import part
from fairgate.kernel.held import Cells, Held, Words
from fairgate.kernel.program import Fold


@part
def place(program: Words, moment: Words, clock: int, time: int) -> None:
    """Where clock and event stand in each window: ticks, buckets, and the last tick that is no longer covered.

    The event's bucket is -1 where the window doesn't cover it. In a window that never slides the event's tick is its
    day, so that a value set knows which of its values were seen last.
    """
    for window in range(moment.shape[0] - 1):
        spec = program[at.FIRST_WINDOW] + window * at.WINDOW_WORDS
        tick, buckets = program[spec + at.WINDOW_TICK], program[spec + at.WINDOW_BUCKETS]
        if tick > 0:
            now, own = clock // tick, time // tick
            dead = now - buckets
            own_bucket = own % buckets if own > dead else -1
        else:
            now, own, dead, own_bucket = 0, min(max(time // DAY, 1), at.STAMP_MAX), 0, 0
        moment[window, at.NOW], moment[window, at.NOW_BUCKET], moment[window, at.DEAD] = now, now % buckets, dead
        moment[window, at.OWN], moment[window, at.OWN_BUCKET] = own, own_bucket


@part
def open_ring(held: Held, ring: int, row: int, moment: Words) -> None:
    """Make a new row's ring: empty, its head at the clock's tick."""
    buckets = held.program[ring + at.RING_BUCKETS]
    held.arena[row + held.program[ring + at.RING_HEAD]] = moment[held.program[ring + at.RING_WINDOW], at.NOW]
    _clear(held, ring, row, buckets - 1, buckets)


@part
def slide(held: Held, ring: int, row: int, moment: Words) -> None:
    """Move a ring's head to the clock's tick, emptying what left the window."""
    window, head = held.program[ring + at.RING_WINDOW], row + held.program[ring + at.RING_HEAD]
    gone = moment[window, at.NOW] - held.arena[head]
    if gone > 0:
        _clear(held, ring, row, moment[window, at.NOW_BUCKET], min(gone, held.program[ring + at.RING_BUCKETS]))
        held.arena[head] = moment[window, at.NOW]


@part
def _clear(held: Held, ring: int, row: int, last: int, count: int) -> None:
    """Empty `count` buckets of a ring: `last` and those before it, going round."""
    program, buckets = held.program, held.program[ring + at.RING_BUCKETS]
    for cell in range(program[ring + at.RING_CELLS]):
        where = row + program[ring + at.RING_START] + cell * buckets
        empty = program[program[ring + at.RING_EMPTY] + cell]
        for bucket in range(last, last - count, -1):
            held.arena[where + (bucket if bucket >= 0 else bucket + buckets)] = empty


@part
def count_in(cells: Cells, where: int, fold: int, value: float) -> None:
    """Take a value in at a bucket."""
    if fold == Fold.COUNT:
        cells[where] += 1.0
    elif fold == Fold.ADD:
        cells[where] += value
    elif fold == Fold.SMALLEST:
        cells[where] = min(cells[where], value)
    elif fold == Fold.LARGEST:
        cells[where] = max(cells[where], value)
    elif fold == Fold.LAST or math.isnan(cells[where]):
        cells[where] = value


@part
def total(cells: Cells, where: int, buckets: int) -> float:
    """The sum of a cell's buckets. Added up at each read: a running total would drift."""
    summed = 0.0
    for bucket in range(where, where + buckets):
        summed += cells[bucket]
    return summed


@part
def smallest(cells: Cells, where: int, buckets: int) -> float:
    """The smallest of a cell's buckets; NaN where all are empty."""
    best = math.inf
    for bucket in range(where, where + buckets):
        best = min(best, cells[bucket])
    return best if best < math.inf else math.nan


@part
def largest(cells: Cells, where: int, buckets: int) -> float:
    """The largest of a cell's buckets; NaN where all are empty."""
    best = -math.inf
    for bucket in range(where, where + buckets):
        best = max(best, cells[bucket])
    return best if best > -math.inf else math.nan


@part
def newest(cells: Cells, where: int, buckets: int, now_bucket: int) -> float:
    """The value in the newest bucket that has one; NaN where all are empty."""
    for bucket in range(now_bucket, now_bucket - buckets, -1):
        value: float = cells[where + (bucket if bucket >= 0 else bucket + buckets)]
        if not math.isnan(value):
            return value
    return math.nan


@part
def oldest(cells: Cells, where: int, buckets: int, now_bucket: int) -> float:
    """The value in the oldest bucket that has one; NaN where all are empty."""
    for bucket in range(now_bucket + 1, now_bucket + 1 + buckets):
        value: float = cells[where + (bucket if bucket < buckets else bucket - buckets)]
        if not math.isnan(value):
            return value
    return math.nan
