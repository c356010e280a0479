"""The command line as a user meets it, in processes of its own."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

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
    for command in ("backtest", "check", "demo", "list", "log", "replay", "serve", "switch"):
        assert f"\n  {command} " in done.stdout


def test_demo_plays_the_day_and_sums_it_up(tmp_path: Path) -> None:
    done = fairgate("demo", "--minutes", "0.1", "--port", "0", "--stop", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert "The day is over." in done.stdout
    assert "Simulated data." in done.stdout
    assert "credit farm" in done.stdout
    assert "throwaway_burst" in done.stdout
    verified = fairgate("log", "verify", tmp_path / "data")
    assert verified.returncode == 0
    assert verified.stdout.rstrip().endswith("sound")
    replayed = fairgate("replay", "--pack", "ai_api", tmp_path / "data", "--json")
    assert replayed.returncode == 0, replayed.stderr
    summary = json.loads(replayed.stdout)
    assert f"The day is over. {summary['events']:,} events" in done.stdout
    assert summary["repeats"] == 0
    assert summary["refused"] == {}
    assert summary["rule_hits"]["throwaway_burst"] > 0


def test_demo_of_another_seed_is_another_day(tmp_path: Path) -> None:
    done = fairgate("demo", "--seed", "8", "--minutes", "0.1", "--port", "0", "--stop", "--data", tmp_path / "data")
    assert done.returncode == 0, done.stderr
    assert " 0 refused" in done.stdout


@pytest.mark.parametrize("when", ["during the day", "after it"])
def test_an_interrupt_ends_the_demo_in_good_order(tmp_path: Path, when: str) -> None:
    minutes = "1" if when == "during the day" else "0.1"
    command = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()"]
    command += ["demo", "--minutes", minutes, "--port", "0", "--data", str(tmp_path / "data")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as demo:
        assert demo.stdout is not None
        awaited = "challenge" if when == "during the day" else "stays open"
        for line in demo.stdout:
            if awaited in line:
                demo.send_signal(signal.SIGINT)
                break
        rest = demo.stdout.read()
        assert demo.wait(timeout=60) == 0
    assert "Aborted" not in rest
    assert "Traceback" not in rest
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
