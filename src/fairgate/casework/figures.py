"""How good reviews are, in figures: to those who lead, and to everybody about themselves."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from fairgate.domain.case import Outcome
from fairgate.domain.look import Kind
from fairgate.domain.worth import Errors

#: The case and round, the reviewer, and what they said.
Saying: TypeAlias = tuple[str, str, str]


class Found(NamedTuple):
    """How one reviewer errs: how likely they say, of a truth, each outcome; and the two shares that count."""

    confusion: Mapping[str, Mapping[str, float]]
    errors: Errors


#: Estimates how reviewers err, by what they said, and what is known to be true of some of the cases.
Estimate: TypeAlias = Callable[[Sequence[Saying], Mapping[str, str]], Mapping[str, Found]]


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha, and of how many cases two or more spoke. Without `alpha` there is no telling."""

    alpha: float | None
    cases: int


@dataclass(frozen=True, slots=True)
class Wrong:
    """The share of decisions that was wrong, by what was checked, and its standard error.

    `checked` of the `decisions` were looked at twice and are settled; `open` wait for a second look or for a lead, and
    are not in the share. It would be `at_most` so much if leads found wrong all that waits for them. Without `share`
    nothing was checked.
    """

    share: float | None
    error: float | None
    at_most: float | None
    decisions: int
    checked: int
    open: int


@dataclass(frozen=True, slots=True)
class Reviewer:
    """How one reviewer did. `missed` of the bad they call benign, `wronged` of the benign bad, as far as is known.

    `cases` are those that this rests on: where there are few of them it is near what is usual. `confusion` has, by
    what is true, how likely they say each outcome.
    """

    name: str
    decided: int
    doubles: int
    gold: int
    gold_right: int
    cases: int
    missed: float
    wronged: float
    confusion: dict[str, dict[str, float]]
    enough: bool


@dataclass(frozen=True, slots=True)
class HandlingTime:
    """Minutes from claim to decision: half took at most `median`, nine in ten at most `most`. No name: everybody's."""

    reviewer: str
    kind: Kind
    looks: int
    median: float | None
    most: float | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How good reviews were. `complete` is whether all looks of the time were taken in; `notes` say what is thin."""

    since: datetime
    until: datetime
    looks: int
    complete: bool
    agreement: Agreement
    by_reason: dict[str, Agreement]
    wrong: Wrong
    reviewers: list[Reviewer]
    handling: list[HandlingTime]
    gold: list[int]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class Result:
    """What somebody said of a case that was to show how good the answers are. Without `right` that is not known yet."""

    case: int
    at: datetime
    said: Outcome
    right: bool | None


@dataclass(frozen=True, slots=True)
class Mine:
    """How somebody did themselves: second looks and gold cases, and what of their own decisions was looked at again.

    `checked` of those they `decided` are settled, and `wrong` of them were found wrong. `results` are the newest first.
    """

    since: datetime
    until: datetime
    decided: int
    checked: int
    wrong: int
    doubles: int
    doubles_right: int
    gold: int
    gold_right: int
    results: list[Result]
    handling: list[HandlingTime]
