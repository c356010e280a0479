"""What people may do to a case: every state against every deed, and the claim that runs out."""

from collections.abc import Callable, Mapping

import pytest
from msgspec.structs import replace

from fairgate.casework import handling
from fairgate.casework.handling import LONGEST_SNOOZE, MOST_ACCOUNTS, Hand, Step, done_before, rounds
from fairgate.domain.action import Action
from fairgate.domain.case import Case, CaseState, Claim, Facts, Happening, Outcome, Verdict
from fairgate.domain.errors import CaseStands
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import Stake
from tests.support import NOW

FACTS = Facts(Stake(0.5, 10.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW))
CASE = Case(7, ("a", "b"), FACTS, NOW - HOUR)
ANN = Hand("ann", NOW, lead=False, lasts=10 * MINUTE)
BOB, LEAD = ANN._replace(by="bob"), ANN._replace(by="lea", lead=True)
VERDICT = Verdict(Outcome.BAD, Action.SUSPEND, ("burst",), 0.9, NOW, "ann", "a farm")
OTHER = replace(CASE, number=8, accounts=("b", "c"))


SPLIT = Happening(NOW, "ann", "split", "")
MINE = handling.claimed(CASE, ANN).case
CASES: Mapping[str, Case] = {
    "free": CASE,
    "mine": MINE,
    "another's": handling.claimed(CASE, BOB).case,
    "run out": replace(CASE, claim=Claim("bob", NOW)),
    "asleep": replace(CASE, snoozed_until=NOW + HOUR),
    "for leads": replace(CASE, escalated=True),
    "barred": replace(CASE, barred=("ann",)),
    "mine and barred": replace(MINE, barred=("ann",)),
    "decided": replace(CASE, state=CaseState.DECIDED, verdict=VERDICT),
    "merged": replace(CASE, state=CaseState.MERGED, merged_into=9),
}
DEEDS: Mapping[str, Callable[[Case], Step]] = {
    "claim": lambda case: handling.claimed(case, ANN),
    "release": lambda case: handling.released(case, ANN),
    "note": lambda case: handling.noted(case, ANN, "seen"),
    "snooze": lambda case: handling.snoozed(case, ANN, NOW + HOUR, "later"),
    "escalate": lambda case: handling.escalated(case, ANN, "too big"),
    "merge": lambda case: handling.merged(case, OTHER, ANN, "one farm")[0],
    "split": lambda case: Step(handling.split(case, ["b"], ANN)[0], SPLIT),
    "decide": lambda case: handling.decided(case, ANN, VERDICT),
    "reopen": lambda case: handling.reopened(case, ANN, "new facts"),
}
_NOT_OPEN = {"decided": "decided", "merged": "merged"}
_NOT_MINE = {
    **dict.fromkeys(("free", "run out", "asleep", "for leads", "barred"), "not_claimed"),
    "another's": "claimed",
    **_NOT_OPEN,
}
#: By deed, the codes by which cases refuse it; all others allow it.
REFUSED: Mapping[str, Mapping[str, str]] = {
    "claim": {
        **_NOT_OPEN, "another's": "claimed", "barred": "barred", "mine and barred": "barred", "for leads": "for_leads",
    },
    "release": _NOT_MINE,
    "note": {},
    "snooze": _NOT_MINE,
    "escalate": _NOT_MINE,
    "merge": _NOT_MINE,
    "split": _NOT_MINE,
    "decide": {**_NOT_MINE, "mine and barred": "barred"},
    "reopen": {name: "not_decided" for name in CASES if name != "decided"},
}  # fmt: skip


@pytest.mark.parametrize("state", CASES)
@pytest.mark.parametrize("deed", DEEDS)
def test_each_deed_is_done_or_refused_by_each_case(deed: str, state: str) -> None:
    case, code = CASES[state], REFUSED[deed].get(state)
    if code is not None:
        with pytest.raises(CaseStands) as caught:
            DEEDS[deed](case)
        assert (caught.value.code, caught.value.number) == (code, 7)
        assert str(caught.value).startswith("Case 7 stays as it is: ")
        return
    step = DEEDS[deed](case)
    assert (step.case.version, step.happening.by, step.happening.at) == (case.version + 1, "ann", NOW)
    assert step.case.facts == case.facts


def test_a_claim_runs_out_and_is_renewed_by_work() -> None:
    assert MINE.claim == Claim("ann", NOW + 10 * MINUTE)
    late = ANN._replace(at=NOW + 9 * MINUTE)
    noted = handling.noted(MINE, late, "still at it").case
    assert noted.claim == Claim("ann", NOW + 19 * MINUTE)
    too_late = ANN._replace(at=NOW + 10 * MINUTE)
    with pytest.raises(CaseStands) as caught:
        handling.decided(MINE, too_late, VERDICT)
    assert caught.value.code == "not_claimed"
    taken = handling.claimed(MINE, BOB._replace(at=NOW + 10 * MINUTE)).case
    assert taken.claim == Claim("bob", NOW + 20 * MINUTE)
    assert handling.noted(MINE, BOB, "look at c").case.claim == MINE.claim  # another's note renews nothing


def test_what_a_deed_leaves() -> None:
    assert handling.released(MINE, ANN).case.claim is None
    asleep = handling.snoozed(MINE, ANN, NOW + HOUR, "later").case
    assert (asleep.claim, asleep.snoozed_until, asleep.ready_at) == (None, NOW + HOUR, NOW + HOUR)
    assert handling.claimed(asleep, BOB).case.snoozed_until == 0
    escalated = handling.escalated(MINE, ANN, "too big").case
    assert (escalated.claim, escalated.escalated) == (None, True)
    led = handling.claimed(escalated, LEAD).case
    with pytest.raises(CaseStands, match="already"):
        handling.escalated(led, LEAD, "too big")
    decided = handling.decided(MINE, ANN, VERDICT)
    assert (decided.case.state, decided.case.verdict, decided.case.claim) == (CaseState.DECIDED, VERDICT, None)
    assert decided.happening == Happening(NOW, "ann", "decided", "bad, suspend: a farm")
    again = handling.reopened(decided.case, BOB, "new facts").case
    assert (again.state, again.verdict, again.claim) == (CaseState.OPEN, None, None)


@pytest.mark.parametrize(
    ("outcome", "said"), [(Outcome.BENIGN, "benign: a farm"), (Outcome.UNKNOWN, "unknown: a farm")]
)
def test_only_what_is_bad_has_an_action_in_its_history(outcome: Outcome, said: str) -> None:
    verdict = replace(VERDICT, outcome=outcome, action=Action.ALLOW)
    assert handling.decided(MINE, ANN, verdict).happening.said == said


@pytest.mark.parametrize("length", [0, -1, LONGEST_SNOOZE + 1])
def test_a_case_sleeps_for_a_while_and_not_for_ever(length: int) -> None:
    with pytest.raises(CaseStands) as caught:
        handling.snoozed(MINE, ANN, NOW + length, "later")
    assert caught.value.code == "bad_time"
    assert handling.snoozed(MINE, ANN, NOW + LONGEST_SNOOZE, "later").case.snoozed_until == NOW + LONGEST_SNOOZE


def test_two_cases_become_one() -> None:
    other = replace(OTHER, barred=("eve",), propensity=0.1)
    kept, gone = handling.merged(replace(MINE, barred=("dan",), propensity=0.2), other, ANN, "one farm")
    assert (kept.case.accounts, kept.case.barred, kept.case.propensity) == (("a", "b", "c"), ("dan", "eve"), 0.2)
    assert kept.case.claimed(NOW) == "ann"
    assert (gone.case.state, gone.case.merged_into, gone.case.version) == (CaseState.MERGED, 7, 2)
    assert kept.happening == gone.happening == Happening(NOW, "ann", "merged", "case 8 into case 7: one farm")


@pytest.mark.parametrize(
    ("other", "code"),
    [
        (MINE, "itself"),
        (handling.claimed(OTHER, BOB).case, "claimed"),
        (replace(OTHER, barred=("ann",)), "barred"),
        (replace(OTHER, escalated=True), "for_leads"),
        (replace(OTHER, state=CaseState.DECIDED), "decided"),
        (replace(OTHER, accounts=tuple(f"{each}" for each in range(MOST_ACCOUNTS - 1))), "too_many"),
    ],
)
def test_what_can_not_be_merged_is_told(other: Case, code: str) -> None:
    with pytest.raises(CaseStands) as caught:
        handling.merged(MINE, other, ANN, "one farm")
    assert caught.value.code == code


def test_one_case_becomes_two() -> None:
    led = replace(MINE, accounts=("a", "b", "c"), barred=("dan",), propensity=0.2, escalated=True, ref="1", version=5)
    left, made = handling.split(led, ["c", "a"], LEAD._replace(by="ann"))
    assert (left.accounts, left.version, left.claimed(NOW), left.split_from) == (("b",), 6, "ann", None)
    assert (made.number, made.accounts, made.version, made.claim) == (-1, ("a", "c"), 1, None)
    assert (made.opened, made.opened_by, made.ref, made.split_from) == (NOW, "ann", "", 7)
    for each in (left, made):  # who must not judge the one must not judge the other, and it waits for the same
        assert (each.barred, each.propensity, each.escalated, each.state) == (("dan",), 0.2, True, CaseState.OPEN)
    assert handling.splitting(7, 9, 2, "two farms") == "2 accounts of case 7 into case 9: two farms"
    assert handling.splitting(7, 9, 1, "two farms") == "1 account of case 7 into case 9: two farms"


@pytest.mark.parametrize(
    ("accounts", "code"),
    [(["z"], "not_in_case"), (["a", "z"], "not_in_case"), (["a", "b"], "all_or_none"), ([], "all_or_none")],
)
def test_what_can_not_be_split_is_told(accounts: list[str], code: str) -> None:
    with pytest.raises(CaseStands) as caught:
        handling.split(MINE, accounts, ANN)
    assert caught.value.code == code


def test_a_double_click_is_known_and_nothing_else_is_taken_for_one() -> None:
    after, happening = handling.noted(CASE, ANN, "seen")
    deed = ("noted", "seen")
    assert done_before(after, 1, "ann", deed, [happening])
    assert not done_before(after, 2, "ann", deed, [happening])  # it is what they saw: they want it again
    assert not done_before(after, 1, "bob", deed, [happening])
    assert not done_before(after, 1, "ann", ("noted", "other"), [happening])
    assert not done_before(after, 1, "ann", ("snoozed", "seen"), [happening])
    assert not done_before(after, 1, "ann", deed, [happening, Happening(NOW, "bob", "noted", "seen")])
    assert not done_before(after, 1, "ann", deed, [])


def test_the_rounds_of_a_case_are_counted() -> None:
    history = [Happening(NOW, "ann", what, "") for what in ("opened", "decided", "reopened", "decided", "reopened")]
    assert (rounds(history[:2]), rounds(history[:3]), rounds(history)) == (0, 1, 2)
