"""The simulated review desk keeps its own rules: whoever ranks the queue, the world and the people are the same."""

import dataclasses
import math
import statistics
from random import Random

import pytest

from fairgate.casework.purity import USUAL_PRIOR
from fairgate.domain.action import Action
from fairgate.domain.worth import USUAL, Errors
from fairgate.simulate.review.caseload import HOUR, KINDS, Case, cases
from fairgate.simulate.review.clusters import SIZE, Tally, by_cluster, clusters, decide
from fairgate.simulate.review.costs import really_costs
from fairgate.simulate.review.desk import Desk, Ranking
from fairgate.simulate.review.figures import compare, measured_errors
from fairgate.simulate.review.reviewers import TEAM, Reviewer, errors_on_gold

DAYS = 3.0
ERRORS = Errors(0.04, 0.04)
WORLD = cases(Random("a world"), DAYS)
#: A certain case: bad, 10 dollars an hour for ten hours, 50 more at the end.
BAD = Case(
    number=0,
    kind=dataclasses.replace(KINDS[0], hours=10),
    arrives=0.0,
    ends=10 * HOUR,
    turns=5 * HOUR,
    size=1,
    bad=True,
    plain=1.0,
    probability=0.001,
    burn=(10.0, 20.0),
    at_risk=50.0,
    worth=1_000_000.0,
    expected=10.0,
    minutes=10.0,
)


def test_what_is_shown_is_right_on_the_whole() -> None:
    world = cases(Random("many"), 20)
    for low in (0.0, 0.25, 0.5, 0.75):
        some = [each for each in world if low <= each.probability < low + 0.25]
        shown = statistics.fmean(each.probability for each in some)
        assert statistics.fmean(each.bad for each in some) == pytest.approx(shown, abs=0.07)


def test_the_world_is_as_it_is_said_to_be() -> None:
    assert cases(Random("a world"), DAYS) == WORLD
    assert cases(Random("another"), DAYS) != WORLD
    assert [each.arrives for each in WORLD] == sorted(each.arrives for each in WORLD)
    assert [each.number for each in WORLD] == list(range(len(WORLD)))
    by_day = sum(8 <= each.arrives / HOUR % 24 < 20 for each in WORLD) / len(WORLD)
    assert 0.55 < by_day < 0.75, "more comes in by day"
    asked = sum(each.minutes for each in WORLD)
    assert 2.0 < asked / (DAYS * sum(each.minutes for each in TEAM)) < 2.5, "as the constant's comment says"
    harms = sorted((each.stake(each.arrives).harm for each in WORLD), reverse=True)
    assert sum(harms[: len(harms) // 20]) > 0.3 * sum(harms), "a few make up much of the money"
    assert len(cases(Random("a world"), DAYS, load=0.5)) < 0.6 * len(WORLD)


def test_costs_by_hand() -> None:
    # The customer may be worth a million: all that is done about them is to let them be.
    assert BAD.stake(0).stands is Action.ALLOW
    assert really_costs(BAD) == pytest.approx(50 + 100 + 50)
    assert really_costs(BAD, Action.BAN, 4 * HOUR) == pytest.approx(40 + USUAL[Action.BAN].leaves * (110 + 50))
    assert really_costs(BAD, Action.BAN, 11 * HOUR) == really_costs(BAD), "too late"
    honest = dataclasses.replace(BAD, bad=False, probability=0.999, worth=100.0)
    assert honest.stake(0).stands is Action.HOLD
    waiting = USUAL[Action.HOLD].hurts * 100
    assert really_costs(honest) == pytest.approx(waiting)
    assert really_costs(honest, Action.ALLOW, 5 * HOUR) == pytest.approx(waiting / 2)
    assert really_costs(honest, Action.BAN, 5 * HOUR) == pytest.approx(waiting / 2 + 100)


def rate(reviewer: Reviewer, case: Case, hours: float, *, score_shown: bool = False) -> float:
    draw = Random("calls")
    return statistics.fmean(reviewer.calls_bad(case, hours, draw, score_shown=score_shown) for _ in range(4_000))


def test_reviewers_err_lean_tire_and_are_led() -> None:
    sharp, dull = Reviewer("sharp", 2.5, 0), Reviewer("dull", 1.5, 0)
    honest = dataclasses.replace(BAD, bad=False, probability=0.95)
    assert rate(sharp, BAD, 0) == pytest.approx(0.5 * (1 + math.erf(2.5 / math.sqrt(2))), abs=0.01)
    assert rate(dull, BAD, 0) < rate(sharp, BAD, 0) - 0.03
    assert rate(dull, honest, 7) > rate(dull, honest, 0) + 0.02, "fatigue"
    assert rate(dull, honest, 0, score_shown=True) > rate(dull, honest, 0) + 0.02, "anchoring"
    leaning = dataclasses.replace(dull, leans={BAD.kind.reason: 0.5})
    assert rate(leaning, honest, 0) > rate(dull, honest, 0) + 0.05
    assert rate(leaning, dataclasses.replace(honest, kind=KINDS[1]), 0) == rate(dull, honest, 0)
    measured = errors_on_gold(TEAM, WORLD, Random(1))
    assert 0.02 < measured.missed < 0.06
    assert 0.02 < measured.wronged < 0.06


@pytest.mark.parametrize("ranking", Ranking)
def test_the_desk_keeps_its_rules(ranking: Ranking) -> None:
    done = Desk(WORLD, TEAM, ranking, 5, DAYS, ERRORS).run()
    assert done == Desk(WORLD, TEAM, ranking, 5, DAYS, ERRORS).run(), "the same again"
    looks = [each for each in done.decided.values() if each.action is not None]
    assert len(looks) > 300
    for each in looks:
        assert each.case.arrives < each.at
        assert len(each.said) <= 3
        assert (len(each.said) == 3) == (len(each.said) >= 2 and len(set(list(each.said.values())[:2])) == 2)
        assert each.action is None or not each.action.grave or each.probability > 0.99
    on_shift = DAYS * sum(each.minutes for each in TEAM) / HOUR
    assert 0.95 * on_shift < done.hours < 1.05 * on_shift, "an overloaded team works all its hours, and no more"


def test_rankings_differ_in_order_alone() -> None:
    firsts = {}
    for ranking in Ranking:
        desk = Desk(WORLD, TEAM, ranking, 5, DAYS, ERRORS)
        days = desk.run()
        firsts[ranking] = days.decided
    both = firsts[Ranking.FIFO].keys() & firsts[Ranking.SCORE].keys()
    assert 100 < len(both) < len(firsts[Ranking.FIFO])
    mean = {
        ranking: statistics.fmean(each.case.probability for each in decided.values())
        for ranking, decided in firsts.items()
    }
    assert mean[Ranking.SCORE] > mean[Ranking.FIFO] + 0.1
    last = [max(each.case.arrives for each in decided.values()) for decided in firsts.values()]
    assert last[1] < min(last[0], last[2]), "who takes the oldest first never comes to the newest"


def test_more_is_averted_by_triage_and_never_more_than_there_was() -> None:
    found = compare(5, days=DAYS)
    triage, fifo, score = (found[each] for each in Ranking)
    assert triage.averted > 1.3 * fifo.averted
    assert triage.cost < score.cost
    assert triage.averted + triage.cost == pytest.approx(fifo.averted + fifo.cost), "without review it costs the same"
    assert triage.came == fifo.came > triage.reviewed


def test_clusters_are_decided_on_whole_or_in_parts() -> None:
    never = Errors(0.0, 0.0)
    pure = Tally()
    decide([True] * 200, never, USUAL_PRIOR, Random(1), pure)
    assert (pure.acted, pure.bad, pure.let_go) == (200, 200, 0)
    assert 20 < pure.decisions < 30
    chance = Tally()
    decide([False] * 200, never, USUAL_PRIOR, Random(1), chance)
    assert chance.acted == 0
    assert chance.let_go == 5, "of the others nothing is known"
    mixed = Tally()
    decide([True, True, True, False] * 30, never, USUAL_PRIOR, Random(1), mixed)
    assert mixed.bad / mixed.acted > 0.9
    assert 30 < mixed.acted <= 95
    assert by_cluster(3, measured_errors(3)) == by_cluster(3, measured_errors(3))
    sizes = [len(each) for each in clusters(Random(1), 400)]
    assert statistics.median(sizes) == pytest.approx(SIZE[0], rel=0.15)
