"""The share's guarantee, over random runs: see `share_cases`."""

import pytest

from tests.properties.share_cases import Run

#: Together they compare siblings more than ten thousand times.
_RUNS = 2_000
_PAIRS = 10_000


def test_siblings_that_wait_are_charged_for_what_they_weigh() -> None:
    pairs = 0
    for seed in range(_RUNS):
        run = Run(seed)
        run.play()
        pairs += run.pairs
    assert pairs >= _PAIRS


@pytest.mark.soak
def test_siblings_that_wait_are_charged_for_what_they_weigh_for_long() -> None:
    for seed in range(_RUNS, 4 * _RUNS):
        Run(seed, steps=400).play()
