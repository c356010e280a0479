"""An opponent finds the way that pays, leaves it when it does no longer, and learns of ways from others like them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import TypeVar

import pytest

from fairgate.simulate.beliefs import Beliefs, Way, kinship

W = TypeVar("W", bound=Way)


@dataclass(frozen=True, slots=True)
class Alone:
    """A way that has no kin."""

    words: str


@dataclass(frozen=True, slots=True)
class Kind:
    """A way that is four choices."""

    mail: str
    line: str
    phone: bool
    slow: bool

    @property
    def words(self) -> str:
        return f"{self.mail}, {self.line}, {self.phone}, {self.slow}"


QUICK, SLOW = Alone("quick"), Alone("slow")
KINDS = [Kind(*each) for each in product(("thrown", "kept"), ("server", "home"), (False, True), (False, True))]
#: One of them, and others that share three, two, one and none of its choices.
THROWN = Kind("thrown", "server", phone=False, slow=False)
NEAR = Kind("kept", "server", phone=False, slow=False)
HALF = Kind("kept", "home", phone=False, slow=False)
FAR = Kind("kept", "home", phone=True, slow=False)
STRANGE = Kind("kept", "home", phone=True, slow=True)
HEARSAY = 0.9


def tried(beliefs: Beliefs, rng: Random, likely: dict[Alone, float], times: int) -> float:
    """Choose so often among ways that go well as often as given; returns the share of the slow one."""
    chosen = []
    for _ in range(times):
        way, _ = beliefs.best((QUICK, SLOW), lambda way, likelihood: (10.0 if way == QUICK else 6.0) * likelihood - 1.0)
        beliefs.learn(way, well=rng.random() < likely[way])
        chosen.append(way)
    return chosen.count(SLOW) / times


def after(way: Way, *seen: tuple[Way, bool], times: int = 1) -> float:
    """How likely a way is thought to go well by somebody who saw this, so often."""
    beliefs = Beliefs(Random(0))
    for _ in range(times):
        for other, well in seen:
            beliefs.learn(other, well=well)
    return beliefs.of(way).mean


def gone(ways: Sequence[W], works: Callable[[W], bool], seed: int) -> list[W]:
    """The ways that are gone, five times each, until none promises more than it costs three times in a row."""
    beliefs, rng, found, failed = Beliefs(Random(seed)), Random(f"{seed} world"), list[W](), 0
    while failed < 3 and len(found) < 100:
        way, worth = beliefs.best(ways, lambda _, likely: likely - 0.35)
        failed = 0 if worth > 0 else failed + 1
        if worth > 0:
            found.append(way)
            for _ in range(5):
                beliefs.learn(way, well=rng.random() < (0.95 if works(way) else 0.03))
    return found


def test_the_way_that_pays_more_is_found_and_left_when_it_pays_less() -> None:
    rng, beliefs = Random(1), Beliefs(Random(2))
    assert tried(beliefs, rng, {QUICK: 0.9, SLOW: 0.9}, 200) < 0.2
    assert tried(beliefs, rng, {QUICK: 0.05, SLOW: 0.9}, 200) > 0.7
    assert tried(beliefs, rng, {QUICK: 0.95, SLOW: 0.05}, 300) < 0.4


def test_what_is_little_known_is_tried() -> None:
    beliefs = Beliefs(Random(3))
    for _ in range(3):
        beliefs.learn(QUICK, well=True)
    found = {beliefs.best((QUICK, SLOW), lambda _, likelihood: likelihood)[0] for _ in range(200)}
    assert found == {QUICK, SLOW}


def test_the_first_experiences_count_and_old_ones_fade() -> None:
    beliefs, new = Beliefs(Random(4)), Alone("new")
    assert beliefs.of(new).mean == pytest.approx(HEARSAY)
    beliefs.learn(new, well=False)
    assert beliefs.of(new).mean < 0.65
    for _ in range(300):
        beliefs.learn(new, well=True)
    assert beliefs.of(new).mean > 0.99
    for _ in range(40):
        beliefs.learn(new, well=False)
    assert beliefs.of(new).mean < 0.4


def test_without_a_way_there_is_none_to_choose() -> None:
    with pytest.raises(ValueError, match="empty"):
        Beliefs(Random(5)).best((), lambda _, likelihood: likelihood)


def test_ways_are_the_more_kin_the_more_choices_they_share() -> None:
    found = [kinship(THROWN, each) for each in (STRANGE, FAR, HALF, NEAR, THROWN)]
    assert found == [0.0, 1 / 16, 4 / 16, 9 / 16, 1.0]
    assert all(kinship(one, other) == kinship(other, one) for one, other in product(KINDS, KINDS))


@pytest.mark.parametrize("well", [False, True])
def test_what_is_seen_of_one_way_tells_of_its_kin_whichever_way_it_went(well: bool) -> None:
    moved = [(after(each, (THROWN, well)) - HEARSAY) * (1 if well else -1) for each in (FAR, HALF, NEAR, THROWN)]
    assert 0 < moved[0] < moved[1] < moved[2] < moved[3]
    assert after(STRANGE, (THROWN, well), times=100) == pytest.approx(HEARSAY)


def test_kin_change_what_is_expected_as_much_as_they_are_kin() -> None:
    near = 9 / 16
    assert after(NEAR, (THROWN, False)) == pytest.approx(1.8 / (2 + near))
    assert after(NEAR, (THROWN, True)) == pytest.approx((1.8 + near) / (2 + near))
    assert after(NEAR, (THROWN, False), (THROWN, False)) == pytest.approx(1.8 / (2 + 1.97 * near))


@pytest.mark.parametrize("well", [False, True])
def test_however_much_kin_show_a_few_experiences_of_the_way_itself_outweigh_it(well: bool) -> None:
    beliefs = Beliefs(Random(6))
    for _ in range(100):
        beliefs.learn(NEAR, well=not well)
    for at in range(10):
        found = beliefs.of(THROWN)
        assert found.well + found.badly == pytest.approx(2.0 + sum(0.97**each for each in range(at)))
        beliefs.learn(THROWN, well=well)
    assert abs(beliefs.of(THROWN).mean - well) < 0.2


def test_what_was_seen_of_a_way_itself_stays_whatever_kin_show() -> None:
    beliefs = Beliefs(Random(6))
    for _ in range(20):
        beliefs.learn(THROWN, well=False)
    before = beliefs.of(THROWN)
    for _ in range(200):
        beliefs.learn(NEAR, well=True)
    now = beliefs.of(THROWN)
    assert now.badly == pytest.approx(before.badly, abs=0.2)
    assert before.mean < now.mean < 0.15


def test_what_is_the_same_for_several_ways_is_one_experience() -> None:
    beliefs = Beliefs(Random(7))
    beliefs.learn(THROWN, NEAR, well=False)
    assert beliefs.of(THROWN).mean == beliefs.of(NEAR).mean == pytest.approx(after(THROWN, (THROWN, False)))
    assert beliefs.of(HALF).mean == pytest.approx(after(HALF, (NEAR, False)))  # by the nearer of the two, once


def test_what_comes_of_several_ways_fades_as_any_of_them_is_gone_again() -> None:
    beliefs = Beliefs(Random(8))
    one, other, third = (Alone(each) for each in ("one", "other", "third"))
    beliefs.learn(one, other, well=False)
    beliefs.learn(third, well=True)
    assert beliefs.of(other).badly == pytest.approx(0.2 + 1.0)
    beliefs.learn(one, well=True)
    assert beliefs.of(other).badly == pytest.approx(0.2 + 0.97)
    assert beliefs.of(one).badly == pytest.approx(0.2 + 0.97)


def test_where_nothing_goes_who_learns_from_kin_is_gone_sooner() -> None:
    alone = [Alone(each.words) for each in KINDS]
    soon = [len(gone(KINDS, lambda _: False, seed)) for seed in range(12)]
    late = [len(gone(alone, lambda _: False, seed)) for seed in range(12)]
    assert sum(soon) < 0.7 * sum(late)
    assert max(soon) < 100


def test_where_one_choice_is_stopped_the_ways_without_it_are_found() -> None:
    for seed in range(12):
        found = gone(KINDS, lambda way: way.mail == "kept", seed)
        assert len(found) == 100
        assert sum(way.mail == "thrown" for way in found) < 20


def test_the_one_way_that_goes_is_mostly_found_though_all_its_kin_fail() -> None:
    found = [gone(KINDS, lambda way: way == FAR, seed) for seed in range(30)]
    stayed = [each for each in found if len(each) == 100]
    assert len(stayed) > 0.7 * len(found)
    assert all(each.count(FAR) > 50 for each in stayed)


def test_where_nobody_minds_several_ways_are_gone() -> None:
    for seed in range(6):
        assert len(set(gone(KINDS, lambda _: True, seed))) > 4
