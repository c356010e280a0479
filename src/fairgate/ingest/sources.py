"""Files as events: CloudEvents as they are, and files of another shape through a pack's [source].

Rows are read in slices, and only those whose event is due later (`delay`) wait in memory.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from fairgate.domain.errors import InputUnreadable
from fairgate.domain.event import Refusal
from fairgate.domain.pack import Source
from fairgate.ingest.decode import Decoder, Taken
from fairgate.ingest.lines import BadRow, open_lines
from fairgate.ingest.source_events import TIME, EventMaker
from fairgate.ingest.source_rows import SLICE, SUFFIXES, Slice, located, read_rows
from fairgate.language.checked import CheckedPack

#: Columns of waiting rows: what they are ordered by, and their position over all files.
_DUE, _ROW = "\0due", "\0row"
_END = 1 << 62


def read_events(
    paths: Sequence[Path], checked: CheckedPack, decoder: Decoder, told: Callable[[int], None] = lambda _: None
) -> Iterator[list[Taken]]:
    """The events of files, in lists of a few thousand; each is received at its own time.

    Without a [source] in the pack, the files hold one CloudEvent a line and events come as they stand. With one, rows
    should stand in the order of their time, over all files as given, and events come in the order of theirs: at the
    same time those least delayed first, then by row, then by [[source.event]]. A row that stands out of order comes
    late.

    What is no event of the pack comes as a refusal whose reason begins with file and line. `told` is called with the
    bytes read so far. Raises `InputUnreadable` where a whole file can't be read.
    """
    source = checked.pack.source
    if source is None:
        yield from _cloud_events(paths, decoder, told)
    else:
        yield from _Rows(source, checked, decoder).events(paths, told)


def _cloud_events(paths: Sequence[Path], decoder: Decoder, told: Callable[[int], None]) -> Iterator[list[Taken]]:
    before = 0
    for path in paths:
        if path.suffix.lower() not in SUFFIXES["ndjson"]:
            remedy = "Give .ndjson or .jsonl files, or a pack with a [source] that says what the rows mean."
            raise InputUnreadable(path, "the pack has no [source], so its lines should be CloudEvents", remedy)
        taken: list[Taken] = []
        with open_lines(path) as lines:
            more = True
            while more:
                try:
                    line = next(lines, None)
                except BadRow as bad:
                    taken.append(located(Refusal(bad.code, bad.field, bad.reason), path, lines.number))
                    continue
                more = line is not None
                if line and not line.isspace():
                    each = decoder.single(line, None)
                    taken.append(located(each, path, lines.number) if isinstance(each, Refusal) else each)
                if len(taken) >= SLICE or not more:
                    told(before + lines.read)
                    yield taken
                    taken = []
            before += lines.read


def files_in(folder: Path, checked: CheckedPack) -> list[Path]:
    """The files in a folder that a pack's events may be read from, by name."""
    source = checked.pack.source
    suffixes = SUFFIXES["ndjson" if source is None else source.format]
    return sorted(each for each in folder.iterdir() if each.suffix.lower() in suffixes and each.is_file())


class _Rows:
    """The rows of foreign files, each waiting in a queue for every event that it becomes until that is due."""

    def __init__(self, source: Source, checked: CheckedPack, decoder: Decoder) -> None:
        name = source.name or checked.pack.name
        self._format = source.format
        self._makers = [EventMaker(each, name, source.time_format, decoder) for each in source.events]
        least = min(each.delay for each in source.events)
        self._queues = [_Queue(each.delay, after=each.delay > least) for each in source.events]
        self._rows = 0

    def events(self, paths: Sequence[Path], told: Callable[[int], None]) -> Iterator[list[Taken]]:
        """All events of the files."""
        wanted = list(dict.fromkeys(path for maker in self._makers for path in maker.paths))
        before = 0
        for path in paths:
            read = 0
            for rows in read_rows(path, self._format, wanted):
                read = rows.read
                told(before + read)
                yield [*rows.refused, *self._line_up(rows)]
                yield from self._leave(min(queue.certain for queue in self._queues))
            before += read
        yield from self._leave(_END)

    def _line_up(self, rows: Slice) -> list[Taken]:
        """Put rows into their queues; returns refusals of those without a time, which can't wait for anything."""
        frame = rows.frame.with_columns(pl.int_range(self._rows, self._rows + pl.len(), dtype=pl.Int64).alias(_ROW))
        self._rows += frame.height
        refused: list[Taken] = []
        for maker, queue in zip(self._makers, self._queues, strict=True):
            timed = frame.with_columns(maker.times(rows.path, frame))
            timed = timed.with_columns(queue.due(timed[TIME]))
            mine = timed.filter(maker.wanted(rows.path, timed))
            if mine[TIME].null_count():
                refused += maker.untimed(rows.path, mine.filter(pl.col(TIME).is_null()))
                mine = mine.drop_nulls(TIME)
            queue.add(rows.path, mine)
        return refused

    def _leave(self, until: int) -> Iterator[list[Taken]]:
        """The events of all rows that are due until then, in order."""
        while True:
            limit = min(until, *(queue.first_end for queue in self._queues))
            pieces = [
                (maker, path, frame)
                for maker, queue in zip(self._makers, self._queues, strict=True)
                for path, frame in queue.take(limit)
            ]
            if pieces:
                yield _in_order(pieces)
            if limit == until:
                return


def _in_order(pieces: Sequence[tuple[EventMaker, Path, pl.DataFrame]]) -> list[Taken]:
    """The events of rows by when they are due, then by row, then by maker (the order of the pieces)."""
    taken = [each for maker, path, frame in pieces for each in maker.make(path, frame)]
    if len(pieces) == 1:
        return taken
    keys = pl.concat([frame.select(_ROW, _DUE) for _, _, frame in pieces]).to_numpy()
    order = np.lexsort((keys[:, 0], keys[:, 1]))
    return [taken[at] for at in order.tolist()]


class _Queue:
    """Rows that wait for one kind of event.

    A row is due when the clock of its files, which never goes back, has passed its delay. Due times are kept doubled,
    and one more where at the same time others come before (`after`).
    """

    def __init__(self, delay: int, *, after: bool) -> None:
        self._delay = delay
        self._after = int(after)
        self._clock = 0
        self._waiting: list[tuple[Path, pl.DataFrame]] = []

    def due(self, times: pl.Series) -> pl.Series:
        """When rows of these times, which come next, are due."""
        clock = np.maximum.accumulate(np.maximum(times.fill_null(0).to_numpy(), self._clock))
        if clock.size:
            self._clock = int(clock[-1])
        return pl.Series(_DUE, 2 * (clock + self._delay) + self._after)

    @property
    def certain(self) -> int:
        """No row that comes later is due before."""
        return 2 * (self._clock + self._delay) + self._after

    @property
    def first_end(self) -> int:
        """When the last row of the frame that came first is due, so that frames can leave one by one."""
        return int(self._waiting[0][1][_DUE][-1]) if self._waiting else _END

    def add(self, path: Path, frame: pl.DataFrame) -> None:
        """Let rows wait."""
        if frame.height:
            self._waiting.append((path, frame))

    def take(self, until: int) -> list[tuple[Path, pl.DataFrame]]:
        """The rows that are due until then."""
        taken: list[tuple[Path, pl.DataFrame]] = []
        while self._waiting:
            path, frame = self._waiting[0]
            count = int(frame[_DUE].search_sorted(until, side="right"))
            if count:
                taken.append((path, frame[:count]))
            if count < frame.height:
                self._waiting[0] = (path, frame[count:])
                break
            self._waiting.pop(0)
        return taken
