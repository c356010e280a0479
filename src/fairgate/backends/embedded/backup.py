"""A copy of a data folder that is whole and consistent while its service runs, and the way back.

A backup is a folder with `fairgate.toml`, `pack/` and `data/`, laid out as a service is, and `backup.json`, which is
written last and names every file with its size and SHA-256. Without it a folder is no backup.
"""

import fcntl
import hashlib
import os
import shutil
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Final

import msgspec

from fairgate.backends.embedded import lake_manifest
from fairgate.backends.embedded.names import sync_directory
from fairgate.backends.embedded.segment_begin import BEGIN, encode_begin, keeping_segments, read_begin
from fairgate.backends.embedded.segment_held import load_segments
from fairgate.domain.errors import BackupUnusable, CopyFailed

MANIFEST: Final = "backup.json"
FORMAT: Final = 1
SETTINGS: Final = "fairgate.toml"
PACK: Final = "pack"
DATA: Final = "data"

_CHUNK = 1 << 20
_PARTIAL = ".partial"
#: How often a snapshot is begun to be copied, and how many of the newest none is ever removed of.
_ATTEMPTS, _KEPT = 5, 2
_LOG, _SNAPSHOTS, _PREPARED, _LAKE, _REPEATS = "log", "snapshots", "prepared", "lake", "repeats"
_API_KEYS, _RECORDS, _SUBJECT_KEYS = "keys.db", "records.db", "subjects.keys"
#: What SQLite keeps beside a file while it is open; a copy has what is in it.
_BESIDE = ("-wal", "-shm")
#: Records that the desk and the share keep, a line at a time; a last line that is not whole is cut off by who reads it.
_LINES = ("desk/audit.jsonl", "share/standings.ndjson", "share/standings.past.ndjson")
_SECRET = "secret"  # noqa: S105 - a file's name
_ANOTHER = "Take another backup; the service it came from still has everything."


class CopiedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a backup."""

    bytes: int
    sha256: str


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `backup.json` says. The log in it has the records below `end`; `made` is microseconds since 1970 UTC."""

    format: int
    fairgate: str
    records_format: int
    made: int
    end: int
    has_secret: bool
    files: dict[str, CopiedFile]

    @property
    def bytes(self) -> int:
        """How large it is."""
        return sum(each.bytes for each in self.files.values())


class _Copy:
    """A folder being filled, with what is in it so far."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: dict[str, CopiedFile] = {}

    def write(self, name: str, content: bytes) -> None:
        """Write a file of this content."""
        with self._writing(name) as file:
            file.write(content)
        self.files[name] = CopiedFile(len(content), hashlib.sha256(content).hexdigest())

    def file(self, source: Path, name: str, size: int | None = None) -> None:
        """Copy a file, or its first `size` bytes. Raises FileNotFoundError where it is gone."""
        with source.open("rb") as reading, self._writing(name) as writing:
            hashed, done = hashlib.sha256(), 0
            while chunk := reading.read(_CHUNK if size is None else min(_CHUNK, size - done)):
                hashed.update(chunk)
                writing.write(chunk)
                done += len(chunk)
        if size is not None and done < size:
            raise BackupUnusable(source, f"it ends at byte {done}, before {size}", "Run `fairgate log verify`.")
        self.files[name] = CopiedFile(done, hashed.hexdigest())

    def tree(self, source: Path, name: str) -> None:
        """Copy a folder."""
        for path in sorted(source.rglob("*")):
            if path.is_file():
                self.file(path, f"{name}/{path.relative_to(source).as_posix()}")

    def drop(self, name: str) -> None:
        """Take a folder out again."""
        shutil.rmtree(self.folder / name, ignore_errors=True)
        self.files = {each: kept for each, kept in self.files.items() if not each.startswith(f"{name}/")}

    def database(self, source: Path, name: str) -> None:
        """Copy a SQLite file as of one moment, whoever is writing to it."""
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY, 0o600))
        with (
            closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as reading,
            closing(sqlite3.connect(target)) as writing,
        ):
            reading.backup(writing)
            writing.execute("pragma journal_mode = delete")  # one file, with nothing beside it
        with target.open("rb") as file:
            self.files[name] = CopiedFile(target.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())

    def sync(self) -> None:
        """Make the names durable, too."""
        folders = {parent for name in self.files for parent in PurePosixPath(name).parents}
        for folder in sorted(folders, reverse=True):
            sync_directory(self.folder / folder)

    @contextmanager
    def _writing(self, name: str) -> Iterator[BinaryIO]:
        target = self.folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(target, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())


def back_up(data: Path, destination: Path, about: Backup, texts: Mapping[str, str], *, with_secret: bool) -> Backup:
    """Copy a data folder, whoever is writing to it, and files of these texts beside it; returns what is in the copy.

    `about` says what its files don't; `destination` must be new or empty. The log in the copy is whole and durable, and
    nothing else in it is newer than the log, but the keys: who was erased before this began can't be read in it. It
    begins where the log did when this began, and what is dropped meanwhile goes from the disk with the next drop.
    Raises `CopyFailed`, and what opening the log raises.
    """
    with _telling(destination):
        _make_empty(destination)
        copy = _Copy(destination)
        for name, text in texts.items():
            copy.write(name, text.encode())
        with keeping_segments(data / _LOG):
            # Lake, snapshot and the clerk's records may lack what the log is about to drop, and know of nothing that it
            # hasn't yet: so its beginning is taken before them, and its end after them.
            begin = read_begin(data / _LOG)
            _lake(copy, data / _LAKE)
            _snapshot(copy, data / _SNAPSHOTS)
            _repeats(copy, data / _REPEATS)
            if (data / _RECORDS).exists():  # the clerk reads on from here, in the log that is copied after it
                copy.database(data / _RECORDS, f"{DATA}/{_RECORDS}")
            end = _log(copy, data / _LOG, begin)
        if (data / _API_KEYS).exists():
            copy.database(data / _API_KEYS, f"{DATA}/{_API_KEYS}")
        for lines in _LINES:
            if (data / lines).exists():
                copy.file(data / lines, f"{DATA}/{lines}")
        if with_secret:
            copy.file(data / _SECRET, f"{DATA}/{_SECRET}")
        if (data / _SUBJECT_KEYS).exists():  # after the log: whatever is sealed in that has its key here
            copy.file(data / _SUBJECT_KEYS, f"{DATA}/{_SUBJECT_KEYS}")
        copy.sync()
        made = msgspec.structs.replace(about, end=end, has_secret=with_secret, files=copy.files)
        _Copy(destination).write(MANIFEST, msgspec.json.format(msgspec.json.encode(made), indent=1))
        sync_directory(destination)
    return made


def left_out(data: Path) -> list[str]:
    """What is in a data folder and in no backup of it; the secret, which may be, is not named."""
    known = {
        _LAKE,
        _SNAPSHOTS,
        _PREPARED,
        _REPEATS,
        _LOG,
        _SUBJECT_KEYS,
        _SECRET,
        *(f"{name}{beside}" for name in (_API_KEYS, _RECORDS) for beside in ("", *_BESIDE)),
    }
    found = [each for each in data.iterdir() if each.name not in known]
    copied = [data / each for each in _LINES]
    folders = {each.parent for each in copied}
    inside = [each for folder in folders.intersection(found) for each in folder.iterdir()]
    return sorted(str(each.relative_to(data)) for each in (*found, *inside) if each not in {*folders, *copied})


def check_backup(folder: Path) -> Backup:
    """What is in a backup, once every file in it is found to be as it was written. Raises `BackupUnusable`."""
    path = folder / MANIFEST
    try:
        backup = msgspec.json.decode(path.read_bytes(), type=Backup)
        if backup.format != FORMAT:
            what = f"its format is {backup.format}, this Fairgate reads {FORMAT}"
            raise BackupUnusable(path, what, "Use the Fairgate that made it, or a newer one.")
        for name, kept in backup.files.items():
            _check_name(path, name)
            with (folder / name).open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != kept.sha256:
                    raise BackupUnusable(folder / name, "it is not as it was written", _ANOTHER)
    except FileNotFoundError as error:
        what = "the backup was not finished" if error.filename == str(path) else "the backup has lost it"
        raise BackupUnusable(Path(error.filename), f"there is no such file: {what}", _ANOTHER) from error
    except OSError as error:
        raise BackupUnusable(folder, error.strerror or str(error), "Check the path and its permissions.") from error
    except msgspec.DecodeError as error:
        raise BackupUnusable(path, f"it can't be understood: {error}", _ANOTHER) from error
    return backup


def restore(folder: Path, backup: Backup, destination: Path) -> None:
    """Copy a backup that has been checked to a folder, which must be new or empty: all of it appears there or nothing.

    The clerk's records in it are as old as its log or older: the clerk reads what they lack, and sends what had not
    arrived when they were copied, under the ids that it has.
    Raises `CopyFailed`, and `BackupUnusable` where a file has changed since it was checked.
    """
    with _telling(destination):
        _make_empty(destination)
        copy = _Copy(destination.with_name(destination.name + _PARTIAL))
        _make_empty(copy.folder)
        for name in backup.files:
            copy.file(folder / name, name)
        if copy.files != backup.files:
            raise BackupUnusable(folder, "it has changed while it was read", _ANOTHER)
        copy.sync()
        copy.folder.rename(destination)
        sync_directory(destination.absolute().parent)


def _lake(copy: _Copy, source: Path) -> None:
    """The lake: its manifest, and the files that this names. None is deleted while it is being read."""
    if not (source / lake_manifest.MANIFEST).exists():
        return
    with lake_manifest.locked(source / lake_manifest.READERS, fcntl.LOCK_SH):
        manifest = lake_manifest.read(source)
        for part in manifest.parts:
            path = part.path(source)
            copy.file(path, f"{DATA}/{_LAKE}/{path.relative_to(source).as_posix()}")
        copy.write(f"{DATA}/{_LAKE}/{lake_manifest.MANIFEST}", msgspec.json.encode(manifest))


def _snapshot(copy: _Copy, source: Path) -> None:
    """The newest snapshot, whole. Raises `CopyFailed` where newer ones are made faster than one can be copied."""
    for _ in range(_ATTEMPTS):
        whole = _whole_snapshots(source)
        if not whole:
            return
        name = f"{DATA}/{_SNAPSHOTS}/{whole[-1].name}"
        with suppress(FileNotFoundError):
            copy.tree(whole[-1], name)
            if whole[-1] in _whole_snapshots(source)[-_KEPT:]:
                return
        copy.drop(name)
    raise CopyFailed(source, "each snapshot was removed while it was copied", "Take the backup at a quieter time.")


def _repeats(copy: _Copy, source: Path) -> None:
    """What remembers older events, as far as the snapshot needs it. Without it a start reads some of the log again."""
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError):  # several were made one meanwhile
            for path in sorted(source.glob("*.keys")):
                copy.file(path, f"{DATA}/{_REPEATS}/{path.name}")
            return
        copy.drop(f"{DATA}/{_REPEATS}")


def _whole_snapshots(source: Path) -> list[Path]:
    """The folders of a service's snapshots, the newest last."""
    return sorted(each for each in source.iterdir() if each.name.isdigit()) if source.is_dir() else []


def _log(copy: _Copy, source: Path, begin: int) -> int:
    """Every whole record there is now, from this one on, made durable; returns the sequence after the last."""
    segments = load_segments(source, begin, save_indexes=False).segments
    if begin:
        copy.write(f"{DATA}/{_LOG}/{BEGIN}", encode_begin(begin))
    for segment in segments:
        path, size = segment.file.path, segment.index.offset
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
        copy.file(path, f"{DATA}/{_LOG}/{path.name}", size)
    return segments[-1].index.sequence if segments else 0


def _make_empty(folder: Path) -> None:
    """Make a folder, where it is missing. Raises `CopyFailed` where anything is in it."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if any(folder.iterdir()):
        finished = (folder / MANIFEST).exists() or folder.suffix != _PARTIAL
        what = "it is not empty" if finished else "it is left from a restore that was cut short"
        raise CopyFailed(folder, what, "Name a new folder." if finished else "Remove it.")


def _check_name(manifest: Path, name: str) -> None:
    """Raise `BackupUnusable` for a name that leads out of the backup."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or path.parts[:1] == (MANIFEST,):
        raise BackupUnusable(manifest, f"it names {name!r}, which can't be in a backup", "Don't use it.")


@contextmanager
def _telling(folder: Path) -> Iterator[None]:
    """Tell of the disk's errors as one of Fairgate's own."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        named = error.filename if isinstance(error, OSError) else None
        what = (error.strerror if isinstance(error, OSError) else None) or str(error)
        where = Path(named) if isinstance(named, str) else folder
        raise CopyFailed(where, what, "Check the path, its permissions and its room.") from error
