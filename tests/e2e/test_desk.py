"""The desk as a process: SQL within bounds, jobs, the lake's upkeep, and its life beside the door."""

import io
import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import msgspec
import polars as pl
import pytest

from fairgate.backends.embedded.api_keys import open_api_keys
from fairgate.domain.access import Scope
from fairgate.domain.audit import Kind, more_of
from fairgate.entrypoints.access import new_key
from fairgate.settings import Retention
from tests.e2e.desks import (
    Desk,
    asked,
    audited,
    desk_over,
    ended,
    fill,
    lag,
    lives,
    refusal,
    rows,
    settings_in,
    until,
)
from tests.e2e.doors import fairgate
from tests.support import NOW, PACK

#: Takes for ever, and hardly any memory.
ENDLESS = "select count(*) from range(1000000000000) a, range(1000) b where a.range * b.range = -1"
COUNT = "select count(*) from decisions"


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk over 300 events, with three seconds for each query."""
    settings = settings_in(tmp_path_factory.mktemp("desk"), sql_seconds=3, sql_rows=50, export_megabytes=1)
    fill(settings, 300)
    with desk_over(settings) as desk, desk.ready():
        yield desk


@pytest.fixture
def client(shared: Desk) -> Iterator[httpx.Client]:
    with shared.client() as client:
        yield client


# ------------------------------------------------------------------------------------------------------------------ SQL


def test_a_query_sees_every_event(client: httpx.Client) -> None:
    answer = asked(client, "select type, count(*) as events from decisions group by type order by type").json()
    assert answer["columns"] == [{"name": "type", "type": "VARCHAR"}, {"name": "events", "type": "BIGINT"}]
    assert answer["rows"] == [["account.signup", 100], ["api.request", 200]]
    assert (answer["truncated"], answer["left_out"]) == (False, 0)
    assert answer["seconds"] > 0


def test_rows_beyond_the_limit_are_cut_off_and_that_is_said(client: httpx.Client) -> None:
    for limit, given in ((None, 50), (7, 7), (5_000, 50)):
        answer = asked(client, "select sequence from decisions", limit=limit)
        assert (len(answer.json()["rows"]), answer.json()["truncated"]) == (given, True)
        assert answer.headers["fairgate-truncated"] == "true"
    assert asked(client, "select 1", limit=1).json()["truncated"] is False


def test_csv_and_parquet_hold_the_same_rows(client: httpx.Client) -> None:
    query = "select sequence, action, rules from decisions order by sequence limit 20"
    truth = rows(client, query)
    csv = asked(client, query, format="csv")
    assert csv.headers["content-type"].startswith("text/csv")
    assert len(csv.text.splitlines()) == 21
    parquet = pl.read_parquet(io.BytesIO(asked(client, query, format="parquet").content))
    assert [list(row) for row in parquet.rows()] == truth


REFUSED = [
    "selec 1",
    "select",
    "   ",
    ";",
    "-- nothing",
    "select 1; select 2",
    "select 1\0",
    "select * from nowhere",
    "select nothing from decisions",
    "drop table decisions",
    "insert into decisions values (1)",
    "update decisions set action = 'allow'",
    "create table x as select 1",
    "attach 'out/x.db'",
    "copy (select 1) to 'out/fairgate-out.csv'",
    "copy decisions to 'out/fairgate-out.csv'",
    "export database 'out/fairgate-out'",
    "install httpfs",
    "load httpfs",
    "pragma database_list",
    "set memory_limit = '100GB'",
    "call pragma_version()",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from '/etc/passwd'",
    "select * from glob('/*')",
    "select getenv('FAIRGATE_SECRET')",
    "select " + "(" * 20_000 + "1" + ")" * 20_000,
    "select " + "1 + " * 24_000 + "1",
    "select error('mine')",
    "select 1 / 0 || cast('x' as integer)",
]


@pytest.mark.parametrize("query", REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_is_no_select_over_the_lake_is_refused_in_words(client: httpx.Client, query: str) -> None:
    answer = asked(client, query)
    status, code, reason = refusal(answer)
    assert status == 422
    assert code in {"bad_query", "too_big", "too_slow"}
    assert reason


def test_a_mistake_is_shown_where_it_is(client: httpx.Client) -> None:
    _, _, reason = refusal(asked(client, "select action,\n  count(* from decisions"))
    assert "LINE 2" in reason
    assert "^" in reason


def queries_going(client: httpx.Client) -> float:
    return metric(client, "fairgate_desk_queries")


def metric(client: httpx.Client, name: str) -> float:
    (value,) = [line.split()[-1] for line in client.get("/metrics").text.splitlines() if line.startswith(f"{name} ")]
    return float(value)


def test_a_runaway_query_is_ended_and_the_desk_goes_on(client: httpx.Client) -> None:
    status, code, reason = refusal(asked(client, ENDLESS))
    assert (status, code) == (422, "too_slow")
    assert "3 seconds" in reason
    assert rows(client, COUNT) == [[300]]


def test_a_query_that_takes_all_memory_is_ended_and_the_desk_goes_on(client: httpx.Client) -> None:
    for query in ("select list(range) from range(3000000000)", "select repeat('a', 30000000000)"):
        status, code, _ = refusal(asked(client, query))
        assert (status, code) in {(422, "too_big"), (422, "too_slow"), (503, "worker_ended"), (422, "bad_query")}
    assert rows(client, COUNT) == [[300]]


@contextmanager
def caller_of(desk: Desk, query: str) -> Iterator[socket.socket]:
    """The connection of a caller that has sent a query."""
    body = msgspec.json.encode({"query": query})
    head = ["POST /v1/sql HTTP/1.1", "Host: localhost", "Content-Type: application/json"]
    with socket.create_connection(("127.0.0.1", desk.settings.desk.port)) as connection:
        connection.sendall("\r\n".join([*head, f"Content-Length: {len(body)}", "", ""]).encode() + body)
        yield connection


def test_a_query_ends_when_its_caller_hangs_up(shared: Desk, client: httpx.Client) -> None:
    with caller_of(shared, ENDLESS):
        until(lambda: queries_going(client) == 1)
    until(lambda: queries_going(client) == 0)
    until(lambda: '"status":499' in audited(shared.settings)[-1].more)
    assert rows(client, COUNT) == [[300]]


def test_a_worker_that_crashes_takes_only_its_query(shared: Desk, client: httpx.Client) -> None:
    before = set(shared.children())
    with caller_of(shared, ENDLESS) as caller:
        until(lambda: queries_going(client) == 1)
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert caller.recv(64).startswith((b"HTTP/1.1 503", b"HTTP/1.1 422"))
    assert rows(client, COUNT) == [[300]]
    until(lambda: client.get("/readyz").status_code == 200 and lag(client) == 0)


def test_every_query_is_noted_before_it_runs(shared: Desk, client: httpx.Client) -> None:
    asked(client, "select 'anna@example.com'")
    asked(client, "selec 'anna@example.com'")
    *_, first, first_end, second, second_end = audited(shared.settings)
    assert (first.what, first_end.what, first_end.more) == (Kind.ASKED, Kind.ENDED, more_of(status=200, rows=1))
    assert (second.about, second_end.more) == (second_end.about, more_of(status=422, rows=0))
    assert all(b"anna" not in path.read_bytes() for path in shared.settings.data.glob("records.db*"))
    assert "anna" not in shared.output


def test_personal_values_are_for_keys_that_may_see_them(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    fill(settings, 30)
    with open_api_keys(settings.data / "keys.db") as store:
        keys = {}
        for name, scopes in (("analyst", {Scope.SQL}), ("insider", {Scope.SQL, Scope.PERSONAL})):
            keys[name], stored = new_key(name, frozenset(scopes), NOW, None)
            store.add(stored)
    query = "select email from account_signup where email is not null"
    with desk_over(settings) as desk, desk.ready(keys["analyst"]) as client:
        masked = {str(value) for [value] in rows(client, query)}
        assert all(re.fullmatch(r"t1:[0-9a-f]{32}", each) for each in masked)
        client.headers["authorization"] = f"Bearer {keys['insider']}"
        assert {str(value) for [value] in rows(client, query)} == masked
        client.headers["fairgate-reason"] = "ticket 7"
        clear = {str(value) for [value] in rows(client, query)}
        assert "u3@mailinator.com" in clear
        assert len(clear) == len(masked)
        client.headers["authorization"] = "Bearer fg_nobody12_" + "x" * 43
        assert refusal(asked(client, query))[:2] == (401, "unknown_key")
    by = [(each.by, each.what, each.why) for each in audited(settings) if each.what != Kind.ENDED]
    read = ("insider", Kind.ASKED_PERSONAL, "ticket 7")
    assert by == [("analyst", Kind.ASKED, ""), ("insider", Kind.ASKED, ""), read]


# ----------------------------------------------------------------------------------------------------------------- jobs


def report_of(client: httpx.Client, **body: object) -> dict[str, Any]:
    """The report of a backtest that must succeed."""
    taken = client.post("/v1/backtests", json=body)
    assert taken.status_code == 202, taken.text
    found: dict[str, Any] = ended(client, taken.json()["job"]["id"])
    assert found["job"]["state"] == "done", found
    report: dict[str, Any] = found["result"]
    return report


def test_a_backtest_finds_what_the_command_finds(shared: Desk, client: httpx.Client, tmp_path: Path) -> None:
    stricter = PACK.replace(">= 3", ">= 2")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "pack.toml").write_text(stricter)
    data = shared.settings.data
    printed = fairgate("backtest", "--old", shared.settings.pack, "--new", tmp_path / "new", data, "--json")
    truth = msgspec.json.decode(printed.stdout)
    found = report_of(client, new={"pack.toml": stricter})
    assert found["headline"] == truth["headline"]
    assert found["interventions"]["gained"] == truth["interventions"]["gained"]
    assert found["interventions"]["gained"]["events"] > 0
    assert found["events"] == 300


def test_a_backtest_by_name_of_one_rule_has_a_page(client: httpx.Client) -> None:
    taken = client.post("/v1/backtests", json={"old": "support", "new": "support", "rule": "burst"}).json()["job"]
    found: dict[str, Any] = ended(client, taken["id"])
    assert [each["name"] for each in found["result"]["rules"]] == ["burst"]
    page = client.get(f"/v1/jobs/{taken['id']}/report.html")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    assert page.text.startswith("<!doctype html>")
    assert client.get("/v1/jobs").json()["jobs"][0]["id"] == taken["id"]


def test_a_backtest_of_the_last_days_leaves_out_what_was_before(client: httpx.Client) -> None:
    assert report_of(client, new="support", days=1)["events"] == 0
    assert report_of(client, new="support", days=36_500)["events"] == 300


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"new": {"pack.toml": "[pack"}}, "pack.toml"),
        ({"new": {"pack.toml": PACK.replace("email.disposable", "email.disposible")}}, "did you mean `disposable`"),
        ({"new": {}}, "pack"),
        ({"new": "support", "rule": "none_such"}, "No pack has a rule of this name"),
    ],
)
def test_a_backtest_that_cannot_be_done_says_why(client: httpx.Client, body: dict[str, object], words: str) -> None:
    taken = client.post("/v1/backtests", json=body).json()["job"]
    job: Any = ended(client, taken["id"])["job"]
    assert job["state"] == "failed"
    assert words in job["problem"]


def test_an_export_has_all_rows(client: httpx.Client) -> None:
    taken = client.post("/v1/exports", json={"query": "select * from decisions"}).json()["job"]
    assert ended(client, taken["id"])["result"] is None
    content = client.get(f"/v1/jobs/{taken['id']}/file").content
    assert pl.read_parquet(io.BytesIO(content)).height == 300


def test_an_export_that_is_too_large_or_wrong_fails_in_words(client: httpx.Client) -> None:
    wide = "select repeat(hash(range)::varchar, 9) from range(100000)"
    for query, words in ((wide, "desk.export_megabytes"), ("selec", "syntax error")):
        taken = client.post("/v1/exports", json={"query": query, "format": "csv"}).json()["job"]
        job: Any = ended(client, taken["id"])["job"]
        assert job["state"] == "failed"
        assert words in job["problem"]
        assert client.get(f"/v1/jobs/{taken['id']}/file").status_code == 404


def test_a_job_that_goes_on_can_be_cancelled(client: httpx.Client) -> None:
    taken = client.post("/v1/exports", json={"query": ENDLESS}).json()["job"]
    until(lambda: client.get(f"/v1/jobs/{taken['id']}").json()["job"]["state"] == "running")
    assert rows(client, COUNT) == [[300]]
    assert client.delete(f"/v1/jobs/{taken['id']}").json()["job"]["state"] == "cancelled"
    again = client.post("/v1/exports", json={"query": COUNT}).json()["job"]
    assert ended(client, again["id"])["job"]["state"] == "done"  # type: ignore[index]


# ----------------------------------------------------------------------------------------------------- upkeep and life


def test_new_events_come_into_the_lake_by_themselves(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    with desk_over(settings) as desk:
        with desk.client() as client:
            until(lambda: "event log cannot" in client.get("/readyz").text)
            assert client.get("/readyz").status_code == 503
            status, code, reason = refusal(asked(client, COUNT))
            assert (status, code) == (503, "unavailable")
            assert str(settings.data / "log") in reason
        fill(settings, 40)
        with desk.ready() as client:
            assert rows(client, COUNT) == [[40]]
            fill(settings, 40, start=40)
            until(lambda: rows(client, COUNT) == [[80]])
            until(lambda: lag(client) == 0)
    assert list((settings.data / "lake").rglob("*.parquet"))


def test_events_that_are_not_in_the_lake_yet_are_seen_too(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, compact_seconds=3_600)
    fill(settings, 40)
    with desk_over(settings) as desk, desk.ready() as client:
        fill(settings, 40, start=40)
        assert rows(client, COUNT) == [[80]]
        assert not [path for path in (settings.data / "lake").rglob("*.parquet") if "-8" in path.name]


def test_what_is_to_be_kept_no_longer_goes(tmp_path: Path) -> None:
    retention = {"api.request": Retention(days=30), "default": Retention()}
    settings = msgspec.structs.replace(settings_in(tmp_path), retention=retention)
    fill(settings, 60)  # received in the past, and long ago by the desk's clock
    with desk_over(settings) as desk, desk.ready() as client:
        assert rows(client, "select type, count(*) from decisions group by type") == [["account.signup", 20]]


def test_a_desk_that_was_killed_tells_which_jobs_it_interrupted(tmp_path: Path) -> None:
    settings = settings_in(tmp_path)
    fill(settings, 10)
    with desk_over(settings) as desk, desk.ready() as client:
        running, waiting = (client.post("/v1/exports", json={"query": ENDLESS}).json()["job"]["id"] for _ in range(2))
        until(lambda: client.get(f"/v1/jobs/{running}").json()["job"]["state"] == "running")
        workers = desk.children()
        assert len(workers) >= 2
        desk.process.kill()
        until(lambda: not any(map(lives, workers)))
    with desk_over(settings) as desk, desk.client() as client:
        for job in (running, waiting):
            found = client.get(f"/v1/jobs/{job}").json()["job"]
            assert (found["state"], found["problem"]) == ("interrupted", "the desk ended before it was done; ask again")


@pytest.mark.parametrize("how", ["the lifeline is cut", "a signal"])
def test_a_desk_stops_with_its_workers(tmp_path: Path, how: str) -> None:
    settings = settings_in(tmp_path)
    fill(settings, 10)
    with desk_over(settings) as desk, desk.ready() as client:
        client.post("/v1/exports", json={"query": ENDLESS})
        until(lambda: len(desk.children()) >= 3)
        workers = desk.children()
        if how == "a signal":
            desk.process.send_signal(signal.SIGTERM)
        else:
            desk.lifeline.close()
        assert desk.process.wait(60) == 0
        assert not any(map(lives, workers))


def test_a_desk_that_cannot_listen_says_so_and_ends(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = settings_in(tmp_path, port=taken.getsockname()[1])
        with desk_over(settings) as desk:
            assert desk.process.wait(60) == 1
            assert "can't be listened at" in desk.output
            assert "desk.enabled" in desk.output


def test_a_desk_beyond_loopback_needs_keys(tmp_path: Path) -> None:
    with desk_over(settings_in(tmp_path, host="0.0.0.0")) as desk:  # noqa: S104 - it must not come to that
        assert desk.process.wait(60) == 1
        assert "there is no active API key" in desk.output


def test_the_openapi_names_every_answer(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    sql = document["paths"]["/v1/sql"]["post"]
    assert set(sql["responses"]) == {"200", "401", "403", "413", "422", "429", "500", "503"}
    assert sql["responses"]["200"]["content"]["application/json"]["example"]["rows"]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation.get("description"), f"{method} {path} is not described"
            for status, answer in operation["responses"].items():
                assert answer["description"], f"{method} {path}: {status} is not described"
