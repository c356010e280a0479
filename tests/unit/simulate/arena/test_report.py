"""What is said of runs: which pack is better, by how much, what is not known, and that it is simulated."""

import pytest

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.arena import tables, words
from fairgate.simulate.arena.figures import Estimate
from fairgate.simulate.arena.outcome import Outcome, RuleOutcome
from fairgate.simulate.arena.report import ArenaReport, compared, report_of
from tests.unit.simulate.arena.outcomes import honest, opponents, outcome

SEEDS = (1, 2, 3)


def runs(pack: str, compute: float, cost: float = 10.0, denied: int = 0, **more: object) -> list[Outcome]:
    """A pack's runs, in which opponents get about so much each day."""
    return [
        outcome(
            seed,
            pack,
            opponents={
                "farm": opponents(operators=2, daily=(compute + seed / 100,) * 4, costs=(cost,) * 4, accounts=5),
                "relay": opponents(operators=1, daily=(1.0,) * 4, costs=(1.0,) * 4, accounts=1),
            },
            honest={"hobbyist": honest(denied=denied + seed), "vpn": honest(denied=0)},
            **more,
        )
        for seed in SEEDS
    ]


def text(report: ArenaReport) -> str:
    return tables.markdown(words.TITLE, words.sections(report))


def test_the_better_pack_is_no_regression() -> None:
    report = report_of([runs("mine", 10.0), runs("theirs", 100.0)])
    assert report.comparison is not None
    assert report.comparison.worse == ()
    assert report.comparison.pairs == 3
    assert report.comparison.cut.mean == pytest.approx(1 - 11 / 101, abs=0.001)
    assert report.comparison.dearer.mean == pytest.approx(101 / 11, abs=0.05)
    assert report.comparison.archetypes["relay"]["cut"].mean == 0.0
    assert "No regression" in text(report)


@pytest.mark.parametrize(
    ("mine", "worse"),
    [
        ({"compute": 120.0}, {"opponents get more compute", "compute costs opponents less"}),
        ({"compute": 100.0, "cost": 5.0}, {"compute costs opponents less"}),
        ({"compute": 10.0, "denied": 20}, {"more honest accounts are denied"}),
    ],
)
def test_a_regression_is_what_is_worse_for_certain(mine: dict[str, float], worse: set[str]) -> None:
    found = compared(runs("mine", **mine), runs("theirs", 100.0))  # type: ignore[arg-type]
    if "denied" in mine:
        assert found.denied.mean == pytest.approx(0.1)
    assert set(found.worse) == worse
    assert "A regression" in text(report_of([runs("mine", **mine), runs("theirs", 100.0)]))  # type: ignore[arg-type]


def test_what_seeds_do_not_agree_on_is_not_certain() -> None:
    mine = [
        outcome(seed, "mine", opponents={"farm": opponents(daily=(day,) * 4, costs=(1.0,) * 4)})
        for seed, day in zip(SEEDS, (50.0, 101.0, 160.0), strict=True)
    ]
    theirs = [outcome(seed, "t", opponents={"farm": opponents(daily=(100.0,) * 4, costs=(1.0,) * 4)}) for seed in SEEDS]
    assert compared(mine, theirs).worse == ()


def test_archetypes_left_out_are_told_apart() -> None:
    [pack] = report_of([runs("mine", 9.0)], ["relay"]).packs
    assert pack.left_out["abusive_dollars"].mean == 4.0
    assert pack.tuned["abusive_dollars"].mean == pytest.approx(36.08)
    assert pack.all["abusive_dollars"].mean == pytest.approx(40.08)
    page = text(report_of([runs("mine", 9.0)], ["relay"]))
    assert "| relay * |" in page
    assert "left out when the pack was tuned" in page
    assert "left out" not in text(report_of([runs("mine", 9.0)]))


def test_rules_have_whom_they_counted_on_and_a_half_life() -> None:
    rule = RuleOutcome(abusive={"farm": 3}, honest={"vpn": 1}, weekly=(0.5, 0.4, 0.2))
    other = RuleOutcome(abusive={"farm": 9}, honest={}, weekly=(0.1, 0.1, 0.1))
    [pack] = report_of([runs("mine", 9.0, rules={"r": rule, "other": other})]).packs
    assert [each.name for each in pack.rules] == ["other", "r"]
    assert [each.half_life for each in pack.rules] == [None, 14]
    assert pack.rules[1].abusive == {"farm": 9}
    page = text(report_of([runs("mine", 9.0, rules={"r": rule, "other": other})]))
    assert "| r | farm (9) | vpn (3) | 14 days |" in page


def test_it_is_said_to_be_simulated_and_when_it_was_stopped() -> None:
    whole, cut = text(report_of([runs("mine", 9.0)])), text(report_of([runs("mine", 9.0, days=2)]))
    assert "Simulated, not observed" in whole
    assert "fingerprint f" in whole
    assert "Stopped early" not in whole
    assert "Stopped early: runs have 2 to 2 of 4 days." in cut


def test_nothing_played_is_nothing_to_report() -> None:
    with pytest.raises(NotPlayable):
        report_of([[], []])
    assert report_of([runs("mine", 9.0), []]).comparison is None


def test_figures_are_shown_with_their_uncertainty() -> None:
    assert tables.share(Estimate(0.123, 0.1, 0.146, 3), 1) == "12.3 ±2.3 %"
    assert tables.share(Estimate(0.5, None, None, 1)) == "50 %"
    assert tables.dollars(Estimate(12345.6, 12000.0, 12691.2, 3)) == "12,346 ±346 $"
    assert tables.times(Estimate(20.0, 20.0, 20.0, 3)) == ">= 20x"
    assert tables.times(Estimate(3.21, 3.0, 3.42, 3)) == "3.2 ±0.2x"
    assert tables.price(Estimate(None, None, None, 0)) == tables.hours(None) == tables.counts([]) == "-"
    counts = [("a", 3), ("b", 2), ("c", 1), ("d", 1), ("e", 1)]
    assert tables.counts(counts) == "a (3), b (2), c (1), 2 more"
