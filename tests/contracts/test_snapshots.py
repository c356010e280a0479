"""The contract of the snapshots port, over every implementation, against a naive model; and mutants that must die."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from fairgate.backends.embedded import snapshots as module
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.ports.snapshots import Snapshot, Snapshots
from tests.contracts.planting import Edit, planted

Open = Callable[[Path], Snapshots]
#: How each implementation is opened on a folder of its own.
IMPLEMENTATIONS: dict[str, Open] = {"embedded": FolderSnapshots}
implementations = pytest.mark.parametrize("opened", IMPLEMENTATIONS.values(), ids=IMPLEMENTATIONS.keys())


def state(sequence: int, stamp: str = "a", seed: int = 0) -> Snapshot:
    """A state that no other number, stamp or seed has: arrays of all shapes, one of them empty."""
    draw = np.random.default_rng([sequence, seed])
    arrays = {
        "arena": draw.integers(-(2**62), 2**62, draw.integers(1, 500)),
        "pairs": draw.integers(0, 2**62, (draw.integers(1, 50), 2)),
        "empty": np.zeros((0, 2), np.int64),
    }
    return Snapshot(sequence, stamp, arrays, draw.bytes(int(draw.integers(0, 300))))


def same(one: Snapshot | None, other: Snapshot | None) -> bool:
    if one is None or other is None:
        return one is other
    arrays = one.arrays.keys() == other.arrays.keys() and all(
        one.arrays[name].dtype == np.int64 and np.array_equal(one.arrays[name], other.arrays[name])
        for name in one.arrays
    )
    return arrays and (one.sequence, one.stamp, one.extra) == (other.sequence, other.stamp, other.extra)


@dataclass
class Naive:
    """What must be kept: the two newest up to the one saved last."""

    kept: dict[int, Snapshot] = field(default_factory=dict)

    def save(self, snapshot: Snapshot) -> None:
        before = sorted((each for each in self.kept if each < snapshot.sequence), reverse=True)[:1]
        self.kept = {each: self.kept[each] for each in before} | {snapshot.sequence: snapshot}

    def latest(self, stamp: str, end: int) -> Snapshot | None:
        fits = [each for each in self.kept.values() if each.stamp.startswith(stamp) and each.sequence <= end]
        return max(fits, key=lambda each: each.sequence, default=None)


STEPS = st.lists(
    st.tuples(st.integers(0, 9), st.sampled_from(["a", "ab", "b"]), st.integers(0, 3), st.booleans()),
    min_size=1,
    max_size=8,
)


def follows_the_model(opened: Open, folder: Path, steps: list[tuple[int, str, int, bool]]) -> None:
    kept, model = opened(folder), Naive()
    for sequence, stamp, seed, again in steps:
        snapshot = state(sequence, stamp, seed)
        kept.save(snapshot)
        model.save(snapshot)
        kept = opened(folder) if again else kept
        for end in (0, sequence - 1, sequence, 9):
            for wanted in ("", "a", "ab", "abc", "b"):
                assert same(kept.latest(wanted, end), model.latest(wanted, end)), (wanted, end)


@implementations
@given(steps=STEPS)
@settings(max_examples=20)
def test_what_is_saved_is_found_again(
    opened: Open, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, str, int, bool]]
) -> None:
    follows_the_model(opened, tmp_path_factory.mktemp("snapshots"), steps)


# ------------------------------------------------------------------------------------------------------ what files are


def damage_is_noticed(folder: Path) -> None:
    """Any one bit of any file, any file cut short or gone, leads to the state before."""
    kept = FolderSnapshots(folder)
    for snapshot in (state(1), state(2)):
        kept.save(snapshot)
    whole = {path: path.read_bytes() for path in sorted((folder / f"{2:020d}").iterdir())}
    assert len(whole) == 5
    for path, data in whole.items():
        bits = range(0, 8 * len(data), max(1, len(data) // 12))
        for bit in bits:
            changed = bytearray(data)
            changed[bit // 8] ^= 1 << bit % 8
            path.write_bytes(changed)
            assert same(kept.latest("a", 9), state(1)), (path.name, bit)
        for length in {0, len(data) // 2, len(data) - 1} if data else ():
            path.write_bytes(data[:length])
            assert same(kept.latest("a", 9), state(1)), (path.name, length)
        path.unlink()
        assert same(kept.latest("a", 9), state(1)), path.name
        path.write_bytes(data)
    assert same(kept.latest("a", 9), state(2))


def a_renamed_state_is_not_taken_for_another(folder: Path) -> None:
    kept = FolderSnapshots(folder)
    kept.save(state(1))
    (folder / f"{1:020d}").rename(folder / f"{5:020d}")
    assert kept.latest("a", 9) is None


def what_a_crash_left_half_written_is_no_state_and_goes_away(folder: Path) -> None:
    kept = FolderSnapshots(folder)
    kept.save(state(1))
    left = folder / f"{7:020d}.partial"
    shutil.copytree(folder / f"{1:020d}", left)
    assert same(kept.latest("a", 9), state(1))
    kept.save(state(2))
    assert not left.exists()
    assert sorted(path.name for path in folder.iterdir()) == [f"{1:020d}", f"{2:020d}"]


CHECKS: list[Callable[[Path], None]] = [
    damage_is_noticed,
    a_renamed_state_is_not_taken_for_another,
    what_a_crash_left_half_written_is_no_state_and_goes_away,
]


@pytest.mark.parametrize("check", CHECKS)
def test_folders(check: Callable[[Path], None], tmp_path: Path) -> None:
    check(tmp_path)


def test_a_full_disk_is_told_and_leaves_what_there_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = FolderSnapshots(tmp_path)
    kept.save(state(1))

    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as full:
        full.setattr("os.fsync", fail)
        with pytest.raises(OSError, match="No space left"):
            kept.save(state(2))
    assert same(kept.latest("a", 9), state(1))
    kept.save(state(3))
    assert same(kept.latest("a", 9), state(3))


MUTANTS = {
    "keeps only one": Edit(FolderSnapshots, "save", "at + _KEPT :", "at + 1 :"),
    "keeps states of another log": Edit(FolderSnapshots, "save", "*folders[:at], ", ""),
    "drops the wrong end": Edit(FolderSnapshots, "_newest_first", "reverse=True", "reverse=False"),
    "keeps what was half written": Edit(FolderSnapshots, "save", 'glob("*.partial")', 'glob("*.none")'),
    "looks past the end of the log": Edit(FolderSnapshots, "latest", "int(folder.name) <= end", "True"),
    "stops at the first that is not whole": Edit(FolderSnapshots, "latest", "if snapshot is not None:", "if True:"),
    "takes any stamp": Edit(module, "_load", "not manifest.stamp.startswith(stamp)", "False"),
    "takes no longer stamp": Edit(module, "_load", "not manifest.stamp.startswith(stamp)", "manifest.stamp != stamp"),
    "believes the folder's name": Edit(module, "_load", "manifest.sequence) !=", "int(folder.name)) !="),
    "does not check the manifest": Edit(module, "_load", "(_checksum_line(text), int", '(line + b"\\n", int'),
    "does not check arrays": Edit(module, "_read", "!= kept.checksum", "== kept.checksum + 0.5"),
    "does not check the rest": Edit(module, "_load", "if zlib.crc32(extra) == manifest.extra else None", ""),
    "forgets shapes": Edit(module, "_read", "array.reshape(kept.shape)", "array"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=25, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(STEPS)
    def model(steps: list[tuple[int, str, int, bool]]) -> None:
        follows_the_model(FolderSnapshots, tmp_path_factory.mktemp("mutant"), steps)

    died = False
    with planted(MUTANTS[name]):
        for check in CHECKS:
            try:
                check(tmp_path_factory.mktemp("mutant"))
            except (AssertionError, ValueError, OSError):
                died = True
        if not died:
            with pytest.raises((AssertionError, ValueError, OSError)):
                model()
