"""The contract of the event log: every implementation against a naive model, and mutants that this must kill."""

import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self
from unittest import mock

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fairgate.backends.embedded import segment_file, segment_index
from fairgate.backends.embedded.segment_file import SegmentFile
from fairgate.backends.embedded.segment_index import SegmentIndex
from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.backends.embedded.segment_writer import SegmentWriter
from fairgate.backends.embedded.segments import SegmentLog, open_log, verify
from fairgate.domain.errors import FairgateError, LogBroken, LogLocked, NoSuchRecord, RecordTooLarge
from fairgate.ports.event_log import MAX_RECORD_BYTES, EventLog
from tests.contracts.failing_disk import DiskFailure, FailingDisk, nothing
from tests.contracts.naive_log import NaiveLog
from tests.contracts.planting import Edit, planted


class Place(AbstractContextManager["Place"], Protocol):
    """Where an implementation keeps one log, and what can happen there."""

    def open(self) -> AbstractContextManager[EventLog]:
        """Open the log for writing."""
        ...

    def meanwhile(self, act: Callable[[], None]) -> AbstractContextManager[None]:
        """Call `act` whenever a commit waits for the disk."""
        ...

    def crash(self, log: EventLog, after: int, torn: tuple[int, int | None] | None) -> bool:
        """Commit, but crash instead of the sync number `after`; say whether the commit was done before it came to that.

        The process dies, and with `torn` the machine: then of each file's unsynced tail so many bytes are left, and
        a bit of the last record there is flipped if the second number says which.
        """
        ...

    def check(self) -> None:
        """Assert that a closed log is sound, and that there is nothing in it but its records."""
        ...


class EmbeddedPlace(AbstractContextManager["EmbeddedPlace"]):
    """Segments, chunks and strides are made tiny, so that a few records cross all their borders."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory())).resolve() / "log"
        self._disk = self._stack.enter_context(FailingDisk(self._directory))
        self._stack.enter_context(mock.patch.object(segment_index, "STRIDE", 3))
        self._stack.enter_context(mock.patch.object(segment_file, "_CHUNK", 64))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self) -> AbstractContextManager[EventLog]:
        return open_log(self._directory, segment_bytes=200)

    @contextmanager
    def meanwhile(self, act: Callable[[], None]) -> Iterator[None]:
        self._disk.during_sync = act
        try:
            yield
        finally:
            self._disk.during_sync = nothing

    def crash(self, log: EventLog, after: int, torn: tuple[int, int | None] | None) -> bool:
        self._disk.syncs_left = after
        try:
            log.commit()
        except DiskFailure:
            committed = False
        else:
            committed = True
        self._disk.syncs_left = None
        if torn:
            self._disk.lose_power(*torn)
        return committed

    def check(self) -> None:
        report = verify(self._directory)
        assert report.problems == ()
        assert report.torn_bytes == 0


IMPLEMENTATIONS: list[type[Place]] = [EmbeddedPlace]

each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
some_bytes = st.binary(max_size=40) | st.binary(min_size=190, max_size=300)
somewhere = st.integers(0, 20)
a_field = st.sampled_from([0, 32, 64, 128])  # the first bits of a frame's length, checksum, sequence and record
a_few = st.lists(some_bytes, max_size=3)
syncs = st.integers(0, 3)


class LogMachine(RuleBasedStateMachine):
    """Does the same to a log and to the model, and compares what they say."""

    implementation: ClassVar[type[Place]]

    def __init__(self) -> None:
        super().__init__()
        self.model = NaiveLog()
        self.place = self.implementation().__enter__()
        self.open()

    def open(self) -> None:
        self.opened = self.place.open()
        self.log = self.opened.__enter__()

    @rule(records=st.lists(some_bytes, max_size=9))
    def append(self, records: list[bytes]) -> None:
        for record in records:
            assert self.log.append(record) == self.model.append(record)

    @rule()
    def commit(self) -> None:
        assert self.log.commit() == self.model.commit()

    @rule(record=some_bytes, late=some_bytes)
    def commit_while_another_appends(self, record: bytes, late: bytes) -> None:
        self.append([record])
        before = self.log.end()
        appended: list[bytes] = []

        def append_late() -> None:
            if not appended:
                assert self.log.append(late) == before
                appended.append(late)
            assert self.log.get(before - 1) == self.model.get(before - 1)

        with self.place.meanwhile(append_late):
            assert self.log.commit() == self.model.commit()
        for each in appended:
            self.model.append(each)

    @rule(start=somewhere, stop=st.none() | somewhere)
    def read(self, start: int, stop: int | None) -> None:
        assert list(self.log.read(start, stop)) == list(self.model.read(start, stop))

    @rule(sequence=somewhere)
    def get(self, sequence: int) -> None:
        if sequence < self.model.end():
            assert self.log.get(sequence) == self.model.get(sequence)
        else:
            with pytest.raises(NoSuchRecord):
                self.log.get(sequence)

    @rule()
    def reopen(self) -> None:
        self.opened.__exit__(None, None, None)
        self.model.close()
        self.place.check()
        self.open()
        self.compare_all()

    @rule(records=a_few, after=syncs)
    def kill(self, records: list[bytes], after: int) -> None:
        self.crash(records, after, None)

    @rule(records=a_few, after=syncs, kept=st.integers(0, 400))
    def lose_power(self, records: list[bytes], after: int, kept: int) -> None:
        self.crash(records, after, (kept, None))

    @rule(records=a_few, after=syncs, bit=a_field)
    def lose_power_and_a_bit(self, records: list[bytes], after: int, bit: int) -> None:
        self.crash(records, after, (10_000, bit))

    def crash(self, records: list[bytes], after: int, torn: tuple[int, int | None] | None) -> None:
        self.append(records)
        if self.place.crash(self.log, after, torn):
            self.model.commit()
        else:
            with pytest.raises(LogBroken):
                self.log.append(b"on a broken log")
            with pytest.raises(LogBroken):
                self.log.commit()
        with suppress(LogBroken):
            self.opened.__exit__(None, None, None)
        self.open()
        self.model.crash(self.log.end())
        self.compare_all()

    @invariant()
    def ends_alike(self) -> None:
        assert self.log.end() == self.model.end()
        for stop in (None, self.model.end()):
            assert list(self.log.read(self.model.durable, stop)) == []

    def compare_all(self) -> None:
        assert list(self.log.read()) == list(self.model.read())

    def teardown(self) -> None:
        with self.place, suppress(LogBroken):
            self.opened.__exit__(None, None, None)


def run_machine(implementation: type[Place], how: settings | None = None) -> None:
    machine = type("Machine", (LogMachine,), {"implementation": implementation})
    run_state_machine_as_test(machine, settings=how)


@each_implementation
def test_does_what_the_model_does(implementation: type[Place]) -> None:
    run_machine(implementation)


@each_implementation
def test_threads_lose_nothing(implementation: type[Place]) -> None:
    acknowledged: list[tuple[int, bytes]] = []

    def write(log: EventLog, name: int) -> None:
        for number in range(100):
            record = f"{name} {number}".encode()
            sequence = log.append(record)
            assert log.get(sequence) == record
            if number % 7 == name:
                assert log.commit() > sequence
                assert list(log.read(sequence, sequence + 1)) == [(sequence, record)]
            acknowledged.append((sequence, record))

    with implementation() as place:
        with place.open() as log:
            threads = [threading.Thread(target=write, args=(log, name)) for name in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        with place.open() as log:
            assert list(log.read()) == sorted(acknowledged)
            assert len(acknowledged) == 400


@each_implementation
def test_the_longest_record_fits_and_a_longer_one_takes_no_number(implementation: type[Place]) -> None:
    with implementation() as place, place.open() as log:
        with pytest.raises(RecordTooLarge, match="16777217 bytes, the limit is 16777216"):
            log.append(bytes(MAX_RECORD_BYTES + 1))
        assert log.append(bytes(MAX_RECORD_BYTES)) == 0
        assert log.commit() == 1
        assert log.get(0) == bytes(MAX_RECORD_BYTES)


@each_implementation
def test_what_is_not_there_is_an_error(implementation: type[Place]) -> None:
    with implementation() as place, place.open() as log:
        log.append(b"only")
        for sequence in (-1, 1):
            with pytest.raises(NoSuchRecord, match=f"Asked for {sequence}; numbers below 1 have been given"):
                log.get(sequence)
        for interval in ((-1, None), (0, -1)):
            with pytest.raises(ValueError, match="no interval of sequences"):
                log.read(*interval)
        assert list(log.read()) == []


@each_implementation
def test_read_settles_its_end_when_called(implementation: type[Place]) -> None:
    with implementation() as place, place.open() as log:
        log.append(b"before")
        log.commit()
        records = log.read()
        log.append(b"after")
        log.commit()
        assert list(records) == [(0, b"before")]


@each_implementation
def test_one_writer_at_a_time_and_none_after_close(implementation: type[Place]) -> None:
    with implementation() as place:
        with place.open() as log:
            with pytest.raises(LogLocked), place.open():
                pass
            log.close()
            log.close()
            calls: list[Callable[[], object]] = [
                log.commit,
                log.end,
                log.read,
                lambda: log.get(0),
                lambda: log.append(b""),
            ]
            for call in calls:
                with pytest.raises(ValueError, match="closed"):
                    call()
        with place.open() as log:
            assert log.end() == 0


MUTANTS = {
    "commit writes nothing": [
        Edit(SegmentWriter, "write", '_write_all(self._fd, b"".join(parts), begin)', "pass"),
    ],
    "commit doesn't sync": [Edit(SegmentWriter, "write", "os.fdatasync(self._fd)", "pass")],
    "commit vouches for what came after it": [
        Edit(SegmentLog, "_flush", "= self._base, []", "= self._base + len(self._pending), []"),
    ],
    "a failed commit is forgotten": [Edit(SegmentLog, "_flush", "self._failure = error", "pass")],
    "close commits nothing": [Edit(SegmentLog, "close", "self._flush()", "pass")],
    "a new segment's name isn't synced": [Edit(SegmentWriter, "create", "sync_directory(directory)", "pass")],
    "a new segment's header isn't synced": [Edit(SegmentWriter, "create", "os.fsync(fd)", "pass")],
    "roll-over loses a pending record": [
        Edit(SegmentLog, "_flush", "(self._flushing, done)", "(self._flushing, done + 1)")
    ],
    "one number is skipped after reopening": [
        Edit(SegmentReader, "__init__", "segments[-1].index.sequence", "segments[-1].index.sequence + 1"),
    ],
    "a torn tail stays": [Edit(SegmentWriter, "resume", "os.ftruncate(fd, index.offset)", "pass")],
    "what a killed process wrote isn't synced": [Edit(SegmentWriter, "resume", "os.fsync(fd)", "pass")],
    "the checksum doesn't cover the sequence": [
        Edit(SegmentFile, "checksum", 'crc32(sequence.to_bytes(8, "little"), self.header.salt)', "self.header.salt"),
        Edit(SegmentFile, "frames", "crc32(body,", "crc32(body[8:],"),
        Edit(SegmentFile, "find_frame", "crc32(body,", "crc32(body[8:],"),
    ],
    "the checksum isn't checked": [Edit(SegmentFile, "frames", "!= checksum", "is None")],
    "read includes its end": [
        Edit(SegmentReader, "read", "min(stop, self._durable)", "min(stop + 1, self._durable)"),
    ],
    "read gives out pending records": [Edit(SegmentReader, "read", "self._durable)", "self.end())")],
    "the index counts its strides from 0": [Edit(SegmentIndex, "add", "(self.sequence - self.first)", "self.sequence")],
    "a record in flight is taken for another": [Edit(SegmentLog, "get", "[sequence - self._durable]", "[0]")],
}


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant(name: str) -> None:
    how = settings(max_examples=400, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    noticed = (AssertionError, pytest.fail.Exception, FairgateError, LookupError)
    with planted(*MUTANTS[name]), pytest.raises(noticed):
        run_machine(EmbeddedPlace, how)
