"""Every query is on disk before it runs, and its text is not."""

import json
import os
from hashlib import sha256
from pathlib import Path

import pytest

from fairgate.domain.errors import DeskUnwritable
from fairgate.entrypoints.desk.audit import Audit, fingerprint
from tests.support import SetClock

QUERY = "select * from decisions where account = 'anna@example.com'"


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_who_asked_what_and_what_became_of_it(tmp_path: Path) -> None:
    path = tmp_path / "desk" / "audit.jsonl"
    audit = Audit(path, SetClock())
    audit.asked("q1", "analyst", "abcd1234", "sql", QUERY, personal=True)
    audit.ended("q1", 200, 17)
    audit.close()
    asked, ended = lines(path)
    assert asked == {
        "what": "asked",
        "time": "2026-01-05T10:31:12+00:00",
        "id": "q1",
        "by": "analyst",
        "key": "abcd1234",
        "kind": "sql",
        "query": sha256(QUERY.encode()).hexdigest(),
        "characters": len(QUERY),
        "personal": True,
    }
    assert (ended["what"], ended["id"], ended["status"], ended["rows"]) == ("ended", "q1", 200, 17)
    assert "anna" not in path.read_text()
    assert path.stat().st_mode & 0o077 == 0


def test_a_line_that_a_crash_cut_short_spoils_no_other(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    path.write_bytes(b'{"what":"as')
    audit = Audit(path, SetClock())
    audit.ended("q1", 200, 1)
    audit.close()
    assert json.loads(path.read_text().splitlines()[1])["id"] == "q1"


def test_lines_are_added_to_those_that_are_there(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    for number in range(2):
        audit = Audit(path, SetClock())
        audit.ended(f"q{number}", 200, 1)
        audit.close()
    assert [each["id"] for each in lines(path)] == ["q0", "q1"]


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(DeskUnwritable, match=r"audit\.jsonl"):
        Audit(tmp_path / "audit.jsonl", SetClock())


def test_a_write_or_sync_that_fails_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = Audit(tmp_path / "audit.jsonl", SetClock())

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(DeskUnwritable, match="No space left"):
            audit.ended("q1", 200, 1)
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda _descriptor, _text: 3)
        with pytest.raises(DeskUnwritable, match="full"):
            audit.ended("q1", 200, 1)
    audit.close()


def test_any_text_has_a_fingerprint() -> None:
    assert len({fingerprint(each) for each in ("", "a", "\ud800", "\0")}) == 4
