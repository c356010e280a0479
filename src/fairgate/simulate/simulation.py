"""A world that is played: its honest people, its opponents, its market and its company, from the first day on."""

from collections.abc import Callable, Iterator
from functools import partial
from random import Random
from typing import Final, TypeAlias

import msgspec

from fairgate.domain.errors import NotPlayable
from fairgate.domain.windows import DAY
from fairgate.simulate.acts import Act, Life
from fairgate.simulate.honest.people import SEGMENTS, births, people
from fairgate.simulate.market import Market
from fairgate.simulate.models import MODELS
from fairgate.simulate.operator import Entry, Operator, Scene
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.play import Stage
from fairgate.simulate.scarcity import Gate, Scarcity
from fairgate.simulate.service import Decide, Done, Reviewed, Service
from fairgate.simulate.victims import Victims
from fairgate.simulate.world_file import Known, Loaded

#: Told of all that happens: acts, reviews, and what opponents write in their books.
Told: TypeAlias = Callable[[Done | Reviewed | Entry], None]
KNOWN: Final = Known(
    segments=tuple(SEGMENTS),
    challenges=("person", "company", "intruder"),
    opponents={name: (each.prices, each.figures) for name, each in archetypes().items()},
    models=tuple(each.name for each in MODELS),
)


class Simulation:
    """A world from its first day on, for so many days. The same arguments and decisions give the same play.

    `decide` decides on each event, `told` is told of everything. `operators` are all opponents.
    """

    def __init__(self, world: Loaded, days: int, seed: int, decide: Decide, told: Told) -> None:
        self.world = world
        self.days = days
        self.seed = seed
        spec = world.world
        self._told = told
        self._service = Service(spec, Random(f"{seed} service"), decide, self._tell)
        self._stage = Stage(self._service.do)
        honest = people(world, days, seed)
        self._stage.add(births(honest, world, seed))
        victims = Victims(honest, self._stage, spec.service.notice_hours, Random(f"{seed} victims"))
        market = Market(spec.price, Random(f"{seed} market"))
        scene = Scene(world, market, self._stage, victims, told, self.ends)
        self.operators = tuple(
            Operator(scene, kind, opponent, number, Random(f"{seed} {kind} {number}"))
            for kind, opponent in spec.opponent.items()
            for number in range(opponent.operators)
        )
        self._by_name = {each.name: each for each in self.operators}
        lives = archetypes()
        self._stage.add((world.begins, partial(lives[each.archetype].life, each)) for each in self.operators)

    def _tell(self, each: Done | Reviewed) -> None:
        """Opponents pay those who solve challenges for them."""
        self._told(each)
        if isinstance(each, Done) and each.cost and each.act.abuse:
            self._by_name[each.act.actor.name].pay("challenges", each.cost, each.act.time)

    def make_scarce(self, scarcity: Scarcity) -> Gate:
        """Let compute be scarce from the first day on; what comes of that, the gate tells."""
        gate = Gate(scarcity, self.seed, sorted(self._by_name), self._turn, self._look_at)
        self._service.put_behind(gate)
        return gate

    def _turn(self, act: Act, served: bool) -> None:  # noqa: FBT001 - as the gate calls it
        """Somebody who has waited is served, or not, and goes on."""
        self._stage.resume(act, self._service.turn(act, served=served))

    def _look_at(self, time: int, life: Callable[[], Life]) -> None:
        self._stage.add([(time, life)])

    @property
    def ends(self) -> int:
        """When it ends, in microseconds since 1970."""
        return self.world.begins + self.days * DAY

    def play(self) -> Iterator[int]:
        """Play it a day at a time; after each, yields how many acts there have been."""
        acts = 0
        for day in range(1, self.days + 1):
            acts += self._stage.play(self.world.begins + day * DAY)
            yield acts


def sampled(world: Loaded, honest: int) -> Loaded:
    """A world with fewer people in it, and as many fewer opponents and things in the market; one of a kind at least.

    Its fingerprint says so. Raises `NotPlayable` for more people than the world has.
    """
    spec = world.world
    if not 1 <= honest <= spec.honest:
        raise NotPlayable(f"{honest:,} honest accounts can't be sampled from the {spec.honest:,} of {spec.name}.")
    share = honest / spec.honest

    def fewer(count: int) -> int:
        return max(1, round(count * share)) if count else 0

    smaller = msgspec.structs.replace(
        spec,
        honest=honest,
        opponent={
            name: msgspec.structs.replace(
                each, operators=max(1, round(each.operators * share)) if each.operators else 0
            )
            for name, each in spec.opponent.items()
        },
        price={name: msgspec.structs.replace(each, supply=each.supply * share) for name, each in spec.price.items()},
    )
    return Loaded(smaller, f"{world.digest}/{honest}")


def repriced(world: Loaded, factor: float) -> Loaded:
    """A world in which everything that opponents buy costs so many times as much. Its fingerprint says so."""
    prices = {
        name: msgspec.structs.replace(each, low=each.low * factor, high=each.high * factor)
        for name, each in world.world.price.items()
    }
    return Loaded(msgspec.structs.replace(world.world, price=prices), f"{world.digest}*{factor:g}")
