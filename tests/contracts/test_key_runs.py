"""The contract of the port of key runs, over every implementation, against a naive model; and mutants that must die."""

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fairgate.backends.embedded import key_runs as module
from fairgate.backends.embedded.key_runs import FileRun, FolderKeyRuns
from fairgate.domain.errors import RunsDamaged, RunsError, RunsUnusable
from fairgate.ports.key_runs import KeyRun, KeyRuns
from tests.contracts.failing_tree import Died, FailingTree
from tests.contracts.naive_runs import NaiveRuns
from tests.contracts.planting import Edit, planted

Open = Callable[[Path], KeyRuns]
#: How each implementation is opened on a folder of its own.
IMPLEMENTATIONS: dict[str, Open] = {"embedded": FolderKeyRuns}
implementations = pytest.mark.parametrize("opened", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())

#: Few keys, so that many meet; of all sizes.
KEYS = (1, 2, 3, 1 << 31, (1 << 32) + 7, 1 << 63, (1 << 64) - 2, (1 << 64) - 1)
ABSENT = (4, 1 << 40, (1 << 63) + 1)
Step = tuple[str, Any]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.just("save"), st.lists(st.sampled_from(KEYS), min_size=1, max_size=30))
    | st.tuples(st.just("merge"), st.tuples(st.integers(0, 5), st.integers(2, 4)))
    | st.tuples(st.just("forget"), st.integers(0, 5))
    | st.tuples(st.just("cut"), st.floats(0, 1))
    | st.tuples(st.just("open"), st.none()),
    max_size=12,
)


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four keys a page, eight a piece."""
    for name, value in {"_PAGE": 64, "_KEYS": 4, "_PIECE": 2}.items():
        monkeypatch.setattr(module, name, value)


def pairs(run: KeyRun) -> list[tuple[int, int]]:
    """All that a run holds, which must be in order."""
    found = [
        pair
        for keys, numbers in run.pieces()
        for pair in zip(keys.tolist(), numbers.tolist(), strict=True)
        if keys.dtype == np.uint64 and numbers.dtype == np.int64 and keys.flags.writeable
    ]
    assert [key for key, _ in found] == sorted(key for key, _ in found)
    return sorted(found)


def same(runs: Sequence[KeyRun], model: Sequence[KeyRun]) -> None:
    assert [(run.first, run.last) for run in runs] == [(run.first, run.last) for run in model]
    for run, other in zip(runs, model, strict=True):
        assert pairs(run) == pairs(other)
        assert run.keys >= other.keys
        assert [run.find(key) for key in (*KEYS, *ABSENT)] == [other.find(key) for key in (*KEYS, *ABSENT)]


def ordered(keys: Sequence[int], first: int) -> tuple[Any, Any]:
    """Keys with numbers from `first` on, as `save` wants them."""
    array = np.array(keys, np.uint64)
    order = array.argsort(kind="stable")
    return array[order], np.arange(first, first + len(keys))[order]


def take(step: Step, runs: KeyRuns, held: list[KeyRun]) -> None:
    """Take one step; `held` is what a caller thinks there is."""
    end = held[-1].last if held else 0
    match step:
        case "save", keys:
            held.append(runs.save(end, end + len(keys), *ordered(keys, end)))
        case "merge", (start, count) if len(held[start : start + count]) > 1:
            held[start : start + count] = [runs.merge(held[start : start + count])]
        case "forget", count if held[: count + 1]:
            held[: count + 1] = [runs.save(0, held[: count + 1][-1].last, *ordered([], 0))]
        case "cut", share:
            runs.cut(int(share * end))
            held[:] = runs.open()
        case "open", _:
            held[:] = runs.open()


def follows_the_model(opened: Open, folder: Path, steps: Sequence[Step]) -> None:
    runs, model = opened(folder), NaiveRuns()
    held: list[KeyRun] = []
    expected: list[KeyRun] = []
    for step in steps:
        before, model_before = list(held), list(expected)
        runs = opened(folder) if step[0] == "open" else runs
        take(step, runs, held)
        take(step, model, expected)
        same(held, expected)
        if step[0] != "cut":
            same(before, model_before)  # what was given out goes on
    same(opened(folder).open(), model.open())


@implementations
@given(steps=STEPS)
@settings(max_examples=60)
def test_what_is_kept_is_found(opened: Open, tmp_path_factory: pytest.TempPathFactory, steps: list[Step]) -> None:
    follows_the_model(opened, tmp_path_factory.mktemp("runs") / "keys", steps)


# --------------------------------------------------------------------------------------------------------------- files


def damage_is_noticed(folder: Path) -> None:
    """Any bit of a file, or its end, or its name."""
    runs = FolderKeyRuns(folder)
    runs.save(0, 21, *ordered(range(1, 22), 0))
    [path] = folder.iterdir()
    whole = path.read_bytes()

    def noticed() -> None:
        with pytest.raises(RunsDamaged):
            [pairs(run) for run in runs.open()]

    for bit in range(0, 8 * len(whole), 29):
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        noticed()
    for length in (0, 63, 64, 200, len(whole) - 8, len(whole) - 1):
        path.write_bytes(whole[:length])
        noticed()
    path.write_bytes(whole)
    for name in ("1-21", "0-22"):
        first, _, last = name.partition("-")
        other = path.rename(path.with_name(f"{int(first):020d}-{int(last):020d}.keys"))
        noticed()
        other.rename(path)
    assert len(pairs(*runs.open())) == 21


def what_a_crash_left_goes_away(folder: Path) -> None:
    runs = FolderKeyRuns(folder)
    parts = [runs.save(at, at + 3, *ordered(KEYS[:3], at)) for at in (0, 3)]
    left = {path: path.read_bytes() for path in folder.iterdir()}
    runs.merge(parts)
    for path, data in left.items():
        path.write_bytes(data)
    (folder / "0-9.keys.partial").write_bytes(b"half")
    [run] = runs.open()
    assert (run.first, run.last, run.keys) == (0, 6, 6)
    assert len(list(folder.iterdir())) == 1


def a_loss_of_power_at_any_call_loses_nothing(folder: Path) -> None:
    """Of a story that is cut short at each call in turn: what had returned is there, the rest whole or not at all."""
    calls = 0
    while not _story_with_a_loss(folder / f"{calls}", calls):
        calls += 1
    assert calls > 15


def _story_with_a_loss(outside: Path, calls: int) -> bool:
    """Whether the story came to its end before."""
    outside.mkdir(parents=True)
    runs, done = FolderKeyRuns(outside / "keys"), [0]
    with FailingTree(outside) as tree:
        tree.calls_left = calls
        try:
            for _ in _story(runs):
                done.append(done[-1] + 1)
        except Died:
            pass
        tree.calls_left = None
        tree.lose_power()
    found = [pair for run in FolderKeyRuns(outside / "keys").open() for pair in pairs(run)]
    left = [[pair for run in held for pair in pairs(run)] for held in _story(NaiveRuns())]
    ended = len(done) > len(left)
    stages = [[], *left]
    assert sorted(found) in (sorted(stages[done[-1]]), sorted(stages[min(done[-1] + 1, len(left))])), done[-1]
    return ended


def _story(runs: KeyRuns) -> Iterator[list[KeyRun]]:
    """Five steps, and what is held after each."""
    held: list[KeyRun] = []
    for step in (("save", KEYS), ("save", KEYS[::2]), ("merge", (0, 2)), ("save", KEYS[3:]), ("forget", 0)):
        take(step, runs, held)
        yield list(held)


def what_is_cut_stays_cut(folder: Path) -> None:
    """Also in what it is merged into."""
    runs = FolderKeyRuns(folder)
    runs.save(0, 20, *ordered([*KEYS, *KEYS, 5, 6, 7, 8], 0))
    runs.cut(10)
    [run] = runs.open()
    assert (run.last, run.find(KEYS[0]), run.find(KEYS[7]), run.find(8)) == (10, 8, 7, -1)
    merged = runs.merge([run, runs.save(10, 11, *ordered([5], 10))])
    assert sorted(number for _, number in pairs(merged)) == list(range(11))
    with pytest.MonkeyPatch.context() as full:
        full.setattr(os, "rename", _refuse)
        with pytest.raises(RunsUnusable):
            runs.cut(5)
    runs.cut(0)
    assert not runs.open()


def a_long_merge_is_in_order(folder: Path) -> None:
    draw, runs = np.random.default_rng(1), FolderKeyRuns(folder)
    keys = draw.integers(1, 1 << 64, 400, np.uint64)
    merged = runs.merge(
        [runs.save(at, at + 100, *ordered(keys[at : at + 100].tolist(), at)) for at in (0, 100, 200, 300)]
    )
    assert len(pairs(merged)) == merged.keys == 400
    assert [merged.find(int(key)) for key in keys] == list(range(400))
    assert {merged.find(int(key) ^ 1) for key in keys} == {-1}


def _refuse(*_given: object, **_named: object) -> None:
    raise OSError(28, "No space left on device")


CHECKS: list[Callable[[Path], None]] = [
    damage_is_noticed,
    what_a_crash_left_goes_away,
    a_loss_of_power_at_any_call_loses_nothing,
    what_is_cut_stays_cut,
    a_long_merge_is_in_order,
]


@pytest.mark.parametrize("check", CHECKS)
def test_files(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path / "keys")


@pytest.mark.parametrize("call", ["fsync", "fdatasync", "pwrite", "rename"])
def test_a_full_disk_is_told_and_leaves_what_there_was(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = FolderKeyRuns(tmp_path)
    held: list[KeyRun] = [runs.save(0, 8, *ordered(KEYS, 0))]
    with monkeypatch.context() as full:
        full.setattr(os, call, _refuse)
        with pytest.raises(RunsUnusable, match="No space left"):
            runs.save(8, 16, *ordered(KEYS, 8))
    assert len(list(tmp_path.iterdir())) == 1
    held.append(runs.save(8, 16, *ordered(KEYS, 8)))
    same(runs.open(), held)


def test_a_disk_that_cannot_be_read_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = FolderKeyRuns(tmp_path)
    run = runs.save(0, 8, *ordered(KEYS, 0))
    monkeypatch.setattr(os, "pread", _refuse)
    for use in (lambda: run.find(1), lambda: pairs(run), runs.open):
        with pytest.raises(RunsUnusable, match="No space left"):
            use()


def test_a_file_that_was_cut_short_under_way_is_told(tmp_path: Path) -> None:
    run = FolderKeyRuns(tmp_path).save(0, 8, *ordered(KEYS, 0))
    [path] = tmp_path.iterdir()
    os.truncate(path, 100)
    with pytest.raises(RunsDamaged, match="cut short"):
        run.find(KEYS[7])


MUTANTS = {
    "looks at one page": Edit(FileRun, "find", "if self._fence[start] == wanted:", "if False:"),
    "finds what was cut": Edit(FileRun, "find", "held[held < self.last]", "held"),
    "finds the first": Edit(FileRun, "find", "int(max(", "int(min("),
    "finds a neighbour": Edit(FileRun, "find", "numbers[keys == wanted]", "numbers[keys <= wanted]"),
    "reads what was cut": Edit(FileRun, "pieces", "if numbers.max() >= self.last:", "if False:"),
    "reads the end of a page": Edit(FileRun, "pieces", "if stop == self._pages:", "if False:"),
    "does not check its pages": Edit(FileRun, "pieces", "if checksum != self._checksum:", "if False:"),
    "does not check its header": Edit(FileRun, "__init__", "(zlib.crc32(head[:-4]),)", "(0,) and False"),
    "does not check its end": Edit(FileRun, "__init__", "zlib.crc32(fence) != checksum", "False"),
    "believes its name": Edit(FileRun, "__init__", "if first != self.first or last < self.last:", "if False:"),
    "merges out of order": Edit(module, "_merged", "bound = min(", "bound = max("),
    "merges unsorted": Edit(module, "_merged", "keys[order], numbers[order]", "keys, numbers"),
    "drops the last page": Edit(module, "_even", "if waiting[0].size:", "if False:"),
    "keeps what is covered": Edit(FolderKeyRuns, "_unlink_covered", "other.unlink()", "pass"),
    "covers too much": Edit(FolderKeyRuns, "_unlink_covered", "span[1] <= last", "True"),
    "keeps what was half written": Edit(FolderKeyRuns, "open", "left.unlink()", "pass"),
    "cuts whole runs": Edit(FolderKeyRuns, "cut", "path.rename(path.with_name(_name(first, last)))", "path.unlink()"),
    "cuts only whole runs": Edit(FolderKeyRuns, "cut", "elif before > last:", "elif False:"),
    "forgets to sync a file": Edit(module, "_fill", "os.fsync(file.fileno())", "pass"),
    "forgets to sync the folder": Edit(FolderKeyRuns, "_write", "sync_directory(self._directory)\n", "pass\n"),
    "makes a folder that does not last": Edit(
        FolderKeyRuns, "_write", "sync_directory(self._directory.parent)", "pass"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=60, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(STEPS)
    def model(steps: list[Step]) -> None:
        follows_the_model(FolderKeyRuns, tmp_path_factory.mktemp("mutant") / "keys", steps)

    deadly = (AssertionError, ValueError, RunsError, pytest.fail.Exception)
    died = False
    with planted(MUTANTS[name]):
        for check in CHECKS:
            try:
                check(tmp_path_factory.mktemp("mutant") / "keys")
            except deadly:
                died = True
                break
        if not died:
            with pytest.raises(deadly):
                model()
