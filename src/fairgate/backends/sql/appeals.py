"""Appeals by SQL. They are owned here: nothing else has them."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select, and_, func, insert, or_, select, tuple_, update

from fairgate.backends.sql.records import Records
from fairgate.backends.sql.tables import APPEAL
from fairgate.domain.appeal import Appeal, AppealState, Ruling
from fairgate.domain.ledger import Subject
from fairgate.ports.appeals import ERASED, Appeals, Docket, Filed, Wanted

_COLUMNS = APPEAL.c
_OPEN = _COLUMNS.state == AppealState.OPEN.value


class SqlAppeals(Appeals):
    """The appeals in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def file(self, asked: Appeal) -> Filed:
        """See the port."""
        against = select(APPEAL).where(_COLUMNS.action == asked.action, _OPEN)
        with self._records.writing() as connection:  # from the first look on: no other can file in between
            for before in (_under(asked.filed_by, asked.ref), against):
                row = connection.execute(before).one_or_none()
                if row is not None:
                    return Filed(_appeal(row), new=False)
            made = connection.execute(insert(APPEAL), _row(asked))
            (number,) = made.inserted_primary_key or (None,)
            row = connection.execute(select(APPEAL).where(_COLUMNS.number == number)).one()
            return Filed(_appeal(row), new=True)

    def get(self, number: int) -> Appeal | None:
        """See the port."""
        return self._one(select(APPEAL).where(_COLUMNS.number == number))

    def under(self, filed_by: str, ref: str) -> Appeal | None:
        """See the port."""
        return self._one(_under(filed_by, ref))

    def found(self, wanted: Wanted, after: Appeal | None, limit: int) -> list[Appeal]:
        """See the port."""
        chosen = select(APPEAL)
        if wanted.state is not None:
            chosen = chosen.where(_COLUMNS.state == wanted.state.value)
        if wanted.subject is not None:
            chosen = chosen.where(_COLUMNS.kind == wanted.subject.kind, _COLUMNS.value == wanted.subject.value)
        if wanted.action is not None:
            chosen = chosen.where(_COLUMNS.action == wanted.action)
        if after is not None:
            chosen = chosen.where(tuple_(_COLUMNS.due, _COLUMNS.number) > (after.due, after.number))
        with self._records.reading() as connection:
            rows = connection.execute(chosen.order_by(_COLUMNS.due, _COLUMNS.number).limit(limit)).all()
            return [_appeal(row) for row in rows]

    def decide(self, number: int, ruling: Ruling) -> bool:
        """See the port."""
        decided = update(APPEAL).where(_COLUMNS.number == number, _OPEN).values(_ruled(ruling))
        with self._records.writing() as connection:
            return connection.execute(decided).rowcount == 1

    def about_others(self, kind: str, after: int, limit: int) -> list[Appeal]:
        """See the port."""
        chosen = select(APPEAL).where(_COLUMNS.kind != kind, _COLUMNS.words != ERASED, _COLUMNS.number > after)
        with self._records.reading() as connection:
            return [_appeal(row) for row in connection.execute(chosen.order_by(_COLUMNS.number).limit(limit)).all()]

    def erase(self, subject: Subject, numbers: Sequence[int] = ()) -> int:
        """See the port."""
        whose = and_(_COLUMNS.kind == subject.kind, _COLUMNS.value == subject.value)
        with self._records.writing() as connection:
            of = or_(whose, _COLUMNS.number.in_(numbers))
            held = update(APPEAL).where(of, _COLUMNS.words != ERASED).values(words=ERASED)
            erased = connection.execute(held).rowcount
        self._records.settle()  # also where this was cut off here the last time
        return erased

    def docket(self, now: int) -> Docket:
        """See the port."""
        overdue = func.count().filter(_COLUMNS.due <= now)
        first = func.coalesce(func.min(_COLUMNS.due), 0)
        with self._records.reading() as connection:
            return Docket(*connection.execute(select(func.count(), overdue, first).where(_OPEN)).one())

    def _one(self, chosen: Select[Any]) -> Appeal | None:
        with self._records.reading() as connection:
            row = connection.execute(chosen).one_or_none()
            return None if row is None else _appeal(row)


def _under(filed_by: str, ref: str) -> Select[Any]:
    return select(APPEAL).where(_COLUMNS.filed_by == filed_by, _COLUMNS.ref == ref)


def _row(appeal: Appeal) -> dict[str, object]:
    """An appeal as it is filed: open, and its number given by the data base."""
    return {
        "action": appeal.action,
        "kind": appeal.subject.kind,
        "value": appeal.subject.value,
        "taken_by": appeal.taken_by,
        "filed": appeal.filed,
        "filed_by": appeal.filed_by,
        "due": appeal.due,
        "words": appeal.words,
        "ref": appeal.ref,
        "state": AppealState.OPEN.value,
    }


def _ruled(ruling: Ruling) -> dict[str, object]:
    state = AppealState.GRANTED if ruling.granted else AppealState.REFUSED
    return {"state": state.value, "decided_at": ruling.at, "decided_by": ruling.by, "decided_why": ruling.why}


def _appeal(row: Row[Any]) -> Appeal:
    state = AppealState(row.state)
    ruling = Ruling(state == AppealState.GRANTED, row.decided_at, row.decided_by, row.decided_why)
    return Appeal(
        number=row.number,
        action=row.action,
        subject=Subject(row.kind, row.value),
        taken_by=row.taken_by,
        filed=row.filed,
        filed_by=row.filed_by,
        due=row.due,
        words=row.words,
        ref=row.ref,
        ruling=None if state == AppealState.OPEN else ruling,
    )
