"""`fairgate upgrade`: a data folder written by an older Fairgate becomes one that this version goes on with.

    log              the log; after the exchange, the new one
    log.upgrading    the new log while it is made; after the exchange, for a moment, the old one
    log.format-1     the old log, until `--remove-old`

The new log takes the old one's place in one step, so that a service finds one of the two whenever it is started. Where
an upgrade is cut short, the next begins again, or ends what is left to do.
"""

import ctypes
import os
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from fairgate.backends.embedded.names import sync_directory
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segments import SegmentLog, open_log
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.errors import BadRequest, CopyFailed, LogTooNew
from fairgate.kernel.rows import Rows
from fairgate.pipeline.records import FORMAT
from fairgate.pipeline.seals import Seals
from fairgate.pipeline.upgrade import FROM, Upgrade, format_of
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings
from fairgate.wiring import SUBJECT_KEYS, checked_from

Echo = Callable[[str], object]

#: Records that become durable at a time.
_TOGETHER = 10_000
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def run(settings: Settings, echo: Echo, *, remove_old: bool) -> int:
    """Upgrade the log of a data folder; 0 when it is of this version, whether or not anything had to be done.

    Raises `LogLocked` while a door is running, `LogTooNew`, `UpgradeImpossible`, `CopyFailed`, and what reading and
    writing a log raises. The log is as it was then.
    """
    data = settings.data
    log, new, old = data / "log", data / "log.upgrading", data / f"log.format-{FROM}"
    if not any(log.glob("*.log")):
        raise BadRequest(f"There is no log in {log}: check --data or --config.")
    with closing(SegmentLog.open(log)) as current:
        found = _format(current)
        if found > FORMAT:
            what = f"its records have format {found}, this Fairgate reads {FORMAT}"
            raise LogTooNew(log, what, "Use the Fairgate that wrote it, or a newer one.")
        if found == FROM:
            _upgrade(data, current, new, old, echo)
    _end(new, old, echo)
    if remove_old and old.exists():
        shutil.rmtree(old)
        echo(f"{old} is removed")
    elif old.exists():
        echo(f"the old log stays in {old}; in it personal data stands in the clear: `fairgate upgrade --remove-old`")
    if found == FORMAT:
        echo(f"{log} has format {FORMAT}: nothing is to be upgraded")
    return 0


def _upgrade(data: Path, current: SegmentReader, new: Path, old: Path, echo: Echo) -> None:
    """Write the new log, compare it with the old one, and put it in its place."""
    if old.exists():
        raise CopyFailed(old, "it is left from an earlier upgrade", "Move it away: the old log is to go there.")
    shutil.rmtree(new, ignore_errors=True)
    keys_file = data / SUBJECT_KEYS
    keys_file.unlink(missing_ok=True)  # format 1 has none: it is left from an attempt
    secrets = secrets_of(data, make=False)
    with closing(FileSubjectKeys(keys_file)) as keys:
        upgrade = Upgrade(checked_from, secrets, Seals(keys, secrets), Rows)
        with open_log(new) as written:
            for record in upgrade.upgraded(current.read()):
                if (written.append(record) + 1) % _TOGETHER == 0:
                    written.commit()
            written.commit()
            echo(f"{written.end():,} records are turned into format {FORMAT}")
            same = upgrade.compare(current.read(), written.read())
    echo(f"{same:,} records compared: the same events, decisions and features")
    echo("what is hashed is keyed otherwise now: made again, older canary draws and estimated counts may differ")
    _exchange(data / "log", new)


def _end(new: Path, old: Path, echo: Echo) -> None:
    """What is left after the exchange, now or at an earlier time: the old log gets its name."""
    if not new.exists():
        return
    with closing(SegmentReader.open(new)) as left:
        is_old = _format(left) == FROM
    if is_old:
        shutil.rmtree(new.parent / "snapshots", ignore_errors=True)  # they fit no log now, and have lists in the clear
        new.rename(old)
        echo(f"the old log is {old}")
    else:
        shutil.rmtree(new)
    sync_directory(new.parent)


def _format(log: SegmentReader) -> int:
    """The format of a log's records; this version's, where it has none."""
    return format_of(log.get(log.begin())) if log.end() else FORMAT


def _exchange(one: Path, other: Path) -> None:
    """Let two folders have each other's name, in one step. Raises `CopyFailed` where the file system can't."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.renameat2(_AT_FDCWD, os.fsencode(one), _AT_FDCWD, os.fsencode(other), _RENAME_EXCHANGE):
        what = f"it can't change places with {other}: {os.strerror(ctypes.get_errno())}"
        raise CopyFailed(one, what, "Copy the data folder to another file system, and upgrade it there.")
    sync_directory(one.parent)
