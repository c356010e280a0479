"""Who reviews when: the shift that is on or comes next, and how many minutes are staffed in each hour."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, NamedTuple

from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.ingest.identifiers.timezone import zone_of

#: How far ahead somebody is looked for who works: over all of somebody's week, and a holiday.
AHEAD: Final = 28 * DAY
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_ONE_DAY: Final = timedelta(days=1)


class Span(NamedTuple):
    """A time in which somebody works without a break, in microseconds since 1970."""

    begins: int
    ends: int


class OnDuty(NamedTuple):
    """Somebody who works in a shift from its beginning on, and until when."""

    shifts: Shifts
    until: int


class Duty(NamedTuple):
    """The shift that is on, or the next: when it begins (now, where it is on), and who works then.

    It ends when the last of them goes; `again` is when somebody works after that, who may follow at once.
    """

    begins: int
    people: tuple[OnDuty, ...]
    again: int

    @property
    def ends(self) -> int:
        """When the last of them goes."""
        return max(each.until for each in self.people)


def spans(shifts: Shifts, begins: int, ends: int) -> list[Span]:
    """When somebody works within a time: one span after the other, with a break between any two."""
    zone, found = zone_of(shifts.zone), list[Span]()
    day, last = (_local(at, shifts.zone) for at in (begins - DAY, ends))
    while day <= last:
        midnight = datetime.combine(day, time(), zone)
        if day not in shifts.off:
            found += (
                Span(_at(midnight, hours.begins), _at(midnight, hours.ends))
                for hours in shifts.hours
                if hours.weekday == day.weekday()
            )
        day += _ONE_DAY
    return _within(_joined(found), begins, ends)


def duty(everybody: Iterable[Shifts], now: int) -> Duty | None:
    """The shift that is on, or the next; None where nobody works for weeks.

    Whoever begins later than the others is not in it: plans are made anew when they come.
    """
    works = [(each, found) for each in everybody if (found := spans(each, now, now + AHEAD))]
    if not works:
        return None
    begins = min(found[0].begins for _, found in works)
    people = tuple(OnDuty(each, found[0].ends) for each, found in works if found[0].begins == begins)
    ends = max(each.until for each in people)
    again = (max(each.begins, ends) for _, found in works for each in found if each.ends > ends)
    return Duty(begins, people, min(again, default=now + AHEAD))


def staffed(everybody: Sequence[Shifts], now: int, hours: int) -> tuple[float, ...]:
    """How many minutes all work in each hour of the clock, from the one that is now on: of that, in its rest."""
    minutes, first = [0.0] * hours, now - now % HOUR
    for each in everybody:
        for span in spans(each, now, first + hours * HOUR):
            for hour in range((span.begins - first) // HOUR, -((first - span.ends) // HOUR)):
                begins = first + hour * HOUR
                minutes[hour] += (min(span.ends, begins + HOUR) - max(span.begins, begins)) / MINUTE
    return tuple(minutes)


def _local(at: int, zone: str) -> date:
    return (_EPOCH + at * _MICROSECOND).astimezone(zone_of(zone)).date()


def _at(midnight: datetime, minute: int) -> int:
    """When a clock on the wall shows so many minutes after midnight; one that it skips is the moment of skipping."""
    shown = midnight + timedelta(minutes=minute)
    return (shown - _EPOCH) // _MICROSECOND


def _joined(found: list[Span]) -> list[Span]:
    """The spans in order; what follows without a break, or overlaps where clocks are changed, is one."""
    whole: list[Span] = []
    for span in sorted(found):
        if whole and span.begins <= whole[-1].ends:
            whole[-1] = Span(whole[-1].begins, max(whole[-1].ends, span.ends))
        elif span.ends > span.begins:
            whole.append(span)
    return whole


def _within(found: list[Span], begins: int, ends: int) -> list[Span]:
    cut = (Span(max(span.begins, begins), min(span.ends, ends)) for span in found)
    return [span for span in cut if span.ends > span.begins]
