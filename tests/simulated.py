"""Simulated events for tests that need many of them: a world that ships, played with nobody deciding."""

from functools import cache

from fairgate.simulate.operator import Entry
from fairgate.simulate.service import ALLOWED, Done, Reviewed
from fairgate.simulate.simulation import Simulation, sampled
from fairgate.simulate.world_names import world_named


@cache
def simulated(days: int, seed: int, honest: int | None = None, world: str = "small") -> tuple[Done, ...]:
    """What is done in so many days of a world, or of a sample of it, in order of time: each an event with its truth."""
    found: list[Done] = []

    def told(each: Done | Reviewed | Entry) -> None:
        if isinstance(each, Done) and each.event:
            found.append(each)

    loaded = world_named(world)
    if honest is not None:
        loaded = sampled(loaded, honest)
    for _ in Simulation(loaded, days, seed, lambda _raw, _time: ALLOWED, told).play():
        pass
    return tuple(found)
