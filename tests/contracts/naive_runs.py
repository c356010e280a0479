"""Runs of keys in memory."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fairgate.ports.key_runs import KeyRun


@dataclass(frozen=True, eq=False)
class NaiveRun:
    first: int
    last: int
    pairs: tuple[tuple[int, int], ...]

    @property
    def keys(self) -> int:
        return len(self.pairs)

    def find(self, key: int) -> int:
        return max((number for held, number in self.pairs if held == key), default=-1)

    def pieces(self) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
        for key, number in sorted(self.pairs):
            yield np.array([key], np.uint64), np.array([number], np.int64)


@dataclass
class NaiveRuns:
    held: list[NaiveRun] = field(default_factory=list)

    def open(self) -> list[KeyRun]:
        return list(self.held)

    def save(self, first: int, last: int, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NaiveRun:
        made = NaiveRun(first, last, tuple(zip(keys.tolist(), numbers.tolist(), strict=True)))
        others = [run for run in self.held if not first <= run.first <= run.last <= last]
        self.held = sorted([*others, made], key=lambda run: (run.first, run.last))
        return made

    def merge(self, runs: Sequence[KeyRun]) -> NaiveRun:
        pairs = [
            (key, number)
            for run in runs
            for keys, numbers in run.pieces()
            for key, number in zip(keys.tolist(), numbers.tolist(), strict=True)
        ]
        keys, numbers = np.array(pairs, np.uint64).reshape(-1, 2).T
        return self.save(runs[0].first, runs[-1].last, keys, numbers.view(np.int64))

    def cut(self, last: int) -> None:
        self.held = [
            NaiveRun(run.first, min(run.last, last), tuple(pair for pair in run.pairs if pair[1] < last))
            for run in self.held
            if run.first < last
        ]
