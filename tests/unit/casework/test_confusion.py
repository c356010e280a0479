"""Dawid and Skene's model finds who errs how, and what is true, from what simulated reviewers said."""

import subprocess
import sys
from random import Random

import pytest

from fairgate.casework.confusion import Confusion, Said, confusion, errors_of
from fairgate.domain.worth import USUAL_ERRORS, Errors

#: crowd-kit 1.4 asks pandas 3 for something that pandas 4 will not have.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning")
RATES = {"ada": Errors(0.02, 0.02), "bo": Errors(0.25, 0.05), "cy": Errors(0.05, 0.2), "di": Errors(0.1, 0.1)}
CASES = 1_500


def said_by_all(draw: Random) -> tuple[dict[str, str], list[Said]]:
    truth = {str(number): draw.choice(["bad", "honest", "honest"]) for number in range(CASES)}
    said = []
    for case, true in truth.items():
        for who in draw.sample(sorted(RATES), 3):
            wrong = draw.random() < (RATES[who].missed if true == "bad" else RATES[who].wronged)
            other = "honest" if true == "bad" else "bad"
            said.append(Said(case, who, other if wrong else true))
    return truth, said


def test_reviewers_errors_and_the_truth_are_found() -> None:
    truth, said = said_by_all(Random(1))
    gold = {case: true for case, true in truth.items() if int(case) % 10 == 0}
    found = confusion(said, gold)
    rates = errors_of(said, found, "bad", "honest")
    for who in RATES:
        missed, wronged = (
            [each.outcome != true for each in said if each.reviewer == who and truth[each.case] == true]
            for true in ("bad", "honest")
        )
        really = (sum(missed) / len(missed), sum(wronged) / len(wronged))
        assert rates[who] == pytest.approx(really, abs=0.025)
        for of in found.reviewers[who].values():
            assert sum(of.values()) == pytest.approx(1)
    right = sum(max(found.truth[case], key=found.truth[case].__getitem__) == true for case, true in truth.items())
    assert right / CASES > 0.96
    assert all(found.truth[case][true] == pytest.approx(1) for case, true in gold.items())


def test_gold_alone_tells_how_one_reviewer_errs() -> None:
    draw = Random(2)
    truth = {str(number): "bad" if number % 2 else "honest" for number in range(400)}
    wrong = {"bad": 0.3, "honest": 0.1}
    swap = {"bad": "honest", "honest": "bad"}
    said = [Said(case, "eli", swap[true] if draw.random() < wrong[true] else true) for case, true in truth.items()]
    assert errors_of(said, confusion(said, truth), "bad", "honest")["eli"] == pytest.approx((0.28, 0.1), abs=0.04)


def test_little_seen_is_near_the_usual() -> None:
    said = [Said("1", "new", "bad"), Said("2", "new", "honest")]
    rates = errors_of(said, confusion(said, {"1": "honest", "2": "bad"}), "bad", "honest")["new"]
    assert rates.missed == pytest.approx((1 + 20 * USUAL_ERRORS.missed) / 21, abs=1e-6)
    assert rates.wronged == pytest.approx((1 + 20 * USUAL_ERRORS.wronged) / 21, abs=1e-6)


def test_nothing_said_tells_nothing() -> None:
    found = confusion([], {"1": "bad"})
    assert found == Confusion({}, {})
    assert errors_of([], Confusion({}, {}), "bad", "honest") == {}
    # Gold of a case nobody saw, and of an outcome nobody named, is let go by.
    assert confusion([Said("1", "ada", "bad")], {"2": "bad", "1": "unheard"}).truth == {"1": {"bad": 1.0}}


def test_nothing_else_needs_the_extra() -> None:
    check = (
        "import sys; sys.modules.update(dict.fromkeys(['crowdkit', 'ortools', 'pandas', 'sklearn']));"
        "import fairgate.casework.greedy, fairgate.casework.looks, fairgate.casework.purity, fairgate.casework.reserve;"
        "import fairgate.casework.agreement, fairgate.casework.forecast, fairgate.simulate.review.figures"
    )
    subprocess.run([sys.executable, "-c", check], check=True)
