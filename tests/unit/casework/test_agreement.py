"""Krippendorff's alpha, against the examples of "Computing Krippendorff's Alpha-Reliability" (2011), and by hand."""

from itertools import combinations
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.casework import agreement as module
from tests.contracts.planting import Edit, planted

#: Section C of the paper: four observers of twelve units; a dot where one did not see it.
FOUR = ("123321412...", "1233224125.3", ".3332342251.", "12332441251.")
UNITS = [[each for each in unit if each != "."] for unit in zip(*FOUR, strict=True)]


def published() -> None:
    assert module.alpha(UNITS) == pytest.approx(0.743, abs=0.0005)
    assert module.alpha(zip("0100000010", "1110010000", strict=True)) == pytest.approx(0.095, abs=0.0005)
    assert module.alpha(zip("aabbdcccedda", "babbbcccEddd".lower(), strict=True)) == pytest.approx(0.692, abs=0.0005)


def test_published_examples() -> None:
    published()


@given(st.lists(st.lists(st.sampled_from("abc"), max_size=5), max_size=12))
def test_it_is_disagreement_against_chance_counted_pair_by_pair(cases: list[list[str]]) -> None:
    seen = [case for case in cases if len(case) > 1]
    said = [each for case in seen for each in case]
    chance = [one != other for one, other in combinations(said, 2)]
    if not any(chance):
        assert module.alpha(cases) is None
        return
    # Within a case each pair counts 1 / (how many spoke - 1), so that a case weighs by who spoke.
    apart = sum(sum(one != other for one, other in combinations(case, 2)) / (len(case) - 1) for case in seen)
    expected = 1 - (apart / (len(said) / 2)) / (sum(chance) / len(chance))
    assert module.alpha(cases) == pytest.approx(expected)


def test_what_cannot_be_told() -> None:
    assert module.alpha([]) is None
    assert module.alpha([["bad"], ["honest"]]) is None
    assert module.alpha([["bad", "bad"], ["bad", "bad"]]) is None
    assert module.alpha([["bad", "bad"], ["honest", "honest"]]) == 1.0


def test_chance_is_zero() -> None:
    draw = Random(1)
    found = module.alpha([[draw.choice("ab"), draw.choice("ab")] for _ in range(20_000)])
    assert found == pytest.approx(0, abs=0.03)


def test_by_reason() -> None:
    found = module.alpha_by_reason({"resale": [["a", "a"], ["b", "b"]], "credit_farm": [["a", "b"]], "seat": [["a"]]})
    assert list(found) == ["credit_farm", "resale", "seat"]
    assert found == {"credit_farm": 0.0, "resale": 1.0, "seat": None}


MUTANTS = {
    "a case seen once counts": Edit(module, "alpha", "if of < _PAIR:", "if of < 0:"),
    "a case weighs by its pairs": Edit(module, "alpha", "/ (of - 1)", ""),
    "chance is drawn with putting back": Edit(module, "alpha", "(spoken - 1)", "spoken"),
}


@pytest.mark.parametrize("mutant", MUTANTS.values(), ids=MUTANTS)
def test_mutants_are_noticed(mutant: Edit) -> None:
    with planted(mutant), pytest.raises((AssertionError, ZeroDivisionError)):
        published()
