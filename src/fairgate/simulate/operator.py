"""Whoever attacks for money: a purse, what they believe, and a book of what they spent and earned."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgspec

from fairgate.simulate.acts import Account, Life
from fairgate.simulate.beliefs import Beliefs
from fairgate.simulate.day_world import name_of
from fairgate.simulate.market import Market
from fairgate.simulate.play import Stage
from fairgate.simulate.world_file import Loaded, Opponent


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
    """What an opponent has to go by: the world as everybody knows it, a market, and the stage that lives are played on.

    `write` takes the entries of the books, and `ends` is when the play does.
    """

    world: Loaded
    market: Market
    stage: Stage
    write: Callable[[Entry], None]
    ends: int


class Operator:
    """One opponent. All that happens to it comes from what it sees; nothing here knows what was decided, or why."""

    def __init__(self, scene: Scene, archetype: str, spec: Opponent, number: int, rng: Random) -> None:
        self.scene = scene
        self.name = f"{archetype} {number}"
        self.archetype = archetype
        self.spec = spec
        self.rng = rng
        self.purse = spec.budget.draw(rng)
        self.skill = min(spec.skill.draw(rng), 1.0)
        self.resale = min(spec.resale.draw(rng), 1.0)
        self.beliefs = Beliefs(rng)

    def account(self, created: int, tier: str, hands: str) -> Account:
        """A new account of this opponent's."""
        return Account(name_of(self.rng, "acct"), tier, created, self.name, self.archetype, honest=False, hands=hands)

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


@dataclass(frozen=True, slots=True)
class Archetype:
    """A kind of opponents: their life, the prices that they can't do without, and their figures in a world's file."""

    about: str
    life: Callable[[Operator], Life]
    prices: tuple[str, ...]
    figures: tuple[str, ...]
