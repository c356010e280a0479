"""Who was not let in, or refused, in the audit log: what is tried again and again does not fill it.

Of what somebody tries, the first time stands there, the second, the fourth, and so on, each with how many times it was
by then; after an hour it is the first time again. So whoever tries something a million times gets twenty rows.
"""

import asyncio
import logging
from collections import deque
from typing import Final

from fastapi import Request

from fairgate.domain.access import Granted
from fairgate.domain.audit import Doing, Kind, more_of
from fairgate.domain.errors import FairgateError
from fairgate.domain.ledger import Subject
from fairgate.domain.people import PERSON, Person
from fairgate.domain.windows import HOUR
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords

#: Codes of refusals that are noted, where it is known who was refused. What a subject bars somebody from, it notes.
WATCHED: Final = frozenset({"scope_missing", "csrf", "beyond_you", "wrong_password"})
#: In the place of the id of a person whom nobody knows: a name that is tried may be a password.
UNKNOWN: Final = "unknown"
#: Seconds between two looks at what waits.
_PAUSE_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class Watch:
    """Counts what is tried, and writes down a second later, beside the answers: they take as long for everybody.

    What it counts by are people and API keys that there are. What was not written down when the process is killed is
    lost; where the records can't be used it waits.
    """

    def __init__(self, records: DeskRecords) -> None:
        self._records = records
        self._counted: dict[tuple[str, str], int] = {}
        self._since = 0
        self._waiting: deque[Doing] = deque()

    def not_let_in(self, person: Person | None) -> None:
        """Somebody tried to log in as a person, or as nobody who there is."""
        known = UNKNOWN if person is None else person.id
        self._count(("", known), Doing(self._now(), "", "", Kind.NOT_LET_IN, Subject(PERSON, known)))

    def refused(self, request: Request, refusal: Refusal) -> None:
        """A request was refused. Of the path no more is noted than what all have that are answered by its route."""
        granted: Granted | None = getattr(request.state, "granted", None)
        if granted is None or not granted.key or refusal.code not in WATCHED:
            return
        route = Subject("route", f"{request.method} {request.scope['route'].path}")
        doing = Doing(self._now(), granted.by, granted.key, Kind.REFUSED, route)
        self._count((granted.by, refusal.code), doing, code=refusal.code)

    async def run(self) -> None:
        """Write down what waits, until cancelled, and once more then."""
        failing = False
        try:
            while True:
                await asyncio.sleep(_PAUSE_SECONDS)
                try:
                    await self.write()
                except FairgateError:
                    if not failing:
                        _log.exception("who was refused can't be written down; it is tried again until it can")
                    failing = True
                else:
                    failing = False
        finally:
            await self.write()

    async def write(self) -> None:
        """Write down what waits. Raises `RecordsUnavailable`: it waits on then."""
        waiting = list(self._waiting)
        self._waiting.clear()  # who is cancelled has handed them over: they are not written twice
        if not waiting:
            return
        try:
            await self._records.keep(lambda records: records.audit.append(waiting))
        except FairgateError:
            self._waiting.extendleft(reversed(waiting))
            raise

    def _count(self, what: tuple[str, str], doing: Doing, **facts: str) -> None:
        if doing.time - self._since >= HOUR:
            self._counted.clear()
            self._since = doing.time
        times = self._counted[what] = self._counted.get(what, 0) + 1
        if times & (times - 1) == 0:
            more = more_of(times=times, **facts)
            self._waiting.append(Doing(doing.time, doing.by, doing.key, doing.what, doing.about, more=more))

    def _now(self) -> int:
        return self._records.clock.now()
