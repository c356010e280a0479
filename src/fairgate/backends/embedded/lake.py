"""The lake as Parquet files in a folder, for one writer and any number of readers on the same machine.

`lake.json`, the manifest, names every live file. A file is `<event type>/_day=YYYY-MM-DD/part-<first>-<last>.parquet`,
by the day of receipt (UTC), its first sequence and its last.
"""

import fcntl
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import Self

import msgspec
import polars as pl

from fairgate.backends.embedded import lake_manifest as files
from fairgate.backends.embedded.lake_manifest import Manifest, Part
from fairgate.backends.embedded.lake_sql import answer
from fairgate.domain.errors import LakeDamaged, LakeLocked, NotInLake
from fairgate.ports.lake import Answer, Covered, LakeFile, Sight, SqlLimits

__all__ = ["FolderLake", "open_lake"]

#: Rows of a group, which is what a query skips or reads.
_GROUP_ROWS = 100_000
#: A merged file has about so many rows at most.
_MERGED_ROWS = 1_000_000
#: So many files of one size are merged, on a day that isn't over; and sizes differ by this factor.
_FEW = 16
_DAY = "_day"
_KINDS: Mapping[str, pl.DataType] = {"Float64": pl.Float64(), "String": pl.String()}


class FolderLake:
    """A lake in a folder. Not for two threads at once, but for `sql` and `scan`."""

    def __init__(self, folder: Path, *, writable: bool) -> None:
        self.folder = folder
        self._writable = writable
        self._closed = False
        self._scanning = ExitStack()
        self._scans = False

    def covered(self) -> Covered:
        """Return how far the lake goes."""
        manifest = self._manifest()
        return Covered(manifest.sequence, manifest.pack)

    def append(self, frames: Mapping[str, pl.DataFrame], upto: Covered) -> None:
        """Add the rows of all events from `covered()` up to `upto`."""
        manifest = self._to_change()
        if upto.sequence < manifest.sequence:
            message = f"the lake goes up to {manifest.sequence} already, not to {upto.sequence}"
            raise ValueError(message)
        _check_sequences(frames.values(), manifest.sequence, upto.sequence)
        schemas, parts = manifest.schemas, list(manifest.parts)
        with files.failing(self.folder):
            for event_type, frame in frames.items():
                for day, rows in _by_day(frame):
                    schemas, place = files.schema_place(schemas, files.schema_of(rows))
                    parts.append(self._write(event_type, day, rows, place))
            self._replace(manifest, Manifest(files.FORMAT, *upto, schemas, tuple(parts)))

    def merge(self, today: date) -> int:
        """Make few files of many, and return how many went."""
        manifest = self._to_change()
        parts, went = list(manifest.parts), 0
        with files.failing(self.folder):
            for run in _mergeable(manifest.parts, today):
                rows = pl.concat([self._read(part) for part in run])
                merged = self._write(run[0].event_type, run[0].day, rows, run[0].schema)
                parts = [part for part in parts if part not in run] + [merged]
                went += len(run)
            if went:
                self._replace(manifest, msgspec.structs.replace(manifest, parts=tuple(parts)))
            files.sweep(self.folder, self._manifest())
        return went

    def drop(self, event_type: str, before: date) -> int:
        """Forget the rows of a type that were received before a day, and return how many they were."""
        manifest = self._to_change()
        gone = [part for part in manifest.of(event_type) if part.day < before]
        if gone:
            with files.failing(self.folder):
                kept = tuple(part for part in manifest.parts if part not in gone)
                self._replace(manifest, msgspec.structs.replace(manifest, parts=kept))
                files.sweep(self.folder, self._manifest())
        return sum(part.rows for part in gone)

    def files(self) -> tuple[LakeFile, ...]:
        """Return the live files in order of type, day and sequence."""
        manifest = self._manifest()
        return tuple(
            LakeFile(
                each.event_type,
                each.day,
                each.first,
                each.last,
                each.rows,
                each.bytes,
                manifest.schemas[each.schema].columns,
            )
            for each in manifest.parts
        )

    def scan(self, event_type: str, before: int | None = None) -> pl.LazyFrame:
        """Return the rows of a type in order of `_sequence`, with the day of receipt in `_day`."""
        self._hold_for_scans()
        manifest = self._manifest().upto(before)
        parts = manifest.of(event_type)
        if not parts:
            raise NotInLake(event_type, sorted({part.event_type for part in manifest.parts}))
        return _scan(self.folder, manifest, parts)

    def sql(self, query: str, limits: SqlLimits, sight: Sight) -> Answer:
        """Answer one SELECT over the views."""
        with files.locked(self.folder / files.READERS, fcntl.LOCK_SH):
            return answer(self.folder, self._manifest().upto(sight.before), query, limits, sight)

    def close(self) -> None:
        """Let another writer in, and let go of what scans read. Closing twice is harmless."""
        self._closed = True
        self._scanning.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def recover(self) -> None:
        """Make the manifest where there is none and durable, and delete what a crash left behind."""
        with files.failing(self.folder):
            if not (self.folder / files.MANIFEST).exists():
                files.write(self.folder, files.NEW)
            files.settle(self.folder)
            files.sweep(self.folder, self._manifest())

    def _manifest(self) -> Manifest:
        if self._closed:
            message = f"the lake in {self.folder} is closed"
            raise ValueError(message)
        return files.read(self.folder)

    def _to_change(self) -> Manifest:
        manifest = self._manifest()
        if not self._writable:
            message = f"the lake in {self.folder} was opened for reading only"
            raise io.UnsupportedOperation(message)
        return manifest

    def _replace(self, old: Manifest, new: Manifest) -> None:
        """Write a manifest, its files in order, without the schemas that none of them has."""
        used = sorted({part.schema for part in new.parts})
        if len(used) < len(new.schemas):
            places = {place: at for at, place in enumerate(used)}
            parts = tuple(msgspec.structs.replace(part, schema=places[part.schema]) for part in new.parts)
            new = msgspec.structs.replace(new, schemas=tuple(new.schemas[place] for place in used), parts=parts)
        new = msgspec.structs.replace(new, parts=tuple(sorted(new.parts, key=lambda part: part.order)))
        if new != old:
            files.write(self.folder, new)

    def _write(self, event_type: str, day: date, rows: pl.DataFrame, schema: int) -> Part:
        first, last = int(rows["_sequence"][0]), int(rows["_sequence"][-1])
        part = Part(event_type, day, first, last, rows.height, 0, schema)
        path = part.path(self.folder)
        files.create(path, lambda draft: rows.write_parquet(draft, compression="zstd", row_group_size=_GROUP_ROWS))
        return msgspec.structs.replace(part, bytes=path.stat().st_size)

    def _read(self, part: Part) -> pl.DataFrame:
        path = part.path(self.folder)
        try:
            return pl.read_parquet(path, hive_partitioning=False)
        except pl.exceptions.PolarsError as error:
            remedy = "Restore it from a backup, or delete the lake's folder: it is made again from what the log has."
            raise LakeDamaged(path, str(error), remedy) from error

    def _hold_for_scans(self) -> None:
        if not self._scans:
            self._scanning.enter_context(files.locked(self.folder / files.READERS, fcntl.LOCK_SH))
            self._scans = True


@contextmanager
def open_lake(folder: Path, *, read_only: bool = False) -> Iterator[FolderLake]:
    """Open the lake in a folder, and close it on leaving.

    For writing, the folder is made where it is missing and locked against other writers, and what a crash left behind
    is deleted. Raises `LakeLocked`, `LakeUnavailable`, `LakeTooNew` or `LakeDamaged`.
    """
    with ExitStack() as stack:
        if not read_only:
            try:
                with files.failing(folder):
                    files.make_folder(folder)
                stack.enter_context(files.locked(folder / files.WRITER, fcntl.LOCK_EX | fcntl.LOCK_NB))
            except BlockingIOError as error:
                remedy = "Stop that process, or open the lake for reading only."
                raise LakeLocked(folder, "another process is writing to it", remedy) from error
        lake = stack.enter_context(FolderLake(folder, writable=not read_only))
        if not read_only:
            lake.recover()
        lake.covered()
        yield lake


def _scan(folder: Path, manifest: Manifest, parts: Sequence[Part]) -> pl.LazyFrame:
    frames = []
    runs = [(*alike, list(run)) for alike, run in groupby(parts, key=manifest.alike)]
    casts = files.conflicts(manifest.schemas[place] for place, _, _ in runs)
    for place, goes_on, run in runs:
        paths = [each.path(folder) for each in run]
        rows = pl.scan_parquet(paths, glob=False, hive_partitioning=True, hive_schema={_DAY: pl.Date()})
        if goes_on:
            rows = rows.filter(pl.col("_sequence") < manifest.sequence)
        mine = {name: kind for name, kind in casts.items() if name in manifest.schemas[place].columns}
        frames.append(rows.with_columns(pl.col(name).cast(_KINDS[kind]) for name, kind in mine.items()))
    return pl.concat(frames, how="diagonal")


def _by_day(frame: pl.DataFrame) -> Iterator[tuple[date, pl.DataFrame]]:
    """The rows of each day, in order of their sequences."""
    days = frame.with_columns(pl.col("_received").dt.date().alias(_DAY)).sort("_sequence")
    for (day,), rows in days.group_by(_DAY, maintain_order=True):
        yield date.fromisoformat(str(day)), rows.drop(_DAY)


def _check_sequences(frames: Iterable[pl.DataFrame], start: int, stop: int) -> None:
    sequences = pl.concat([pl.Series("_sequence", [], pl.Int64), *(frame["_sequence"] for frame in frames)])
    if sequences.null_count() or not sequences.is_between(start, stop, closed="left").all():
        message = f"a row's sequence is not in [{start}, {stop})"
        raise ValueError(message)
    if sequences.n_unique() < sequences.len():
        message = "two rows have one sequence"
        raise ValueError(message)


def _mergeable(parts: Sequence[Part], today: date) -> Iterator[list[Part]]:
    """Files that are to become one, each time of one type and day, and next to each other."""
    for (_, day, _), each in groupby(parts, key=lambda part: (part.event_type, part.day, part.schema)):
        if day < today:
            yield from (run for run in _runs(each) if len(run) > 1)
            continue
        for _, alike in groupby(each, key=_size):
            yield from (run for run in _runs(alike) if len(run) >= _FEW)


def _size(part: Part) -> int:
    """The order of magnitude of a file's rows: merging those alike writes each row a few times only."""
    size, rows = 0, part.rows
    while rows >= _FEW:
        size, rows = size + 1, rows // _FEW
    return size


def _runs(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Neighbours as long as they have no more rows together than one file should."""
    run: list[Part] = []
    for part in parts:
        if run and sum(each.rows for each in run) + part.rows > _MERGED_ROWS:
            yield run
            run = []
        run.append(part)
    if run:
        yield run
