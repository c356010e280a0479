"""What a plan is made of: skills, conflicts of interest, deadlines; and what somebody may be given."""

from msgspec.structs import replace

from fairgate.casework.plan import NEVER, Reviewer
from fairgate.casework.rota import Duty, OnDuty
from fairgate.casework.worklist import LEADS, Colleague, Fit, Item, Terms, Waits, reviewers_of, skill_of, works_of
from fairgate.domain.action import Action
from fairgate.domain.appeal import Appeal
from fairgate.domain.case import Case, Facts
from fairgate.domain.ledger import Subject
from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.domain.worth import Stake, value_per_minute

NOW = 1_796_000_000_000_000
STAKE = Stake(0.5, 10.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW)
CASE = Case(7, ("a", "b"), Facts(STAKE, reasons=("other", "card", "key")), NOW)
NEEDS = {"card": "payments", "key": "keys"}
ANN, BOB = Shifts("1", "UTC", skills=("payments",), apart=("b", "x")), Shifts("2", "UTC")
TEAM = {"1": Colleague("ann", ANN), "2": Colleague("bob", BOB, leads=True)}
DUTY = Duty(NOW, (OnDuty(ANN, NOW + HOUR), OnDuty(BOB, NOW + 2 * HOUR)), NOW + DAY)
APPEAL = Appeal(3, 1, Subject("account", "x"), "carl", NOW, "desk", NOW + 3 * DAY, "", "r")
TERMS = Terms(NEEDS, 10.0)


def test_a_case_needs_what_its_newest_reason_that_needs_something_does() -> None:
    assert skill_of(CASE, NEEDS) == "payments"
    assert skill_of(CASE, {"key": "keys"}) == "keys"
    assert skill_of(CASE, {}) == ""


def test_who_has_no_skill_for_a_case_or_knows_whose_it_is_is_not_given_it() -> None:
    assert Fit(NEEDS, frozenset({"payments"})).suits(CASE)
    assert not Fit(NEEDS, frozenset({"keys"})).suits(CASE)
    assert not Fit(NEEDS, frozenset()).suits(CASE)
    assert Fit({}, frozenset()).suits(CASE)
    assert Fit(NEEDS).suits(CASE)  # nothing is known of their skills
    assert Fit(NEEDS, frozenset()).suits(replace(CASE, escalated=True))
    assert not Fit(NEEDS, frozenset({"payments"}), frozenset({"b"})).suits(CASE)
    assert not Fit(apart=frozenset({"b"})).suits(replace(CASE, escalated=True))


def test_those_in_a_shift_have_their_minutes_and_skills() -> None:
    assert reviewers_of(DUTY, TEAM) == [
        Reviewer("ann", 60.0, frozenset({"payments"})),
        Reviewer("bob", 120.0, frozenset({LEADS})),
    ]


def test_works_are_what_waits_in_order() -> None:
    drawn = replace(CASE, number=8, accounts=("c",), barred=("dan",), propensity=0.1, escalated=True)
    works, items = works_of([CASE, drawn], [APPEAL], list(TEAM.values()), DUTY, TERMS)
    assert items == [
        Item(Waits.CASE, 7, "payments"),
        Item(Waits.CASE, 8, LEADS),
        Item(Waits.APPEAL, 3),
    ]
    assert [each.case for each in works] == [0, 1, 2]
    assert [each.barred for each in works] == [{"ann"}, {"dan"}, {"carl", "desk", "ann"}]
    assert [(each.skill, each.kept, each.minutes) for each in works] == [
        ("payments", False, 5.0),
        (LEADS, True, 5.0),
        ("", False, 10.0),
    ]
    faded = works_of([CASE], [], [], DUTY._replace(begins=NOW + HOUR), TERMS)[0][0].value
    assert faded == value_per_minute(STAKE.faded(NOW + HOUR)) < works[0].value


def test_what_is_due_before_anybody_works_again_is_due_in_this_shift() -> None:
    def due(at: int) -> int:
        return works_of([], [replace(APPEAL, due=at)], [], DUTY, TERMS)[0][0].due

    assert due(NOW + 3 * DAY) == NOW + 3 * DAY
    assert due(NOW + HOUR) == NOW + HOUR
    assert due(NOW - HOUR) == NOW - HOUR
    assert due(NOW + 5 * HOUR) == DUTY.ends == NOW + 2 * HOUR
    assert due(NOW + DAY + 9 * MINUTE) == DUTY.ends  # there is no time for it in the next
    assert due(NOW + DAY + 10 * MINUTE) == NOW + DAY + 10 * MINUTE
    assert due(NEVER + 1) == NEVER
