"""Where the state is kept from time to time, so that a start needs only the log's tail."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The state after all records before `sequence`.

    `stamp` tells what it was made by. `arrays` are contiguous; `extra` is msgpack of the rest.
    """

    sequence: int
    stamp: str
    arrays: Mapping[str, NDArray[np.int64]]
    extra: bytes


class Snapshots(Protocol):
    """Keeps the newest states. Losing them costs time.

    Where the log has dropped its beginning, it also costs what profiles know from before; nothing else.
    """

    def save(self, snapshot: Snapshot) -> None:
        """Keep a state durably. Then older ones may be dropped, and later ones are: they are of another log."""
        ...

    def latest(self, stamp: str, end: int) -> Snapshot | None:
        """The newest whole state whose stamp begins with `stamp`, and whose `sequence` is at most `end`.

        A damaged one is passed over.
        """
        ...
