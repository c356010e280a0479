"""An opponent finds the way that pays, and leaves it when it does no longer."""

from random import Random

import pytest

from fairgate.simulate.beliefs import Beliefs

WAYS = ("quick", "slow")


def tried(beliefs: Beliefs, rng: Random, likely: dict[str, float], times: int) -> float:
    """Choose so often among ways that go well as often as given; returns the share of `slow`."""
    chosen = []
    for _ in range(times):
        way, _ = beliefs.best(WAYS, lambda way, likelihood: (10.0 if way == "quick" else 6.0) * likelihood - 1.0)
        beliefs.learn(way, well=rng.random() < likely[way])
        chosen.append(way)
    return chosen.count("slow") / times


def test_the_way_that_pays_more_is_found_and_left_when_it_pays_less() -> None:
    rng, beliefs = Random(1), Beliefs(Random(2))
    assert tried(beliefs, rng, {"quick": 0.9, "slow": 0.9}, 200) < 0.2
    assert tried(beliefs, rng, {"quick": 0.05, "slow": 0.9}, 200) > 0.7
    assert tried(beliefs, rng, {"quick": 0.95, "slow": 0.05}, 300) < 0.4


def test_what_is_little_known_is_tried() -> None:
    beliefs = Beliefs(Random(3))
    for _ in range(3):
        beliefs.learn("quick", well=True)
    found = {beliefs.best(WAYS, lambda _, likelihood: likelihood)[0] for _ in range(200)}
    assert found == set(WAYS)


def test_the_first_experiences_count_and_old_ones_fade() -> None:
    beliefs = Beliefs(Random(4))
    assert beliefs.of("new").mean == pytest.approx(0.9)
    beliefs.learn("new", well=False)
    assert beliefs.of("new").mean < 0.65
    for _ in range(300):
        beliefs.learn("new", well=True)
    assert beliefs.of("new").mean > 0.99
    for _ in range(40):
        beliefs.learn("new", well=False)
    assert beliefs.of("new").mean < 0.4


def test_without_a_way_there_is_none_to_choose() -> None:
    with pytest.raises(ValueError, match="empty"):
        Beliefs(Random(5)).best((), lambda _, likelihood: likelihood)
