"""Two weeks of honest people of every segment, for the tests of what they do."""

from collections.abc import Callable
from pathlib import Path
from random import Random

import msgspec

from fairgate.domain.windows import DAY
from fairgate.simulate.honest.people import SEGMENTS, births, people
from fairgate.simulate.play import Stage
from fairgate.simulate.service import ALLOWED, Done, Reviewed, Service, Verdict
from fairgate.simulate.world_file import Loaded, Range, Segment
from tests.unit.simulate.worlds import world_of

DAYS = 14
COMPANIES = ("start_up", "enterprise", "agent", "agency")


def everybody(folder: Path, honest: int = 120) -> Loaded:
    """A world in which every segment is as large as the others."""
    loaded = world_of(folder)
    segments = {
        kind: Segment(share=1 / len(SEGMENTS), daily=Range(low=10, high=10), days=0.5 if kind not in COMPANIES else 1.0)
        for kind in SEGMENTS
    }
    service = msgspec.structs.replace(loaded.world.service, trial_dollars=Range(low=0.5, high=0.5))  # soon used up
    world = msgspec.structs.replace(loaded.world, honest=honest, segment=segments, growth=0.3, service=service)
    return Loaded(world, loaded.digest)


def lived(
    world: Loaded, decide: Callable[[bytes, int], Verdict] = lambda _raw, _time: ALLOWED, seed: int = 1
) -> list[Done]:
    """Everything that is done in two weeks."""
    told: list[Done | Reviewed] = []
    service = Service(world.world, Random(seed), decide, told.append)
    stage = Stage(service.do)
    stage.add(births(people(world, DAYS, seed), world, seed))
    stage.play(world.begins + DAYS * DAY)
    return [each for each in told if isinstance(each, Done)]
