"""A disk of folders that forgets what wasn't synced, and whose user dies at any of the calls that change it.

It watches `os` below one folder, and keeps what a loss of power would leave: each file as it was when it was last
synced, under the names that its folder had when that was.
"""

import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self
from unittest import mock

_CHANGES = ("mkdir", "rename", "unlink", "rmdir")


class Died(Exception):
    """The process was killed before a call to the file system."""


class FailingTree:
    """Watches a folder. Syncing costs nothing while it does: the real calls aren't made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.calls_left: int | None = None
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        self._held: dict[int, int] = {}  # open, so that no other file gets their numbers
        self._patches = [mock.patch.object(os, name, self._watched(getattr(os, name))) for name in _CHANGES]
        self._patches += [mock.patch.object(os, "fsync", self._sync)]

    def __enter__(self) -> Self:
        for patch in self._patches:
            patch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for patch in self._patches:
            patch.stop()
        self._let_go()

    def lose_power(self) -> None:
        """Leave what was synced, and nothing else."""
        calls, self.calls_left = self.calls_left, None
        kept = self.root.with_name(f"{self.root.name}-kept")
        kept.mkdir()
        self._rebuild(self.root.stat().st_ino, kept)
        shutil.rmtree(self.root)
        kept.rename(self.root)
        self._contents, self._names = {}, {}
        self._let_go()
        for path in [self.root, *self.root.rglob("*")]:
            self._remember(path)
        self.calls_left = calls

    def _rebuild(self, inode: int, folder: Path) -> None:
        for name, child in self._names.get(inode, {}).items():
            if child in self._contents:
                (folder / name).write_bytes(self._contents[child])
            elif child in self._names:
                (folder / name).mkdir()
                self._rebuild(child, folder / name)
            else:
                (folder / name).write_bytes(b"")  # never synced: it has its name and nothing in it

    def _count(self) -> None:
        if self.calls_left is not None:
            if self.calls_left == 0:
                raise Died
            self.calls_left -= 1

    def _watched(self, call: Callable[..., None]) -> Callable[..., None]:
        def watched(path: str | Path, *more: object, **named: object) -> None:
            if self.root in (Path(path), *Path(path).parents):
                self._count()
            call(path, *more, **named)

        return watched

    def _sync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        self._count()
        self._remember(path)

    def _remember(self, path: Path) -> None:
        status = path.stat()
        self._hold(path)
        if not stat.S_ISDIR(status.st_mode):
            self._contents[status.st_ino] = path.read_bytes()
            return
        self._names[status.st_ino] = {entry.name: entry.inode() for entry in os.scandir(path)}
        for entry in os.scandir(path):
            self._hold(Path(entry.path))
            if entry.is_dir():
                self._names.setdefault(entry.inode(), {})

    def _hold(self, path: Path) -> None:
        if path.stat().st_ino not in self._held:
            self._held[path.stat().st_ino] = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def _let_go(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)
        self._held.clear()
