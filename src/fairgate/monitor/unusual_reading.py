"""Who reads personal values far more often than they do by habit, and than others do."""

from collections.abc import Sequence
from statistics import median
from typing import Final, NamedTuple

from fairgate.domain.windows import DAY
from fairgate.ports.audit import Readings

#: What anybody may read within a span without being unusual.
FLOOR: Final = 20
#: How many times what is usual is unusual.
FACTOR: Final = 5
#: What is usual is looked for so far back from the span in question.
HISTORY: Final = 14 * DAY


class Unusual(NamedTuple):
    """Somebody read `times` times within a span that begins at `start`, and more than `most` is unusual for them.

    `own` is the median of their spans in which they read anything, `others` that of everybody else's.
    """

    by: str
    start: int
    times: int
    own: float
    others: float
    most: float


def unusual_readings(readings: Sequence[Readings], since: int) -> list[Unusual]:
    """What is unusual in the spans from a time on, the latest first; `readings` must go back by `HISTORY` more.

    More than `FLOOR`, and than `FACTOR` times the larger of two medians, one's own and that of all others, over the
    spans within `HISTORY` before in which anything was read. One is not told of for what all do, nor for what one has
    always done.
    """
    found = [_looked_at(each, readings) for each in readings if each.start >= since and each.times > FLOOR]
    return sorted((each for each in found if each.times > each.most), key=lambda each: (-each.start, each.by))


def _looked_at(one: Readings, readings: Sequence[Readings]) -> Unusual:
    before = [each for each in readings if one.start - HISTORY <= each.start < one.start]
    own = median([each.times for each in before if each.by == one.by] or [0])
    others = median([each.times for each in before if each.by != one.by] or [0])
    return Unusual(one.by, one.start, one.times, own, others, max(FLOOR, FACTOR * max(own, others)))
