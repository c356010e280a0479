"""One decision at a time against a naive model, guard rails and brakes one by one, and mutants that must die."""

from collections import Counter
from itertools import product

import pytest
from hypothesis import strategies as st

from fairgate.decide.policy import ALL_RULES, MOST_DRAWS, Brakes, Policy, Weight, weight_of
from fairgate.domain.action import MOST_UNGRAVE, Action
from fairgate.domain.event import Decision
from fairgate.domain.pack import Stage
from fairgate.domain.windows import DAY
from fairgate.language.check_pack import DEFAULT_COSTS
from tests.contracts.planting import Edit
from tests.unit.decide.checks import Check, is_noticed
from tests.unit.decide.policies import CHECKED, EFFECTS, NOON, Costs, finding, naive_action, policy, weight

ACTIONS = list(Action)
#: Log-odds of nearly one abusive event in two: every score counts.
EVEN = 0.4


def weights(stages: list[Stage]) -> st.SearchStrategy[list[Weight]]:
    """Rules with different names."""
    one = st.builds(
        Weight,
        name=st.sampled_from([f"rule{number}" for number in range(6)]),
        score=st.sampled_from([-2.0, 0.0, 0.5, 1.0, 3.0, 6.0]),
        floor=st.sampled_from([Action.ALLOW, *ACTIONS]),
        group=st.sampled_from(["network", "device", "identity"]),
        stage=st.sampled_from(stages),
        fraction=st.sampled_from([0.05, 0.3, 0.5, 0.9]),
        daily_cap=st.none(),
    )
    return st.lists(one, max_size=4, unique_by=lambda each: each.name)


COSTS = st.dictionaries(
    st.sampled_from(ACTIONS), st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=2
) | st.just(dict(DEFAULT_COSTS))
LISTED = st.lists(st.sampled_from(list(EFFECTS)), max_size=3, unique=True)
PRIORS = st.sampled_from([0.001, 0.01, EVEN])


# -------------------------------------------------------------------------------------------------------------- actions


def the_action_is_the_naive_one(costs: Costs, prior: float, fired: list[Weight], listed: list[str]) -> None:
    decision = policy(costs, prior=prior).decide(finding(*fired, listed=listed), NOON)
    counted = [each for each in fired if each.name not in decision.silent]
    assert decision.action in naive_action(prior, costs, counted, listed)
    assert decision.rules == tuple(each.name for each in fired)
    assert decision.lists == tuple(listed)
    assert {each.name for each in fired if each.stage is Stage.SHADOW} <= set(decision.silent)
    assert not {each.name for each in fired if each.stage is Stage.LIVE} & set(decision.silent)
    assert set(decision.drawn) == {each.name for each in fired if each.stage is Stage.CANARY and each.acts}


def shadows_change_nothing(costs: Costs, fired: list[Weight], shadows: list[Weight], listed: list[str]) -> None:
    added = [weight(f"shadow {each.name}", score=each.score, floor=each.floor, stage=Stage.SHADOW) for each in shadows]
    without = policy(costs).decide(finding(*fired, listed=listed), NOON)
    with_them = policy(costs).decide(finding(*fired, *added, listed=listed), NOON)
    assert (with_them.action, with_them.log_odds, with_them.drawn) == (without.action, without.log_odds, without.drawn)
    assert with_them.propensity == without.propensity
    assert with_them.rules == (*without.rules, *(each.name for each in added))
    assert set(with_them.silent) == {*without.silent, *(each.name for each in added)}


def a_grave_action_needs_two_kinds_of_evidence() -> None:
    ban = weight("ban", floor=Action.BAN, group="network")
    alone = policy(DEFAULT_COSTS).decide(finding(ban), NOON)
    assert (alone.action, alone.notes) == (MOST_UNGRAVE, ("ban needs two kinds of evidence",))
    for other, enough in (
        (weight("same", score=1.0, group="network"), False),
        (weight("weightless", score=0.0, group="device"), False),
        (weight("in favour", score=-1.0, group="device"), False),
        (weight("against", score=0.1, group="device"), True),
        (weight("asks", floor=Action.WATCH, group="device"), True),
    ):
        decision = policy(DEFAULT_COSTS).decide(finding(ban, other), NOON)
        assert decision.action is (Action.BAN if enough else MOST_UNGRAVE), other.name
        assert bool(decision.notes) is not enough
    likely = policy({Action.ALLOW: (100, 0), Action.BAN: (0, 100)}, prior=0.999)
    assert likely.decide(finding(degraded=("x",)), NOON).action is MOST_UNGRAVE
    assert likely.quiet[0] == likely.decide(finding(), NOON)


def lists_win_over_guard_rails_and_allow_over_all() -> None:
    grave = [weight("one", floor=Action.SUSPEND), weight("two", score=9.0, group="device")]
    by_hand = policy(DEFAULT_COSTS).decide(finding(listed=["banned"]), NOON)
    assert (by_hand.action, by_hand.lists) == (Action.BAN, ("banned",))
    held = policy(DEFAULT_COSTS).decide(finding(*grave, listed=["bad_mail"]), NOON)
    assert held.action >= Action.SUSPEND
    for listed in product(["banned", "friends", "bad_mail"], repeat=2):
        decision = policy(DEFAULT_COSTS).decide(finding(*grave, listed=[*listed, "friends"]), NOON)
        assert decision.action is Action.ALLOW


# --------------------------------------------------------------------------------------------------------------- brakes


def a_switch_stops_its_rule_and_the_main_switch_everything() -> None:
    brakes = Brakes()
    decide = policy(DEFAULT_COSTS, brakes=brakes).decide
    hold, watch = weight("hold", floor=Action.HOLD), weight("watch", floor=Action.WATCH)
    brakes.switch("hold", off=True)
    one = decide(finding(hold, watch), NOON)
    assert (one.action, one.rules, one.silent) == (Action.WATCH, ("hold", "watch"), ("hold",))
    brakes.switch("hold", off=False)
    assert decide(finding(hold, watch), NOON).action is Action.HOLD
    brakes.switch(ALL_RULES, off=True)
    for found in (finding(hold, watch), finding(hold, listed=["bad_mail"])):
        stopped = decide(found, NOON)
        assert stopped.action is Action.ALLOW
        assert stopped.notes == ("enforcement is switched off; it would have been hold",)
    assert decide(finding(), NOON).notes == ()


def a_cap_counts_actions_by_the_utc_day_of_the_clock() -> None:
    brakes = Brakes(frozenset({"capped", "other"}))
    decide = policy(DEFAULT_COSTS, brakes=brakes).decide
    capped, other = weight("capped", floor=Action.HOLD, daily_cap=2), weight("other", floor=Action.WATCH, daily_cap=9)
    last = (NOON // DAY + 1) * DAY - 1
    found = [decide(finding(capped, other), now) for now in (NOON, NOON, last, last + 1, last + 2, last + 3)]
    held, spent = Action.HOLD, Action.WATCH
    assert [each.action for each in found] == [held, held, spent, held, held, spent]
    assert found[2].silent == ("capped",)
    assert found[2].notes == ("daily cap of capped reached",)
    assert decide(finding(weight("none", floor=Action.HOLD, daily_cap=0)), NOON).action is Action.ALLOW


def a_cap_is_not_used_up_where_nothing_is_done() -> None:
    brakes = Brakes(frozenset({"capped"}))
    decide = policy(DEFAULT_COSTS, brakes=brakes).decide
    capped = weight("capped", floor=Action.HOLD, daily_cap=1)
    decide(finding(capped, listed=["friends"]), NOON)
    shadow = weight("capped", floor=Action.HOLD, daily_cap=1, stage=Stage.SHADOW)
    decide(finding(shadow, weight("other", floor=Action.WATCH)), NOON)
    brakes.switch(ALL_RULES, off=True)
    decide(finding(capped), NOON)
    brakes.switch(ALL_RULES, off=False)
    assert decide(finding(capped), NOON).action is Action.HOLD
    assert decide(finding(capped), NOON).action is Action.ALLOW


def counting_a_decision_again_leaves_the_same_brakes(days: list[int], fired: list[Weight]) -> None:
    """As a restart does: it knows the decisions, and not how they came about."""
    names = frozenset(each.name for each in fired)
    live, after = Brakes(names), Brakes(names)
    decide = policy(DEFAULT_COSTS, brakes=live).decide
    capped = [weight(each.name, score=each.score, floor=each.floor, stage=each.stage, daily_cap=2) for each in fired]
    for day in sorted(days):
        after.count(decide(finding(*capped), NOON + day * DAY), NOON + day * DAY)
        assert after == live


# --------------------------------------------------------------------------------------------------------------- draws


def a_canary_is_the_same_for_an_entity_and_hits_its_fraction() -> None:
    tried = weight("tried", floor=Action.HOLD, stage=Stage.CANARY, fraction=0.2)
    decide = policy(DEFAULT_COSTS).decide
    first = [decide(finding(tried, entity=f"account{number}"), NOON).action for number in range(4_000)]
    again = [decide(finding(tried, entity=f"account{number}"), NOON + DAY).action for number in range(4_000)]
    assert first == again
    hits = Counter(first)
    assert set(hits) == {Action.ALLOW, Action.HOLD}
    assert abs(hits[Action.HOLD] - 800) < 5 * (4_000 * 0.2 * 0.8) ** 0.5
    nobody = decide(finding(tried, entity=None), NOON)
    assert (nobody.action, nobody.silent, nobody.propensity) == (Action.ALLOW, ("tried",), 1.0)


def another_secret_or_another_rule_draws_anew() -> None:
    def drawn(name: str, secret: int) -> list[bool]:
        tried = weight(name, floor=Action.HOLD, stage=Stage.CANARY, fraction=0.5)
        decide = policy(DEFAULT_COSTS, secret=secret).decide
        return [decide(finding(tried, entity=f"a{number}"), NOON).action is Action.HOLD for number in range(1_000)]

    for other in (drawn("rule", 2), drawn("other", 1)):
        same = sum(one == two for one, two in zip(drawn("rule", 1), other, strict=True))
        assert abs(same - 500) < 5 * 1_000**0.5 / 2


def the_propensity_is_the_naive_one(costs: Costs, prior: float, fired: list[Weight], listed: list[str]) -> None:
    decision = policy(costs, prior=prior).decide(finding(*fired, listed=listed), NOON)
    drawn = [each for each in fired if each.name in decision.drawn]
    sure = [each for each in fired if each.stage is Stage.LIVE]
    low = high = 0.0
    for outcome in product((True, False), repeat=len(drawn)):
        chance = 1.0
        for each, counts in zip(drawn, outcome, strict=True):
            chance *= each.fraction if counts else 1 - each.fraction
        counted = [*sure, *(each for each, counts in zip(drawn, outcome, strict=True) if counts)]
        possible = naive_action(prior, costs, counted, listed)
        low += chance if possible == {decision.action} else 0.0
        high += chance if decision.action in possible else 0.0
    assert low - 1e-9 <= decision.propensity <= high + 1e-9


def the_propensity_is_what_many_secrets_show() -> None:
    tried = [
        weight(f"tried{number}", floor=floor, score=1.5, stage=Stage.CANARY, fraction=fraction, group=group)
        for number, (floor, fraction, group) in enumerate(
            [(Action.WATCH, 0.5, "network"), (Action.BAN, 0.25, "device"), (Action.ALLOW, 0.7, "identity")]
        )
    ]
    for count in range(4):
        found = finding(*tried[:count], weight("sure", score=0.5))
        decisions = [policy(DEFAULT_COSTS, prior=0.05, secret=secret).decide(found, NOON) for secret in range(2_000)]
        said = {decision.action: decision.propensity for decision in decisions}
        assert sum(said.values()) == pytest.approx(1.0)
        for action, times in Counter(decision.action for decision in decisions).items():
            chance = said[action]
            assert abs(times / 2_000 - chance) <= 5 * (chance * (1 - chance) / 2_000) ** 0.5
    assert len({policy(DEFAULT_COSTS, secret=secret).decide(found, NOON).propensity for secret in range(50)}) > 1


def at_most_eight_canaries_are_drawn() -> None:
    many = [weight(f"tried{number}", score=0.1, stage=Stage.CANARY, fraction=0.5) for number in range(MOST_DRAWS + 3)]
    idle = weight("idle", stage=Stage.CANARY, fraction=0.5)
    decision = policy(DEFAULT_COSTS).decide(finding(idle, *many), NOON)
    assert decision.drawn == tuple(each.name for each in many[:MOST_DRAWS])
    assert {"idle", *(each.name for each in many[MOST_DRAWS:])} <= set(decision.silent)


ANY, ALL = weights([Stage.SHADOW, Stage.CANARY, Stage.LIVE]), weights([Stage.LIVE])
CHECKS = [
    Check(a_grave_action_needs_two_kinds_of_evidence),
    Check(lists_win_over_guard_rails_and_allow_over_all),
    Check(a_switch_stops_its_rule_and_the_main_switch_everything),
    Check(a_cap_counts_actions_by_the_utc_day_of_the_clock),
    Check(a_cap_is_not_used_up_where_nothing_is_done),
    Check(at_most_eight_canaries_are_drawn),
    Check(another_secret_or_another_rule_draws_anew),
    Check(a_canary_is_the_same_for_an_entity_and_hits_its_fraction),
    Check(the_action_is_the_naive_one, COSTS, PRIORS, ANY, LISTED),
    Check(the_propensity_is_the_naive_one, COSTS, PRIORS, weights([Stage.CANARY, Stage.LIVE]), LISTED),
    Check(shadows_change_nothing, COSTS, ANY, ALL, LISTED),
    Check(counting_a_decision_again_leaves_the_same_brakes, st.lists(st.integers(0, 2), max_size=8), ANY),
    Check(the_propensity_is_what_many_secrets_show),
]


@pytest.mark.parametrize("check", CHECKS, ids=repr)
def test_policy(check: Check) -> None:
    check.run()


def test_what_nothing_was_found_on_is_the_least_cost_at_the_prior() -> None:
    [quiet] = policy(DEFAULT_COSTS, prior=0.01).quiet
    assert quiet.log_odds == pytest.approx(-4.59512)
    assert quiet.probability == pytest.approx(0.01)
    label = CHECKED.pack.label
    assert label.startswith("support 1 (")
    assert quiet == Decision(Action.ALLOW, quiet.log_odds, quiet.probability, "default", pack=label)
    assert policy(DEFAULT_COSTS, prior=0.3).quiet[0].action is Action.CHALLENGE


def test_a_rule_weighs_what_the_pack_says_by_event_type() -> None:
    rules = {rule.name: rule for rule in CHECKED.pack.rules}
    tried = Weight("tried", 4.0, Action.HOLD, "payment", Stage.CANARY, 0.4, None)
    assert weight_of(rules["tried"], "api.request") == tried
    assert weight_of(rules["capped"], "account.signup").floor is Action.ALLOW


MUTANTS = {
    "takes one kind of evidence for two": Edit(Policy, "_outcome", "len(groups) < 2", "len(groups) < 1"),
    "takes a weightless rule for evidence": Edit(Policy, "_outcome", "weight.score > 0 or", "weight.score >= 0 or"),
    "takes a score in favour for evidence": Edit(Policy, "_outcome", "weight.score > 0 or", "weight.score != 0 or"),
    "forgets the floors": Edit(Policy, "_outcome", "*(weight.floor for weight in chosen)", ""),
    "forgets the scores": Edit(Policy, "_outcome", "sum(weight.score for weight in chosen)", "0.0"),
    "lets a deny list lower an action": Edit(
        Policy, "_outcome", "max([action, *effects])", "max(effects, default=action)"
    ),
    "lets a deny list win": Edit(Policy, "_outcome", "if Action.ALLOW in effects", "if {*effects} == {Action.ALLOW}"),
    "holds human entries back": Edit(
        Policy, "_outcome", "self._effects[name]", "min(MOST_UNGRAVE, self._effects[name])"
    ),
    "ignores the main switch": Edit(Policy, "_outcome", "ALL_RULES in self._brakes.off", "False"),
    "ignores a rule's switch": Edit(Policy, "_sort", "or weight.name in self._brakes.off", ""),
    "lets shadows act": Edit(Policy, "_sort", "weight.stage == Stage.SHADOW or", ""),
    "lets every canary act": Edit(Policy, "_sort", "weight.stage == Stage.LIVE", "weight.stage != Stage.SHADOW"),
    "draws what can't matter": Edit(Policy, "_sort", "weight.acts and", ""),
    "ignores caps": Edit(Brakes, "spent", "asked >= cap", "False"),
    "grants one more than the cap": Edit(Brakes, "spent", "asked >= cap", "asked > cap"),
    "carries a cap into the next day": Edit(Brakes, "spent", "if now // DAY == self.day else 0", ""),
    "keeps counts over the day's end": Edit(
        Brakes, "count", "self.day, self.asked = now // DAY, {}", "self.day = now // DAY"
    ),
    "counts what was allowed": Edit(Brakes, "count", "if decision.action == Action.ALLOW:", "if False:"),
    "counts silent rules": Edit(Brakes, "count", "and rule not in decision.silent", ""),
    "draws all rules alike": Edit(Policy, "_draw", 'f"{weight.name}\\0{entity}"', 'f"{entity}"'),
    "draws without the secret": Edit(Policy, "_draw", ", self._secret)", ", 0)"),
    "draws half as often": Edit(Policy, "_draw", "2.0**64", "2.0**63"),
    "counts nobody's draw as a chance": Edit(Policy, "_draw", "_Draw(weight, 0.0,", "_Draw(weight, 0.5,"),
    "mixes up the chances": Edit(Policy, "_propensity", "1.0 - draw.chance", "draw.chance"),
    "forgets sure rules in the propensity": Edit(Policy, "_propensity", "[*sure, ", "["),
    "forgets lists in the propensity": Edit(Policy, "_propensity", "finding.listed", "()"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_that(name: str) -> None:
    assert is_noticed(MUTANTS[name], CHECKS)
