"""A query's rows as JSON, CSV and Parquet."""

import io
import json
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import polars as pl
import pytest

from fairgate.entrypoints.desk.rows import file_rows, json_rows

FRAME = pl.DataFrame(
    {
        "name": ["anna", None],
        "rules": [["burst", "spend"], []],
        "at": [datetime(2026, 1, 5, tzinfo=UTC), None],
        "odds": [0.5, float("nan")],
    }
)


def answered(frame: pl.DataFrame, *, truncated: bool = False) -> dict[str, object]:
    types = ["T"] * frame.width
    found: dict[str, object] = json.loads(json_rows(frame, types, truncated=truncated, left_out=2, seconds=0.25))
    return found


def test_json_has_columns_rows_and_whether_there_are_more() -> None:
    found = answered(FRAME, truncated=True)
    assert found == {
        "columns": [{"name": name, "type": "T"} for name in ("name", "rules", "at", "odds")],
        "rows": [["anna", ["burst", "spend"], "2026-01-05T00:00:00Z", 0.5], [None, [], None, None]],
        "truncated": True,
        "left_out": 2,
        "seconds": 0.25,
    }


@pytest.mark.parametrize(
    ("value", "dtype", "shown"),
    [
        (2**62, pl.Int128, 2**62),
        (2**70, pl.Int128, str(2**70)),
        (-(2**63) - 1, pl.Int128, str(-(2**63) - 1)),
        (2**64 - 1, pl.UInt64, 2**64 - 1),
        (Decimal("1.50"), pl.Decimal(10, 2), "1.50"),
        (date(2026, 1, 5), pl.Date, "2026-01-05"),
        (time(10, 30), pl.Time, "10:30:00"),
        (timedelta(hours=1), pl.Duration, "PT3600S"),
        (b"\x00\xff", pl.Binary, "AP8="),
        (float("inf"), pl.Float64, None),
        ({"a": [1, None]}, pl.Struct({"a": pl.List(pl.Int64)}), {"a": [1, None]}),
        (None, pl.Null, None),
    ],
)
def test_each_type_has_its_form_in_json(value: object, dtype: pl.DataType, shown: object) -> None:
    assert answered(pl.DataFrame({"x": pl.Series([value], dtype=dtype)}))["rows"] == [[shown]]


def test_long_numbers_are_texts_only_where_one_needs_it() -> None:
    frame = pl.DataFrame({"x": pl.Series([1, 2**70, None], dtype=pl.Int128)})
    assert answered(frame)["rows"] == [["1"], [str(2**70)], [None]]
    assert answered(frame.head(1))["rows"] == [[1]]
    assert answered(frame.tail(1))["rows"] == [[None]]


def test_no_rows_and_no_columns_are_an_answer() -> None:
    assert answered(FRAME.clear())["rows"] == []
    assert answered(pl.DataFrame())["columns"] == []


def test_csv_has_lists_as_json() -> None:
    text = file_rows(FRAME, "csv").decode().splitlines()
    assert text[0] == "name,rules,at,odds"
    assert text[1].startswith('anna,"[""burst"",""spend""]",2026-01-05T00:00:00')
    assert text[2].startswith(",[],,")


def test_parquet_comes_back_as_it_was() -> None:
    assert pl.read_parquet(io.BytesIO(file_rows(FRAME, "parquet"))).equals(FRAME)


def test_a_file_of_json_is_an_array_of_objects() -> None:
    assert json.loads(file_rows(FRAME.select("name", "rules"), "json")) == [
        {"name": "anna", "rules": ["burst", "spend"]},
        {"name": None, "rules": []},
    ]
