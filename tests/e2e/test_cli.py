"""The command line as a user meets it, in processes of its own."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.unit.simulate.worlds import TEXT

PACK = """
[pack]
name = "small"
version = "1"

[event.signup.attributes]
account = { entity = "account", required = true }
email = { type = "email", entity = "email", personal = true }

[[list]]
name = "friends"
about = "Accounts that are let through"
entity = "account"
effect = "allow"

[[list]]
name = "mailboxes"
entity = "email"

[[reason]]
code = "burst"
user = "We could not confirm this sign-up."
reviewer = "A burst of sign-ups"
executive = "Many sign-ups at once"

[[rule]]
name = "throwaway"
on = "signup"
when = "email.disposable"
score = 3.0
action = "challenge"
reason = "burst"
mode = "live"

[[segment]]
name = "default"
"""


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    """A small pack's folder."""
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "pack.toml").write_text(PACK)
    return folder


def fairgate(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    command = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; import fairgate.entrypoints.cli;"
        "print([name for name in ('numba', 'numpy', 'polars', 'uvicorn', 'rich', 'msgspec') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_lists_every_command() -> None:
    done = fairgate("--help")
    assert done.returncode == 0
    for command in ("backtest", "check", "demo", "list", "log", "replay", "serve", "simulate", "switch"):
        assert f"\n  {command} " in done.stdout


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """The file of a world with few people in it."""
    path = tmp_path / "world.toml"
    path.write_text(TEXT)
    return path


def test_demo_plays_a_world_and_sums_it_up(tmp_path: Path, world: Path) -> None:
    where = ("--port", "0", "--stop", "--data", tmp_path / "data")
    done = fairgate("demo", "--world", world, "--days", "2", *where)
    assert done.returncode == 0, done.stderr
    assert "2 days are over." in done.stdout
    assert "All of it is simulated" in done.stdout
    assert re.search(r"opponent +credit farm 0 +begins with ", done.stdout)
    assert re.search(r"\n *credit farm +1 of 1 +0 ", done.stdout)
    said = " ".join(done.stdout.split())
    assert re.search(r"They used \d+ accounts, of which \d+ \(", said)
    assert re.search(r"Of \d+ honest accounts ", said)
    counts = re.search(r"in the ledger: (\d+) actions .* by signed webhook, (\d+) messages in all", said)
    assert counts is not None
    assert int(counts[2]) >= int(counts[1])
    verified = fairgate("log", "verify", tmp_path / "data")
    assert verified.returncode == 0
    assert verified.stdout.rstrip().endswith("sound")
    replayed = fairgate("replay", "--pack", "ai_api", tmp_path / "data", "--json")
    assert replayed.returncode == 0, replayed.stderr
    summary = json.loads(replayed.stdout)
    assert f"2 days are over. {summary['events']:,} events, 0 refused." in done.stdout
    assert (summary["repeats"], summary["refused"]) == (0, {})
    assert summary["first"].startswith("2026-09-07")
    assert summary["last"].startswith("2026-09-08")


def test_demo_of_another_seed_is_another_play(tmp_path: Path, world: Path) -> None:
    where = ("--world", world, "--days", "1", "--port", "0", "--stop")
    first = fairgate("demo", *where, "--seed", "3", "--data", tmp_path / "first")
    other = fairgate("demo", *where, "--seed", "8", "--data", tmp_path / "other")
    assert "The day is over." in first.stdout
    assert " 0 refused" in first.stdout
    assert " 0 refused" in other.stdout
    assert first.stdout != other.stdout


@pytest.mark.parametrize("when", ["while it is played", "after it"])
def test_an_interrupt_ends_the_demo_in_good_order(tmp_path: Path, world: Path, when: str) -> None:
    days, awaited = ("90", "opponent") if when == "while it is played" else ("1", "stays open")
    command = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()", "demo", "--world", str(world)]
    command += ["--days", days, "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if awaited in line:
                demo.send_signal(signal.SIGINT)
                break
        rest = demo.stdout.read()
        assert demo.wait(timeout=60) == 0
    assert "Aborted" not in rest
    assert "Traceback" not in rest
    assert "are over" not in rest
    assert any((tmp_path / "data" / "snapshots").iterdir())


@pytest.mark.parametrize("command", ["demo", "serve"])
def test_a_port_that_is_taken_is_named(tmp_path: Path, command: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = fairgate(command, "--port", str(port), "--data", tmp_path / "data")
    assert done.returncode == 1
    assert f"127.0.0.1, port {port} can't be listened at: Address already in use" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "friend", "a1", "--for", "7d"), "There is no list `friend`"),
        (("list", "friends", "a1", "--for", "soon"), '"soon" is no such length'),
        (("list", "friends", "a1"), "Say for how long"),
        (("list", "friends", "a1", "--for", "400d"), "at most 365d"),
        (("list", "mailboxes", "no mailbox", "--for", "7d"), "can't stand in the list `mailboxes`"),
        (("switch", "throwawy", "off"), "did you mean `throwaway`?"),
    ],
)
def test_control_says_what_is_wrong(tmp_path: Path, pack: Path, arguments: tuple[str, ...], words: str) -> None:
    done = fairgate(*arguments, "--why", "a test", "--pack", pack, "--data", tmp_path / "data")
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_what_operators_change_stands_in_the_log(tmp_path: Path, pack: Path) -> None:
    where = ("--pack", pack, "--data", tmp_path / "data", "--why", "a test", "--by", "ops")
    assert "in the list friends until" in fairgate("list", "friends", "a1", "--for", "7d", *where).stdout
    assert "off the list friends" in fairgate("list", "friends", "a1", "--off", *where).stdout
    assert "the rule throwaway is off" in fairgate("switch", "throwaway", "off", *where).stdout
    assert "all enforcement is on" in fairgate("switch", "all", "on", *where).stdout
    assert ", 5 records" in fairgate("log", "verify", tmp_path / "data").stdout  # the pack, two entries, two switches


def test_a_secret_is_made_once_and_kept_from_others(tmp_path: Path, pack: Path) -> None:
    where = ("--pack", pack, "--data", tmp_path / "data", "--why", "a test")
    fairgate("switch", "throwaway", "off", *where)
    secret = tmp_path / "data" / "secret"
    first = secret.read_text()
    assert secret.stat().st_mode & 0o777 == 0o600
    fairgate("switch", "throwaway", "on", *where)
    assert secret.read_text() == first


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("prot = 8080", "prot"),
        ("[door]\nport = 'many'", "door.port"),
        ("port = ", "fairgate.toml"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, text: str, words: str) -> None:
    config = tmp_path / "fairgate.toml"
    config.write_text(text)
    done = fairgate("serve", "--config", config)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr
