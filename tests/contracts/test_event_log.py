"""The contract of the event log: every implementation against a naive model."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from functools import partial
from itertools import product
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fairgate.domain.errors import LogBroken, LogLocked, NoSuchRecord, RecordTooLarge
from fairgate.ports.event_log import MAX_RECORD_BYTES, EventLog
from tests.contracts.log_places import EmbeddedPlace, Place, Torn
from tests.contracts.naive_log import NaiveLog, read_until_dropped

IMPLEMENTATIONS: list[type[Place]] = [EmbeddedPlace]

each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)
some_bytes = st.binary(max_size=40) | st.binary(min_size=190, max_size=300)
somewhere = st.integers(0, 20)
a_field = st.sampled_from([0, 32, 64, 128])  # the first bits of a frame's length, checksum, sequence and record
a_few = st.lists(some_bytes, max_size=3)
steps = st.integers(0, 6)
some_names = st.integers(0, 255)


class LogMachine(RuleBasedStateMachine):
    """Does the same to a log and to the model, and compares what they say."""

    implementation: ClassVar[type[Place]]

    def __init__(self) -> None:
        super().__init__()
        self.model = NaiveLog()
        with ExitStack() as undo:  # there is no teardown of what was never begun
            self.place = undo.enter_context(self.implementation())
            self.open()
            undo.pop_all()

    def open(self) -> None:
        self.opened = self.place.open()
        self.log = self.opened.__enter__()
        self.follower = self.place.follow()

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

    @rule(start=st.none() | somewhere, stop=st.none() | somewhere)
    def read(self, start: int | None, stop: int | None) -> None:
        start = None if start is None else self.near_begin(start)
        stop = None if stop is None else self.near_begin(stop)
        try:
            expected = list(self.model.read(start, stop))
        except NoSuchRecord:
            with pytest.raises(NoSuchRecord):
                self.log.read(start, stop)
        else:
            assert list(self.log.read(start, stop)) == expected

    @rule(sequence=somewhere)
    def get(self, sequence: int) -> None:
        sequence = self.near_begin(sequence)
        if self.model.begin() <= sequence < self.model.end():
            assert self.log.get(sequence) == self.model.get(sequence)
        else:
            with pytest.raises(NoSuchRecord):
                self.log.get(sequence)

    @rule(count=st.integers(0, 12))
    def drop(self, count: int) -> None:
        before = min(self.model.begin() + count, self.model.durable)
        expected, reading = list(self.model.read()), self.log.read()
        self.log.drop(before)
        self.model.drop(before)
        self.place.check_lean(before)
        self.compare_while_dropped(reading, expected)

    @rule()
    def drop_what_can_not_be_dropped(self) -> None:
        for before in (self.model.begin() - 1, self.model.durable + 1):
            with pytest.raises(ValueError, match="can't drop"):
                self.log.drop(before)

    @rule()
    def follow(self) -> None:
        assert self.follower.refresh() == self.model.durable
        assert self.follower.begin() == self.model.begin()
        assert list(self.follower.read()) == list(self.model.read())
        if self.model.begin():
            with pytest.raises(NoSuchRecord):
                self.follower.get(self.model.begin() - 1)

    @rule()
    def lag_behind(self) -> None:
        begin, end = self.follower.begin(), self.follower.end()
        expected = list(enumerate(self.model.records))[begin:end]
        self.compare_while_dropped(self.follower.read(), expected)
        for sequence, record in expected:
            self.compare_while_dropped(((at, self.follower.get(at)) for at in [sequence]), [(sequence, record)])

    @rule()
    def reopen(self) -> None:
        self.opened.__exit__(None, None, None)
        self.model.close()
        self.place.check(self.model.begin())
        self.open()
        self.compare_all()

    @rule(records=a_few, after=steps)
    def kill(self, records: list[bytes], after: int) -> None:
        self.crash(records, after, None)

    @rule(records=a_few, after=steps, kept=st.integers(0, 400), names=some_names)
    def lose_power(self, records: list[bytes], after: int, kept: int, names: int) -> None:
        self.crash(records, after, (kept, None, names))

    @rule(records=a_few, after=steps, bit=a_field)
    def lose_power_and_a_bit(self, records: list[bytes], after: int, bit: int) -> None:
        self.crash(records, after, (10_000, bit, 0))

    @rule(count=st.integers(1, 12), after=steps, torn=st.none() | st.tuples(st.just(0), st.none(), some_names))
    def crash_while_dropping(self, count: int, after: int, torn: Torn | None) -> None:
        self.commit()
        before = min(self.model.begin() + count, self.model.durable)
        if self.place.crash(lambda: self.log.drop(before), after, torn):
            self.model.drop(before)
        self.begin_anew(torn)
        assert self.log.begin() in {self.model.begin(), before}
        self.model.drop(self.log.begin())
        self.compare_all()

    def crash(self, records: list[bytes], after: int, torn: Torn | None) -> None:
        self.append(records)
        if self.place.crash(self.log.commit, after, torn):
            self.model.commit()
        else:
            with pytest.raises(LogBroken):
                self.log.append(b"on a broken log")
            with pytest.raises(LogBroken):
                self.log.commit()
        self.begin_anew(torn)
        self.model.crash(self.log.end())
        self.compare_all()

    def begin_anew(self, torn: Torn | None) -> None:
        follower = self.follower
        with suppress(LogBroken):
            self.opened.__exit__(None, None, None)
        self.open()
        if not torn:  # only the writer died
            self.follower = follower

    @invariant()
    def ends_alike(self) -> None:
        assert (self.log.begin(), self.log.end()) == (self.model.begin(), self.model.end())
        for stop in (None, self.model.end()):
            assert list(self.log.read(self.model.durable, stop)) == []

    def compare_all(self) -> None:
        assert list(self.log.read()) == list(self.model.read())
        self.place.check(self.model.begin())
        self.place.check_lean(self.model.begin())

    def compare_while_dropped(self, reading: Iterator[tuple[int, bytes]], expected: list[tuple[int, bytes]]) -> None:
        """What was dropped since it was asked for may be given out, or else the first that isn't is told."""
        found, told = read_until_dropped(reading)
        if told:
            assert told.sequence < told.begin == self.model.begin()
            expected = [each for each in expected if each[0] < told.sequence]
        assert found == expected

    def near_begin(self, place: int) -> int:
        return max(0, self.model.begin() - 3) + place

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
                log.begin,
                log.end,
                log.read,
                lambda: log.get(0),
                lambda: log.drop(0),
                lambda: log.append(b""),
            ]
            for call in calls:
                with pytest.raises(ValueError, match="closed"):
                    call()
        with place.open() as log:
            assert log.end() == 0


FOUR = [bytes([number]) * 150 for number in range(4)]  # each in a segment of its own


@contextmanager
def crashed_while_dropping(implementation: type[Place], after: int, torn: Torn | None) -> Iterator[tuple[Place, bool]]:
    """A place where a log of four records was to drop two, and whether it came to that."""
    with implementation() as place:
        with place.open() as log:
            for record in FOUR:
                log.append(record)
            log.commit()
            done = place.crash(lambda: log.drop(2), after, torn)
        yield place, done


def check_dropped(place: Place, begins: set[int]) -> None:
    with place.open() as log:
        assert log.begin() in begins
        assert list(log.read()) == list(enumerate(FOUR))[log.begin() :]
        place.check(log.begin())
        place.check_lean(log.begin())


LAST_STEP = 8
all_steps = pytest.mark.parametrize("after", range(LAST_STEP + 1))


@each_implementation
@all_steps
def test_a_drop_that_is_cut_short_is_done_or_not_done(implementation: type[Place], after: int) -> None:
    for torn in (None, *((0, None, names) for names in range(32))):
        with crashed_while_dropping(implementation, after, torn) as (place, done):
            assert done == (after == LAST_STEP)
            check_dropped(place, {2} if done else {0, 2})


@each_implementation
@all_steps
def test_opening_after_that_may_be_cut_short_too(implementation: type[Place], after: int) -> None:
    check_opening_is_cut_short(implementation, after)


def check_opening_is_cut_short(implementation: type[Place], after: int) -> None:
    def open_again() -> None:
        with place.open():
            pass

    for again, names in product(range(LAST_STEP), (0, 5, 10, 15, 31)):
        with crashed_while_dropping(implementation, after, None) as (place, done):
            place.crash(open_again, again, (0, None, names))
            check_dropped(place, {2} if done else {0, 2})


@contextmanager
def naive() -> Iterator[EventLog]:
    yield NaiveLog()


@contextmanager
def opened(implementation: type[Place]) -> Iterator[EventLog]:
    with implementation() as place, place.open() as log:
        yield log


@pytest.mark.parametrize("new", [naive, *(partial(opened, each) for each in IMPLEMENTATIONS)])
def test_what_is_dropped_is_not_there_and_the_rest_keeps_its_numbers(
    new: Callable[[], AbstractContextManager[EventLog]],
) -> None:
    check_dropping(new)


def check_dropping(new: Callable[[], AbstractContextManager[EventLog]]) -> None:
    with new() as log:
        assert log.begin() == 0
        records = [b"%d" % number * 30 for number in range(20)]
        for record in records:
            log.append(record)
        log.commit()
        log.append(b"pending")
        for begin in (0, 3, 3, 11, 20):
            log.drop(begin)
            assert (log.begin(), log.end()) == (begin, 21)
            assert list(log.read()) == list(enumerate(records))[begin:]
            assert list(log.read(stop=12)) == list(enumerate(records))[begin:12]
            assert [log.get(at) for at in range(begin, 21)] == [*records, b"pending"][begin:]
            for before in (begin - 1, 21, 22):
                with pytest.raises(ValueError, match=str(before)):
                    log.drop(before)
            for call in (log.get, log.read):
                if begin:
                    with pytest.raises(NoSuchRecord, match=f"and those below {begin} have been dropped") as caught:
                        call(begin - 1)
                    assert caught.value.begin == begin
        log.commit()
        assert log.append(b"next") == 21
        assert list(log.read()) == [(20, b"pending")]
