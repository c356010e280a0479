"""`fairgate share simulate` as a user meets it: its table, its files, and what it refuses."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from fairgate.simulate.sharing.words import HEAD

COMMAND = [sys.executable, "-c", "from fairgate.entrypoints.cli import main; main()"]
FEW = ("--accounts", "40", "--nat", "5", "--false-links", "4", "--newcomers", "3", "--farm", "30", "--seconds", "60")


@pytest.fixture(scope="module")
def trace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of four clients."""
    rng = Random(2)
    rows = sorted((rng.uniform(0, 60), f"c{rng.randrange(4)}") for _ in range(80))
    lines = [f"{client},{time},{rng.randint(5, 200)},{rng.randint(5, 300)}" for time, client in rows]
    path = tmp_path_factory.mktemp("trace") / "tiny.csv"
    path.write_text("\n".join(["client,req_time,prompt_len,output_len", *lines]))
    return path


def fairgate(*words: object, hash_seed: int = 0, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command; `folder` comes first where modules are looked for."""
    environment = {**os.environ, "PYTHONHASHSEED": str(hash_seed)}
    if folder is not None:
        environment["PYTHONPATH"] = os.pathsep.join([str(folder), environment.get("PYTHONPATH", "")])
    command = [*COMMAND, "share", "simulate", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)


def test_all_policies_in_a_table_as_json_and_as_charts(trace: Path, tmp_path: Path) -> None:
    done = fairgate(trace, *FEW, "--json", tmp_path / "r.json", "--png", tmp_path / "r.png")
    assert (done.returncode, done.stderr) == (0, "")
    title, about, more, _, head, *rows = done.stdout.splitlines()
    assert title == "Who gets the compute: simulated, a farm of 30 accounts among 40 honest accounts, load 1.1"
    assert about.startswith("Honest accounts are drawn from tiny.csv")
    assert more == "80 % of the abusers' links are known; trust has an AUC of 0.97."
    assert [each.strip() for each in head.split("  ") if each] == list(HEAD)
    report = json.loads((tmp_path / "r.json").read_text())
    names = ["fcfs", "token_bucket", "vtc", "clusters", "fair"]
    assert [each.split()[0] for each in rows[:5]] == [each["policy"] for each in report["outcomes"]] == names
    for shown, each in zip(rows, report["outcomes"], strict=False):
        assert f"{100 * each['capture']:.1f} %" in shown
        assert set(each["groups"]) == {"nat", "linked", "newcomer"}
    assert report["note"].startswith("Simulated")
    assert report["plan"]["farm"] == 30
    png = (tmp_path / "r.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n")
    assert struct.unpack(">II", png[16:24]) == (1950, 1500)


def test_the_same_seed_gives_the_same_report_in_another_process(trace: Path, tmp_path: Path) -> None:
    words = (trace, *FEW, "--churn", "3", "--policy", "vtc", "--policy", "fair", "--policy", "vtc")
    for name, hash_seed, seed in (("a", 1, 3), ("b", 2, 3), ("c", 1, 4)):
        done = fairgate(*words, "--seed", seed, "--json", tmp_path / name, hash_seed=hash_seed)
        assert done.returncode == 0, done.stderr
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b
    assert a != c
    assert [each["policy"] for each in json.loads(a)["outcomes"]] == ["vtc", "fair"]
    assert "3 new accounts a second" in fairgate(*words, "--farm", "0").stdout


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["none.csv"], 1, "An input file cannot be read. none.csv: No such file or directory."),
        (["TRACE", "--policy", "lottery"], 1, "There is no policy `lottery`; there are fcfs, token_bucket, vtc"),
        (["TRACE", "--accounts", "5"], 1, "35 accounts of special groups can't be among 5 honest ones."),
        (["TRACE", "--links", "1.5"], 2, "Invalid value for '--links'"),
        (["TRACE", *FEW, "--policy", "fcfs", "--json", "none/r.json"], 1, "The report cannot be written. none/r.json"),
        (["TRACE", *FEW, "--policy", "fcfs", "--png", "none/r.png"], 1, "The report cannot be written. none/r.png"),
    ],
)
def test_what_can_not_be_done_is_said_in_words(trace: Path, words: list[str], code: int, said: str) -> None:
    done = fairgate(*(str(trace) if word == "TRACE" else word for word in words))
    assert done.returncode == code
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_line_is_told_with_its_number(trace: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_text(trace.read_text() + "\nc1,99,many,3\n")
    done = fairgate(bad)
    assert done.returncode == 1
    assert f"{bad}: line 82: `prompt_len` is 'many', and should be a whole number of tokens" in done.stderr
    assert done.stderr.rstrip().endswith("Correct the line, or take it out.")


def test_charts_without_matplotlib_are_refused_before_anything_is_played(trace: Path, tmp_path: Path) -> None:
    (tmp_path / "matplotlib.py").write_text("raise ModuleNotFoundError('none', name='matplotlib')")
    done = fairgate(trace, *FEW, "--png", tmp_path / "r.png", folder=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Charts need matplotlib: pip install 'fairgate[charts]'.\n"
    assert fairgate(trace, *FEW, "--policy", "fcfs", folder=tmp_path).returncode == 0
