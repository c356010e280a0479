"""The reading half of the log: its records given out, and its writer followed."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NoReturn, Self

from fairgate.backends.embedded import segment_begin, segment_index
from fairgate.backends.embedded.segment_file import Position, SegmentFile, read_at, reading
from fairgate.backends.embedded.segment_held import (
    Held,
    Segment,
    check_first,
    check_link,
    load_segments,
    no_segments,
    segment_of,
)
from fairgate.backends.embedded.segment_index import SegmentIndex
from fairgate.domain.errors import LogDamaged, LogUnavailable, NoSuchRecord

#: The file that a writer holds locked. Its process id stands there, and further on how far the log is durable.
LOCK: Final = "lock"
_PUBLISHED_AT: Final = 32
_DIGITS: Final = 20


class SegmentReader:
    """An event log opened for reading only: the whole records it had when it was opened, durable or about to be.

    Needs no lock and changes nothing on disk, so it may stand beside a writer; `refresh` shows what came after, and
    what was dropped. Until then a record that was dropped may be given out, or raise `NoSuchRecord` where it is gone.
    `torn_bytes` is what followed the last whole record: a write that was going on or that a crash cut short.
    """

    def __init__(self, directory: Path, held: Held) -> None:
        self.directory = directory
        self.torn_bytes = held.torn_bytes
        # Always set in this order and taken in the reverse, so that the segments have every record between the others.
        self._begin = held.begin
        self._segments = held.segments
        self._durable = held.segments[-1].index.sequence
        self._closed = False

    @classmethod
    def open(cls, directory: Path) -> Self:
        """Find the segments and check the last. Raises `LogUnavailable`, `LogTooNew` or `LogDamaged`."""
        held = segment_begin.settled(directory, lambda begin: load_segments(directory, begin, save_indexes=False))
        if not held.segments:
            raise no_segments(directory)
        return cls(directory, held)

    def append(self, record: bytes) -> int:
        """Refuse: the log was opened for reading only."""
        self._refuse_writing(f"append {len(record)} bytes")

    def commit(self) -> int:
        """Refuse: the log was opened for reading only."""
        self._refuse_writing("commit")

    def drop(self, before: int) -> None:
        """Refuse: the log was opened for reading only."""
        self._refuse_writing(f"drop the records below {before}")

    def read(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Return the durable records of the half-open interval `[start, stop)`, in order, each with its sequence."""
        self._check_usable()
        durable, segments, begin = self._durable, self._segments, self._begin
        start = begin if start is None else start
        if start < 0 or (stop is not None and stop < 0):
            message = f"[{start}, {stop}) is no interval of sequences: they begin with 0"
            raise ValueError(message)
        if start < begin:
            raise NoSuchRecord(start, durable, begin)
        return self._records(segments, start, durable if stop is None else min(stop, durable))

    def get(self, sequence: int) -> bytes:
        """Return one record. Raises `NoSuchRecord` for a number that hasn't been given, or has been dropped."""
        self._check_usable()
        durable, segments, begin = self._durable, self._segments, self._begin
        if not begin <= sequence < durable:
            raise NoSuchRecord(sequence, durable, begin)
        try:
            return segments[segment_of(segments, sequence)].get(sequence)
        except LogUnavailable as error:
            self._check_not_dropped(sequence, error)
            raise

    def begin(self) -> int:
        """Return the first sequence that is held."""
        self._check_usable()
        return self._begin

    def end(self) -> int:
        """Return the sequence after the last record's."""
        self._check_usable()
        return self._durable

    def refresh(self) -> int:
        """See the records that became durable since, at the cost of reading those alone; return `end()`.

        Where its writer says how far it is durable, only that far: what it wrote since it may have to take back. What
        was dropped is let go of. Raises `LogUnavailable`, `LogTooNew` or `LogDamaged`.
        """
        self._check_usable()
        return segment_begin.settled(self.directory, self._catch_up)

    def close(self) -> None:
        """Refuse all further calls. Closing twice is harmless."""
        self._closed = True

    def _catch_up(self, begin: int) -> int:
        durable = published(self.directory)
        begin = max(begin, self._begin)
        paths = segment_begin.held_paths(self.directory, begin)
        self._let_go(paths, begin)
        known = {segment.file.path for segment in self._segments}
        for path in paths:
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

    def _let_go(self, paths: list[Path], begin: int) -> None:
        """Forget the segments below these, which are the ones held now."""
        if not paths:
            raise no_segments(self.directory)
        if self._segments[-1].file.path < paths[0]:
            segments = load_segments(self.directory, begin, save_indexes=False).segments
        else:
            segments = [segment for segment in self._segments if segment.file.path >= paths[0]]
            check_first(segments[0].file, begin)  # a drop between the look at the beginning and at the names
        self._begin = begin
        self._segments = segments

    def _records(self, segments: list[Segment], start: int, stop: int) -> Iterator[tuple[int, bytes]]:
        at = segment_of(segments, start)
        while start < stop:
            border = min(stop, segments[at].index.sequence)
            try:
                yield from segments[at].read(start, border)
            except LogUnavailable as error:
                self._check_not_dropped(start, error)
                raise
            start, at = border, at + 1

    def _check_not_dropped(self, sequence: int, error: LogUnavailable) -> None:
        """Raise `NoSuchRecord` where a segment isn't there because its writer has dropped it."""
        if isinstance(error.__cause__, FileNotFoundError):
            begin = segment_begin.read_begin(self.directory)
            if sequence < begin:
                self._begin = max(begin, self._begin)
                raise NoSuchRecord(sequence, self._durable, begin) from error

    def _check_usable(self) -> None:
        if self._closed:
            message = f"the event log in {self.directory} is closed"
            raise ValueError(message)

    def _refuse_writing(self, what: str) -> NoReturn:
        self._check_usable()
        message = f"cannot {what}: the event log in {self.directory} was opened for reading only"
        raise io.UnsupportedOperation(message)


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
            index.follow(file, fd, Position(stop, size))
        except LogDamaged:
            if not torn:
                raise
    return size - index.offset
