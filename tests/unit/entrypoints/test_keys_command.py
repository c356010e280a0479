"""`fairgate keys`, as it is typed; and what a door that runs meanwhile makes of it."""

import getpass
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Kind, more_of
from fairgate.domain.errors import BadRequest
from fairgate.domain.ledger import Subject
from fairgate.domain.windows import DAY
from fairgate.entrypoints import keys_command
from fairgate.entrypoints.access import Access, Denied
from fairgate.entrypoints.cli import main
from fairgate.settings import Settings
from fairgate.wiring import RECORDS, open_records
from tests.e2e.desks import audited
from tests.support import NOW, SetClock

ROOT = Path(__file__).parents[3]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def run(data: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["keys", *words, "--data", str(data)])


def refused(data: Path, *words: str) -> str:
    result = run(data, *words)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    return result.stderr


def created(data: Path, *words: str) -> str:
    result = run(data, "create", "--scope", "decide", "--name", "signup-service", *words)
    assert result.exit_code == 0, result.output
    return result.stdout.strip()


def test_a_key_is_made_and_only_its_text_is_on_stdout(data: Path) -> None:
    result = run(data, "create", "--scope", "ingest", "--scope", "decide", "--name", " signup-service ", "--for", "90d")
    assert result.exit_code == 0
    text = result.stdout.removesuffix("\n")
    assert re.fullmatch(r"fg_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", text)
    assert f"Made the key {text[3:11]}, which works until " in result.stderr
    assert "within 2 seconds" in result.stderr
    assert text[12:] not in result.stderr
    with open_api_keys(data / "keys.db") as keys:
        [key] = keys.all()
        assert (key.id, key.name, key.scopes) == (text[3:11], "signup-service", frozenset({Scope.DECIDE, Scope.INGEST}))
        assert key.expires == key.created + 90 * DAY
        granted = Access(keys, SetClock(key.created), "127.0.0.1").check(b"Bearer " + text.encode(), Scope.DECIDE)
        assert isinstance(granted, Granted)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("create", "--scope", "decid", "--name", "a"), "no scope `decid` (did you mean `decide`?)"),
        (
            ("create", "--scope", "everything", "--name", "a"),
            "known: admin, audit, decide, enforce, ingest, personal, ",
        ),
        (("create", "--scope", "decide", "--name", "  "), "Say who uses the key"),
        (("create", "--scope", "decide", "--name", "a" * 65), "1 to 64 characters"),
        (("create", "--scope", "decide", "--name", "a\x1b[2J"), "that can be printed"),
        (
            ("create", "--scope", "decide", "--name", "a", "--for", "soon"),
            '`--for` takes a length of time: write "90s"',
        ),
        (("create", "--scope", "decide", "--name", "a", "--for", "0d"), '"0d" is none'),
        (("revoke", "nobody"), "Asked for `nobody`; `fairgate keys list` shows them all"),
        (("rotate", "nobody"), "Asked for `nobody`"),
        (("rotate", "nobody", "--grace", "31d"), "`--grace` takes a length of time, at most 30d"),
    ],
)
def test_what_can_t_be_done_is_told(data: Path, words: tuple[str, ...], told: str) -> None:
    assert told in refused(data, *words)
    assert run(data, "list").stdout.count("\n") == 1


def test_without_a_scope_or_a_name_nothing_is_made(data: Path) -> None:
    assert "Missing option '--scope'" in run(data, "create", "--name", "a").stderr
    assert "Missing option '--name'" in run(data, "create", "--scope", "decide").stderr
    assert not data.exists()
    with open_api_keys(data / "keys.db") as keys, pytest.raises(BadRequest, match="Say what the key is for"):
        keys_command.create(keys, NOW, "a", [])


def test_revoking_twice_is_told(data: Path) -> None:
    key_id = created(data)[3:11]
    result = run(data, "revoke", key_id)
    assert (result.exit_code, result.stdout) == (0, f"Revoked {key_id}. A running door knows within 2 seconds.\n")
    assert f"`{key_id}` has been revoked before" in refused(data, "revoke", key_id)
    assert f"`{key_id}` is revoked: make a new key" in refused(data, "rotate", key_id)


def test_rotating_gives_a_key_of_the_same_kind_and_the_old_one_some_time(data: Path) -> None:
    old = created(data, "--for", "90d")
    result = run(data, "rotate", old[3:11], "--grace", "2h")
    new = result.stdout.strip()
    assert result.exit_code == 0
    assert f"{old[3:11]} works until " in result.stderr
    with open_api_keys(data / "keys.db") as keys:
        before, after = keys.all()
    assert (before.id, after.id, after.rotated_from) == (old[3:11], new[3:11], before.id)
    assert (after.name, after.scopes) == (before.name, before.scopes)
    assert after.expires == after.created + 90 * DAY
    assert before.expires == after.created + DAY // 12
    assert f"rotate `{after.id}`, which follows it" in refused(data, "rotate", before.id)


def test_a_key_without_an_end_gets_a_follower_without_one_and_no_grace_ends_it_now(data: Path) -> None:
    old = created(data)
    assert run(data, "rotate", old[3:11], "--grace", "0s").exit_code == 0
    with open_api_keys(data / "keys.db") as keys:
        before, after = keys.all()
    assert (before.expires, after.expires) == (after.created, None)


def test_the_table_shows_what_each_key_is_for_and_never_a_secret(data: Path) -> None:
    with open_api_keys(data / "keys.db") as keys:
        first = keys_command.create(keys, NOW, "signup-service", ["ingest", "decide"], "1d").text
        second = keys_command.rotate(keys, NOW, first[3:11], "1h").text
        third = keys_command.create(keys, NOW, "dash", ["read"]).text
        keys_command.revoke(keys, NOW, third[3:11])
        keys.used({second[3:11]: NOW + DAY // 2})
        table = keys_command.as_table(keys, NOW + DAY // 2)
    ids = [text[3:11] for text in (first, second, third)]
    rows = [re.split("  +", line) for line in table.splitlines()]
    day, hour = "2026-01-06 10:31", "2026-01-05 11:31"
    assert rows == [
        ["id", "name", "scopes", "state", "created", "expires", "last used", "follows"],
        [ids[0], "signup-service", "ingest,decide", "expired", "2026-01-05 10:31", hour, "-", "-"],
        [ids[1], "signup-service", "ingest,decide", "active", "2026-01-05 10:31", day, "2026-01-05 22:31", ids[0]],
        [ids[2], "dash", "read", "revoked", "2026-01-05 10:31", "-", "-", "-"],
    ]
    columns = {line.index(cells[3]) for line, cells in zip(table.splitlines(), rows, strict=True)}
    assert len(columns) == 1


def test_as_json_it_is_an_array(data: Path) -> None:
    assert json.loads(run(data, "list", "--json").stdout) == []
    text = created(data)
    [shown] = json.loads(run(data, "list", "--json").stdout)
    assert text[12:] not in str(shown)
    assert shown.pop("created").endswith("Z")
    assert shown == {
        "id": text[3:11],
        "name": "signup-service",
        "scopes": ["decide"],
        "state": "active",
        "expires": None,
        "last_used": None,
        "revoked": None,
        "rotated_from": None,
    }


def test_a_door_that_runs_meanwhile_follows(data: Path) -> None:
    with open_api_keys(data / "keys.db") as keys:
        access = Access(keys, SetClock(), "127.0.0.1")
        assert access.open
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
        code = "from fairgate.entrypoints.cli import main; main()"

        def in_another_process(*words: str) -> str:
            command = [sys.executable, "-c", code, "keys", *words, "--data", str(data)]
            return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()

        text = in_another_process("create", "--scope", "decide", "--name", "a")
        header = b"Bearer " + text.encode()
        access.refresh()
        assert isinstance(access.check(None, Scope.DECIDE), Denied)
        assert isinstance(access.check(header, Scope.DECIDE), Granted)
        in_another_process("revoke", text[3:11])
        access.refresh()
        assert isinstance(access.check(header, Scope.DECIDE), Denied)


def test_what_is_done_about_keys_stands_in_the_audit_log_where_there_is_one(data: Path) -> None:
    created(data)
    assert not (data / RECORDS).exists()  # a command about keys does not make it
    with open_records(data):
        pass
    first = created(data, "--scope", "audit")[3:11]
    second = run(data, "rotate", first).stdout[3:11]
    assert run(data, "revoke", second).exit_code == 0
    assert run(data, "revoke", second).exit_code == 1
    rows = audited(Settings(data=data))
    assert {each.by for each in rows} == {getpass.getuser()}
    assert [(each.what, each.about, each.more) for each in rows] == [
        (Kind.KEY_MADE, Subject("api_key", first), more_of(scopes="decide,audit")),
        (Kind.KEY_ROTATED, Subject("api_key", first), more_of(made=second)),
        (Kind.KEY_REVOKED, Subject("api_key", second), ""),
    ]


def test_a_key_ends_also_where_it_can_t_be_noted(data: Path) -> None:
    key = created(data)[3:11]
    (data / RECORDS).write_bytes(b"no data base" * 100)
    result = run(data, "revoke", key)
    assert (result.exit_code, result.stdout.startswith(f"Revoked {key}.")) == (0, True)
    assert "This does not stand in the audit log." in result.stderr
    assert "revoked" in run(data, "list").stdout
