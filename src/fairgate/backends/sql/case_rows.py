"""Cases as rows: how they are written and read, and which of them are ready."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, delete, false, insert, select, true, update

from fairgate.backends.sql.records import execute_each
from fairgate.backends.sql.tables import CASE, CASE_HAPPENING, CASE_KEPT, CASE_MEMBER
from fairgate.domain.case import Case, CaseState, Facts, Happening
from fairgate.domain.worth import value_per_minute

_COLUMNS = CASE.c
_HANDLED = msgspec.json.Decoder(dict[str, Any])
_FACTS = msgspec.json.Decoder(Facts)
#: What has columns of its own.
_APART = ("facts", "number")


def case_of(row: Row[Any]) -> Case:
    """The case of a row."""
    handled = _HANDLED.decode(row.handled)
    return msgspec.convert({**handled, "number": row.number, "facts": _FACTS.decode(row.facts)}, Case)


def handled_row(case: Case) -> dict[str, object]:
    """What people did to a case, as its row has it."""
    handled = {name: value for name, value in msgspec.structs.asdict(case).items() if name not in _APART}
    return {
        "version": case.version,
        "state": case.state.value,
        "escalated": case.escalated,
        "ready_at": case.ready_at,
        "claimed_by": "" if case.claim is None else case.claim.by,
        "opened": case.opened,
        "opened_by": case.opened_by,
        "ref": case.ref,
        "handled": msgspec.json.encode(handled).decode(),
    }


def facts_row(facts: Facts, now: int) -> dict[str, object]:
    """What decisions did to a case, as its row has it, and what it is worth then."""
    return {
        "facts": msgspec.json.encode(facts).decode(),
        "value": value(facts, now),
        "ranked": now,
        "uncertain": facts.stake.uncertain,
        "minutes": facts.stake.minutes,
    }


def value(facts: Facts, now: int) -> float:
    """What a minute of a case's review saves at a time, in dollars."""
    return value_per_minute(facts.stake.faded(now))


def facts_of(row: Row[Any]) -> Facts:
    """The facts alone of a row."""
    return facts_in(row.facts)


def facts_in(text: str) -> Facts:
    """The facts as a row has them."""
    return _FACTS.decode(text)


def ready(now: int, *, escalated: bool) -> ColumnElement[bool]:
    """Whether a case can be given to somebody now."""
    return and_(
        _COLUMNS.state == CaseState.OPEN.value,
        _COLUMNS.escalated == (true() if escalated else false()),
        _COLUMNS.ready_at <= now,
    )


def add(connection: Connection, case: Case, now: int) -> int:
    """Write a new case; returns its number."""
    made = insert(CASE).returning(_COLUMNS.number)
    number: int = connection.execute(made, handled_row(case) | facts_row(case.facts, now)).scalar_one()
    write_members(connection, msgspec.structs.replace(case, number=number))
    return number


def write_members(connection: Connection, case: Case) -> None:
    """Say whom a case is about, and whether it is open; and whether it was drawn by lot, and nobody has judged it."""
    is_open = case.state == CaseState.OPEN
    connection.execute(delete(CASE_MEMBER).where(CASE_MEMBER.c.number == case.number))
    rows = [{"account": account, "number": case.number, "open": is_open} for account in case.accounts]
    execute_each(connection, insert(CASE_MEMBER), rows)
    connection.execute(delete(CASE_KEPT).where(CASE_KEPT.c.number == case.number))
    if is_open and case.drawn:
        connection.execute(insert(CASE_KEPT), {"number": case.number})


def write_happenings(connection: Connection, number: int, happenings: Iterable[Happening]) -> None:
    """Add to what happened to a case."""
    rows = [
        {"number": number, "at": each.at, "by_whom": each.by, "what": each.what, "said": each.said}
        for each in happenings
    ]
    execute_each(connection, insert(CASE_HAPPENING), rows)


def put(connection: Connection, case: Case) -> bool:
    """Put a case in the place of the version before its own; whether that was there."""
    before = and_(_COLUMNS.number == case.number, _COLUMNS.version == case.version - 1)
    if connection.execute(update(CASE).where(before).values(handled_row(case))).rowcount != 1:
        return False
    write_members(connection, case)
    return True


def open_about(connection: Connection, accounts: Sequence[str]) -> Row[Any] | None:
    """The open case about one of some accounts; None for none."""
    member = CASE_MEMBER.c
    numbers = select(member.number).where(member.open == true(), member.account.in_(accounts))
    return connection.execute(select(CASE).where(_COLUMNS.number.in_(numbers)).order_by(_COLUMNS.number)).first()
