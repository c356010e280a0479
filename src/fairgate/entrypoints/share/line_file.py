"""A file of lines that are on disk before they count. One process has it at a time."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from fairgate.backends.embedded.names import sync_directory
from fairgate.domain.errors import SharesUnusable

_ANOTHER = "Each sidecar counts by itself, so two would give everything twice: stop that one, or set `data` to another."
_REMEDY = "Mend or restore the file; moved away, all that was set by hand is gone, and what decisions came to."
_FLAGS: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class LineFile:
    """The lines, and the end to append to. Raises `SharesUnusable`.

    A last line that a crash cut short is cut off at the start: it was never acknowledged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._new = path.with_name(f"{path.name}.new")
        #: Lines that were taken out, for whoever wants to know; nothing reads them.
        self._past = path.with_name(f"{path.stem}.past{path.suffix}")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, _FLAGS, 0o600)
        except OSError as error:
            raise self.unusable(error.strerror or str(error)) from error
        try:
            self._lock()
            self._mend()
            # Who was killed before a sync may have left lines that only memory has; what is read now must stay.
            os.fsync(self._file)
            self._new.unlink(missing_ok=True)
            for folder in (path.parent, path.parent.parent):  # either may be new
                sync_directory(folder)
        except BlockingIOError:
            os.close(self._file)
            raise SharesUnusable(path, "another sidecar uses it", _ANOTHER) from None
        except OSError as error:
            os.close(self._file)
            raise self.unusable(error.strerror or str(error)) from error

    def __iter__(self) -> Iterator[bytes]:
        with self.path.open("rb") as file:
            yield from file

    def append(self, lines: Sequence[bytes]) -> None:
        """Write lines down, all of them or none; they are on disk when this returns. One thread at a time."""
        text = b"".join(lines)
        try:
            if os.fstat(self._file).st_size != self._whole:  # what failed before could not be cut off
                os.ftruncate(self._file, self._whole)
            written = os.write(self._file, text)
            if written == len(text):
                os.fsync(self._file)
        except OSError as error:
            self._cut()
            raise self.unusable(error.strerror or str(error)) from error
        if written < len(text):
            self._cut()
            raise self.unusable("the disk is full")
        self._whole += written

    def replace(self, lines: Sequence[bytes], past: Sequence[bytes]) -> None:
        """Have these lines from now on, and put others with those that were taken out before.

        Killed at any moment, the file has the old lines or the new ones, whole; lines in `past` may be put there twice.
        Raises OSError where there is no room for it: then all is as it was, and can go on.
        """
        if past:
            _write_file(self._past, past)
        new = os.open(self._new, _FLAGS | os.O_TRUNC, 0o600)
        try:
            fcntl.flock(new, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _write(new, lines)
            self._new.rename(self.path)
        except BaseException:
            os.close(new)
            raise
        os.close(self._file)
        self._file = new
        self._whole = os.fstat(new).st_size
        try:
            sync_directory(self.path.parent)
        except OSError as error:
            # Who loses power now may find the old file again, without what would be appended to this one.
            raise self.unusable(error.strerror or str(error)) from error

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def unusable(self, what: str) -> SharesUnusable:
        """The error of a file that can't be used."""
        return SharesUnusable(self.path, what, _REMEDY)

    def _lock(self) -> None:
        """Have the file alone. Raises BlockingIOError where another process has it, or has just put another there."""
        fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if not os.path.samestat(os.fstat(self._file), self.path.stat()):
            raise BlockingIOError

    def _mend(self) -> None:
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            whole = os.pread(self._file, size, 0).rfind(b"\n") + 1
            os.ftruncate(self._file, whole)
        #: Bytes of whole lines, which are on disk.
        self._whole = os.fstat(self._file).st_size

    def _cut(self) -> None:
        """What could not be written whole must not stand before the next line, nor be read at a start."""
        with suppress(OSError):
            os.ftruncate(self._file, self._whole)


def _write_file(path: Path, lines: Sequence[bytes]) -> None:
    file = os.open(path, _FLAGS, 0o600)
    try:
        _write(file, lines)
    finally:
        os.close(file)


def _write(file: int, lines: Sequence[bytes]) -> None:
    """Write lines, however many, and see them to the disk."""
    text = memoryview(b"".join(lines))
    while text:
        text = text[os.write(file, text) :]
    os.fsync(file)
