"""Where the packed rows of features are held and advanced."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel.program import Move, Program
from fairgate.kernel.rows import RowsSize


class FeatureRows(Protocol):
    """Packed rows of one program. Requests are taken in the order given; one writer at a time."""

    def advance(self, requests: NDArray[np.uint64], out: NDArray[np.float64], count: int) -> None:
        """Take the first `count` requests: read what came before each, count it, read the rest.

        What was read is in `out`, NaN where missing.
        """
        ...

    def peek(self, reading: Program, request: NDArray[np.uint64], out: NDArray[np.float64]) -> int:
        """Answer one request of a program over the same families that only reads; changes nothing.

        Returns how many of the rows it asks for there are.
        """
        ...

    def sweep(self, clock: int, budget: int) -> int:
        """Evict rows idle past their longest window at the log's clock (microseconds); never changes an answer."""
        ...

    def size(self) -> RowsSize:
        """How much is held."""
        ...

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """All there is to keep, for a snapshot: not copied, and to be let go before the next request."""
        ...

    def load(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Take over a copy of the rows that `arrays` came from, of the same program."""
        ...

    def carry(self, arrays: Mapping[str, NDArray[np.int64]], moves: Sequence[Move]) -> None:
        """Take over, into empty rows, rows of some families from the `arrays` of another program's rows.

        Raises ValueError where there are rows already, and for a family that may not be moved: see `Move`.
        """
        ...
