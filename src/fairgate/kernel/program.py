"""What the kernel is to do for each event type, written down as integers.

A *family* is one kind of row: every key of the family (an account, an address, a pair of both) has one row of the same
layout. A row is a header, the head tick of each of its windows, the cells of each window (one after another, each a
word a bucket), then its value sets. For each event type a list of *touches* says which families the event's keys lead
to, and for each touch a list of *steps* says what to read before the event is counted, what to count, and what to read
after.

The kernel gets all of it as one int64 array, `Program.words`. Nothing here needs numba.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from math import inf, nan

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel import layout as at


class Fold(IntEnum):
    """How a bucket's cell takes in a value."""

    ADD = 0
    SMALLEST = 1
    LARGEST = 2
    FIRST = 3
    LAST = 4
    COUNT = 5  # one for each value that is there


class Op(IntEnum):
    """What a step does. FIRST, LAST, SINCE and IS_NEW are read before the feeds: they speak of earlier events."""

    FEED = 0  # window, cell, fold, request slot (NO_SLOT: 1.0; NaN or infinite: nothing to count)
    FEED_DISTINCT = 1  # set, window, request slot of a hash (0: missing)
    FEED_SEEN = 2  # the same
    READ_SUM = 3  # window, cell -> out
    READ_RATIO = 4  # window, cell of the numerator, cell of the denominator -> out (0/0: missing)
    READ_SMALLEST = 5
    READ_LARGEST = 6
    READ_FIRST = 7
    READ_LAST = 8
    READ_SINCE = 9  # window, cell holding a time -> seconds from it to this event
    READ_DISTINCT = 10  # set, window -> out
    READ_IS_NEW = 11  # set, window, request slot -> 1.0 or 0.0


_FEEDS = frozenset({Op.FEED, Op.FEED_DISTINCT, Op.FEED_SEEN})
_BEFORE = frozenset({Op.READ_FIRST, Op.READ_LAST, Op.READ_SINCE, Op.READ_IS_NEW})
_OF_SETS = frozenset({Op.FEED_DISTINCT, Op.FEED_SEEN, Op.READ_DISTINCT, Op.READ_IS_NEW})
_EMPTY = {Fold.ADD: 0.0, Fold.COUNT: 0.0, Fold.SMALLEST: inf, Fold.LARGEST: -inf, Fold.FIRST: nan, Fold.LAST: nan}


@dataclass(frozen=True, slots=True)
class RingSpec:
    """A window inside a family: its bucket width (0: never slides), bucket count and the fold of each of its cells."""

    tick: int
    buckets: int
    folds: tuple[Fold, ...]


@dataclass(frozen=True, slots=True)
class FamilySpec:
    """One kind of row. `rings` are its windows, `sets` each value set's ring by index.

    `salt` is a secret that tells families apart: nobody can choose keys that share a row or a place in the table.
    """

    salt: int = field(repr=False)
    rings: tuple[RingSpec, ...]
    sets: tuple[int, ...]

    @property
    def keep(self) -> int:
        """Microseconds a row may lie idle before nothing in it can be read any more; -1: for ever."""
        ever = any(ring.tick == 0 for ring in self.rings)
        return -1 if ever else max(ring.tick * ring.buckets for ring in self.rings)

    @property
    def row_words(self) -> int:
        """Length of a row in 8-byte words, without what its sets spill."""
        return self.set_start(len(self.sets))

    def ring_start(self, ring: int) -> int:
        """Where in a row a ring's first cell is."""
        cells = sum(each.buckets * len(each.folds) for each in self.rings[:ring])
        return at.ROW_HEADER + len(self.rings) + cells

    def set_start(self, index: int) -> int:
        """Where in a row a value set is."""
        return self.ring_start(len(self.rings)) + index * at.SET_WORDS


@dataclass(frozen=True, slots=True)
class Step:
    """An op with its operands: `ring` and `target` (cell or set index) in the family, see `Op` for the others."""

    op: Op
    ring: int
    target: int
    other: int = 0  # FEED: the fold; READ_RATIO: the denominator's cell
    slot: int = at.NO_SLOT
    out: int = at.NO_SLOT


@dataclass(frozen=True, slots=True)
class Touch:
    """One row that an event leads to: its family, the request slots of its key's hashes, and what happens there.

    Whatever the order of its steps, what speaks of earlier events is read first, then the event is counted, then the
    rest is read.
    """

    family: int
    keys: tuple[int, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class TypeSpec:
    """What one event type does: `slots` words a request, `outs` values read. It touches a family at most once."""

    slots: int
    outs: int
    touches: tuple[Touch, ...]


@dataclass(frozen=True)
class Program:
    """Families and event types, and the same as the flat array that the kernel reads.

    Rows kept under one program can be read under another if their `words` are equal, and only then.
    """

    families: tuple[FamilySpec, ...]
    types: tuple[TypeSpec, ...]
    words: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", np.array(_Writer(self).flat(), dtype=np.int64))

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """The tick and bucket count of each different window."""
        return tuple(dict.fromkeys((ring.tick, ring.buckets) for family in self.families for ring in family.rings))

    @property
    def request_words(self) -> int:
        """Words a request needs: the largest of all event types."""
        return max((spec.slots for spec in self.types), default=at.REQUEST_HEADER)

    @property
    def outs(self) -> int:
        """Values an answer has room for: the largest of all event types."""
        return max((spec.outs for spec in self.types), default=0)

    def most_words(self, spec: TypeSpec) -> int:
        """The most arena words that one event of this type can take: every row new, every set spilling."""
        families = [self.families[touch.family] for touch in spec.touches]
        return sum(family.row_words + len(family.sets) * at.SPILL_WORDS for family in families)


@dataclass(frozen=True, slots=True)
class Move:
    """What of one family's rows is taken over into rows of another program: see `Rows.carry`.

    `old` is the family's number in the program that the rows were made with and `spec` what it was there, `new` its
    number in the other. Its one ring never slides, and it has the same salt in both. `cells` and `sets` say which goes
    where, by index in the old family and in the new; a cell or set of the new that is not among them begins empty.
    """

    old: int
    spec: FamilySpec
    new: int
    cells: tuple[tuple[int, int], ...]
    sets: tuple[tuple[int, int], ...]


class _Writer:
    """Writes a program's records one after another, each after those it refers to."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.windows = program.windows
        self.words = [0] * at.DIRECTORY_WORDS

    def flat(self) -> list[int]:
        self.words[at.LAYOUT] = at.LAYOUT_NUMBER
        self.words[at.FIRST_WINDOW] = self.put(word for window in self.windows for word in window)
        self.words[at.END_WINDOW] = len(self.words)
        families = [self.family(family) for family in self.program.families]
        self.words[at.FAMILIES] = self.put(word for record in families for word in record)
        types = [self.event_type(spec) for spec in self.program.types]
        self.words[at.TYPES] = self.put(word for record in types for word in record)
        return self.words

    def put(self, words: Iterable[int]) -> int:
        """The address of these words."""
        start = len(self.words)
        self.words += words
        return start

    def window(self, ring: RingSpec) -> int:
        return self.windows.index((ring.tick, ring.buckets))

    def family(self, family: FamilySpec) -> Sequence[int]:
        rings: list[int] = []
        for index, ring in enumerate(family.rings):
            empty = self.put(np.array([_EMPTY[fold] for fold in ring.folds], np.float64).view(np.int64).tolist())
            head = at.ROW_HEADER + index
            rings += (self.window(ring), ring.buckets, head, family.ring_start(index), len(ring.folds), empty)
        salt = family.salt - (1 << 64) if family.salt >= 1 << 63 else family.salt
        first = self.put(rings)
        return family.row_words, family.keep, salt, first, len(self.words), family.set_start(0), family.row_words

    def event_type(self, spec: TypeSpec) -> Sequence[int]:
        touches = [self.touch(touch) for touch in spec.touches]
        first = self.put(word for record in touches for word in record)
        return first, len(self.words), spec.outs, self.program.most_words(spec)

    def touch(self, touch: Touch) -> Sequence[int]:
        family = self.program.families[touch.family]
        phases: tuple[list[int], list[int], list[int]] = ([], [], [])
        for step in touch.steps:
            phases[0 if step.op in _BEFORE else 1 if step.op in _FEEDS else 2].extend(self.step(step, family))
        first_key, end_key = self.put(touch.keys), len(self.words)
        return touch.family, first_key, end_key, *(self.put(phase) for phase in phases), len(self.words)

    def step(self, step: Step, family: FamilySpec) -> Sequence[int]:
        ring, start = family.rings[step.ring], family.ring_start(step.ring)
        where, other = start + step.target * ring.buckets, step.other
        if step.op in _OF_SETS:
            where = family.set_start(step.target)
        elif step.op == Op.READ_RATIO:
            other = start + step.other * ring.buckets
        return int(step.op), self.window(ring), where, ring.buckets, other, step.slot, step.out
