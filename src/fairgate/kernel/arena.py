"""Memory that grows without being copied."""

import mmap

import numpy as np
from numpy.typing import NDArray


class Arena:
    """int64 words, zero at first. Pages never written cost nothing; on Linux growing moves page tables, not bytes."""

    words: NDArray[np.int64]

    def __init__(self, words: int) -> None:
        self._map = _anonymous(8 * words)
        self.words = np.frombuffer(self._map, np.int64)

    def grow(self, words: int) -> None:
        """Make room for so many words. Whoever kept a view of the old ones makes this a `BufferError`."""
        del self.words
        try:
            self._map.resize(8 * words)
        except SystemError:  # the system can't (it has no mremap)
            larger = _anonymous(8 * words)
            larger.write(self._map)
            self._map = larger
        self.words = np.frombuffer(self._map, np.int64)


def _anonymous(size: int) -> mmap.mmap:
    """Private memory of this process. In huge pages new rows took three times as long, and old ones no less."""
    return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
