"""What a backtest found, as plain values: the table, the JSON and the page are made from these."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from fairgate.domain.action import ACTIONS

_Z = 1.959963984540054  # the normal distribution's 97.5 % point
_DAY = 86_400.0
#: Below so many a day, the number over the whole span says more.
_FEW = 3
#: The least share that is written as a number, and from where on one digit after the point is dropped.
_LEAST = 0.001
_NEAR_THE_END = 0.0995
_SPACE = "\N{NO-BREAK SPACE}"
#: Intervals wider than this are told in whole percent.
_WIDE = 0.05


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `whole`, which is not 0, with Wilson's 95 % interval (1927), right for small numbers and at 0 and 1."""

    part: int
    whole: int
    value: float
    low: float
    high: float


def share(part: int, whole: int) -> Share | None:
    """The share with its interval; None of nothing."""
    if whole == 0:
        return None
    p, z2 = part / whole, _Z * _Z / whole
    middle, spread = p + z2 / 2, _Z * math.sqrt(p * (1 - p) / whole + z2 / whole / 4)
    low, high = (middle - spread) / (1 + z2), (middle + spread) / (1 + z2)
    return Share(part, whole, p, min(p, max(0.0, low)), max(p, min(1.0, high)))


@dataclass(frozen=True, slots=True)
class PackName:
    """Which pack: the digest tells two apart whatever their version says."""

    name: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Caught:
    """A number of events, how many of them are labelled, and how many of those are bad.

    `precision` is bad among the labelled ones: an event without a label is unknown, not good. `recall` is against all
    events of the same types that are labelled bad.
    """

    events: int
    labelled: int
    bad: int
    precision: Share | None
    recall: Share | None


@dataclass(frozen=True, slots=True)
class Day:
    """What happened on one UTC day of the events' own time, under the old pack and the new."""

    day: date
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Example:
    """One event. `bad` is its label, None where there is none; `why` the rule's words with this event's values."""

    source: str
    id: str
    type: str
    time: datetime
    bad: bool | None
    why: str | None


@dataclass(frozen=True, slots=True)
class Overlap:
    """Events of the new pack that this rule and another fired on, and the Jaccard index: both over either."""

    other: str
    both: int
    jaccard: float


@dataclass(frozen=True, slots=True)
class RuleResult:
    """One rule under both packs; None where a pack has no such rule.

    `differs` names what is not the same, such as "condition" or "score". `how` says where the new hits come from: what
    was recorded, the condition over recorded columns, or a replay. `alone` is the share of the new hits that no other
    rule of the new pack, but for those in shadow, fired on. `cold` of the new hits came before the rule's longest
    window had once filled; `days` counts hits.
    """

    name: str
    on: tuple[str, ...]
    status: Literal["added", "removed", "changed", "unchanged"]
    differs: tuple[str, ...]
    how: Literal["recorded", "columns", "kernel"] | None
    old_mode: str | None
    new_mode: str | None
    old: Caught | None
    new: Caught | None
    gained: Caught
    lost: Caught
    cold: int
    alone: Share | None
    overlaps: tuple[Overlap, ...]
    days: tuple[Day, ...]
    gained_examples: tuple[Example, ...]
    lost_examples: tuple[Example, ...]


@dataclass(frozen=True, slots=True)
class ActionCount:
    """On how many events each pack decides so."""

    action: str
    old: int
    new: int


@dataclass(frozen=True, slots=True)
class Interventions:
    """Decisions of `throttle` and graver: all under each pack, and those only one of them makes."""

    old: Caught
    new: Caught
    gained: Caught
    lost: Caught
    days: tuple[Day, ...]


@dataclass(frozen=True, slots=True)
class Affected:
    """Entities of one kind with an intervention under the new pack and none under the old, the most affected first."""

    entity: str
    old: int
    new: int
    newly: int
    no_longer: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """Two packs on the same history.

    `first` and `last` are event times, None without events. `recorded_with` made the recording that was read.
    `replays` says of each pack that had to be replayed why: nothing was where it is empty.
    """

    old: PackName
    new: PackName
    recorded_with: PackName
    headline: str
    events: int
    types: dict[str, int]
    first: datetime | None
    last: datetime | None
    replays: tuple[str, ...]
    labelled_bad: dict[str, int]
    rules: tuple[RuleResult, ...]
    actions: tuple[ActionCount, ...]
    interventions: Interventions
    affected: tuple[Affected, ...]
    warnings: tuple[str, ...]


def span_of(first: datetime | None, last: datetime | None) -> float:
    """How many days the events span, a part of one counted as one."""
    return max(1.0, (last - first).total_seconds() / _DAY) if first is not None and last is not None else 1.0


def headline(
    interventions: Interventions, actions: Sequence[ActionCount], affected: Sequence[Affected], days: float, noun: str
) -> str:
    """What changes, in a few plain sentences."""
    gained, lost = interventions.gained, interventions.lost
    few = any(0 < each.events / days < _FEW for each in (gained, lost))
    span = math.ceil(days)
    rate, unit = (1.0, f"in {span:,} {plural('day', span)}") if few else (days, "a day")
    parts = []
    if gained.events:
        more = f"{gained.events / rate:,.0f} more {plural(noun, gained.events)} {unit}"
        parts.append(f"would have slowed or stopped {more}{_bad(gained)}")
    if lost.events:
        fewer = f"{lost.events / rate:,.0f} {plural(noun, lost.events)} {unit}"
        parts.append(f"would have let pass {fewer} that the old pack slowed or stopped{_bad(lost)}")
    sentences = [
        f"The new pack {', and '.join(parts) or 'would have slowed or stopped the same events as the old one'}."
    ]
    grave = [each for each in actions if ACTIONS[each.action].grave]
    old, new = sum(each.old for each in grave), sum(each.new for each in grave)
    if old != new:
        sentences.append(f"Suspended or banned: {new:,}, under the old pack {old:,}.")
    newly = [f"{each.newly:,} {plural(each.entity, each.newly)}" for each in affected if each.newly]
    if newly:
        sentences.append(f"Newly affected: {', '.join(newly)}.")
    return " ".join(sentences)


def _bad(caught: Caught) -> str:
    return (
        f" ({percent(caught.precision.value)} of the {caught.labelled:,} labelled ones bad)" if caught.precision else ""
    )


def percent(value: float) -> str:
    """A share in words: `41 %`, near the ends one digit finer (`0.8 %`, `99.7 %`), and never a rounded 0 or 100."""
    if 0 < value < _LEAST:
        return f"<{_SPACE}{100 * _LEAST:g}{_SPACE}%"
    if 1 - _LEAST < value < 1:
        return f">{_SPACE}{100 - 100 * _LEAST:g}{_SPACE}%"
    digits = 1 if 0 < min(value, 1 - value) < _NEAR_THE_END else 0
    return f"{100 * value:.{digits}f}{_SPACE}%"


def bounds(value: Share) -> str:
    """A share's interval in percent: `38-44`, finer where it is narrow."""
    digits = 0 if value.high - value.low > _WIDE else 1
    return f"{100 * value.low:.{digits}f}\N{EN DASH}{100 * value.high:.{digits}f}"


def plural(noun: str, count: int) -> str:
    """An English noun for so many."""
    if count == 1:
        return noun
    return f"{noun}es" if noun.endswith(("s", "x", "ch", "sh")) else f"{noun}s"
