"""Before a rule goes live: whom it hurts, what opponents do next, and whether the gain lasts."""

import pytest

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.arena import foresee
from fairgate.simulate.arena.outcome import Outcome, RuleOutcome
from fairgate.simulate.arena.tables import markdown
from tests.unit.simulate.arena.outcomes import honest, opponents, outcome

SEEDS = (1, 2, 3)
FARM = {"operators": 2, "costs": (10.0,) * 4}


def without() -> list[Outcome]:
    ways = ({"cheap": 9}, {"cheap": 8, "dear": 2})
    return [
        outcome(
            seed, opponents={"farm": opponents(daily=(100.0 + seed,) * 4, ways=ways, **FARM)},
            honest={"hobbyist": honest(), "vpn": honest(denied=1)},
        )
        for seed in SEEDS
    ]  # fmt: skip


def with_rules() -> list[Outcome]:
    ways = ({"cheap": 5, "dear": 4}, {"cheap": 1, "dear": 9})
    fired = {"new_rule": RuleOutcome(abusive={"farm": 4}, honest={"vpn": 2}, weekly=(0.4,))}
    return [
        outcome(
            seed, "with", opponents={"farm": opponents(daily=(20.0, 20.0, 60.0, 60.0), left=1, ways=ways, **FARM)},
            honest={"hobbyist": honest(), "vpn": honest(denied=3, challenged=5)}, rules=fired,
        )
        for seed in SEEDS
    ]  # fmt: skip


def test_what_is_foreseen() -> None:
    found = foresee.foreseen(["new_rule", "sleeper"], without(), with_rules())
    assert ([each.name for each in found.rules], found.silent) == (["new_rule"], ("sleeper",))
    assert found.hurt["vpn"]["denied"].mean == pytest.approx(0.02)
    assert found.hurt["vpn"]["challenged"].mean == pytest.approx(0.05)
    assert found.hurt["hobbyist"]["denied"].mean == 0.0
    assert found.hurt["all"]["denied"].mean == pytest.approx(0.01)
    farm = found.answers["farm"]
    assert farm.first.mean == pytest.approx(1 - 20 / 102, abs=0.001)
    assert farm.second.mean == pytest.approx(1 - 60 / 102, abs=0.001)
    assert farm.cost_before.mean == pytest.approx(10 / 102, abs=0.001)
    assert farm.cost.mean == pytest.approx(10 / 60)
    assert farm.left.mean == 0.5
    assert farm.ways == {"cheap": (0.8, 0.1), "dear": (0.2, 0.9)}
    assert found.faded.mean is not None
    assert found.faded.mean == pytest.approx(1 - (1 - 60 / 102) / (1 - 20 / 102), abs=0.001)


def test_in_words() -> None:
    page = markdown("t", foresee.sections(foresee.foreseen(["new_rule", "sleeper"], without(), with_rules())))
    assert "Simulated, not observed" in page
    assert "Never fired: sleeper." in page
    assert "| vpn | 2.00 ±0.00 % | 5.00 ±0.00 % |" in page
    assert "| hobbyist |" not in page  # nobody of them is hurt
    assert "| farm | cheap | 80 % | 10 % |" in page


def test_a_rule_without_gain_has_none_that_lasts() -> None:
    page = markdown("t", foresee.sections(foresee.foreseen(["r"], without(), without())))
    assert "There is no gain that could last." in page


def test_without_pairs_nothing_is_foreseen() -> None:
    with pytest.raises(NotPlayable):
        foresee.foreseen(["r"], without(), [outcome(9)])
