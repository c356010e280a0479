"""The writing end of one segment. Whatever fails here is final for the log: see `SegmentLog`."""

import os
from itertools import islice
from pathlib import Path
from typing import Self

from fairgate.backends.embedded.names import sync_directory
from fairgate.backends.embedded.segment_file import FRAME, Header, SegmentFile, segment_name
from fairgate.backends.embedded.segment_index import SegmentIndex

_MODE = 0o640
#: What is written to see whether a disk is well again.
_PROBE_BYTES = 1024 * 1024


class SegmentWriter:
    """The open segment: the last of a log, the one that grows until it has `limit` bytes."""

    def __init__(self, file: SegmentFile, index: SegmentIndex, fd: int, limit: int) -> None:
        self.file = file
        self.index = index
        self._fd = fd
        self.limit = limit
        self._synced = index.offset

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
            self._synced = index.offset
        return done

    def cut(self) -> None:
        """Cut off what was written since the last sync that worked, durably; the index is wrong from then on."""
        os.ftruncate(self._fd, self._synced)
        os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


def probe_disk(directory: Path) -> None:
    """Write, sync and remove a file. Raises OSError where the disk won't.

    The file has a draft's name: one that is left is removed when a log is opened there.
    """
    path = directory / "probe.tmp"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, _MODE)
    try:
        _write_all(fd, bytes(_PROBE_BYTES), 0)
        os.fsync(fd)
    finally:
        os.close(fd)
        path.unlink()


def _write_all(fd: int, data: bytes, offset: int) -> None:
    rest = memoryview(data)
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written
