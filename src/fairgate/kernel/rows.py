"""The arrays that hold packed rows, grown and swept around the compiled functions."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel import layout as at
from fairgate.kernel.advance import advance, rows_of, sweep
from fairgate.kernel.arena import Arena
from fairgate.kernel.carry import carry
from fairgate.kernel.compiled import settle
from fairgate.kernel.filter import NOTHING, Filter, meet
from fairgate.kernel.keys import fill, look_up, rehash, remember
from fairgate.kernel.program import FamilySpec, Move, Program, RingSpec, TypeSpec

_SWEEP_BUDGET = 64


@dataclass(frozen=True, slots=True)
class RowsSize:
    """How much is held: rows, bytes they use, bytes of address space, rows evicted so far, sets spilled now."""

    rows: int
    used_bytes: int
    reserved_bytes: int
    evicted: int
    spills: int


class Rows:
    """Feature rows of one program in this process. Not safe for concurrent calls: one writer.

    Growing the arena stops nobody for long (see `Arena`); doubling the table enters every row anew, which
    `expected_rows` saves.
    """

    def __init__(self, program: Program, *, expected_rows: int = 1 << 12) -> None:
        self.program = program
        largest = max((family.row_words for family in program.families), default=1)
        self._arena = Arena(1 + expected_rows * largest)
        self._table = _table_for(expected_rows)
        self._counters: NDArray[np.int64] = np.zeros(at.FREE_ROWS + len(program.families), np.int64)
        self._counters[at.BUMP] = self._counters[at.CURSOR] = 1  # word 0 stays free: a row is never at 0
        self._moment: NDArray[np.int64] = np.zeros((len(program.windows) + 1, at.MOMENT_WORDS), np.int64)

    def advance(self, requests: NDArray[np.uint64], out: NDArray[np.float64], count: int) -> None:
        """Take the first `count` requests in order; `out[i]` gets the values read for request i, NaN where missing.

        `requests` is uint64 [n, program.request_words], `out` float64 [n, program.outs], both in C order; `layout` says
        what a request's words are.
        """
        self._run(self.program, requests, out, count)

    def peek(self, reading: Program, request: NDArray[np.uint64], out: NDArray[np.float64]) -> int:
        """Answer one request whose type only reads, as `advance` would, and leave all as it was.

        `reading` is a program of the same families; `request` is uint64 [1, reading.request_words], `out` float64
        [1, reading.outs]. Its clock may be ahead of the log's. Returns how many of the rows it asks for there are.
        """
        touches = reading.types[int(request[0, at.EVENT_TYPE])].touches
        found: NDArray[np.int64] = np.zeros(len(touches), np.int64)
        rows_of(reading.words, self._table, request[0], found)
        # To read a row slides its windows to the request's clock; the log's may never get there.
        kept = [
            (row, self._arena.words[row : row + reading.families[touch.family].row_words].copy())
            for row, touch in zip(found.tolist(), touches, strict=True)
            if row
        ]
        self._run(reading, request, out, 1)
        for row, words in kept:
            self._arena.words[row : row + words.size] = words
        return len(kept)

    def sweep(self, clock: int, budget: int = _SWEEP_BUDGET) -> int:
        """Evict idle rows among the next `budget`; returns how many. Changes no answer."""
        return sweep(self.program.words, self._table, self._arena.words, self._counters, clock, budget)

    def size(self) -> RowsSize:
        """What is held now."""
        live = int(self._counters[at.ROWS])
        return RowsSize(
            rows=live,
            used_bytes=8 * int(self._counters[at.BUMP]) + 16 * live,
            reserved_bytes=self._arena.words.nbytes + self._table.nbytes,
            evicted=int(self._counters[at.EVICTED]),
            spills=int(self._counters[at.SPILLS]),
        )

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """All there is to keep, for a snapshot: not copied, and to be let go before the next request."""
        used = self._arena.words[: int(self._counters[at.BUMP])]
        return {"table": self._table, "arena": used, "meta": self._counters}

    def load(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Take over the rows that `arrays` were copied from; the program must be the one they were made with."""
        used = arrays["arena"]
        self._arena = Arena(max(used.size, self._arena.words.size))
        self._arena.words[: used.size] = used
        self._table = arrays["table"].astype(np.int64)
        self._counters = arrays["meta"].astype(np.int64)

    def carry(self, arrays: Mapping[str, NDArray[np.int64]], moves: Sequence[Move]) -> None:
        """Take over, into empty rows, rows of some families from what `arrays` gave of another program's rows.

        A row of which nothing moves is left behind. Raises ValueError where there are rows already, and for a family
        that slides or that another secret's salt is for: its rows would be found by nobody.
        """
        if self._counters[at.BUMP] != 1:
            raise ValueError("rows can be carried into empty ones only")
        for move in moves:
            if move.spec.keep != -1 or move.spec.salt != self.program.families[move.new].salt:
                raise ValueError(f"family {move.old} is not of the kind and the salt that can be carried")
        old = np.require(arrays["arena"], np.int64, ["C", "W"])
        entries = arrays["table"].reshape(-1, 2)
        rows = np.sort(entries[entries[:, 0] != 0, 1])
        families = old[rows + at.FAMILY]
        taken = [rows[families == move.old] for move in moves]
        self._make_room_for(taken, moves, int(arrays["meta"][at.SPILLS]))
        words, arena = self.program.words, self._arena.words
        for move, mine in zip(moves, taken, strict=True):
            new = self.program.families[move.new]
            cells = _pairs((move.spec.ring_start(0) + one, new.ring_start(0) + other) for one, other in move.cells)
            sets = _pairs((move.spec.set_start(one), new.set_start(other)) for one, other in move.sets)
            carry(words, self._table, arena, self._counters, self._moment, old, mine, move.new, cells, sets)

    def _make_room_for(self, taken: Sequence[NDArray[np.int64]], moves: Sequence[Move], spills: int) -> None:
        """Room for rows that are moved, and for so many sets that spilled."""
        rows = sum(mine.size for mine in taken)
        lengths = [self.program.families[move.new].row_words for move in moves]
        words = sum(mine.size * length for mine, length in zip(taken, lengths, strict=True))
        needed = 1 + words + spills * at.SPILL_WORDS
        if needed > self._arena.words.size:
            self._arena.grow(needed)
        if 4 * rows > self._table.size:
            self._table = _table_for(rows)

    def _run(self, program: Program, requests: NDArray[np.uint64], out: NDArray[np.float64], count: int) -> None:
        words, done = program.words, 0
        while done < count:
            done = advance(
                words, self._table, self._arena.words, self._counters, self._moment, requests, out, done, count
            )
            if done < count:
                self._make_room(program.types[int(requests[done, at.EVENT_TYPE])])

    def _make_room(self, spec: TypeSpec) -> None:
        """Double whatever may run out within the next event of this type."""
        rows = int(self._counters[at.ROWS]) + len(spec.touches)
        if 4 * rows > self._table.size:
            larger = _table_for(rows)
            rehash(self._table, larger)
            self._table = larger
        else:
            size = self._arena.words.size
            self._arena.grow(max(2 * size, size + self.program.most_words(spec)))


class Memory:
    """The first position at which each 64-bit key was met, 16 bytes a slot. A key never met is never known."""

    def __init__(self) -> None:
        self._table: NDArray[np.int64] = _table_for(1 << 12)
        self._count = 0

    def __len__(self) -> int:
        """How many are held."""
        return self._count

    def remember(self, keys: NDArray[np.uint64], first: int) -> NDArray[np.int64]:
        """For each key the position it was first met at, or -1 where it is new.

        New keys are remembered at `first`, `first` + 1, ... in order. A key met twice in one call is known the second
        time. No key may be 0.
        """
        self._make_room(keys.size)
        answers = np.empty(keys.size, np.int64)
        self._count += remember(self._table, keys.view(np.int64), first, answers)
        return answers

    def meet(
        self,
        keys: NDArray[np.uint64],
        first: int,
        words: NDArray[np.int64],
        elsewhere: Callable[[int], int],
        *,
        by_place: bool = False,
    ) -> NDArray[np.int64]:
        """As `remember`, where keys are held elsewhere too, which a filter of these words tells.

        `elsewhere` gives the position of a key that isn't here and may be there, or -1. With `by_place` the i-th key is
        remembered at `first` + i where it is new, however many were known before it.
        """
        self._make_room(keys.size)
        answers = np.empty(keys.size, np.int64)
        viewed, placed, new = keys.view(np.int64), int(by_place), 0
        done, new = meet(self._table, words, viewed, first, placed, answers, 0, new)
        while done < keys.size:
            found = elsewhere(int(keys[done]))
            if found < 0:
                at = first + (done if by_place else new)
                new += remember(self._table, viewed[done : done + 1], at, answers[done : done + 1])
            answers[done] = found
            done, new = meet(self._table, words, viewed, first, placed, answers, done + 1, new)
        self._count += new
        return answers

    def position(self, key: int) -> int:
        """The position at which a key was first met, or -1; remembers nothing."""
        answer = np.empty(1, np.int64)
        look_up(self._table, np.array([key], np.uint64).view(np.int64), answer)
        return int(answer[0])

    def forget_before(self, position: int) -> None:
        """Drop every key first met before a position."""
        pairs = self.array()
        self.load(pairs[pairs[:, 1] >= position])

    def array(self) -> NDArray[np.int64]:
        """A copy of all there is to keep, [n, 2] of key and position."""
        pairs: NDArray[np.int64] = self._table.reshape(-1, 2)
        held: NDArray[np.int64] = pairs[pairs[:, 0] != 0]
        return held

    def load(self, array: NDArray[np.int64]) -> None:
        """Hold just what `array` was copied from."""
        self._table = _table_for(len(array))
        self._count = len(array)
        fill(self._table, np.ascontiguousarray(array))

    def _make_room(self, more: int) -> None:
        if 4 * (self._count + more) > self._table.size:
            larger = _table_for(self._count + more)
            rehash(self._table, larger)
            self._table = larger


def warm() -> bool:
    """Compile what the kernel needs, or load it from where an earlier process kept it; to be called before "ready".

    Returns whether all of it was loaded, which takes a quarter of a second; compiling takes seven. Where it compiles at
    every start, numba has no folder that it can write to (see `fairgate.kernel.compiled`). After this, arrays of
    another type or order than `Rows` and `Memory` ask for are a TypeError; they would be compiled for in mid-work.
    """
    rows, memory = Rows(Program((), (TypeSpec(at.REQUEST_HEADER, 0, ()),)), expected_rows=1), Memory()
    rows.advance(np.zeros((1, at.REQUEST_HEADER), np.uint64), np.zeros((1, 1)), 1)
    rows.peek(rows.program, np.zeros((1, at.REQUEST_HEADER), np.uint64), np.zeros((1, 1)))
    rows.sweep(0)
    memory.remember(np.ones(1, np.uint64), 0)
    memory.meet(np.ones(1, np.uint64), 0, NOTHING, int)
    memory.position(1)
    seen = Filter(1)
    seen.add(np.ones(1, np.uint64))
    seen.may_hold(1)
    memory.load(memory.array())
    rehash(_table_for(1), _table_for(1))
    ever = FamilySpec(1, (RingSpec(0, 1, ()),), ())
    Rows(Program((ever,), ()), expected_rows=1).carry(rows.arrays(), [Move(0, ever, 0, (), ())])
    return settle()


def _pairs(pairs: Iterable[tuple[int, int]]) -> NDArray[np.int64]:
    return np.array(list(pairs), np.int64).reshape(-1, 2)


def _table_for(keys: int) -> NDArray[np.int64]:
    """A table that so many keys fill by a quarter to a half."""
    return np.zeros(2 << max(11, (2 * keys - 1).bit_length()), np.int64)
