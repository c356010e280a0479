"""`fairgate sql` and `fairgate.lake()`, beside a service and without one."""
# ruff: noqa: S608 - queries are put together from test data

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from functools import cache
from pathlib import Path

import msgspec
import polars as pl
import pytest

import fairgate
from fairgate.backends.embedded.lake import open_lake
from fairgate.domain.event import moment
from fairgate.pipeline.online import Pipeline
from fairgate.ports.lake import SqlLimits
from fairgate.settings import Settings
from fairgate.simulate.service import Done
from fairgate.wiring import LivePipeline
from tests.simulated import simulated
from tests.support import SetClock

ROOT = Path(__file__).parents[2]
NEWEST = "SELECT account, _action FROM account_signup ORDER BY _sequence DESC LIMIT 1"


@cache
def week() -> list[Done]:
    """A week of the small world, with a twentieth of its requests."""
    return [each for at, each in enumerate(simulated(7, 7)) if each.act.type != "api.request" or at % 20 == 0]


def signups() -> int:
    """How many accounts were made in it."""
    return sum(each.act.type == "account.signup" for each in week())


def sql(data: Path, *arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "fairgate"), "sql", "--data", str(data), *arguments]
    return subprocess.run(command, input=given, capture_output=True, text=True, check=False)


def live_through(pipeline: Pipeline, clock: SetClock, events: Sequence[Done]) -> None:
    """Decide on events, then learn the truth about the sign-ups."""
    for start in range(0, len(events), 500):
        some = events[start : start + 500]
        clock.time = some[-1].act.time
        pipeline.take([pipeline.decoder.single(each.raw, clock.time) for each in some])
    labels = []
    for each in events:
        if each.act.type == "account.signup":
            label = {
                **json.loads(each.raw),
                "id": f"label-{each.event}",
                "type": "account.label",
                "time": (moment(clock.time) + timedelta(seconds=1)).isoformat(),
                "data": {"of": each.event, "bad": each.act.abuse, "account": each.act.account.name},
            }
            labels.append(msgspec.json.encode(label))
    clock.time += 2_000_000
    pipeline.take([pipeline.decoder.single(raw, clock.time) for raw in labels])
    pipeline.commit()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a service that has seen a week and was stopped; its lake has never been made."""
    folder, clock = tmp_path_factory.mktemp("data"), SetClock()
    with closing(LivePipeline(Settings(data=folder), clock)) as live:
        live_through(live.pipeline, clock, week())
    return folder


def test_the_command_answers_without_a_service_and_has_everything(data: Path) -> None:
    done = sql(data, "--form", "json", "SELECT count(*) AS n FROM decisions")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["n"] == len(week()) + signups()
    table = sql(data, "SELECT type, count(*) AS n FROM decisions GROUP BY 1 ORDER BY n DESC LIMIT 1")
    assert "api.request" in table.stdout
    csv = sql(data, "--form", "csv", "-", given="SELECT [type, action] AS two, 1 AS one FROM decisions LIMIT 1")
    assert csv.stdout.startswith("two,one\n\"['")


def test_a_wrong_query_and_a_cut_answer_are_told(data: Path) -> None:
    wrong = sql(data, "SELECT * FROM decision")
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "There is no table `decision`. Did you mean decisions?" in wrong.stderr
    config = data.parent / "fairgate.toml"
    config.write_text("[desk]\nsql_rows = 3\n")
    cut = sql(data, "--config", str(config), "--form", "csv", "SELECT id FROM decisions")
    assert len(cut.stdout.split()) == 4
    assert "Cut after 3 rows" in cut.stderr


def test_personal_values_are_shown_where_asked_for(data: Path) -> None:
    query = "SELECT email FROM account_signup WHERE email IS NOT NULL ORDER BY _sequence LIMIT 1"
    masked = json.loads(sql(data, "--form", "json", query).stdout)["email"]
    assert masked.startswith("t1:")
    refused = sql(data, "--form", "json", "--personal", query)
    assert (refused.returncode, "Say with --why" in refused.stderr) == (1, True)
    shown = json.loads(sql(data, "--form", "json", "--personal", "--why", "ticket 7", query).stdout)["email"]
    assert "@" in shown
    found = sql(data, "--form", "json", f"SELECT count(*) AS n FROM account_signup WHERE is_token(email, '{shown}')")
    assert json.loads(found.stdout)["n"] == 1


def test_an_event_is_seen_at_once_beside_a_running_writer(tmp_path: Path) -> None:
    clock, raw = SetClock(), msgspec.json.encode({"specversion": "1.0", "source": "t", "type": "account.signup"})
    live = LivePipeline(Settings(data=tmp_path), clock)
    with closing(live), open_lake(tmp_path / "lake"), fairgate.lake(tmp_path) as lake:
        for number in range(3):
            event = {**json.loads(raw), "id": str(number), "data": {"account": f"a{number}"}}
            live.pipeline.take([live.pipeline.decoder.single(msgspec.json.encode(event), clock.time)])
            live.pipeline.commit()
            assert lake.sql(NEWEST).rows() == [(f"a{number}", "allow")]


def test_the_lake_opens_in_a_notebook_in_one_line(data: Path) -> None:
    with fairgate.lake(str(data)) as lake:
        tables = lake.tables()
        assert tables.filter(pl.col("type") == "account.label")["rows"].item() == signups()
        assert lake.frame("account.label").select(pl.len()).collect().item() == signups()
        assert "account.label" in lake._repr_html_()
        with pytest.warns(UserWarning, match="cut after 2 rows"):
            lake.sql("SELECT id FROM decisions", limits=SqlLimits(rows=2))


def test_the_example_notebook_runs(data: Path) -> None:
    command = [sys.executable, "-W", "error", str(ROOT / "examples" / "notebook.py"), str(data)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "average precision" in done.stdout
    precision = float(done.stdout.split("average precision ")[1].split()[0])
    assert precision > 0.5


def test_fairgate_itself_is_light_to_import() -> None:
    program = "import sys, fairgate; print(sorted({'polars', 'duckdb', 'numba'} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
