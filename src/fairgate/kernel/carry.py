"""The compiled function that takes rows over from a snapshot of another program's."""

import math

import numpy as np

from fairgate.kernel import layout as at
from fairgate.kernel.advance import new_row
from fairgate.kernel.compiled import entry, part
from fairgate.kernel.held import Cells, Held, Words
from fairgate.kernel.keys import find
from fairgate.kernel.sets import open_chunk


@entry
def carry(  # noqa: PLR0913, PLR0917 - a bundle of arrays would be taken apart anew at each call
    program: Words,
    table: Words,
    arena: Words,
    counters: Words,
    moment: Words,
    old: Words,
    rows: Words,
    family: int,
    cells: Words,
    sets: Words,
) -> None:
    """Make a row of `family` for each of the `rows`, which are addresses in the arena `old`, unless nothing moves.

    `cells` and `sets` are int64 [n, 2]: from which word of an old row to which word of a new one. Table and arena must
    have room for all of them, and the family must never slide.
    """
    held = Held(program, table, arena, arena.view(np.float64), arena.view(np.uint16), counters)
    numbers = old.view(np.float64)
    for index in range(rows.size):
        row = rows[index]
        if not _moves(old, numbers, row, cells, sets):
            continue
        key = old[row + at.KEY]
        made = new_row(held, family, key, find(table, key), moment)
        arena[made + at.LAST_TOUCHED] = old[row + at.LAST_TOUCHED]
        for pair in range(cells.shape[0]):
            arena[made + cells[pair, 1]] = old[row + cells[pair, 0]]
        for pair in range(sets.shape[0]):
            _bring_set(held, old, row + sets[pair, 0], made + sets[pair, 1])


@part
def _moves(old: Words, numbers: Cells, row: int, cells: Words, sets: Words) -> bool:
    """Whether a row holds anything that moves. A set that never slides is filled from its first slot, and stays."""
    moves = False
    for pair in range(cells.shape[0]):
        moves |= not math.isnan(numbers[row + cells[pair, 0]])
    for pair in range(sets.shape[0]):
        moves |= old[row + sets[pair, 0] + 1 + at.SET_SLOTS] > 0
    return moves


@part
def _bring_set(held: Held, old: Words, source: int, where: int) -> None:
    """Copy a value set, and the chunk that it spilled to into one of its own."""
    for word in range(at.SET_WORDS):
        held.arena[where + word] = old[source + word]
    spilled = old[source]
    if spilled != 0:
        chunk = open_chunk(held)
        for word in range(at.SPILL_WORDS):
            held.arena[chunk + word] = old[spilled + word]
        held.arena[where] = chunk
