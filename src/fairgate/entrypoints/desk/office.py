"""What the desk's routes work with, and who may use them."""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, NamedTuple, TypeAlias

from fastapi import Depends, Header, Request

from fairgate.domain.access import Granted, Scope
from fairgate.domain.reading import PERSONAL, OpenCase, Sight, no_case, sight_of
from fairgate.entrypoints.access import Access, Denied
from fairgate.entrypoints.desk.anchoring import Anchoring
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.backlog import Backlog
from fairgate.entrypoints.desk.bulk import BulkDesk
from fairgate.entrypoints.desk.bulk_runner import BulkRunner
from fairgate.entrypoints.desk.caseroom import Caseroom
from fairgate.entrypoints.desk.challenging import Challenging
from fairgate.entrypoints.desk.front import Front
from fairgate.entrypoints.desk.hearing import Hearing
from fairgate.entrypoints.desk.jobs import Jobs
from fairgate.entrypoints.desk.judging import Judging
from fairgate.entrypoints.desk.measuring import Measuring
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.oidc import Oidc
from fairgate.entrypoints.desk.outcomes import Outcomes
from fairgate.entrypoints.desk.planning import Planning
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.second_looks import SecondLooks
from fairgate.entrypoints.desk.sessions import Sessions, SignedIn
from fairgate.entrypoints.desk.upkeep import Upkeep
from fairgate.entrypoints.desk.watch import Watch
from fairgate.entrypoints.desk.workers import Workers
from fairgate.ports.api_keys import ApiKeys
from fairgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Office:
    """All that a request may need."""

    settings: Settings
    access: Access
    audit: DeskAudit
    workers: Workers
    jobs: Jobs
    upkeep: Upkeep
    meters: Meters
    records: DeskRecords
    door: AtTheDoor
    hearing: Hearing
    keys: ApiKeys
    sessions: Sessions
    watch: Watch
    front: Front
    oidc: Oidc
    outcomes: Outcomes
    challenging: Challenging
    anchoring: Anchoring
    caseroom: Caseroom
    judging: Judging
    second_looks: SecondLooks
    measuring: Measuring
    bulk: BulkDesk
    bulk_runner: BulkRunner
    planning: Planning
    backlog: Backlog
    #: Whether a case is open that somebody names as the reason to read personal values.
    open_case: OpenCase = no_case

    async def audited(self, granted: Granted, kind: str, query: str, seen: Sight) -> str:
        """Note a query that is about to run, and return its id in the audit log. Raises `RecordsUnavailable`."""
        query_id = secrets.token_hex(8)
        await self.audit.asked(query_id, granted, kind, query, seen)
        return query_id

    def sight(self, granted: Granted, reason: str | None) -> Sight:
        """Whether a caller who states this reason, in the header for it, is shown personal values."""
        raw = None if reason is None else reason.encode("latin-1")
        return sight_of(may=Scope.PERSONAL in granted.scopes, reason=raw, open_case=self.open_case)


def office_of(request: Request) -> Office:
    """The office that the application was made with."""
    office: Office = request.app.state.office
    return office


Desk: TypeAlias = Annotated[Office, Depends(office_of)]

Reason: TypeAlias = Annotated[
    str | None,
    Header(
        alias="Fairgate-Reason",
        description="Why personal values are to be shown to a key with the scope `personal`: 3 to 300 characters,"
        " or `case 12`. It goes into the audit log.",
    ),
]


def needs(scope: Scope) -> Callable[[Request], Awaitable[Granted]]:
    """A dependency that lets those in whose API key, or whose role where they are logged in, has `scope`.

    An API key counts before a session.
    """

    async def granted(request: Request) -> Granted:
        office, header = office_of(request), request.headers.get("authorization")
        if header is None and not office.access.open and office.sessions.has_one(request):
            return _if_it_has(await office.sessions.signed_in(request), scope)
        verdict = office.access.check(header.encode("latin-1") if header is not None else None, scope)
        if isinstance(verdict, Denied):
            raise Refusal(verdict.status, verdict.code, verdict.reason, headers=verdict.headers)
        request.state.granted = verdict  # for whoever notes a refusal
        return verdict

    return granted


def _if_it_has(signed: SignedIn, scope: Scope) -> Granted:
    if signed.must_enrol:
        what = f"the role {signed.person.role} needs one-time codes: take some by POST /v1/session/totp"
        raise Refusal(403, "codes_needed", what)
    if scope not in signed.granted.scopes:
        raise Refusal(403, "scope_missing", f"this needs the scope {scope}, which the role {signed.person.role} lacks")
    return signed.granted


async def _signed_in(request: Request) -> SignedIn:
    """Lets in who is logged in, whatever their role."""
    return await office_of(request).sessions.signed_in(request)


Signed: TypeAlias = Annotated[SignedIn, Depends(_signed_in)]


class Viewer(NamedTuple):
    """Who asks, and whether they are shown personal values."""

    granted: Granted
    seen: Sight


def views(scope: Scope) -> Callable[..., Awaitable[Viewer]]:
    """As `needs`, for what has personal values: those are shown to keys with `personal` as well that state a reason."""

    async def viewer(desk: Desk, granted: Annotated[Granted, Depends(needs(scope))], reason: Reason = None) -> Viewer:
        return Viewer(granted, desk.sight(granted, reason))

    return viewer


def told_of(seen: Sight) -> dict[str, str]:
    """What the headers of an answer tell of whether personal values are shown."""
    return {PERSONAL: seen.told} if seen.told else {}
