"""People and their sessions by SQL. They are owned here: nothing else has them."""

from collections.abc import Callable
from typing import Any

from msgspec.structs import asdict
from sqlalchemy import Connection, Row, Select, delete, func, insert, or_, select, update

from fairgate.backends.sql.audit import append_to
from fairgate.backends.sql.records import Records
from fairgate.backends.sql.tables import PERSON, PERSON_SESSION
from fairgate.domain.access import Role
from fairgate.domain.audit import Doer
from fairgate.domain.errors import LastAdmin, NoSuchPerson
from fairgate.domain.people import Person, Session, begun, changed, ended, folded, let_in
from fairgate.ports.people import People, Visit

_PERSON, _SESSION = PERSON.c, PERSON_SESSION.c
_ACTIVE_ADMIN = (_PERSON.role == Role.ADMIN.value) & _PERSON.off.is_(None)


class SqlPeople(People):
    """The people in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> list[Person]:
        """See the port."""
        with self._records.reading() as connection:
            return [_person(row) for row in connection.execute(select(PERSON).order_by(_PERSON.folded)).all()]

    def get(self, person: str) -> Person | None:
        """See the port."""
        return self._one(select(PERSON).where(_PERSON.id == person))

    def named(self, name: str) -> Person | None:
        """See the port."""
        return self._one(select(PERSON).where(_PERSON.folded == folded(name)))

    def known_as(self, oidc: str) -> Person | None:
        """See the port."""
        return self._one(select(PERSON).where(_PERSON.oidc == oidc))

    def add(self, person: Person, doer: Doer) -> bool:
        """See the port."""
        like = or_(_PERSON.id == person.id, _PERSON.folded == folded(person.name))
        if person.oidc is not None:
            like = or_(like, _PERSON.oidc == person.oidc)
        with self._records.writing() as connection:  # from the first look on: nobody can come in between
            if connection.execute(select(PERSON).where(like)).first() is not None:
                return False
            connection.execute(insert(PERSON), _row(person))
            append_to(connection, [let_in(person, doer)])
            return True

    def change(self, person: str, how: Callable[[Person], Person], doer: Doer, keep: str = "") -> Person:
        """See the port."""
        with self._records.writing() as connection:
            row = connection.execute(select(PERSON).where(_PERSON.id == person)).one_or_none()
            if row is None:
                raise NoSuchPerson(person)
            before = _person(row)
            after = how(before)
            _check_admins(connection, before, after)
            values = {name: value for name, value in _row(after).items() if name not in _FIXED}
            connection.execute(update(PERSON).where(_PERSON.id == person).values(values))
            if _standing(before) != _standing(after):
                connection.execute(delete(PERSON_SESSION).where(_SESSION.person == person, _SESSION.id != keep))
            now = _person(connection.execute(select(PERSON).where(_PERSON.id == person)).one())
            append_to(connection, changed(before, now, doer))
            return now

    def use_step(self, person: str, step: int) -> bool:
        """See the port."""
        used = update(PERSON).where(_PERSON.id == person, _PERSON.step < step).values(step=step)
        with self._records.writing() as connection:
            return connection.execute(used).rowcount == 1

    def begin(self, session: Session) -> None:
        """See the port."""
        with self._records.writing() as connection:
            connection.execute(insert(PERSON_SESSION), asdict(session))
            visit = _visit(connection, session.token)
            append_to(connection, [] if visit is None else [begun(*visit)])

    def visit(self, token: bytes) -> Visit | None:
        """See the port."""
        with self._records.reading() as connection:
            return _visit(connection, token)

    def seen(self, token: bytes, now: int) -> None:
        """See the port."""
        with self._records.writing() as connection:
            noted = update(PERSON_SESSION).where(_SESSION.token == token, _SESSION.seen < now)
            connection.execute(noted.values(seen=now))

    def end(self, token: bytes, now: int) -> None:
        """See the port."""
        with self._records.writing() as connection:
            visit = _visit(connection, token)
            connection.execute(delete(PERSON_SESSION).where(_SESSION.token == token))
            append_to(connection, [] if visit is None else [ended(*visit, now)])

    def sweep(self, idle: int, began: int) -> int:
        """See the port."""
        with self._records.writing() as connection:
            over = delete(PERSON_SESSION).where(or_(_SESSION.seen <= idle, _SESSION.began <= began))
            return connection.execute(over).rowcount

    def _one(self, chosen: Select[Any]) -> Person | None:
        with self._records.reading() as connection:
            row = connection.execute(chosen).one_or_none()
            return None if row is None else _person(row)


#: What a change leaves as it is.
_FIXED = frozenset({"id", "name", "folded", "created", "created_by"})


def _standing(person: Person) -> tuple[object, ...]:
    """What sessions hang on."""
    return person.password, person.role, person.totp, person.off


def _visit(connection: Connection, token: bytes) -> Visit | None:
    found = connection.execute(select(PERSON_SESSION).where(_SESSION.token == token)).mappings().one_or_none()
    if found is None:
        return None
    session = Session(**found)
    whose = connection.execute(select(PERSON).where(_PERSON.id == session.person)).one_or_none()
    return None if whose is None else Visit(session, _person(whose))


def _check_admins(connection: Connection, before: Person, after: Person) -> None:
    was, is_one = (each.role == Role.ADMIN and each.off is None for each in (before, after))
    if not was or is_one:
        return
    others = select(func.count()).select_from(PERSON).where(_ACTIVE_ADMIN, _PERSON.id != before.id)
    if connection.execute(others).scalar_one() == 0:
        raise LastAdmin(before.name)


def _row(person: Person) -> dict[str, object]:
    return asdict(person) | {"folded": folded(person.name), "role": person.role.value}


def _person(row: Row[Any]) -> Person:
    return Person(
        id=row.id,
        name=row.name,
        role=Role(row.role),
        created=row.created,
        created_by=row.created_by,
        password=row.password,
        totp=row.totp,
        totp_new=row.totp_new,
        step=row.step,
        oidc=row.oidc,
        mapped=row.mapped,
        off=row.off,
    )
