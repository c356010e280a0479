"""Where a log begins, once its oldest records have been dropped, and the removal of what lies below.

The beginning is written down, durably, before a file goes. What lies below it is not looked at any more, so whatever a
crash leaves of it does no harm.
"""

import fcntl
import os
import struct
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TypeVar
from zlib import crc32

from fairgate.backends.embedded.names import sync_directory
from fairgate.backends.embedded.segment_file import SUFFIX, read_at, reading, segment_name
from fairgate.backends.embedded.segment_index import SUFFIX as SIDECAR
from fairgate.domain.errors import LogDamaged, LogError, LogTooNew, LogUnavailable

BEGIN: Final = "begin"
"""The file that says where a log begins. There is none while nothing has been dropped."""

_MAGIC = b"FGATEBEG"
_VERSION = 1
_LAYOUT = struct.Struct("<8sIQ")  # magic, version, sequence; a checksum follows
_CHECKSUM = struct.Struct("<I")
_SEQUENCE_AT = 12
_REMEDY = (
    'Restore the log from a backup; without one, write the file anew as "The beginning" in '
    "docs/reference/log-format.md shows."
)
T = TypeVar("T")


def read_begin(directory: Path) -> int:
    """Return the first sequence that a log holds. Raises `LogUnavailable`, `LogTooNew` or `LogDamaged`."""
    path = directory / BEGIN
    if not path.exists():
        return 0
    with reading(path) as fd:
        data = read_at(path, fd, _LAYOUT.size + _CHECKSUM.size + 1, 0)
    head, checksum = data[: _LAYOUT.size], data[_LAYOUT.size :]
    if checksum != _CHECKSUM.pack(crc32(head)):
        raise LogDamaged(path, 0, "it is not what was written there", _REMEDY)
    magic, version, sequence = _LAYOUT.unpack(head)
    if magic != _MAGIC:
        raise LogDamaged(path, 0, "this is no beginning of a log", _REMEDY)
    if version != _VERSION:
        what = f"its format is version {version}, this program reads version {_VERSION}"
        raise LogTooNew(path, what, "Upgrade Fairgate.")
    return int(sequence)


def encode_begin(sequence: int) -> bytes:
    """Return what stands in the file that says where a log begins."""
    head = _LAYOUT.pack(_MAGIC, _VERSION, sequence)
    return head + _CHECKSUM.pack(crc32(head))


def save_begin(directory: Path, sequence: int) -> None:
    """Write down where a log begins; durable on return. Where this fails, the file is the old or the new one, whole."""
    draft = directory / f"{BEGIN}.tmp"
    with draft.open("wb") as file:
        file.write(encode_begin(sequence))
        file.flush()
        os.fsync(file.fileno())
    draft.rename(directory / BEGIN)
    sync_directory(directory)


def settled(directory: Path, look: Callable[[int], T]) -> T:
    """Return what `look` finds in a log that begins with the sequence it is given.

    Where it fails and the beginning has moved meanwhile, it looks again: what it missed may have been dropped.
    """
    begin = read_begin(directory)
    while True:
        try:
            return look(begin)
        except LogError:
            before, begin = begin, read_begin(directory)
            if begin == before:
                raise


def check_begin(directory: Path, begin: int, end: int) -> None:
    """Check that a log whose segments end before `end` reaches its beginning. Raises `LogDamaged`."""
    if end < begin:
        what = f"the log begins with record {begin}, and its segments end before record {end}"
        raise LogDamaged(directory / BEGIN, _SEQUENCE_AT, what, _REMEDY)


def held_paths(directory: Path, begin: int) -> list[Path]:
    """Return the paths of a log's segments in order, from the one that its beginning is in.

    Raises `LogUnavailable` when the directory can't be listed.
    """
    try:
        paths = sorted(path for path in directory.iterdir() if path.suffix == SUFFIX)
    except OSError as error:
        what = error.strerror or str(error)
        raise LogUnavailable(directory, what, "Check the path and this user's permissions.") from error
    return paths[max(0, bisect_right(paths, directory / segment_name(begin)) - 1) :]


def remove_below(directory: Path, first: int) -> None:
    """Remove the segments before the one that begins with `first`, oldest first, each after its sidecar.

    Does nothing while someone keeps them (`keeping_segments`): whoever drops or opens next removes them. Raises OSError
    or `LogUnavailable`, and can be called again.
    """
    below = [path for path in directory.iterdir() if path.suffix in {SUFFIX, SIDECAR} and path.stem.isdecimal()]
    below = sorted(path for path in below if int(path.stem) < first)
    if not below:
        return
    with reading(directory) as fd:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return
        for path in below:
            path.unlink()
        os.fsync(fd)


@contextmanager
def keeping_segments(directory: Path) -> Iterator[None]:
    """Let every segment that is held stay on disk meanwhile, even if it is dropped: it goes with the next drop then."""
    with reading(directory) as fd:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield
