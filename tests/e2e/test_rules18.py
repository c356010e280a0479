"""The rules18 example against the workload's own check: the same hits for each rule, and the same verdicts."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fairgate.entrypoints import replay_command
from tests.shared import shared_bench

PACK = Path(__file__).parents[2] / "examples" / "rules18"
CHECKED = 10_000
#: What the workload calls the verdicts, in Fairgate's words.
WORDS = {"reject": "hold", "challenge": "challenge", "suspend": "suspend", "throttle": "throttle"}


@pytest.fixture(scope="module")
def script() -> Path:
    folder = shared_bench()
    if folder is None or not (folder / "rules18.py").is_file():
        pytest.skip("no shared/bench/rules18.py beside the checkout: the workload and its check come from that script")
    return folder / "rules18.py"


@pytest.fixture(scope="module")
def events(script: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rules18") / "events.ndjson"
    subprocess.run([sys.executable, script, path], check=True)
    return path


def replayed(events: Path, capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:  # noqa: ANN401 - passed on
    assert replay_command.run(PACK, [events], as_json=True, **options) == 0
    summary: dict[str, Any] = json.loads(capsys.readouterr().out)
    return summary


def test_hits_and_verdicts_are_those_of_the_check(
    script: Path, events: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check = subprocess.run([sys.executable, script, "--check", events], check=True, capture_output=True, text=True)
    expected = json.loads(check.stdout)
    summary = replayed(events, capsys, limit=CHECKED)
    assert summary["events"] == CHECKED
    assert summary["rule_hits"] == expected["rule_hits"]
    assert summary["asked"] == {WORDS[verdict]: count for verdict, count in expected["verdicts"].items()}
    assert summary["asked"] == {"hold": 433, "challenge": 624, "suspend": 253, "throttle": 700}


def test_the_whole_workload_is_taken(events: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = replayed(events, capsys)
    assert summary["events"] == 20_000
    assert (summary["refused"], summary["repeats"], summary["degraded"]) == ({}, 0, 0)
