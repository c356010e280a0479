"""A farmer of free credits: earns where nobody minds, changes its ways where somebody does, and leaves in the end."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from fairgate.domain.action import Action
from fairgate.domain.event import Event
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder
from fairgate.simulate.market import Market
from fairgate.simulate.operator import Entry, Operator, Scene
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.play import Stage
from fairgate.simulate.service import Done, Reviewed, Service, Verdict
from fairgate.simulate.world_file import Loaded
from fairgate.wiring import load_checked
from tests.unit.simulate.worlds import world_of

Decides = Callable[[dict[str, object], int], Action]


@dataclass
class Campaign:
    """What a farmer did in some weeks, and its book."""

    book: list[Entry] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    purse: float = 0.0

    @property
    def ways(self) -> list[str]:
        return [each.note for each in self.book if each.what == "tries"]

    @property
    def served(self) -> float:
        return sum(each.act.dollars for each in self.done if each.seen.served)


def farmed(world: Loaded, decides: Decides, days: int = 60, seed: int = 1) -> Campaign:
    found = Campaign()

    def told(each: Done | Reviewed) -> None:
        if isinstance(each, Done):
            found.done.append(each)

    def decide(raw: bytes, time: int) -> Verdict:
        return Verdict(decides(json.loads(raw), time))

    stage = Stage(Service(world.world, Random(seed), decide, told).do)
    market = Market(world.world.price, Random(f"{seed} market"))
    scene = Scene(world, market, stage, found.book.append, world.begins + days * DAY)
    archetype = archetypes()["credit_farm"]
    mine = Operator(scene, "credit_farm", world.world.opponent["credit_farm"], 0, Random(f"{seed} farm"))
    had = mine.purse
    stage.add([(world.begins, lambda: archetype.life(mine))])
    stage.play(scene.ends)
    found.purse = mine.purse
    assert mine.purse == pytest.approx(had + sum(each.dollars for each in found.book))
    return found


def nobody_minds(_event: dict[str, object], _time: int) -> Action:
    return Action.ALLOW


def no_throwaway_mail(event: dict[str, object], _time: int) -> Action:
    data = event["data"]
    assert isinstance(data, dict)
    bad = event["type"] == "account.signup" and not str(data["email"]).endswith(("gmail.com", "outlook.com"))
    return Action.BAN if bad else Action.ALLOW


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def test_the_door_takes_what_a_farmer_does(world: Loaded) -> None:
    decoder, sent = Decoder(load_checked("ai_api"), 0), Counter[str]()

    def decides(event: dict[str, object], time: int) -> Action:
        taken = decoder.single(json.dumps(event).encode(), time)
        assert isinstance(taken, Event), taken
        sent[taken.type] += 1
        return Action.ALLOW

    farmed(world, decides, days=10)
    assert set(sent) == {
        "account.signup", "account.verified", "credits.granted", "key.created", "api.request", "credits.spent",
    }  # fmt: skip


def test_where_nobody_minds_it_pays(world: Loaded) -> None:
    found = farmed(world, nobody_minds)
    assert sum(each.dollars for each in found.book) > 100
    assert len(found.ways) > 10
    assert "leaves" not in {each.what for each in found.book}
    assert all(not each.act.account.honest and each.act.account.kind == "credit_farm" for each in found.done)
    drained = Counter[str]()
    for each in found.done:
        drained[each.act.account.name] += each.act.dollars  # type: ignore[assignment]
    assert max(drained.values()) < 2 * 5.0  # of what was given, and the request that went beyond


def test_a_way_that_fails_is_left_for_one_that_does_not(world: Loaded) -> None:
    found = farmed(world, no_throwaway_mail)
    late = found.ways[len(found.ways) // 2 :]
    kept = [each for each in late if "bought mailboxes" in each]
    assert len(kept) > 0.8 * len(late)
    assert farmed(world, nobody_minds).served > 0
    early = [each for each in found.ways[:4] if "throwaway" in each]
    assert early


def test_where_nothing_pays_it_leaves_and_says_why(world: Loaded) -> None:
    found = farmed(world, lambda event, _: Action.BAN if event["type"] == "account.signup" else Action.ALLOW, days=300)
    assert found.served == 0
    [left] = [each for each in found.book if each.what == "leaves"]
    assert left.note in {"no way pays any more", "the purse is empty"}
    assert found.book[-1].time <= left.time + 4 * DAY
    assert all(each.dollars <= 0 for each in found.book)


def test_the_same_seed_gives_the_same_book(world: Loaded) -> None:
    assert farmed(world, no_throwaway_mail, days=20).book == farmed(world, no_throwaway_mail, days=20).book
    assert farmed(world, no_throwaway_mail, days=20).book != farmed(world, no_throwaway_mail, days=20, seed=2).book


def test_a_banned_account_costs_and_brings_what_was_drained_until_then(world: Loaded) -> None:
    seen = Counter[str]()

    def decides(event: dict[str, object], _time: int) -> Action:
        data = event["data"]
        assert isinstance(data, dict)
        seen[str(data["account"])] += event["type"] == "api.request"
        return Action.BAN if seen[str(data["account"])] > 5 else Action.ALLOW

    found = farmed(world, decides, days=15)
    sold = [each.dollars for each in found.book if each.what == "sells"]
    assert sold
    assert max(sold) < max(each.dollars for each in farmed(world, nobody_minds, days=15).book)
