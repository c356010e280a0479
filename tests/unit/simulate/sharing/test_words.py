"""What is said of a report."""

from dataclasses import replace

import pytest

from fairgate.simulate.sharing import words
from fairgate.simulate.sharing.demand import LINKED, Plan
from fairgate.simulate.sharing.outcome import NOTE, Group, Outcome, OverTime, Report, Waits

OUTCOME = Outcome(
    policy="vtc", capture=0.845, goodput=0.5, waits=Waits(0.5, 12.25, 60.0), timed_out=0.25, utilisation=0.999,
    jain=None, gap=None, groups={LINKED: Group(5, 0.5, 0.8, 0.625)}, grants=1, over_time=OverTime(10.0, [], [], []),
    waits_quantiles=[],
)  # fmt: skip


def test_a_row_has_a_cell_for_each_column() -> None:
    row = words.row(OUTCOME)
    assert len(row) == len(words.HEAD)
    assert dict(zip(words.HEAD, row, strict=True)) == {
        "policy": "vtc", "abusers got": "84.5 %", "honest got": "50.0 %", "waits p50": "0.50", "p95": "12.25",
        "p99": "60.00", "timed out": "25.0 %", "behind one NAT": "-", "wrongly linked": "50.0 % (0.62)",
        "newcomers": "-", "used": "99.9 %", "Jain": "-",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({"farm": 1_000}, "simulated, a farm of 1,000 accounts among 200 honest accounts, load 1.1"),
        ({"churn": 20.0}, "simulated, 20 new accounts a second among 200 honest accounts, load 1.1"),
        ({"farm": 2, "churn": 0.5, "load": 0.7},
         "simulated, a farm of 2 accounts and 0.5 new accounts a second among 200 honest accounts, load 0.7"),
        ({}, "simulated, nobody but 200 honest accounts, load 1.1"),
    ],
)  # fmt: skip
def test_the_title_says_that_it_is_simulated_and_who_is_there(changes: dict[str, float], title: str) -> None:
    report = Report(NOTE, "t.csv", replace(Plan(), **changes), 100.0, 1.08, 3, [OUTCOME])  # type: ignore[arg-type]
    assert words.title(report) == title
    about = " ".join(words.about(report))
    assert "drawn from t.csv and ask for 1.08 times the capacity in 600 s (seed 7); the abusers are made up." in about
    assert ("80 % of the abusers' links are known; trust has an AUC of 0.97." in about) is bool(changes)


def test_a_ceiling_is_told() -> None:
    report = Report(NOTE, "t", Plan(farm=1, ceil=0.01), 100.0, 1.0, 3, [])
    assert " ".join(words.about(report)).endswith("AUC of 0.97, and 1.0 % of the capacity at most for them.")
