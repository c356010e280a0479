"""What compiled functions pass to each other: all the memory of one program's rows, under one name."""

from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Words: TypeAlias = NDArray[np.int64]
Cells: TypeAlias = NDArray[np.float64]
Shorts: TypeAlias = NDArray[np.uint16]


class Held(NamedTuple):
    """The program, the table that finds a row by its key, the arena, and the counters: see `layout`.

    The arena holds the rows, one after another, and the chunks that value sets spill to. `cells` and `shorts` are views
    of it: what a window counts is float64, a chunk's stamps are uint16.
    """

    program: Words
    table: Words
    arena: Words
    cells: Cells
    shorts: Shorts
    counters: Words
