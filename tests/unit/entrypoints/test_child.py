"""A forked process sees one moment, leaves nothing open, and its end is told."""

import fcntl
import os
import socket
from pathlib import Path

import pytest

from fairgate.entrypoints.door.child import Child


def test_it_sees_what_was_when_it_was_made(tmp_path: Path) -> None:
    held = [1]
    child = Child(lambda: (tmp_path / "seen").write_text(str(held)))
    held.append(2)
    assert child.go()
    assert (tmp_path / "seen").read_text() == "[1]"


def test_it_does_nothing_when_it_is_stopped(tmp_path: Path) -> None:
    child = Child(lambda: (tmp_path / "seen").write_text("x"))
    assert not child.stop()
    assert not (tmp_path / "seen").exists()


def test_a_failure_is_told_without_its_words(capfd: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        raise ValueError("ada@example.com")

    assert not Child(fail).go()
    assert "ValueError" in capfd.readouterr().err
    assert "ada" not in capfd.readouterr().err


def test_nothing_that_is_open_outlives_the_parent_in_it(tmp_path: Path) -> None:
    """While it works, another process may take the port and the lock."""
    with socket.create_server(("127.0.0.1", 0)) as listener, (tmp_path / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        files = (listener.fileno(), lock.fileno())
        child = Child(lambda: (tmp_path / "open").write_text(str([_is_open(each) for each in files])))
        assert child.go()
    assert (tmp_path / "open").read_text() == "[False, False]"


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True
