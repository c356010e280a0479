"""Which person it is whom the provider of identities knows."""

from typing import Final

from msgspec.structs import replace

from fairgate.domain.access import Role
from fairgate.domain.audit import Doer
from fairgate.domain.errors import BadRequest, NameTaken
from fairgate.domain.people import Person
from fairgate.entrypoints import staff
from fairgate.entrypoints.desk.oidc import Known
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.ports.api_keys import ApiKeys
from fairgate.ports.people import People

#: Who lets in, binds and changes those who come by the provider.
_OIDC: Final = "oidc"


def admitted(people: People, keys: ApiKeys, known: Known, now: int) -> Person:
    """Whoever has come back from the provider, as they are from now on. Raises `Refusal`, `LastAdmin`.

    It is who came as the same before; or else somebody whom an admin let in by this name to log in by the provider,
    and who has not done so yet; or else somebody new, where the provider gives them a role. Who was let in by that has
    the role that the provider gives them now, and none without one. Nobody is ever taken for somebody with a password.
    """
    doer = Doer(now, _OIDC)
    person = people.known_as(known.oidc) or _expected(people, known, doer) or _new(people, keys, known, doer)
    if person is None or person.off is not None:
        raise _not_let_in()
    if not person.mapped or known.role == person.role:
        return person
    if known.role is None:
        raise _not_let_in()
    role: Role = known.role
    return people.change(person.id, lambda there: replace(there, role=role), doer)


def _expected(people: People, known: Known, doer: Doer) -> Person | None:
    person = people.named(known.name) if known.name else None
    if person is None:
        return None

    def bind(there: Person) -> Person:
        if there.password is not None or there.oidc is not None or there.off is not None:
            raise _not_let_in()
        return replace(there, oidc=known.oidc)

    return people.change(person.id, bind, doer)


def _new(people: People, keys: ApiKeys, known: Known, doer: Doer) -> Person | None:
    if known.name is None or known.role is None:
        return None
    person = replace(staff.new_person(known.name, known.role, doer.at, _OIDC), oidc=known.oidc, mapped=True)
    try:
        return staff.add(people, keys, person, doer)
    except (BadRequest, NameTaken) as error:
        raise _not_let_in() from error


def _not_let_in() -> Refusal:
    return Refusal(403, "not_let_in", "the provider knows you, but you are not let in here: ask an admin")
