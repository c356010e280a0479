"""What an opponent does in some weeks of a small world, for the tests of every archetype."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY
from fairgate.simulate.honest.people import births, people
from fairgate.simulate.market import Market
from fairgate.simulate.operator import Entry, Operator, Scene
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.play import Stage
from fairgate.simulate.service import Done, Reviewed, Service, Verdict
from fairgate.simulate.victims import Victims
from fairgate.simulate.world_file import Loaded

#: Decides on an event at a time, as its sender's JSON has it.
Decides = Callable[[dict[str, object], int], Action]


@dataclass
class Campaign:
    """What an opponent did, what honest people did beside it, and its book."""

    book: list[Entry] = field(default_factory=list)
    done: list[Done] = field(default_factory=list)
    purse: float = 0.0

    @property
    def ways(self) -> list[str]:
        """The ways that were tried, in order, in words."""
        return [each.note.partition(":")[0] for each in self.book if each.what == "tries"]

    @property
    def abuse(self) -> list[Done]:
        """What the opponent did."""
        return [each for each in self.done if each.act.abuse]

    @property
    def served(self) -> float:
        """The compute that the opponent got, in dollars."""
        return sum(each.act.dollars for each in self.abuse if each.seen.served)

    @property
    def profit(self) -> float:
        """What the book comes to."""
        return sum(each.dollars for each in self.book)

    @property
    def types(self) -> Counter[str]:
        """The opponent's events by type, those that were not sent included."""
        return Counter(each.act.type for each in self.abuse)

    @property
    def left(self) -> str | None:
        """Why it left; None while it is there."""
        return next((each.note for each in self.book if each.what == "leaves"), None)


def campaign(kind: str, world: Loaded, decides: Decides, days: int = 60, seed: int = 1) -> Campaign:
    """An opponent of a kind, alone with the honest people of a world."""
    found = Campaign()

    def told(each: Done | Reviewed) -> None:
        if isinstance(each, Done):
            found.done.append(each)

    def decide(raw: bytes, time: int) -> Verdict:
        return Verdict(decides(json.loads(raw), time))

    stage = Stage(Service(world.world, Random(seed), decide, told).do)
    market = Market(world.world.price, Random(f"{seed} market"))
    honest = people(world, days, seed)
    stage.add(births(honest, world, seed))
    victims = Victims(honest, stage, world.world.service.notice_hours, Random(f"{seed} victims"))
    scene = Scene(world, market, stage, victims, found.book.append, world.begins + days * DAY)
    mine = Operator(scene, kind, world.world.opponent[kind], 0, Random(f"{seed} {kind}"))
    had = mine.purse
    stage.add([(world.begins, lambda: archetypes()[kind].life(mine))])
    stage.play(scene.ends)
    found.purse = mine.purse
    assert mine.purse == pytest.approx(had + found.profit)
    return found


def nobody_minds(_event: dict[str, object], _time: int) -> Action:
    """Allows everything."""
    return Action.ALLOW


def said(event: dict[str, object]) -> dict[str, object]:
    """An event's attributes."""
    data = event["data"]
    assert isinstance(data, dict)
    return data
