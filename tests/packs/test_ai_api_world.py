"""The shipped pack on days of the small world: it is at home there, and touches hardly anybody who is honest.

How well it does against each archetype is what the arena is for; here is what must never be otherwise.
"""

from dataclasses import dataclass
from functools import cache

import pytest

from fairgate.simulate.arena.judge import Judge
from fairgate.simulate.arena.outcome import Honest, Opponents
from fairgate.simulate.arena.tally import Tally
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import Done, Reviewed
from fairgate.simulate.simulation import Simulation
from fairgate.simulate.world_names import world_named
from tests.packs.shipped import CHECKED

#: Runs that nothing was tuned on, and their days.
UNSEEN, DAYS = (101, 102, 103), 8


@dataclass(frozen=True, slots=True)
class Lived:
    """What came of a run."""

    judge: Judge
    opponents: dict[str, Opponents]
    honest: dict[str, Honest]


@cache
def lived(seed: int) -> Lived:
    world = world_named("small")
    judge = Judge(CHECKED, seed, world)  # it raises for an event that the door would refuse
    told: list[Done | Reviewed | Entry] = []
    simulation = Simulation(world, DAYS, seed, judge.decide, told.append)
    tally = Tally(world, DAYS, {each.name: each.archetype for each in simulation.operators})
    for _ in simulation.play():
        for each in told:
            tally(each)
        told.clear()
    return Lived(judge, tally.opponents(simulation.ends), tally.honest())


@pytest.mark.parametrize("seed", UNSEEN)
def test_nothing_fails_on_the_way(seed: int) -> None:
    counts = lived(seed).judge.engine.counts
    assert counts.events > 10_000
    assert (counts.rule_errors, counts.feature_errors) == (0, 0)


def test_hardly_any_honest_account_is_touched() -> None:
    people = [each for seed in UNSEEN for each in lived(seed).honest.values()]
    accounts = sum(each.accounts for each in people)
    assert accounts > 500
    assert sum(each.challenged + each.throttled + each.denied for each in people) <= 0.01 * accounts
    assert sum(each.closed for each in people) <= 0.003 * accounts


@pytest.mark.parametrize(
    ("kind", "share"), [("card_test", 0.9), ("returner", 0.9), ("credit_farm", 0.5), ("distiller", 0.5), ("relay", 0.5)]
)
def test_it_notices_opponents(kind: str, share: float) -> None:
    several = [lived(seed).opponents[kind] for seed in UNSEEN]
    assert sum(each.accounts for each in several) >= 5
    assert sum(each.noticed for each in several) >= share * sum(each.accounts for each in several)


def test_who_comes_back_after_a_ban_loses_the_account_again() -> None:
    several = [lived(seed).opponents["returner"] for seed in UNSEEN]
    assert sum(each.closed for each in several) >= 0.9 * sum(each.accounts for each in several)


def test_cards_are_not_tested_for_an_hour() -> None:
    hours = [lived(seed).opponents["card_test"].hours for seed in UNSEEN]
    assert all(each is None or each < 1 for each in hours)
