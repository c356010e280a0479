"""The audit log's anchors: where it ends, signed, and posted to the door, whose log vouches for it from then on."""

import asyncio
import logging
from collections.abc import Callable

from fairgate.domain.access import Granted, Scope
from fairgate.domain.audit import Head, signed
from fairgate.domain.errors import AuditCut, FairgateError
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import DAY, MINUTE, SECOND
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.entrypoints.door.anchors import asked_for
from fairgate.ports.audit import Audit

#: What the desk may do at the door on its own behalf.
_OWN = Granted("", "fairgate desk", frozenset({Scope.ADMIN}))
#: The log may drop what is older than it is kept for: an anchor is posted again where nothing has changed for so long.
_AGAIN = DAY
_log = logging.getLogger(__name__)


class Anchoring:
    """Posts an anchor every so many minutes, where rows have come since the last. The door makes one at its end.

    One that can't be posted is posted later, and told once. Where the rows that the last one vouched for are not there
    any more, none is posted: an operator has to look (`fairgate audit verify`).
    """

    def __init__(self, records: DeskRecords, door: AtTheDoor, secrets: Callable[[], Secrets], minutes: float) -> None:
        self._records = records
        self._door = door
        self._secrets = secrets
        self._pause = minutes * MINUTE / SECOND
        self._last: Head | None = None
        self._posted = 0
        self._problem = ""

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(self._pause)
            await self.anchor()

    async def anchor(self) -> None:
        """Post an anchor where one is due."""
        try:
            await self._anchor()
        except NoRecords:
            return  # nothing was done yet
        except Refusal as refusal:
            self._failed(refusal.reason)
        except FairgateError as error:
            self._failed(str(error))
        else:
            self._problem = ""

    async def _anchor(self) -> None:
        head, still = await self._records.do(lambda records: _where_it_ends(records.audit, self._last))
        now = self._records.clock.now()
        if not still:
            raise AuditCut
        if not head.rows or (head == self._last and now - self._posted < _AGAIN):
            return
        await self._door.post("/v1/audit/anchors", asked_for(signed(head, self._secrets())), _OWN)
        self._last, self._posted = head, now

    def _failed(self, why: str) -> None:
        if why != self._problem:
            _log.error("the audit log is not anchored, which is tried again: %s", why)
        self._problem = why


def _where_it_ends(audit: Audit, last: Head | None) -> tuple[Head, bool]:
    """Where the audit log ends, and whether the row is still there where it ended before."""
    if last is None:
        return audit.head(), True
    rows = audit.rows(last.rows - 1, 1)
    return audit.head(), bool(rows) and Head(rows[0].number, rows[0].hash) == last
