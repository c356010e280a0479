"""Looks at cases, and gold cases, by SQL. They are owned here: nothing else has them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    delete,
    exists,
    func,
    insert,
    or_,
    select,
    update,
)

from fairgate.backends.sql import case_rows
from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import CASE, GOLD_CASE, LOOK, LOOK_GIVEN
from fairgate.domain.case import Case, CaseState, Happening, Outcome
from fairgate.domain.look import Gold, Kind, LookState, OneLook
from fairgate.ports.looks import GoldCases, Looks

_COLUMNS = LOOK.c
#: What a look has for a number that is to get one.
_NEW = -1
_LOOKED = msgspec.json.Decoder(dict[str, Any])


class SqlLooks(Looks):
    """The looks in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def keep(self, looks: Sequence[OneLook], case: Case | None = None, happenings: Sequence[Happening] = ()) -> bool:
        """See the port."""
        with self._records.writing() as connection:  # from the first look on: no other can change them in between
            if not all(_is_next(connection, each) for each in looks):
                return False
            if case is not None:
                if not case_rows.put(connection, case):
                    return False
                case_rows.write_happenings(connection, case.number, happenings)
            for each in looks:
                _put(connection, each)
            return True

    def of(self, case: int) -> list[OneLook]:
        """See the port."""
        return self._found(select(LOOK).where(_COLUMNS.of_case == case).order_by(_COLUMNS.number))

    def waiting(self, by: str, now: int, limit: int) -> list[OneLook]:
        """See the port."""
        other = LOOK.alias()
        theirs = select(LOOK_GIVEN.c.number).where(LOOK_GIVEN.c.who == by)
        took_part = exists().where(
            other.c.of_case == _COLUMNS.of_case,
            or_(other.c.by_whom == by, and_(other.c.number != _COLUMNS.number, other.c.number.in_(theirs))),
        )
        chosen = select(LOOK).where(_waits(), _COLUMNS.ready_at <= now, ~took_part)
        return self._found(chosen.order_by(_COLUMNS.holds.desc(), _COLUMNS.number).limit(limit))

    def given(self, by: str) -> list[OneLook]:
        """See the port."""
        theirs = select(LOOK_GIVEN.c.number).where(LOOK_GIVEN.c.who == by)
        chosen = select(LOOK).where(_COLUMNS.state == LookState.WAITING.value, _COLUMNS.number.in_(theirs))
        return self._found(chosen.order_by(_COLUMNS.number))

    def done(self, since: int, limit: int) -> list[OneLook]:
        """See the port."""
        chosen = select(LOOK).where(_COLUMNS.state == LookState.DONE.value, _COLUMNS.ended >= since)
        return self._found(chosen.order_by(_COLUMNS.ended.desc(), _COLUMNS.number.desc()).limit(limit))

    def open(self) -> int:
        """See the port."""
        with self._records.reading() as connection:
            count: int = connection.execute(select(func.count()).select_from(LOOK).where(_waits())).scalar_one()
            return count

    def _found(self, chosen: Select[Any]) -> list[OneLook]:
        with self._records.reading() as connection:
            return [_look(row) for row in connection.execute(chosen).all()]


class SqlGoldCases(GoldCases):
    """The gold cases in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def make(self, gold: Gold) -> Gold:
        """See the port."""
        with self._records.writing() as connection:
            row = connection.execute(select(GOLD_CASE).where(GOLD_CASE.c.number == gold.case)).first()
            if row is not None:
                return _gold(row)
            values = {"number": gold.case, "truth": gold.truth.value, "at": gold.at}
            connection.execute(insert(GOLD_CASE), {**values, "by_whom": gold.by, "why": gold.why})
            return gold

    def undo(self, case: int) -> bool:
        """See the port."""
        with self._records.writing() as connection:
            return connection.execute(delete(GOLD_CASE).where(GOLD_CASE.c.number == case)).rowcount == 1

    def get(self, case: int) -> Gold | None:
        """See the port."""
        found = self._found(select(GOLD_CASE).where(GOLD_CASE.c.number == case))
        return found[0] if found else None

    def all(self, limit: int) -> list[Gold]:
        """See the port."""
        return self._found(select(GOLD_CASE).order_by(GOLD_CASE.c.number).limit(limit))

    def unseen(self, by: str, limit: int) -> list[int]:
        """See the port."""
        theirs = select(LOOK_GIVEN.c.number).where(LOOK_GIVEN.c.who == by)
        took_part = exists().where(
            _COLUMNS.of_case == GOLD_CASE.c.number, or_(_COLUMNS.by_whom == by, _COLUMNS.number.in_(theirs))
        )
        decided = exists().where(CASE.c.number == GOLD_CASE.c.number, CASE.c.state == CaseState.DECIDED.value)
        chosen = select(GOLD_CASE.c.number).where(GOLD_CASE.c.by_whom != by, decided, ~took_part)
        with self._records.reading() as connection:
            numbers = connection.execute(chosen.order_by(GOLD_CASE.c.number.desc()).limit(limit)).scalars()
            return list(numbers)

    def _found(self, chosen: Select[Any]) -> list[Gold]:
        with self._records.reading() as connection:
            return [_gold(row) for row in connection.execute(chosen).all()]


def _waits() -> ColumnElement[bool]:
    """Whether it is a double look that waits."""
    return and_(_COLUMNS.state == LookState.WAITING.value, _COLUMNS.kind == Kind.DOUBLE.value)


def _look(row: Row[Any]) -> OneLook:
    return msgspec.convert({**_LOOKED.decode(row.looked), "number": row.number}, OneLook)


def _gold(row: Row[Any]) -> Gold:
    return Gold(row.number, Outcome(row.truth), row.at, row.by_whom, row.why)


def _is_next(connection: Connection, look: OneLook) -> bool:
    """Whether a look is new, or the version before is there."""
    there = select(_COLUMNS.version).where(_COLUMNS.number == look.number)
    return look.number == _NEW or connection.execute(there).scalar_one_or_none() == look.version - 1


def _put(connection: Connection, look: OneLook) -> None:
    """Write a look, and to whom it was given."""
    looked = {name: value for name, value in msgspec.structs.asdict(look).items() if name != "number"}
    values: dict[str, object] = {
        "of_case": look.case,
        "kind": look.kind.value,
        "state": look.state.value,
        "version": look.version,
        "ready_at": look.ready_at,
        "by_whom": look.by,
        "ended": look.ended,
        "holds": bool(look.held),
        "looked": msgspec.json.encode(looked).decode(),
    }
    number = look.number
    if number == _NEW:
        number = connection.execute(insert(LOOK).returning(_COLUMNS.number), values).scalar_one()
    else:
        connection.execute(update(LOOK).where(_COLUMNS.number == number).values(values))
        connection.execute(delete(LOOK_GIVEN).where(LOOK_GIVEN.c.number == number))
    execute_each(connection, insert(LOOK_GIVEN), [{"who": who, "number": number} for who in look.given])
