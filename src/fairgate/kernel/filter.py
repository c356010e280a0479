"""A blocked Bloom filter over 64-bit keys: eight bits a key, all in one cache line, so that a look costs one miss."""

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel.compiled import entry, part
from fairgate.kernel.held import Words
from fairgate.kernel.keys import find, mix

_BLOCK_WORDS = 8
#: Bits of memory a key, at first and when as many are held as there is room for.
_BITS = 16
_ROOM = 0.8


@part
def may_hold(words: Words, key: int) -> bool:
    """Whether a key may be among those entered. Keys in order meet the words in order."""
    mixed = mix(np.uint64(key))
    start = _BLOCK_WORDS * (((np.uint64(key) >> np.uint64(32)) * np.uint64(words.size // 8)) >> np.uint64(32))
    for index in range(_BLOCK_WORDS):
        bit = np.int64((mixed >> np.uint64(6 * index)) & np.uint64(63))
        if (words[np.int64(start) + index] >> bit) & 1 == 0:
            return False
    return True


@entry
def enter(words: Words, keys: Words) -> None:
    """Set the bits of these keys."""
    for key in keys:
        mixed = mix(np.uint64(key))
        start = _BLOCK_WORDS * (((np.uint64(key) >> np.uint64(32)) * np.uint64(words.size // 8)) >> np.uint64(32))
        for index in range(_BLOCK_WORDS):
            bit = np.int64((mixed >> np.uint64(6 * index)) & np.uint64(63))
            words[np.int64(start) + index] |= np.int64(1) << bit


@entry
def look(words: Words, keys: Words) -> int:
    """How many of these keys may be among those entered."""
    count = 0
    for key in keys:
        if may_hold(words, key):
            count += 1
    return count


@entry
def meet(  # noqa: PLR0913, PLR0917 - a compiled function is called once, with all there is
    table: Words, words: Words, keys: Words, first: int, by_place: int, answers: Words, start: int, new: int
) -> tuple[int, int]:
    """As `keys.remember`, from the key `start` on; ends before a key that isn't in the table and may be in the filter.

    `new` were new before `start`. Returns where it ended, and how many are new by then. With `by_place` a new key is
    remembered at `first` and its place among the keys, not among those that are new.
    """
    for index in range(start, keys.size):
        slot = find(table, keys[index])
        if table[2 * slot] == keys[index]:
            answers[index] = table[2 * slot + 1]
        elif may_hold(words, keys[index]):
            return index, new
        else:
            answers[index] = -1
            table[2 * slot], table[2 * slot + 1] = keys[index], first + (index if by_place else new)
            new += 1
    return keys.size, new


class Filter:
    """Says of a key that was added "maybe", and of any other "no", but once in three hundred.

    One thread may add keys while others look: bits are only ever set, a word at a time, so who looks sees of a key that
    is being added that it is there, or not yet. `words` are what the compiled functions read.
    """

    def __init__(self, keys: int) -> None:
        blocks = max(1, -(-keys * _BITS // (64 * _BLOCK_WORDS)))
        held: NDArray[np.int64] = np.zeros(_BLOCK_WORDS * (blocks + 1), np.int64)
        skipped = -(held.ctypes.data // 8) % _BLOCK_WORDS  # a block is a cache line
        self.words: NDArray[np.int64] = held[skipped : skipped + _BLOCK_WORDS * blocks]
        self.room = int(keys / _ROOM)
        self.count = 0

    def add(self, keys: NDArray[np.uint64]) -> None:
        """Enter keys, contiguous. Quickest where they are in order. Above `room` of them it errs more often."""
        enter(self.words, keys.view(np.int64))
        self.count += keys.size

    def may_hold(self, key: int) -> bool:
        """Whether a key may be among those added."""
        return bool(look(self.words, np.array([key], np.uint64).view(np.int64)))


#: The words of filters that say "no" and "maybe" to every key.
NOTHING: NDArray[np.int64] = np.zeros(_BLOCK_WORDS, np.int64)
ANYTHING: NDArray[np.int64] = np.full(_BLOCK_WORDS, -1, np.int64)
