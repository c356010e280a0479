"""Files as events: every format gives the same events in the same order; what is bad is refused by name and place."""

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fairgate.domain.errors import InputUnreadable
from fairgate.domain.event import Event, Refusal, microseconds
from fairgate.domain.windows import DAY, LONGEST_REPEAT, SECOND
from fairgate.ingest import source_rows, sources
from fairgate.ingest.decode import LARGEST_EVENT, Decoder, Taken
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.sources import read_events
from fairgate.language.check_pack import check_pack
from fairgate.language.checked import CheckedPack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.problems import PackError

START = microseconds(datetime(2026, 1, 5, tzinfo=UTC))

PACK = """
[pack]
name = "shop"
version = "1"
[[segment]]
name = "default"
[event.order.attributes]
customer = { entity = "customer", required = true }
amount = "number"
items = "integer"
gift = "bool"
joined = "time"
ip = "ip"
[event."order.label"]
label_of = "order"
[event."order.label".attributes]
of = { required = true }
bad = "bool"
[event.visit.attributes]
page = "text"
"""
ATTRIBUTES = 'customer = "who", amount = "amount", items = "items", gift = "gift", joined = "joined", ip = "net.ip"'
SOURCE = """
[source]
format = "FORMAT"
name = "shop/export"
[[source.event]]
type = "order"
id = "id"
time = "at"
attributes = { ATTRIBUTES }
[[source.event]]
type = "order.label"
id = "id"
id_prefix = "label-"
time = "at"
delay = "7d"
attributes = { of = "id", bad = "fraud" }
"""
PLAIN = '[source]\nformat = "FORMAT"\n[[source.event]]\ntype = "visit"\nid = "id"\ntime = "at"\n'
ROWS: Sequence[dict[str, Any]] = [
    {
        "id": 1, "at": "2026-01-05T00:00:00Z", "who": "anna", "amount": 12.5, "items": 2, "gift": True,
        "joined": "1969-06-01T00:00:00+02:00", "net.ip": "203.0.113.7", "fraud": False,
    },
    {
        "id": 2, "at": "2026-01-05T00:00:01.250Z", "who": 7, "amount": 3, "items": None, "gift": None,
        "joined": None, "net.ip": None, "fraud": True,
    },
    {
        "id": 3, "at": "2026-01-13", "who": "omar", "amount": None, "items": 0, "gift": False,
        "joined": "2026-01-01", "net.ip": "2001:db8::1", "fraud": None,
    },
]  # fmt: skip


def pack(kind: str | None, source: str = SOURCE) -> CheckedPack:
    texts = {"pack.toml": PACK}
    if kind is not None:
        texts["source.toml"] = source.replace("FORMAT", kind).replace("ATTRIBUTES", ATTRIBUTES)
    return check_pack(pack_from_texts(texts), TYPES)


def read(paths: Path | Sequence[Path], checked: CheckedPack) -> list[Taken]:
    decoder = Decoder(checked, LONGEST_REPEAT)
    several = [paths] if isinstance(paths, Path) else paths
    return [each for batch in read_events(several, checked, decoder) for each in batch]


def events(taken: Sequence[Taken]) -> list[Event]:
    assert [each for each in taken if isinstance(each, Refusal)] == []
    return [each for each in taken if isinstance(each, Event)]


def refusals(taken: Sequence[Taken]) -> list[Refusal]:
    return [each for each in taken if isinstance(each, Refusal)]


def nested(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{name: value for name, value in row.items() if name != "net.ip"}, "net": {"ip": row["net.ip"]}}


def write_ndjson(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(nested(row)) + "\n" for row in rows), "utf-8")
    return path


def write_csv(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    frame = pl.DataFrame({name: [None if row[name] is None else str(row[name]) for row in rows] for name in rows[0]})
    frame.write_csv(path)
    return path


def write_parquet(path: Path, rows: Sequence[Mapping[str, Any]]) -> Path:
    frame = pl.DataFrame([{**row, "who": str(row["who"])} for row in rows], infer_schema_length=None)
    times = frame["at"].map_elements(datetime.fromisoformat, pl.Datetime("us", "UTC"), skip_nulls=True)
    net = pl.struct(ip=pl.col("net.ip")).alias("net")
    frame.with_columns(times, net).drop("net.ip").write_parquet(path, row_group_size=2)
    return path


WRITERS = {"ndjson": write_ndjson, "csv": write_csv, "parquet": write_parquet}


def write(folder: Path, kind: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    return WRITERS[kind](folder / f"rows.{kind}", rows)


# ---------------------------------------------------------------------------------------------------------- the mapping


@pytest.mark.parametrize("kind", WRITERS)
def test_every_format_gives_the_same_events(kind: str, tmp_path: Path) -> None:
    taken = events(read(write(tmp_path, kind, ROWS), pack(kind)))
    assert [(each.type, each.id, each.time - START) for each in taken] == [
        ("order", "1", 0),
        ("order", "2", 1_250_000),
        ("order.label", "label-1", 7 * DAY),
        ("order.label", "label-2", 7 * DAY + 1_250_000),
        ("order", "3", 8 * DAY),
        ("order.label", "label-3", 15 * DAY),
    ]
    assert {each.source for each in taken} == {"shop/export"}
    assert all(each.received == each.time for each in taken)
    first, second, third = (msgspec.structs.asdict(taken[at].data) for at in (0, 1, 4))
    assert first == {
        "customer": "anna", "amount": 12.5, "items": 2, "gift": True, "ip": "203.0.113.7",
        "joined": datetime(1969, 5, 31, 22, tzinfo=UTC),
    }  # fmt: skip
    assert second == {"customer": "7", "amount": 3.0, "items": None, "gift": None, "ip": None, "joined": None}
    assert third["joined"] == datetime(2026, 1, 1, tzinfo=UTC)
    assert [(each.data.of, each.data.bad) for each in taken if each.type == "order.label"] == [
        ("1", False), ("2", True), ("3", None),
    ]  # fmt: skip


WHEN = """
[source]
format = "FORMAT"
[[source.event]]
type = "order"
when = { kind = "order", live = true, version = 2 }
id = "id"
time = "at"
attributes = { customer = "who" }
[[source.event]]
type = "visit"
when = { kind = "visit" }
id = "id"
time = "at"
attributes = { page = "who" }
"""


@pytest.mark.parametrize("kind", WRITERS)
def test_when_picks_the_rows_of_an_event_type(kind: str, tmp_path: Path) -> None:
    shapes = [("order", True, 2), ("visit", False, 1), ("order", False, 2), ("order", True, 1), (None, True, 2)]
    rows = [
        {**ROWS[0], "id": number, "kind": word, "live": live, "version": version}
        for number, (word, live, version) in enumerate(shapes)
    ]
    if kind == "csv":
        rows = [{**row, "live": str(row["live"]).lower()} for row in rows]
    taken = events(read(write(tmp_path, kind, rows), pack(kind, WHEN)))
    assert [(each.type, each.id) for each in taken] == [("order", "0"), ("visit", "1")]
    assert taken[0].source == "shop"  # the pack's name where the source has none


TIMES: Mapping[str, tuple[str | None, Sequence[object]]] = {
    "naive is UTC": (None, [datetime(2026, 1, 5)]),  # noqa: DTZ001 - that it has no zone is the point
    "an offset counts": (None, ["2026-01-05T02:00:00+02:00"]),
    "nanoseconds": (None, [pl.Series([microseconds(datetime(2026, 1, 5, tzinfo=UTC)) * 1000]).cast(pl.Datetime("ns"))]),
    "a date": (None, [date(2026, 1, 5)]),
    "seconds": ("s", [START // SECOND, float(START // SECOND), str(START // SECOND)]),
    "milliseconds": ("ms", [START // 1000, str(START // 1000), Decimal(START // 1000)]),
    "microseconds": ("us", [START]),
}


@pytest.mark.parametrize("case", TIMES)
def test_times_are_read_as_the_source_says(case: str, tmp_path: Path) -> None:
    unit, values = TIMES[case]
    text = WHEN.replace("when = { kind", "when = { id").replace('"order", live = true, version = 2', "1")
    text = text.replace("[[source.event]]", f'time_format = "{unit}"\n[[source.event]]', 1) if unit else text
    for value in values:
        column = value if isinstance(value, pl.Series) else pl.Series([value])
        frame = pl.DataFrame({"id": [1], "at": column, "who": ["anna"]})
        frame.write_parquet(tmp_path / "rows.parquet")
        assert [each.time for each in events(read(tmp_path / "rows.parquet", pack("parquet", text)))] == [START], value


def test_a_number_beyond_time_is_no_time_whatever_its_unit(tmp_path: Path) -> None:
    text = '[source]\nformat = "parquet"\ntime_format = "s"\n[[source.event]]\ntype = "visit"\nid = "id"\ntime = "at"\n'
    wrapped = (1 << 64) // SECOND + 1  # in microseconds, 64 bits would make this a moment in 1970
    pl.DataFrame({"id": range(4), "at": [wrapped, -1, 1 << 62, 1]}).write_parquet(tmp_path / "rows.parquet")
    taken = read(tmp_path / "rows.parquet", pack("parquet", text))
    assert [each.reason.split(":")[1] for each in refusals(taken)] == ["1", "2", "3"]
    assert [each.time for each in taken if isinstance(each, Event)] == [SECOND]


def test_types_of_parquet_that_fit_are_taken(tmp_path: Path) -> None:
    frame = pl.DataFrame(
        {
            "id": [1.0, 2.0],
            "at": [datetime(2026, 1, 5, tzinfo=UTC)] * 2,
            "who": pl.Series(["a", "b"], dtype=pl.Categorical),
            "amount": [Decimal("1.50"), Decimal(2)],
            "items": [3.0, None],
            "gift": pl.Series([1, 0], dtype=pl.Int8),
            "joined": [None, None],
            "net": [{"ip": None}, {"ip": "203.0.113.7"}],
            "fraud": ["true", "0"],
        }
    )
    frame.write_parquet(tmp_path / "rows.parquet")
    orders = [each for each in events(read(tmp_path / "rows.parquet", pack("parquet"))) if each.type == "order"]
    assert [each.id for each in orders] == ["1", "2"]  # an identifier that became a float on the way is itself again
    assert [(each.data.amount, each.data.items, each.data.gift) for each in orders] == [
        (1.5, 3, True), (2.0, None, False),
    ]  # fmt: skip


# ------------------------------------------------------------------------------------------------------------ the order


def naive_order(times: Sequence[int], delays: Sequence[int]) -> list[tuple[int, int]]:
    """(row, event) pairs: by the clock at the row plus the delay, the least delayed before others, row, event."""
    clock, due = 0, []
    for row, time in enumerate(times):
        clock = max(clock, time)
        due += [(clock + delay, delay > min(delays), row, event) for event, delay in enumerate(delays)]
    return [(row, event) for *_, row, event in sorted(due)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(
    times=st.lists(st.integers(0, 12), min_size=1, max_size=40),
    delays=st.lists(st.sampled_from([0, 1, 3, 9]), min_size=1, max_size=3),
    slices=st.sampled_from([1, 2, 3, 7]),
    files=st.integers(1, 3),
    is_sorted=st.booleans(),
)
def test_events_come_when_they_are_due(  # noqa: PLR0913 - each is a dimension of the property
    times: list[int], delays: list[int], slices: int, files: int, *, is_sorted: bool, tmp_path: Path
) -> None:
    times = sorted(times) if is_sorted else times
    entries = "".join(
        f'[[source.event]]\ntype = "visit"\nid = "id"\nid_prefix = "{number}-"\ntime = "at"\ndelay = "{delay}s"\n'
        for number, delay in enumerate(delays)
    )
    checked = pack("csv", f'[source]\nformat = "csv"\ntime_format = "s"\n{entries}')
    paths = []
    for number in range(files):
        part = [(row, time) for row, time in enumerate(times) if row * files // len(times) == number]
        path = tmp_path / f"rows{number}.csv"
        path.write_text("id,at\n" + "".join(f"{row},{1_000_000 + time}\n" for row, time in part), "utf-8")
        paths.append(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_rows, "SLICE", slices)
        taken = events(read(paths, checked))
    assert [each.id for each in taken] == [f"{event}-{row}" for row, event in naive_order(times, delays)]
    assert [each.time // SECOND - 1_000_000 for each in taken] == [
        times[row] + delays[event] for row, event in naive_order(times, delays)
    ]


def test_waiting_rows_leave_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    lines = [f"{number},{1_000_000 + number}" for number in range(50_000)]
    path.write_text("\n".join(["id,at", *lines]), "utf-8")
    text = '[source]\nformat = "csv"\ntime_format = "s"\n[[source.event]]\ntype = "visit"\nid = "id"\ntime = "at"\n'
    later = '[[source.event]]\ntype = "visit"\nid = "id"\nid_prefix = "l"\ntime = "at"\ndelay = "30d"\n'
    checked = pack("csv", text + later)
    batches = list(read_events([path], checked, Decoder(checked, LONGEST_REPEAT)))
    assert sum(map(len, batches)) == 100_000
    assert max(map(len, batches)) <= 2 * source_rows.SLICE
    assert [each.id for each in events(batches[-1])][-1] == "l49999"


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    for kind in WRITERS:
        path, told = write(tmp_path, kind, ROWS), list[int]()
        checked = pack(kind)
        for _ in read_events([path] * 3, checked, Decoder(checked, LONGEST_REPEAT), told.append):
            pass
        assert told == sorted(told)
        assert told[-1] == 3 * path.stat().st_size


# ------------------------------------------------------------------------------------------------------------- bad rows

BAD_CELLS: Mapping[str, tuple[dict[str, Any], str, str]] = {
    "no id": ({"id": None}, "missing", "id"),
    "no time": ({"at": None}, "missing", "time"),
    "no required attribute": ({"who": None}, "missing", "data.customer"),
    "no number": ({"amount": "plenty"}, "mistyped", "data.amount"),
    "an infinite number": ({"amount": "inf"}, "invalid", "data.amount"),
    "not a number": ({"amount": "nan"}, "invalid", "data.amount"),
    "an inexact number": ({"amount": 2**60}, "invalid", "data.amount"),
    "no whole number": ({"items": 1.5}, "mistyped", "data.items"),
    "no bool": ({"gift": "perhaps"}, "mistyped", "data.gift"),
    "no time of day": ({"joined": "yesterday"}, "mistyped", "data.joined"),
    "a time of day too far": ({"joined": "1899-12-31T00:00:00Z"}, "mistyped", "data.joined"),
    "no date": ({"at": "2026-02-30"}, "mistyped", "time"),
    "before 1970": ({"at": "1969-12-31T23:59:59Z"}, "mistyped", "time"),
    "no address": ({"net.ip": "203.0.113.700"}, "invalid", "data.ip"),
    "a long identifier": ({"who": "x" * 60_000}, "invalid", "data.customer"),
    "a hidden character": ({"who": "an\u202ena"}, "invalid", "data.customer"),
    "NUL": ({"who": "an\0na"}, "invalid", "data.customer"),
    "a long id": ({"id": "x" * 300}, "invalid", "id"),
}


@pytest.mark.parametrize("kind", ["ndjson", "csv"])
@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_bad_cell_refuses_its_row_alone(kind: str, case: str, tmp_path: Path) -> None:
    change, code, field = BAD_CELLS[case]
    path = write(tmp_path, kind, [ROWS[0], {**ROWS[1], **change}, ROWS[2]])
    taken = read(path, pack(kind))
    refused = refusals(taken)
    assert (refused[0].code, refused[0].field) == (code, field)
    line = 2 if kind == "ndjson" else 3
    assert all(each.reason.startswith(f"{path}:{line}: ") for each in refused)
    ids = [each.id for each in taken if isinstance(each, Event) and each.type == "order"]
    assert ids == ["1", "3"]
    assert (
        len(refused) + sum(isinstance(each, Event) for each in taken) == 6
    )  # both events of each row are accounted for


def test_non_finite_numbers_of_parquet_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_rows, "SLICE", 1)
    path = write(
        tmp_path, "parquet", [{**row, "amount": float(n)} for row, n in zip(ROWS, ("1", "nan", "inf"), strict=True)]
    )
    refused = refusals(read(path, pack("parquet")))
    words = "amount is not a finite number within 2**53"
    assert [each.reason for each in refused] == [f"{path}:2: {words}", f"{path}:3: {words}"]


BAD_LINES: Mapping[str, tuple[str, bytes, str]] = {
    "broken JSON": ("ndjson", b'{"id": 1,', "this is not JSON"),
    "no object": ("ndjson", b"[1, 2]", "not a JSON object"),
    "no scalar": ("ndjson", b'{"id": 9, "at": "2026-01-05", "who": {"name": "anna"}}', "`who` is an object"),
    "an array": ("ndjson", b'{"id": 9, "at": "2026-01-05", "who": ["anna"]}', "`who` is an array"),
    "a number out of range": ("ndjson", b'{"id": 9, "amount": 1e999}', "this is not JSON"),
    "deep nesting": ("ndjson", b"[" * 20_000, "this is not JSON"),
    "not UTF-8": ("ndjson", b'{"id": "\xff"}', "not UTF-8"),
    "a long line": ("ndjson", b'{"id": "' + b"x" * LARGEST_EVENT + b'"}', "more than 65,536 bytes"),
    "a very long line": ("ndjson", b"x" * 1_000_000, "more than 65,536 bytes"),
    "too few cells": ("csv", b"9,2026-01-05", "the row has 2 cells, the header has 9"),
    "too many cells": ("csv", b"9,2026-01-05,anna,,,,,,,,,", "the row has 12 cells"),
    "a quote gone wrong": ("csv", b'9,2026-01-05,"anna"x,,,,,,', "this is not CSV"),
    "not UTF-8 in CSV": ("csv", b"9,2026-01-05,\xff,,,,,,", "not UTF-8"),
    "a long line of CSV": ("csv", b"x" * 1_000_000, "more than 65,536 bytes"),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_line_is_refused_and_the_next_is_read(case: str, tmp_path: Path) -> None:
    kind, line, words = BAD_LINES[case]
    path = write(tmp_path, kind, ROWS)
    lines = path.read_bytes().splitlines()
    at = len(lines) - 1
    path.write_bytes(b"\r\n".join([*lines[:at], line, b"", lines[at]]))
    taken = read(path, pack(kind))
    [refused] = refusals(taken)
    assert refused.code in ("malformed", "mistyped", "too_large")
    assert refused.reason.startswith(f"{path}:{at + 1}: ")
    assert words in refused.reason
    assert sum(isinstance(each, Event) for each in taken) == 6


def test_a_cell_of_many_lines_keeps_the_count(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('id,at,page\n1,2026-01-05,"one\ntwo"\n2,never,x\n', "utf-8")
    text = PLAIN + 'attributes = { page = "page" }'
    taken = read(path, pack("csv", text))
    assert [each.data.page for each in taken if isinstance(each, Event)] == ["one\ntwo"]
    assert [each.reason for each in refusals(taken)] == [f"{path}:4: `at` is not a time"]


def test_an_open_quote_costs_no_more_than_its_limit(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    rows = [f"{number},2026-01-05,page" for number in range(20_000)]
    rows[5] = '5,2026-01-05,"page'
    path.write_text("\n".join(["id,at,page", *rows]), "utf-8")
    text = PLAIN + 'attributes = { page = "page" }'
    taken = read(path, pack("csv", text))
    assert [each.code for each in refusals(taken)] == ["malformed"]
    assert sum(isinstance(each, Event) for each in taken) > 10_000


# ---------------------------------------------------------------------------------------------------------- whole files


def test_a_mark_at_the_start_is_no_part_of_the_text(tmp_path: Path) -> None:
    for kind in ("ndjson", "csv"):
        path = write(tmp_path, kind, ROWS)
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
        assert len(events(read(path, pack(kind)))) == 6


def test_a_header_alone_is_no_event_and_no_fault(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(",".join(ROWS[0]) + "\n", "utf-8")
    assert read(tmp_path / "rows.csv", pack("csv")) == []
    frame = pl.read_parquet(write(tmp_path, "parquet", ROWS))
    frame.clear().write_parquet(tmp_path / "none.parquet")
    assert read(tmp_path / "none.parquet", pack("parquet")) == []


def unreadable_files(folder: Path) -> Iterator[tuple[str, str | None, Path, str]]:
    """(what it shows, the source's format, the file, a word of the error)."""
    good = {kind: write(folder, kind, ROWS) for kind in WRITERS}
    for kind in WRITERS:
        empty = folder / f"empty.{kind}"
        empty.write_bytes(b"")
        yield "an empty file", kind, empty, "empty" if kind != "parquet" else "header and footer"
        yield "no file", kind, folder / f"none.{kind}", "no such file" if kind == "parquet" else "No such file"
        (folder / f"folder.{kind}").mkdir()
        yield "a folder", kind, folder / f"folder.{kind}", "no such file" if kind == "parquet" else "directory"
        yield "another format", kind, folder / "rows.txt", f"The pack's [source] is for {kind} files"
    content = good["parquet"].read_bytes()
    for length in (len(content) // 2, len(content) - 1):
        cut = folder / f"cut{length}.parquet"
        cut.write_bytes(content[:length])
        yield "a truncated file", "parquet", cut, "after 0 rows"
    (folder / "wide.csv").write_bytes("id,at\n1,x\n".encode("utf-16"))
    yield "UTF-16", "csv", folder / "wide.csv", "Save it as UTF-8"
    (folder / "named.csv").write_text("id,when\n1,2026-01-05\n", "utf-8")
    yield "a missing column", "csv", folder / "named.csv", "no column `at`. Its columns are id, when."
    (folder / "quoted.csv").write_text('id,"at\n', "utf-8")
    yield "a broken header", "csv", folder / "quoted.csv", "header line"
    frame = pl.read_parquet(good["parquet"])
    odd = {
        "a missing column ": (frame.drop("amount"), "no column `amount`"),
        "a missing field": (
            frame.with_columns(net=pl.struct(v6=pl.lit("x"))),
            "no `net.ip` in it. `ip` is none of: v6.",
        ),
        "a list": (frame.with_columns(who=pl.concat_list("who")), "`who` is of type List(String), not a text"),
        "a bare number as time": (frame.with_columns(at=pl.lit(1)), 'Say time_format = "s", "ms" or "us"'),
        "a number as truth": (frame.with_columns(gift=pl.lit(0.5)), "`gift` is of type Float64, not true or false"),
        "a date as number": (frame.with_columns(amount=pl.col("at")), "not a number"),
    }
    for number, (case, (made, words)) in enumerate(odd.items()):
        made.write_parquet(folder / f"odd{number}.parquet")
        yield case, "parquet", folder / f"odd{number}.parquet", words
    yield "no [source] for it", None, good["csv"], "the pack has no [source]"


def test_a_file_that_cant_be_read_is_named_with_what_to_do(tmp_path: Path) -> None:
    cases = list(unreadable_files(tmp_path))
    assert len(cases) > 20
    for case, kind, path, words in cases:
        with pytest.raises(InputUnreadable) as caught:
            read(path, pack(kind))
        assert str(path) in str(caught.value), case
        assert words in str(caught.value), case
        assert caught.value.remedy.endswith("."), case


def test_damage_within_a_parquet_file_never_loses_rows_in_silence(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"id": range(3_000), "at": [1] * 3_000, "page": [f"page {n % 97}" for n in range(3_000)]})
    frame.write_parquet(tmp_path / "rows.parquet", row_group_size=500)
    content, draws = (tmp_path / "rows.parquet").read_bytes(), random.Random(3)
    text = (
        '[source]\nformat = "parquet"\ntime_format = "us"\n[[source.event]]\ntype = "visit"\nid = "id"\ntime = "at"\n'
    )
    checked = pack("parquet", text + 'attributes = { page = "page" }')
    told = 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(source_rows, "SLICE", 1_000)
        for _ in range(600):
            damaged = bytearray(content)
            damaged[draws.randrange(len(damaged))] = draws.randrange(256)
            (tmp_path / "damaged.parquet").write_bytes(damaged)
            try:
                assert len(read(tmp_path / "damaged.parquet", checked)) == 3_000
            except InputUnreadable:
                told += 1
    assert told > 50
    capfd.readouterr()  # the library's own words about the damage


# ---------------------------------------------------------------------------------------------------------- CloudEvents


def cloud_event(number: int, **changes: object) -> dict[str, object]:
    time = (datetime(2026, 1, 5, tzinfo=UTC) + timedelta(seconds=number)).isoformat()
    envelope = {"specversion": "1.0", "id": f"e{number}", "source": "shop", "type": "visit", "time": time}
    return {**envelope, "data": {"page": "home"}, **changes}


def test_cloud_events_come_as_they_stand(tmp_path: Path) -> None:
    bad = [cloud_event(3, type="nope"), cloud_event(4, time=None), cloud_event(5, data={"page": 5})]
    lines = [json.dumps(each) for each in (cloud_event(1), cloud_event(0), *bad, cloud_event(2))]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([*lines[:2], "", "{", *lines[2:]]), "utf-8")
    taken = read([path, path], pack(None))
    assert [each.id for each in taken if isinstance(each, Event)] == ["e1", "e0", "e2"] * 2
    assert all(each.received == each.time for each in taken if isinstance(each, Event))
    found = [(each.code, each.reason.removeprefix(f"{path}:").partition(": ")[0]) for each in refusals(taken)]
    assert found == [("malformed", "4"), ("unknown_type", "5"), ("missing", "6"), ("mistyped", "7")] * 2


def test_cloud_events_come_in_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "SLICE", 4)
    path = tmp_path / "events.ndjson"
    path.write_text("".join(json.dumps(cloud_event(number)) + "\n" for number in range(10)), "utf-8")
    checked = pack(None)
    batches = list(read_events([path], checked, Decoder(checked, LONGEST_REPEAT)))
    assert [len(batch) for batch in batches] == [4, 4, 2]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), kind=st.sampled_from(["ndjson", "csv", None]))
def test_whatever_the_bytes_only_refusals_and_clear_errors_come(
    content: bytes, kind: str | None, tmp_path: Path
) -> None:
    path = tmp_path / f"junk.{kind or 'ndjson'}"
    path.write_bytes((b"" if kind != "csv" else ",".join(ROWS[0]).encode() + b"\n") + content)
    try:
        taken = read(path, pack(kind))
    except InputUnreadable:
        assert kind is None or not content or content[:2] in (b"\xff\xfe", b"\xfe\xff")
    else:
        assert all(isinstance(each, Event | Refusal) for each in taken)


# ------------------------------------------------------------------------------------------------------------- the pack


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[source]\nformat = "csv"\nevent = []', "says of no event"),
        (SOURCE.replace('"7d"', '"9999d"'), "more than ten years"),
        (SOURCE.replace('name = "shop/export"', 'time_format = "h"'), "known: ms, s, us"),
        (SOURCE.replace("ATTRIBUTES", 'client = "who"'), "order has no attribute `client`"),
        (SOURCE.replace("ATTRIBUTES", 'amount = "amount"'), "`customer` of order is not mapped"),
    ],
)
def test_a_source_that_makes_no_sense_is_refused_with_the_pack(text: str, words: str) -> None:
    with pytest.raises(PackError) as caught:
        pack("csv", text)
    assert words in str(caught.value)
    assert "source.toml:" in str(caught.value)


def test_a_time_without_an_offset_is_refused_in_an_event_as_in_its_envelope(tmp_path: Path) -> None:
    data = {"customer": "anna", "joined": "2026-01-01T00:00:00"}
    lines = [cloud_event(1, type="order", data=data), cloud_event(2, time="2026-01-05T00:00:00")]
    lines += [cloud_event(3, time="1969-12-31T23:59:59Z")]
    path = tmp_path / "events.ndjson"
    path.write_text("\n".join(map(json.dumps, lines)), "utf-8")
    assert [(each.code, each.field) for each in refusals(read(path, pack(None)))] == [
        ("invalid", "data.joined"),
        ("invalid", "time"),
        ("invalid", "time"),
    ]
