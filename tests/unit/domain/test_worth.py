"""What a minute of review is worth: never negative, never less for more at stake; and mutants that this must notice."""

import math

import msgspec
import pytest
from hypothesis import strategies as st

from fairgate.domain import worth as module
from fairgate.domain.action import Action
from fairgate.domain.worth import USUAL, Effect, Errors, Stake
from tests.contracts.planting import Edit
from tests.unit.decide.checks import Check, is_noticed

MONEY = st.floats(0, 10_000) | st.sampled_from([0.0, 1.0])
STAKES = st.builds(
    Stake,
    probability=st.floats(0, 1) | st.sampled_from([0.0, 1.0]),
    burn=MONEY,
    hours=st.floats(0, 500),
    at_risk=MONEY,
    worth=MONEY,
    stands=st.sampled_from(list(Action)),
    minutes=st.floats(0, 120),
)
RATES = st.floats(0, 0.5)
ERRORS = st.builds(Errors, missed=RATES, wronged=RATES)
NEVER_WRONG = Errors(0.0, 0.0)
#: One customer of 400 dollars, and 100 dollars an hour for ten hours if not.
EVEN = Stake(probability=0.5, burn=100, hours=10, at_risk=0, worth=400, stands=Action.ALLOW, minutes=10)


def looking_never_costs_more(stake: Stake, errors: Errors) -> None:
    without, after = module.cost_without(stake), module.cost_after(stake, errors)
    slack = 1e-9 * (1 + without)
    assert 0 <= after <= without + slack
    assert without <= module.cost_of(stake, stake.stands) + slack
    assert module.value_per_minute(stake, errors) >= 0


def who_errs_more_saves_less(stake: Stake, errors: Errors, more: float) -> None:
    worse = Errors(errors.missed + more * (0.5 - errors.missed), errors.wronged + more * (0.5 - errors.wronged))
    assert module.cost_after(stake, worse) >= module.cost_after(stake, errors) - 1e-9 * (1 + stake.harm + stake.worth)


def more_at_stake_is_worth_more(stake: Stake, more: float, name: str) -> None:
    larger = msgspec.structs.replace(stake, **{name: getattr(stake, name) + more})
    slack = 1e-9 * (1 + larger.harm + larger.worth)
    value, now = (module.value_per_minute(each, NEVER_WRONG) for each in (stake, larger))
    assert now >= value - slack


def twice_the_minutes_are_worth_half_each(stake: Stake, errors: Errors) -> None:
    slow = msgspec.structs.replace(stake, minutes=stake.minutes + 1)
    slower = msgspec.structs.replace(slow, minutes=2 * slow.minutes)
    assert module.value_per_minute(slow, errors) == pytest.approx(2 * module.value_per_minute(slower, errors))


def a_case_by_hand() -> None:
    # Without: 500 and 200 dollars; hold leaves 8 % of the one and costs 11.25 % of the other, and nothing does better.
    assert EVEN.harm == 1000
    assert module.cost_without(EVEN) == pytest.approx(500 * 0.08 + 200 * 45 / 400)
    # After: a ban of the bad, of which 2 % is lost.
    assert module.cost_after(EVEN, NEVER_WRONG) == pytest.approx(500 * 0.02)
    assert module.value_per_minute(EVEN, NEVER_WRONG) == pytest.approx((62.5 - 10) / 10)
    # Of those called bad 470 and 6 are left: banned. Of those called honest 30 and 194: challenged.
    errs = Errors(0.06, 0.03)
    assert module.cost_after(EVEN, errs) == pytest.approx(470 * 0.02 + 6 * 1.0 + 30 * 0.25 + 194 * 7 / 400)


def what_stands_is_lifted_by_nobody_else() -> None:
    honest = msgspec.structs.replace(EVEN, probability=0.0, stands=Action.SUSPEND)
    assert module.cost_without(honest) == pytest.approx(0.4 * 400)
    assert module.value_per_minute(honest, NEVER_WRONG) == pytest.approx(16)
    assert module.value_per_minute(msgspec.structs.replace(honest, stands=Action.ALLOW)) == 0
    surely = msgspec.structs.replace(EVEN, probability=1.0)
    assert module.cost_without(surely) == pytest.approx(80), "only a person suspends on one kind of evidence"
    assert module.cost_without(msgspec.structs.replace(surely, stands=Action.BAN)) == pytest.approx(20)


def no_minutes_are_a_few_seconds() -> None:
    at_once = msgspec.structs.replace(EVEN, minutes=0.0)
    assert module.value_per_minute(at_once, NEVER_WRONG) == pytest.approx(52.5 / module.LEAST_MINUTES)


def effects_come_from_a_packs_costs() -> None:
    found = module.effects_of({Action.ALLOW: (200, 0), Action.HOLD: (50, 10), Action.BAN: (10, 40)})
    assert found[Action.ALLOW] == found[Action.CHALLENGE] == Effect(1.0, 0.0)
    assert found[Action.HOLD] == found[Action.SUSPEND] == Effect(0.25, 0.25)
    assert found[Action.BAN] == Effect(0.05, 1.0)
    assert module.effects_of({}) == (Effect(1.0, 0.0),) * len(Action)
    assert all(math.isfinite(each) for effect in module.effects_of({Action.WATCH: (0, 0)}) for each in effect)
    assert len(USUAL) == len(Action)


MORE = st.sampled_from(["burn", "hours", "at_risk", "worth"])
CHECKS = [
    Check(looking_never_costs_more, STAKES, ERRORS),
    Check(who_errs_more_saves_less, STAKES, ERRORS, st.floats(0, 1)),
    Check(more_at_stake_is_worth_more, STAKES, st.floats(0, 1000), MORE),
    Check(twice_the_minutes_are_worth_half_each, STAKES, ERRORS),
    Check(a_case_by_hand),
    Check(what_stands_is_lifted_by_nobody_else),
    Check(no_minutes_are_a_few_seconds),
    Check(effects_come_from_a_packs_costs),
]


@pytest.mark.parametrize("check", CHECKS, ids=repr)
def test_worth(check: Check) -> None:
    check.run()


MUTANTS = {
    "harm counts the probability twice": Edit(
        module, "cost_of", "stake.probability * stake.harm * leaves", "stake.probability**2 * stake.harm * leaves"
    ),
    "what stands is lifted by itself": Edit(module, "cost_without", "effects[stake.stands :", "effects[0 :"),
    "grave actions follow by themselves": Edit(module, "cost_without", "max(MOST_UNGRAVE, stake.stands)", "Action.BAN"),
    "who was missed is forgotten": Edit(module, "cost_after", "said_bad + said_honest", "said_bad"),
    "the errors are swapped": Edit(module, "cost_after", "good * errors.wronged", "good * errors.missed"),
    "minutes are not counted": Edit(module, "value_per_minute", "max(stake.minutes, LEAST_MINUTES)", "1.0"),
    "a minute is worth without bounds": Edit(module, "value_per_minute", "LEAST_MINUTES", "1e-9"),
    "an action that a pack lacks does nothing": Edit(
        module, "effects_of", "found.append(last)", "found.append(Effect(1.0, 0.0) if action not in costs else last)"
    ),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutants_are_noticed(mutant: Edit) -> None:
    assert is_noticed(mutant, CHECKS)
