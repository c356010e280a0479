"""A full check of a log: every frame, the order of the records, the chain of segments, and their sidecars."""

from dataclasses import dataclass
from pathlib import Path

from fairgate.backends.embedded import segment_index
from fairgate.backends.embedded.segment_begin import check_begin, held_paths, keeping_segments, read_begin
from fairgate.backends.embedded.segment_file import Position, SegmentFile, file_size, reading
from fairgate.backends.embedded.segment_held import check_first, check_link, no_segments
from fairgate.backends.embedded.segment_index import NO_END, SegmentIndex
from fairgate.domain.errors import LogDamaged, LogError


@dataclass(frozen=True, slots=True)
class Problem:
    """Something in a log that isn't as it was written: the file, the byte where it begins, and what to do about it."""

    file: Path
    offset: int
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """What a full check found. The log is sound if there are no problems.

    `records` counts the records held that can be read, `first` and `last` the outermost sequences among them, and
    `bytes` is the size of the segments they are in. `torn_bytes` follow the last whole record and are no problem: a
    write that was going on or that a crash cut short, cut off when the log is next opened for writing.
    """

    segments: int
    records: int
    bytes: int
    first: int | None
    last: int | None
    torn_bytes: int
    problems: tuple[Problem, ...]


def verify(directory: Path) -> VerifyReport:
    """Read a whole log and report what is in it and what is wrong with it.

    Changes nothing, and may run beside a writer: what that drops meanwhile stays on disk until it drops again. Raises
    `LogUnavailable` if the directory can't be read or holds no segments; everything else is a problem in the report.
    """
    with keeping_segments(directory):
        check = _Check(directory)
        paths = held_paths(directory, check.begin)
        if not paths:
            raise no_segments(directory)
        for path in paths:
            try:
                check.segment(path, is_last=path == paths[-1])
            except LogError as error:
                check.lose_track(error)
    return VerifyReport(
        len(paths), check.records, check.bytes, check.first, check.last, check.torn_bytes, tuple(check.problems)
    )


class _Check:
    """The tallies of a check that is under way."""

    def __init__(self, directory: Path) -> None:
        self.records = self.bytes = self.torn_bytes = 0
        self.first: int | None = None
        self.last: int | None = None
        self.problems: list[Problem] = []
        self._before: SegmentIndex | None = None
        self._on_track = True  # the segment before is known to its end, or this is the first and the beginning known
        self.begin = 0
        try:
            self.begin = read_begin(directory)
        except LogError as error:
            self.lose_track(error)

    def segment(self, path: Path, *, is_last: bool) -> None:
        size = file_size(path)
        self.bytes += size
        file = SegmentFile.load(path)
        if self._on_track:
            try:
                if self._before:
                    check_link(self._before, file)
                else:
                    check_first(file, self.begin)
            except LogDamaged as damage:
                self._note(path, damage.offset, damage.what, damage.remedy)
        index, is_whole = self._frames(file, size, is_last=is_last)
        if is_last:
            check_begin(path.parent, self.begin, index.sequence)
        elif is_whole:
            self._sidecar(file, index)
        self._before, self._on_track = index, True

    def lose_track(self, error: LogError) -> None:
        offset = error.offset if isinstance(error, LogDamaged) else 0
        self._note(error.where, offset, error.what, error.remedy)
        self._on_track = False

    def _frames(self, file: SegmentFile, size: int, *, is_last: bool) -> tuple[SegmentIndex, bool]:
        """Read every frame that can be found; also say whether that was all. Raises the damage that hides the end."""
        index, is_whole = SegmentIndex.empty(file), True
        with reading(file.path) as fd:
            while index.offset < size:
                try:
                    for sequence, record in file.frames(
                        fd, Position(index.sequence, index.offset), Position(NO_END, size)
                    ):
                        index.add(len(record), file.checksum(sequence, record))
                        self._count(sequence)
                except LogDamaged as damage:
                    again = file.find_frame(fd, Position(index.sequence, damage.offset + 1), size)
                    if again is None and not is_last:
                        raise
                    if again is None:
                        self.torn_bytes = size - damage.offset
                        break
                    what = (
                        f"{damage.what}; whole frames begin again at byte {again.offset} with record {again.sequence}"
                    )
                    self._note(file.path, damage.offset, what, damage.remedy)
                    index.sequence, index.offset, is_whole = again.sequence, again.offset, False
        return index, is_whole

    def _count(self, sequence: int) -> None:
        if sequence < self.begin:
            return
        self.records += 1
        self.first = sequence if self.first is None else self.first
        self.last = sequence

    def _sidecar(self, file: SegmentFile, index: SegmentIndex) -> None:
        path = segment_index.sidecar(file)
        remedy = "Delete it: it is made anew when the log is next opened for writing."
        if path.exists() and segment_index.load(file) != index:
            self._note(path, 0, "the index doesn't agree with its segment", remedy)

    def _note(self, file: Path, offset: int, what: str, remedy: str) -> None:
        self.problems.append(Problem(file, offset, what, remedy))
