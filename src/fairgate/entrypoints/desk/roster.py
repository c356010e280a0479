"""What the desk knows of who reviews: their skills, whom they must not judge, and what a case needs."""

import asyncio
from collections.abc import Mapping
from time import monotonic
from types import MappingProxyType
from typing import Final

from fairgate.casework.worklist import Fit
from fairgate.domain.errors import FairgateError
from fairgate.domain.shifts import Shifts
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.terms import Terms
from fairgate.settings import Settings
from fairgate.wiring import Records

#: Seconds for which what the live pack says is not read again.
_FRESH: Final = 10.0


class Roster:
    """Says who may be given what. Raises what `DeskRecords.do` raises."""

    def __init__(self, settings: Settings, records: DeskRecords) -> None:
        self._records = records
        self._terms = Terms(settings.data)
        self._needs: Mapping[str, str] = MappingProxyType({})
        self._read: float | None = None

    async def fit(self, by: str) -> Fit:
        """What somebody may be given: of whom nothing is written down, all."""
        shifts = await self._records.do(lambda records: shifts_of(records, by))
        if shifts is None:
            return Fit()
        return Fit(await self.needs(), frozenset(shifts.skills), frozenset(shifts.apart))

    async def needs(self) -> Mapping[str, str]:
        """The skill that a reason needs, by its code, as the live pack says. Raises `Refusal`."""
        if self._read is None or monotonic() - self._read >= _FRESH:
            try:
                pack = await asyncio.to_thread(self._terms.pack)
            except FairgateError as error:
                what = "the log, which says which pack is live, can't be read: `fairgate doctor` says why"
                raise Refusal(503, "unavailable", what) from error
            self._needs = MappingProxyType({}) if pack.cases is None else pack.cases.skills
            self._read = monotonic()
        return self._needs


def shifts_of(records: Records, by: str) -> Shifts | None:
    """What is written down of whoever has a name; None for nothing, as for API keys."""
    person = records.people.named(by) if by else None
    return None if person is None else records.rota.get(person.id)


def apart_of(records: Records, by: str) -> frozenset[str]:
    """The accounts that somebody must not judge."""
    shifts = shifts_of(records, by)
    return frozenset() if shifts is None else frozenset(shifts.apart)
