"""What the desk takes and gives about who reviews when, plans and the backlog, as its OpenAPI shows it."""

from dataclasses import dataclass
from datetime import date, datetime
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from fairgate.domain.shifts import DAY_MINUTES, SKILL, Hours
from fairgate.entrypoints.desk.case_answers import visible
from fairgate.ingest.identifiers import timezone
from fairgate.ingest.identifiers.value import BadValue
from fairgate.ingest.wire import LONGEST_IDENTIFIER

#: What is written down of one person, at most.
_MOST_HOURS, _MOST_SKILLS, _MOST_OFF, _MOST_APART = 50, 50, 400, 500
_LONGEST_ZONE = 64
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def _zone(text: str) -> str:
    try:
        return timezone.parse(text).value
    except BadValue as error:
        raise ValueError(str(error)) from error


def _once(values: list[str]) -> list[str]:
    if len(set(values)) < len(values):
        raise ValueError("must not have the same twice")
    return values


Clock = Annotated[str, Field(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class HoursAsked(BaseModel):
    """A time of each week at which somebody works."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    day: Annotated[Weekday, Field(description="The day of the week.", examples=["monday"])]
    begins: Annotated[Clock, Field(alias="from", description="By their own clock.", examples=["09:00"])]
    ends: Annotated[Clock, Field(alias="to", description="Later the same day; `24:00` is its end.", examples=["12:30"])]

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Check what a type can't say."""
        if self.begins >= self.ends:
            raise ValueError("a time ends after it begins: what goes over midnight is two, and the first ends at 24:00")
        return self

    @property
    def hours(self) -> Hours:
        """The same as it is kept."""
        return Hours(DAYS.index(self.day), _minute(self.begins), _minute(self.ends))


class ReviewerAsked(BaseModel):
    """When somebody reviews, and what they can do: all of it, in the place of what was known before."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zone: Annotated[
        str,
        Field(max_length=_LONGEST_ZONE, description="The time zone of their clock.", examples=["Europe/Paris"]),
        AfterValidator(_zone),
    ]
    hours: Annotated[
        list[HoursAsked], Field(max_length=_MOST_HOURS, description="When they work, breaks between two left out.")
    ]
    skills: Annotated[
        list[Annotated[str, Field(pattern=SKILL, examples=["payments"])]],
        Field(max_length=_MOST_SKILLS, description="What they know: skills that the pack's `[cases]` names."),
        AfterValidator(_once),
    ] = []
    days_off: Annotated[list[date], Field(max_length=_MOST_OFF, description="Days on which they do not work.")] = []
    apart: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=LONGEST_IDENTIFIER), AfterValidator(visible)]],
        Field(max_length=_MOST_APART, description="Accounts that they must not judge: they know whose they are."),
        AfterValidator(_once),
    ] = []

    @model_validator(mode="after")
    def fits(self) -> Self:
        """Check what a type can't say."""
        week = sorted(each.hours for each in self.hours)
        if any(one.weekday == two.weekday and two.begins < one.ends for one, two in pairwise(week)):
            raise ValueError("two of the times overlap")
        return self


@dataclass(frozen=True, slots=True)
class HoursAnswer:
    """A time of each week at which somebody works, by their own clock."""

    day: str
    begins: str
    ends: str


@dataclass(frozen=True, slots=True)
class ReviewerAnswer:
    """Somebody who reviews. Without a `zone` nothing is written down of them: they are given any case, and in no plan.

    `apart` is how many accounts they must not judge; those who lead are shown them, by `accounts_apart`.
    """

    id: str
    name: str
    leads: bool
    zone: str | None
    hours: list[HoursAnswer]
    skills: list[str]
    days_off: list[date]
    apart: int
    accounts_apart: list[str]


@dataclass(frozen=True, slots=True)
class ReviewersAnswer:
    """Everybody who may review, by name."""

    reviewers: list[ReviewerAnswer]


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """A case or an appeal in a plan, by its number.

    `drawn` was drawn by lot; `escalated` is for those who lead. `late` can't be finished by when it is due.
    """

    kind: str
    number: int
    minutes: float
    value: float
    skill: str
    escalated: bool
    drawn: bool
    due: datetime | None
    late: bool


@dataclass(frozen=True, slots=True)
class OnDutyAnswer:
    """Somebody in a shift: until when, how many minutes of it are planned, and for what, in order."""

    name: str
    until: datetime
    planned_minutes: float
    planned: list[PlannedAnswer]


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """Who looks at what in the shift that is on, or the next. Without `begins` nobody works in the next weeks.

    `planner` is `cp-sat` or `greedy`, and `why` says why it is the latter. `left` counts what is left for later, of
    which `first_left` has the first; `late` are all that can't be finished by when they are due.
    """

    made: datetime
    begins: datetime | None
    ends: datetime | None
    planner: str
    why: str
    reviewers: list[OnDutyAnswer]
    left: int
    first_left: list[PlannedAnswer]
    late: list[PlannedAnswer]


@dataclass(frozen=True, slots=True)
class HourAnswer:
    """An hour of the clock, or what is left of it: how many cases come in it.

    `arriving`, `staffed` and `waiting` are minutes of work: those that come, those that are done, and those at its end.
    """

    begins: datetime
    cases: float
    arriving: float
    staffed: float
    waiting: float


@dataclass(frozen=True, slots=True)
class BacklogAnswer:
    """How far the queue will be behind, in words and by the hour.

    `hours_behind` are hours of the whole team at the end; null where nobody is staffed and work waits. `expected` says
    what arrivals were expected from, and `known` whether that was enough.
    """

    now: datetime
    words: str
    waiting: float
    hours_behind: float | None
    known: bool
    expected: str
    hours: list[HourAnswer]


def clock(minute: int) -> str:
    """A minute of a day as a clock shows it."""
    return f"{minute // 60:02}:{minute % 60:02}"


def _minute(shown: str) -> int:
    hour, _, minute = shown.partition(":")
    return min(60 * int(hour) + int(minute), DAY_MINUTES)
