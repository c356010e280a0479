"""What a directory holds of a log: its segments, found, and checked against each other."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fairgate.backends.embedded import segment_begin, segment_index
from fairgate.backends.embedded.segment_file import CHAIN_AT, FIRST_AT, Position, SegmentFile, reading
from fairgate.backends.embedded.segment_index import SegmentIndex
from fairgate.domain.errors import LogDamaged, LogUnavailable


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


@dataclass(frozen=True, slots=True)
class Held:
    """What a directory holds of a log: its segments from the one that `begin` is in, and what follows the last record.

    There are none where the log is yet to be written.
    """

    begin: int
    segments: list[Segment]
    torn_bytes: int


def load_segments(directory: Path, begin: int, *, save_indexes: bool) -> Held:
    """Return what a directory holds of a log that begins with this sequence.

    The last segment is read in full; of the others only the headers and sidecars are, except where a sidecar is missing
    or spoilt: that segment is read, and with `save_indexes` its sidecar written anew. Raises `LogDamaged` when segments
    don't follow on each other, when one has been cut, or when whole frames stand behind a bad one in the last.
    """
    segments: list[Segment] = []
    paths = segment_begin.held_paths(directory, begin)
    torn_bytes = 0
    for path in paths:
        file = SegmentFile.load(path)
        if segments:
            check_link(segments[-1].index, file)
        else:
            check_first(file, begin)
        if path == paths[-1]:
            index, torn_bytes = _read_last(file)
        else:
            index = segment_index.load(file) or _read_sealed(file, save_index=save_indexes)
        segments.append(Segment(file, index))
    segment_begin.check_begin(directory, begin, segments[-1].index.sequence if segments else 0)
    return Held(begin, segments, torn_bytes)


def check_first(file: SegmentFile, begin: int) -> None:
    """Check that a segment may be the first held of a log that begins with this sequence. Raises `LogDamaged`.

    What was before it is gone, so its chain can't be checked: except where nothing ever was.
    """
    if file.header.first > begin:
        what = f"the log begins with record {begin}, and it, the first of its segments, with {file.header.first}"
        remedy = f"Restore the missing segments, and `{segment_begin.BEGIN}` if the log has had one, from a backup."
        raise LogDamaged(file.path, FIRST_AT, what, remedy)
    if file.header.first == 0 and file.header.chain:
        raise LogDamaged(file.path, CHAIN_AT, "it says that a segment was before it", "Restore it from a backup.")


def check_link(before: SegmentIndex, file: SegmentFile) -> None:
    """Check that a segment follows on the one before it. Raises `LogDamaged`."""
    if file.header.first != before.sequence:
        what = f"the segments before it end before record {before.sequence}, and it begins with {file.header.first}"
        raise LogDamaged(file.path, FIRST_AT, what, "Restore the missing segments from a backup.")
    if file.header.chain != before.checksum:
        what = "it was not written after the segment before it, so one of the two is from another log or another time"
        raise LogDamaged(file.path, CHAIN_AT, what, "Restore both from the same backup.")


def segment_of(segments: list[Segment], sequence: int) -> int:
    """Return the place of the segment that a record is in, among segments in order that reach back to it."""
    return bisect_right(segments, sequence, key=lambda segment: segment.index.first) - 1


def no_segments(directory: Path) -> LogUnavailable:
    """Return the error for a directory that is no log."""
    return LogUnavailable(directory, "it holds no segments", "Check the path.")


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
