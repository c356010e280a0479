"""What was said of accounts and capacities by hand: a file of lines that is read again at every start.

A line is on disk before what it says counts, and nothing in the file is ever changed: it is the record of who set which
ceiling, when and why.
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import msgspec

from fairgate.domain.errors import SharesUnusable
from fairgate.domain.event import moment
from fairgate.ports.clock import Clock
from fairgate.share import Share, Standing

FORMAT = 1
_ANOTHER = "Each sidecar counts by itself, so two would give everything twice: stop that one, or set `data` to another."
_REMEDY = "Mend or restore the file; moved away, all ceilings and trust that were set by hand are gone."


class Said(msgspec.Struct, frozen=True, tag="principal", tag_field="what"):
    """What is known of an account, said by somebody for a reason."""

    time: str
    by: str
    reason: str
    account: str
    version: int
    standing: Standing
    format: int = FORMAT


class Resized(msgspec.Struct, frozen=True, tag="capacity", tag_field="what"):
    """A pool's capacity, said by somebody for a reason, while the settings said `instead_of`."""

    time: str
    by: str
    reason: str
    pool: str
    capacity: float
    instead_of: float
    format: int = FORMAT


Line: TypeAlias = Said | Resized


class Standings:
    """The file's lines, and the end to append to. One process has it at a time. Raises `SharesUnusable`."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._decoder = msgspec.json.Decoder(Line)
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error.strerror or str(error)) from error
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._mend()
        except BlockingIOError:
            os.close(self._file)
            raise SharesUnusable(path, "another sidecar uses it", _ANOTHER) from None
        except OSError as error:
            os.close(self._file)
            raise self._unusable(error.strerror or str(error)) from error
        #: The version in place, by account.
        self.versions: dict[str, int] = {}

    def restore(self, share: Share) -> int:
        """Say all of it to a share; returns how many lines there were.

        A capacity counts as long as the settings say what they said when it was set.
        """
        count = 0
        configured = {name: stock.pool.capacity for name, stock in share.stocks.items()}
        for line in self._lines():
            count += 1
            if isinstance(line, Said):
                if share.set_principal(line.account, line.standing, line.version):
                    self.versions[line.account] = line.version
            elif configured.get(line.pool) == line.instead_of:
                share.set_capacity(line.pool, line.capacity)
        return count

    def append(self, line: Line) -> None:
        """Write a line down; it is on disk when this returns. One thread at a time. Raises `SharesUnusable`."""
        text = msgspec.json.encode(line) + b"\n"
        size = os.fstat(self._file).st_size
        try:
            written = os.write(self._file, text)
            os.fsync(self._file)
        except OSError as error:
            self._cut(size)
            raise self._unusable(error.strerror or str(error)) from error
        if written < len(text):
            self._cut(size)
            raise self._unusable("the disk is full")

    def now(self) -> str:
        """The time as lines have it."""
        return moment(self._clock.now()).isoformat()

    def close(self) -> None:
        """Let the file go."""
        os.close(self._file)

    def _mend(self) -> None:
        """Cut off a last line that a crash cut short: it was never acknowledged."""
        size = os.fstat(self._file).st_size
        if size and os.pread(self._file, 1, size - 1) != b"\n":
            whole = os.pread(self._file, size, 0).rfind(b"\n") + 1
            os.ftruncate(self._file, whole)

    def _cut(self, size: int) -> None:
        """What could not be written whole must not stand before the next line."""
        with suppress(OSError):
            os.ftruncate(self._file, size)

    def _lines(self) -> Iterator[Line]:
        with self._path.open("rb") as file:
            for number, text in enumerate(file, 1):
                try:
                    yield self._decoder.decode(text)
                except (msgspec.DecodeError, ValueError) as error:
                    raise self._unusable(f"line {number} is not as it was written") from error

    def _unusable(self, what: str) -> SharesUnusable:
        return SharesUnusable(self._path, what, _REMEDY)
