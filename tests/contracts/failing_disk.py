"""A disk that forgets what wasn't synced, tears what was being written, and fails when told to.

It watches `os.fsync` and `os.fdatasync` and keeps the state that a loss of power would leave: each file as it was when
it was last synced, under the names its directory had when that was, and some of those it was given or lost since.
"""

import os
import stat
import struct
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest import mock


class DiskFailure(Exception):
    """The disk failed, or the process died, in the middle of a sync, or before a file was renamed or removed."""


def nothing() -> None:
    """Do nothing."""


class FailingDisk:
    """Watches one directory. Syncing costs nothing while it does: the real calls aren't made.

    A step is a sync, a renaming or a removal. When there are no `steps_left`, the next fails.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.steps_left: int | None = None
        self.during_sync: Callable[[], None] = nothing
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        self._patches = [
            *(mock.patch.object(os, name, self._sync) for name in ("fsync", "fdatasync")),
            *(mock.patch.object(os, name, self._before(getattr(os, name))) for name in ("rename", "unlink")),
        ]

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for patch in self._patches:
            patch.stop()

    def lose_power(self, kept: int, flipped: int | None, names: int = 0) -> None:
        """Leave what was synced, and of what was appended since only `kept` bytes of each file.

        With `flipped` this bit of the last frame among those is wrong, too (counted round and round). Of the names that
        have come, gone or passed to another file since their directory was synced, the first is as it was then where
        the lowest bit of `names` is 0, the second where the next is, and so on.
        """
        now = {path.stat().st_ino: path.read_bytes() for path in self.directory.iterdir()}
        names_now = {path.name: path.stat().st_ino for path in self.directory.iterdir()}
        changed = {name for name, _ in self._names.items() ^ names_now.items()}
        for at, name in enumerate(sorted(changed)):
            if names >> at & 1:
                self._names.pop(name, None)
                self._names |= {name: names_now[name]} if name in names_now else {}
        for path in self.directory.iterdir():
            path.unlink()
        for name, inode in self._names.items():
            synced = self._contents.get(inode, b"")
            written = now.get(inode, b"")
            torn = written[len(synced) :][:kept] if written.startswith(synced) else b""
            if torn and flipped is not None:
                torn = _flip(torn, flipped)
            (self.directory / name).write_bytes(synced + torn)
        self._contents = {path.stat().st_ino: path.read_bytes() for path in self.directory.iterdir()}
        self._names = {path.name: path.stat().st_ino for path in self.directory.iterdir()}

    def _sync(self, fd: int) -> None:
        self.during_sync()
        self._step()
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            self._contents[os.fstat(fd).st_ino] = path.read_bytes()
        elif path == self.directory:
            self._names = {entry.name: entry.inode() for entry in os.scandir(path)}

    def _before(self, call: Callable[..., None]) -> Callable[..., None]:
        def stepping(*args: object, **options: object) -> None:
            self._step()
            call(*args, **options)

        return stepping

    def _step(self) -> None:
        if self.steps_left is not None:
            if self.steps_left == 0:
                raise DiskFailure
            self.steps_left -= 1


def _flip(torn: bytes, bit: int) -> bytes:
    last = at = 0
    while at + 16 <= len(torn):
        last, at = at, at + 16 + struct.unpack_from("<I", torn, at)[0]
    last = at if at < len(torn) else last
    place = last + bit // 8 % (len(torn) - last)
    return torn[:place] + bytes([torn[place] ^ 1 << bit % 8]) + torn[place + 1 :]
