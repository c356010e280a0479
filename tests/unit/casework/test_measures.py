"""How good reviews are, worked out of looks by hand, and of a simulated team of which the truth is known."""

from collections.abc import Sequence
from random import Random

import pytest
from msgspec.structs import replace

from fairgate.casework.figures import Agreement
from fairgate.casework.measures import ENOUGH, Looked
from fairgate.domain.action import Action
from fairgate.domain.case import Outcome
from fairgate.domain.look import Gold, Kind, LookState, OneLook, Word
from fairgate.domain.windows import DAY, MINUTE
from fairgate.domain.worth import USUAL_ERRORS
from fairgate.wiring import estimate_of_errors

#: crowd-kit 1.4 asks pandas 3 for something that pandas 4 will not have.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
NOW = 1_796_000_000_000_000
BAD, BENIGN, UNKNOWN = Outcome.BAD, Outcome.BENIGN, Outcome.UNKNOWN
GRAVE, MILD = Action.BAN, Action.ALLOW


def look(
    case: int, by: str, outcome: Outcome, kind: Kind = Kind.ORDINARY, *, minutes: float = 4.0, **changes: object
) -> OneLook:
    word = Word(outcome, GRAVE if outcome is BAD else MILD, ("farm",), 0.9, "so")
    given = {"round": 0, "propensity": 1.0, **changes}
    return OneLook(
        number=case, case=case, kind=kind, made=NOW, state=LookState.DONE, by=by,
        began=NOW - int(minutes * MINUTE), ended=NOW, word=word, **given,  # type: ignore[arg-type]
    )  # fmt: skip


def twice(case: int, first: Outcome, second: Outcome, propensity: float = 1.0) -> list[OneLook]:
    """What ann decided, and bob said as well."""
    agreed = first is second
    return [look(case, "ann", first), look(case, "bob", second, Kind.DOUBLE, propensity=propensity, agreed=agreed)]


def settled(case: int, outcome: Outcome) -> OneLook:
    """What lea said where two had not said the same."""
    return look(case, "lea", outcome, round=1, settles=True)


def looked(looks: Sequence[OneLook], *gold: Gold, **changes: int) -> Looked:
    return Looked(NOW - 30 * DAY, NOW, looks, {each.case: each for each in gold}, **changes)  # type: ignore[arg-type]


def truth(case: int, outcome: Outcome) -> Gold:
    return Gold(case, outcome, NOW, "lea", "known")


def test_nothing_says_that_nothing_is_known() -> None:
    found = looked([]).measured(estimate_of_errors())
    assert (found.looks, found.agreement, found.by_reason) == (0, Agreement(None, 0), {})
    assert (found.wrong.share, found.wrong.at_most, found.wrong.decisions) == (None, None, 0)
    assert (found.reviewers, found.handling) == ([], [])
    assert found.notes == [
        "Agreement rests on 0 cases: too few to say anything.",
        "The share of wrong decisions rests on 0 cases: too few to say anything.",
    ]


def test_the_share_of_wrong_decisions_by_hand() -> None:
    # Of 100 decisions, four were drawn with 1 in 20, one of which a lead found wrong; two were sure to be looked at, of
    # which one was wrong: (1 / .05 + 1) / 100.
    looks = [each for case in range(3) for each in twice(case, BENIGN, BENIGN, 0.05)]
    looks += [*twice(3, BENIGN, BAD, 0.05), settled(3, BAD)]
    looks += [*twice(4, BAD, BENIGN), settled(4, BENIGN), *twice(5, BAD, BENIGN), settled(5, BAD)]
    looks += [look(case, "ann", BENIGN) for case in range(6, 100)]
    wrong = looked(looks).measured(None).wrong
    assert (wrong.decisions, wrong.checked, wrong.open) == (100, 6, 0)
    assert wrong.share == wrong.at_most == pytest.approx(0.21)
    assert wrong.error == pytest.approx((0.95 / 0.05**2) ** 0.5 / 100)


def test_what_is_not_settled_is_left_out_and_told() -> None:
    found = looked([*twice(1, BAD, BENIGN), look(2, "ann", BAD)], waiting=2).measured(None)
    assert (found.wrong.decisions, found.wrong.checked, found.wrong.open) == (2, 0, 3)
    assert (found.wrong.share, found.wrong.at_most) == (None, 0.5)
    assert "3 cases still to be settled: the share of wrong decisions lacks them." in found.notes


def test_agreement_is_of_those_who_did_not_know_of_each_other() -> None:
    looks = [*twice(1, BAD, BAD), *twice(2, BENIGN, BENIGN), *twice(3, BAD, BENIGN), settled(3, BENIGN)]
    looks += [look(4, "ann", BAD), look(5, "ann", BAD), look(5, "cy", BAD, Kind.GOLD)]
    found = looked(looks).measured(None)
    assert found.agreement.cases == 4
    # Six say bad and two benign of eight, with two apart on one of four: 1 - 7 * 2 / (64 - 36 - 4) * ...
    said, apart = 8, 2.0
    assert found.agreement.alpha == pytest.approx(1 - (said - 1) * apart / (said**2 - 5**2 - 3**2))
    assert found.by_reason == {"farm": found.agreement}


def test_agreement_by_reason_tells_where_reviewers_part_ways() -> None:
    looks = twice(1, BAD, BAD) + twice(2, BENIGN, BENIGN)
    card = Word(BAD, MILD, ("card",), 1.0, "so")
    looks = [replace(each, word=replace(card, outcome=each.word.outcome)) for each in looks if each.word is not None]
    looks += twice(3, BAD, BENIGN) + twice(4, BENIGN, BAD)
    found = looked(looks).measured(None)
    assert found.by_reason["card"] == Agreement(1.0, 2)
    assert found.by_reason["farm"].alpha is not None
    assert found.by_reason["farm"].alpha < 0


def test_a_reviewer_of_whom_little_is_known_is_near_what_is_usual_and_called_so() -> None:
    looks = [look(1, "cy", BAD, Kind.GOLD)]
    [cy] = looked(looks, truth(1, BENIGN)).measured(estimate_of_errors()).reviewers
    assert (cy.name, cy.gold, cy.gold_right, cy.cases, cy.enough) == ("cy", 1, 0, 1, False)
    assert USUAL_ERRORS.wronged < cy.wronged < 0.1
    assert cy.confusion["benign"]["bad"] == pytest.approx(1.0)
    note = "Fewer than 20 cases say how these reviewers err, so their errors are mostly what is usual: cy."
    assert note in looked(looks, truth(1, BENIGN)).measured(estimate_of_errors()).notes


def test_gold_that_was_undone_counts_for_nobody() -> None:
    [cy] = looked([look(1, "cy", BAD, Kind.GOLD)]).measured(estimate_of_errors()).reviewers
    assert (cy.gold, cy.gold_right, cy.cases, cy.missed, cy.wronged) == (0, 0, 0, *USUAL_ERRORS)


def test_how_reviewers_err_is_found_from_gold_second_looks_and_leads() -> None:
    draw, looks, gold = Random(7), list[OneLook](), list[Gold]()
    rates = {"ann": 0.02, "bob": 0.3, "cy": 0.1}

    def says(by: str, true: Outcome) -> Outcome:
        wrong = draw.random() < rates[by]
        return true if not wrong else BAD if true is BENIGN else BENIGN

    for case in range(600):
        true = draw.choice([BAD, BENIGN, BENIGN])
        one, two = draw.sample(sorted(rates), 2)
        first, second = says(one, true), says(two, true)
        looks.append(look(case, one, first))
        looks.append(look(case, two, second, Kind.DOUBLE, agreed=first is second))
        if first is not second:
            looks.append(settled(case, true))
        if case % 10 == 0:
            gold.append(truth(case, true))
    found = {each.name: each for each in looked(looks, *gold).measured(estimate_of_errors()).reviewers}
    for name, rate in rates.items():
        assert found[name].wronged == pytest.approx(rate, abs=0.05)
        assert found[name].missed == pytest.approx(rate, abs=0.07)
        assert found[name].cases >= ENOUGH
        assert found[name].enough
    assert found["lea"].cases == 0  # who had the last word is not measured by it


def test_handling_time_is_told_by_reviewer_and_kind() -> None:
    looks = [look(case, "ann", BAD, minutes=float(case)) for case in range(1, 12)]
    looks += [look(20, "bob", BAD, Kind.DOUBLE, minutes=3.0)]
    found = {(each.reviewer, each.kind): each for each in looked(looks).measured(None).handling}
    assert (found["ann", Kind.ORDINARY].median, found["ann", Kind.ORDINARY].most) == (6.0, 10.0)
    assert found["", Kind.ORDINARY].looks == 11
    assert (found["bob", Kind.DOUBLE].looks, found["bob", Kind.DOUBLE].median) == (1, None)
    assert ("bob", Kind.ORDINARY) not in found


def test_what_is_cut_short_or_lacks_the_extra_is_told() -> None:
    notes = looked([], complete=False).measured(None).notes
    assert "How reviewers err is not worked out: that needs the extra `casework`." in notes
    assert "There are more looks than are taken in: ask for fewer days." in notes


def test_somebody_sees_their_own_results_and_nobody_else() -> None:
    looks = [*twice(1, BAD, BENIGN), settled(1, BENIGN), *twice(2, BAD, BAD), *twice(3, BAD, BENIGN)]
    looks += [look(4, "bob", BAD, Kind.GOLD), look(5, "bob", BENIGN, Kind.GOLD), look(6, "bob", BAD)]
    found = looked(looks, truth(4, BENIGN), truth(5, BENIGN))
    bob, ann = found.mine("bob"), found.mine("ann")
    assert (bob.decided, bob.checked, bob.wrong) == (1, 0, 0)
    assert (bob.doubles, bob.doubles_right, bob.gold, bob.gold_right) == (3, 2, 2, 1)
    assert {each.case: each.right for each in bob.results} == {1: True, 2: True, 3: None, 4: False, 5: True}
    assert (ann.decided, ann.checked, ann.wrong, ann.results) == (3, 2, 1, [])
    assert "ann" not in str(bob)
