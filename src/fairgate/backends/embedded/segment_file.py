"""One segment of the log on disk: its header and its frames, told apart from anything else that might stand there.

The format, and the reasons for it, are in docs/reference/log-format.md.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self
from zlib import crc32

from fairgate.domain.errors import LogDamaged, LogTooNew, LogUnavailable
from fairgate.ports.event_log import MAX_RECORD_BYTES

MAGIC: Final = b"FGATELOG"
VERSION: Final = 1
SUFFIX: Final = ".log"
FRAME: Final = struct.Struct("<IIQ")  # length, checksum, sequence
FIRST_OFFSET: Final = 32
FIRST_AT: Final = 16
CHAIN_AT: Final = 24

_HEADER = struct.Struct("<8sIIQI")  # magic, version, salt, first sequence, chain; a checksum follows
_CHECKSUM = struct.Struct("<I")
_CHUNK = 256 * 1024
# A sequence is found in raw bytes by its upper five; the lower three differ from record to record.
_LOW_BYTES = 3
_LOW_BITS = 8 * _LOW_BYTES
_HIGH_AT = FRAME.size - 8 + _LOW_BYTES


@dataclass(frozen=True, slots=True)
class Position:
    """A place between frames: the next frame has this sequence and begins at this byte."""

    sequence: int
    offset: int


@dataclass(frozen=True, slots=True)
class Header:
    """What a segment says about itself.

    `salt` is drawn when the segment is made and is where its checksums start from. `chain` is the checksum of the last
    frame of the segment before, 0 in the first.
    """

    first: int
    salt: int
    chain: int

    def encode(self) -> bytes:
        """Return the segment's first `FIRST_OFFSET` bytes."""
        head = _HEADER.pack(MAGIC, VERSION, self.salt, self.first, self.chain)
        return head + _CHECKSUM.pack(crc32(head))


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A segment's file and header. Reading never changes it; errors name the file and the byte."""

    path: Path
    header: Header

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read and check the header. Raises `LogDamaged`, or `LogTooNew` for a version this program doesn't know."""
        with reading(path) as fd:
            data = read_at(path, fd, FIRST_OFFSET, 0)
        magic, version, salt, first, chain = _HEADER.unpack(data[: _HEADER.size].ljust(_HEADER.size, b"\0"))
        if magic != MAGIC:
            raise LogDamaged(path, 0, "this is no segment of a log", "Restore the file from a backup.")
        if version != VERSION:
            what = f"its format is version {version}, this program reads version {VERSION}"
            raise LogTooNew(path, what, "Upgrade Fairgate.")
        header = Header(first, salt, chain)
        if data != header.encode():
            raise LogDamaged(path, 0, "the header's checksum is wrong", "Restore the file from a backup.")
        if path.name != segment_name(first):
            what = f"its header says that record {first} is its first"
            raise LogDamaged(path, FIRST_AT, what, f"Rename it to {segment_name(first)}.")
        return cls(path, header)

    @property
    def start(self) -> Position:
        """Where the first frame begins."""
        return Position(self.header.first, FIRST_OFFSET)

    def size(self) -> int:
        """Return the size of the file as it is now, in bytes. Raises `LogUnavailable` when that can't be told."""
        return file_size(self.path)

    def checksum(self, sequence: int, record: bytes) -> int:
        """Return a frame's checksum: CRC-32 of sequence and record, begun with the salt."""
        return crc32(record, crc32(sequence.to_bytes(8, "little"), self.header.salt))

    def frames(self, fd: int, start: Position, end: Position) -> Iterator[tuple[int, bytes]]:
        """Yield sequence and record of each frame from `start` until `end` is reached in sequence or in offset.

        Each is checked in full. Raises `LogDamaged` at the first that is not whole or not the expected one.
        """
        sequence, offset, need = start.sequence, start.offset, FRAME.size
        while sequence < end.sequence and offset < end.offset:
            chunk = self._chunk(fd, Position(sequence, offset), need, end.offset)
            at, need = 0, FRAME.size
            while sequence < end.sequence and at + FRAME.size <= len(chunk):
                length, checksum, found = FRAME.unpack_from(chunk, at)
                stop = at + FRAME.size + length
                if length > MAX_RECORD_BYTES:
                    raise self.damaged(Position(sequence, offset + at), f"a record of {length} bytes is not possible")
                if stop > len(chunk):
                    need = stop - at
                    break
                body = chunk[at + 8 : stop]
                if crc32(body, self.header.salt) != checksum:
                    raise self.damaged(Position(sequence, offset + at), "the checksum is wrong")
                if found != sequence:
                    raise self.damaged(Position(sequence, offset + at), f"record {found} stands in its place")
                yield sequence, body[8:]
                sequence, at = sequence + 1, stop
            offset += at

    def frame_bytes(self, fd: int, position: Position) -> int:
        """Return the size of the frame at `position` from its header alone, which must bear the right sequence."""
        header = read_at(self.path, fd, FRAME.size, position.offset)
        if len(header) < FRAME.size:
            raise self.damaged(position, "the file ends before it")
        length, _, found = FRAME.unpack(header)
        if found != position.sequence or length > MAX_RECORD_BYTES:
            raise self.damaged(position, "no frame of it begins here")
        return FRAME.size + int(length)

    def find_frame(self, fd: int, start: Position, size: int) -> Position | None:
        """Find the first whole frame of this segment that begins in bytes `[start.offset, size)`.

        Only sequences from `start.sequence` on are looked for. This is how a torn tail, which nothing follows, is told
        from damage in the middle. A record can't pass for a frame, whatever is in it: that would take the salt.
        """
        data = read_at(self.path, fd, max(0, size - start.offset), start.offset)
        begin_before = len(data.rstrip(b"\0"))  # a frame's header is never all zeros, a lost block is
        last = self.header.first + size // FRAME.size
        places = []
        for high in range(start.sequence >> _LOW_BITS, (last >> _LOW_BITS) + 1):
            pattern = high.to_bytes(8 - _LOW_BYTES, "little")
            at = data.find(pattern, _HIGH_AT, begin_before + FRAME.size) - _HIGH_AT
            while at >= 0:
                length, checksum, found = FRAME.unpack_from(data, at)
                body = data[at + 8 : at + FRAME.size + length] if length <= MAX_RECORD_BYTES else b""
                whole = len(body) == 8 + length and start.sequence <= found <= last
                if whole and crc32(body, self.header.salt) == checksum:
                    places.append(Position(found, start.offset + at))
                    break
                at = data.find(pattern, at + _HIGH_AT + 1, begin_before + FRAME.size) - _HIGH_AT
        return min(places, key=lambda place: place.offset, default=None)

    def damaged(self, position: Position, what: str) -> LogDamaged:
        """Return the error for a bad frame."""
        remedy = (
            "Restore the file from a backup; without one, keep a copy of the log, cut the file off at this byte and "
            f"delete the segments after it: the records from {position.sequence} on are lost then."
        )
        return LogDamaged(self.path, position.offset, f"record {position.sequence} can't be read, {what}", remedy)

    def _chunk(self, fd: int, position: Position, need: int, end: int) -> bytes:
        size = min(max(_CHUNK, need), end - position.offset)
        chunk = read_at(self.path, fd, size, position.offset)
        if len(chunk) < need:
            raise self.damaged(position, "the file ends within it")
        return chunk


def segment_name(first: int) -> str:
    """Return the file name of the segment whose first record has this sequence; names sort as sequences do."""
    return f"{first:020d}{SUFFIX}"


@contextmanager
def reading(path: Path) -> Iterator[int]:
    """Open a file for reading, as a descriptor. Raises `LogUnavailable` when that can't be done."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error) from error
    try:
        yield fd
    finally:
        os.close(fd)


def file_size(path: Path) -> int:
    """Return the size of a file, in bytes. Raises `LogUnavailable` when that can't be told."""
    try:
        return path.stat().st_size
    except OSError as error:
        raise _unreadable(path, error) from error


def read_at(path: Path, fd: int, size: int, offset: int) -> bytes:
    """Read from an open file, less than `size` bytes only where it ends. Raises `LogUnavailable` if the disk fails."""
    try:
        return os.pread(fd, size, offset)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: OSError) -> LogUnavailable:
    remedy = "Check that the file is there, that this user may read it, and that the disk is well."
    return LogUnavailable(path, error.strerror or str(error), remedy)
