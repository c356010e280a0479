import numpy as np

from fairgate.domain.windows import WINDOWS
from fairgate.features.plan import FeaturePlan, plan_features
from fairgate.kernel.layout import LAYOUT_NUMBER
from fairgate.kernel.program import Op
from tests.properties.feature_cases import checked_pack


def planned(*features: str) -> FeaturePlan:
    return plan_features(checked_pack(features), 5)


def test_aggregates_that_count_the_same_share_a_cell() -> None:
    plan = planned(
        'total(x, on="use", by=a, over="1h")',
        'mean(x, on="use", by=a, over="1h")',
        'total(x, on="use", by=a, over="24h")',
    )
    (family,) = plan.program.families
    assert [len(ring.folds) for ring in family.rings] == [2, 1]


def test_a_key_and_a_value_that_are_the_same_are_hashed_once() -> None:
    plan = planned('distinct(b, on="use", by=a, over="1h")', 'distinct(a, on="use", by=b, over="1h")')
    assert len(plan.types["use"].slots) == 2


def test_profiles_outlive_the_windows_of_the_same_key() -> None:
    plan = planned('since("use", by=a)', 'count("use", by=a, over="90d")')
    assert sorted(family.keep for family in plan.program.families) == [-1, WINDOWS["90d"].length]
    assert plan.longest == WINDOWS["90d"].length


def test_an_event_type_touches_only_what_it_counts_or_reads() -> None:
    checked = checked_pack(('count("use", by=a, over="1h")',))
    use, pay = plan_features(checked, 5).program.types
    assert [step.op for touch in use.touches for step in touch.steps] == [Op.FEED, Op.READ_SUM]
    assert [step.op for touch in pay.touches for step in touch.steps] == [Op.READ_SUM]


def test_rows_of_another_layout_or_secret_are_known() -> None:
    checked = checked_pack(('count("use", by=a, over="1h")',))
    one, other = plan_features(checked, 5), plan_features(checked, 6)
    assert one.program.words[0] == LAYOUT_NUMBER
    assert not np.array_equal(one.program.words, other.program.words)
    assert "salt" not in repr(one)


def test_a_pack_without_features_has_an_empty_program() -> None:
    program = planned().program
    assert (program.families, program.outs) == ((), 0)
