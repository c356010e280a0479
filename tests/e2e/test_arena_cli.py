"""`fairgate arena` as it is typed: reports, the gate, a story, a foresight, refusals, and an interrupt."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.simulate.worlds import TEXT

FAIRGATE = Path(sys.executable).parent / "fairgate"
RULE = """
[[rule]]
name = "new_tight_limit"
on = "api.request"
when = 'tier == "free" and count("api.request", by=account, over="1h") > 5'
score = 6.0
action = "hold"
reason = "limit"
mode = "shadow"
owner = "test"

[[rule.tests]]
about = "the sixth"
fires = true
events = [{ account = "a", tier = "free", after = "1m", repeat = 6 }]

[[rule.tests]]
about = "five"
fires = false
events = [{ account = "a", tier = "free", after = "1m", repeat = 5 }]
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("world") / "world.toml"
    path.write_text(re.sub(r"^honest = \d+", "honest = 30", TEXT, flags=re.MULTILINE))
    return path


def arena(*words: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    done = subprocess.run([FAIRGATE, "arena", *map(str, words)], capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done


def test_two_packs_over_two_seeds(world: Path, tmp_path: Path) -> None:
    words = ("--world", world, "--pack", "ai_api", "--pack", "baseline", "--days", 4, "--seeds", 2)
    page = tmp_path / "arena.md"
    done = subprocess.run(
        [FAIRGATE, "arena", *map(str, words), "--json", "--left-out", "relay", "--markdown", page],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    report = json.loads(done.stdout)
    assert done.returncode == bool(report["comparison"]["worse"]), done.stderr
    assert report["seeds"] == [1, 2]
    assert report["left_out"] == ["relay"]
    assert [each["runs"] for each in report["packs"]] == [2, 2]
    assert report["comparison"]["pairs"] == 2
    assert len(report["outcomes"]) == 4
    assert all(each["days"] == 4 for each in report["outcomes"])
    text = page.read_text()
    assert text.startswith("# Arena")
    assert "Simulated, not observed" in text
    assert "| relay * |" in text
    again = json.loads(arena(*words[:4], *words[6:], "--json").stdout)
    mine = [each for each in report["outcomes"] if each["pack"].startswith("ai_api")]
    for outcomes in (mine, again["outcomes"]):
        for each in outcomes:
            each.pop("seconds")
    assert again["outcomes"] == mine  # processes and other packs change nothing


def test_a_regression_has_an_exit_code_of_its_own(tmp_path: Path) -> None:
    pack = tmp_path / "nothing"
    pack.mkdir()
    (pack / "pack.toml").write_text('[pack]\nname = "nothing"\nversion = "1"\n[[segment]]\nname = "default"\n')
    (pack / "events.toml").write_text('[event."account.signup".attributes]\naccount = { entity = "account" }\n')
    strict = tmp_path / "strict"
    strict.mkdir()
    for name in ("pack.toml", "costs.toml", "events.toml", "rules.toml"):
        source = Path(__file__).parents[2] / "src" / "fairgate" / "packs" / "baseline" / name
        (strict / name).write_text(source.read_text())
    (strict / "more.toml").write_text(RULE.replace("shadow", "live"))
    farms = tmp_path / "farms.toml"
    farm = (Path(__file__).parents[1] / "unit" / "simulate" / "opponents" / "credit_farm.toml").read_text()
    farms.write_text(TEXT.partition("[opponent.")[0] + farm.replace("operators = 1", "operators = 5"))
    words = ("--world", farms, "--days", 8, "--seeds", 3)
    text = arena(*words, "--pack", pack, "--pack", strict, code=1).stdout
    assert "A regression" in text
    assert "opponents get more compute" in text


def test_scarce_compute_is_played_with_shares_and_with_one_queue(world: Path) -> None:
    words = ("--world", world, "--pack", "ai_api", "--days", 3, "--capacity", 0.05, "--links", 0.5)
    report = json.loads(arena(*words, "--json").stdout)
    assert [each["pack"].partition(", ")[2] for each in report["packs"]] == ["fair shares", "first come, first served"]
    assert {each["scarce"]["scarcity"]["links"] for each in report["outcomes"]} == {0.5}
    told = arena(*words).stdout
    assert "Scarce compute" in told
    assert "0.05 dollars' worth an hour. With fair shares 50% of an opponent's accounts are known" in told
    refused = arena(*words, "--story", "relay", code=2)
    assert "--capacity is for packs that are played" in refused.stderr


def test_a_story(world: Path, tmp_path: Path) -> None:
    page = tmp_path / "story.md"
    text = arena(
        "--world", world, "--pack", "ai_api", "--days", 12, "--story", "credit_farm", "--markdown", page
    ).stdout
    assert "How it begins" in text
    assert "I tried " in text
    assert "For a manager" in text
    assert page.read_text().startswith("# The story of a credit farm")


def test_a_foresight(world: Path, tmp_path: Path) -> None:
    rule, page = tmp_path / "more.toml", tmp_path / "page.md"
    rule.write_text(RULE)
    words = ("--world", world, "--pack", "baseline", "--days", 6, "--seeds", 2, "--candidate", rule)
    found = json.loads(arena(*words, "--json", "--markdown", page).stdout)
    assert [each["name"] for each in found["rules"]] == ["new_tight_limit"]  # live, though its file says shadow
    assert found["pairs"] == 2
    assert found["cut"]["mean"] > 0
    assert "credit_farm" in found["answers"]
    assert "Who is hurt" in page.read_text()
    assert "What they do next" in page.read_text()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--world", "nowhere", "--pack", "ai_api"), "no world of this name"),
        (("--pack", "nowhere"), "there is no such folder"),
        (("--pack", "ai_api", "--honest", "5000"), "can't be sampled"),
        (("--pack", "ai_api", "--story", "thief"), "There is no `thief` in the world"),
        (("--pack", "ai_api", "--left-out", "thief"), "There is no `thief` in the world"),
        (("--pack", "ai_api", "--candidate", "nowhere.toml"), "nowhere.toml can't be read"),
        (("--pack", "ai_api", "--days", "2", "--markdown", "/nowhere/page.md"), "cannot be written"),
    ],
    ids=lambda each: "-".join(each) if isinstance(each, tuple) else "",
)
def test_what_is_refused_is_told_in_a_line_or_two(world: Path, words: tuple[str, ...], told: str) -> None:
    given = words if "--world" in words else ("--world", str(world), *words)
    done = arena(*given, code=1)
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_a_candidate_that_changes_nothing_is_refused(world: Path, tmp_path: Path) -> None:
    same = Path(__file__).parents[2] / "src" / "fairgate" / "packs" / "baseline" / "rules.toml"
    done = arena("--world", world, "--pack", "baseline", "--candidate", same, code=1)
    assert "has no rule that baseline" in done.stderr
    broken = tmp_path / "broken.toml"
    broken.write_text(RULE.replace("account, over", "acount, over"))
    assert (
        "did you mean `account`" in arena("--world", world, "--pack", "baseline", "--candidate", broken, code=1).stderr
    )


def test_a_world_with_faults_is_refused_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "world.toml"
    path.write_text(TEXT.replace("[segment.family]", "[segment.famly]"))
    done = arena("--world", path, "--pack", "ai_api", code=1)
    assert re.search(r"world\.toml:\d+:\d+", done.stderr)
    assert "did you mean `family`" in done.stderr


def test_an_interrupt_ends_it_with_what_there_is(world: Path) -> None:
    words = ("--world", str(world), "--pack", "baseline", "--days", "3000", "--seeds", "3", "--json")
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [str(FAIRGATE), "arena", *words], stdout=pipe, stderr=pipe, text=True, start_new_session=True
    ) as process:
        time.sleep(8)
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
        output, errors = process.communicate(timeout=120)
    assert process.returncode == 130, errors
    report = json.loads(output)
    assert report["stopped"] is True
    assert all(0 < each["days"] < 3000 for each in report["outcomes"])
    assert "Traceback" not in errors
