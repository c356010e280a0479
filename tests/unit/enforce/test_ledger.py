"""The ledger: what stands about whom, compared with the plainest ledger there is, and what follows from decisions."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchEntry, RefTaken
from fairgate.domain.event import Decision
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.pack import ActionSpec, Place
from fairgate.domain.windows import DAY, HOUR
from fairgate.enforce.entitlements import entitlements, outcome
from fairgate.enforce.ledger import REMEMBERED, Ledger, endings

START = 20_000 * DAY


def spec(action: Action, **said: Any) -> ActionSpec:  # noqa: ANN401 - any of its fields
    told = {"length": None, "use": True, "spend": True, "rate": 1.0, "models": None, "challenge": None, "ends_on": None}
    return ActionSpec(action, **{**told, **said}, place=Place("pack.toml", 1, 1))


SPECS = {
    Action.THROTTLE: spec(Action.THROTTLE, length=HOUR, rate=0.25),
    Action.CHALLENGE: spec(Action.CHALLENGE, length=DAY, challenge="captcha", rate=0.5, ends_on="challenge.passed"),
    Action.HOLD: spec(Action.HOLD, length=3 * DAY, spend=False, models=("small", "middle")),
    Action.BAN: spec(Action.BAN, use=False),
}
ANNA = Subject("account", "anna")


def decided(action: Action, *rules: str, silent: tuple[str, ...] = (), lists: tuple[str, ...] = ()) -> Decision:
    return Decision(action, 0.0, 0.5, "default", rules, silent, lists=lists, pack="p 1")


def entry(action: Action, length: int | None = HOUR, by: str = "me", ref: str = "", whose: Subject = ANNA) -> Entry:
    ends = FOREVER if length is None else START + length
    return Entry(-1, whose, action, START, ends, ("burst",), (), "p 1", by, "why", ref)


def put(ledger: Ledger, asked: Entry) -> Entry:
    made, known = ledger.made(asked)
    if not known:
        ledger.take(made)
    return made


def follows(ledger: Ledger, action: Action, now: int = START) -> Entry | None:
    found = ledger.follows(ANNA, decided(action, "rule"), lambda: ("burst",), now)
    if found is not None:
        ledger.take(found)
    return found


# ------------------------------------------------------------------------------------------------- against a naive one


@dataclass
class NaiveLedger:
    """All that was ever said, looked through from the beginning each time."""

    entries: list[Entry] = field(default_factory=list)

    def stands(self, whose: Subject, now: int) -> list[int]:
        return [each.number for each in self.entries if each.subject == whose and each.stands(now)]

    def undo(self, number: int, undone: Undone) -> None:
        if number < len(self.entries) and self.entries[number].undone is None:
            self.entries[number] = msgspec.structs.replace(self.entries[number], undone=undone)


PEOPLE = tuple(Subject(kind, name) for kind in ("account", "org") for name in ("anna", "bert"))
STEPS = st.lists(
    st.tuples(st.just("act"), st.integers(0, 3), st.sampled_from(list(Action)), st.sampled_from([None, HOUR, 9 * DAY]))
    | st.tuples(st.just("undo"), st.integers(0, 12), st.none(), st.none())
    | st.tuples(st.just("pass"), st.sampled_from([1, HOUR, 8 * DAY, 31 * DAY]), st.none(), st.none())
    | st.tuples(st.just("say again"), st.none(), st.none(), st.none()),
    max_size=30,
)


@given(STEPS)
def test_it_knows_what_stands(steps: Sequence[tuple[str, Any, Any, Any]]) -> None:
    tried, naive, now = Ledger(SPECS), NaiveLedger(), START
    for what, first, action, length in steps:
        match what:
            case "act":
                ends = FOREVER if length is None else now + length
                made = put(tried, Entry(-1, PEOPLE[first], action, now, ends, (), (), "p 1", "me", "why"))
                assert made.number == len(naive.entries)
                naive.entries.append(made)
            case "undo":
                tried.undo([first], Undone(now, "me", "why"))
                naive.undo(first, Undone(now, "me", "why"))
            case "pass":
                now += first
            case _:
                tried.forget(now)
                again = Ledger(SPECS)
                again.restore(
                    msgspec.msgpack.decode(msgspec.msgpack.encode(list(tried)), type=list[Entry]), tried.following
                )
                tried = again
        for whose in PEOPLE:
            assert [each.number for each in tried.standing(whose, now)] == naive.stands(whose, now)
            assert set(naive.stands(whose, now)) <= set(tried.held.get(whose.kind, {}).get(whose.value, ()))
        assert tried.following == len(naive.entries)


def test_what_has_ended_leaves_nothing_behind() -> None:
    ledger = Ledger(SPECS)
    for number in range(100):
        put(ledger, entry(Action.THROTTLE, ref=f"{number}", whose=Subject("account", f"{number}")))
    undone = put(ledger, entry(Action.BAN, None, ref="ban"))
    ledger.undo([undone.number], Undone(START, "me", "why"))
    ledger.forget(START + HOUR)
    assert len(ledger) == 1
    ledger.forget(START + REMEMBERED)
    assert ledger == Ledger(SPECS, following=101)


def test_an_undone_entry_is_known_for_a_while_and_one_that_ended_is_not() -> None:
    ledger = Ledger(SPECS)
    ban, hour = put(ledger, entry(Action.BAN, None)), put(ledger, entry(Action.THROTTLE))
    ledger.undo([ban.number], Undone(START, "me", "a mistake"))
    ledger.undo([ban.number], Undone(START + 1, "you", "again"))
    ledger.forget(START + HOUR)
    assert ledger.get(ban.number).undone == Undone(START, "me", "a mistake")
    with pytest.raises(NoSuchEntry, match="Entry 1 has ended"):
        ledger.get(hour.number)
    with pytest.raises(NoSuchEntry, match="There is no entry 7"):
        ledger.get(7)


# ------------------------------------------------------------------------------------------------------------ by people


def test_the_same_under_one_name_is_taken_once() -> None:
    ledger = Ledger(SPECS)
    first = put(ledger, entry(Action.BAN, ref="case-1"))
    later = msgspec.structs.replace(entry(Action.BAN, ref="case-1"), starts=START + 5, ends=START + HOUR + 5)
    assert ledger.made(later) == (first, True)
    assert put(ledger, entry(Action.BAN, by="you", ref="case-1")).number == 1  # another's name is another name
    for other in (entry(Action.HOLD, ref="case-1"), entry(Action.BAN, None, ref="case-1")):
        with pytest.raises(RefTaken, match="`case-1` is entry 0"):
            ledger.made(other)
    assert put(ledger, entry(Action.BAN)).number == 2
    assert put(ledger, entry(Action.BAN)).number == 3


# ------------------------------------------------------------------------------------------------------- from decisions


def test_an_entry_follows_from_a_decision() -> None:
    ledger = Ledger(SPECS)
    decision = decided(Action.HOLD, "fast", "quiet", silent=("quiet",), lists=("bad",))
    found = ledger.follows(ANNA, decision, lambda: ("burst",), START)
    assert found == Entry(0, ANNA, Action.HOLD, START, START + 3 * DAY, ("burst",), ("bad", "fast"), "p 1")
    assert not found.by_person


def test_nothing_follows_from_what_the_pack_says_nothing_of() -> None:
    ledger = Ledger(SPECS)
    assert follows(ledger, Action.ALLOW) is None
    assert follows(ledger, Action.SUSPEND) is None
    assert ledger.following == 0


def test_a_thousand_decisions_are_one_entry_until_half_its_time_is_over() -> None:
    ledger = Ledger(SPECS)
    assert follows(ledger, Action.THROTTLE) is not None
    assert follows(ledger, Action.THROTTLE, START + HOUR // 2) is None
    assert follows(ledger, Action.THROTTLE, START + HOUR // 2 + 1) is not None
    assert follows(ledger, Action.HOLD, START + HOUR) is not None
    assert follows(ledger, Action.CHALLENGE, START + HOUR) is None  # a graver one stands for longer
    assert follows(ledger, Action.BAN, START + HOUR) is not None
    assert follows(ledger, Action.BAN, START + 900 * DAY) is None


def test_nothing_follows_for_whom_a_person_spares() -> None:
    ledger = Ledger(SPECS)
    spared = put(ledger, entry(Action.ALLOW, DAY))
    assert follows(ledger, Action.BAN) is None
    ledger.undo([spared.number], Undone(START, "me", "why"))
    assert follows(ledger, Action.BAN) is not None


def test_an_event_ends_what_ends_by_it() -> None:
    ledger = Ledger(SPECS)
    follows(ledger, Action.CHALLENGE)
    put(ledger, entry(Action.HOLD))
    [ended] = ledger.ended(ANNA, endings(SPECS)["challenge.passed"], "challenge.passed", START + 5)
    assert (ended.number, ended.undone) == (0, Undone(START + 5, "", "challenge.passed"))
    ledger.take(ended)
    assert [each.action for each in ledger.standing(ANNA, START + 5)] == [Action.HOLD]


# --------------------------------------------------------------------------------------------------------- entitlements


def stands(*entries: Entry) -> list[Entry]:
    ledger = Ledger(SPECS)
    for each in entries:
        put(ledger, each)
    return ledger.standing(ANNA, START)


def rule(action: Action, length: int | None = HOUR) -> Entry:
    return entry(action, length, by="")


def test_of_several_each_takes_away_what_it_takes_away() -> None:
    found = entitlements(stands(rule(Action.THROTTLE), rule(Action.CHALLENGE, DAY), rule(Action.HOLD)), SPECS, set())
    assert (found.action, found.use, found.spend, found.rate) == (Action.HOLD, True, False, 0.25)
    assert (found.models, found.challenges) == (("middle", "small"), ("captcha",))
    assert found.until == START + HOUR
    assert [each.number for each in found.entries] == [0, 1, 2]


def test_who_has_nothing_against_them_may_do_everything() -> None:
    found = entitlements([], SPECS, set())
    assert (found.action, found.use, found.spend, found.rate) == (Action.ALLOW, True, True, 1.0)
    assert (found.models, found.challenges, found.until, found.entries) == (None, (), FOREVER, ())


def test_a_grave_action_of_which_the_pack_says_nothing_takes_everything() -> None:
    found = entitlements(stands(entry(Action.SUSPEND)), SPECS, set())
    assert (found.use, found.spend) == (False, False)
    assert entitlements(stands(entry(Action.WATCH)), SPECS, set()).use


def test_who_is_spared_is_left_alone_by_rules_and_not_by_people() -> None:
    spared = stands(rule(Action.BAN), entry(Action.ALLOW, DAY), entry(Action.THROTTLE))
    assert entitlements(spared, SPECS, set()).action == Action.THROTTLE
    assert outcome(spared, set(), Action.BAN) == Action.THROTTLE
    assert outcome(stands(entry(Action.ALLOW, DAY)), set(), Action.BAN) == Action.ALLOW
    assert outcome(stands(entry(Action.ALLOW, DAY)), set(), Action.BAN, by_list=True) == Action.BAN


def test_what_is_switched_off_does_not_count() -> None:
    both = stands(rule(Action.BAN), rule(Action.HOLD))
    assert entitlements(both, SPECS, {Action.BAN}).action == Action.HOLD
    assert outcome(both, {Action.BAN}, Action.ALLOW) == Action.ALLOW
    assert outcome(stands(entry(Action.ALLOW, DAY), entry(Action.BAN)), {Action.BAN}, Action.HOLD) == Action.ALLOW


def test_at_an_event_counts_what_people_did_and_what_is_grave() -> None:
    assert outcome(stands(rule(Action.HOLD)), set(), Action.WATCH) == Action.WATCH
    assert outcome(stands(rule(Action.BAN)), set(), Action.WATCH) == Action.BAN
    assert outcome(stands(entry(Action.THROTTLE)), set(), Action.WATCH) == Action.THROTTLE
    assert outcome(stands(entry(Action.THROTTLE)), set(), Action.HOLD) == Action.HOLD
