"""When people review, by SQL. It is owned here: nothing else has it."""

import msgspec
from sqlalchemy import delete, insert, select

from fairgate.backends.sql.audit import append_to
from fairgate.backends.sql.records import Records
from fairgate.backends.sql.tables import PERSON, REVIEWER
from fairgate.domain.audit import Doer
from fairgate.domain.errors import NoSuchPerson
from fairgate.domain.shifts import Shifts, rostered
from fairgate.ports.rota import Rota

_COLUMNS = REVIEWER.c
_SHIFTS = msgspec.json.Decoder(Shifts)


class SqlRota(Rota):
    """The shifts in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def all(self) -> list[Shifts]:
        """See the port."""
        with self._records.reading() as connection:
            found = connection.execute(select(_COLUMNS.shifts).order_by(_COLUMNS.person)).scalars().all()
            return [_SHIFTS.decode(each) for each in found]

    def get(self, person: str) -> Shifts | None:
        """See the port."""
        with self._records.reading() as connection:
            found = connection.execute(select(_COLUMNS.shifts).where(_COLUMNS.person == person)).scalar_one_or_none()
            return None if found is None else _SHIFTS.decode(found)

    def put(self, shifts: Shifts, doer: Doer) -> None:
        """See the port."""
        row = {"person": shifts.person, "shifts": msgspec.json.encode(shifts).decode()}
        with self._records.writing() as connection:  # from the first look on: nobody can go in between
            if connection.execute(select(PERSON.c.id).where(PERSON.c.id == shifts.person)).first() is None:
                raise NoSuchPerson(shifts.person)
            connection.execute(delete(REVIEWER).where(_COLUMNS.person == shifts.person))
            connection.execute(insert(REVIEWER), row)
            append_to(connection, [rostered(shifts, doer)])
