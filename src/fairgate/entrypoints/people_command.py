"""`fairgate people`: let people in, show them, and change what they may do, whether or not a desk is running."""

from collections.abc import Callable
from dataclasses import dataclass

from msgspec.structs import replace

from fairgate.domain.access import Role
from fairgate.domain.audit import Doer
from fairgate.domain.errors import BadRequest, NoSuchPerson
from fairgate.domain.event import moment
from fairgate.domain.people import Person
from fairgate.entrypoints import staff
from fairgate.entrypoints.passwords import check_password, hashed
from fairgate.language.problems import one_of
from fairgate.ports.api_keys import ApiKeys
from fairgate.ports.people import People

_BY = "fairgate people"
_COLUMNS = ("id", "name", "role", "state", "logs in by", "created", "by")


@dataclass(frozen=True, slots=True)
class Staff:
    """The people and API keys of an installation, at a time, and who is at them."""

    people: People
    keys: ApiKeys
    now: int
    by: str

    @property
    def doer(self) -> Doer:
        """What the audit log has of who is at them."""
        return Doer(self.now, self.by)


def add(staff_: Staff, name: str, role: str, password: Callable[[], str] | None) -> str:
    """Let somebody in, by a password or, without one, by OIDC; returns what to say of it.

    Raises `BadRequest` where name, role or password is none, and `NameTaken`.
    """
    given, wanted = _role(role), staff.check_name(name)
    kept = None if password is None else _hash(password(), wanted)
    person = staff.new_person(wanted, given, staff_.now, _BY, kept)
    staff.add(staff_.people, staff_.keys, person, staff_.doer)
    return f"{person.name} may log in as {person.role}. Door and desk are no longer open to everyone on this machine."


def change_role(staff_: Staff, name: str, role: str) -> str:
    """Give somebody another role. Raises `BadRequest`, `NoSuchPerson`, `LastAdmin`."""
    given = _role(role)
    return _change(staff_, name, lambda person: replace(person, role=given), f"is {given} now")


def switch_off(staff_: Staff, name: str) -> str:
    """Let somebody no longer log in. Raises `NoSuchPerson`, `LastAdmin`."""
    return _change(
        staff_, name, lambda person: replace(person, off=person.off or staff_.now), "may not log in any more"
    )


def switch_on(staff_: Staff, name: str) -> str:
    """Let somebody log in again. Raises `NoSuchPerson`."""
    return _change(staff_, name, lambda person: replace(person, off=None), "may log in again")


def set_password(staff_: Staff, name: str, password: Callable[[], str]) -> str:
    """Give somebody another password. Raises `BadRequest`, `NoSuchPerson`."""
    person = _named(staff_, name)
    if person.oidc is not None:
        raise BadRequest(f"{person.name} logs in by the provider of identities alone.")
    kept = _hash(password(), person.name)
    return _change(staff_, name, lambda there: replace(there, password=kept), "has another password")


def reset_totp(staff_: Staff, name: str) -> str:
    """Take somebody's one-time codes away. Raises `NoSuchPerson`."""
    return _change(staff_, name, lambda person: replace(person, totp=None, totp_new=None), "has no one-time codes")


def as_table(staff_: Staff) -> str:
    """Everybody as a table, by name. Times are UTC."""
    rows = [_COLUMNS, *map(_row, staff_.people.all())]
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join(lines)


def _row(person: Person) -> tuple[str, ...]:
    by = "password and codes" if person.totp else "password" if person.password else "oidc"
    state = "active" if person.off is None else "off"
    return (
        person.id,
        person.name,
        person.role,
        state,
        by,
        f"{moment(person.created):%Y-%m-%d %H:%M}",
        person.created_by,
    )


def _change(staff_: Staff, name: str, how: Callable[[Person], Person], words: str) -> str:
    person = staff_.people.change(_named(staff_, name).id, how, staff_.doer)
    return f"{person.name} {words}. Whatever sessions they had before are over."


def _named(staff_: Staff, name: str) -> Person:
    person = staff_.people.named(name)
    if person is None:
        raise NoSuchPerson(name)
    return person


def _role(word: str) -> Role:
    known = {role.value: role for role in Role}
    if word not in known:
        raise BadRequest(f"There is no role `{word}` ({one_of(word, known)}).")
    return known[word]


def _hash(password: str, name: str) -> str:
    check_password(password, name)
    return hashed(password)
