"""Snapshots as folders of arrays beside the log."""

import os
import shutil
import zlib
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairgate.backends.embedded.names import sync_directory
from fairgate.ports.snapshots import Snapshot

_KEPT = 2
#: Bytes that are written before they are synced.
_PIECE = 4 << 20
_MANIFEST = "manifest"
_EXTRA = "extra"


class _Array(msgspec.Struct, forbid_unknown_fields=True):
    """An array's shape, and the CRC-32 of its int64s."""

    shape: tuple[int, ...]
    checksum: int


class _Manifest(msgspec.Struct, forbid_unknown_fields=True):
    """What a snapshot's folder holds. Its file begins with a line that is the CRC-32 of the rest."""

    sequence: int
    stamp: str
    arrays: dict[str, _Array]
    extra: int


class FolderSnapshots:
    """Snapshots below a directory, one folder each, the newest two kept. Written under another name, then renamed."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def save(self, snapshot: Snapshot) -> None:
        """Keep a state durably, then drop all but it and the newest before it. Raises OSError where the disk won't."""
        for left in self._directory.glob("*.partial"):
            shutil.rmtree(left)
        final = self._directory / f"{snapshot.sequence:020d}"
        partial = self._directory / f"{final.name}.partial"
        partial.mkdir()
        arrays = {}
        for name, array in snapshot.arrays.items():
            _write(partial / name, array.data)
            arrays[name] = _Array(array.shape, zlib.crc32(array.data))
        _write(partial / _EXTRA, snapshot.extra)
        manifest = _Manifest(snapshot.sequence, snapshot.stamp, arrays, zlib.crc32(snapshot.extra))
        text = msgspec.json.encode(manifest)
        _write(partial / _MANIFEST, _checksum_line(text) + text)
        sync_directory(partial)
        if final.exists():
            shutil.rmtree(final)
        partial.rename(final)
        sync_directory(self._directory)
        folders = self._newest_first()
        at = folders.index(final)
        for old in [*folders[:at], *folders[at + _KEPT :]]:
            shutil.rmtree(old)

    def latest(self, stamp: str, end: int) -> Snapshot | None:
        """The newest whole state whose stamp begins so, and of at most `end`; a damaged one is passed over."""
        for folder in self._newest_first():
            if int(folder.name) <= end:
                snapshot = _load(folder, stamp)
                if snapshot is not None:
                    return snapshot
        return None

    def stamps(self) -> list[tuple[int, str]]:
        """The sequence and stamp of each snapshot, the newest first; one whose manifest is damaged has none."""
        return [(int(folder.name), _stamp(folder)) for folder in self._newest_first()]

    def _newest_first(self) -> list[Path]:
        return sorted((each for each in self._directory.iterdir() if each.name.isdigit()), reverse=True)


def _stamp(folder: Path) -> str:
    try:
        _, _, text = (folder / _MANIFEST).read_bytes().partition(b"\n")
        return msgspec.json.decode(text, type=_Manifest).stamp
    except (OSError, ValueError):  # as in `_load`
        return ""


def _load(folder: Path, stamp: str) -> Snapshot | None:
    """The state in a folder; None where its stamp begins otherwise, or anything in it is not as it was written."""
    try:
        line, _, text = (folder / _MANIFEST).read_bytes().partition(b"\n")
        manifest = msgspec.json.decode(text, type=_Manifest)
        if (line + b"\n", manifest.sequence) != (_checksum_line(text), int(folder.name)):
            return None
        if not manifest.stamp.startswith(stamp):
            return None
        extra = (folder / _EXTRA).read_bytes()
        arrays = {name: _read(folder / name, kept) for name, kept in manifest.arrays.items()}
    except (OSError, ValueError):  # what msgspec and numpy raise about unexpected contents are ValueErrors
        return None
    return Snapshot(manifest.sequence, manifest.stamp, arrays, extra) if zlib.crc32(extra) == manifest.extra else None


def _read(path: Path, kept: _Array) -> NDArray[np.int64]:
    array: NDArray[np.int64] = np.fromfile(path, np.int64)
    if zlib.crc32(array.data) != kept.checksum:
        raise ValueError(path)
    return array.reshape(kept.shape)


def _checksum_line(text: bytes) -> bytes:
    return b"%08x\n" % zlib.crc32(text)


def _write(path: Path, data: bytes | memoryview) -> None:
    """Write and sync a piece at a time: gigabytes at once would hold up whoever else syncs to this disk."""
    held = memoryview(data)
    held = held.cast("B") if held.nbytes else memoryview(b"")  # what is empty can't be cast
    with path.open("wb", buffering=0) as file:
        for start in range(0, held.nbytes, _PIECE):
            file.write(held[start : start + _PIECE])
            os.fdatasync(file.fileno())
        os.fsync(file.fileno())
