"""The writing end of one segment. Whatever fails here is final for the log: see `SegmentLog`."""

import os
from itertools import islice
from pathlib import Path
from typing import Self

from fairgate.backends.embedded.segment_file import FRAME, Header, SegmentFile, segment_name
from fairgate.backends.embedded.segment_index import SegmentIndex

_MODE = 0o640


class SegmentWriter:
    """The open segment: the last of a log, the one that grows until it has `limit` bytes."""

    def __init__(self, file: SegmentFile, index: SegmentIndex, fd: int, limit: int) -> None:
        self.file = file
        self.index = index
        self._fd = fd
        self.limit = limit

    @classmethod
    def create(cls, directory: Path, first: int, chain: int, limit: int) -> Self:
        """Make a segment. It gets its name when its header is on disk, so that no segment is ever without one."""
        header = Header(first, int.from_bytes(os.urandom(4), "little"), chain)
        file = SegmentFile(directory / segment_name(first), header)
        draft = file.path.with_suffix(".log.tmp")
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
        try:
            _write_all(fd, header.encode(), 0)
            os.fsync(fd)
            draft.rename(file.path)
            sync_directory(directory)
        except BaseException:
            os.close(fd)
            raise
        return cls(file, SegmentIndex.empty(file), fd, limit)

    @classmethod
    def resume(cls, file: SegmentFile, index: SegmentIndex, limit: int) -> Self:
        """Go on with a segment behind its last whole frame, cutting off what follows.

        The frames become durable, which they may not be: their writer may have been killed before it could sync.
        """
        fd = os.open(file.path, os.O_WRONLY | os.O_CLOEXEC)
        try:
            os.ftruncate(fd, index.offset)
            os.fsync(fd)
        except BaseException:
            os.close(fd)
            raise
        return cls(file, index, fd, limit)

    def write(self, records: list[bytes], start: int) -> int:
        """Make `records[start:]` durable as far as they fit, and return how far that was.

        An empty segment takes at least one record. Anything but a return leaves it unknown what is on disk.
        """
        index, checksum_of, pack = self.index, self.file.checksum, FRAME.pack
        begin, done = index.offset, start
        parts: list[bytes] = []
        for record in islice(records, start, None):
            sequence, length = index.sequence, len(record)
            if index.offset + FRAME.size + length > self.limit and sequence > index.first:
                break
            checksum = checksum_of(sequence, record)
            parts.append(pack(length, checksum, sequence))
            parts.append(record)
            index.add(length, checksum)
            done += 1
        if parts:
            _write_all(self._fd, b"".join(parts), begin)
            os.fdatasync(self._fd)
        return done

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def sync_directory(directory: Path) -> None:
    """Make the names in a directory durable."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_all(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written
