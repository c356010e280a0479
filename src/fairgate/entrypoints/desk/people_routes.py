"""People over HTTP: who may log in, and as what."""

from collections.abc import Callable
from typing import Annotated, Final, TypeVar

import msgspec
from fastapi import APIRouter, Depends, Path
from msgspec.structs import replace
from starlette.responses import Response

from fairgate.domain.access import Granted, Role, Scope
from fairgate.domain.audit import Doer
from fairgate.domain.errors import BadRequest, LastAdmin, NameTaken, NoSuchPerson
from fairgate.domain.event import moment
from fairgate.domain.people import Person
from fairgate.entrypoints import staff
from fairgate.entrypoints.desk.office import Desk, Office, needs
from fairgate.entrypoints.desk.people_answers import PeopleAnswer, PersonAnswer, PersonAsked, PersonChange
from fairgate.entrypoints.desk.problems import Refusal, documented
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.wiring import Records

routes = APIRouter(tags=["People"])
Admin = Annotated[Granted, Depends(needs(Scope.ADMIN))]
PersonId = Annotated[str, Path(max_length=20)]
_NO_STORE: Final = {"Cache-Control": "no-store"}
_T = TypeVar("_T")


@routes.get("/v1/people", response_model=PeopleAnswer, responses=documented(401, 403, 503))
async def everybody(desk: Desk, _: Admin) -> Response:
    """Everybody who may log in, or might once, by name. Scope `admin`."""
    found = await desk.records.do(lambda records: records.people.all())
    return _json(PeopleAnswer([_shown(each) for each in found]))


@routes.post(
    "/v1/people",
    status_code=201,
    response_model=PersonAnswer,
    responses=documented(401, 403, 409, 413, 422, 429, 503),
)
async def let_in(asked: PersonAsked, desk: Desk, granted: Admin) -> Response:
    """Let somebody in, whose role may do nothing that you may not. Scope `admin`."""
    _check_within(granted, asked.role)
    kept = None if asked.password is None else await desk.front.hash_of(asked.password, asked.name)
    doer = Doer(desk.records.clock.now(), granted.by, granted.key)
    person = staff.new_person(asked.name, asked.role, doer.at, granted.by or ANYONE, kept)
    added = await _told(desk, lambda records: staff.add(records.people, desk.keys, person, doer))
    return _json(_shown(added), 201)


@routes.patch(
    "/v1/people/{person_id}",
    response_model=PersonAnswer,
    responses=documented(401, 403, 404, 409, 413, 422, 429, 503),
)
async def change(person_id: PersonId, asked: PersonChange, desk: Desk, granted: Admin) -> Response:
    """Change somebody's role, password or codes, or whether they may log in. Scope `admin`.

    Their sessions end. Nobody changes those who may do what they themselves may not, and the last admin stays.
    """
    before = await desk.records.do(lambda records: records.people.get(person_id))
    if before is None:
        raise Refusal(404, "not_found", "there is nobody with this id", "person_id")
    kept = None if asked.password is None else await desk.front.hash_of(asked.password, before.name)
    doer = Doer(desk.records.clock.now(), granted.by, granted.key)

    def how(there: Person) -> Person:
        _check_within(granted, there.role)
        return _changed(there, asked, granted, kept, doer.at)

    return _json(_shown(await _told(desk, lambda records: records.people.change(person_id, how, doer))))


def _changed(there: Person, asked: PersonChange, granted: Granted, kept: str | None, now: int) -> Person:
    after = there
    if asked.role is not None:
        _check_within(granted, asked.role)
        after = replace(after, role=asked.role)
    if asked.active is not None:
        after = replace(after, off=None if asked.active else there.off or now)
    if kept is not None:
        if there.oidc is not None:
            raise Refusal(409, "by_oidc", "they log in by the provider of identities alone", "password")
        after = replace(after, password=kept)
    return replace(after, totp=None, totp_new=None) if asked.reset_totp else after


def _check_within(granted: Granted, role: Role) -> None:
    """Refuse to give, or to take over, more than one has: who may set a password may log in with it."""
    beyond = sorted(role.scopes - granted.scopes)
    if granted.key and beyond:
        raise Refusal(403, "beyond_you", f"the role {role} may do what you may not ({', '.join(beyond)})", "role")


async def _told(desk: Office, call: Callable[[Records], _T]) -> _T:
    """Do something with people; what can't be is a refusal."""
    try:
        return await desk.records.do(call)
    except NoSuchPerson as error:
        raise Refusal(404, "not_found", "there is nobody with this id", "person_id") from error
    except NameTaken as error:
        raise Refusal(409, "name_taken", str(error), "name") from error
    except LastAdmin as error:
        raise Refusal(409, "last_admin", str(error)) from error
    except BadRequest as error:
        raise Refusal(422, "malformed", str(error)) from error


def _shown(person: Person) -> PersonAnswer:
    return PersonAnswer(
        id=person.id,
        name=person.name,
        role=person.role,
        active=person.off is None,
        created=moment(person.created),
        created_by=person.created_by,
        has_password=person.password is not None,
        has_totp=person.totp is not None,
        by_oidc=person.oidc is not None,
    )


def _json(value: PersonAnswer | PeopleAnswer, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, _NO_STORE, "application/json")
