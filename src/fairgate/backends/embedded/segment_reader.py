"""The reading half of the log: segments found, checked against each other, and their records given out."""

import io
import os
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn, Self

from fairgate.backends.embedded import segment_index
from fairgate.backends.embedded.segment_file import (
    CHAIN_AT,
    FIRST_AT,
    SUFFIX,
    Position,
    SegmentFile,
    read_at,
    reading,
)
from fairgate.backends.embedded.segment_index import SegmentIndex
from fairgate.domain.errors import LogDamaged, LogUnavailable, NoSuchRecord

#: The file that a writer holds locked. Its process id stands there, and further on how far the log is durable.
LOCK: Final = "lock"
_PUBLISHED_AT: Final = 32
_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that can be read: its file, and where the frames stand in it."""

    file: SegmentFile
    index: SegmentIndex

    def read(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        """Yield the records of `[start, stop)`, all of which the segment must have."""
        end = Position(stop, self.index.offset)
        with reading(self.file.path) as fd:
            yield from self.file.frames(fd, self._find(fd, start), end)

    def get(self, sequence: int) -> bytes:
        """Return one record, which the segment must have."""
        with reading(self.file.path) as fd:
            start = self._find(fd, sequence)
            end = Position(sequence + 1, start.offset + self.file.frame_bytes(fd, start))
            [(_, record)] = self.file.frames(fd, start, end)
        return record

    def _find(self, fd: int, sequence: int) -> Position:
        place = self.index.near(sequence)
        while place.sequence < sequence:
            place = Position(place.sequence + 1, place.offset + self.file.frame_bytes(fd, place))
        return place


class SegmentReader:
    """An event log opened for reading only: the whole records it had when it was opened, durable or about to be.

    Needs no lock and changes nothing on disk, so it may stand beside a writer; `refresh` shows what came after.
    `torn_bytes` is what followed the last whole record: a write that was going on or that a crash cut short.
    """

    def __init__(self, directory: Path, segments: list[Segment], torn_bytes: int) -> None:
        self.directory = directory
        self.torn_bytes = torn_bytes
        self._segments = segments
        self._durable = segments[-1].index.sequence
        self._closed = False

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Find the segments and check the last. Raises `LogUnavailable`, `LogTooNew` or `LogDamaged`."""
        segments, torn_bytes = load_segments(directory, save_indexes=False)
        if not segments:
            raise LogUnavailable(directory, "it holds no segments", "Check the path.")
        return cls(directory, segments, torn_bytes)

    def append(self, record: bytes) -> int:
        """Refuse: the log was opened for reading only."""
        self._refuse_writing(f"append {len(record)} bytes")

    def commit(self) -> int:
        """Refuse: the log was opened for reading only."""
        self._refuse_writing("commit")

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Return the durable records of the half-open interval `[start, stop)`, in order, each with its sequence."""
        self._check_usable()
        if start < 0 or (stop is not None and stop < 0):
            message = f"[{start}, {stop}) is no interval of sequences: they begin with 0"
            raise ValueError(message)
        return self._records(start, self._durable if stop is None else min(stop, self._durable))

    def get(self, sequence: int) -> bytes:
        """Return one record. Raises `NoSuchRecord` for a number that hasn't been given."""
        self._check_usable()
        if not 0 <= sequence < self._durable:
            raise NoSuchRecord(sequence, self._durable)
        return self._segments[self._segment_of(sequence)].get(sequence)

    def end(self) -> int:
        """Return the sequence after the last record's."""
        self._check_usable()
        return self._durable

    def refresh(self) -> int:
        """See the records that became durable since, at the cost of reading those alone; return `end()`.

        Where its writer says how far it is durable, only that far: what it wrote since it may have to take back.
        Raises `LogUnavailable`, `LogTooNew` or `LogDamaged`.
        """
        self._check_usable()
        durable = published(self.directory)
        known = {segment.file.path for segment in self._segments}
        for path in segment_paths(self.directory):
            if path not in known:
                _follow(self._segments[-1], segment_index.NO_END)
                file = SegmentFile.load(path)
                check_link(self._segments[-1].index, file)
                self._segments.append(Segment(file, SegmentIndex.empty(file)))
        last = self._segments[-1]
        if durable is not None and last.index.sequence > durable:  # its writer may have taken back what was read of it
            last = self._segments[-1] = Segment(last.file, SegmentIndex.empty(last.file))
        self.torn_bytes = _follow(last, segment_index.NO_END if durable is None else durable, torn=True)
        self._durable = last.index.sequence if durable is None else min(last.index.sequence, durable)
        return self._durable

    def close(self) -> None:
        """Refuse all further calls. Closing twice is harmless."""
        self._closed = True

    def _records(self, start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        at = self._segment_of(start)
        while start < stop:
            segment = self._segments[at]
            border = min(stop, segment.index.sequence)
            yield from segment.read(start, border)
            start, at = border, at + 1

    def _segment_of(self, sequence: int) -> int:
        return bisect_right(self._segments, sequence, key=lambda segment: segment.index.first) - 1

    def _check_usable(self) -> None:
        if self._closed:
            message = f"the event log in {self.directory} is closed"
            raise ValueError(message)

    def _refuse_writing(self, what: str) -> NoReturn:
        self._check_usable()
        message = f"cannot {what}: the event log in {self.directory} was opened for reading only"
        raise io.UnsupportedOperation(message)


def load_segments(directory: Path, *, save_indexes: bool) -> tuple[list[Segment], int]:
    """Return the segments of a log in order, and how many bytes follow the last whole record.

    The last segment is read in full; of the others only the headers and sidecars are, except where a sidecar is missing
    or spoilt: that segment is read, and with `save_indexes` its sidecar written anew. Raises `LogDamaged` when segments
    don't follow on each other, when one has been cut, or when whole frames stand behind a bad one in the last.
    """
    segments: list[Segment] = []
    paths = segment_paths(directory)
    torn_bytes = 0
    for path in paths:
        file = SegmentFile.load(path)
        check_link(segments[-1].index if segments else None, file)
        if path == paths[-1]:
            index, torn_bytes = _read_last(file)
        else:
            index = segment_index.load(file) or _read_sealed(file, save_index=save_indexes)
        segments.append(Segment(file, index))
    return segments, torn_bytes


def segment_paths(directory: Path) -> list[Path]:
    """Return the paths of a log's segments in order. Raises `LogUnavailable` when the directory can't be listed."""
    try:
        return sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except OSError as error:
        what = error.strerror or str(error)
        raise LogUnavailable(directory, what, "Check the path and this user's permissions.") from error


def check_link(before: SegmentIndex | None, file: SegmentFile) -> None:
    """Check that a segment follows on the one before it, or is a log's first. Raises `LogDamaged`."""
    sequence, checksum = (before.sequence, before.checksum) if before else (0, 0)
    if file.header.first != sequence:
        what = f"the segments before it end before record {sequence}, and it begins with {file.header.first}"
        raise LogDamaged(file.path, FIRST_AT, what, "Restore the missing segments from a backup.")
    if file.header.chain != checksum:
        what = "it was not written after the segment before it, so one of the two is from another log or another time"
        raise LogDamaged(file.path, CHAIN_AT, what, "Restore both from the same backup.")


def publish(lock: int, durable: int) -> None:
    """Say in a log's locked file, given as a descriptor, that all records below a number are durable."""
    number = b"%020d" % durable
    os.pwrite(lock, number + number, _PUBLISHED_AT)


def published(directory: Path) -> int | None:
    """What the writer of a log said last; None where it said nothing, or is saying it."""
    path = directory / LOCK
    if not path.exists():
        return None
    with reading(path) as fd:
        said = read_at(path, fd, 2 * _DIGITS, _PUBLISHED_AT)
    number = said[:_DIGITS]
    # Twice the same, or it is being written.
    return int(number) if len(number) == _DIGITS and said == number + number else None


def _follow(segment: Segment, stop: int, *, torn: bool = False) -> int:
    """Take the frames below `stop` that were written to a segment since into its index; return the bytes behind them.

    Raises `LogDamaged` at one that isn't whole, unless the last may be `torn`.
    """
    file, index = segment.file, segment.index
    size = file.size()
    with reading(file.path) as fd:
        try:
            for sequence, record in file.frames(fd, Position(index.sequence, index.offset), Position(stop, size)):
                index.add(len(record), file.checksum(sequence, record))
        except LogDamaged:
            if not torn:
                raise
    return size - index.offset


def _read_last(file: SegmentFile) -> tuple[SegmentIndex, int]:
    size = file.size()
    index, damage = segment_index.scan(file, size)
    if damage is None:
        return index, 0
    with reading(file.path) as fd:
        if file.find_frame(fd, Position(index.first, index.offset), size):
            raise damage
    return index, size - index.offset


def _read_sealed(file: SegmentFile, *, save_index: bool) -> SegmentIndex:
    index, damage = segment_index.scan(file, file.size())
    if damage:
        raise damage
    if save_index:
        segment_index.save(file, index)
    return index
