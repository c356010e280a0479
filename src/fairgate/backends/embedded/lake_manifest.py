"""What stands in a lake's folder: the manifest that names every live file, and how files come and go.

The manifest is the lake: a file that it doesn't name is not there. It is replaced as a whole, so that a change of any
number of files happens at once.
"""

import fcntl
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
import polars as pl

from fairgate.domain.errors import LakeDamaged, LakeTooNew, LakeUnavailable

FORMAT: Final = 1
MANIFEST: Final = "lake.json"
#: Held shared by whoever reads files, and by whoever deletes some alone.
READERS: Final = "readers.lock"
#: Held by the one writer.
WRITER: Final = "writer.lock"
_DRAFT: Final = ".draft"
_NUMBERS: Final = frozenset({"Int64", "Float64"})


class Schema(msgspec.Struct, frozen=True):
    """The columns of files, with their Polars types, and those that hold tokens of what is personal."""

    columns: dict[str, str]
    personal: tuple[str, ...]


class Part(msgspec.Struct, frozen=True, rename={"event_type": "type"}):
    """A file, as `LakeFile` but for its columns, which are those of the schema at the place `schema`."""

    event_type: str
    day: date
    first: int
    last: int
    rows: int
    bytes: int
    schema: int

    @property
    def order(self) -> tuple[str, date, int]:
        """Where it stands among the others."""
        return self.event_type, self.day, self.first

    def path(self, folder: Path) -> Path:
        """Where the file is."""
        # A checked name: it has no separator and does not begin with a dot.
        return folder / self.event_type / f"_day={self.day}" / f"part-{self.first}-{self.last}.parquet"


class Manifest(msgspec.Struct, frozen=True):
    """A lake at one instant: how far it goes, and its files in order."""

    format: int
    sequence: int
    pack: int
    schemas: tuple[Schema, ...]
    parts: tuple[Part, ...]

    def upto(self, sequence: int | None) -> "Manifest":
        """The lake with nothing from a sequence on, or with None all: a file may then go on behind its end."""
        if sequence is None or sequence >= self.sequence:
            return self
        parts = tuple(part for part in self.parts if part.first < sequence)
        return msgspec.structs.replace(self, sequence=sequence, parts=parts)

    def alike(self, part: Part) -> tuple[int, bool]:
        """What files that are read as one have in common: the schema, and whether they go on behind the lake's end."""
        return part.schema, part.last >= self.sequence

    def of(self, event_type: str) -> list[Part]:
        """The files of a type."""
        return [part for part in self.parts if part.event_type == event_type]


NEW: Final = Manifest(FORMAT, 0, -1, (), ())


def read(folder: Path) -> Manifest:
    """The lake of a folder. Raises `LakeUnavailable`, `LakeTooNew` or `LakeDamaged`."""
    path = folder / MANIFEST
    remedy = "Delete the lake's folder: it is made again from what the log has."
    with failing(path):
        data = path.read_bytes()
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except msgspec.DecodeError as error:
        raise LakeDamaged(path, f"it can't be understood: {error}", remedy) from error
    if manifest.format > FORMAT:
        raise LakeTooNew(path, f"its format is {manifest.format}, this program reads {FORMAT}", "Upgrade Fairgate.")
    return manifest


def write(folder: Path, manifest: Manifest) -> None:
    """Put another manifest in the place of the one there; the change is durable on return."""
    create(folder / MANIFEST, lambda path: path.write_bytes(msgspec.json.encode(manifest)))


def create(path: Path, fill: Callable[[Path], object]) -> None:
    """Make a file under its name once it is whole and durable, as its name is then."""
    make_folder(path.parent)
    draft = path.with_name(path.name + _DRAFT)
    fill(draft)
    _sync(draft)
    draft.rename(path)
    _sync(path.parent)


def make_folder(folder: Path) -> None:
    """Make a folder durably, and those above it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(0o750, exist_ok=True)
        _sync(folder.parent)


def settle(folder: Path) -> None:
    """Make the manifest that is there durable: a writer may have died before it had."""
    _sync(folder)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Delete the files that aren't named, unless somebody is reading."""
    try:
        with locked(folder / READERS, fcntl.LOCK_EX | fcntl.LOCK_NB):
            live = {part.path(folder) for part in manifest.parts}
            for path in folder.glob("*/_day=*/part-*"):
                if path not in live:
                    path.unlink()
                    with suppress(OSError):  # there are others in it
                        path.parent.rmdir()
    except BlockingIOError:
        return  # the next sweep comes by


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    """Hold a lock. Raises BlockingIOError where it is held otherwise and `how` doesn't wait."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def failing(where: Path) -> Iterator[None]:
    """Turn an error of the file system into `LakeUnavailable`."""
    try:
        yield
    except OSError as error:
        remedy = "Check the path, this user's permissions, and that the disk has room and is well."
        raise LakeUnavailable(where, error.strerror or str(error), remedy) from error


def schema_of(rows: pl.DataFrame) -> Schema:
    """The schema of some rows. `_personal` names what is sealed in each, with blanks between."""
    columns = {name: str(kind) for name, kind in rows.schema.items()}
    named = rows["_personal"].drop_nulls().unique().to_list() if "_personal" in columns else []
    return Schema(columns, tuple(sorted({name for names in named for name in names.split()} & columns.keys())))


def schema_place(schemas: tuple[Schema, ...], schema: Schema) -> tuple[tuple[Schema, ...], int]:
    """The schemas with this one among them, and its place."""
    # Columns in another order are another schema, which two equal dicts don't tell.
    keys = [(tuple(each.columns.items()), each.personal) for each in schemas]
    key = tuple(schema.columns.items()), schema.personal
    return (schemas, keys.index(key)) if key in keys else ((*schemas, schema), len(schemas))


def conflicts(schemas: Iterable[Schema]) -> dict[str, str]:
    """The columns that have several types in these schemas, with the one that they are read as: a number, or a text."""
    found: dict[str, set[str]] = {}
    for schema in schemas:
        for name, kind in schema.columns.items():
            found.setdefault(name, set()).add(kind)
    return {name: "Float64" if kinds <= _NUMBERS else "String" for name, kinds in found.items() if len(kinds) > 1}


def _sync(path: Path) -> None:
    """Make a file's contents, or the names in a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
