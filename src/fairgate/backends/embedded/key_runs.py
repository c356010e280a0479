"""Runs of keys as files of a folder, each named after the numbers that it covers.

A file is a header of a page, pages of 256 keys and their 256 numbers, and the first key of every page. Those first keys
are held in memory, a quarter of a bit a key, so that any key is looked for by reading one page.

A file is written under another name, synced and renamed; then what it covers is unlinked. After a crash in between, the
folder holds both, and opening it ends what was begun. The name may say less than the header: a run that was cut.
"""

import os
import re
import struct
import weakref
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fairgate.backends.embedded.names import sync_directory
from fairgate.domain.errors import RunsDamaged, RunsUnusable
from fairgate.ports.key_runs import KeyRun

_PAGE = 4096
_KEYS = 256
#: Pages that are read or written at a time: a megabyte.
_PIECE = 256
_HEADER = struct.Struct("<8sIIqqqI")  # magic, version, checksum of the pages, first, last, keys, that of the first keys
_CHECKSUM = struct.Struct("<I")
_MAGIC = b"FGATERUN"
_VERSION = 1
_NAME = re.compile(r"([0-9]{20})-([0-9]{20})\.keys")
_PARTIAL = ".partial"
_AGAIN = "It is made again from the log at the next start."
_MEND = "Make room or mend the disk; nothing is lost meanwhile."

Pairs: TypeAlias = tuple[NDArray[np.uint64], NDArray[np.int64]]


class FileRun:
    """See the port. Its file stays open while it is referred to."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.first, self.last = _span(path)
        with _told(path):
            self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            weakref.finalize(self, os.close, self._file)
            head = os.pread(self._file, _PAGE, 0)
            size = os.fstat(self._file).st_size
        if len(head) < _PAGE or _CHECKSUM.unpack_from(head, _PAGE - 4) != (zlib.crc32(head[:-4]),):
            raise self._damaged("its header is not whole")
        magic, version, self._checksum, first, last, self.keys, checksum = _HEADER.unpack_from(head)
        if (magic, version) != (_MAGIC, _VERSION):
            raise self._damaged("it is no run of this version")
        if first != self.first or last < self.last:
            raise self._damaged(f"it was written for the numbers {first} to {last}")
        self._pages = -(-self.keys // _KEYS)
        with _told(path):
            fence = os.pread(self._file, 8 * self._pages, _PAGE * (1 + self._pages))
        if size != _PAGE * (1 + self._pages) + len(fence) or zlib.crc32(fence) != checksum:
            raise self._damaged("it is cut short, or its end is not as it was")
        self._fence: NDArray[np.uint64] = np.frombuffer(fence, np.uint64)

    def find(self, key: int) -> int:
        """See the port."""
        wanted = np.uint64(key)
        stop = int(self._fence.searchsorted(wanted, "right"))
        if not stop:
            return -1
        start = stop - 1
        if self._fence[start] == wanted:  # it may be on the pages before, too
            start = max(0, int(self._fence.searchsorted(wanted)) - 1)
        page = self._read(start, stop)
        if page.find(key.to_bytes(8, "little")) < 0:
            return -1
        keys, numbers = _pairs(page)
        held = numbers[keys == wanted]
        return int(max(held[held < self.last], default=-1))

    def pieces(self) -> Iterator[Pairs]:
        """See the port."""
        checksum = 0
        for start in range(0, self._pages, _PIECE):
            stop = min(start + _PIECE, self._pages)
            data = self._read(start, stop)
            checksum = zlib.crc32(data, checksum)
            keys, numbers = _pairs(data)
            if stop == self._pages:
                rest = self.keys - _KEYS * start
                keys, numbers = keys[:rest], numbers[:rest]
            if numbers.max() >= self.last:  # it was cut
                keys, numbers = keys[numbers < self.last], numbers[numbers < self.last]
            if keys.size:
                yield keys, numbers
        if checksum != self._checksum:
            raise self._damaged("its checksum is wrong")

    def _read(self, start: int, stop: int) -> bytes:
        try:  # not `_told`, which takes as long as the reading
            data = os.pread(self._file, _PAGE * (stop - start), _PAGE * (1 + start))
        except OSError as error:
            raise _unusable(self.path, error) from error
        if len(data) < _PAGE * (stop - start):
            raise self._damaged("it has been cut short")
        return data

    def _damaged(self, what: str) -> RunsDamaged:
        return RunsDamaged(self.path, what, _AGAIN)


class FolderKeyRuns:
    """Runs in a folder, which is made with the first. See the port."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def open(self) -> list[KeyRun]:
        """See the port."""
        with _told(self._directory):
            for left in self._directory.glob(f"*{_PARTIAL}"):
                left.unlink()
            for path in self._paths():
                if path.exists():
                    self._unlink_covered(path)
            return [FileRun(path) for path in self._paths()]

    def save(self, first: int, last: int, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> KeyRun:
        """See the port."""
        return self._write(first, last, [(keys, numbers)])

    def merge(self, runs: Sequence[KeyRun]) -> KeyRun:
        """See the port."""
        return self._write(min(run.first for run in runs), max(run.last for run in runs), _merged(runs))

    def cut(self, last: int) -> None:
        """See the port."""
        with _told(self._directory):
            for path in self._paths():
                first, before = _span(path)
                if first >= last:
                    path.unlink()
                elif before > last:
                    path.rename(path.with_name(_name(first, last)))
            if self._directory.exists():
                sync_directory(self._directory)

    def _write(self, first: int, last: int, pieces: Iterable[Pairs]) -> KeyRun:
        path = self._directory / _name(first, last)
        partial = path.with_name(path.name + _PARTIAL)
        with _told(path):
            if not self._directory.is_dir():
                self._directory.mkdir(parents=True, exist_ok=True)
                sync_directory(self._directory.parent)
            try:
                with partial.open("wb", buffering=0) as file:
                    _fill(file, first, last, pieces)
                partial.rename(path)
            except BaseException:
                with suppress(OSError):  # it says no more than the error that is on its way
                    partial.unlink()
                raise
            sync_directory(self._directory)
            run = FileRun(path)
            self._unlink_covered(path)
        return run

    def _paths(self) -> list[Path]:
        """Those of all runs, by their first numbers."""
        return sorted(path for path in self._directory.glob("*") if _NAME.fullmatch(path.name))

    def _unlink_covered(self, path: Path) -> None:
        """Remove every other run whose numbers are all among those of this one."""
        first, last = _span(path)
        for other in self._paths():
            span = _span(other)
            if first <= span[0] and span[1] <= last and other != path:
                other.unlink()


class _Feed:
    """A run that is being read, as far as it has not been taken yet."""

    def __init__(self, run: KeyRun) -> None:
        self._pieces = run.pieces()
        self.keys: NDArray[np.uint64] = np.zeros(0, np.uint64)
        self._numbers: NDArray[np.int64] = np.zeros(0, np.int64)

    def refill(self) -> bool:
        """Read on, where all is taken; whether there is anything left."""
        if not self.keys.size:
            self.keys, self._numbers = next(self._pieces, (self.keys, self._numbers))
        return self.keys.size > 0

    def take(self, bound: np.uint64) -> Pairs:
        """All that was read, up to a key."""
        count = int(self.keys.searchsorted(bound, "right"))
        taken = self.keys[:count], self._numbers[:count]
        self.keys, self._numbers = self.keys[count:], self._numbers[count:]
        return taken


def _merged(runs: Sequence[KeyRun]) -> Iterator[Pairs]:
    """The keys of several runs, in order."""
    feeds = [_Feed(run) for run in runs]
    while feeds := [feed for feed in feeds if feed.refill()]:
        bound = min(feed.keys[-1] for feed in feeds)  # whatever is read from now on is no less
        taken = [feed.take(bound) for feed in feeds]
        keys = np.concatenate([keys for keys, _ in taken])
        numbers = np.concatenate([numbers for _, numbers in taken])
        order = keys.argsort(kind="stable")
        yield keys[order], numbers[order]


def _fill(file: BinaryIO, first: int, last: int, pieces: Iterable[Pairs]) -> None:
    """Write a whole run, and sync it a piece at a time: much at once would hold up whoever else syncs to this disk."""
    count = checksum = 0
    fences = []
    _write(file, bytes(_PAGE))
    for keys, numbers in _even(pieces):
        pages = np.zeros((-(-keys.size // _KEYS), 2, _KEYS), np.uint64)
        whole = keys.size // _KEYS
        for at, column in enumerate((keys, numbers.view(np.uint64))):
            pages[:whole, at] = column[: whole * _KEYS].reshape(-1, _KEYS)
            pages[whole:, at, : keys.size - whole * _KEYS] = column[whole * _KEYS :]
        fences.append(keys[::_KEYS])
        checksum = zlib.crc32(pages.data, checksum)
        count += keys.size
        _write(file, pages.tobytes())
        os.fdatasync(file.fileno())
    fence = b"".join(each.tobytes() for each in fences)
    _write(file, fence)
    head = _HEADER.pack(_MAGIC, _VERSION, checksum, first, last, count, zlib.crc32(fence)).ljust(_PAGE - 4, b"\0")
    os.pwrite(file.fileno(), head + _CHECKSUM.pack(zlib.crc32(head)), 0)
    os.fsync(file.fileno())


def _even(pieces: Iterable[Pairs]) -> Iterator[Pairs]:
    """The same keys and numbers in pieces of whole pages, but the last."""
    size = _KEYS * _PIECE
    waiting: Pairs = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    for piece in pieces:
        keys, numbers = (np.concatenate(both) for both in zip(waiting, piece, strict=True))
        stop = keys.size - keys.size % size
        for start in range(0, stop, size):
            yield keys[start : start + size], numbers[start : start + size]
        waiting = keys[stop:], numbers[stop:]
    if waiting[0].size:
        yield waiting


def _pairs(data: bytes) -> Pairs:
    """The keys and numbers of some pages."""
    pages = np.frombuffer(data, np.uint64).reshape(-1, 2, _KEYS)
    return pages[:, 0].flatten(), pages[:, 1].flatten().view(np.int64)


def _write(file: BinaryIO, data: bytes) -> None:
    """Write all of it: the system may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]


def _name(first: int, last: int) -> str:
    return f"{first:020d}-{last:020d}.keys"


def _span(path: Path) -> tuple[int, int]:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise ValueError(path)
    return int(match[1]), int(match[2])


@contextmanager
def _told(where: Path) -> Iterator[None]:
    """Tell of what the disk refuses."""
    try:
        yield
    except OSError as error:
        raise _unusable(where, error) from error


def _unusable(where: Path, error: OSError) -> RunsUnusable:
    return RunsUnusable(where, error.strerror or str(error), _MEND)
