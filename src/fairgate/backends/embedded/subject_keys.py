"""Subject keys in one file of 32-byte slots, made ahead and overwritten with zeros when they are erased.

The file begins with a header of 32 bytes; the key of number n stands at 32 * (n + 1). Keys are made by the thousand and
synced before any of them is used, so a new subject costs no disk write of its own.
"""

import os
import secrets
from pathlib import Path

from fairgate.backends.embedded.names import sync_directory
from fairgate.domain.errors import KeysUnusable

_SLOT = 32
_HEADER = (b"FGATEKEY" + (1).to_bytes(4, "little")).ljust(_SLOT, b"\0")
_ERASED = bytes(_SLOT)
#: Keys that are made at a time: half a megabyte, written and synced in milliseconds.
_CHUNK = 1 << 14


class FileSubjectKeys:
    """Keys in a file, which a writer makes where there is none. Raises `KeysUnusable`.

    Without `writable` none are made or erased, and a number without a slot has no key.
    """

    def __init__(self, path: Path, *, writable: bool = True) -> None:
        self._path = path
        self._writable = writable
        try:
            self._file = _opened(path, writable=writable)
        except OSError as error:
            raise KeysUnusable(path, error.strerror or str(error), "Restore it from the backup of this log.") from error
        self._made = self._slots()

    def close(self) -> None:
        """Close the file. Nothing is pending: every key was synced before it was used."""
        os.close(self._file)

    def get(self, number: int) -> bytes | None:
        """See the port."""
        if number >= self._made:
            self._made = self._slots()
        try:
            if number >= self._made and self._writable:
                self._make(number)
            slot = os.pread(self._file, _SLOT, _SLOT * (number + 1))
        except OSError as error:
            raise KeysUnusable(self._path, error.strerror or str(error), _FREE) from error
        return slot if len(slot) == _SLOT and slot != _ERASED else None

    def erase(self, numbers: list[int]) -> None:
        """See the port."""
        try:
            for number in numbers:
                if number < self._made:
                    _write(self._file, _ERASED, _SLOT * (number + 1))
            os.fsync(self._file)
        except OSError as error:
            raise KeysUnusable(self._path, error.strerror or str(error), "Erase again.") from error

    def _make(self, number: int) -> None:
        """Make keys up to a number, and some ahead. A slot counts only when it is whole and synced."""
        new = number + _CHUNK - self._made
        _write(self._file, secrets.token_bytes(_SLOT * new), _SLOT * (self._made + 1))
        os.fsync(self._file)
        self._made += new

    def _slots(self) -> int:
        return max(0, os.fstat(self._file).st_size // _SLOT - 1)


_FREE = "Make room or repair the disk; nothing personal is recorded without a key."


def _opened(path: Path, *, writable: bool) -> int:
    """The file, open, with its header read or written."""
    if writable:
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT if writable else os.O_RDONLY, 0o600)
    try:
        _check_header(path, descriptor, writable=writable)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _check_header(path: Path, descriptor: int, *, writable: bool) -> None:
    header = os.pread(descriptor, _SLOT, 0)
    if writable and len(header) < _SLOT:  # new, or its making was cut short: no key can have been used
        _write(descriptor, _HEADER, 0)
        os.fsync(descriptor)
        sync_directory(path.parent)
    elif header != _HEADER:
        raise KeysUnusable(path, "it is no file of keys of this version", "Restore it from the backup of this log.")


def _write(descriptor: int, data: bytes, offset: int) -> None:
    """Write all of it: the system may take less at a time."""
    view = memoryview(data)
    while view:
        done = os.pwrite(descriptor, view, offset)
        view, offset = view[done:], offset + done
