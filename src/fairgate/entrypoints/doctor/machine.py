"""What the machine gives: a Python, a place for compiled code, a disk with room that is fast enough."""

import os
import platform
import shutil
import statistics
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from fairgate import __version__
from fairgate.domain.windows import DAY, HOUR
from fairgate.entrypoints.doctor.finding import Finding, Installation, bad, ok, warn
from fairgate.kernel.compiled import kept_in
from fairgate.settings import check_retention

_GIB = 1 << 30
#: Writes that are measured.
_WRITES = 50
#: Days of growth that should be free.
_DAYS_WARN, _DAYS_BAD = 30, 3
#: A commit that is slower eats into callers' deadlines.
_SLOW_MS = 50


def kernel(_: Installation) -> Finding:
    """Python, and whether what is compiled at the first start is there at the next."""
    here = f"Fairgate {__version__}, Python {platform.python_version()}"
    folder = kept_in()
    if folder is None:
        remedy = "Set NUMBA_CACHE_DIR to a folder that this user may write to; until then each start compiles for 10 s."
        return warn(f"{here}; what is compiled can't be kept", remedy)
    return ok(f"{here}; compiled code is kept in {folder}")


def pack(at: Installation) -> Finding:
    """The pack, and what the settings say of its event types. Raises `PackError` or `BadSettings`."""
    found = at.checked.pack
    check_retention(at.settings, found.event_types)
    return ok(f"{found.name} {found.version}: {len(found.rules)} rules over {len(found.event_types)} event types")


def room(at: Installation) -> Finding:
    """Free disk space, against what the log and the lake have grown by in a day."""
    folder = _existing(at.settings.data)
    free = shutil.disk_usage(folder).free
    least = 2 * (at.settings.log.segment_megabytes << 20)
    if free < least:
        remedy = "Make room now: a full disk stops the recording of decisions."
        return bad(f"{_size(free)} are free, less than two segments of the log", remedy)
    days = _days_of_log(at)
    if days is None:
        return ok(f"{_size(free)} are free; a day's growth is not known yet")
    used = at.log_bytes + _bytes(path for path in (at.settings.data / "lake").rglob("*.parquet"))
    left = free / (used / days)
    words = f"{_size(free)} are free, for {left:,.0f} days at {_size(used / days)} a day"
    remedy = "Make room, or set [log] days, and [retention] for the event types that need not be kept that long."
    if left < _DAYS_WARN:
        return (bad if left < _DAYS_BAD else warn)(words, remedy)
    return ok(words)


def sync(at: Installation) -> Finding:
    """How long the disk takes to make a small write durable: a decision waits for that."""
    times = sorted(_synced(_existing(at.settings.data)))
    p50, p99 = statistics.median(times), times[-1]
    words = f"fdatasync takes {p50:.1f} ms at p50, {p99:.1f} ms at p99 ({_WRITES} writes)"
    deadline = min([site.deadline_ms for site in at.settings.call_site.values()], default=1_000)
    if p99 > deadline / 2 or p50 > _SLOW_MS:
        remedy = f"Use a faster disk, or longer deadlines: the shortest is {deadline} ms, and then `fail` is answered."
        return warn(words, remedy)
    return ok(words)


def _synced(folder: Path) -> Iterable[float]:
    """Milliseconds of each of some small durable writes."""
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(_WRITES):
            file.write(bytes(512))
            file.flush()
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            yield 1_000 * (time.perf_counter() - begun)


def _days_of_log(at: Installation) -> float | None:
    """The time from the log's first record to its last; None where it is too short to say anything."""
    if at.log is None or at.last is None:
        return None
    length = at.last.received - at.first().received
    return length / DAY if length >= HOUR else None


def _existing(folder: Path) -> Path:
    """The folder, or the nearest above it that there is."""
    folder = folder.absolute()
    return next(each for each in (folder, *folder.parents) if each.is_dir())


def _bytes(paths: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in paths)


def _size(count: float) -> str:
    return f"{count / _GIB:,.1f} GiB" if count >= _GIB / 10 else f"{count / (1 << 20):,.1f} MiB"
