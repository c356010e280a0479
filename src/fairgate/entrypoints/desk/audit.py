"""What the desk puts in the audit log: queries before they run, readings before they are answered, who was refused."""

import asyncio
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from fairgate.domain.access import Granted
from fairgate.domain.audit import Doing, Kind, fingerprint, more_of
from fairgate.domain.errors import DeskUnwritable
from fairgate.domain.ledger import Subject
from fairgate.domain.reading import Sight
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.ports.audit import Sought

#: Where an older desk kept its audit log, in its folder.
DESK_FILE: Final = "audit.jsonl"
_OLD_FILES: Final = Sought(what=(Kind.OLD_FILE,))
_ALL: Final = (1 << 63) - 1
#: Who does what the desk does by itself.
DESK: Final = "fairgate desk"
_log = logging.getLogger(__name__)


class DeskAudit:
    """Appends what is done at the desk to the audit log. A row is durable when a method returns.

    Of a query the text is not kept: it may name a person, and what names a person must go when that person is erased.
    Who knows a query can prove by its hash that it was, or was not, asked. Raises `RecordsUnavailable`.
    """

    def __init__(self, records: DeskRecords) -> None:
        self._records = records

    async def asked(self, query_id: str, granted: Granted, kind: str, query: str, seen: Sight) -> None:
        """Note a query that is about to run, and whether personal values are shown."""
        print_ = fingerprint(query)
        what = Kind.ASKED_PERSONAL if seen.shown else Kind.ASKED
        more = more_of(kind=kind, sha256=print_, characters=len(query))
        await self._append(self._doing(granted, what, Subject("query", query_id), more, seen))
        _log.info("query asked", extra={"key": granted.key, "query": print_})

    async def ended(self, query_id: str, granted: Granted, status: int, rows: int) -> None:
        """Note what became of a query: a status as HTTP has it, and the rows that were given."""
        more = more_of(status=status, rows=rows)
        await self._append(self._doing(granted, Kind.ENDED, Subject("query", query_id), more))

    async def read(self, granted: Granted, about: Sequence[Subject], seen: Sight) -> None:
        """Note that somebody is about to be shown personal values of something."""
        await self._append(*(self._doing(granted, Kind.READ, each, "", seen) for each in about))

    async def refused(self, granted: Granted, kind: str, number: int, why: str) -> None:
        """Note that somebody was not allowed to decide on something; `why` is the code that was answered."""
        await self._append(self._doing(granted, Kind.REFUSED, Subject(kind, str(number)), more_of(code=why)))

    async def gold(self, granted: Granted, what: Kind, case: int, why: str) -> None:
        """Note that somebody is about to make a case gold, or to undo that."""
        now = self._records.clock.now()
        await self._append(Doing(now, granted.by, granted.key, what, Subject("case", str(case)), why))

    async def take_over(self, file: Path) -> None:
        """Let one row vouch for the file in which an older desk kept its audit log. Once: the file stays as it is.

        Raises `DeskUnwritable` where it can't be read.
        """
        more = await asyncio.to_thread(_vouching, file)
        if more and not await self._records.keep(lambda records: bool(records.audit.found(_OLD_FILES, _ALL, 1))):
            granted = Granted("", DESK, frozenset())
            await self._append(self._doing(granted, Kind.OLD_FILE, Subject("file", file.name), more))

    def _doing(self, granted: Granted, what: Kind, about: Subject, more: str, seen: Sight | None = None) -> Doing:
        now, stated = self._records.clock.now(), seen or Sight(shown=False, told="")
        return Doing(now, granted.by, granted.key, what, about, stated.why, stated.case, None, more)

    async def _append(self, *doings: Doing) -> None:
        if doings:
            await self._records.keep(lambda records: records.audit.append(doings))


def _vouching(file: Path) -> str:
    """What a row has of a file that it vouches for; empty where there is none."""
    if not file.exists():
        return ""
    try:
        with file.open("rb") as opened:
            return more_of(sha256=hashlib.file_digest(opened, "sha256").hexdigest(), bytes=file.stat().st_size)
    except OSError as error:
        raise DeskUnwritable(file, error.strerror or str(error)) from error
