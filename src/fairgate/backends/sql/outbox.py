"""The outbox by SQL. Letters come into it with what they tell of: `SqlLedger.take` writes them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, bindparam, delete, false, func, insert, select, true, update

from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import LETTER
from fairgate.domain.ledger import Subject
from fairgate.ports.outbox import Backlog, Letter, Outbox

_COLUMNS = LETTER.c
_WAITS = _COLUMNS.dead == false()
_DEAD = _COLUMNS.dead == true()


class SqlOutbox(Outbox):
    """The outbox in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def waiting(self, receiver: str, after: int, limit: int) -> list[Letter]:
        """See the port."""
        chosen = select(LETTER).where(_COLUMNS.receiver == receiver, _WAITS, _COLUMNS.number > after)
        return self._found(chosen, limit)

    def arrived(self, numbers: Sequence[int]) -> None:
        """See the port."""
        forgotten = delete(LETTER).where(_COLUMNS.number == bindparam("arrived"))
        with self._records.writing() as connection:
            execute_each(connection, forgotten, [{"arrived": number} for number in numbers])

    def failed(self, letters: Sequence[Letter]) -> None:
        """See the port."""
        tried = update(LETTER).where(_COLUMNS.number == bindparam("tried"), _WAITS)
        rows = [{"tried": each.number, "due": each.due, "attempts": each.attempts, "why": each.why} for each in letters]
        with self._records.writing() as connection:
            execute_each(connection, tried, rows)

    def give_up(self, letter: Letter) -> None:
        """See the port."""
        aside = update(LETTER).where(_COLUMNS.number == letter.number)
        with self._records.writing() as connection:
            connection.execute(aside.values(dead=True, attempts=letter.attempts, why=letter.why))

    def dead(self, receiver: str | None, after: int, limit: int) -> list[Letter]:
        """See the port."""
        chosen = select(LETTER).where(_DEAD, _COLUMNS.number > after)
        return self._found(chosen if receiver is None else chosen.where(_COLUMNS.receiver == receiver), limit)

    def again(self, number: int, now: int) -> bool:
        """See the port."""
        given_up = select(LETTER).where(_COLUMNS.number == number, _DEAD)
        with self._records.writing() as connection:
            letter = connection.execute(given_up).mappings().one_or_none()
            if letter is None:
                return False
            kept = {name: value for name, value in letter.items() if name != "number"}
            connection.execute(delete(LETTER).where(_COLUMNS.number == number))
            connection.execute(insert(LETTER), {**kept, "due": now, "attempts": 0, "why": "", "dead": False})
            return True

    def backlogs(self) -> list[Backlog]:
        """See the port."""
        waiting, dead = func.count().filter(_WAITS), func.count().filter(_DEAD)
        oldest = func.coalesce(func.min(_COLUMNS.made).filter(_WAITS), 0)
        counted = select(_COLUMNS.receiver, waiting, oldest, dead).group_by(_COLUMNS.receiver)
        with self._records.reading() as connection:
            found = [Backlog(*row) for row in connection.execute(counted)]
        return sorted(found, key=lambda each: each.receiver)  # here, for data bases differ about the order of texts

    def _found(self, chosen: Select[Any], limit: int) -> list[Letter]:
        with self._records.reading() as connection:
            rows = connection.execute(chosen.order_by(_COLUMNS.number).limit(limit)).all()
            return [_letter(row) for row in rows]


def _letter(row: Row[Any]) -> Letter:
    return Letter(
        number=row.number,
        receiver=row.receiver,
        message=row.message,
        subject=Subject(row.kind, row.value),
        type=row.type,
        body=row.body,
        made=row.made,
        due=row.due,
        attempts=row.attempts,
        why=row.why,
    )
