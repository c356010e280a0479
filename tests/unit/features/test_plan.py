from dataclasses import replace

import numpy as np

from fairgate.domain.windows import WINDOWS
from fairgate.features.plan import FeaturePlan, plan_features
from fairgate.kernel.layout import LAYOUT_NUMBER
from fairgate.kernel.program import Op
from tests.properties.carry_cases import Form, checked_form
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


def test_a_family_has_the_same_salt_in_every_pack_and_no_two_share_one() -> None:
    keys = ("a", "b", "k", "(a, b)", "(b, a)", "(a, k)")
    features = [
        f'{each}("use", by={key}{over})' for key in keys for each, over in (("since", ""), ("count", ', over="1h"'))
    ]

    def salts(*some: str) -> dict[str, int]:
        program = planned(*some).program
        found = {}
        for text in some:
            [family] = planned(text).program.families
            assert family.salt in {each.salt for each in program.families}
            found[text] = family.salt
        return found

    one, other = salts(*features), salts(*reversed(features))
    assert one == other
    assert len(set(one.values())) == len(features)


def test_a_key_that_became_personal_makes_another_family() -> None:
    form = Form(('since("use", by=a)', 'since("use", by=b)'))
    public, personal = (
        {family.salt for family in plan_features(checked_form(each), 5).program.families}
        for each in (form, replace(form, personal=frozenset("a")))
    )
    assert len(public & personal) == 1


def test_profiles_are_told_with_their_place() -> None:
    is_new, since = 'is_new(s, on="use", by=a)', 'since("use", by=a)'
    time = 'last(time, on="use", by=a)'
    plan = planned('count("use", by=a, over="1h")', 'first(x, on="use", by=a)', is_new, since, time)
    assert {text: (each.family, each.is_set, each.target) for text, each in plan.profiles.items()} == {
        'first(x, on="use", by=a)': (1, False, 0), is_new: (1, True, 0), since: (1, False, 1), time: (1, False, 1)
    }  # fmt: skip
