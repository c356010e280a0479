"""How good reviews are, worked out in a worker process; and how reviewers err, as far as that is known."""

import asyncio
import logging
from collections.abc import Mapping
from functools import partial
from statistics import fmean
from typing import Final

import msgspec

from fairgate.casework.figures import Quality
from fairgate.domain.errors import FairgateError
from fairgate.domain.windows import DAY
from fairgate.domain.worth import USUAL_ERRORS, Errors
from fairgate.entrypoints.desk.problems import Refusal, refusal_of
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.entrypoints.desk.tasks import Measure, Refused
from fairgate.entrypoints.desk.workers import Workers
from fairgate.wiring import Records

#: Days that are looked back for how reviewers err.
WINDOW: Final = 30
#: Seconds between two times that it is worked out anew by itself, and after one that failed.
_EVERY, _AGAIN = 3_600.0, 60.0
#: Seconds that it may take: tens of thousands of looks take a few.
_PATIENCE: Final = 60.0
_log = logging.getLogger(__name__)


class Measuring:
    """Measures reviews. Raises `Refusal` where it can't be done now."""

    def __init__(self, records: DeskRecords, workers: Workers) -> None:
        self._records = records
        self._workers = workers
        self._errors: Mapping[str, Errors] = {}

    def errors(self, by: str) -> Errors:
        """How somebody errs; the usual where nothing is known of them."""
        return self._errors.get(by, USUAL_ERRORS)

    def others(self, by: str) -> Errors:
        """How everybody else errs, on average; the usual where nothing is known of anybody."""
        found = [each for name, each in self._errors.items() if name != by]
        if not found:
            return USUAL_ERRORS
        return Errors(fmean(each.missed for each in found), fmean(each.wronged for each in found))

    async def measure(self, days: int) -> bytes:
        """The `Quality` of the last days, as JSON."""
        told = await self._asked(days, None)
        if days == WINDOW:
            self.learn(msgspec.json.decode(told, type=Quality))
        return told

    async def mine(self, by: str, days: int) -> bytes:
        """What somebody may see of their own last days: a `Mine`, as JSON."""
        return await self._asked(days, by)

    def learn(self, measured: Quality) -> None:
        """Use from now on what was found of how reviewers err."""
        self._errors = {each.name: Errors(each.missed, each.wronged) for each in measured.reviewers if each.cases}

    async def run(self) -> None:
        """Work out now and then how reviewers err, until cancelled."""
        while True:
            pause = _EVERY
            try:
                if await self._records.do(partial(_looked, since=self._records.clock.now() - WINDOW * DAY)):
                    await self.measure(WINDOW)
            except NoRecords:
                pause = _AGAIN
            except (FairgateError, Refusal, OSError) as error:
                _log.warning("how reviewers err could not be worked out, and is tried again", exc_info=error)
                pause = _AGAIN
            await asyncio.sleep(pause)

    async def _asked(self, days: int, by: str | None) -> bytes:
        now = self._records.clock.now()
        answer = await self._workers.run(Measure(now - days * DAY, now, by), _PATIENCE)
        if isinstance(answer, Refused):
            raise refusal_of(answer)
        return answer[1]


def _looked(records: Records, since: int) -> bool:
    """Whether anybody has looked at a case since."""
    return bool(records.looks.done(since, 1))
