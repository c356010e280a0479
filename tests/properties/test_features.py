"""The kernel against the naive model, row by row, and what must never show in an answer."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.kernel.rows import Rows
from fairgate.pipeline.engine import Engine
from tests.properties import feature_checks
from tests.properties.feature_cases import SALT, Case, cases
from tests.properties.feature_checks import Pause, same
from tests.properties.naive_features import NaiveFeatures

EXAMPLES = settings(max_examples=200)
PAUSES = st.lists(st.builds(Pause, st.sampled_from([1, 2, 7]), st.sampled_from([0, 1, 1_000]), st.booleans()))


@EXAMPLES
@given(cases())
def test_every_row_is_what_the_naive_model_says(case: Case) -> None:
    feature_checks.agrees_with_the_naive_model(Rows, case)


@EXAMPLES
@given(cases(), PAUSES)
def test_batches_sweeps_and_snapshots_do_not_show(case: Case, pauses: list[Pause]) -> None:
    feature_checks.is_undisturbed(Rows, case, pauses)


@given(cases(), st.sampled_from([1, 7, 4_096]))
def test_the_engine_reads_what_the_naive_model_says(case: Case, batch: int) -> None:
    engine, naive = Engine(case.checked, SALT, Rows), NaiveFeatures(case.checked)
    for start in range(0, len(case.events), batch):
        events = case.events[start : start + batch]
        for event, judged in zip(events, engine.run(events), strict=True):
            values = engine.values(event.type, judged.features)
            assert same([None if value != value else value for value in values], naive.answer(event))  # noqa: PLR0124


@pytest.mark.parametrize("check", feature_checks.ALONE, ids=lambda check: check.__name__)
def test_of_any_kernel(check: feature_checks.Check) -> None:
    check(Rows)
