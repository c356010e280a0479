"""Whoever attacks for money: a purse, what they believe, what they own, and a book of what they spent and earned."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any, Final, Generic, TypeVar

import msgspec

from fairgate.domain.windows import DAY
from fairgate.simulate.acts import Account, Actor, Life, Wait
from fairgate.simulate.beliefs import Beliefs, Way
from fairgate.simulate.identities import name_of
from fairgate.simulate.market import Market
from fairgate.simulate.play import Stage
from fairgate.simulate.victims import Victims
from fairgate.simulate.world_file import Loaded, Opponent

#: Looks in a row at ways of which none pays, a day apart, until an opponent leaves.
_GIVES_UP: Final = 3
#: Days over which the opponents of a world come to know of it.
_COME: Final = 10


class Entry(msgspec.Struct, frozen=True, gc=False):
    """A line of an operator's book: what was paid for (below zero) or brought in, in dollars, or what was decided."""

    time: int
    operator: str
    archetype: str
    what: str
    dollars: float = 0.0
    note: str = ""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an opponent has to go by: the world as everybody knows it, a market, victims, and the stage of all lives.

    `write` takes the entries of the books, and `ends` is when the play does.
    """

    world: Loaded
    market: Market
    stage: Stage
    victims: Victims
    write: Callable[[Entry], None]
    ends: int


T = TypeVar("T")


class Stock(Generic[T]):
    """Things of one kind that an operator uses again and again, as a browser profile or a line, until they wear out.

    `make` gets a new one, and pays for it; each serves `most` times. One that is thought to be known is dropped by the
    skilled, while others go on with it: so they come back as partly the same.
    """

    def __init__(self, make: Callable[[int], T], most: int, rng: Random, skill: float) -> None:
        self._make = make
        self._most = most
        self._rng = rng
        self._skill = skill
        self._now: tuple[T, int] | None = None

    def take(self, now: int) -> T:
        """One for a new use."""
        if self._now is None or self._now[1] >= self._most:
            self._now = self._make(now), 0
        thing, uses = self._now
        self._now = thing, uses + 1
        return thing

    def burnt(self, thing: T) -> None:
        """An account that used it, or one equal to it, was closed. Whoever is skilled doesn't use it again."""
        if self._now is not None and self._now[0] == thing and self._rng.random() < self._skill:
            self._now = None


class Operator:
    """One opponent. All that happens to it comes from what it sees; nothing here knows what was decided, or why."""

    def __init__(self, scene: Scene, archetype: str, spec: Opponent, number: int, rng: Random) -> None:
        self.scene = scene
        self.actor = Actor(f"{archetype} {number}", archetype, honest=False, hands=spec.hands)
        self.archetype = archetype
        self.spec = spec
        self.rng = rng
        self.purse = spec.budget.draw(rng)
        self.skill = min(spec.skill.draw(rng), 1.0)
        self.resale = min(spec.resale.draw(rng), 1.0)
        self.beliefs = Beliefs(rng)
        self._stocks: dict[str, Stock[Any]] = {}

    @property
    def name(self) -> str:
        """The operator's name."""
        return self.actor.name

    def account(self, created: int, tier: str) -> Account:
        """A new account of this opponent's."""
        return Account(name_of(self.rng, "acct"), tier, created, self.actor)

    def figure(self, name: str) -> float:
        """One of the figures that this archetype has in the world's file, drawn anew."""
        return self.spec.more[name].draw(self.rng)

    def stock(self, kind: str, make: Callable[[int], T], most: int) -> Stock[T]:
        """What this operator has of a kind, the same for all its campaigns."""
        return self._stocks.setdefault(kind, Stock(make, most, self.rng, self.skill))

    def price(self, what: str, now: int) -> float:
        """What one of a kind costs in the market now, in dollars."""
        return self.scene.market.price(what, now)

    def buy(self, what: str, count: float, now: int) -> None:
        """Buy in the market. Whoever can't afford it goes into debt, and has to stop at the next look at the purse."""
        self._book(now, what, -self.scene.market.buy(what, count, now))

    def pay(self, what: str, dollars: float, now: int) -> None:
        """Pay for something that no market sets the price of."""
        self._book(now, what, -dollars)

    def earn(self, what: str, dollars: float, now: int) -> None:
        """Bring in money."""
        self._book(now, what, dollars)

    def note(self, what: str, now: int, note: str) -> None:
        """Write down what was decided, and why, in the opponent's own words."""
        self.scene.write(Entry(now, self.name, self.archetype, what, 0.0, note))

    def _book(self, now: int, what: str, dollars: float) -> None:
        self.purse += dollars
        self.scene.write(Entry(now, self.name, self.archetype, what, dollars))


W = TypeVar("W", bound=Way)


@dataclass(frozen=True, slots=True)
class Business(Generic[W]):
    """What an archetype lives on: its ways by their words, what each is worth, and how one is gone.

    `worth` is the profit in dollars that a way promises at a time if it goes well with a likelihood. `run` begins a
    campaign in a way at a time, whose lives it adds to the stage and which teaches the beliefs how it went; it returns
    when the next may begin.
    """

    ways: Mapping[str, W]
    worth: Callable[[Operator, int, W, float], float]
    run: Callable[[Operator, W, int], int]


def business(plan: Business[W], mine: Operator) -> Life:
    """Campaign after campaign in the way that seems worth most, until none pays or the purse is empty."""
    now = mine.scene.world.begins + mine.rng.randrange(_COME * DAY)
    failed = 0
    last: W | None = None
    while True:
        yield Wait(now)
        way, worth = mine.beliefs.best(plan.ways.values(), partial(plan.worth, mine, now))
        if last is not None and way != last:
            mine.note("learns", now, f"Of late, {last.words} goes well in {mine.beliefs.of(last).mean:.0%} of cases")
        last = way
        if worth > 0 and mine.purse > 0:
            failed = 0
            mine.note("tries", now, f"{way.words}: it may bring {worth:.2f} dollars")
            now = plan.run(mine, way, now)
            continue
        failed += 1
        if failed >= _GIVES_UP or mine.purse <= 0:
            mine.note("leaves", now, "the purse is empty" if mine.purse <= 0 else "no way pays any more")
            return
        now += DAY


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of opponents: their life, the prices that they can't do without, and their figures in a world's file."""

    about: str
    life: Callable[[Operator], Life]
    prices: tuple[str, ...]
    figures: tuple[str, ...]
