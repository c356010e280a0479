"""What usage costs."""

import math

import pytest

from fairgate.share import GpuSecondsCost, Pool, TokenCost, Usage
from tests.unit.share.sharing import Sharing


def test_what_is_written_costs_twice_what_is_read_and_what_is_cached_a_tenth() -> None:
    assert TokenCost()(Usage(100, 50, 40)) == 60 + 4 + 100
    assert TokenCost(input=0.5, output=3.0, cached=0.0)(Usage(100, 50, 40)) == 30 + 150


def test_seconds_count_as_measured_or_else_by_the_speeds() -> None:
    cost = GpuSecondsCost(read_per_second=1_000.0, write_per_second=50.0)
    assert cost(Usage(2_000, 100, 500)) == 1.5 + 2.0
    assert cost(Usage(2_000, 100, gpu_seconds=0.25)) == 0.25


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: TokenCost(output=-1.0), "output"),
        (lambda: TokenCost(input=math.nan), "input"),
        (lambda: GpuSecondsCost(0.0, 1.0), "read_per_second"),
        (lambda: GpuSecondsCost(1.0, -1.0), "write_per_second"),
    ],
)
def test_absurd_prices_are_refused(make: object, name: str) -> None:
    assert callable(make)
    with pytest.raises(ValueError, match=name):
        make()


def test_a_pool_may_count_in_seconds() -> None:
    here = Sharing((Pool("gpu", 2.0, cost=GpuSecondsCost(1_000.0, 50.0)),))
    grant = here.granted("a", 500)
    assert here.level == 1.5
    assert grant.settle(500, 0, gpu_seconds=0.1)
    assert here.level == pytest.approx(1.9)
