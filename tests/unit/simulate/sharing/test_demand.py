"""Who asks for how much: honest people as uneven as the trace, and abusers as many and as known as was asked for."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise
from random import Random
from statistics import fmean

import pytest

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.sharing.demand import LINKED, NAT, NEWCOMER, PACE, PATIENCE, Plan, clients_of, duel_of, scene_of
from fairgate.simulate.sharing.policy import cost_of
from fairgate.simulate.sharing.traces import Arrival, Trace
from fairgate.simulate.sharing.trust import Judge
from tests.unit.simulate.sharing.few import small_trace

TRACE = small_trace()
PLAN = Plan(accounts=60, seconds=600.0, farm=50, links=0.8, churn=5.0)


def asked(arrivals: tuple[Arrival, ...], until: float) -> float:
    return sum(cost_of(each.input, each.output) for each in arrivals if each.time < until)


@pytest.mark.parametrize("load", [0.7, 1.1])
def test_honest_accounts_ask_for_the_load_times_the_capacity(load: float) -> None:
    scene = scene_of(TRACE, replace(PLAN, load=load))
    assert scene.capacity.rate == pytest.approx(
        PACE * fmean(cost_of(each.input, each.output) for each in TRACE.arrivals)
    )
    assert asked(scene.arrivals, 600.0) / (600.0 * scene.capacity.rate) == pytest.approx(load, rel=0.03)
    assert list(scene.arrivals) == sorted(scene.arrivals)
    assert scene.arrivals[0].time >= 0
    assert 600.0 < scene.arrivals[-1].time < scene.horizon == 600.0 + PATIENCE


def test_each_client_is_there_as_often_as_another_and_asks_as_it_does_in_the_trace() -> None:
    scene = scene_of(TRACE, PLAN)
    assert Counter(each.client for each in scene.people) == {f"client {number}": 10 for number in range(6)}
    of = {each.known.account: each.client for each in scene.people}
    counts = Counter(of[each.account] for each in scene.arrivals)
    assert counts["client 0"] / counts["client 1"] == pytest.approx(150 / 30, rel=0.05)
    sizes = {(each.account, each.input, each.output) for each in TRACE.arrivals}
    assert all((of[each.account], each.input, each.output) in sizes for each in scene.arrivals)


def test_bursts_stay_and_each_account_has_them_at_a_time_of_its_own() -> None:
    scene = scene_of(TRACE, PLAN)
    half = [each.known.account for each in scene.people if each.client == "client 4"]  # silent for half of the trace
    longest, begins = [], []
    for account in half:
        times = [each.time for each in scene.arrivals if each.account == account]
        gaps = [after - before for before, after in pairwise(times)]
        longest.append(max(gaps) / fmean(gaps))
        begins.append(times[gaps.index(max(gaps))])
    assert min(longest) > 10
    assert len({round(each) for each in begins}) > 5


def test_another_farm_or_policy_of_links_changes_nothing_about_honest_demand() -> None:
    one, other = scene_of(TRACE, PLAN), scene_of(TRACE, replace(PLAN, farm=500, links=0.1, churn=0.0, auc=0.8))
    assert one.arrivals == other.arrivals
    assert [each.group for each in one.people] == [each.group for each in other.people]
    assert scene_of(TRACE, PLAN) == one
    assert scene_of(TRACE, replace(PLAN, seed=8)).arrivals != one.arrivals


def test_groups_are_known_as_what_they_are_taken_for() -> None:
    scene = scene_of(TRACE, PLAN)
    assert Counter(each.group for each in scene.people) == {"": 25, NAT: 20, LINKED: 5, NEWCOMER: 10}
    for each in scene.people:
        known = each.known
        assert each.honest
        assert known.newcomer == (each.group == NEWCOMER)
        assert (known.cluster, known.p_link >= 0.9) == {
            "": (None, False), NAT: ("address", False), LINKED: ("farm", True), NEWCOMER: (None, False),
        }[each.group]  # fmt: skip
        assert known.ceil is None


def test_so_many_of_a_farms_accounts_are_linked_and_have_the_ceiling() -> None:
    farm = scene_of(TRACE, replace(PLAN, ceil=0.01)).farm
    assert len(farm) == 50
    linked = [each for each in farm if each.known.cluster == "farm"]
    assert len(linked) == 40
    assert {each.known.ceil for each in linked} == {0.01}
    assert {(each.known.cluster, each.known.ceil) for each in farm if each not in linked} == {(None, None)}
    assert not any(each.honest or each.known.newcomer for each in farm)


def test_accounts_that_are_used_once_come_at_their_rate_and_are_never_the_same() -> None:
    churners = scene_of(TRACE, PLAN).churners
    assert len(churners) == pytest.approx(5.0 * (600 + PATIENCE), rel=0.06)
    times = [time for time, _ in churners]
    assert times == sorted(times)
    assert len({person.known.account for _, person in churners}) == len(churners)
    assert all(person.known.newcomer and not person.honest for _, person in churners)
    linked = sum(person.known.cluster == "farm" for _, person in churners)
    assert linked / len(churners) == pytest.approx(0.8, abs=0.03)
    assert scene_of(TRACE, replace(PLAN, churn=0.0)).churners == ()


@pytest.mark.parametrize("auc", [0.6, 0.97])
def test_trust_ranks_as_well_as_it_is_said_to(auc: float) -> None:
    rng, judge = Random(3), Judge(auc, 100, 1_000)
    honest = [judge.trust(rng, honest=True) for _ in range(3_000)]
    abusers = [judge.trust(rng, honest=False) for _ in range(3_000)]
    above = fmean(one > other for one in honest for other in abusers[::10])
    assert above == pytest.approx(auc, abs=0.015)


@pytest.mark.parametrize(("honest", "abusers"), [(100, 1_000), (500, 500), (1_000, 100)])
def test_trust_is_calibrated_on_the_accounts_that_there_are(honest: int, abusers: int) -> None:
    rng, judge = Random(4), Judge(0.9, honest, abusers)
    drawn = [(judge.trust(rng, honest=True), True) for _ in range(40 * honest)]
    drawn += [(judge.trust(rng, honest=False), False) for _ in range(40 * abusers)]
    for low in (0.0, 0.2, 0.4, 0.6, 0.8):
        band = [(trust, true) for trust, true in drawn if low <= trust < low + 0.2]
        assert fmean(true for _, true in band) == pytest.approx(fmean(trust for trust, _ in band), abs=0.03)


def test_trust_is_calibrated_on_those_of_whom_no_link_is_known() -> None:
    plan = Plan(accounts=1_000, newcomers=500, farm=1_000, links=0.9, churn=2.0, seconds=1_000.0)
    scene = scene_of(TRACE, plan)
    for newcomers in (False, True):
        left = [each for each in (*scene.people, *scene.farm, *(person for _, person in scene.churners))
                if each.known.newcomer == newcomers and each.known.cluster != "farm"]  # fmt: skip
        honest, trust = fmean(each.honest for each in left), fmean(each.known.trust for each in left)
        assert honest == pytest.approx(trust, abs=0.03)


def test_a_trace_without_accounts_is_dealt_to_some_unevenly_and_whole() -> None:
    trace = Trace("t", tuple(Arrival(float(number), "", number, 1) for number in range(3_000)))
    clients = clients_of(trace, 50, Random(1))
    assert sorted(each for mine in clients.values() for each in mine) == list(trace.arrivals)
    counts = sorted((len(mine) for mine in clients.values()), reverse=True)
    assert counts[0] > 5 * counts[len(counts) // 2]
    assert len(scene_of(trace, Plan()).people) == 200


@pytest.mark.parametrize(
    ("trace", "plan", "said"),
    [
        (TRACE, Plan(accounts=30), "35 accounts of special groups can't be among 30 honest ones"),
        (Trace("t", (Arrival(0, "a", 0, 0), Arrival(1, "a", 0, 0))), Plan(), "have no tokens"),
    ],
)
def test_plans_that_make_no_sense_are_refused(trace: Trace, plan: Plan, said: str) -> None:
    with pytest.raises(NotPlayable, match=said):
        scene_of(trace, plan)


def test_a_duel_is_the_trace_as_it_is_but_for_the_two_busiest_who_always_wait() -> None:
    scene, (one, other) = duel_of(TRACE, seconds=150.0)
    costs = Counter[str]()
    for each in TRACE.arrivals:
        costs[each.account] += int(cost_of(each.input, each.output))
    assert [name for name, _ in costs.most_common(2)] == [one, other]
    assert [each.known.account for each in scene.farm] == [one, other]
    assert scene.capacity.rate == pytest.approx(costs.total() / TRACE.span)
    rest = [each for each in TRACE.arrivals if each.account not in {one, other}]
    assert list(scene.arrivals[: len(rest)]) == rest
    assert scene.arrivals[len(rest)].time == pytest.approx(rest[0].time + TRACE.span)
    assert set(scene.sizes[one]) == {(each.input, each.output) for each in TRACE.arrivals if each.account == one}
    with pytest.raises(NotPlayable, match="three accounts"):
        duel_of(Trace("t", (Arrival(0, "a", 1, 1), Arrival(1, "b", 1, 1))))
