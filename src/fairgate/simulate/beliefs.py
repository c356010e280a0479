"""What an opponent believes of its ways to go about it: learnt from what it sees, and tried by Thompson sampling.

For each way a Beta distribution of how often it goes well, from which a value is drawn each time there is a choice
(Thompson, 1933; Russo et al., 2018): what is little known is tried now and then, what fails is left. Old experience
fades, since whoever defends does not stand still either.

What happens in one way tells of those that are like it, the more so the more choices they share: what is expected of a
way is what was seen of its kin, weighted by kinship (as in continuous correlated Beta processes; Goetschalckx, Poupart
and Hoey, 2011). What is seen of the way itself soon outweighs that.
"""

from collections.abc import Callable, Iterable
from dataclasses import Field, dataclass, fields
from functools import lru_cache
from random import Random
from typing import Any, ClassVar, Final, Protocol, TypeVar

#: What everybody begins with: it has gone well in nine cases of ten, as those who sell such ways say.
_FIRST: Final = (1.8, 0.2)
#: What is left of an experience for each that comes after it.
_FADES: Final = 0.97


class Way(Protocol):
    """A way to go about it: a frozen dataclass, whose fields are the choices in it."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        ...

    def __hash__(self) -> int:
        """Equal ways have the same."""
        ...


W = TypeVar("W", bound=Way)


@lru_cache(maxsize=1 << 14)
def kinship(one: Way, other: Way) -> float:
    """How likely two ways of an archetype go alike: from 0, where they share no choice, to 1 for the same way.

    It is the square of the share of choices that they have in common. For a way is stopped for one of its choices or
    for two together; draw two of them, which may be the same one, and this is how likely the other way has both.
    """
    choices = [each.name for each in fields(one)]
    shared = sum(getattr(one, each) == getattr(other, each) for each in choices)
    return float((shared / len(choices)) ** 2)


@dataclass(slots=True)
class Belief:
    """How often something has gone well and badly, as far as it is remembered."""

    well: float = 0.0
    badly: float = 0.0

    @property
    def mean(self) -> float:
        """How likely it is thought to go well."""
        return self.well / (self.well + self.badly)

    def fade(self) -> None:
        """Something newer has come."""
        self.well *= _FADES
        self.badly *= _FADES


class Beliefs:
    """One opponent's beliefs about the ways of its archetype."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._seen: dict[frozenset[Way], Belief] = {}

    def of(self, way: Way) -> Belief:
        """What is believed of a way: what was seen of it, and what was expected before.

        Expected is what hearsay says and what was seen of its kin, each as much as it is kin. All of that together
        counts as much as hearsay alone: however much kin show, a few experiences of the way itself outweigh it.
        """
        expected, own = Belief(*_FIRST), Belief()
        for ways, seen in self._seen.items():
            found, near = (own, 1.0) if way in ways else (expected, max(kinship(way, each) for each in ways))
            found.well += near * seen.well
            found.badly += near * seen.badly
        counts = sum(_FIRST)
        return Belief(own.well + counts * expected.mean, own.badly + counts * (1.0 - expected.mean))

    def learn(self, *ways: Way, well: bool) -> None:
        """Take in how it went: one experience, of one way or of several for which it is known to be the same."""
        told = frozenset(ways)
        for others, seen in self._seen.items():
            if told & others:
                seen.fade()
        seen = self._seen.setdefault(told, Belief())
        seen.well += well
        seen.badly += not well

    def best(self, ways: Iterable[W], worth: Callable[[W, float], float]) -> tuple[W, float]:
        """The way that is worth most, and how much, if each goes well as likely as is drawn for it.

        `worth` says what a way brings at a likelihood, in dollars. Raises ValueError where there is no way.
        """
        drawn = ((way, worth(way, self._draw(way))) for way in ways)
        return max(drawn, key=lambda each: each[1])

    def _draw(self, way: Way) -> float:
        belief = self.of(way)
        return self._rng.betavariate(belief.well, belief.badly)
