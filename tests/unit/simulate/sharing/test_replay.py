"""The loop: who asks when, what a policy is told, and what comes of it."""

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise
from random import Random

import msgspec
import pytest

from fairgate.simulate.sharing.demand import PATIENCE, Plan, Scene, duel_of, scene_of
from fairgate.simulate.sharing.fair import Fair
from fairgate.simulate.sharing.names import ABOUT, POLICIES
from fairgate.simulate.sharing.outcome import Outcome, outcome_of, report_of
from fairgate.simulate.sharing.policy import Answer, Ask, Capacity, Granted, Known, Refused, Waiting
from fairgate.simulate.sharing.replay import READS, WRITES, Replay
from fairgate.simulate.sharing.tally import Call, Tally
from tests.unit.simulate.sharing.few import small_trace

TRACE = small_trace()
PLAN = Plan(accounts=60, seconds=120.0, nat=12, false_links=6, newcomers=6, farm=40, backlog=3)


class Generous:
    """Grants everything at once, and writes down what it is told."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.asks: dict[str, tuple[float, Ask]] = {}
        self.heard: dict[str, list[tuple[float, int]]] = defaultdict(list)
        self.settled: dict[str, tuple[float, int, int]] = {}

    def know(self, who: Known) -> None:
        assert who.account not in self.known
        self.known.add(who.account)

    def acquire(self, now: float, ask: Ask) -> Answer:
        assert ask.account in self.known
        key = str(len(self.asks))
        self.asks[key] = now, ask
        return Granted(key, 0.0)

    def charge(self, now: float, key: str, output: int) -> None:
        assert key not in self.settled
        self.heard[key].append((now, output))

    def settle(self, now: float, key: str, input_: int, output: int) -> None:
        assert key not in self.settled
        self.settled[key] = now, input_, output

    def advance(self, now: float) -> list[Granted | Refused]:  # noqa: ARG002 - nobody waits
        return []

    def next_at(self) -> float | None:
        return None


class Miser(Generous):
    """Lets everybody wait two seconds, and then refuses, to be asked again after ten."""

    def __init__(self) -> None:
        super().__init__()
        self.line: list[tuple[float, str]] = []

    def acquire(self, now: float, ask: Ask) -> Answer:
        granted = super().acquire(now, ask)
        self.line.append((now + 2.0, granted.id))
        return Waiting(granted.id)

    def advance(self, now: float) -> list[Granted | Refused]:
        due = [key for at, key in self.line if at <= now]
        self.line = [each for each in self.line if each[0] > now]
        return [Refused(key, 10.0) for key in due]

    def next_at(self) -> float | None:
        return self.line[0][0] if self.line else None


def played(scene: Scene, policy: Generous) -> Tally:
    tally = Tally(scene)
    Replay(scene, policy, tally).run()
    return tally


def test_every_request_of_the_trace_is_asked_once_at_its_time_and_settled_as_it_was() -> None:
    scene, policy = scene_of(TRACE, replace(PLAN, farm=0)), Generous()
    tally = played(scene, policy)
    asked = [(now, ask.account, ask.input) for now, ask in policy.asks.values()]
    assert asked == [(each.time, each.account, each.input) for each in scene.arrivals]
    assert {round(ask.patience, 6) for _, ask in policy.asks.values()} == {PATIENCE}
    assert {ask.most_output for _, ask in policy.asks.values()} == {TRACE.longest}
    for place, each in enumerate(scene.arrivals):
        ends = each.time + each.input / READS + each.output / WRITES
        if ends < scene.horizon:
            now, input_, output = policy.settled[str(place)]
            assert now == pytest.approx(ends)
            assert (input_, output) == (each.input, each.output)
    assert len(tally.waits_of) == sum(each.time < 120 for each in scene.arrivals)


def test_a_policy_hears_every_half_second_how_far_an_answer_has_come_and_never_too_much() -> None:
    scene, policy = scene_of(TRACE, replace(PLAN, farm=0)), Generous()
    played(scene, policy)
    heard = 0
    for key, (ends, _, output) in policy.settled.items():
        told = policy.heard[key]
        begins = ends - output / WRITES
        assert all(-0.001 < (now - begins) * WRITES - tokens < 1.001 for now, tokens in told)
        assert all(tokens <= output for _, tokens in told)
        assert all(after[0] - before[0] == pytest.approx(0.5) for before, after in pairwise(told))
        assert len(told) == pytest.approx(output / WRITES / 0.5, abs=1)
        heard += len(told)
    assert heard > 1_000


def test_refused_people_ask_again_as_long_as_they_have_patience_and_then_have_waited_all_of_it() -> None:
    scene, policy = scene_of(TRACE, replace(PLAN, farm=0, seconds=100.0)), Miser()
    tally = played(scene, policy)
    assert {round(each, 6) for each in tally.waits_of} == {PATIENCE}
    assert tally.timed_out == len(tally.waits_of) == sum(each.time < 100 for each in scene.arrivals)
    first = scene.arrivals[0]
    tries = [
        ask.patience for now, ask in policy.asks.values() if ask.account == first.account and ask.input == first.input
    ]
    assert [round(each) for each in tries[:5]] == [60, 48, 36, 24, 12]


def test_accounts_of_a_farm_always_have_as_many_requests_waiting_as_they_keep() -> None:
    scene = scene_of(TRACE, PLAN)
    names = {each.known.account for each in scene.farm}
    waiting: Counter[str] = Counter()
    seen: list[int] = []

    class Watched(Tally):
        def waits(self, now: float, call: Call) -> None:
            super().waits(now, call)
            waiting[call.person.known.account] += 1
            assert waiting[call.person.known.account] <= 3 or call.person.honest

        def waits_no_more(self, now: float, call: Call) -> None:
            super().waits_no_more(now, call)
            waiting[call.person.known.account] -= 1
            if now > 5:
                seen.append(sum(waiting[name] for name in names))

    Replay(scene, POLICIES["fcfs"](scene.capacity, Random(1)), Watched(scene)).run()
    assert sum(seen) / len(seen) > 0.9 * 3 * 40


def test_an_account_that_is_used_once_asks_once_whatever_comes_of_it() -> None:
    scene = scene_of(TRACE, replace(PLAN, farm=0, churn=4.0))
    for policy in (Generous(), Miser()):
        played(scene, policy)
        counts = Counter(ask.account for _, ask in policy.asks.values() if ask.account.startswith("once"))
        due = [person.known.account for time, person in scene.churners if time < scene.horizon]
        assert counts == dict.fromkeys(due, 1)


def test_all_policies_are_described() -> None:
    assert ABOUT.keys() == POLICIES.keys()


@pytest.mark.parametrize("policy", POLICIES)
def test_the_same_seed_gives_the_same_figures_and_another_others(policy: str) -> None:
    plan = replace(PLAN, seconds=60.0, churn=2.0)
    one, again, other = (outcome_of(scene_of(TRACE, replace(plan, seed=seed)), policy) for seed in (1, 1, 2))
    assert msgspec.json.encode(one) == msgspec.json.encode(again)
    assert one != other


def outcome(policy: str, plan: Plan) -> Outcome:
    return outcome_of(scene_of(TRACE, plan), policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_no_policy_gives_more_than_there_is_or_leaves_much_unused(policy: str) -> None:
    scene = scene_of(TRACE, replace(PLAN, links=1.0))
    tally = Tally(scene)
    Replay(scene, POLICIES[policy](scene.capacity, Random(1)), tally).run()
    given = tally.honest_cost + tally.abusers_cost
    assert given <= scene.capacity.rate * 120 * 1.05  # but for a burst, and what is still being answered
    assert tally.lost <= 0.001 * tally.offered
    assert given >= scene.capacity.rate * 120 * 0.95


def test_a_farm_captures_about_its_part_of_what_is_asked_where_the_first_come_go_first() -> None:
    scene = scene_of(TRACE, replace(PLAN, farm=300, seconds=300.0))
    asked = {True: 0.0, False: 0.0}

    class Counting(Tally):
        def asked(self, call: Call) -> None:
            super().asked(call)
            asked[call.person.honest] += call.cost

    tally = Counting(scene)
    Replay(scene, POLICIES["fcfs"](scene.capacity, Random(1)), tally).run()
    capture = tally.abusers_cost / (tally.abusers_cost + tally.honest_cost)
    assert capture == pytest.approx(asked[False] / (asked[True] + asked[False]), abs=0.06)
    assert capture > 0.3


def test_fair_between_accounts_rewards_more_accounts_and_fair_between_people_does_not() -> None:
    captured = {
        (policy, farm): outcome(policy, replace(PLAN, farm=farm, links=1.0, false_links=0)).capture
        for policy in ("vtc", "clusters", "fair")
        for farm in (20, 200)
    }
    assert captured["vtc", 200] > 1.4 * captured["vtc", 20]
    assert captured["vtc", 200] > 0.6
    for policy in ("clusters", "fair"):
        assert captured[policy, 200] < captured["vtc", 200] / 3


def test_a_ceiling_binds_what_is_known_of_a_farm_under_fair_alone() -> None:
    plan = replace(PLAN, farm=100, links=1.0, load=0.5, false_links=0)
    bound = replace(plan, ceil=0.05)
    assert outcome("fair", plan).capture > 0.3
    assert outcome("fair", bound).capture < 0.15
    assert outcome("clusters", plan) == outcome("clusters", bound)


def test_fair_is_told_who_is_who() -> None:
    fair = Fair(Capacity(1_000.0, 2), Random(1))
    fair.know(Known("a", cluster="c", p_link=0.95, trust=0.25, newcomer=True, ceil=0.5))
    standing = fair.share.standings["a"]
    assert (standing.cluster, standing.p_link, standing.trust) == ("c", 0.95, 0.25)
    assert (standing.newcomer, standing.ceil) == (True, 0.5)


def test_fair_passes_on_what_comes_of_a_request() -> None:
    fair = Fair(Capacity(1_000.0, 2), Random(1))
    first = fair.acquire(0.0, Ask("a", 3_000, 10, 60.0))
    assert isinstance(first, Granted)
    second, third = (fair.acquire(0.0, Ask("b", 10, 10, patience)) for patience in (60.0, 1.0))
    assert isinstance(second, Waiting)
    assert isinstance(third, Waiting)
    due = fair.next_at()
    assert due is not None
    assert due <= 1.0
    [late] = fair.advance(1.0)
    assert isinstance(late, Refused)
    assert late.id == third.id
    assert late.retry_after > 0.1
    level = fair.share.stocks["pool"].level
    fair.charge(1.0, first.id, 500)  # far beyond what was expected
    assert fair.share.stocks["pool"].level < level - 900
    fair.settle(2.0, first.id, 0, 0)
    [granted] = fair.advance(2.0)
    assert isinstance(granted, Granted)
    assert granted.id == second.id


def test_watched_clients_have_a_gap_and_others_none() -> None:
    scene, names = duel_of(TRACE, seconds=120.0)
    fcfs, vtc = (outcome_of(scene, policy, watched=names).gap for policy in ("fcfs", "vtc"))
    assert fcfs is not None
    assert vtc is not None
    assert vtc > 0
    assert outcome_of(scene, "vtc").gap is None


def test_a_report_says_what_was_asked_for_and_by_how_many() -> None:
    scene = scene_of(TRACE, replace(PLAN, churn=2.0))
    report = report_of("t", scene, [])
    assert report.honest_demand == pytest.approx(1.1, rel=0.05)
    assert report.abusers == 40 + sum(time < 120 for time, _ in scene.churners)
    assert report.note.startswith("Simulated")
