"""What operators change through a door that is running, and what nobody can read after an erasure."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import polars as pl
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.entrypoints.access import new_key
from tests.e2e.doors import ENVIRONMENT, Process, fairgate
from tests.support import NOW, body, request
from tests.unit.pipeline.test_erase import ADA, BOB, PERSONAL, readable

Start: TypeAlias = Callable[..., Process]


def test_lists_and_switches_are_changed_through_the_door_that_runs(start: Start, tmp_path: Path) -> None:
    process = start()
    where = ("--config", tmp_path / "fairgate.toml", "--why", "a test")
    with process.ready() as client:
        assert "in the list banned until" in fairgate("list", "banned", "crook", "--for", "7d", *where).stdout
        assert client.post("/v1/decide", content=request(1, "crook")).json()["action"] == "ban"
        assert "all enforcement is off" in fairgate("switch", "all", "off", *where).stdout
        assert client.post("/v1/decide", content=request(2, "crook")).json()["action"] == "allow"
        assert "all enforcement is on" in fairgate("switch", "all", "on", *where).stdout
        assert "off the list banned" in fairgate("list", "banned", "crook", "--off", *where).stdout
        assert client.post("/v1/decide", content=request(3, "crook")).json()["action"] == "allow"
    assert process.signal(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("list", "bannd", "crook", "--for", "7d"), "did you mean `banned`?"),
        (("list", "banned", "crook", "--off"), "does not stand in this list"),
        (("switch", "brst", "off"), "did you mean `burst`?"),
        (("erase", "nobody"), "nothing personal is recorded of this account"),
        (("switch", "burst", "off", "--url", "http://127.0.0.1:9"), "Name its address with --url"),
    ],
)
def test_what_the_door_refuses_is_told_in_its_words(
    start: Start, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    process = start()
    with process.ready():
        done = fairgate(*arguments, "--config", tmp_path / "fairgate.toml", "--why", "a test")
    process.signal(signal.SIGTERM)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_a_key_is_needed_once_there_is_one(start: Start, tmp_path: Path) -> None:
    process = start()
    where = ("--config", tmp_path / "fairgate.toml", "--why", "a test")
    with process.ready() as client:
        client.post("/v1/decide", content=ADA[0])
        texts = {}
        with open_api_keys(tmp_path / "data" / "keys.db") as keys:
            for scope in (Scope.READ, Scope.ADMIN):
                texts[scope], key = new_key(scope.value, frozenset({scope}), NOW, None)
                keys.add(key)
    process.signal(signal.SIGTERM)
    process = start()
    with process.ready():
        assert "key" in fairgate("erase", "ada", *where).stderr
        assert "admin" in fairgate("erase", "ada", *where, key=texts[Scope.READ]).stderr
        assert "erased" in fairgate("erase", "ada", *where, key=texts[Scope.ADMIN]).stdout
    process.signal(signal.SIGTERM)


@pytest.mark.parametrize("running", [True, False])
def test_nothing_of_an_erased_account_is_readable(start: Start, tmp_path: Path, *, running: bool) -> None:
    """In no file of the data folder, by nobody: not in the log, nor in snapshots, nor through the door."""
    process, data = start(), tmp_path / "data"
    where = ("--config", tmp_path / "fairgate.toml", "--why", "she asked")
    with process.ready() as client:
        for each in (*ADA, *BOB, *(body({"account": f"a{at}"}, id=f"more{at}") for at in range(310))):
            assert client.post("/v1/decide", content=each).status_code == 200
        if running:
            assert "erased" in fairgate("erase", "ada", *where).stdout
            assert all(text not in client.get("/v1/decisions/1").text for text in PERSONAL)
    assert process.signal(signal.SIGTERM) == 0
    if not running:
        assert "erased" in fairgate("erase", "ada", *where).stdout
    assert readable(data) == []
    asked = ("sql", "--config", tmp_path / "fairgate.toml", "--form", "csv")
    query = "SELECT account, email, ip FROM account_signup ORDER BY account"
    shown = fairgate(*asked, "--personal", "--why", "a test", query).stdout
    assert "bob,bob@example.net,198.51.100.99" in shown
    assert [line for line in shown.splitlines() if line.startswith("ada")] == ["ada,,"]
    masked = fairgate(*asked, "SELECT account FROM account_signup WHERE is_token(email, 'ada.lovelace@example.com')")
    assert "ada" in masked.stdout  # what was counted by its token can still be found by whoever knows the address
    files = list((data / "lake").rglob("*.parquet"))
    held = "".join(str(pl.read_parquet(file).rows()) for file in files)
    assert "ada" in held
    assert not any(text in held for text in PERSONAL)
    verified = fairgate("log", "verify", data, "--decisions")
    assert "3 events were erased" in verified.stdout
    assert verified.returncode == 0, verified.stdout
    process = start()
    with process.ready() as client:
        found = client.get("/v1/decisions/1").json()
        assert found["event"]["attributes"]["account"] == "ada"
        assert all(text not in str(found) for text in PERSONAL)
        again = client.post("/v1/decide", content=ADA[0]).json()
        assert again["repeated"]
    process.signal(signal.SIGTERM)


def test_a_rotated_secret_opens_what_was_sealed_before(start: Start, tmp_path: Path) -> None:
    process, data = start(), tmp_path / "data"
    with process.ready() as client:
        client.post("/v1/decide", content=ADA[0])
        before = client.get("/v1/decisions/1").json()["event"]["personal"]
    assert process.signal(signal.SIGTERM) == 0
    first = (data / "secret").read_text()
    rotated = fairgate("secret", "rotate", "--config", tmp_path / "fairgate.toml")
    assert "version 2 of the secret" in rotated.stdout
    assert (data / "secret").read_text().startswith(first)
    assert (data / "secret").stat().st_mode & 0o777 == 0o600
    process = start()
    with process.ready() as client:
        assert client.post("/v1/decide", content=ADA[0]).json()["repeated"]
        client.post("/v1/decide", content=ADA[1])
        found = client.get("/v1/decisions/3").json()["event"]["personal"]
        old = client.get("/v1/decisions/1").json()["event"]["personal"]
    process.signal(signal.SIGTERM)
    assert old == before
    assert old["ip"].startswith("t1:")
    assert found["ip"].startswith("t2:")
    readable_values = fairgate(
        "sql",
        "--data",
        data,
        "--form",
        "csv",
        "--personal",
        "--why",
        "a test",
        "SELECT ip FROM account_signup UNION SELECT ip FROM api_request",
    ).stdout
    assert {PERSONAL[1], PERSONAL[2]} <= set(readable_values.split())
    assert fairgate("log", "verify", data, "--decisions").returncode == 0


def test_a_secret_of_the_environment_is_not_rotated_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ENVIRONMENT, "FAIRGATE_SECRET", "ab" * 32)
    done = fairgate("secret", "rotate", "--data", tmp_path)
    assert done.returncode == 1
    assert "add a version to it, as `,2:`" in done.stderr
