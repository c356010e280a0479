"""How many members have to be looked at: exactly, against counting, and right as often as it says."""

import math
from itertools import count
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.casework.purity import (
    USUAL_BAR,
    USUAL_PRIOR,
    Bar,
    Prior,
    Step,
    in_random_order,
    learnt_prior,
    purer_than,
    step,
)

FLAT = Prior(1.0, 1.0)
COUNTS = st.integers(0, 30)


@given(COUNTS, COUNTS, COUNTS, st.sampled_from([0.5, 0.8, 0.95]))
def test_with_a_flat_prior_it_is_what_counting_finds(unseen: int, bad: int, honest: int, purity: float) -> None:
    # Every number of bad members is equally likely beforehand; weigh each by how many ways lead to what was seen.
    members = unseen + bad + honest
    ways = {
        whole: math.comb(whole, bad) * math.comb(members - whole, honest) for whole in range(bad, members - honest + 1)
    }
    enough = sum(way for whole, way in ways.items() if whole >= purity * members - 1e-9)
    assert purer_than(purity, members, bad, honest, FLAT) == pytest.approx(enough / sum(ways.values()))


@pytest.mark.parametrize(("bad", "honest"), [(44, 0), (60, 1), (3, 2), (0, 4)])
def test_in_an_endless_cluster_it_is_the_beta_posterior(bad: int, honest: int) -> None:
    # For whole numbers the Beta law's tail is a binomial one.
    trials = bad + honest + 1
    beta = 1 - sum(math.comb(trials, k) * 0.95**k * 0.05 ** (trials - k) for k in range(bad + 1, trials + 1))
    assert purer_than(0.95, 1_000_000, bad, honest, FLAT) == pytest.approx(beta, abs=0.01)


@given(st.integers(1, 300), st.data())
def test_a_cluster_seen_whole_is_certain(members: int, data: st.DataObject) -> None:
    bad = data.draw(st.integers(0, members))
    assert purer_than(0.95, members, bad, members - bad) == (bad >= 0.95 * members - 1e-9)
    expected = Step.PURE if bad >= 0.95 * members - 1e-9 else Step.IMPURE if 2 * bad <= members else Step.SPLIT
    assert step(members, bad, members - bad) is expected


@given(st.integers(1, 500), COUNTS, COUNTS)
def test_one_more_bad_one_never_makes_it_less_pure(members: int, bad: int, honest: int) -> None:
    if bad + honest + 1 <= members:
        assert purer_than(0.95, members, bad + 1, honest) >= purer_than(0.95, members, bad, honest + 1) - 1e-12


@pytest.mark.parametrize("members", [1, 4, 20, 200, 5_000])
def test_it_ends(members: int) -> None:
    for bad_every in (1, 2, 3, 7, 50, 10**9):
        bad = honest = 0
        for at in count():
            if step(members, bad, honest) is not Step.MORE:
                break
            bad, honest = (bad + 1, honest) if at % bad_every else (bad, honest + 1)
        assert bad + honest <= min(members, USUAL_BAR.most)


def test_looks_that_it_takes() -> None:
    looks = {n: next(k for k in count() if step(n, k, 0) is not Step.MORE) for n in (5, 20, 100, 2_000)}
    assert looks == {5: 5, 20: 11, 100: 21, 2_000: 26}, "small clusters need fewer"
    assert step(100, 0, 4) is Step.MORE, "nothing is decided before a few looks"
    assert step(100, 0, 5) is Step.IMPURE
    assert step(1_000, 20, 9) is Step.SPLIT, "neither pure nor impure any more"
    assert step(1_000, 20, 9, bar=Bar(hopeless=0.0)) is Step.MORE


def test_it_is_right_as_often_as_it_says() -> None:
    draw, prior, called = Random(7), Prior(1.0, 0.15), {Step.PURE: [0, 0], Step.IMPURE: [0, 0]}
    for _ in range(3_000):
        purity = draw.betavariate(*prior)
        members = [draw.random() < purity for _ in range(draw.randrange(5, 200))]
        bad = honest = 0
        for member in in_random_order(members, draw):
            if step(len(members), bad, honest, prior) is not Step.MORE:
                break
            bad, honest = bad + member, honest + (not member)
        said = step(len(members), bad, honest, prior)
        if said in called:
            share = sum(members) / len(members)
            called[said][0] += 1
            called[said][1] += share >= 0.95 if said is Step.PURE else share <= 0.5
    for times, right in called.values():
        assert times > 200
        assert right / times > 0.88, "0.9 less three standard errors"


def test_every_order_is_as_likely() -> None:
    draw, seen = Random(3), dict[str, int]()
    for _ in range(6_000):
        order = "".join(in_random_order("abc", draw))
        seen[order] = seen.get(order, 0) + 1
    assert len(seen) == 6
    assert all(850 < times < 1_150 for times in seen.values())


def test_a_prior_is_learnt_from_many_and_stays_weak() -> None:
    assert learnt_prior([(9, 1)] * 29) == USUAL_PRIOR
    assert learnt_prior([(0, 0)] * 100) == USUAL_PRIOR
    same = learnt_prior([(9, 1)] * 100)
    assert same == pytest.approx((3.6, 0.4)), "as strong as four members, however alike they were"
    halves = learnt_prior([(10, 0)] * 80 + [(0, 10)] * 20)
    assert halves == pytest.approx((0.1, 0.1)), "all or nothing: no strength is left but the least"
    assert step(500, 9, 0, halves) is Step.PURE
    assert step(500, 0, 5, halves) is Step.IMPURE
