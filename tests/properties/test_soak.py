"""The properties once more, with as many examples as an hour's patience allows."""

import pytest
from hypothesis import HealthCheck, given, settings

from fairgate.kernel.rows import Rows
from tests.properties import carry_checks, feature_checks
from tests.properties.carry_cases import Handover, handovers
from tests.properties.feature_cases import Case, cases
from tests.properties.test_features import PAUSES
from tests.properties.test_language_meaning import Moment, agree, conditions, moments

pytestmark = pytest.mark.soak
LONG = settings(max_examples=2_000, suppress_health_check=[HealthCheck.too_slow])


@LONG
@given(cases())
def test_features_agree_with_the_naive_model(case: Case) -> None:
    feature_checks.agrees_with_the_naive_model(Rows, case)


@LONG
@given(cases(), PAUSES)
def test_features_are_undisturbed(case: Case, pauses: list[feature_checks.Pause]) -> None:
    feature_checks.is_undisturbed(Rows, case, pauses)


@LONG
@given(handovers())
def test_profiles_survive(handover: Handover) -> None:
    carry_checks.profiles_survive(Rows, handover)


@LONG
@given(conditions(), moments)
def test_rules_agree_with_the_naive_interpreter(rules: list[str], seen: list[Moment]) -> None:
    agree(rules, seen)
