"""A world that is played is the one that was meant: whatever else its file says is refused, with its line."""

from pathlib import Path
from random import Random

import pytest

from fairgate.domain.errors import BadWorld
from fairgate.domain.event import moment
from fairgate.simulate.simulation import KNOWN
from fairgate.simulate.world_file import Range, read_world
from tests.unit.simulate.worlds import TEXT, world_of

#: A world's text with two models that come out.
RELEASES = (
    TEXT
    + """
[[release]]
day = 30
model = "frontier-3"
surge = 2

[[release]]
day = 60
model = "frontier-4"
fades = 5
moves = 0.5
"""
)


def test_a_world_is_read(tmp_path: Path) -> None:
    loaded = world_of(tmp_path)
    assert f"{moment(loaded.begins):%Y-%m-%d %H:%M}" == "2026-09-07 00:00"
    assert loaded.world.price["phone"].dearer == 2
    assert loaded.world.opponent["credit_farm"].more["accounts"].high == 20


def test_whatever_is_changed_shows(tmp_path: Path) -> None:
    digest = world_of(tmp_path).digest
    assert world_of(tmp_path).digest == digest
    assert world_of(tmp_path, TEXT.replace("supply = 1000", "supply = 1001")).digest != digest
    assert world_of(tmp_path, TEXT + "# a word\n").digest != digest


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ("honest = 10", "honset = 10", "honset = 10", "there is no `honset` here"),
        ("honest = 10\n", "", "", "`honest` is missing here"),
        ("honest = 10", "honest = 0", "honest = 0", "this must be at least 1"),
        ('begins = "2026-09-07"', 'begins = "soon"', 'begins = "soon"', "`soon` is no day"),
        ('begins = "2026-09-07"', 'begins = "2026-02-30"', 'begins = "2026-02-30"', "is no day"),
        ("{ low = 200, high = 2000 }", "{ low = 200, high = 20 }", "budget", "`low` is 200, above `high`, 20"),
        ("low = 0.01\nhigh = 0.2", "low = 0.3\nhigh = 0.2", "[price.mailbox]", "`low` is 0.3, above `high`, 0.2"),
        ("{ low = 2, high = 2 }", "{ low = -2, high = 2 }", "review_hours", "this must be at least 0"),
        ("{ low = 2, high = 2 }", "{ low = 2 }", "review_hours", "`high` is missing here"),
        ("supply = 1000", "supply = 0", "supply = 0", "this must be above 0"),
        ('source = "Thomas et al. 2013"\n', "", "[price.mailbox]", "`source` is missing here"),
        ('date = "2013-08"', 'date = "once"', 'date = "once"', "`once` is no date"),
        ("[segment.hobbyist]", "[segment.hobyist]", "[segment.hobyist]", "did you mean `hobbyist`?"),
        ("share = 0.9", "share = 0.8", "", "come to 0.9, and must to 1"),
        ("[challenge.intruder]", "[challenge.thief]", "", "how a challenge goes for `intruder`"),
        ("[opponent.credit_farm", "[opponent.farm", "[opponent.farm]", "there is no such archetype"),
        ("[price.phone]", "[price.fax]", "[opponent.credit_farm]", "it buys `phone`, and no [price.phone]"),
        ("accounts = {", "acounts = {", "acounts = {", "nothing asks for it"),
        ("accounts = {", "acounts = {", "[opponent.credit_farm]", "the figure `more.accounts` is missing"),
        ("growth = 0.02", "growth = two", "", "this is not TOML"),
        ("growth = 0.02", "growth = 1.5", "growth = 1.5", "this must be at least 0 and at most 1"),
        ("refers = 0.3", "refers = 3", "refers = 3", "this must be at least 0 and at most 1"),
        ("refers = 0.3", "reffers = 0.3", "reffers = 0.3", "did you mean `refers`?"),
        ("refers = 0.3\n", "", "[habits]", "`refers` is missing here"),
        ("[habits]", "[habit]", "[habit]", "did you mean `habits`?"),
        ("[challenge.company]", "[challenge.firm]", "", "how a challenge goes for `company`"),
        ("passes = 0.5", "passes = 50", "passes = 50", "this must be at least 0 and at most 1"),
        ("days = 0.3\n", "", "[segment.hobbyist]", "`days` is missing here"),
        ("days = 0.3", "days = 0", "days = 0", "this must be above 0 and at most 1"),
        ("days = 0.3", "days = 0.3\ngrowth = -1", "growth = -1", "this must be at least 0 and at most 5"),
        ("daily = { low = 2, high = 30 }\n", "", "[segment.hobbyist]", "`daily` is missing here"),
        ("daily = { low = 2, high = 30 }", "daily = { low = 2, hi = 30 }", "daily", "there is no `hi` here"),
        ("dearer = 2", "dearer = 0.5", "dearer = 0.5", "this must be at least 1"),
        ("skill = { low = 0.2, high = 0.9 }", "skill = { low = 0.2, high = 9 }", "skill", "a share is at most 1"),
        ("resale = { low = 0.4, high = 0.6,", "resale = { low = 0.4, high = 6,", "resale", "a share is at most 1"),
        ("day = 30", "day = -1", "day = -1", "this must be at least 0"),
        ("day = 30", "day = 1.5", "day = 1.5", "where a whole number is needed"),
        ("day = 30", 'day = "2026-10-01"', "day", "where a whole number is needed"),
        ("day = 30\n", "", "[[release]]", "`day` is missing here"),
        ('model = "frontier-3"', 'model = "frontier-2"', "model", "`frontier-2` is out already"),
        ('model = "frontier-4"', 'model = "frontier-3"', "model", "`frontier-3` is out already"),
        ('model = "frontier-3"', 'model = "Frontier 3"', "model", "`Frontier 3` is no name for a model"),
        ("surge = 2", "surge = 0.5", "surge = 0.5", "this must be at least 1"),
        ("fades = 5", "fades = 0", "fades = 0", "this must be above 0"),
        ("moves = 0.5", "moves = 5", "moves = 5", "this must be at least 0 and at most 1"),
    ],
)
def test_what_cannot_be_meant_is_refused_where_it_stands(
    tmp_path: Path, old: str, new: str, line: str, words: str
) -> None:
    assert old in RELEASES
    with pytest.raises(BadWorld) as refused:
        world_of(tmp_path, RELEASES.replace(old, new))
    told = str(refused.value)
    assert words in told
    assert "world.toml" in told
    assert not line or f"| {line}" in told


def test_releases_are_read(tmp_path: Path) -> None:
    assert not world_of(tmp_path).world.release
    first, second = world_of(tmp_path, RELEASES).world.release
    assert (first.day, first.model, first.surge) == (30, "frontier-3", 2)
    assert (second.day, second.fades, second.moves) == (60, 5, 0.5)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(BadWorld, match=r"world\.toml can't be read: No such file"):
        read_world(tmp_path / "world.toml", KNOWN)


def test_a_range_is_drawn_within_its_bounds_and_by_factors() -> None:
    rng, wide = Random(1), Range(low=0.01, high=100.0)
    drawn = [wide.draw(rng) for _ in range(4_000)]
    assert min(drawn) >= 0.01
    assert max(drawn) <= 100.0
    assert 0.45 < sum(each < wide.middle for each in drawn) / 4_000 < 0.55
    assert wide.middle == pytest.approx(1.0)
    assert Range(low=3.0, high=3.0).draw(rng) == pytest.approx(3.0)
    assert 0 <= Range(low=0.0, high=2.0).draw(rng) <= 2.0
