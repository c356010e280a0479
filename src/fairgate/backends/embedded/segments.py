"""The event log as segments on disk, for one writer and any number of readers on the same machine.

`open_log` opens one, `verify` checks one.
"""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, Self

from fairgate.backends.embedded import segment_begin, segment_index
from fairgate.backends.embedded.names import sync_directory
from fairgate.backends.embedded.segment_file import FIRST_OFFSET
from fairgate.backends.embedded.segment_held import Held, Segment, load_segments, segment_of
from fairgate.backends.embedded.segment_reader import LOCK, SegmentReader, publish
from fairgate.backends.embedded.segment_verify import Problem, VerifyReport, verify
from fairgate.backends.embedded.segment_writer import SegmentWriter, probe_disk
from fairgate.domain.errors import LogBroken, LogLocked, LogUnavailable, NoSuchRecord, RecordTooLarge
from fairgate.ports.event_log import MAX_RECORD_BYTES

__all__ = ["SEGMENT_BYTES", "Problem", "SegmentLog", "VerifyReport", "open_log", "verify"]

SEGMENT_BYTES: Final = 256 * 1024 * 1024
_MAX_SEGMENT_BYTES: Final = 1024 * 1024 * 1024


class SegmentLog(SegmentReader):
    """An event log opened for writing: it holds the directory's lock until it is closed.

    `append` only puts the record on a list; frames and checksums are made by the thread that commits. `torn_bytes` is
    what was cut off at the end on opening: a write that a crash had cut short, and that nobody had been told was
    durable. Not for use on both sides of a fork.
    """

    def __init__(self, lock: int, held: Held, writer: SegmentWriter) -> None:
        super().__init__(writer.file.path.parent, held)
        self._lock = lock
        self._writer = writer
        self._appending = threading.Lock()  # guards the pending records and the segments; held for moments only
        self._pending: list[bytes] = []
        self._flushing: list[bytes] = []
        self._base = self._durable  # the sequence of the first pending record, behind those being flushed
        self._failure: BaseException | None = None
        self._committing = threading.Lock()  # guards the writer; held while the disk works
        self._dropping = threading.Lock()  # guards the beginning; held while files go, and taken before the others

    @classmethod
    def open(cls, directory: Path, segment_bytes: int = SEGMENT_BYTES) -> Self:
        """Lock the directory, made where it is missing, cut off a torn tail, and remove what a crash left of a drop.

        Raises `LogLocked`, `LogUnavailable`, `LogTooNew` or `LogDamaged`.
        """
        if not FIRST_OFFSET < segment_bytes <= _MAX_SEGMENT_BYTES:
            message = (
                f"segment_bytes is {segment_bytes}, but must be above {FIRST_OFFSET}, at most {_MAX_SEGMENT_BYTES}"
            )
            raise ValueError(message)
        try:
            _make_directory(directory)
            with ExitStack() as undo:
                lock = _lock(directory)
                undo.callback(os.close, lock)
                for draft in directory.glob("*.tmp"):
                    draft.unlink()
                held = load_segments(directory, segment_begin.read_begin(directory), save_indexes=True)
                if held.segments:
                    sync_directory(directory)
                    segment_begin.remove_below(directory, held.segments[0].index.first)
                    writer = SegmentWriter.resume(held.segments[-1].file, held.segments[-1].index, segment_bytes)
                else:
                    writer = SegmentWriter.create(directory, 0, 0, segment_bytes)
                    held.segments.append(Segment(writer.file, writer.index))
                publish(lock, writer.index.sequence)
                undo.pop_all()
        except OSError as error:
            remedy = "Check the path, this user's permissions, and that the disk has room and is well."
            raise LogUnavailable(directory, str(error), remedy) from error
        return cls(lock, held, writer)

    def append(self, record: bytes) -> int:
        """Take the next sequence number for `record` and return it; the record is pending."""
        if len(record) > MAX_RECORD_BYTES:
            raise RecordTooLarge(len(record), MAX_RECORD_BYTES)
        with self._appending:
            if self._closed or self._failure:
                self._check_usable()
            pending = self._pending
            pending.append(record)
            return self._base + len(pending) - 1

    def commit(self) -> int:
        """Make everything appended before this call durable, and return the first sequence that isn't durable."""
        wanted = self.end()
        with self._committing:
            self._check_usable()
            if self._durable < wanted:
                self._flush()
            return self._durable

    def drop(self, before: int) -> None:
        """Forget the records below `before`, durably.

        Segments that hold no others are removed, once the beginning is written down; commits go on meanwhile. Called
        again with the same number it removes those that couldn't be removed the first time.
        """
        with self._dropping:
            self._check_usable()
            if not self._begin <= before <= self._durable:
                message = f"can't drop the records below {before}: {self._begin} to {self._durable} is possible"
                raise ValueError(message)
            try:
                if before > self._begin:
                    segment_begin.save_begin(self.directory, before)
                with self._appending:
                    self._begin = before
                    self._segments = self._segments[segment_of(self._segments, before) :]
                segment_begin.remove_below(self.directory, self._segments[0].index.first)
            except OSError as error:
                remedy = "Nothing is lost, and the log goes on. Check the disk and this user's permissions."
                raise LogUnavailable(self.directory, str(error), remedy) from error

    def get(self, sequence: int) -> bytes:
        """Return one record, durable or pending. Raises `NoSuchRecord` for one not yet given, or dropped."""
        with self._appending:
            self._check_usable()
            end = self._base + len(self._pending)
            if not self._begin <= sequence < end:
                raise NoSuchRecord(sequence, end, self._begin)
            if sequence >= self._base:
                return self._pending[sequence - self._base]
            if sequence >= self._durable:
                return self._flushing[sequence - self._durable]
        return super().get(sequence)

    def end(self) -> int:
        """Return the sequence that the next record will get."""
        with self._appending:
            self._check_usable()
            return self._base + len(self._pending)

    def refresh(self) -> int:
        """Return the first sequence that isn't durable: who writes a log knows all of it."""
        self._check_usable()
        return self._durable

    def close(self) -> None:
        """Commit what is pending and release the lock. Closing twice is harmless."""
        with self._dropping, self._committing:
            with self._appending:
                if self._closed:
                    return
                self._closed = True
            try:
                if self._failure:
                    raise self._broken(self._failure) from self._failure
                self._flush()
            finally:
                self._writer.close()
                os.close(self._lock)

    def reopen(self) -> Self:
        """Close this log, after a failed write or not, and open it again if the disk is well.

        After a failed sync the kernel may show what never reached the disk. So all that was written since the last sync
        that worked is cut off: no commit has covered it. Raises as `open` does; it may be called again then.
        """
        try:
            with self._committing:
                if not (self._closed or self._failure):
                    self._flush()
        except LogBroken:
            pass  # as it may have been before: what follows mends that
        try:
            with self._committing:
                if self._failure and not self._closed:
                    probe_disk(self.directory)
                    self._writer.cut()
        except OSError as error:
            remedy = "Make room or mend the disk."
            raise LogUnavailable(self.directory, str(error), remedy) from error
        with suppress(LogBroken):  # that is known
            self.close()
        return type(self).open(self.directory, self._writer.limit)

    def _flush(self) -> None:
        try:
            with self._appending:
                self._flushing, self._pending = self._pending, []
                self._base += len(self._flushing)
            done = self._writer.write(self._flushing, 0)
            while done < len(self._flushing):
                self._roll_over()
                done = self._writer.write(self._flushing, done)
            with self._appending:
                self._durable, self._flushing = self._base, []
            publish(self._lock, self._durable)
        except BaseException as error:
            # Also for an interrupt: what it left on disk is as unknown as after a failed write.
            self._failure = error
            if isinstance(error, OSError):
                raise self._broken(error) from error
            raise

    def _roll_over(self) -> None:
        full = self._writer
        segment_index.save(full.file, full.index)
        self._writer = SegmentWriter.create(self.directory, full.index.sequence, full.index.checksum, full.limit)
        full.close()
        with self._appending:
            self._segments.append(Segment(self._writer.file, self._writer.index))

    def _check_usable(self) -> None:
        super()._check_usable()
        if self._failure:
            raise self._broken(self._failure) from self._failure

    def _broken(self, failure: BaseException) -> LogBroken:
        remedy = (
            "Make room or mend the disk, then start again. After an input/output error restart the machine first: "
            "its memory may show what never reached the disk."
        )
        return LogBroken(self.directory, str(failure) or type(failure).__name__, remedy)


@contextmanager
def open_log(
    directory: Path, *, segment_bytes: int = SEGMENT_BYTES, read_only: bool = False
) -> Iterator[SegmentReader]:
    """Open the log in a directory, and close it on leaving.

    For writing, the directory is made where it is missing and locked against other writers; a segment is begun when the
    last would grow above `segment_bytes`. With `read_only` the records there at this time can be read, beside a writer.
    Raises `LogLocked`, `LogUnavailable`, `LogTooNew` or `LogDamaged`.
    """
    log = SegmentReader.open(directory) if read_only else SegmentLog.open(directory, segment_bytes)
    try:
        yield log
    finally:
        log.close()


def _make_directory(directory: Path) -> None:
    if not directory.is_dir():
        _make_directory(directory.parent)
        directory.mkdir(exist_ok=True)
        sync_directory(directory.parent)


def _lock(directory: Path) -> int:
    """Lock a directory and return the lock's descriptor. Closing that releases it, and so does the process's end."""
    fd = os.open(directory / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(fd, 0)
        os.pwrite(fd, f"{os.getpid()}\n".encode(), 0)
    except BlockingIOError as error:
        pid = os.pread(fd, 20, 0).decode().partition("\n")[0] or "unknown"
        os.close(fd)
        remedy = "Stop that process, or open the log for reading only."
        raise LogLocked(directory, f"process {pid} is writing to it", remedy) from error
    except BaseException:
        os.close(fd)
        raise
    return fd
