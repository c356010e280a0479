"""The compiled functions over packed rows that Python calls. Requests are taken in turn, live and in replay alike.

A request's clock is the log's, the latest receive time so far, which never goes back; its own time is never after that.
"""

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel import layout as at
from fairgate.kernel.compiled import entry, part
from fairgate.kernel.held import Cells, Held, Words
from fairgate.kernel.keys import find, forget, mix
from fairgate.kernel.program import Op
from fairgate.kernel.rings import count_in, largest, newest, oldest, open_ring, place, slide, smallest, total
from fairgate.kernel.sets import Sighting, different, enter, open_set, release, unseen


class Asked(NamedTuple):
    """One request, as integers and as numbers, its moment in every window, and the answer to fill in."""

    words: Words
    numbers: Cells
    moment: Words
    answer: Cells


@entry
def advance(  # noqa: PLR0913, PLR0917 - a bundle of arrays would be taken apart anew at each call
    program: Words,
    table: Words,
    arena: Words,
    counters: Words,
    moment: Words,
    requests: NDArray[np.uint64],
    out: Cells,
    start: int,
    stop: int,
) -> int:
    """Take requests start..stop in turn: read what came before, count, read the rest. Returns the first not taken.

    `requests` is uint64 [n, words], `out` float64 [n, outs], NaN where missing: see `layout` for these and the others.
    Stops early, before touching anything of that request, where table or arena may lack room for it.
    """
    held = Held(program, table, arena, arena.view(np.float64), arena.view(np.uint16), counters)
    words, numbers = requests.view(np.int64), requests.view(np.float64)
    for index in range(start, stop):
        asked = Asked(words[index], numbers[index], moment, out[index])
        spec = program[at.TYPES] + asked.words[at.EVENT_TYPE] * at.TYPE_WORDS
        first, end = program[spec + at.FIRST_TOUCH], program[spec + at.END_TOUCH]
        rows = counters[at.ROWS] + (end - first) // at.TOUCH_WORDS
        if counters[at.BUMP] + program[spec + at.MOST_WORDS] > arena.size or 4 * rows > table.size:
            return index
        asked.answer[: program[spec + at.OUTS]] = math.nan
        place(program, moment, asked.words[at.CLOCK], asked.words[at.TIME])
        moment[-1, 0] = _fetch(held, first, end, asked.words)
        for touch in range(first, end, at.TOUCH_WORDS):
            _touch(held, touch, asked)
    return stop


@entry
def rows_of(program: Words, table: Words, request: NDArray[np.uint64], rows: Words) -> None:
    """Where the row of each of a request's touches is; 0 where there is none."""
    words = request.view(np.int64)
    spec = program[at.TYPES] + words[at.EVENT_TYPE] * at.TYPE_WORDS
    for index in range(rows.size):
        touch = program[spec + at.FIRST_TOUCH] + index * at.TOUCH_WORDS
        rows[index] = table[2 * find(table, _row_key(program, touch, words)) + 1]


@part
def _family(program: Words, family: int) -> int:
    """Where a family's record is."""
    return program[at.FAMILIES] + family * at.FAMILY_WORDS  # type: ignore[no-any-return]


@part
def _row_key(program: Words, touch: int, request: Words) -> int:
    """The family's salt mixed with each part's hash in turn; 0 where a part is missing."""
    key = np.uint64(program[_family(program, program[touch + at.TOUCH_FAMILY]) + at.SALT])
    for slot in range(program[touch + at.FIRST_KEY], program[touch + at.END_KEY]):
        hashed = np.uint64(request[program[slot]])
        if hashed == 0:
            return 0
        key = mix(key ^ hashed) + hashed
    return int(np.int64(key)) if key != 0 else 1


@part
def _fetch(held: Held, first: int, end: int, request: Words) -> int:
    """Look at the slots, then at each cache line of the rows, of an event's touches: they come from memory all at once.

    One after another, as they are worked on, they would take four times as long. Returns a word made of what was looked
    at, for the compiler drops what nobody uses.
    """
    program, table, looked = held.program, held.table, 0
    for touch in range(first, end, at.TOUCH_WORDS):
        looked ^= table[2 * (_row_key(program, touch, request) & (table.size // 2 - 1))]
    for touch in range(first, end, at.TOUCH_WORDS):
        row = table[2 * find(table, _row_key(program, touch, request)) + 1]
        if row != 0:
            words = program[_family(program, program[touch + at.TOUCH_FAMILY]) + at.ROW_WORDS]
            for word in range(row, row + words, at.CACHE_LINE):
                looked ^= held.arena[word]
    return looked


@part
def _touch(held: Held, touch: int, asked: Asked) -> None:
    """Find the key's row, or make it if this event counts anything there, and do the touch's steps."""
    program, key = held.program, _row_key(held.program, touch, asked.words)
    if key == 0:
        return
    slot = find(held.table, key)
    feeds = program[touch + at.FIRST_FEED] < program[touch + at.FIRST_AFTER]
    if held.table[2 * slot] == key:
        row = held.table[2 * slot + 1]
        family = _family(program, program[touch + at.TOUCH_FAMILY])
        for ring in range(program[family + at.FIRST_RING], program[family + at.END_RING], at.RING_WORDS):
            slide(held, ring, row, asked.moment)
    elif feeds:
        row = new_row(held, program[touch + at.TOUCH_FAMILY], key, slot, asked.moment)
    else:
        _answer_nothing(program, touch, asked)
        return
    for step in range(program[touch + at.FIRST_BEFORE], program[touch + at.FIRST_FEED], at.OP_WORDS):
        _read_before(held, step, row, asked)
    for step in range(program[touch + at.FIRST_FEED], program[touch + at.FIRST_AFTER], at.OP_WORDS):
        _feed(held, step, row, asked)
    for step in range(program[touch + at.FIRST_AFTER], program[touch + at.END_AFTER], at.OP_WORDS):
        _read_after(held, step, row, asked)
    if feeds:
        held.arena[row + at.LAST_TOUCHED] = asked.words[at.CLOCK]


@part
def new_row(held: Held, family: int, key: int, slot: int, moment: Words) -> int:
    """An empty row, from the family's free ones or the arena's end, entered in the table."""
    program, counters = held.program, held.counters
    spec, row = _family(program, family), int(counters[at.FREE_ROWS + family])
    if row != 0:
        counters[at.FREE_ROWS + family] = held.arena[row]
    else:
        row = counters[at.BUMP]
        counters[at.BUMP] += program[spec + at.ROW_WORDS]
    held.table[2 * slot], held.table[2 * slot + 1] = key, row
    counters[at.ROWS] += 1
    held.arena[row + at.KEY], held.arena[row + at.FAMILY] = key, family
    for ring in range(program[spec + at.FIRST_RING], program[spec + at.END_RING], at.RING_WORDS):
        open_ring(held, ring, row, moment)
    for where in range(program[spec + at.FIRST_SET], program[spec + at.END_SET], at.SET_WORDS):
        open_set(held, row + where)
    return row


@part
def _answer_nothing(program: Words, touch: int, asked: Asked) -> None:
    """What a key never seen reads: no events, no values, and every value is new."""
    for step in range(program[touch + at.FIRST_BEFORE], program[touch + at.END_AFTER], at.OP_WORDS):
        op = program[step + at.OP]
        if op in (Op.READ_SUM, Op.READ_DISTINCT):
            asked.answer[program[step + at.OP_OUT]] = 0.0
        elif op == Op.READ_IS_NEW and asked.words[program[step + at.OP_SLOT]] != 0:
            asked.answer[program[step + at.OP_OUT]] = 1.0


@part
def _feed(held: Held, step: int, row: int, asked: Asked) -> None:
    program, window = held.program, held.program[step + at.OP_WINDOW]
    op, slot, where = program[step + at.OP], program[step + at.OP_SLOT], row + program[step + at.OP_WHERE]
    if op == Op.FEED:
        value, bucket = asked.numbers[slot] if slot >= 0 else 1.0, asked.moment[window, at.OWN_BUCKET]
        if math.isfinite(value) and bucket >= 0:
            count_in(held.cells, where + bucket, program[step + at.OP_OTHER], value)
    elif asked.words[slot] != 0:
        own, dead = asked.moment[window, at.OWN], asked.moment[window, at.DEAD]
        enter(held, where, Sighting(mix(np.uint64(asked.words[slot])), own, dead), op)


@part
def _read_before(held: Held, step: int, row: int, asked: Asked) -> None:
    program, cells, moment = held.program, held.cells, asked.moment
    op, slot, window = program[step + at.OP], program[step + at.OP_SLOT], program[step + at.OP_WINDOW]
    where, buckets = row + program[step + at.OP_WHERE], program[step + at.OP_BUCKETS]
    now, out = moment[window, at.NOW_BUCKET], program[step + at.OP_OUT]
    if op == Op.READ_FIRST:
        asked.answer[out] = oldest(cells, where, buckets, now)
    elif op == Op.READ_LAST:
        asked.answer[out] = newest(cells, where, buckets, now)
    elif op == Op.READ_SINCE:
        last = newest(cells, where, buckets, now)
        if not math.isnan(last):
            asked.answer[out] = max(0.0, (asked.words[at.TIME] - last) / 1e6)
    elif asked.words[slot] != 0:
        asked.answer[out] = unseen(held, where, mix(np.uint64(asked.words[slot])), moment[window, at.DEAD])


@part
def _read_after(held: Held, step: int, row: int, asked: Asked) -> None:
    program, cells, out = held.program, held.cells, held.program[step + at.OP_OUT]
    op, where, buckets = program[step + at.OP], row + program[step + at.OP_WHERE], program[step + at.OP_BUCKETS]
    if op == Op.READ_SUM:
        asked.answer[out] = total(cells, where, buckets)
    elif op == Op.READ_RATIO:
        whole = total(cells, row + program[step + at.OP_OTHER], buckets)
        if whole != 0.0:
            asked.answer[out] = total(cells, where, buckets) / whole
    elif op == Op.READ_SMALLEST:
        asked.answer[out] = smallest(cells, where, buckets)
    elif op == Op.READ_LARGEST:
        asked.answer[out] = largest(cells, where, buckets)
    else:
        asked.answer[out] = different(held, where, asked.moment[program[step + at.OP_WINDOW], at.DEAD])


@entry
def sweep(  # noqa: PLR0913, PLR0917 - as above
    program: Words, table: Words, arena: Words, counters: Words, clock: int, budget: int
) -> int:
    """Look at up to `budget` rows from the cursor on and evict those idle past their longest window; returns how many.

    Never changes an answer: whatever such a row holds is out of every window already.
    """
    held = Held(program, table, arena, arena.view(np.float64), arena.view(np.uint16), counters)
    evicted = 0
    for _ in range(budget):
        row = counters[at.CURSOR]
        if row >= counters[at.BUMP]:
            counters[at.CURSOR] = 1
            break
        family = arena[row + at.FAMILY]
        free = family < 0
        family = -1 - family if free else family
        if family == at.SPILL_FAMILY:
            counters[at.CURSOR] += at.SPILL_WORDS
            continue
        spec = _family(program, family)
        counters[at.CURSOR] += program[spec + at.ROW_WORDS]
        if not free and 0 <= program[spec + at.KEEP] <= clock - arena[row + at.LAST_TOUCHED]:
            _evict(held, row, family)
            evicted += 1
    counters[at.EVICTED] += evicted
    return evicted


@part
def _evict(held: Held, row: int, family: int) -> None:
    """Take a row out of the table and put it among its family's free ones, and what its sets spilled likewise."""
    program, arena, counters = held.program, held.arena, held.counters
    spec = _family(program, family)
    forget(held.table, find(held.table, arena[row + at.KEY]))
    for where in range(row + program[spec + at.FIRST_SET], row + program[spec + at.END_SET], at.SET_WORDS):
        if arena[where] != 0:
            release(held, where)
    arena[row], arena[row + at.FAMILY] = counters[at.FREE_ROWS + family], -1 - family
    counters[at.FREE_ROWS + family] = row
    counters[at.ROWS] -= 1
