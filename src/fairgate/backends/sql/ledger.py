"""The ledger's entries by SQL, and how far the log was read for them."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, bindparam, delete, func, insert, select

from fairgate.backends.sql.audit import append_to
from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import LEDGER_ENTRY, LEDGER_READ, LETTER
from fairgate.domain.action import Action
from fairgate.domain.audit import Doing
from fairgate.domain.ledger import Entry, Subject, Undone
from fairgate.ports.ledger import LedgerRecords, Message, Read

_TEXTS = msgspec.json.Decoder(tuple[str, ...])
_COLUMNS = LEDGER_ENTRY.c


class SqlLedger(LedgerRecords):
    """The ledger in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def read(self) -> Read:
        """See the port."""
        with self._records.reading() as connection:
            row = connection.execute(select(LEDGER_READ)).one_or_none()
            return Read(0, 0) if row is None else Read(row.sequence, row.read_at, _TEXTS.decode(row.switched_off))

    def take(
        self,
        read: Read,
        entries: Sequence[Entry],
        messages: Sequence[Message],
        receivers: Sequence[str],
        doings: Sequence[Doing] = (),
    ) -> None:
        """See the port."""
        last = {entry.number: entry for entry in entries}
        rows = [_row(entry) for entry in last.values()]
        letters = [_letter(message, receiver, read.time) for message in messages for receiver in receivers]
        before = delete(LEDGER_ENTRY).where(_COLUMNS.number == bindparam("said_again"))
        with self._records.writing() as connection:
            connection.execute(delete(LEDGER_READ))
            connection.execute(insert(LEDGER_READ), _read_row(read))
            execute_each(connection, before, [{"said_again": number} for number in last])
            execute_each(connection, insert(LEDGER_ENTRY), rows)
            execute_each(connection, insert(LETTER), letters)
            append_to(connection, doings)

    def get(self, number: int) -> Entry | None:
        """See the port."""
        found = self._found(select(LEDGER_ENTRY).where(_COLUMNS.number == number))
        return found[0] if found else None

    def standing(self, subject: Subject, now: int) -> list[Entry]:
        """See the port."""
        stands = (_COLUMNS.undone_at.is_(None), _COLUMNS.starts <= now, _COLUMNS.ends > now)
        return self._found(_about(subject).where(*stands).order_by(_COLUMNS.number))

    def held(self, now: int, after: int, limit: int) -> list[Entry]:
        """See the port."""
        chosen = select(LEDGER_ENTRY).where(_COLUMNS.number > after, _COLUMNS.ends >= now)
        return self._found(chosen.order_by(_COLUMNS.number).limit(limit))

    def ended(self, after: int, upto: int, limit: int) -> list[Entry]:
        """See the port."""
        ended = (_COLUMNS.ends > after, _COLUMNS.ends <= upto, _COLUMNS.undone_at.is_(None))
        last = select(_COLUMNS.ends).where(*ended).order_by(_COLUMNS.ends).offset(limit - 1).limit(1)
        chosen = select(LEDGER_ENTRY).where(*ended, _COLUMNS.ends <= func.coalesce(last.scalar_subquery(), upto))
        return self._found(chosen.order_by(_COLUMNS.ends, _COLUMNS.number))

    def of(self, subject: Subject, before: int, limit: int) -> list[Entry]:
        """See the port."""
        return self._found(
            _about(subject).where(_COLUMNS.number < before).order_by(_COLUMNS.number.desc()).limit(limit)
        )

    def _found(self, chosen: Select[Any]) -> list[Entry]:
        with self._records.reading() as connection:
            rows = connection.execute(chosen).all()  # all, or an error would leave the connection reading
            return [_entry(row) for row in rows]


def _about(subject: Subject) -> Select[Any]:
    return select(LEDGER_ENTRY).where(_COLUMNS.kind == subject.kind, _COLUMNS.value == subject.value)


def _read_row(read: Read) -> dict[str, object]:
    return {"sequence": read.sequence, "read_at": read.time, "switched_off": _text(read.off)}


def _row(entry: Entry) -> dict[str, object]:
    undone = entry.undone
    return {
        "number": entry.number,
        "kind": entry.subject.kind,
        "value": entry.subject.value,
        "action": int(entry.action),
        "starts": entry.starts,
        "ends": entry.ends,
        "reasons": _text(entry.reasons),
        "evidence": _text(entry.evidence),
        "pack": entry.pack,
        "made_by": entry.by,
        "made_why": entry.why,
        "ref": entry.ref,
        "undone_at": None if undone is None else undone.at,
        "undone_by": None if undone is None else undone.by,
        "undone_why": None if undone is None else undone.why,
    }


def _entry(row: Row[Any]) -> Entry:
    return Entry(
        number=row.number,
        subject=Subject(row.kind, row.value),
        action=Action(row.action),
        starts=row.starts,
        ends=row.ends,
        reasons=_TEXTS.decode(row.reasons),
        evidence=_TEXTS.decode(row.evidence),
        pack=row.pack,
        by=row.made_by,
        why=row.made_why,
        ref=row.ref,
        undone=None if row.undone_at is None else Undone(row.undone_at, row.undone_by, row.undone_why),
    )


def _letter(message: Message, receiver: str, now: int) -> dict[str, object]:
    return {
        "receiver": receiver,
        "message": message.id,
        "kind": message.subject.kind,
        "value": message.subject.value,
        "type": message.type,
        "body": message.body,
        "made": now,
        "due": now,
        "attempts": 0,
        "why": "",
        "dead": False,
    }


def _text(texts: tuple[str, ...]) -> str:
    return msgspec.json.encode(texts).decode()
