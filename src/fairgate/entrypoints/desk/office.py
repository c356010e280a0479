"""What the desk's routes work with, and who may use them."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, TypeAlias

from fastapi import Depends, Request

from fairgate.domain.access import Granted, Scope
from fairgate.entrypoints.access import Access, Denied
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.audit import Audit
from fairgate.entrypoints.desk.bulk import BulkDesk
from fairgate.entrypoints.desk.bulk_runner import BulkRunner
from fairgate.entrypoints.desk.hearing import Hearing
from fairgate.entrypoints.desk.jobs import Jobs
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.upkeep import Upkeep
from fairgate.entrypoints.desk.workers import Workers
from fairgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Office:
    """All that a request may need."""

    settings: Settings
    access: Access
    audit: Audit
    workers: Workers
    jobs: Jobs
    upkeep: Upkeep
    meters: Meters
    records: DeskRecords
    door: AtTheDoor
    hearing: Hearing
    bulk: BulkDesk
    bulk_runner: BulkRunner

    async def audited(self, granted: Granted, kind: str, query: str) -> str:
        """Note a query that is about to run, and return its id in the audit file. Raises `DeskUnwritable`."""
        query_id, personal = secrets.token_hex(8), Scope.PERSONAL in granted.scopes
        await asyncio.to_thread(self.audit.asked, query_id, granted.by, granted.key, kind, query, personal=personal)
        return query_id


def office_of(request: Request) -> Office:
    """The office that the application was made with."""
    office: Office = request.app.state.office
    return office


Desk: TypeAlias = Annotated[Office, Depends(office_of)]


def needs(scope: Scope) -> Callable[[Request], Awaitable[Granted]]:
    """A dependency that lets those in whose API key has `scope`."""

    async def granted(request: Request) -> Granted:
        header = request.headers.get("authorization")
        verdict = office_of(request).access.check(header.encode("latin-1") if header is not None else None, scope)
        if isinstance(verdict, Denied):
            raise Refusal(verdict.status, verdict.code, verdict.reason, headers=verdict.headers)
        return verdict

    return granted
