"""Sealing per subject: numbers in the order of first use, and nothing that can be opened without its key."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain.errors import SealBroken
from fairgate.domain.secret import Secrets, Tokens
from fairgate.pipeline.seals import Seals
from tests.support import seals_in


class Keys:
    """Keys in memory."""

    def __init__(self) -> None:
        self.erased: set[int] = set()

    def get(self, number: int) -> bytes | None:
        return None if number in self.erased else number.to_bytes(32, "big")

    def erase(self, numbers: list[int]) -> None:
        self.erased |= set(numbers)


@pytest.fixture
def seals() -> Seals:
    return Seals(Keys(), Secrets({1: 99}))


@given(st.binary(max_size=200), st.integers(1, (1 << 64) - 1))
def test_what_is_sealed_can_be_opened(plain: bytes, subject: int) -> None:
    seals = Seals(Keys(), Secrets({3: 99}))
    number, sealed = seals.seal(subject, plain)
    again, other = seals.seal(subject, plain)
    assert number == again == 0
    assert sealed != other
    assert len(sealed) == len(plain) + 29
    assert plain not in sealed or len(plain) < 3
    assert seals.open(number, sealed) == seals.open(number, other) == plain


def test_numbers_are_given_in_the_order_of_first_use(seals: Seals) -> None:
    assert [seals.seal(subject, b"")[0] for subject in (7, 5, 7, 1 << 63, 5)] == [0, 1, 0, 2, 1]
    assert seals.following == 3
    assert seals.subjects().tolist() == [7, 5, 1 << 63]


def test_nothing_opens_what_is_erased(seals: Seals) -> None:
    number, sealed = seals.seal(7, b"who")
    kept, beside = seals.seal(8, b"else")
    seals.forget(number)
    assert seals.open(number, sealed) is None
    assert seals.open(kept, beside) == b"else"
    assert seals.subjects().tolist() == [0, 8]
    again, fresh = seals.seal(7, b"who")
    assert again == 2
    assert seals.open(again, fresh) == b"who"
    seals.forget(number)  # as a restart does, reading the log
    assert seals.open(again, fresh) == b"who"


def test_what_was_learnt_is_known(seals: Seals) -> None:
    for subject, number in ((7, 0), (5, 1), (7, 0), (9, 4)):
        seals.learn(subject, number)
    assert [seals.seal(subject, b"")[0] for subject in (9, 5, 7, 2)] == [4, 1, 0, 5]


def test_a_snapshot_has_all(seals: Seals) -> None:
    for subject in (7, 5, 3):
        seals.seal(subject, b"")
    other = Seals(Keys(), Secrets({1: 99}))
    other.load(*seals.state())
    assert [other.seal(subject, b"")[0] for subject in (3, 4, 7)] == [2, 3, 0]


def test_a_subject_is_found_under_every_version_of_the_secret() -> None:
    old, new = Tokens(99).key["ada"], Tokens(98, 2).key["ada"]
    seals = Seals(Keys(), Secrets({1: 99, 2: 98}))
    for subject in (old, Tokens(99).key["bob"], new):
        seals.seal(subject, b"")
    assert sorted(seals.numbers_of("ada")) == [0, 2]
    assert seals.numbers_of("bob") == [1]
    assert seals.numbers_of("eve") == []


def test_what_was_said_again_is_known_and_no_number_is_given_twice(seals: Seals) -> None:
    for subject in (7, 5, 3, 9):
        seals.seal(subject, b"")
    seals.forget(1)
    other = Seals(Keys(), Secrets({1: 99}))
    subjects = seals.subjects()
    other.restore(0, subjects[:2])
    other.restore(2, subjects[2:])
    assert other.following == 4
    assert [other.seal(subject, b"")[0] for subject in (9, 7, 5, 3)] == [3, 0, 4, 2]
    other.restore(0, subjects)  # said again in the middle of a log
    assert [other.seal(subject, b"")[0] for subject in (5, 2)] == [4, 5]


def test_numbers_of_whom_all_are_erased_are_not_given_again() -> None:
    other = Seals(Keys(), Secrets({1: 99}))
    other.restore(0, np.zeros(3, np.uint64))
    assert other.seal(7, b"")[0] == 3


@pytest.mark.parametrize("at", [1, 5, 13, 20, -1])
def test_what_was_changed_is_not_opened(seals: Seals, at: int) -> None:
    number, sealed = seals.seal(7, b"somebody")
    changed = bytearray(sealed)
    changed[at] ^= 1
    with pytest.raises(SealBroken, match="number 0"):
        seals.open(number, bytes(changed))


def test_another_secret_opens_nothing(seals: Seals) -> None:
    number, sealed = seals.seal(7, b"who")
    with pytest.raises(SealBroken, match="belong to this log"):
        Seals(Keys(), Secrets({1: 98})).open(number, sealed)


def test_an_older_version_opens_what_was_sealed_under_it(seals: Seals) -> None:
    number, sealed = seals.seal(7, b"who")
    newer = Seals(Keys(), Secrets({1: 99, 2: 5}))
    assert newer.open(number, sealed) == b"who"
    newer.learn(7, number)
    same, fresh = newer.seal(7, b"who")
    assert same == number
    assert newer.open(number, fresh) == b"who"
    assert Seals(Keys(), Secrets({2: 5})).open(number, sealed) is None


@pytest.fixture
def in_file(tmp_path: Path) -> Iterator[Seals]:
    with seals_in(tmp_path, writable=True) as seals:
        yield seals


def test_more_subjects_than_are_kept_ready(in_file: Seals, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairgate.pipeline.seals._MOST_READY", 8)
    sealed = [in_file.seal(subject, str(subject).encode()) for subject in [*range(1, 40), *range(1, 40)]]
    assert [number for number, _ in sealed] == [*range(39), *range(39)]
    assert [in_file.open(*each) for each in sealed] == [str(subject).encode() for subject in [*range(1, 40)] * 2]
