"""SQL over the lake: what it answers, what it refuses, and where it stops."""
# ruff: noqa: S608 - hostile SQL is put together on purpose

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from unittest import mock

import polars as pl
import pytest

from fairgate.backends.embedded import lake_sql
from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.lake_query import Query
from fairgate.domain.errors import QueryError, QueryFailed, QueryRefused, QueryTooBig, QueryTooLong
from fairgate.ports.lake import Answer, Covered, Sight, SqlLimits

LIMITS = SqlLimits(seconds=20, megabytes=512)
PUBLIC = Sight()


def rows(first: int, count: int, **columns: object) -> pl.DataFrame:
    """Rows of one type as the compaction makes them; every third has two rules, one of which changed nothing."""
    numbers = range(first, first + count)
    moments = [datetime(2026, 1, 1 + number // 10, 12, tzinfo=UTC) for number in numbers]
    fired = [["burst", "odd"] if number % 3 == 0 else [] for number in numbers]
    return pl.DataFrame(
        {
            "_sequence": numbers,
            "_time": moments,
            "_received": moments,
            "_source": "service",
            "_id": [f"e{number}" for number in numbers],
            "_action": "allow",
            "_log_odds": 1.0,
            "_probability": 0.5,
            "_segment": "default",
            "_rules": fired,
            "_silent": [each[1:] for each in fired],
            "_propensity": 1.0,
            "_pack": "test 1",
            **{name: pl.Series([value] * count) for name, value in columns.items()},
        },
        schema_overrides={
            "_time": pl.Datetime("us", "UTC"),
            "_received": pl.Datetime("us", "UTC"),
            "_rules": pl.List(pl.String),
            "_silent": pl.List(pl.String),
        },
    )


PERSONAL = {"account": "acc", "email": "t1:aa", "_personal": "email ip", "_key": 7, "_sealed": b"sealed"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with secrets beside its lake."""
    folder = tmp_path_factory.mktemp("data")
    for name in ("secret", "keys.db", "subjects.keys", "log/00.log"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("top secret\n")
    with open_lake(folder / "lake") as lake:
        label = rows(15, 3, of="e3", bad=True, account="acc", _label_of=["api.request"])
        frames = {"api.request": rows(0, 15, **PERSONAL), "account.label": label}
        lake.append(frames, Covered(18, 0))
    (folder / "lake" / "way_out").symlink_to("/etc")
    return folder


@pytest.fixture
def lake(data: Path) -> Iterator[FolderLake]:
    with open_lake(data / "lake", read_only=True) as opened:
        yield opened


def asked(lake: FolderLake, query: str, sight: Sight = PUBLIC) -> list[tuple[object, ...]]:
    return lake.sql(query, LIMITS, sight).frame.rows()


# ------------------------------------------------------------------------------------------------------------- answers


def test_each_event_type_is_a_table(lake: FolderLake) -> None:
    answer = lake.sql("SELECT * FROM api_request ORDER BY _sequence LIMIT 1", LIMITS, PUBLIC)
    assert answer.frame["_day"].to_list() == [date(2026, 1, 1)]
    assert {"account", "email", "_day"} <= set(answer.frame.columns)
    assert {"_key", "_sealed", "_personal"}.isdisjoint(answer.frame.columns)
    assert [row[0] for row in asked(lake, "SHOW TABLES")] == [
        "account_label",
        "api_request",
        "decisions",
        "labels",
        "rules",
    ]


def test_rules_has_a_row_for_each_that_fired(lake: FolderLake) -> None:
    query = "SELECT day, rule, silent, count(*) FROM rules WHERE type = 'api.request' GROUP BY ALL ORDER BY ALL"
    assert asked(lake, query) == [
        (date(2026, 1, 1), "burst", False, 4),
        (date(2026, 1, 1), "odd", True, 4),
        (date(2026, 1, 2), "burst", False, 1),
        (date(2026, 1, 2), "odd", True, 1),
    ]


def test_decisions_and_labels_are_over_all_types(lake: FolderLake) -> None:
    assert asked(lake, "SELECT type, count(*), any_value(account) FROM decisions GROUP BY 1 ORDER BY 1") == [
        ("account.label", 3, "acc"),
        ("api.request", 15, "acc"),
    ]
    assert asked(lake, "SELECT sequence, of, bad, label_of, latest FROM labels ORDER BY 1") == [
        (15, "e3", True, ["api.request"], False),
        (16, "e3", True, ["api.request"], False),
        (17, "e3", True, ["api.request"], True),
    ]


def test_an_empty_lake_has_its_tables(tmp_path: Path) -> None:
    with open_lake(tmp_path / "lake") as lake:
        for name in ("decisions", "rules", "labels"):
            assert asked(lake, f"SELECT count(*) FROM {name}") == [(0,)]


def test_types_whose_names_are_taken_get_a_line_behind(tmp_path: Path) -> None:
    with open_lake(tmp_path / "lake") as lake:
        names = ["rules", "a.b-c", "a.b_c", "A.b.c"]
        lake.append({name: rows(at, 1) for at, name in enumerate(names)}, Covered(4, 0))
        found = [row[0] for row in asked(lake, "SHOW TABLES")]
        assert found == sorted(["A_b_c", "a_b_c_", "a_b_c__", "rules_", "decisions", "labels", "rules"])
        assert asked(lake, "SELECT _sequence FROM rules_") == [(0,)]


def test_the_tail_is_part_of_every_table(lake: FolderLake) -> None:
    newest = rows(18, 2, **(PERSONAL | {"extra": 3}))
    sight = Sight(tail={"api.request": newest, "account.signup": rows(20, 1)})
    assert asked(lake, "SELECT count(*), count(extra), max(_day) FROM api_request", sight) == [
        (17, 2, date(2026, 1, 2))
    ]
    assert asked(lake, "SELECT type, count(*) FROM decisions GROUP BY 1 ORDER BY 1", sight) == [
        ("account.label", 3),
        ("account.signup", 1),
        ("api.request", 17),
    ]


COUNTS = """
    SELECT (SELECT count(*) FROM api_request), (SELECT count(*) FROM rules), count(*), count(DISTINCT sequence)
    FROM decisions"""


@pytest.mark.parametrize("readable", [False, True])
@pytest.mark.parametrize("merging", [False, True])
def test_what_came_into_the_lake_with_the_tail_is_counted_once(tmp_path: Path, merging: bool, readable: bool) -> None:
    parts = [rows(first, 4, **PERSONAL) for first in range(0, 12, 4)]  # of one day, and a few of the next
    tail = pl.concat(parts).filter(pl.col("_sequence") >= 6)
    sight = Sight({"api.request": tail}, 6, unseal=(lambda _, __: ("a@example.com", 5)) if readable else None)
    with open_lake(tmp_path / "lake") as lake:
        lake.append({"api.request": parts[0].vstack(parts[1].head(2))}, Covered(6, 0))
        before = asked(lake, COUNTS, sight)
        assert before == [(12, 8, 12, 12)]
        lake.append({"api.request": parts[1].tail(2).vstack(parts[2]), "account.signup": rows(12, 1)}, Covered(13, 0))
        if merging:
            assert lake.merge(date(2026, 2, 1)) > 0
        assert asked(lake, COUNTS, sight) == before
        query = "SELECT max(email) FROM api_request WHERE _sequence = 5"
        assert asked(lake, query, sight) == [("a@example.com" if readable else "t1:aa",)]


def test_an_end_that_no_file_goes_beyond_costs_nothing(lake: FolderLake) -> None:
    query = "EXPLAIN SELECT max(_id) FROM api_request"
    assert asked(lake, query, Sight(before=15)) == asked(lake, query)
    assert asked(lake, query, Sight(before=14)) != asked(lake, query)


def test_what_is_personal_shows_where_it_may(lake: FolderLake) -> None:
    opened: list[int] = []

    def unseal(key: int, sealed: bytes) -> Sequence[object] | None:
        opened.append(key)
        assert sealed == b"sealed"
        return None if key == 8 else ("anna@example.com", 5)

    erased = rows(18, 1, **(PERSONAL | {"_key": 8}))
    nothing = rows(19, 1, account="acc", email="t1:bb", _personal="email ip").with_columns(
        pl.lit(None, pl.Int64).alias("_key"), pl.lit(None, pl.Binary).alias("_sealed")
    )
    sight = Sight(tail={"api.request": pl.concat([erased, nothing])}, unseal=unseal)
    query = "SELECT email, count(*) FROM api_request GROUP BY 1 ORDER BY 2"
    assert asked(lake, query, sight) == [(None, 2), ("anna@example.com", 15)]
    assert set(opened) == {7, 8}
    assert asked(lake, query, replace(sight, unseal=None)) == [("t1:bb", 1), ("t1:aa", 16)]
    opened.clear()
    assert asked(lake, "SELECT count(*) FROM api_request WHERE account = 'acc'", sight) == [(17,)]
    assert opened == []


def test_masked_values_are_found_by_their_token(lake: FolderLake) -> None:
    sight = Sight(tokens=lambda text: [f"t2:{text}", f"t1:{text}"])
    assert asked(lake, "SELECT count(*) FROM api_request WHERE is_token(email, 'aa')", sight) == [(15,)]
    assert asked(lake, "SELECT count(*) FROM api_request WHERE is_token(email, 'ab')", sight) == [(0,)]
    assert asked(lake, "SELECT token('aa')", sight) == [("t2:aa",)]


def test_rows_behind_the_limit_are_cut_and_that_is_said(lake: FolderLake) -> None:
    for limit, cut in ((14, True), (15, False)):
        answer = lake.sql("SELECT _sequence FROM api_request ORDER BY 1", replace(LIMITS, rows=limit), PUBLIC)
        assert (answer.frame["_sequence"].to_list(), answer.cut) == (list(range(limit)), cut)


@pytest.mark.parametrize(
    ("query", "kind", "value"),
    [
        ("SELECT sum(_sequence) FROM api_request", "HUGEINT", 105),
        ("SELECT INTERVAL '2 days' AS i", "INTERVAL", "2 days"),
        ("SELECT 12345678901234567890123::HUGEINT AS big", "HUGEINT", 12345678901234567890123),
        ("SELECT '3f333df6-90a4-4fda-8dd3-9485d27cee36'::UUID AS u", "UUID", "3f333df6-90a4-4fda-8dd3-9485d27cee36"),
        ("SELECT union_value(a := 1) AS u", "UNION(a INTEGER)", "1"),
        ("SELECT [1, 2] AS l", "INTEGER[]", [1, 2]),
        ("SELECT NULL AS n", '"NULL"', None),
        (
            "SELECT TIMESTAMPTZ '2026-01-01 12:00:00+02' AS t",
            "TIMESTAMP WITH TIME ZONE",
            datetime(2026, 1, 1, 10, tzinfo=UTC),
        ),
        ("SELECT hour(max(_time)) AS h FROM api_request", "BIGINT", 12),
    ],
)
def test_every_type_comes_as_something_that_can_be_read(lake: FolderLake, query: str, kind: str, value: object) -> None:
    answer = lake.sql(query, LIMITS, PUBLIC)
    assert answer.types == (kind,)
    assert answer.frame.rows() == [(value,)]


@pytest.mark.parametrize(
    "query",
    [
        "WITH t AS (SELECT account, count(*) AS n FROM decisions GROUP BY 1) SELECT max(n) FROM t;",
        "FROM decisions SELECT count(*)",
        "SELECT count(*) FROM decisions d JOIN labels l ON d.id = l.of AND d.source = l.source WHERE l.latest",
        "SELECT 1 -- a remark",
        "/* one */ DESCRIBE api_request",
        "SUMMARIZE decisions",
        "EXPLAIN SELECT * FROM rules",
        "explain analyze SELECT count(*) FROM rules",
        "PIVOT decisions ON action IN ('allow', 'hold') USING count(*) GROUP BY type",
        "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t WHERE a < 3) SELECT * FROM t",
        "SELECT * FROM range(3) r(a), unnest([1, 2])",
        "SELECT table_name FROM information_schema.tables",
        "VALUES (1), (2)",
        "SELECT account, row_number() OVER (ORDER BY time) FROM memory.main.decisions QUALIFY 1 = 1",
    ],
)
def test_what_an_analyst_asks_is_answered(lake: FolderLake, query: str) -> None:
    assert lake.sql(query, LIMITS, PUBLIC).frame.height > 0


# ------------------------------------------------------------------------------------------------------------ refusals


def attacks(data: Path, outside: Path) -> dict[str, str]:
    """Ways to read what isn't the lake's, to write anywhere, or to change how queries are answered."""
    part = next((data / "lake").rglob("part-*"))
    reads = ["/etc/passwd", data / "secret", data / "keys.db", data / "subjects.keys", data / "log" / "00.log"]
    reads += [data / "lake" / "lake.json", data / "lake" / ".." / "secret", data / "lake" / "way_out" / "passwd"]
    reads += [f"file://{data}/secret", "~/.bashrc", "*", f"{data}/*"]
    functions = ["read_text", "read_csv", "read_blob", "read_json", "read_parquet", "parquet_scan", "glob", "sniff_csv"]
    functions += ["parquet_metadata", "parquet_schema", "read_duckdb", "read_ndjson_objects"]
    found = {f"{name} of {path}": f"SELECT * FROM {name}('{path}')" for name in functions for path in reads}
    found |= {f"the file {path} as a table": f"SELECT * FROM '{path}'" for path in reads}
    found |= {f"a table named {path}": f'SELECT * FROM "{path}"' for path in reads}
    target = outside / "out.csv"
    for where in (target, data / "lake" / "out.parquet", part, data / "secret"):
        found |= {
            f"copy to {where}": f"COPY (SELECT 1) TO '{where}'",
            f"copy to {where} in a with": f"WITH x AS (COPY (SELECT 1) TO '{where}') SELECT 1",
            f"copy to {where} in a subquery": f"SELECT (WITH x AS (COPY (SELECT 1) TO '{where}') SELECT 1)",
            f"copy to {where} explained": f"EXPLAIN ANALYZE COPY (SELECT 1) TO '{where}'",
            f"copy to {where} explained behind a remark": f"EXPLAIN /* */ ANALYZE COPY (SELECT 1) TO '{where}'",
            f"copy to {where} behind a select": f"SELECT 1; COPY (SELECT 1) TO '{where}'",
            f"attach {where}": f"ATTACH '{where}' AS other",
            f"export {where}": f"EXPORT DATABASE '{where}.d'",
            f"log to {where}": f"SELECT * FROM enable_logging('QueryLog', storage_path := '{where}')",
            f"profile to {where}": f"SELECT * FROM enable_profiling(save_location := '{where}')",
            f"profile to {where} by call": f"CALL enable_profiling(save_location := '{where}')",
        }
    found |= {
        each: each
        for each in (
            "INSTALL httpfs",
            "LOAD httpfs",
            "LOAD 'evil.so'",
            "SELECT * FROM read_csv('http://localhost/x.csv')",
            "SELECT * FROM 's3://bucket/x.parquet'",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
            "RESET lock_configuration",
            "PRAGMA enable_profiling = 'json'",
            "PRAGMA database_list",
            "SELECT getenv('HOME')",
            "SELECT current_setting('secret_directory')",
            "SELECT getvariable('x')",
            "SELECT * FROM duckdb_settings()",
            "SELECT * FROM duckdb_secrets()",
            "SELECT * FROM duckdb_views",
            "SELECT sql FROM sqlite_master",
            "SELECT * FROM pg_catalog.pg_views",
            "SHOW DATABASES",
            "SHOW ALL TABLES",
            "CREATE TABLE x AS SELECT 1",
            "CREATE MACRO is_token(a, b) AS true",
            "CREATE OR REPLACE VIEW decisions AS SELECT 1",
            "CREATE SECRET s (TYPE s3)",
            "CREATE FUNCTION f(a) AS a",
            "INSERT INTO decisions VALUES (1)",
            "WITH x AS (INSERT INTO decisions VALUES (1) RETURNING *) SELECT * FROM x",
            "WITH x AS (DELETE FROM decisions) SELECT 1",
            "DELETE FROM decisions",
            "DROP VIEW decisions",
            "USE memory",
            "BEGIN",
            "CHECKPOINT",
            "VACUUM",
            "PREPARE p AS SELECT 1",
            "EXECUTE p",
            "DETACH memory",
            "CALL pragma_version()",
            "SELECT * FROM checkpoint()",
            "SELECT * FROM force_checkpoint()",
            "SELECT * FROM query('SELECT 1')",
            "SELECT * FROM query_table('decisions')",
            "SELECT * FROM json_execute_serialized_sql('{}')",
            "SELECT * FROM pandas_scan(1)",
            "SELECT * FROM arrow_scan(1, 2, 3)",
            "SELECT * FROM python_map_function(1)",
            "SELECT * FROM create_external_resource('x')",
            "SELECT write_log('x')",
            "SELECT * FROM unused_local",
            "SELECT 1; SELECT 2",
            "SELECT 1; SET memory_limit = '100GB'",
            "VALUES ((SELECT max(content) FROM read_text('/etc/passwd')))",
            "SELECT * FROM decisions WHERE id IN (SELECT content FROM read_text('/etc/passwd'))",
            "SELECT * FROM decisions ORDER BY (SELECT content FROM read_text('/etc/passwd'))",
            "SELECT list_transform([1], lambda x: (SELECT max(content) FROM read_text('/etc/passwd')))",
            'WITH "/etc/passwd" AS (SELECT 1) SELECT * FROM main."/etc/passwd"',
            "DESCRIBE '/etc/passwd'",
            "SUMMARIZE '/etc/passwd'",
            "DESCRIBE SELECT * FROM read_text('/etc/passwd')",
            "FROM decisions UNION ALL BY NAME FROM read_csv('/etc/passwd')",
            "EXPLAIN EXPLAIN COPY (SELECT 1) TO '/tmp/x'",
            "EXPLAIN",
            "",
            ";",
            "-- nothing",
            "SELECT \0",
            "SELECT '" + "x" * 100_000 + "'",
        )
    }
    return found


def state_of(*folders: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()}


def test_nothing_else_is_read_and_nothing_is_written(lake: FolderLake, data: Path, tmp_path: Path) -> None:
    unused_local = pl.DataFrame({"a": [1]})
    before = state_of(data, tmp_path), dict(os.environ)
    for name, query in attacks(data, tmp_path).items():
        with pytest.raises(QueryError) as refused:
            pytest.fail(f"{name} was answered: {lake.sql(query, LIMITS, PUBLIC).frame}")
        assert "top secret" not in str(refused.value), name
        assert "root:" not in str(refused.value), name
    assert (state_of(data, tmp_path), dict(os.environ)) == before
    assert unused_local.height == 1


def test_the_lock_holds_even_where_a_query_is_not_looked_through(lake: FolderLake, data: Path, tmp_path: Path) -> None:
    def unchecked(_: object, query: str, __: object) -> Query:
        return Query(query, "", frozenset({"decisions"}))

    live = [path for path in state_of(data) if path.name.startswith("part-")]
    own = [f"{path}" for path in live]
    before = state_of(data, tmp_path)
    with mock.patch.object(lake_sql, "checked", unchecked):
        for name, query in attacks(data, tmp_path).items():
            if any(path in query for path in own):
                continue  # a live file can be opened: here only the look through the query stands before it
            answer = None
            with suppress(QueryError, AttributeError):
                answer = lake.sql(query, LIMITS, PUBLIC)
            told = str(answer.frame.to_dict(as_series=False)) if answer is not None else ""
            assert "top secret" not in told, name
            assert "root:" not in told, name
    assert state_of(data, tmp_path) == before


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT * FROM api_requests", "There is no table `api_requests`. Did you mean api_request?"),
        ("SELECT * FROM zzz", "There are account_label, api_request, decisions, labels, rules."),
        ("SELECT acount FROM decisions", 'Referenced column "acount" not found'),
        ("SELEC 1", "LINE 1: SELEC 1"),
        ("SELECT 'a'::INTEGER", "Could not convert string 'a' to INT32"),
    ],
)
def test_a_wrong_query_is_told_what_is_wrong(lake: FolderLake, query: str, words: str) -> None:
    with pytest.raises(QueryFailed, match=re.escape(words)):
        lake.sql(query, LIMITS, PUBLIC)


def test_what_is_refused_says_what_may_be_asked(lake: FolderLake) -> None:
    with pytest.raises(QueryRefused, match="`read_text` is not allowed: a query reads the lake's tables"):
        lake.sql("SELECT * FROM read_text('/etc/passwd')", LIMITS, PUBLIC)
    with pytest.raises(QueryRefused, match="One SELECT, DESCRIBE"):
        lake.sql("DROP VIEW decisions", LIMITS, PUBLIC)
    with pytest.raises(QueryRefused, match="100,010 characters; 100,000 are the most"):
        lake.sql("SELECT 1 --" + "x" * 99_999, LIMITS, PUBLIC)


# -------------------------------------------------------------------------------------------------------------- limits


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range * b.range % 7 = 3",
        "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT count(*) FROM t",
        "SELECT pg_sleep(60)",
    ],
)
def test_a_query_that_runs_for_ever_is_ended(lake: FolderLake, query: str) -> None:
    with pytest.raises(QueryTooLong, match=r"It may take 0\.2 seconds"):
        lake.sql(query, replace(LIMITS, seconds=0.2), PUBLIC)
    assert asked(lake, "SELECT count(*) FROM decisions") == [(18,)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT list(range) FROM range(100000000)",
        "SELECT len(string_agg(range::VARCHAR, ',')) FROM range(100000000)",
    ],
)
def test_a_query_that_needs_too_much_memory_is_ended(lake: FolderLake, query: str) -> None:
    with pytest.raises(QueryTooBig, match="It may use 64 MB"):
        lake.sql(query, replace(LIMITS, megabytes=64), PUBLIC)


def test_what_does_not_fit_in_memory_goes_to_a_folder_that_is_removed(
    lake: FolderLake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    query = "SELECT count(*) FROM (SELECT range, hash(range) AS h FROM range(3000000) ORDER BY h)"
    assert lake.sql(query, replace(LIMITS, megabytes=64), PUBLIC).frame.item() == 3_000_000
    assert list(tmp_path.iterdir()) == []


def answered(sight: Mapping[str, pl.DataFrame], folder: Path) -> Answer:
    with open_lake(folder) as lake:
        return lake.sql("SELECT count(*) FROM decisions", LIMITS, Sight(tail=sight))


def test_paths_and_names_with_quotes_are_harmless(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s a "lake"'
    with open_lake(folder) as lake:
        lake.append({"api.request": rows(0, 2, _personal="e'; DROP x")}, Covered(2, 0))
    assert answered({"account.signup": rows(2, 1)}, folder).frame.item() == 3
