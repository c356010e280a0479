"""Where the packed rows of features are held and advanced."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fairgate.kernel.rows import RowsSize


class FeatureRows(Protocol):
    """Packed rows of one program. Requests are taken in the order given; one writer at a time."""

    def advance(self, requests: NDArray[np.uint64], out: NDArray[np.float64], count: int) -> None:
        """Take the first `count` requests: read what came before each, count it, read the rest.

        What was read is in `out`, NaN where missing.
        """
        ...

    def sweep(self, clock: int, budget: int) -> int:
        """Evict rows idle past their longest window at the log's clock (microseconds); never changes an answer."""
        ...

    def size(self) -> RowsSize:
        """How much is held."""
        ...

    def arrays(self) -> dict[str, NDArray[np.int64]]:
        """Copies of all there is to keep, for a snapshot."""
        ...

    def load(self, arrays: Mapping[str, NDArray[np.int64]]) -> None:
        """Take over the rows that `arrays` were copied from, of the same program."""
        ...
