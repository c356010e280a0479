"""Which cases are looked at twice, and what is told of how often decisions are wrong."""

from random import Random

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.casework.looks import (
    DOUBLE_SHARE,
    GOLD_SHARE,
    MOST_WRONG,
    Checked,
    Handling,
    Look,
    gold_next,
    handling,
    look,
    posterior,
    too_doubtful,
    wrong_share,
)
from fairgate.domain.action import Action
from fairgate.domain.look import Kind
from fairgate.domain.worth import Errors, Stake

ERRORS = Errors(0.1, 0.05)
SHARES = st.floats(0, 1)
#: A customer who is surely honest, and would be let alone: nothing that a second look could save.
CLEAR = Stake(probability=0.0, burn=1, hours=10, at_risk=0, worth=100, stands=Action.ALLOW, minutes=10)


@given(SHARES, st.floats(0.001, 0.5), st.floats(0.001, 0.5))
def test_what_is_thought_after_an_answer(probability: float, missed: float, wronged: float) -> None:
    errors = Errors(missed, wronged)
    bad, honest = (posterior(probability, errors, said_bad=said) for said in (True, False))
    assert honest <= probability + 1e-12
    assert bad >= probability - 1e-12
    says_bad = probability * (1 - missed) + (1 - probability) * wronged
    assert says_bad * bad + (1 - says_bad) * honest == pytest.approx(probability), (
        "on average nothing is gained or lost"
    )


def test_what_is_thought_by_hand() -> None:
    assert posterior(0.2, ERRORS, said_bad=True) == pytest.approx(0.18 / 0.22)
    assert posterior(0.2, ERRORS, said_bad=False) == pytest.approx(0.02 / 0.78)
    assert posterior(1.0, Errors(0.0, 0.0), said_bad=False) == 1.0, "what can't be leaves all as it was"


def test_a_second_look_that_is_worth_its_time_is_always_taken() -> None:
    dear = msgspec.structs.replace(CLEAR, probability=0.5, burn=1_000, worth=10_000)
    assert {look(dear, ERRORS, Random(seed)) for seed in range(50)} == {Look(Kind.DOUBLE, 1.0)}


def test_nothing_grave_is_done_on_one_word_that_may_be_wrong() -> None:
    sure, doubtful = 1 - MOST_WRONG / 2, 1 - MOST_WRONG * 2
    cheap = msgspec.structs.replace(CLEAR, worth=0.01, burn=0.01, stands=Action.BAN, probability=doubtful)
    assert look(cheap, ERRORS, Random(1)) == Look(Kind.DOUBLE, 1.0)
    assert too_doubtful(cheap)
    assert not too_doubtful(msgspec.structs.replace(cheap, probability=sure))
    assert not too_doubtful(msgspec.structs.replace(cheap, stands=Action.HOLD))


def test_of_the_others_some_are_drawn_and_the_odds_recorded() -> None:
    draw = Random(3)
    looks = [look(CLEAR, ERRORS, draw) for _ in range(4_000)]
    doubles = [each for each in looks if each.kind is Kind.DOUBLE]
    assert len(doubles) / 4_000 == pytest.approx(DOUBLE_SHARE, abs=0.012)
    assert {each.propensity for each in doubles} == {DOUBLE_SHARE}
    assert {each.score_shown for each in doubles} == {False}
    ordinary = next(each for each in looks if each.kind is Kind.ORDINARY)
    assert ordinary == Look(Kind.ORDINARY, 1 - DOUBLE_SHARE)
    assert ordinary.score_shown
    assert not Look(Kind.GOLD, 1.0).score_shown


def test_gold_is_slipped_in_now_and_then() -> None:
    draw = Random(4)
    given_out = [gold_next([7, 8], draw) for _ in range(4_000)]
    some = [each for each in given_out if each is not None]
    assert len(some) / 4_000 == pytest.approx(GOLD_SHARE, abs=0.01)
    assert set(some) == {7, 8}
    assert {gold_next([], draw) for _ in range(200)} == {None}


def test_the_share_of_wrong_decisions_is_without_bias() -> None:
    # Those always checked are wrong in 2 of 10, those drawn in 1 of 20: of 10 + 400 decisions, 2 + 20 are.
    draw, found = Random(5), []
    for _ in range(400):
        checked = [Checked(at < 2, 1.0) for at in range(10)]
        checked += [Checked(at % 20 == 0, 0.05) for at in range(400) if draw.random() < 0.05]
        found.append(wrong_share(checked, 410).share)
    assert sum(found) / 400 == pytest.approx(22 / 410, abs=0.006)
    assert wrong_share([], 0).share == 0


def test_handling_time() -> None:
    assert handling([4.0]) is None
    assert handling([float(each) for each in range(1, 12)]) == Handling(6.0, 10.0)
