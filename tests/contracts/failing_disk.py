"""A disk that forgets what wasn't synced, tears what was being written, and fails when told to.

It watches `os.fsync` and `os.fdatasync` and keeps the state that a loss of power would leave: each file as it was when
it was last synced, under the names its directory had when that was.
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
    """The disk failed, or the process died, in the middle of a sync."""


def nothing() -> None:
    """Do nothing."""


class FailingDisk:
    """Watches one directory. Syncing costs nothing while it does: the real calls aren't made."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.syncs_left: int | None = None
        self.during_sync: Callable[[], None] = nothing
        self._contents: dict[int, bytes] = {}
        self._names: dict[str, int] = {}
        self._patches = [mock.patch.object(os, name, self._sync) for name in ("fsync", "fdatasync")]

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for patch in self._patches:
            patch.stop()

    def lose_power(self, kept: int, flipped: int | None) -> None:
        """Leave what was synced, and of what was appended since only `kept` bytes of each file.

        With `flipped` this bit of the last frame among those is wrong, too (counted round and round).
        """
        now = {path.stat().st_ino: path.read_bytes() for path in self.directory.iterdir()}
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
        if self.syncs_left is not None:
            if self.syncs_left == 0:
                raise DiskFailure
            self.syncs_left -= 1
        path = Path(f"/proc/self/fd/{fd}").readlink()
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            self._contents[os.fstat(fd).st_ino] = path.read_bytes()
        elif path == self.directory:
            self._names = {entry.name: entry.inode() for entry in os.scandir(path)}


def _flip(torn: bytes, bit: int) -> bytes:
    last = at = 0
    while at + 16 <= len(torn):
        last, at = at, at + 16 + struct.unpack_from("<I", torn, at)[0]
    last = at if at < len(torn) else last
    place = last + bit // 8 % (len(torn) - last)
    return torn[:place] + bytes([torn[place] ^ 1 << bit % 8]) + torn[place + 1 :]
