"""Repeats with most of their keys on disk: the same answers as all in memory, whatever happens to process and disk."""

import os
import signal
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from unittest import mock

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fairgate.backends.embedded import key_runs
from fairgate.backends.embedded.key_runs import FolderKeyRuns
from fairgate.domain.errors import RunsError, RunsUnusable
from fairgate.domain.windows import DAY
from fairgate.pipeline import older_keys
from fairgate.pipeline import repeats as module
from fairgate.pipeline.older_keys import OlderKeys
from fairgate.pipeline.repeats import Repeats, RepeatsState
from fairgate.ports.key_runs import KeyRuns
from tests.contracts.failing_tree import FailingTree
from tests.contracts.naive_runs import NaiveRun, NaiveRuns
from tests.contracts.planting import Edit, planted
from tests.unit.pipeline.naive_repeats import NaiveRepeats
from tests.unit.pipeline.repeats_story import FULL, START, STEPS, FailingRuns, Sent, Step, play

SPACES = st.sampled_from([0, 0, 5, 20, 40])


@pytest.fixture(autouse=True)
def _small_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filters that are made anew after some ten keys, and pages of four."""
    monkeypatch.setattr(older_keys, "_FEWEST", 8)
    for name, value in {"_PAGE": 64, "_KEYS": 4, "_PIECE": 2}.items():
        monkeypatch.setattr(key_runs, name, value)


@given(STEPS, SPACES)
@settings(max_examples=100)
def test_it_answers_as_all_in_memory(steps: Sequence[Step], space: int) -> None:
    runs = NaiveRuns()
    play(lambda: runs, steps, space)


@given(STEPS, SPACES)
@settings(max_examples=15)
def test_it_does_with_files_too(tmp_path_factory: pytest.TempPathFactory, steps: Sequence[Step], space: int) -> None:
    folder = tmp_path_factory.mktemp("runs") / "keys"
    play(lambda: FolderKeyRuns(folder), steps, space)


def sent(*names: int, day: int = 0) -> list[Sent]:
    return [Sent(f"n{name}", START + day * DAY) for name in names]


def filled(runs: KeyRuns, days: int, a_day: int = 40) -> Repeats:
    """So many days of events, one after another."""
    known = Repeats(1, runs, full=FULL)
    for day in range(days):
        for at in range(day * a_day, (day + 1) * a_day, 4):
            assert known.met(sent(*range(at, at + 4), day=day), at) == [-1] * 4
        known.settle()
    return known


def test_memory_and_snapshots_stay_flat_and_a_day_that_is_over_is_one_run() -> None:
    runs = NaiveRuns()
    known = filled(runs, 5)
    keys, state = known.state()
    assert (len(keys) <= FULL, state.through >= 5 * 40 - FULL, known.behind) == (True, True, 0)
    newest = [run for run in runs.held if run.first >= 160]
    assert len(runs.held) - len(newest) == 4
    assert sum(run.keys for run in runs.held) == state.through
    known.close()


def test_a_day_is_in_few_runs_while_it_goes_on() -> None:
    runs = NaiveRuns()
    known = filled(runs, 1, a_day=256)
    assert len(runs.held) <= 6
    assert sum(run.keys for run in runs.held) >= 256 - FULL
    known.close()


def test_what_is_too_old_leaves_the_disk() -> None:
    runs = NaiveRuns()
    known = filled(runs, 70, a_day=12)
    assert sum(run.keys for run in runs.held) < 35 * 12
    assert runs.held[0].first == 0
    assert known.met(sent(0, 69 * 12, day=69), 70 * 12) == [-1, 69 * 12]
    known.close()


def test_a_new_event_reads_no_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(older_keys, "_FEWEST", 1 << 20)
    runs = NaiveRuns()
    with_runs = filled(runs, 3)
    monkeypatch.setattr("tests.contracts.naive_runs.NaiveRun.find", None)
    assert with_runs.met(sent(*range(1_000, 1_007), day=3), 120) == [-1] * 7
    with_runs.close()


# ---------------------------------------------------------------------------------------------------- crashes and disks


def a_crash_at_any_call_loses_nothing(outside: Path) -> None:
    """Of a story in which the disk goes away for good at each call in turn, and with it all that was not synced."""
    calls = 0
    while _crashed_after(outside / f"{calls}", calls):
        calls += 2
    assert calls > 40


def _crashed_after(outside: Path, calls: int) -> bool:
    """Whether the disk went away before the story's end."""
    outside.mkdir(parents=True)
    log: list[Sent] = []
    kept: tuple[int, tuple[NDArray[np.int64], RepeatsState]] | None = None
    with FailingTree(outside) as tree:
        known = Repeats(1, FolderKeyRuns(outside / "keys"), full=FULL)
        tree.calls_left = calls
        for day in range(12):
            events = sent(*range(5 * day, 5 * day + 5), day=day * 4)
            assert known.met(events, len(log)) == [-1] * 5
            log += events
            known.settle()
            kept = (len(log), known.state()) if day % 4 == 2 else kept
        known.close()
        crashed = known.behind > 0
        tree.calls_left = None
        tree.lose_power()
    again, naive = Repeats(1, FolderKeyRuns(outside / "keys"), full=FULL), NaiveRepeats(1)
    assert kept is not None
    assert again.load(*kept[1])
    again.recall(log[kept[0] :], kept[0])
    naive.recall(log, 0)
    again.settle()
    assert again.met(sent(*range(60), day=44), 60) == naive.met(sent(*range(60), day=44), 60)
    again.close()
    return crashed


def a_run_that_is_gone_or_damaged_is_noticed(folder: Path) -> None:
    known = filled(FolderKeyRuns(folder), 3)
    kept = known.state()
    known.close()
    paths = sorted(folder.iterdir())
    assert len(paths) > 2
    for path in paths:
        data = path.read_bytes()
        for damage in (bytes([data[0] ^ 1]) + data[1:], data[:70] + bytes([data[70] ^ 1]) + data[71:], data[:-1], None):
            path.unlink()
            if damage is not None:
                path.write_bytes(damage)
            again = Repeats(1, FolderKeyRuns(folder), full=FULL)
            whole = again.load(*kept)
            again.close()
            path.write_bytes(data)
            assert not whole, path
    again = Repeats(1, FolderKeyRuns(folder), full=FULL)
    assert again.load(*kept)
    assert again.met(sent(0, 119, 500, day=2), 120) == [0, 119, -1]
    again.close()


def what_another_left_is_not_taken_for_ones_own(folder: Path) -> None:
    """Even without `load` or `reset`."""
    filled(FolderKeyRuns(folder), 2).close()
    fresh = Repeats(1, FolderKeyRuns(folder), full=FULL)
    events = sent(*range(500, 512))
    for at in range(0, 12, 4):
        fresh.met(events[at : at + 4], at)
    fresh.settle()
    assert [run.first for run in FolderKeyRuns(folder).open()] == [0]
    assert fresh.met(sent(0, 500), 12) == [-1, 0]
    fresh.reset()
    assert fresh.met(sent(500), 0) == [-1]
    assert not list(folder.iterdir())
    fresh.close()


def what_the_log_lost_is_not_met(_folder: Path) -> None:
    """Runs that were written after the snapshot hold events that the log may not have any more."""
    runs = NaiveRuns()
    known = Repeats(1, runs, full=FULL)
    known.met(sent(*range(6)), 0)
    known.met(sent(*range(6, 12)), 6)
    known.settle()
    kept = known.state()
    for at in range(12, 60, 6):
        known.met(sent(*range(at, at + 6)), at)
    known.settle()
    known.close()
    again = Repeats(1, runs, full=FULL)
    assert again.load(*kept)
    assert again.met(sent(*range(100, 120)), 12) == [-1] * 20
    assert again.met(sent(20, 3, 100), 32) == [-1, 3, 12]
    again.close()


def what_took_anothers_place_keeps_it(_folder: Path) -> None:
    """Two events with one hash: when the first is forgotten, the second is known by it, also after a restart."""
    with mock.patch.object(module, "xxh3_64_intdigest", lambda text, _secret: max(1, int(text.split(b"n")[1]))):
        runs = NaiveRuns()
        known = Repeats(1, runs, full=FULL)
        known.met(sent(0), 0)
        assert known.met(sent(1, day=10), 1) == [0]
        known.keep_other(Sent("n1"), 1)
        for at in range(2, 30, 4):
            known.met(sent(*range(at, at + 4), day=11), at)
        known.met(sent(30, day=35), 30)
        known.settle()
        kept = known.state()
        assert kept[1].through > 1
        assert (known.other(Sent("n1")), known.known("s", "n1"), known.known("s", "n0")) == (None, [1], [1])
        known.close()
        again = Repeats(1, runs, full=FULL)
        assert again.load(*kept)
        assert again.met(sent(1, 2, day=35), 31) == [1, 2]
        again.met(sent(50, day=50), 31)
        assert again.met(sent(1, day=50), 32) == [-1]
        again.close()


class SlowRuns(NaiveRuns):
    """A disk that takes until it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.go = threading.Event()

    def save(self, first: int, last: int, keys: NDArray[np.uint64], numbers: NDArray[np.int64]) -> NaiveRun:
        assert self.go.wait(20)
        return super().save(first, last, keys, numbers)


def a_fork_sees_all_while_the_thread_is_at_work(_folder: Path) -> None:
    runs = SlowRuns()
    known, log = Repeats(1, runs, full=FULL), sent(*range(30))
    for at in range(0, 30, 5):
        known.met(log[at : at + 5], at)
    assert known.behind > 2 * FULL
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        code = 1
        try:
            again = Repeats(1)
            code = 0 if again.load(*known.state()) and again.met(log, 30) == list(range(30)) else 2
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    runs.go.set()
    known.settle()
    assert os.waitstatus_to_exitcode(status) == 0
    assert known.behind == 0
    assert len(known.state()[0]) <= FULL
    known.close()


def a_disk_that_fails_loses_nothing(_folder: Path) -> None:
    runs = FailingRuns(NaiveRuns(), Random(3), ill=True, odds=1)
    known, log = Repeats(1, runs, full=FULL), sent(*range(40))
    for at in range(0, 20, 5):
        assert known.met(log[at : at + 5], at) == [-1] * 5
        known.settle()
    assert known.behind == 15
    keys, state = known.state()
    assert (len(keys), state.through) == (20, 0)
    assert known.met(log[:20], 20) == list(range(20))
    runs.ill = False
    for at in range(20, 40, 5):
        assert known.met(log[at : at + 5], at) == [-1] * 5
    known.settle()
    assert known.behind == 0
    assert known.met(log, 40) == list(range(40))
    known.close()


CHECKS: list[Callable[[Path], None]] = [
    a_crash_at_any_call_loses_nothing,
    a_run_that_is_gone_or_damaged_is_noticed,
    what_another_left_is_not_taken_for_ones_own,
    what_the_log_lost_is_not_met,
    what_took_anothers_place_keeps_it,
    a_fork_sees_all_while_the_thread_is_at_work,
    a_disk_that_fails_loses_nothing,
]


@pytest.mark.parametrize("check", CHECKS)
def test_whatever_happens(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path / "keys")


def test_a_disk_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    known = filled(FolderKeyRuns(tmp_path / "keys"), 2)

    def refuse(*_given: object) -> bytes:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "pread", refuse)
    with pytest.raises(RunsUnusable, match="Input/output error"):
        known.met(sent(0, day=1), 80)
    monkeypatch.undo()
    known.close()


def test_what_waited_for_the_disk_until_it_was_forgotten_stays_so_after_a_restart() -> None:
    runs = FailingRuns(NaiveRuns(), Random(1), ill=True, odds=1)
    known = Repeats(1, runs, full=FULL)
    known.met(sent(*range(6)), 0)
    known.met(sent(*range(6, 12)), 6)
    known.met(sent(12, day=40), 12)
    known.settle()
    assert (known.behind, known.known("s", "n0")) == (6, [])
    again = Repeats(1, runs, full=FULL)
    assert again.load(*known.state())
    assert again.known("s", "n0") == []
    assert again.known("s", "n12") == [12]
    again.close()
    known.close()


def test_without_runs_it_cannot_take_over_what_had_some() -> None:
    known = filled(NaiveRuns(), 2)
    again = Repeats(1)
    assert not again.load(*known.state())
    known.close()


MUTANTS = {
    "forgets what waits": Edit(Repeats, "state", "[*waiting, self._memory", "[self._memory"),
    "forgets what was entered": Edit(Repeats, "state", "self._memory.array(), entered", "self._memory.array()"),
    "enters what is held": Edit(Repeats, "_enter", "if self._position(key) >= 0:", "if False:"),
    "enters for ever": Edit(Repeats, "_forget", "self._entered.items() if at >= gone[-1]", "self._entered.items()"),
    "does not ask for what was entered": Edit(Repeats, "_remember", "if self._entered:", "if False:"),
    "recalls wrong numbers": Edit(Repeats, "recall", ", by_place=True", ""),
    "recalls no others": Edit(Repeats, "recall", "if number >= 0:", "if False:"),
    "goes on with a full table": Edit(Repeats, "_remember", "self._memory = Memory()", "pass"),
    "finds what is forgotten": Edit(OlderKeys, "find", "return number if number >= oldest else -1", "return number"),
    "asks no table that waits": Edit(OlderKeys, "find", "reversed(self._frozen)", "()"),
    "asks only the newest run": Edit(OlderKeys, "find", "reversed(self._held.runs)", "self._held.runs[-1:]"),
    "finds the oldest first": Edit(OlderKeys, "find", "reversed(self._held.runs)", "self._held.runs"),
    "trusts the filter while a table waits": Edit(OlderKeys, "adopt", "ANYTHING if self._frozen else", ""),
    "lets go of all tables": Edit(OlderKeys, "adopt", "each for each in self._frozen if each.last > self.through", ""),
    "does not cut": Edit(OlderKeys, "_begin", "self._runs.cut(through)", "pass"),
    "begins on what is there": Edit(OlderKeys, "take", "if not self._begun:", "if False:"),
    "accepts a gap": Edit(OlderKeys, "open", "if run.first > covered:", "if False:"),
    "accepts an end too early": Edit(OlderKeys, "open", "if covered < through:", "if False:"),
    "makes no filter of what there is": Edit(OlderKeys, "open", "_filter_of(runs)", "Filter(8)"),
    "adds nothing to the filter": Edit(OlderKeys, "_steps", "seen.add(keys)", "pass"),
    "makes a filter of the newest alone": Edit(OlderKeys, "_steps", "_of(held.runs)", "_of(held.runs[-1:])"),
    "writes out of order": Edit(OlderKeys, "_steps", "array[:, 0].view(np.uint64).argsort()", "array[:, 0].argsort()"),
    "drops a run too many": Edit(OlderKeys, "_steps", "run.last <= expired", "run.first < expired"),
    "drops nothing": Edit(OlderKeys, "_steps", "run.last <= expired", "False"),
    "merges nothing": Edit(older_keys, "_to_merge", "if len(some) > 1", "if False"),
    "leaves days in parts": Edit(older_keys, "_to_merge", "if len(day) > 1:", "if False:"),
    "merges days": Edit(older_keys, "_to_merge", "bisect_right(starts, run.first)", "0"),
}  # fmt: skip
TESTS = (
    test_memory_and_snapshots_stay_flat_and_a_day_that_is_over_is_one_run,
    test_a_day_is_in_few_runs_while_it_goes_on,
    test_what_is_too_old_leaves_the_disk,
)


@pytest.mark.parametrize("name", MUTANTS)
def test_notices_one_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(STEPS, SPACES)
    def model(steps: Sequence[Step], space: int) -> None:
        runs = NaiveRuns()
        play(lambda: runs, steps, space)

    deadly = (AssertionError, LookupError, ValueError, RunsError)
    died = False
    with planted(MUTANTS[name]):
        for test in TESTS:
            try:
                test()
            except deadly:
                died = True
        for check in () if died else CHECKS:
            try:
                check(tmp_path_factory.mktemp("mutant") / "keys")
            except deadly:
                died = True
                break
        if not died:
            with pytest.raises(deadly):
                model()
