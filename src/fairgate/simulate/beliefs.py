"""What an opponent believes of its ways to go about it: learnt from what it sees, and tried by Thompson sampling.

For each way a Beta distribution of how often it goes well, from which a value is drawn each time there is a choice
(Thompson, 1933; Russo et al., 2018): what is little known is tried now and then, what fails is left. Old experience
fades, since whoever defends does not stand still either.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random
from typing import Final

#: What everybody begins with: it has gone well in nine cases of ten, as those who sell such ways say.
_FIRST: Final = (1.8, 0.2)
#: What is left of an experience for each that comes after it.
_FADES: Final = 0.97


@dataclass(slots=True)
class Belief:
    """How often a way has gone well and badly, as far as it is remembered."""

    well: float = _FIRST[0]
    badly: float = _FIRST[1]

    @property
    def mean(self) -> float:
        """How likely it is thought to go well."""
        return self.well / (self.well + self.badly)


class Beliefs:
    """One opponent's beliefs, by the name of a way."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._of: dict[str, Belief] = {}

    def of(self, way: str) -> Belief:
        """What is believed of a way."""
        return self._of.setdefault(way, Belief())

    def learn(self, way: str, *, well: bool) -> None:
        """Take in how it went."""
        belief = self.of(way)
        belief.well = _FADES * belief.well + well
        belief.badly = _FADES * belief.badly + (not well)

    def best(self, ways: Iterable[str], worth: Callable[[str, float], float]) -> tuple[str, float]:
        """The way that is worth most, and how much, if each goes well as likely as is drawn for it.

        `worth` says what a way brings at a likelihood, in dollars. Raises ValueError where there is no way.
        """
        drawn = ((way, worth(way, self._draw(way))) for way in ways)
        return max(drawn, key=lambda each: each[1])

    def _draw(self, way: str) -> float:
        belief = self.of(way)
        return self._rng.betavariate(belief.well, belief.badly)
