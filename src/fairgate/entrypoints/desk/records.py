"""The clerk's records as the desk uses them: it reads them, and keeps there what only it has."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from fairgate.backends.embedded.segment_reader import published
from fairgate.domain.bulk import BulkState
from fairgate.domain.case import CaseState
from fairgate.domain.errors import FairgateError
from fairgate.domain.look import LookState
from fairgate.domain.windows import SECOND
from fairgate.ports.appeals import Docket
from fairgate.ports.clock import Clock
from fairgate.ports.outbox import Backlog
from fairgate.settings import Settings
from fairgate.wiring import Records, existing_records, open_records

_T = TypeVar("_T")
_log = logging.getLogger(__name__)


class NoRecords(Exception):
    """There are no records yet."""


@dataclass(frozen=True, slots=True)
class RecordsReading:
    """What the desk's metrics tell of the records; `up` is whether they can be read.

    `oldest` is how many seconds ago the oldest message that waits was made, 0 for none, by receiver. `behind` is how
    many records of the log they lack, None where nobody says how long that is. `appeals` are those that are open.
    `untold` are challenges that have ended, and of which the door does not know yet, and `bulks` the states of bulk
    actions that are at work.
    """

    up: bool
    backlogs: Sequence[Backlog] = ()
    oldest: Mapping[str, float] = field(default_factory=dict)
    behind: int | None = None
    appeals: Docket = field(default_factory=Docket)
    untold: int = 0
    bulks: Sequence[BulkState] = ()


class DeskRecords:
    """The records of a data folder, which only `keep` makes. `clock` says what is now.

    They are opened for each use, which takes 5 ms: so another file in their place is seen, such as one that was
    restored. In a thread of their own: a process that closes a SQLite file lets go of its locks on it, also those of
    another connection.
    """

    def __init__(self, settings: Settings, clock: Clock) -> None:
        self.clock = clock
        self._settings = settings
        self._thread = ThreadPoolExecutor(1, "records")
        self._failing = False

    async def do(self, call: Callable[[Records], _T]) -> _T:
        """Do something with the records, in their thread. Raises `NoRecords` and `RecordsUnavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._done, call)

    async def keep(self, call: Callable[[Records], _T]) -> _T:
        """As `do`, but records that are not there yet are made. Raises `RecordsUnavailable`."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._kept, call)

    async def backlogs(self) -> list[Backlog]:
        """How it stands for every receiver that the settings have or that has letters, by name. Raises as `do`."""
        return await self.do(self._backlogs)

    async def reading(self) -> RecordsReading | None:
        """What metrics tell; None where there are no records yet."""
        try:
            found = await self.do(self._reading)
        except NoRecords:
            return None
        except (FairgateError, OSError):
            if not self._failing:
                _log.exception("the clerk's records can't be read")
            self._failing = True
            return RecordsReading(up=False)
        self._failing = False
        return found

    def _done(self, call: Callable[[Records], _T]) -> _T:
        with existing_records(self._settings.data) as records:
            if records is None:
                raise NoRecords
            return call(records)

    def _kept(self, call: Callable[[Records], _T]) -> _T:
        with open_records(self._settings.data) as records:
            return call(records)

    def _backlogs(self, records: Records) -> list[Backlog]:
        none = {name: Backlog(name, 0, 0, 0) for name in self._settings.webhook}
        found = none | {each.receiver: each for each in records.outbox.backlogs()}
        return [found[name] for name in sorted(found)]

    def _reading(self, records: Records) -> RecordsReading:
        read, end = records.ledger.read().sequence, published(self._settings.data / "log")
        backlogs, now = self._backlogs(records), self.clock.now()
        oldest = {each.receiver: max(0, now - each.oldest) / SECOND if each.oldest else 0.0 for each in backlogs}
        behind = None if end is None else max(0, end - read)
        return RecordsReading(
            up=True,
            backlogs=backlogs,
            oldest=oldest,
            behind=behind,
            appeals=records.appeals.docket(now),
            untold=records.outcomes.waiting(),
            bulks=[each.state for each in records.bulks.going()],
        )


def case_is_open(data: Path, number: int) -> bool:
    """Whether there is a case of a number that somebody is to judge. Raises `RecordsUnavailable`.

    It is open, or was given to somebody who looks at it again.
    """
    with existing_records(data) as records:
        case = None if records is None else records.cases.get(number)
        if records is None or case is None:
            return False
        looks = records.looks.of(number)
    return case.state == CaseState.OPEN or any(each.state == LookState.WAITING and each.given for each in looks)
