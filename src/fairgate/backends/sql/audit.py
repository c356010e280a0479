"""The audit log by SQL."""

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy import func as sql

from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import AUDIT_ROW
from fairgate.domain import audit
from fairgate.domain.audit import READINGS, ROOT, Doing, Head, chained
from fairgate.domain.ledger import Subject
from fairgate.ports.audit import Audit, Readings, Sought

_COLUMNS = AUDIT_ROW.c
#: Times that are looked for at once: SQLite bounds how many values a statement has.
_AT_ONCE: Final = 500


class SqlAudit(Audit):
    """The audit log in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def append(self, doings: Sequence[Doing]) -> list[audit.Row]:
        """See the port."""
        with self._records.writing() as connection:
            return append_to(connection, doings)

    def head(self) -> Head:
        """See the port."""
        with self._records.reading() as connection:
            return _head(connection)

    def rows(self, after: int, limit: int) -> list[audit.Row]:
        """See the port."""
        return self._found(select(AUDIT_ROW).where(_COLUMNS.number > after).order_by(_COLUMNS.number).limit(limit))

    def with_hash(self, hashed: str, after: int, limit: int) -> list[int]:
        """See the port."""
        chosen = select(_COLUMNS.number).where(_COLUMNS.hash == hashed, _COLUMNS.number > after)
        with self._records.reading() as connection:
            return list(connection.execute(chosen.order_by(_COLUMNS.number).limit(limit)).scalars())

    def found(self, sought: Sought, before: int, limit: int) -> list[audit.Row]:
        """See the port."""
        chosen = select(AUDIT_ROW).where(_COLUMNS.number < before)
        if sought.by is not None:
            chosen = chosen.where(_COLUMNS.done_by == sought.by)
        if sought.what is not None:
            chosen = chosen.where(_COLUMNS.what.in_([each.value for each in sought.what]))
        if sought.about is not None:
            chosen = chosen.where(_COLUMNS.kind == sought.about.kind, _COLUMNS.value == sought.about.value)
        if sought.since is not None:
            chosen = chosen.where(_COLUMNS.time >= sought.since)
        if sought.until is not None:
            chosen = chosen.where(_COLUMNS.time < sought.until)
        return self._found(chosen.order_by(_COLUMNS.number.desc()).limit(limit))

    def readings(self, since: int, span: int) -> list[Readings]:
        """See the port."""
        start = (_COLUMNS.time - _COLUMNS.time % span).label("start")
        read, late = _COLUMNS.what.in_([each.value for each in READINGS]), _COLUMNS.time >= since
        spans = select(_COLUMNS.done_by, start).where(read, late).subquery().c
        chosen = select(spans.done_by, spans.start, sql.count()).group_by(spans.done_by, spans.start)
        with self._records.reading() as connection:
            return sorted(Readings(*row) for row in connection.execute(chosen).all())

    def _found(self, chosen: Select[Any]) -> list[audit.Row]:
        with self._records.reading() as connection:
            return [_row(row) for row in connection.execute(chosen).all()]


def append_to(connection: Connection, doings: Sequence[Doing]) -> list[audit.Row]:
    """See `Audit.append`. The connection must be a writer's: nobody else may append in between."""
    if not doings:
        return []
    head, made = _head(connection), list[audit.Row]()
    for each in _new(connection, doings):
        row = chained(head, each)
        made.append(row)
        head = Head(row.number, row.hash)
    execute_each(connection, insert(AUDIT_ROW), [_values(row) for row in made])
    return made


def _head(connection: Connection) -> Head:
    last = select(_COLUMNS.number, _COLUMNS.hash).order_by(_COLUMNS.number.desc()).limit(1)
    row = connection.execute(last).one_or_none()
    return Head(0, ROOT) if row is None else Head(row.number, row.hash)


def _new(connection: Connection, doings: Sequence[Doing]) -> Iterator[Doing]:
    """The doings without those from the log that are there already."""
    times = sorted({each.time for each in doings if each.sequence is not None})
    identity = (_COLUMNS.time, _COLUMNS.what, _COLUMNS.kind, _COLUMNS.value, _COLUMNS.more)
    known = set[tuple[Any, ...]]()
    for some in (times[at : at + _AT_ONCE] for at in range(0, len(times), _AT_ONCE)):
        chosen = select(*identity).where(_COLUMNS.time.in_(some), _COLUMNS.sequence.is_not(None))
        known.update(tuple(row) for row in connection.execute(chosen).all())
    for each in doings:
        same = (each.time, str(each.what), each.about.kind, each.about.value, each.more)
        if each.sequence is None or same not in known:
            yield each
            known.add(same)


def _values(row: audit.Row) -> dict[str, object]:
    doing = row.doing
    return {
        "number": row.number,
        "time": doing.time,
        "done_by": doing.by,
        "api_key": doing.key,
        "what": str(doing.what),
        "kind": doing.about.kind,
        "value": doing.about.value,
        "why": doing.why,
        "case_number": doing.case,
        "sequence": doing.sequence,
        "more": doing.more,
        "previous": row.previous,
        "hash": row.hash,
    }


def _row(row: Row[Any]) -> audit.Row:
    doing = Doing(
        time=row.time,
        by=row.done_by,
        key=row.api_key,
        what=row.what,
        about=Subject(row.kind, row.value),
        why=row.why,
        case=row.case_number,
        sequence=row.sequence,
        more=row.more,
    )
    return audit.Row(row.number, doing, row.previous, row.hash)
