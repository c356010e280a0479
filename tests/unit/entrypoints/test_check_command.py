"""`fairgate check`: what it prints, and how it ends."""

import re
import sys
from pathlib import Path

import pytest

from fairgate.entrypoints.check_command import run

PACK = """[pack]
name = "small"
version = "3"

[event.seen.attributes]
account = { entity = "account", required = true }
n = "number"

[[reason]]
code = "r"
user = "u"
reviewer = "r"
executive = "e"

[[segment]]
name = "default"

[[rule]]
name = "large"
on = "seen"
when = "n > 5"
mode = "live"
reason = "r"
tests = [
  { fires = true, events = [{ account = "a", n = 6 }] },
  { fires = false, events = [{ account = "a", n = 5 }] },
]
"""


def checked(folder: Path, pack: str) -> tuple[int, str]:
    (folder / "pack.toml").write_text(pack, "utf-8")
    said: list[str] = []
    code = run(folder, said.append)
    return code, "\n".join(said)


def test_a_sound_pack(tmp_path: Path) -> None:
    summary = "small 3: 1 event type, 0 features, 1 rule (1 live), 1 reason\n2 of 2 tests passed"
    assert checked(tmp_path, PACK) == (0, summary)


def test_rules_without_tests_are_named(tmp_path: Path) -> None:
    more = '[[rule]]\nname = "{}"\non = "seen"\nwhen = "n > 6"\nmode = "{}"\n'
    code, said = checked(tmp_path, PACK + more.format("a", "shadow") + more.format("b", "canary 5%"))
    assert code == 0
    assert "3 rules (1 live, 1 canary, 1 shadow)" in said
    assert said.endswith("warning: 2 rules without tests: a, b")


def test_a_test_that_fails_is_shown_where_it_stands(tmp_path: Path) -> None:
    code, said = checked(tmp_path, PACK.replace("n = 6 }", "n = 4 }"))
    assert code == 1
    assert "1 of 2 tests passed" in said
    assert "pack.toml:25:3: `large` should fire on the last of 1 event, and does not\n  25 |   { fires = true" in said
    assert said.endswith("\n1 problem")


def test_a_pack_with_faults_is_refused(tmp_path: Path) -> None:
    code, said = checked(tmp_path, PACK.replace("n > 5", "m > 5 and x"))
    assert code == 1
    assert "pack.toml:21:9: `m` is not an attribute of seen" in said
    assert said.endswith("\n2 problems")
    assert "\x1b" not in said


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    said: list[str] = []
    assert run(tmp_path / "nowhere", said.append) == 1
    assert "there is no such folder" in said[0]


def test_a_terminal_gets_colours_and_no_other_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = PACK.replace("n > 5", "m > 5 and x")
    _, plain = checked(tmp_path, bad)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    _, coloured = checked(tmp_path, bad)
    assert "\x1b[31m\x1b[1m^\x1b[0m" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
