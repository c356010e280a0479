"""Prices: between the bounds of the world, dearer as more is burnt than there is, and as before a month later."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain.windows import DAY
from fairgate.simulate.market import Market
from fairgate.simulate.world_file import Price

PHONE = Price(low=0.08, high=4.93, source="test", date="2026", supply=100, dearer=2.0)


def market(seed: int = 1) -> Market:
    return Market({"phone": PHONE}, Random(seed))


def test_a_price_is_within_its_bounds_and_stays_while_there_is_enough() -> None:
    prices = [market(seed).price("phone", 0) for seed in range(200)]
    assert min(prices) >= PHONE.low
    assert max(prices) <= PHONE.high
    assert len({round(each, 4) for each in prices}) > 150
    sold = market()
    before = sold.price("phone", 0)
    assert sold.buy("phone", 100, 0) == pytest.approx(100 * before)
    assert sold.price("phone", 0) == pytest.approx(before)


def test_at_twice_the_supply_it_is_dearer_by_the_factor_and_a_month_later_as_before() -> None:
    sold = market()
    before = sold.price("phone", 0)
    sold.buy("phone", 200, 0)
    assert sold.price("phone", 0) == pytest.approx(2 * before)
    assert before < sold.price("phone", 10 * DAY) < 2 * before
    assert sold.price("phone", 31 * DAY) == pytest.approx(before)


@given(st.lists(st.tuples(st.floats(0, 80), st.integers(0, 20 * DAY)), max_size=12))
def test_no_purchase_makes_anything_cheaper(purchases: list[tuple[float, int]]) -> None:
    sold, now = market(), 0
    for count, later in purchases:
        now += later
        before = sold.price("phone", now)
        sold.buy("phone", count, now)
        assert sold.price("phone", now) >= before * (1 - 1e-9)


def test_what_has_no_price_is_not_sold() -> None:
    with pytest.raises(KeyError):
        market().buy("card", 1, 0)
