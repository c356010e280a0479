"""Passes: what the desk may do at the door in somebody's name, for how long, and what is none."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Granted, Scope
from fairgate.domain.errors import BadSettings
from fairgate.domain.secret import Secrets
from fairgate.entrypoints.access import Access, Denied
from fairgate.entrypoints.passes import LIFETIME, PREFIX, Passes, passes_of
from fairgate.settings import Settings
from tests.support import NOW, SetClock

ANN = Granted("key1", "ann", frozenset({Scope.REVIEW, Scope.ENFORCE}))


def passes(clock: SetClock | None = None, secret: int = 7, version: int = 1) -> Passes:
    return Passes(lambda: Secrets({version: secret}), clock or SetClock())


def test_a_pass_grants_what_was_granted_for_a_minute() -> None:
    clock = SetClock()
    made = passes(clock).issue(ANN).encode()
    door = passes(clock)
    assert door.check(made) == ANN
    clock.time = NOW + LIFETIME - 1
    assert door.check(made) == ANN
    clock.time = NOW + LIFETIME
    assert door.check(made) is None


def test_another_secret_or_version_opens_nothing() -> None:
    made = passes().issue(ANN).encode()
    assert passes(secret=8).check(made) is None
    assert passes(version=2).check(made) is None


def test_a_rotated_secret_counts_from_the_next_look_on() -> None:
    held = {1: 7}
    door = Passes(lambda: Secrets(dict(held)), SetClock())
    before = door.issue(ANN).encode()
    assert door.check(before) == ANN
    held[2] = 9
    door.refresh()
    assert door.check(before) is None
    assert door.check(door.issue(ANN).encode()) == ANN


@given(st.data())
def test_whatever_is_changed_in_a_pass_it_is_none(data: st.DataObject) -> None:
    made = bytearray(passes().issue(ANN).encode())
    at = data.draw(st.integers(len(PREFIX), len(made) - 1))
    made[at] ^= data.draw(st.integers(1, 255))
    assert passes().check(bytes(made)) is None


@given(st.binary())
def test_anything_else_is_no_pass(sent: bytes) -> None:
    assert passes().check(PREFIX + sent) is None


def test_the_door_lets_in_by_a_pass_also_before_there_are_keys(tmp_path: Path) -> None:
    clock, settings = SetClock(), Settings(data=tmp_path)
    (tmp_path / "secret").write_text("1:" + "a" * 64)
    made = passes_of(settings, clock).issue(ANN).encode()
    with open_api_keys(tmp_path / "keys.db") as keys:
        access = Access(keys, clock, "127.0.0.1", passes_of(settings, clock))
        assert access.check(made, Scope.ENFORCE) == ANN
        lacks = access.check(made, Scope.ADMIN)
        assert isinstance(lacks, Denied)
        assert (lacks.status, lacks.code) == (403, "scope_missing")
        (tmp_path / "secret").write_text("1:" + "a" * 64 + "\n2:" + "b" * 64)
        access.refresh()
        ended = access.check(made, Scope.ENFORCE)
        assert isinstance(ended, Denied)
        assert (ended.status, ended.code) == (401, "ended_pass")
        without = Access(keys, clock, "127.0.0.1")
        assert without.open
        granted = without.check(made, Scope.ENFORCE)
        assert isinstance(granted, Granted)
        assert granted.by == ""


def test_without_a_secret_nobody_gets_a_pass(tmp_path: Path) -> None:
    with pytest.raises(BadSettings):
        passes_of(Settings(data=tmp_path), SetClock()).issue(ANN)
