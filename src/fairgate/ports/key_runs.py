"""The keys of older events on disk, in runs: immutable, sorted, each of the events of some numbers of the log."""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class KeyRun(Protocol):
    """The keys of the events with the numbers from `first` to before `last`. Usable from several threads.

    It stays readable while it is referred to, whatever has replaced it since.
    """

    @property
    def first(self) -> int:
        """The first number that it covers."""
        ...

    @property
    def last(self) -> int:
        """The number after the last that it covers."""
        ...

    @property
    def keys(self) -> int:
        """How many keys it holds, or a few more."""
        ...

    def find(self, key: int) -> int:
        """The largest number that the key is held with, or -1. Raises `RunsUnusable` or `RunsDamaged`."""
        ...

    def pieces(self) -> Iterator[tuple[NDArray[np.uint64], NDArray[np.int64]]]:
        """All keys, in order, with their numbers; a megabyte or so at a time.

        Raises `RunsUnusable`, and `RunsDamaged` at its end at the latest.
        """
        ...


class KeyRuns(Protocol):
    """Keeps runs. One writer. What a call has returned is durable, and a run is there whole or not at all."""

    def open(self) -> list[KeyRun]:
        """The runs there are, by their first numbers, but those that another covers; these are removed.

        Raises `RunsUnusable`, and `RunsDamaged` where it shows at once; `KeyRun.pieces` looks at all.
        """
        ...

    def save(self, first: int, last: int, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> KeyRun:
        """Keep a run, in place of all that it covers. Raises `RunsUnusable`.

        `keys` are sorted and none is 0; `numbers` has one from `first` on and before `last` for each.
        """
        ...

    def merge(self, runs: Sequence[KeyRun]) -> KeyRun:
        """Make one run of several neighbours, in place of all that it covers. Raises `RunsUnusable` or `RunsDamaged`.

        Takes memory for a piece of each at a time.
        """
        ...

    def cut(self, last: int) -> None:
        """Let go of all that has a number from `last` on. No run that was given out goes on. Raises `RunsUnusable`."""
        ...
