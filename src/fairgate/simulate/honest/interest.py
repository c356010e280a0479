"""How much people want of the models: it leaps on the day on which a new one comes out, and falls back."""

from collections.abc import Iterable
from dataclasses import replace
from random import Random

from fairgate.domain.windows import DAY
from fairgate.simulate.deeds import Use
from fairgate.simulate.draws import chance
from fairgate.simulate.models import LARGE, Model, released
from fairgate.simulate.world_file import Loaded


class Interest:
    """Interest in the models of a world over time, 1 where nothing has come out lately."""

    def __init__(self, world: Loaded) -> None:
        releases = sorted(world.world.release, key=lambda each: each.day)
        self._out = tuple((world.begins + each.day * DAY, each, released(each.model)) for each in releases)

    @property
    def highest(self) -> float:
        """What it never goes above."""
        return max((each.surge for _, each, _ in self._out), default=1.0)

    def at(self, time: int) -> float:
        """How many times as much is wanted at a time as on other days."""
        wanted = 1.0
        for out, each, _ in self._out:
            left = 1.0 - (time - out) / (each.fades * DAY)
            if 0.0 < left <= 1.0:
                wanted = max(wanted, 1.0 + (each.surge - 1.0) * left)
        return wanted

    def news(self, since: int, until: int) -> Iterable[tuple[Model, float]]:
        """The models that came out after a time and up to another, each with the share of uses that go to it."""
        return ((model, each.moves) for out, each, model in self._out if since < out <= until)


def moved(use: Use, model: Model, share: float, rng: Random) -> Use:
    """A use after a model has come out: those of large models go to it in so many cases."""
    large = use.model.input_price >= LARGE.input_price
    return replace(use, model=model) if large and chance(rng, share) else use
