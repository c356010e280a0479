"""Value sets: which different values a window has seen, each with the tick at which it was last seen.

Exact to 16 values. A 17th spills the set to a chunk of its own, in one of two forms. For distinct counts: linear
counting (Whang et al., 1990) over 1,024 stamps of 16 bits, each shared by the values that fall on it. For is_new: 512
cells of a stamp and a 16-bit fingerprint, in one of 8 of which a value is found; where they are full, the one longest
unseen is forgotten. When everything in a chunk has left the window, the set is exact again.
"""

import math
from typing import NamedTuple

import numpy as np

from fairgate.kernel import layout as at
from fairgate.kernel.compiled import part
from fairgate.kernel.held import Held, Shorts, Words
from fairgate.kernel.program import Op

_LONG_AGO = -(1 << 62)
_STAMP, _CELL = 1, 2  # shorts that each takes


class Sighting(NamedTuple):
    """A value (a mixed hash) seen at tick `own`, while ticks up to `dead` are out of the window."""

    value: np.uint64
    own: int
    dead: int


@part
def open_set(held: Held, where: int) -> None:
    """Make a set empty and exact."""
    held.arena[where] = 0
    for slot in range(where + 1, where + 1 + at.SET_SLOTS):
        held.arena[slot] = 0
        held.arena[slot + at.SET_SLOTS] = _LONG_AGO


@part
def release(held: Held, where: int) -> None:
    """Give back the chunk of a set that spilled."""
    chunk = held.arena[where]
    held.arena[chunk], held.arena[chunk + at.FAMILY] = held.counters[at.FREE_SPILL], -1 - at.SPILL_FAMILY
    held.counters[at.FREE_SPILL] = chunk
    held.counters[at.SPILLS] -= 1
    held.arena[where] = 0


@part
def open_chunk(held: Held) -> int:
    """A chunk to spill to, from the free ones or the arena's end. What stands in it is to be written over."""
    counters, chunk = held.counters, int(held.counters[at.FREE_SPILL])
    if chunk != 0:
        counters[at.FREE_SPILL] = held.arena[chunk]
    else:
        chunk = int(counters[at.BUMP])
        counters[at.BUMP] += at.SPILL_WORDS
    counters[at.SPILLS] += 1
    return chunk


@part
def enter(held: Held, where: int, seen: Sighting, op: int) -> None:
    """Enter a value into the set that `op` feeds, unless its own tick is out of the window."""
    if seen.own <= seen.dead:
        return
    chunk = held.arena[where]
    if chunk != 0:
        last = held.arena[chunk + at.LAST_SEEN]
        if last > seen.dead:
            held.arena[chunk + at.LAST_SEEN] = max(last, seen.own)
            _enter_chunk(held, chunk, seen, op)
            return
        release(held, where)  # all of it is out of the window
        open_set(held, where)
    if not _enter_exactly(held.arena, where, seen):
        _spill(held, where, seen, op)


@part
def _enter_exactly(arena: Words, where: int, seen: Sighting) -> bool:
    """Whether the value was in the set or found room in it."""
    room = -1
    for slot in range(where + 1, where + 1 + at.SET_SLOTS):
        last = arena[slot + at.SET_SLOTS]
        if last > seen.dead:
            if arena[slot] == np.int64(seen.value):
                arena[slot + at.SET_SLOTS] = max(last, seen.own)
                return True
        elif room < 0:
            room = slot
    if room < 0:
        return False
    arena[room], arena[room + at.SET_SLOTS] = np.int64(seen.value), seen.own
    return True


@part
def _spill(held: Held, where: int, seen: Sighting, op: int) -> None:
    """Move a full set, and one value more, to a chunk of its own."""
    arena, chunk = held.arena, open_chunk(held)
    arena[where], arena[chunk + at.FAMILY], arena[chunk + at.BASE_TICK] = chunk, at.SPILL_FAMILY, seen.dead
    for word in range(chunk + at.STAMPS, chunk + at.SPILL_WORDS):
        arena[word] = 0
    newest = seen.own
    for slot in range(where + 1, where + 1 + at.SET_SLOTS):
        last = arena[slot + at.SET_SLOTS]
        newest = max(newest, last)
        _enter_chunk(held, chunk, Sighting(np.uint64(arena[slot]), last, seen.dead), op)
    _enter_chunk(held, chunk, seen, op)
    arena[chunk + at.LAST_SEEN] = newest


@part
def _enter_chunk(held: Held, chunk: int, seen: Sighting, op: int) -> None:
    if seen.own - held.arena[chunk + at.BASE_TICK] > at.STAMP_MAX:
        _rebase(held, chunk, seen.dead, _STAMP if op == Op.FEED_DISTINCT else _CELL)
    base, shorts = held.arena[chunk + at.BASE_TICK], held.shorts
    first, stamp = 4 * (chunk + at.STAMPS), seen.own - base
    if op == Op.FEED_DISTINCT:
        mine = first + np.int64(seen.value & np.uint64(at.STAMP_COUNT - 1))
        shorts[mine] = max(shorts[mine], stamp)
        return
    cell = _cell_of(shorts, first, seen.value, max(0, seen.dead - base))
    if stamp >= shorts[cell]:  # else it was seen later already, or all that it might displace were
        shorts[cell], shorts[cell + 1] = stamp, _fingerprint(seen.value)


@part
def _rebase(held: Held, chunk: int, base: int, stride: int) -> None:
    """Count a chunk's stamps, one in `stride` shorts, from a later tick; what was seen up to then is forgotten."""
    later = base - held.arena[chunk + at.BASE_TICK]
    for stamp in range(4 * (chunk + at.STAMPS), 4 * (chunk + at.SPILL_WORDS), stride):
        held.shorts[stamp] = max(0, held.shorts[stamp] - later)
    held.arena[chunk + at.BASE_TICK] = base


@part
def _fingerprint(value: np.uint64) -> int:
    return int(value >> np.uint64(48))


@part
def _cell_of(shorts: Shorts, first: int, value: np.uint64, dead: int) -> int:
    """The value's cell, if it was seen after the stamp `dead`; else the one it may take: the longest unseen."""
    fingerprint, start = _fingerprint(value), int(value & np.uint64(at.CELL_COUNT - 1))
    unseen, unseen_stamp = first, at.STAMP_MAX + 1
    for probe in range(start, start + at.CELL_PROBES):
        cell = first + _CELL * (probe & (at.CELL_COUNT - 1))
        stamp = max(shorts[cell], dead)
        if stamp > dead and shorts[cell + 1] == fingerprint:
            return cell
        if stamp < unseen_stamp:
            unseen, unseen_stamp = cell, stamp
    return unseen


@part
def different(held: Held, where: int, dead: int) -> float:
    """How many different values were seen after the tick `dead`; an estimate where the set has spilled."""
    chunk, live = held.arena[where], 0
    if chunk == 0:
        ticks = held.arena[where + 1 + at.SET_SLOTS : where + at.SET_WORDS]
        for slot in range(at.SET_SLOTS):
            live += ticks[slot] > dead
        return float(live)
    # A slice, an index from 0 and a limit of the stamps' own type: all three, or the loop takes one stamp at a time.
    stamps = held.shorts[4 * (chunk + at.STAMPS) : 4 * (chunk + at.SPILL_WORDS)]
    limit = np.uint16(min(max(0, dead - held.arena[chunk + at.BASE_TICK]), at.STAMP_MAX))
    for stamp in range(at.STAMP_COUNT):
        live += stamps[stamp] > limit
    empty = max(at.STAMP_COUNT - live, 0.5)  # all taken: the count is past what the stamps can tell
    return float(np.round(at.STAMP_COUNT * math.log(at.STAMP_COUNT / empty)))


@part
def unseen(held: Held, where: int, value: np.uint64, dead: int) -> float:
    """1.0 where the value was not seen after the tick `dead`, else 0.0."""
    chunk = held.arena[where]
    if chunk != 0:
        limit = max(0, dead - held.arena[chunk + at.BASE_TICK])
        cell = _cell_of(held.shorts, 4 * (chunk + at.STAMPS), value, limit)
        return 0.0 if held.shorts[cell] > limit and held.shorts[cell + 1] == _fingerprint(value) else 1.0
    for slot in range(where + 1, where + 1 + at.SET_SLOTS):
        if held.arena[slot + at.SET_SLOTS] > dead and held.arena[slot] == np.int64(value):
            return 0.0
    return 1.0
