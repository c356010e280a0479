"""The hash table: open addressing, linear probing, [key, value] a slot, key 0 empty. Keys must be well mixed."""

import numpy as np

from fairgate.kernel.compiled import entry, part
from fairgate.kernel.held import Words


@part
def mix(word: np.uint64) -> np.uint64:
    """splitmix64's finaliser (Steele et al., 2014): every input bit reaches every output bit."""
    word ^= word >> np.uint64(30)
    word *= np.uint64(0xBF58476D1CE4E5B9)
    word ^= word >> np.uint64(27)
    word *= np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


@part
def find(table: Words, key: int) -> int:
    """Slot of the key, or of the empty place where it belongs."""
    mask = table.size // 2 - 1
    slot = key & mask
    while table[2 * slot] != key and table[2 * slot] != 0:
        slot = (slot + 1) & mask
    return slot


@part
def forget(table: Words, slot: int) -> None:
    """Empty a slot and close the gap, so that no probe ends too early."""
    mask = table.size // 2 - 1
    hole, after = slot, (slot + 1) & mask
    while table[2 * after] != 0:
        home = table[2 * after] & mask
        if ((after - home) & mask) >= ((after - hole) & mask):
            table[2 * hole], table[2 * hole + 1] = table[2 * after], table[2 * after + 1]
            hole = after
        after = (after + 1) & mask
    table[2 * hole], table[2 * hole + 1] = 0, 0


@entry
def rehash(old: Words, table: Words) -> None:
    """Enter all that one table holds into a larger, empty one."""
    for slot in range(old.size // 2):
        if old[2 * slot] != 0:
            place = find(table, old[2 * slot])
            table[2 * place], table[2 * place + 1] = old[2 * slot], old[2 * slot + 1]


@entry
def fill(table: Words, pairs: Words) -> None:
    """Enter [n, 2] pairs of different keys and values into an empty table."""
    for index in range(pairs.shape[0]):
        slot = find(table, pairs[index, 0])
        table[2 * slot], table[2 * slot + 1] = pairs[index, 0], pairs[index, 1]


@entry
def remember(table: Words, keys: Words, first: int, answers: Words) -> int:
    """For each key in turn: the position it was first met at, or -1, and then remembered at `first` and on.

    Returns how many were new. A key met twice in one call is known the second time. The caller sees to it that the
    table stays under half full.
    """
    new = 0
    for index in range(keys.size):
        slot = find(table, keys[index])
        if table[2 * slot] == keys[index]:
            answers[index] = table[2 * slot + 1]
        else:
            answers[index] = -1
            table[2 * slot], table[2 * slot + 1] = keys[index], first + new
            new += 1
    return new


@entry
def look_up(table: Words, keys: Words, answers: Words) -> None:
    """What stands with each key; -1 where the key isn't held."""
    for index in range(keys.size):
        slot = find(table, keys[index])
        answers[index] = table[2 * slot + 1] if table[2 * slot] == keys[index] else -1
