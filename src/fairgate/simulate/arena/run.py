"""One run: a world played against a pack, from a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

from fairgate.domain.windows import DAY
from fairgate.language.checked import CheckedPack
from fairgate.simulate.arena.judge import Judge
from fairgate.simulate.arena.outcome import Outcome
from fairgate.simulate.arena.tally import Tally
from fairgate.simulate.operator import Entry
from fairgate.simulate.scarcity import Scarcity
from fairgate.simulate.service import Done, Reviewed
from fairgate.simulate.simulation import Simulation, Told
from fairgate.simulate.world_file import Loaded

#: The key of hashes and canary draws is made of a run's seed, and of this.
_SECRET = 0x_FA1B_A7E4

#: Told the days and the events so far, now and then; says whether to go on.
GoOn = Callable[[int, int], bool]


@dataclass(frozen=True, slots=True)
class Game:
    """A world that is to be played for so many days against a pack, from a seed.

    With `scarcity`, compute is scarce.
    """

    world: Loaded
    checked: CheckedPack
    days: int
    seed: int
    scarcity: Scarcity | None = None


def run(
    game: Game, go_on: GoOn = lambda _days, _events: True, watch: Callable[[Simulation], Told] | None = None
) -> Outcome:
    """Play a game; stops early where `go_on` says so.

    The same game has the same outcome but for `seconds`. `watch` gets the simulation before it begins, and what it
    returns is told of everything.
    """
    began = perf_counter()
    world, days = game.world, game.days
    judge = Judge(game.checked, _SECRET + (game.seed << 64), world)
    told: list[Told] = []

    def tell(each: Done | Reviewed | Entry) -> None:
        for one in told:
            one(each)

    simulation = Simulation(world, days, game.seed, judge.decide, tell)
    gate = simulation.make_scarce(game.scarcity) if game.scarcity is not None else None
    tally = Tally(world, days, {each.name: each.archetype for each in simulation.operators})
    told += [tally] if watch is None else [tally, watch(simulation)]
    played = 0
    for played, _ in enumerate(simulation.play(), 1):
        if not go_on(played, tally.events):
            break
    ended = world.begins + played * DAY
    return Outcome(
        world=world.world.name,
        fingerprint=world.digest,
        pack=game.checked.pack.label + (f", {game.scarcity.words}" if game.scarcity is not None else ""),
        seed=game.seed,
        days=played,
        asked=days,
        events=tally.events,
        seconds=round(perf_counter() - began, 3),
        opponents=tally.opponents(ended),
        honest=tally.honest(),
        rules=tally.rules(ended),
        reviews=tally.reviews,
        review_dollars=tally.review_dollars,
        scarce=gate.result() if gate is not None else None,
    )
