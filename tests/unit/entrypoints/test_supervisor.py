"""A supervisor keeps a child running, paces its restarts, and leaves none behind."""

import logging
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from fairgate.entrypoints.desk.lifeline import settings_line
from fairgate.entrypoints.supervisor import ChildState, Pace, Supervisor, supervised_desk
from fairgate.settings import Settings

QUICK = Pace(first=0.01, longest=0.05, healthy=60, stop=0.3)
ROOT = Path(__file__).parents[3]

#: Writes what it is greeted with and who it is to a file, and then does what else it is told.
NOTES = """
import os, sys, time
line = sys.stdin.buffer.readline()
with open(sys.argv[1], "ab") as file:
    file.write(line.strip() + f" {os.getpid()} {os.getpgid(0)} {os.getsid(0)}\\n".encode())
"""
STAYS = NOTES + "time.sleep(600)"
FAILS = NOTES + "sys.exit(3)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + STAYS
WATCHES = NOTES + "from fairgate.entrypoints.desk.lifeline import kill, lines_of, on_end\non_end(lines_of(0), kill)\n"
WATCHES += "time.sleep(600)"


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def command(program: str, notes: Path) -> Sequence[str]:
    return [sys.executable, "-c", program, str(notes)]


def lines(notes: Path) -> list[list[str]]:
    return [line.split() for line in notes.read_text().splitlines()] if notes.exists() else []


def lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")
    return not status.exists() or status.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    return tmp_path / "notes"


def test_the_child_is_greeted_in_a_group_of_its_own_and_stopped_at_the_end(notes: Path) -> None:
    with Supervisor(command(STAYS, notes), b"hello\n", QUICK) as supervisor:
        until(lambda: bool(lines(notes)))
        ((greeting, pid, group, session),) = lines(notes)
        assert supervisor.state == ChildState(int(pid), 1, None)
    assert (greeting, group) == ("hello", pid)
    assert int(session) == os.getsid(0)
    assert supervisor.state == ChildState(None, 1, -signal.SIGTERM)
    assert not lives(int(pid))


def test_a_child_that_is_killed_comes_back(notes: Path) -> None:
    with Supervisor(command(STAYS, notes), b"hello\n", QUICK) as supervisor:
        until(lambda: len(lines(notes)) == 1)
        os.kill(int(lines(notes)[0][1]), signal.SIGKILL)
        until(lambda: len(lines(notes)) == 2)
        again = supervisor.state
    assert again == ChildState(int(lines(notes)[1][1]), 2, -signal.SIGKILL)


def waits(caplog: pytest.LogCaptureFixture) -> list[float]:
    return [float(found[1]) for each in caplog.messages if (found := re.search(r"again in ([0-9.]+) s", each))]


def test_each_failure_is_waited_for_longer_up_to_a_limit(notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), Supervisor(command(FAILS, notes), b"\n", QUICK) as supervisor:
        until(lambda: len(waits(caplog)) >= 5)
    assert waits(caplog)[:5] == [0.01, 0.02, 0.04, 0.05, 0.05]
    assert "ended with code 3" in caplog.text
    assert supervisor.state.ended == 3


def test_a_child_that_was_well_for_long_enough_is_not_held_against_the_next(
    notes: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pace = Pace(first=0.01, longest=9, healthy=0, stop=1)
    with caplog.at_level(logging.ERROR), Supervisor(command(FAILS, notes), b"\n", pace):
        until(lambda: len(waits(caplog)) >= 4)
    assert set(waits(caplog)) == {0.01}


def test_what_cannot_be_started_is_tried_again_and_can_be_stopped(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), Supervisor(["/no/such/program"], b"\n", QUICK) as supervisor:
        until(lambda: supervisor.state.starts >= 2)
    assert "can't be started" in caplog.text
    assert "No such file or directory" in caplog.text
    assert supervisor.state.pid is None
    assert supervisor.state.starts >= 2


def test_a_long_wait_does_not_hold_up_a_stop(notes: Path, caplog: pytest.LogCaptureFixture) -> None:
    pace = Pace(first=3_600, longest=3_600)
    with caplog.at_level(logging.ERROR), Supervisor(command(FAILS, notes), b"\n", pace):
        until(lambda: bool(waits(caplog)))
    assert len(lines(notes)) == 1


def test_a_child_that_does_not_stop_is_killed(notes: Path) -> None:
    with Supervisor(command(DEAF, notes), b"\n", QUICK) as supervisor:
        until(lambda: bool(lines(notes)))
    assert supervisor.state.ended == -signal.SIGKILL
    assert not lives(int(lines(notes)[0][0]))


def test_stopping_at_once_leaves_nothing_behind(notes: Path) -> None:
    for _ in range(20):
        with Supervisor(command(STAYS, notes), b"hello\n", QUICK) as supervisor:
            pass
        assert supervisor.state.pid is None
    assert not any(lives(int(each[1])) for each in lines(notes))


def test_a_child_that_ends_before_it_is_greeted_breaks_nothing(caplog: pytest.LogCaptureFixture) -> None:
    closes = "import os; os.close(0)"
    greeting = b"x" * 10_000_000 + b"\n"  # more than a pipe holds, so that the write meets its closed end
    with (
        caplog.at_level(logging.ERROR),
        Supervisor([sys.executable, "-c", closes], greeting, QUICK),
    ):
        until(lambda: len(waits(caplog)) >= 2)
    assert "ended with code 0" in caplog.text


def test_the_child_ends_with_a_parent_that_was_killed(notes: Path) -> None:
    parent = (
        "import sys, time\nfrom fairgate.entrypoints.supervisor import Supervisor\n"
        f"Supervisor([sys.executable, '-c', {WATCHES!r}, {str(notes)!r}], b'hello\\n').start()\ntime.sleep(600)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen([sys.executable, "-c", parent], env=environment) as process:
        try:
            until(lambda: bool(lines(notes)))
        finally:
            process.kill()
    child = int(lines(notes)[0][1])
    until(lambda: not lives(child))


def test_a_desk_gets_the_settings_of_the_door() -> None:
    settings = Settings(pack="my_pack", data=Path("somewhere"))
    assert supervised_desk(settings)._greeting == settings_line(settings)
