"""Who is let in among the people: names that are nobody else's, and doors that are no longer open to everyone."""

import secrets
import string
from typing import Final

from fairgate.domain.access import Role
from fairgate.domain.audit import Doer
from fairgate.domain.errors import BadRequest, NameTaken
from fairgate.domain.people import LONGEST_NAME, Person, folded, is_name
from fairgate.entrypoints.access import new_key
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ports.api_keys import ApiKeys
from fairgate.ports.people import People

#: The name of the key that has ended from the start.
CLOSING_KEY: Final = "people log in"
_LETTERS = string.ascii_lowercase + string.digits
_ID_LENGTH = 8


def new_id() -> str:
    """A public id, of a person or a session."""
    return "".join(secrets.choice(_LETTERS) for _ in range(_ID_LENGTH))


def check_name(name: str) -> str:
    """The name, which can be a person's; else `BadRequest`."""
    if not is_name(name):
        raise BadRequest(f"A person's name is 1 to {LONGEST_NAME} characters that can be printed, with none around it.")
    return name


def add(people: People, keys: ApiKeys, person: Person, doer: Doer) -> Person:
    """Let somebody new in, and return them. Raises `BadRequest` and `NameTaken`, and what the stores raise.

    What people did is told by their names, so a name is nobody else's: no other person's and no API key's, also of one
    that has ended. And with the first person door and desk are no longer open to everyone on the machine, as with the
    first API key: so where there was none, one is made that has ended already.
    """
    check_name(person.name)
    if folded(person.name) in {folded(ANYONE), folded(CLOSING_KEY)}:
        raise NameTaken(person.name, "nobody's name")
    there = keys.all()
    if any(folded(key.name) == folded(person.name) for key in there):
        raise NameTaken(person.name, "the name of an API key")
    if not there:  # before there is a person: it must not be open for a moment beside one
        _, closing = new_key(CLOSING_KEY, frozenset(), person.created, person.created)
        keys.add(closing)
    if not people.add(person, doer):
        raise NameTaken(person.name, "somebody else's name")
    return person


def new_person(name: str, role: Role, now: int, by: str, password: str | None = None) -> Person:
    """Somebody new, by whoever lets them in; `password` is a hash."""
    return Person(id=new_id(), name=name, role=role, created=now, created_by=by, password=password)


def check_key_name(people: People | None, name: str) -> None:
    """Raise `NameTaken` where an API key would have the name of a person."""
    if people is not None and people.named(name) is not None:
        raise NameTaken(name, "a person's name")
