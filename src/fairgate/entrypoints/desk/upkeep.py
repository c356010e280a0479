"""The lake's upkeep: what the log has goes into it every few seconds; now and then it is tidied."""

import asyncio
import logging
from dataclasses import dataclass
from time import monotonic

from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.tasks import Compact, Done, Refused
from fairgate.entrypoints.desk.workers import KEEPS_UP, Worker
from fairgate.settings import Settings

#: A round takes a bounded number of records; one that takes so long hangs.
_ROUND_SECONDS = 600.0
#: Seconds between two times that small files are merged and old events removed.
_TIDY_SECONDS = 600.0
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far the lake is behind, as the last round left it. `records` is None before one has succeeded.

    `seconds` is the time since the lake last held everything; `problem` is empty where the last round went well.
    """

    records: int | None
    seconds: float
    problem: str


class Upkeep:
    """Keeps the lake in a worker process: it may take a whole core, and the desk must go on answering."""

    def __init__(self, settings: Settings, meters: Meters) -> None:
        self._pause = settings.desk.compact_seconds
        self._meters = meters
        self._worker = Worker(settings, KEEPS_UP)
        self._records: int | None = None
        self._whole = monotonic()
        self._tidied: float | None = None
        self._problem = ""

    @property
    def lag(self) -> Lag:
        """How far the lake is behind now."""
        return Lag(self._records, monotonic() - self._whole, self._problem)

    async def run(self) -> None:
        """Go round until cancelled, without a pause while there is more to take in."""
        try:
            while True:
                behind = await self._round()
                await asyncio.sleep(0 if behind else self._pause)
        finally:
            await self._worker.kill()

    async def _round(self) -> bool:
        """One round; whether there is more to take in."""
        began = monotonic()
        tidy = self._tidied is None or began - self._tidied >= _TIDY_SECONDS
        answer = await self._worker.run(Compact(tidy=tidy), _ROUND_SECONDS)
        self._meters.upkeep_seconds.observe(monotonic() - began)
        if isinstance(answer, Refused):
            self._failed(answer)
            return False
        if self._problem:
            _log.warning("the lake is kept up again")
        self._problem = ""
        if tidy:
            self._tidied = began
        return self._took_in(answer[0], began)

    def _took_in(self, done: Done, began: float) -> bool:
        self._records = done.end - done.covered
        self._meters.lake_lag_records.set(self._records)
        if not self._records:
            self._whole = began
        return self._records > 0

    def _failed(self, refused: Refused) -> None:
        self._meters.upkeep_failures.inc()
        if refused.reason != self._problem:
            _log.error("the lake can't be kept up, and is tried again", extra={"code": refused.code})
        self._problem = refused.reason
