"""Figures of runs, on numbers that can be worked out by hand, and where there is nothing to work out."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.simulate.arena import figures
from tests.unit.simulate.arena.outcomes import honest, opponents, outcome

RUN = outcome(
    opponents={
        "farm": opponents(
            operators=4, left=1, accounts=10, noticed=5, hours=2.0, watched=8, week=2, banned=3, returned=2,
            daily=(10.0, 20.0, 30.0, 40.0), costs=(5.0, 5.0, 20.0, 20.0), paid=30.0,
        ),
        "relay": opponents(
            operators=2, left=2, accounts=2, noticed=2, hours=6.0, daily=(0.0, 0.0, 0.0, 100.0), paid=500.0,
        ),
    },
    honest={"hobbyist": honest(denied=2), "vpn": honest(accounts=50, denied=1, challenged=5, requests=200, stopped=20)},
)  # fmt: skip


def test_figures_by_hand() -> None:
    assert figures.abusive(RUN) == 200.0
    assert figures.abusive_share(RUN) == 200.0 / 1_000.0
    assert figures.abusive_share(RUN, ["farm"]) == 0.1
    assert figures.leaked(RUN) == 70.0  # who pays more than they use makes up for nobody else
    assert figures.price_of_abuse(RUN) == 0.25
    assert figures.price_of_abuse(RUN, ["farm"]) == 0.5
    assert figures.left(RUN) == 0.5
    assert figures.noticed(RUN) == 7 / 12
    assert figures.hours(RUN) == 4.0
    assert figures.lasted(RUN) == 0.25
    assert figures.returned(RUN) == 2 / 3
    assert figures.benign(RUN, "denied") == 3 / 150
    assert figures.benign(RUN, "challenged", ["vpn"]) == 0.1
    assert figures.stopped(RUN) == 20 / 1_200


def test_what_a_run_has_not_got_is_nothing() -> None:
    empty = outcome(opponents={"farm": opponents()}, honest={})
    for figure in (
        figures.abusive_share, figures.price_of_abuse, figures.left, figures.noticed, figures.hours, figures.lasted,
        figures.returned, figures.stopped,
    ):  # fmt: skip
        assert figure(empty) is None, figure.__name__
    assert figures.benign(empty, "denied") is None
    assert figures.abusive(empty) == figures.leaked(empty) == 0.0


def test_an_interval_is_students() -> None:
    found = figures.estimate([1.0, 2.0, 3.0, 4.0, 5.0])
    assert found.mean == 3.0
    assert found.low is not None
    assert found.high is not None
    half = 2.776 * math.sqrt(2.5 / 5)
    assert [found.low, found.high] == pytest.approx([3 - half, 3 + half])
    assert found.above(0.9)
    assert not found.above(1.1)
    assert found.below(5.1)
    assert not found.below(4.9)


def test_one_seed_has_no_interval_and_no_seed_no_mean() -> None:
    assert figures.estimate([7.0, None]) == figures.Estimate(7.0, None, None, 1)
    assert figures.estimate([None, math.nan, math.inf]) == figures.Estimate(None, None, None, 0)
    assert not figures.estimate([7.0]).above(-100.0)
    assert not figures.estimate([7.0]).below(100.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=50))
def test_the_mean_is_within_its_interval(values: list[float]) -> None:
    found = figures.estimate(values)
    assert found.mean is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low <= found.mean + 1e-6
    assert found.high >= found.mean - 1e-6
    assert found.runs == len(values)


def test_pairs_are_of_the_same_seed_world_and_days() -> None:
    mine = [outcome(1), outcome(2), outcome(3, days=3), outcome(4, fingerprint="g")]
    theirs = [outcome(seed, "theirs") for seed in (2, 3, 4, 5)]
    assert [(a.seed, b.seed) for a, b in figures.pairs(mine, theirs)] == [(2, 2)]


def test_one_pack_against_another() -> None:
    had = outcome(opponents={"farm": opponents(daily=(100.0, 100.0, 100.0, 100.0), costs=(10.0, 10.0, 10.0, 10.0))})
    has = outcome(opponents={"farm": opponents(daily=(20.0, 20.0, 40.0, 40.0), costs=(10.0, 10.0, 10.0, 6.0))})
    assert figures.cut(has, had) == pytest.approx(0.7)
    assert figures.cut(has, had, slice(2)) == pytest.approx(0.8)
    assert figures.faded(has, had) == pytest.approx(1 - 0.6 / 0.8)
    assert figures.dearer(has, had) == pytest.approx((36 / 120) / 0.1)
    assert figures.cut(has, had, kinds=["other"]) is None
    assert figures.faded(had, has) is None  # what is no gain can't fade


def test_where_nothing_is_got_a_dollar_costs_the_most_there_is() -> None:
    had = outcome(opponents={"farm": opponents(daily=(100.0, 0.0, 0.0, 0.0), costs=(10.0, 0.0, 0.0, 0.0))})
    none = outcome(opponents={"farm": opponents(costs=(10.0, 0.0, 0.0, 0.0))})
    dear = outcome(opponents={"farm": opponents(daily=(1.0, 0.0, 0.0, 0.0), costs=(10.0, 0.0, 0.0, 0.0))})
    assert figures.dearer(none, had) == figures.dearer(dear, had) == figures.CAPPED
    assert figures.dearer(had, none) is None
    assert figures.cut(none, had) == 1.0


@pytest.mark.parametrize(
    ("weekly", "days"),
    [((), None), ((0.0, 0.0), None), ((0.2, 0.4, 0.3, 0.2), 14), ((0.4, 0.39), None), ((0.4, 0.1, 0.4), 7)],
)
def test_a_rules_half_life(weekly: tuple[float, ...], days: int | None) -> None:
    assert figures.half_life(weekly) == days


def test_counts_are_merged_the_largest_first() -> None:
    assert list(figures.merged([{"a": 1, "b": 2}, {"b": 1, "c": 3, "d": 1}]).items()) == [
        ("b", 3), ("c", 3), ("a", 1), ("d", 1),
    ]  # fmt: skip
