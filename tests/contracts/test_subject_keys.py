"""Every implementation of subject keys against a naive model, and planted faults that must show."""

import os
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.backends.embedded import subject_keys
from fairgate.backends.embedded.subject_keys import FileSubjectKeys
from fairgate.domain.errors import KeysUnusable
from tests.contracts.planting import Edit, planted

#: Numbers around those at which more keys are made.
NUMBERS = st.sampled_from([0, 1, 2, 3, 4, 5, 8, 9, 30])
STEPS = st.lists(st.tuples(st.sampled_from(["get", "erase", "reopen", "peep"]), NUMBERS), max_size=25)


@pytest.fixture(autouse=True)
def few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subject_keys, "_CHUNK", 4)


def play(path: Path, steps: Sequence[tuple[str, int]]) -> None:
    """Take these steps, and compare with a dict of what was given out and a set of what was erased."""
    given_out: dict[int, bytes] = {}
    erased: set[int] = set()
    keys = FileSubjectKeys(path)
    for step, number in steps:
        if step == "erase":
            if number in given_out:
                keys.erase([number])
                erased.add(number)
            continue
        if step == "reopen":
            keys.close()
            keys = FileSubjectKeys(path)
        if step == "peep":
            with closing(FileSubjectKeys(path, writable=False)) as reader:
                found = reader.get(number)
            assert found == (None if number in erased else given_out.get(number, found))
            continue
        key = keys.get(number)
        if number in erased:
            assert key is None
        else:
            assert key is not None
            assert len(key) == 32
            assert key == given_out.setdefault(number, key)
    assert len(set(given_out.values())) == len(given_out)
    keys.close()
    held = path.read_bytes()
    assert not any(given_out[number] in held for number in erased)


@given(STEPS)
@settings(max_examples=150)
def test_a_key_stays_until_it_is_erased(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, int]]
) -> None:
    play(tmp_path_factory.mktemp("keys") / "subjects.keys", steps)


STORY = (
    ("get", 0), ("get", 9), ("get", 2), ("erase", 2), ("get", 2), ("reopen", 2), ("peep", 9), ("get", 30), ("erase", 9),
    ("peep", 9), ("reopen", 0), ("get", 9), ("get", 1),
)  # fmt: skip
MUTANTS = {
    "erases the neighbour": Edit(FileSubjectKeys, "erase", "_SLOT * (number + 1)", "_SLOT * number"),
    "erases nothing": Edit(FileSubjectKeys, "erase", "_write(self._file, _ERASED, _SLOT * (number + 1))", "pass"),
    "gives out what is erased": Edit(FileSubjectKeys, "get", " and slot != _ERASED", ""),
    "makes the same key twice": Edit(
        FileSubjectKeys, "_make", "secrets.token_bytes(_SLOT * new)", "_SLOT * new * b'k'"
    ),
    "makes keys over others": Edit(FileSubjectKeys, "_make", "_SLOT * (self._made + 1)", "_SLOT * self._made"),
    "makes new keys on opening": Edit(FileSubjectKeys, "_slots", "os.fstat(self._file).st_size // _SLOT - 1", "0"),
}


def test_the_story_is_sound(tmp_path: Path) -> None:
    play(tmp_path / "subjects.keys", STORY)


@pytest.mark.parametrize("name", MUTANTS)
def test_notices_a_file_that(name: str, tmp_path: Path) -> None:
    with planted(MUTANTS[name]), pytest.raises((AssertionError, KeysUnusable)):
        play(tmp_path / "subjects.keys", STORY)


def test_keys_are_synced_before_they_are_given_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    write, sync = os.pwrite, os.fsync

    def noting(name: str, function: Callable[..., object]) -> Callable[..., object]:
        def noted(*given: object) -> object:
            told.append(name)
            return function(*given)

        return noted

    with closing(FileSubjectKeys(tmp_path / "subjects.keys")) as keys:
        monkeypatch.setattr(os, "pwrite", noting("write", write))
        monkeypatch.setattr(os, "fsync", noting("sync", sync))
        keys.get(0)
        keys.get(1)
        assert told == ["write", "sync"]
        keys.erase([1])
        assert told == ["write", "sync", "write", "sync"]


def test_a_reader_makes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "subjects.keys"
    FileSubjectKeys(path).close()
    before = path.read_bytes()
    with closing(FileSubjectKeys(path, writable=False)) as keys:
        assert keys.get(7) is None
    assert path.read_bytes() == before
    assert path.stat().st_mode & 0o077 == 0


def test_a_slot_that_was_cut_short_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "subjects.keys"
    with closing(FileSubjectKeys(path)) as keys:
        first = keys.get(0)
    os.truncate(path, 32 * 3 + 7)
    with closing(FileSubjectKeys(path)) as keys:
        assert keys.get(0) == first
        made = keys.get(2)
        assert made is not None
        assert keys.get(2) == made


@pytest.mark.parametrize("content", [b"x" * 32, b"FGATEKEY" + bytes([9]) + bytes(23)])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "subjects.keys"
    path.write_bytes(content)
    with pytest.raises(KeysUnusable, match=r"no file of keys of this version.*backup"):
        FileSubjectKeys(path)


def test_a_missing_file_is_told_to_a_reader(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="No such file"):
        FileSubjectKeys(tmp_path / "subjects.keys", writable=False)


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_given: object) -> int:
        raise OSError(28, "No space left on device")

    with closing(FileSubjectKeys(tmp_path / "subjects.keys")) as keys:
        monkeypatch.setattr(os, "pwrite", full)
        with pytest.raises(KeysUnusable, match="No space left"):
            keys.get(0)
        monkeypatch.undo()
        assert keys.get(0) is not None
