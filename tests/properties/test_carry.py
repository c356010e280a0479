"""Profiles survive a change of pack in a log that has lost its beginning."""

import pytest
from hypothesis import given, settings

from fairgate.kernel.rows import Rows
from tests.properties import carry_checks
from tests.properties.carry_cases import Handover, handovers


@settings(max_examples=200)
@given(handovers())
def test_profiles_survive(handover: Handover) -> None:
    carry_checks.profiles_survive(Rows, handover)


@pytest.mark.parametrize("check", carry_checks.ALONE, ids=lambda check: check.__name__)
def test_of_any_rows(check: carry_checks.Check) -> None:
    check(Rows)
