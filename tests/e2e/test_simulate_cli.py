"""`fairgate simulate` as a user meets it: what it writes, what it refuses, and how it ends."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest

from tests.unit.simulate.worlds import TEXT

COMMAND = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()"]
TABLES = ("ledger.parquet", "truth.parquet", "truth_accounts.parquet")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world's file."""
    path = tmp_path_factory.mktemp("world") / "world.toml"
    path.write_text(TEXT.replace("honest = 10", "honest = 40"))
    return path


def fairgate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run([*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=300, check=False)


def files(folder: Path) -> dict[str, bytes]:
    """All files below a folder."""
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


@pytest.fixture(scope="module")
def played(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five days of it."""
    out = tmp_path_factory.mktemp("played") / "out"
    done = fairgate("simulate", "--world", world, "--days", "5", "--seed", "3", "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    events = json.loads((out / "run.json").read_text())["events"]
    assert f"Simulated 5 days of the world test: {events:,} events in {out / 'events'}." in done.stdout
    return out


def test_it_writes_days_of_events_and_the_truth_beside_them(played: Path) -> None:
    days = [f"events/2026-09-{day:02}.ndjson" for day in range(7, 12)]
    assert sorted(files(played)) == sorted([*days, *TABLES, "run.json"])
    about = json.loads((played / "run.json").read_text())
    assert about["simulated"] is True
    assert (about["days_asked"], about["days_played"], about["seed"]) == (5, 5, 3)
    lines = sum((played / each).read_bytes().count(b"\n") for each in days)
    assert lines == about["events"] == pl.read_parquet(played / "truth.parquet").height
    assert all(about["events_by_intent"][intent] for intent in ("honest", "abuse"))


def test_the_same_seed_gives_the_same_bytes_and_another_others(played: Path, world: Path, tmp_path: Path) -> None:
    for seed in ("3", "4"):
        out = tmp_path / seed
        done = fairgate("simulate", "--world", world, "--days", "5", "--seed", seed, "--out", out)
        assert done.returncode == 0, done.stderr
        assert (files(out) == files(played)) is (seed == "3")


def test_a_replay_takes_every_event(played: Path) -> None:
    done = fairgate("replay", "--pack", "ai_api", played / "events", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    about = json.loads((played / "run.json").read_text())
    assert summary["events"] == about["events"]
    assert (summary["refused"], summary["repeats"], summary["out_of_order"], summary["degraded"]) == ({}, 0, 0, 0)
    assert summary["inputs"] == sorted(str(each) for each in (played / "events").iterdir())


def test_a_backtest_takes_the_folder_too(played: Path) -> None:
    done = fairgate("backtest", "--old", "ai_api", "--new", "baseline", played / "events", "--json")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


def test_a_world_can_be_sampled(world: Path, tmp_path: Path) -> None:
    done = fairgate("simulate", "--world", world, "--days", "1", "--honest", "20", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    about = json.loads((tmp_path / "out" / "run.json").read_text())
    assert about["honest"] == 20
    assert about["fingerprint"].endswith("/20")


def test_a_world_that_ships_is_played_by_its_name(tmp_path: Path) -> None:
    done = fairgate("simulate", "--world", "small", "--days", "1", "--honest", "50", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "Simulated 1 day of the world small: " in done.stdout


def test_an_interrupt_ends_it_after_the_day_with_what_there_is(world: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    arguments = ["simulate", "--world", str(world), "--days", "3000", "--out", str(out)]
    with subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as playing:
        while not (out / "events" / "2026-09-08.ndjson").exists():
            assert playing.poll() is None
            time.sleep(0.01)
        playing.send_signal(signal.SIGINT)
        stdout, stderr = playing.communicate(timeout=120)
    assert playing.returncode == 130
    assert "Ending with this day" in stderr
    assert "Traceback" not in stderr
    about = json.loads((out / "run.json").read_text())
    assert about["days_asked"] == 3000
    assert 1 <= about["days_played"] < 3000
    assert f"Simulated {about['days_played']} of 3000 days of the world test" in stdout
    days = sorted(each.name for each in (out / "events").iterdir())
    assert len(days) == about["days_played"]
    sent = sum((out / "events" / each).read_bytes().count(b"\n") for each in days)
    assert sent == about["events"] == pl.read_parquet(out / "truth.parquet").height


def refused(*arguments: str | Path) -> str:
    """What is said of arguments that are refused."""
    done = fairgate("simulate", *arguments)
    assert done.returncode in (1, 2)
    assert "Traceback" not in done.stdout + done.stderr
    assert done.stdout == ""
    return done.stderr


def test_a_folder_with_something_in_it_is_refused(world: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")
    said = refused("--world", world, "--days", "1", "--out", tmp_path)
    assert said == (
        f"What is simulated cannot be written. {tmp_path}: it is not empty. Name a new folder, or empty this one.\n"
    )
    assert [each.name for each in tmp_path.iterdir()] == ["mine"]


@pytest.mark.parametrize(
    ("out", "why"),
    [("file/out", "Not a directory"), ("x" * 300, "File name too long")],
)
def test_a_folder_that_can_not_be_made_is_refused(world: Path, tmp_path: Path, out: str, why: str) -> None:
    (tmp_path / "file").write_text("x")
    said = refused("--world", world, "--days", "1", "--out", tmp_path / out)
    assert f"{tmp_path / out}: {why}. Name a folder that can be made." in said


def test_an_unknown_world_is_told_the_nearest(tmp_path: Path) -> None:
    said = refused("--world", "smal", "--out", tmp_path / "out")
    assert said == "There is no world of this name, and no such file. Asked for `smal`: did you mean `small`?\n"
    assert not (tmp_path / "out").exists()


def test_a_world_with_faults_is_shown_where_they_are(world: Path, tmp_path: Path) -> None:
    faulty = tmp_path / "faulty.toml"
    faulty.write_text(world.read_text().replace("[segment.family]", "[segment.famly]"))
    said = refused("--world", faulty, "--out", tmp_path / "out")
    number = faulty.read_text().splitlines().index("[segment.famly]") + 1
    assert f"{faulty}:{number}:1: segment.famly: nobody lives like that" in said
    assert "did you mean `family`?" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--days", "0"), "Invalid value for '--days': 0 is not in the range 1<=x<=3650."),
        (("--honest", "0"), "Invalid value for '--honest'"),
        (("--honest", "41"), "41 honest accounts can't be sampled from the 40 of test."),
    ],
)
def test_what_can_not_be_played_is_refused(world: Path, tmp_path: Path, arguments: tuple[str, ...], words: str) -> None:
    assert words in refused("--world", world, "--out", tmp_path / "out", *arguments)
    assert not (tmp_path / "out").exists()


def test_a_replay_refuses_a_folder_without_events(played: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, played):
        done = fairgate("replay", "--pack", "ai_api", folder)
        assert done.returncode == 1
        assert f"{folder}: there are neither events for this pack in it nor an event log" in done.stderr
