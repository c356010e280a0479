"""Where the frames of a segment stand, so that one is found without reading those before it.

The open segment's index lives in memory; a sealed one's is kept in a sidecar beside it. That is a cache: where it is
missing or doesn't fit, the segment itself is read again.
"""

import os
import struct
from array import array
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from fairgate.backends.embedded.segment_file import FRAME, Position, SegmentFile, read_at, reading
from fairgate.domain.errors import LogDamaged

STRIDE: Final = 64
"""Every `STRIDE`-th frame's offset is kept: 25 MB of memory for a log of 100 GB in records of 500 bytes."""

SUFFIX: Final = ".idx"
"""What a sidecar's name ends in."""

NO_END: Final = 1 << 64
"""A sequence above any: the end of what is read to the end of the file."""

_MAGIC = b"FGATEIDX"
_VERSION = 1
_HEAD = struct.Struct("<8sIIQQQI")  # magic, version, salt, first, sequence, offset, checksum; the offsets follow
_TAIL = struct.Struct("<I")  # checksum of all before


@dataclass(slots=True)
class SegmentIndex:
    """The frames of a segment, as far as it has been read or written.

    The next frame gets `sequence` and stands at `offset`. `checksum` is the last frame's: what the next segment's chain
    must be. `offsets` has the place of frames `first`, `first + STRIDE`, ...
    """

    first: int
    sequence: int
    offset: int
    checksum: int
    offsets: "array[int]" = field(default_factory=lambda: array("Q"))

    @classmethod
    def empty(cls, file: SegmentFile) -> Self:
        """Return the index of a segment that has no frames yet."""
        return cls(file.start.sequence, file.start.sequence, file.start.offset, file.header.chain)

    def add(self, length: int, checksum: int) -> None:
        """Note the next frame, by its record's length."""
        self._place(length)
        self.checksum = checksum

    def follow(self, file: SegmentFile, fd: int, end: Position) -> None:
        """Note the frames from the next one on, each checked, until `end` is reached in sequence or in offset.

        Raises `LogDamaged` at the first that isn't whole, with those before it noted.
        """
        before, record = self.sequence, b""
        try:
            for _, record in file.frames(fd, Position(self.sequence, self.offset), end):
                self._place(len(record))
        finally:
            if self.sequence > before:
                self.checksum = file.checksum(self.sequence - 1, record)

    def near(self, sequence: int) -> Position:
        """Return the place of a frame at most `STRIDE - 1` frames before the one with this sequence."""
        strides = (sequence - self.first) // STRIDE
        return Position(self.first + strides * STRIDE, self.offsets[strides])

    def _place(self, length: int) -> None:
        if not (self.sequence - self.first) % STRIDE:
            self.offsets.append(self.offset)
        self.sequence += 1
        self.offset += FRAME.size + length


def scan(file: SegmentFile, size: int) -> tuple[SegmentIndex, LogDamaged | None]:
    """Read the first `size` bytes of a segment: its frames up to the first bad one, and what is wrong with that."""
    index = SegmentIndex.empty(file)
    end = Position(NO_END, size)
    with reading(file.path) as fd:
        try:
            index.follow(file, fd, end)
        except LogDamaged as damage:
            return index, damage
    return index, None


def sidecar(file: SegmentFile) -> Path:
    """Return the path of a segment's sidecar."""
    return file.path.with_suffix(SUFFIX)


def save(file: SegmentFile, index: SegmentIndex) -> None:
    """Write the sidecar of a sealed segment. It isn't synced: one that a crash spoils is made again."""
    head = _HEAD.pack(_MAGIC, _VERSION, file.header.salt, index.first, index.sequence, index.offset, index.checksum)
    data = head + struct.pack(f"<{len(index.offsets)}Q", *index.offsets)
    path = sidecar(file)
    draft = path.with_suffix(f"{SUFFIX}.tmp")
    draft.write_bytes(data + _TAIL.pack(crc32(data)))
    draft.replace(path)


def load(file: SegmentFile) -> SegmentIndex | None:
    """Read a sidecar: None where it is missing, spoilt, or not about this segment as it is now."""
    path = sidecar(file)
    if not path.exists():
        return None
    with reading(path) as fd:
        data = read_at(path, fd, os.fstat(fd).st_size, 0)
    body, tail = data[: -_TAIL.size], data[-_TAIL.size :]
    if len(body) < _HEAD.size or tail != _TAIL.pack(crc32(body)):
        return None
    magic, version, salt, first, sequence, offset, checksum = _HEAD.unpack_from(body)
    ours = (_MAGIC, _VERSION, file.header.salt, file.header.first, file.size())
    if (magic, version, salt, first, offset) != ours:
        return None
    strides = -(-(sequence - first) // STRIDE)
    if len(body) != _HEAD.size + 8 * strides:
        return None
    offsets = array("Q", struct.unpack_from(f"<{strides}Q", body, _HEAD.size))
    return SegmentIndex(first, sequence, offset, checksum, offsets)
