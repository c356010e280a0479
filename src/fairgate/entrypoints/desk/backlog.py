"""How far the queue will be behind: what waits, what is expected to come, and who works."""

import asyncio
from time import monotonic
from typing import Final, NamedTuple

from fairgate.casework.arrivals import WEEKS, Expected, expected
from fairgate.casework.forecast import Forecast, forecast, minutes_arriving
from fairgate.casework.rota import staffed
from fairgate.domain.access import Scope
from fairgate.domain.errors import FairgateError
from fairgate.domain.shifts import Shifts
from fairgate.domain.windows import DAY, HOUR
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.settings import Settings
from fairgate.wiring import Records

#: What a case takes where none waits.
_USUAL_MINUTES: Final = 5.0
#: Seconds for which metrics tell the same.
_FRESH: Final = 60.0
_METRICS_HOURS: Final = 7 * 24


class Outlook(NamedTuple):
    """What was found: the minutes that wait, what is expected, what is staffed, and what comes of it, hour by hour.

    They are hours of the clock, and the first began at `begins`. `anybody` is whether anybody's hours are known.
    """

    now: int
    begins: int
    waiting: float
    cases: Expected
    arriving: tuple[float, ...]
    staffed: tuple[float, ...]
    forecast: Forecast
    anybody: bool


class Backlog:
    """Looks ahead. Raises what `DeskRecords.do` raises."""

    def __init__(self, settings: Settings, records: DeskRecords) -> None:
        self._records = records
        self._appeal_minutes = settings.desk.appeal_minutes
        self._told: float | None = None
        self._looked: float | None = None
        self._looking = asyncio.Lock()

    async def outlook(self, hours: int) -> Outlook:
        """How it stands, and how it will in each of the coming hours."""
        now = self._records.clock.now()
        return await self._records.do(lambda records: _outlook(records, now, hours, self._appeal_minutes))

    async def hours_behind(self) -> float | None:
        """For metrics: how far behind in a week; None where nobody's hours are known, or records can't be read."""
        async with self._looking:
            if self._looked is None or monotonic() - self._looked >= _FRESH:
                try:
                    found = await self.outlook(_METRICS_HOURS)
                    self._told = found.forecast.hours_behind if found.anybody else None
                except (NoRecords, FairgateError, OSError):  # another metric says that they can't be
                    self._told = None
                self._looked = monotonic()
            return self._told


def _outlook(records: Records, now: int, hours: int, appeal_minutes: float) -> Outlook:
    waits, came = records.case_queue.waiting(now), records.case_queue.came(now - WEEKS * 7 * DAY - HOUR, now)
    waiting = waits.minutes + records.appeals.docket(now).open * appeal_minutes
    cases = expected(came.first, came.by_hour, now, hours)
    arriving = minutes_arriving(cases.cases, waits.minutes / waits.open if waits.open else _USUAL_MINUTES)
    everybody = _everybody(records)
    minutes = staffed(everybody, now, hours)
    known = any(each.hours for each in everybody)
    begins = now - now % HOUR
    return Outlook(now, begins, waiting, cases, arriving, minutes, forecast(waiting, arriving, minutes, begins), known)


def _everybody(records: Records) -> list[Shifts]:
    people = {each.id for each in records.people.all() if each.off is None and Scope.REVIEW in each.role.scopes}
    return [each for each in records.rota.all() if each.person in people]
