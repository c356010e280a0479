"""The kept part of the time: drawn with exactly the propensities recorded, so that estimates have no bias."""

import statistics
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.casework import reserve as module
from fairgate.casework.reserve import Candidate, Why
from tests.contracts.planting import Edit, planted

CANDIDATES = st.lists(st.tuples(st.floats(0.5, 60), st.floats(0, 1), st.booleans()), max_size=40).map(
    lambda rows: [Candidate(at, *row) for at, row in enumerate(rows)]
)


def world(draw: Random) -> list[tuple[Candidate, bool]]:
    """Cases of which those that look sure are bad more often than they look: what triage would never find out."""
    found = []
    for number in range(60):
        probability = draw.random()
        candidate = Candidate(number, draw.uniform(2, 30), probability, new=number % 9 == 0)
        found.append((candidate, draw.random() < 0.3 + 0.4 * probability))
    return found


def bias() -> float:
    """By how many standard errors the mean of many estimates misses the truth; the largest over a few worlds."""
    worst = 0.0
    for seed in range(4):
        cases = world(Random(seed))
        truth = sum(bad for _, bad in cases) / len(cases)
        draw, estimates = Random(f"draws {seed}"), []
        for _ in range(1_500):
            kept = module.keep([each for each, _ in cases], 300, draw)
            estimates.append(module.share_of([(cases[each.case][1], each.propensity) for each in kept], 60).share)
        error = statistics.stdev(estimates) / len(estimates) ** 0.5
        worst = max(worst, abs(statistics.fmean(estimates) - truth) / error)
    return worst


def test_prevalence_is_estimated_without_bias() -> None:
    assert bias() < 3.5


MUTANTS = {
    "the random half is forgotten in what is recorded": Edit(module, "keep", "1.0 - (1.0 - random[at]) * ", "1.0 - "),
    "the halves are added": Edit(
        module, "keep", "1.0 - (1.0 - random[at]) * (1.0 - uncertain[at])", "random[at] + uncertain[at]"
    ),
    "the start is not drawn": Edit(module, "_systematic", "draw.random()", "0.0"),
    "marks are too far apart": Edit(module, "_systematic", "mark += 1.0", "mark += 1.1"),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_a_biased_draw_is_noticed(mutant: Edit) -> None:
    with planted(mutant):
        assert bias() > 3.5


def test_each_case_is_drawn_as_often_as_it_says() -> None:
    cases, draw, times = [each for each, _ in world(Random(9))], Random(10), dict[int, int]()
    said = dict[int, float]()
    for _ in range(4_000):
        for kept in module.keep(cases, 90, draw):
            times[kept.case] = times.get(kept.case, 0) + 1
            assert said.setdefault(kept.case, kept.propensity) == kept.propensity
    for case, propensity in said.items():
        error = (propensity * (1 - propensity) / 4_000) ** 0.5
        assert abs(times[case] / 4_000 - propensity) < 4.5 * error + 1e-9
    assert len(said) == len(cases), "no case is without a chance"


@given(CANDIDATES, st.floats(0, 500), st.integers(0, 9))
def test_what_is_drawn_fits_the_minutes_on_average(cases: list[Candidate], minutes: float, seed: int) -> None:
    kept = module.keep(cases, minutes, Random(seed))
    assert [each.case for each in kept] == sorted({each.case for each in kept})
    assert all(0 < each.propensity <= 1 for each in kept)
    whole = sum(each.minutes for each in cases)
    for weights in ([1.0] * len(cases), [each.probability + 0.01 for each in cases]):
        spread = module._spread(weights, cases, minutes)
        expected = sum(each.minutes * share for each, share in zip(cases, spread, strict=True))
        assert expected == pytest.approx(min(minutes, whole), rel=1e-6, abs=1e-6)
        assert all(0 <= share <= 1 for share in spread)


def test_half_goes_to_the_uncertain_and_new() -> None:
    sure = [Candidate(at, 5, 0.99) for at in range(100)]
    open_ones = [Candidate(100 + at, 5, 0.5) for at in range(5)] + [
        Candidate(105 + at, 5, 0.99, new=True) for at in range(5)
    ]
    draw, drawn = Random(1), []
    for _ in range(300):
        drawn += module.keep([*sure, *open_ones], 50, draw)
    uncertain = [each for each in drawn if each.why is Why.UNCERTAIN]
    assert 0.4 < len(uncertain) / len(drawn) < 0.6
    assert sum(each.case >= 100 for each in uncertain) / len(uncertain) > 0.6
    new = sum(each.case >= 105 for each in uncertain)
    assert new == pytest.approx(sum(100 <= each.case < 105 for each in uncertain), rel=0.2)
    assert module.keep([], 50, draw) == []
    assert module.keep(sure, 0, draw) == []
    assert len(module.keep(sure, 10_000, draw)) == 100


def test_an_estimate_says_how_sure_it_is() -> None:
    assert module.share_of([(True, 1.0), (False, 1.0)], 2) == (0.5, 0.0)
    assert module.share_of([(True, 0.5), (False, 0.1)], 4) == pytest.approx((0.5, 2**0.5 / 4))
    assert module.share_of([], 0) == (0.0, 0.0)
