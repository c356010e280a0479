"""The card_payments example on the handbook's data: features against SQL, a model on them against published figures."""

import io
import json
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fairgate.entrypoints import replay_command
from fairgate.pipeline.recording import open_recording

PACK = Path(__file__).parents[2] / "examples" / "card_payments"
#: Payments of these days: from the longest window and the labels' delay before training up to the last test day.
FIRST, END = date(2018, 6, 17), date(2018, 8, 15)
TRAINING, DELAY, DAYS = date(2018, 7, 25), timedelta(days=7), 7

WINDOWS = {"1d": (3_600, 24), "7d": (6 * 3_600, 28), "30d": (86_400, 30)}  # width of a bucket in seconds, buckets


@dataclass(frozen=True)
class Replayed:
    """The slice, and what a replay of it told and recorded of payments."""

    slice: Path
    summary: dict[str, Any]
    payments: pl.DataFrame


@pytest.fixture(scope="module")
def replayed(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Replayed:
    data = shared_data / "card_payments_handbook.parquet"
    if not data.is_file():
        pytest.skip(f"no {data.name} in {shared_data}; set FAIRGATE_DATA to the folder that has it")
    folder = tmp_path_factory.mktemp("card_payments")
    days = pl.col("TX_DATETIME").dt.date().is_between(FIRST, END, closed="left")
    pl.scan_parquet(data).filter(days).sink_parquet(folder / "slice.parquet")
    with redirect_stdout(io.StringIO()) as said:
        replay_command.run(PACK, [folder / "slice.parquet"], as_json=True, out=folder / "out")
    payments = open_recording(folder / "out").frames["payment"].collect()
    return Replayed(folder / "slice.parquet", json.loads(said.getvalue()), payments)


def test_every_payment_and_its_label_is_decided_on(replayed: Replayed) -> None:
    rows = pl.scan_parquet(replayed.slice).select(pl.len()).collect().item()
    assert replayed.summary["types"] == {"payment": rows, "payment.label": rows}
    assert replayed.summary["refused"] == {}
    assert replayed.summary["out_of_order"] == replayed.summary["degraded"] == replayed.summary["repeats"] == 0
    assert replayed.payments.height == rows


# -------------------------------------------------------------------------------------------------- against SQL, by row

FEATURES = """
COPY (
    WITH rows AS (
        SELECT file_row_number AS row, TRANSACTION_ID AS id, epoch(TX_DATETIME)::BIGINT AS time,
               CUSTOMER_ID AS customer, TERMINAL_ID AS terminal, TX_AMOUNT AS amount, TX_FRAUD AS fraud
        FROM read_parquet('{slice}', file_row_number = true)
        WHERE TX_DATETIME < '{until}'
    ),
    -- every payment with those of the same customer up to it, in the order of the file
    habits AS (
        SELECT now.id, now.time AS time, past.time AS earlier, past.amount
        FROM rows AS now JOIN rows AS past ON past.customer = now.customer AND past.row <= now.row
    ),
    -- every payment with those at the same terminal whose label was known before it; one of the same second comes after
    known AS (
        SELECT now.id, now.time AS time, past.time + 7 * 86400 AS earlier, past.fraud
        FROM rows AS now JOIN rows AS past ON past.terminal = now.terminal AND past.time + 7 * 86400 < now.time
    ),
    of_customer AS (SELECT id, {of_customer} FROM habits GROUP BY id),
    of_terminal AS (SELECT id, {of_terminal} FROM known GROUP BY id)
    SELECT rows.id::VARCHAR AS _id, of_customer.* EXCLUDE id, of_terminal.* EXCLUDE id
    FROM rows JOIN of_customer USING (id) LEFT JOIN of_terminal USING (id)
) TO '{out}'
"""


def columns(aggregates: dict[str, str]) -> str:
    """Each aggregate over each window: the bucket of the payment and those before it."""
    return ", ".join(
        f"{aggregate} FILTER (earlier // {width} > time // {width} - {buckets}) AS {name}_{window}"
        for name, aggregate in aggregates.items()
        for window, (width, buckets) in WINDOWS.items()
    )


def test_recorded_features_are_those_of_an_independent_computation(replayed: Replayed, tmp_path: Path) -> None:
    until = datetime(2018, 7, 28)  # noqa: DTZ001 - as in the file; 41 days, so that every window has lost buckets
    query = FEATURES.format(
        slice=replayed.slice, until=until, out=tmp_path / "features.parquet",
        of_customer=columns({"customer_payments": "count(*)", "customer_amount": "avg(amount)"}),
        of_terminal=columns({"terminal_known": "count(*)", "terminal_fraud_rate": "avg(fraud)"}),
    )  # fmt: skip
    with duckdb.connect() as connection:
        connection.execute(query)
    expected = pl.read_parquet(tmp_path / "features.parquet").with_columns(pl.col("^terminal_known_.*$").fill_null(0))
    assert expected.height > 300_000
    paired = replayed.payments.join(expected, on="_id", how="inner", suffix="_expected", validate="1:1")
    assert paired.height == expected.height
    for name in ("customer_payments", "customer_amount", "terminal_known", "terminal_fraud_rate"):
        for window in WINDOWS:
            ours, theirs = paired[f"{name}_{window}"], paired[f"{name}_{window}_expected"].cast(pl.Float64)
            assert (ours.is_null() == theirs.is_null()).all(), (name, window)
            assert ((ours - theirs).abs().fill_null(0.0) <= 1e-9).all(), (name, window)
    longer = paired["terminal_known_7d"] < paired["terminal_known_30d"]
    assert longer.sum() > 100_000  # the windows do differ
    assert paired["terminal_fraud_rate_1d"].null_count() > 10_000


# ------------------------------------------------------------------------------------------------- the handbook's model

INPUTS = [
    "amount",
    "weekend",
    "night",
    *(
        f"{name}_{window}"
        for name in ("customer_payments", "customer_amount", "terminal_known", "terminal_fraud_rate")
        for window in WINDOWS
    ),
]


def split(payments: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The handbook's training and test rows.

    On each test day, customers known to be compromised are left out: those with a fraud in the training days, or on a
    day whose labels are known by then.
    """
    day, fraud = pl.col("day"), pl.col("fraud") == 1
    training = payments.filter(day.is_between(TRAINING, TRAINING + timedelta(days=DAYS - 1)))
    known = set(training.filter(fraud)["customer"])
    first_test = TRAINING + timedelta(days=DAYS) + DELAY
    tests = []
    for number in range(DAYS):
        today = first_test + timedelta(days=number)
        known |= set(payments.filter((day == today - DELAY - timedelta(days=1)) & fraud)["customer"])
        tests.append(payments.filter((day == today) & ~pl.col("customer").is_in(list(known))))
    return training, pl.concat(tests)


def card_precision(days: Sequence[pl.DataFrame], most: int = 100) -> float:
    """The mean over days of the share of compromised customers among those of highest score; the found ones leave."""
    found: set[str] = set()
    shares = []
    for day in days:
        customers = day.filter(~pl.col("customer").is_in(list(found))).group_by("customer")
        ranked = customers.agg(pl.col("score", "fraud").max()).sort("score", "customer", descending=[True, False])
        compromised = ranked.head(most).filter(pl.col("fraud") == 1)["customer"]
        found |= set(compromised)
        shares.append(len(compromised) / most)
    return float(np.mean(shares))


def test_logistic_regression_reaches_the_published_figures(replayed: Replayed) -> None:
    truth = pl.read_parquet(replayed.slice, columns=["TRANSACTION_ID", "TX_FRAUD"])
    truth = truth.select(_id=pl.col("TRANSACTION_ID").cast(pl.String), fraud="TX_FRAUD")
    payments = replayed.payments.join(truth, on="_id", validate="1:1").with_columns(
        day=pl.col("_time").dt.date(),
        weekend=(pl.col("_time").dt.weekday() >= 6).cast(pl.Float64),
        night=(pl.col("_time").dt.hour() <= 6).cast(pl.Float64),
    )
    training, test = split(payments)
    assert (training.height, test.height, test["fraud"].sum()) == (67_240, 58_264, 385)
    model = make_pipeline(StandardScaler(), LogisticRegression(random_state=0))
    model.fit(training.select(INPUTS).fill_null(0).to_numpy(), training["fraud"].to_numpy())
    scores = model.predict_proba(test.select(INPUTS).fill_null(0).to_numpy())[:, 1]
    test = test.with_columns(score=pl.Series(scores))
    assert roc_auc_score(test["fraud"].to_numpy(), scores) == pytest.approx(0.871, abs=0.005)
    assert average_precision_score(test["fraud"].to_numpy(), scores) == pytest.approx(0.606, abs=0.005)
    assert card_precision(test.partition_by("day", maintain_order=True)) == pytest.approx(0.291, abs=0.005)
