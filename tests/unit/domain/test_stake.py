"""What a minute of review is worth: never negative, and more where more is at stake."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.domain.action import Action
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import USUAL_ERRORS, Errors, Stake, cost_after, cost_without, effects_of, value_per_minute

NOW = 1_796_000_000_000_000
shares = st.floats(0, 1)
stakes = st.builds(
    Stake,
    probability=shares,
    burn=st.floats(0, 1e4),
    hours=st.floats(0, 1e3),
    at_risk=st.floats(0, 1e4),
    worth=st.floats(0, 1e5),
    stands=st.sampled_from(Action),
    minutes=st.floats(0, 60),
    at=st.just(NOW),
)


@given(stakes, shares, shares)
def test_to_know_more_never_costs_more(stake: Stake, missed: float, wronged: float) -> None:
    errors = Errors(missed / 2, wronged / 2)
    least = value_per_minute(stake, errors)
    assert least >= 0
    assert cost_after(stake, errors) <= cost_without(stake) * (1 + 1e-9) + 1e-9
    assert value_per_minute(stake, Errors(0.0, 0.0)) >= least - 1e-9


@given(stakes)
def test_who_says_nothing_is_worth_nothing(stake: Stake) -> None:
    by_chance = Errors(0.5, 0.5)
    milder = replace(stake, stands=Action.ALLOW)
    graver = cost_without(milder, effects_of({Action.ALLOW: (100, 0), Action.HOLD: (8, 45)}))
    assert value_per_minute(milder, by_chance, effects_of({Action.ALLOW: (100, 0), Action.HOLD: (8, 45)})) * max(
        milder.minutes, 0.25
    ) == pytest.approx(0.0, abs=1e-6 * (1 + graver))


def test_the_uncertain_who_burn_come_first() -> None:
    stake = Stake(0.5, 50.0, 24.0, 100.0, 400.0, Action.ALLOW, 5.0, NOW)
    value = value_per_minute(stake)
    assert value > value_per_minute(replace(stake, burn=5.0))
    assert value > value_per_minute(replace(stake, probability=0.001))
    assert value > value_per_minute(replace(stake, probability=0.999, stands=Action.BAN))
    assert value == pytest.approx(2 * value_per_minute(replace(stake, minutes=10.0)))
    assert value > value_per_minute(stake, Errors(0.2, 0.2))
    assert stake.uncertain
    assert not replace(stake, probability=0.2).uncertain


@given(stakes, st.integers(0, 100 * HOUR))
def test_what_was_used_fades_and_never_comes_back(stake: Stake, wait: int) -> None:
    later = stake.faded(NOW + wait)
    assert 0 <= later.burn <= stake.burn
    assert later.at == NOW + wait
    assert later.faded(NOW).burn == later.burn  # a clock that goes back changes nothing
    twice = stake.faded(NOW + wait // 2).faded(NOW + wait)
    assert twice.burn == pytest.approx(later.burn, rel=1e-9, abs=1e-12)


def test_what_is_used_evenly_burns_as_it_is_used() -> None:
    stake = Stake(0.5, 0.0, 24.0, 100.0, 400.0, Action.ALLOW, 5.0, NOW)
    for minute in range(10 * 60):  # two dollars a minute for ten hours
        stake = stake.used(2.0, NOW + minute * MINUTE)
    assert stake.burn == pytest.approx(120.0, rel=0.01)


def test_the_usual_errors_are_small() -> None:
    assert max(USUAL_ERRORS) < 0.1
