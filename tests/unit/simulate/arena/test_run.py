"""A run is the same again from its seed, sees the real pack, and stops when it is told to."""

from pathlib import Path

import msgspec
import pytest

from fairgate.simulate.arena.outcome import Outcome
from fairgate.simulate.arena.run import Game, run
from fairgate.simulate.scarcity import Scarcity
from fairgate.simulate.world_file import Loaded
from fairgate.wiring import load_checked
from tests.unit.simulate.worlds import world_of

DAYS = 10


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def played(world: Loaded, pack: str = "ai_api", days: int = DAYS, seed: int = 1) -> Outcome:
    return run(Game(world, load_checked(pack), days, seed))


def timeless(found: Outcome) -> Outcome:
    return msgspec.structs.replace(found, seconds=0.0)


def test_the_same_game_has_the_same_outcome(world: Loaded) -> None:
    one = timeless(played(world))
    assert timeless(played(world)) == one
    assert timeless(played(world, seed=2)) != one
    assert one.days == one.asked == DAYS
    assert one.fingerprint == world.digest


def test_the_same_people_meet_every_pack(world: Loaded) -> None:
    peaceful = Loaded(msgspec.structs.replace(world.world, opponent={}, honest=60), "")
    mine, theirs = played(peaceful), played(peaceful, "baseline")
    assert {kind: (each.accounts, each.requests, each.daily) for kind, each in mine.honest.items()} == {
        kind: (each.accounts, each.requests, each.daily) for kind, each in theirs.honest.items()
    }
    assert mine.pack.startswith("ai_api")
    both = played(world), played(world, "baseline")
    assert [{kind: each.operators for kind, each in one.opponents.items()} for one in both] == [
        {kind: each.operators for kind, each in world.world.opponent.items()}
    ] * 2
    assert both[0].rules.keys().isdisjoint(both[1].rules)


def test_it_stops_when_it_is_told_to_and_says_how_far_it_was(world: Loaded) -> None:
    told: list[tuple[int, int]] = []

    def go_on(days: int, events: int) -> bool:
        told.append((days, events))
        return days < 3

    found = run(Game(world, load_checked("baseline"), DAYS, 1), go_on)
    assert [days for days, _ in told] == [1, 2, 3]
    assert told[-1][1] == found.events
    assert (found.days, found.asked) == (3, DAYS)
    assert all(not any(each.daily[3:]) for each in found.opponents.values())


def test_what_is_watched_is_all_that_happens(world: Loaded) -> None:
    seen: list[object] = []
    found = run(Game(world, load_checked("baseline"), 3, 1), watch=lambda _: seen.append)
    sent = [each for each in seen if getattr(each, "event", "")]
    assert len(sent) == found.events


def test_an_outcome_goes_to_json_and_back(world: Loaded, tmp_path: Path) -> None:
    found = played(world, days=3)
    (tmp_path / "run.json").write_bytes(msgspec.json.encode(found))
    assert msgspec.json.decode((tmp_path / "run.json").read_bytes(), type=Outcome) == found


def test_scarce_compute_changes_who_is_served_and_nothing_where_there_is_plenty(world: Loaded) -> None:
    def scarce(dollars: float, *, fair: bool) -> Outcome:
        game = Game(world, load_checked("baseline"), DAYS, 1, Scarcity(dollars, fair=fair, links=1.0))
        return run(game)

    plenty = scarce(1e6, fair=True)
    assert plenty.scarce is not None
    as_ever = played(world, "baseline")
    assert (plenty.opponents, plenty.honest) == (as_ever.opponents, as_ever.honest)
    assert plenty.scarce.honest.served == pytest.approx(plenty.scarce.honest.asked)
    honest = sum(each.compute for each in as_ever.honest.values())
    little = (honest + sum(each.compute for each in as_ever.opponents.values())) / DAYS / 24
    shares, queue = scarce(little, fair=True), scarce(little, fair=False)
    assert shares.scarce is not None
    assert queue.scarce is not None
    assert shares.pack.endswith("fair shares")
    assert queue.pack.endswith("first come, first served")
    assert (shares.scarce.capture or 0) < (queue.scarce.capture or 0)
    assert timeless(scarce(little, fair=True)) == timeless(shares)
