"""What lies in the data folder: who may read it, whether it is whole, and whether it fits together."""

import os
import stat
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from fairgate.backends.embedded import lake_manifest
from fairgate.backends.embedded.segments import verify
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.errors import SealBroken
from fairgate.domain.event import moment
from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.entrypoints.doctor.finding import WHOLE_LOG, Finding, Installation, bad, ok, warn
from fairgate.pipeline.records import EraseRecord, EventRecord, Record, decode
from fairgate.pipeline.seals import NOBODY
from fairgate.pipeline.state import stamp_of
from fairgate.secret_file import SECRET_VARIABLE, secrets_of
from fairgate.settings import check_log_days
from fairgate.wiring import RECORDS, SUBJECT_KEYS, longest_window, open_seals

#: What only the service itself should read.
_PRIVATE = ("secret", SUBJECT_KEYS, "keys.db", "keys.db-wal", RECORDS, f"{RECORDS}-wal")
#: Sealed records that the secret is tried on.
_TRIED = 100
_LATELY = 10_000
#: Days by which records may be too old: they go a day's worth at a time, when a snapshot is made.
_DAYS_LATE = 3
_RESTORE = "Set it to what it was when the log was written, or restore the file from where it is kept."


def folder(at: Installation) -> Finding:
    """Whether the data folder can be written, and what is secret in it is for its owner alone."""
    data = at.settings.data
    if not data.exists():
        return ok(f"{data} will be made at the first start")
    if not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        return bad(f"{data} can't be read and written by this user", "Change its owner, or run as its owner.")
    private = [data / name for name in _PRIVATE]
    readable = [path for path in private if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077]
    if readable:
        names = " ".join(map(str, readable))
        return bad(f"{names} can be read by others", f"chmod 600 {names}; whoever could read it until now may have it.")
    return ok(f"{data} is this user's to write, and its secrets nobody else's to read")


def log(at: Installation) -> Finding:
    """Whether the log opens and is whole. Raises `LogError` or `RecordUnreadable`."""
    if at.log is None or at.last is None:
        return ok("nothing is recorded yet")
    dropped = f" from number {at.log.begin():,} on" if at.log.begin() else ""
    words = f"{at.log.end() - at.log.begin():,} records{dropped}, {at.log_bytes:,} bytes"
    if at.log_bytes > WHOLE_LOG:
        return ok(f"{words}; it opens. `fairgate log verify {at.settings.data}` reads all of it")
    problems = verify(at.log.directory).problems
    if problems:
        first = problems[0]
        return bad(f"{first.file}, byte {first.offset}: {first.what}", first.remedy)
    if at.log.torn_bytes:
        words += f"; {at.log.torn_bytes:,} bytes of a write that was cut short follow, and go at the next start"
    return ok(f"{words}, all as they were written")


def last_record(at: Installation) -> Finding:
    """When something was last recorded."""
    if at.last is None:
        return ok("nothing is recorded yet")
    age = at.now - at.last.received
    words = f"the last is {length_of(age)} old ({moment(at.last.received):%Y-%m-%d %H:%M:%S} UTC)"
    if age > DAY:
        return warn(words, "Is the door open, and does anybody send? Its metrics say what it refuses.")
    return ok(words)


def clock(at: Installation) -> Finding:
    """The machine's clock against the log's, which never goes back."""
    if at.last is None:
        return ok("nothing is recorded yet")
    ahead = max(record.received for record in _late_records(at)) - at.now
    if ahead > MINUTE:
        remedy = "Set the machine's clock. Until it has caught up, windows end at the log's clock and stand still."
        return bad(f"the log's clock is {length_of(ahead)} ahead of the machine's", remedy)
    return ok("not behind the log's")


def secret(at: Installation) -> Finding:
    """Whether there is a secret, and it is the one that the log was written with. Raises `BadSettings`."""
    data = at.settings.data
    if at.last is None:
        return ok("made at the first start, unless the environment has it")
    versions = secrets_of(data, make=False).versions
    words = f"version {max(versions)} is used" if len(versions) > 1 else "it is there"
    if not (data / SUBJECT_KEYS).exists():
        return bad(f"there is no {data / SUBJECT_KEYS}", "Restore it from the backup of this log.")
    with open_seals(data) as seals:
        for record in islice(_sealed(at), _TRIED):
            if record.sealed[0] not in versions:
                return bad(f"version {record.sealed[0]} of {SECRET_VARIABLE} is gone, and records need it", _RESTORE)
            try:
                seals.open(record.key, record.sealed)
            except SealBroken:
                return bad(f"{SECRET_VARIABLE} or {SUBJECT_KEYS} is not what the log was written with", _RESTORE)
    return ok(f"{words}, and opens what is sealed")


def snapshot(at: Installation) -> Finding:
    """How much of the log a start has to read."""
    if at.log is None or at.last is None:
        return ok("nothing is recorded yet")
    directory, end = at.settings.data / "snapshots", at.log.end()
    mine, begin = stamp_of(at.checked.pack.digest), at.log.begin()
    stamps = FolderSnapshots(directory).stamps() if directory.is_dir() else []
    held = [(sequence, stamp) for sequence, stamp in stamps if begin < sequence <= end]
    start = next((sequence for sequence, stamp in held if stamp.startswith(mine)), begin)
    behind = end - start
    if begin and not held:
        remedy = "Restore one from a backup. Without it, what looks back for ever begins anew at the next start."
        return bad("there is none, and the log's old records are dropped", remedy)
    if start > begin:
        words = f"the newest that fits is of record {start:,}: a start reads the {behind:,} after it"
    else:
        words = f"none fits {'this pack and version' if stamps else 'yet'}: a start reads all {behind:,} records"
    if behind > 2 * at.settings.door.snapshot_events:
        return warn(
            words, "Stop the door in good order once (SIGTERM): that makes one. See its log for why none is made."
        )
    return ok(words)


def erased(at: Installation) -> Finding:
    """Whether what was erased can be read no more."""
    if at.log is None or at.last is None or not (at.settings.data / SUBJECT_KEYS).exists():
        return ok("nothing is recorded yet")
    start = at.log.begin() if at.log_bytes <= WHOLE_LOG else max(at.log.begin(), at.log.end() - _LATELY)
    records = (decode(at_, raw) for at_, raw in at.log.read(start) if raw[1:7] == b"\xa5erase")
    numbers = {record.key for record in records if isinstance(record, EraseRecord) and record.key != NOBODY}
    with closing(FileSubjectKeys(at.settings.data / SUBJECT_KEYS, writable=False)) as keys:
        left = [number for number in numbers if keys.get(number) is not None]
    if left:
        return bad(
            f"{len(left):,} of {len(numbers):,} erased accounts can still be read", "Restart the door: it erases them."
        )
    return ok(f"{len(numbers):,} accounts were erased and can't be read")


def lake(at: Installation) -> Finding:
    """How far the lake is behind the log. Raises `LakeDamaged` and its kin."""
    where = at.settings.data / "lake"
    if not at.settings.desk.enabled:
        return ok("the desk, which keeps it, is switched off")
    if at.log is None or not (where / lake_manifest.MANIFEST).exists():
        return ok("there is none yet; the desk makes it")
    covered = lake_manifest.read(where).sequence
    end = at.end_for(covered)
    if covered > end:
        remedy = f"Delete {where}: it is made again from what the log has."
        return bad(f"it goes to record {covered:,}, and the log only to {end:,}", remedy)
    if covered < at.log.begin():
        what = f"it goes to record {covered:,}, and the log has dropped what came before {at.log.begin():,}"
        return bad(what, "Restore the lake from a backup, or live without the events between.")
    behind = end - covered
    words = f"{behind:,} of {end:,} records are not in it yet"
    if behind and at.now - decode(covered, at.log.get(covered)).received > HOUR:
        return warn(f"{words}, the oldest for over an hour", "Is the desk running? Its log says what keeps it.")
    return ok(words)


def age(at: Installation) -> Finding:
    """Whether the log drops what is older than it is to be kept. Raises `BadSettings`."""
    days = at.settings.log.days
    if days is None:
        return ok("its records are kept for ever: [log] days is not set")
    check_log_days(at.settings, longest_window(at.checked))
    if at.last is None:
        return ok("nothing is recorded yet")
    oldest = (at.now - at.first().received) // DAY
    words = f"its oldest record is {oldest:,} days old; they are kept for {days}"
    if oldest <= days + _DAYS_LATE:
        return ok(words)
    remedy = "They go after a snapshot, once lake and clerk have them: see `snapshot`, `lake`, `records`."
    return warn(words, remedy)


def leftovers(at: Installation) -> Finding:
    """What an upgrade or a restore has left behind."""
    data = at.settings.data
    left = sorted(path.name for path in data.glob("log.*")) if data.is_dir() else []
    if left:
        remedy = "`fairgate upgrade` ends one that was cut short; with `--remove-old` it removes the old log."
        return warn(f"{data} holds {', '.join(left)}", remedy)
    return ok("nothing is left of an upgrade")


def _late_records(at: Installation) -> Iterator[Record]:
    """The last records of the log."""
    if at.log is not None:
        for sequence, raw in at.log.read(max(at.log.begin(), at.log.end() - _LATELY)):
            yield decode(sequence, raw)


def _sealed(at: Installation) -> Iterator[EventRecord]:
    """The sealed ones among them."""
    for record in _late_records(at):
        if isinstance(record, EventRecord) and record.key != NOBODY:
            yield record


def length_of(time: int) -> str:
    """A length of time, in microseconds, in words."""
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if time >= 2 * unit:
            return f"{time // unit} {name}"
    return f"{max(0, time // SECOND)} s"
