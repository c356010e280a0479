"""Bulk actions by SQL. They are owned here: nothing else has them."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Row, Select, bindparam, func, insert, select, update

from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import BULK, BULK_ACCOUNT, BULK_HAPPENING, LEDGER_ENTRY
from fairgate.domain.action import Action
from fairgate.domain.bulk import GOING, Actor, Bulk, BulkState, Fate, Happening, Order, Preview, Progress
from fairgate.ports.bulks import Bulks, Drafted, Step

_COLUMNS, _OF, _HAPPENED, _ENTRY = BULK.c, BULK_ACCOUNT.c, BULK_HAPPENING.c, LEDGER_ENTRY.c
#: Entities that one statement names: data bases have a limit.
_AT_ONCE: Final = 500


class SqlBulks(Bulks):
    """The bulk actions in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def draft(self, asked: Bulk, accounts: Sequence[str]) -> Drafted:
        """See the port."""
        with self._records.writing() as connection:  # from the first look on: no other can draft in between
            before = connection.execute(_under(asked.drafted_by, asked.ref)).one_or_none()
            if before is not None:
                return Drafted(_bulk(before), new=False)
            made = connection.execute(insert(BULK), _row(asked))
            (number,) = made.inserted_primary_key or (-1,)
            places = enumerate(accounts)
            rows = [{"bulk": number, "place": place, "account": each, **_NEW} for place, each in places]
            execute_each(connection, insert(BULK_ACCOUNT), rows)
            happening = Happening(asked.drafted, asked.drafted_by, BulkState.DRAFT)
            connection.execute(insert(BULK_HAPPENING), _happening_row(number, happening))
            return Drafted(_bulk(connection.execute(select(BULK).where(_COLUMNS.number == number)).one()), new=True)

    def get(self, number: int) -> Bulk | None:
        """See the port."""
        return self._one(select(BULK).where(_COLUMNS.number == number))

    def under(self, drafted_by: str, ref: str) -> Bulk | None:
        """See the port."""
        return self._one(_under(drafted_by, ref))

    def found(self, before: int, limit: int) -> list[Bulk]:
        """See the port."""
        chosen = select(BULK).where(_COLUMNS.number < before).order_by(_COLUMNS.number.desc()).limit(limit)
        with self._records.reading() as connection:
            return [_bulk(row) for row in connection.execute(chosen)]

    def going(self) -> list[Bulk]:
        """See the port."""
        chosen = select(BULK).where(_COLUMNS.state.in_(sorted(GOING))).order_by(_COLUMNS.number)
        with self._records.reading() as connection:
            return [_bulk(row) for row in connection.execute(chosen)]

    def step(self, number: int, step: Step) -> bool:
        """See the port."""
        given = {"confirmed_by": step.confirmed_by, "problem": step.problem, "undo_why": step.undo_why}
        values: dict[str, object] = {name: value for name, value in given.items() if value is not None}
        if step.actor is not None:
            values["actor"] = _json(step.actor)
        stepped = update(BULK).where(_COLUMNS.number == number, _COLUMNS.state == step.before.value)
        with self._records.writing() as connection:
            if connection.execute(stepped.values(state=step.happening.state.value, **values)).rowcount != 1:
                return False
            connection.execute(insert(BULK_HAPPENING), _happening_row(number, step.happening))
            return True

    def history(self, number: int) -> list[Happening]:
        """See the port."""
        chosen = select(BULK_HAPPENING).where(_HAPPENED.bulk == number).order_by(_HAPPENED.number)
        with self._records.reading() as connection:
            rows = connection.execute(chosen).all()
            return [Happening(row.happened, row.made_by, BulkState(row.state), row.why) for row in rows]

    def progress(self, number: int) -> Progress:
        """See the port."""
        kinds = (_OF.settled, _OF.refused, _OF.fate)
        counted = select(*kinds, func.count().label("many")).where(_OF.bulk == number).group_by(*kinds)
        left, taken, refused, fates = 0, 0, dict[str, int](), dict[str, int]()
        with self._records.reading() as connection:
            for row in connection.execute(counted):
                if not row.settled:
                    left += row.many
                elif row.refused is not None:
                    refused[row.refused] = row.many
                else:
                    taken += row.many
                    if row.fate is not None:
                        fates[row.fate] = row.many
        return Progress(left, taken, refused, fates)

    def page(self, number: int, limit: int) -> list[str]:
        """See the port."""
        with self._records.writing() as connection:
            rows = connection.execute(_left(number, limit)).all()
            execute_each(
                connection,
                update(BULK_ACCOUNT).where(_OF.bulk == number, _OF.place == bindparam("at")).values(asked=True),
                [{"at": row.place} for row in rows],
            )
            return [row.account for row in rows]

    def asked(self, number: int, limit: int) -> list[str]:
        """See the port."""
        with self._records.reading() as connection:
            return [row.account for row in connection.execute(_left(number, limit).where(_OF.asked))]

    def settle(self, number: int, taken: Mapping[str, int], refused: Mapping[str, str]) -> None:
        """See the port."""
        open_ = update(BULK_ACCOUNT).where(_OF.bulk == number, _OF.account == bindparam("of"), _OF.settled.is_(False))
        took = open_.values(asked=True, settled=True, action=bindparam("got"))
        not_taken = open_.values(asked=True, settled=True, refused=bindparam("got"))
        with self._records.writing() as connection:
            execute_each(connection, took, [{"of": account, "got": got} for account, got in taken.items()])
            execute_each(connection, not_taken, [{"of": account, "got": got} for account, got in refused.items()])

    def to_undo(self, number: int, limit: int) -> list[int]:
        """See the port."""
        taken = select(_OF.action).where(_OF.bulk == number, _OF.action.is_not(None), _OF.fate.is_(None))
        with self._records.reading() as connection:
            return [row.action for row in connection.execute(taken.order_by(_OF.place).limit(limit))]

    def meet(self, number: int, fates: Mapping[int, Fate]) -> None:
        """See the port."""
        met = update(BULK_ACCOUNT).where(_OF.bulk == number, _OF.action == bindparam("of"), _OF.fate.is_(None))
        rows = [{"of": action, "got": fate.value} for action, fate in fates.items()]
        with self._records.writing() as connection:
            execute_each(connection, met.values(fate=bindparam("got")), rows)

    def standing(self, kind: str, values: Sequence[str], now: int) -> dict[str, tuple[Action, Action]]:
        """See the port."""
        stands = (_ENTRY.kind == kind, _ENTRY.undone_at.is_(None), _ENTRY.starts <= now, _ENTRY.ends > now)
        both = select(_ENTRY.value, func.min(_ENTRY.action), func.max(_ENTRY.action)).where(*stands)
        found = dict[str, tuple[Action, Action]]()
        with self._records.reading() as connection:
            for start in range(0, len(values), _AT_ONCE):
                some = both.where(_ENTRY.value.in_(values[start : start + _AT_ONCE])).group_by(_ENTRY.value)
                found |= {row[0]: (Action(row[1]), Action(row[2])) for row in connection.execute(some)}
        return found

    def _one(self, chosen: Select[Any]) -> Bulk | None:
        with self._records.reading() as connection:
            row = connection.execute(chosen).one_or_none()
            return None if row is None else _bulk(row)


#: An account before anything was asked for it.
_NEW: Final = {"asked": False, "settled": False}


def _under(drafted_by: str, ref: str) -> Select[Any]:
    return select(BULK).where(_COLUMNS.drafted_by == drafted_by, _COLUMNS.ref == ref)


def _left(number: int, limit: int) -> Select[Any]:
    """The first accounts without a result."""
    left = select(BULK_ACCOUNT).where(_OF.bulk == number, _OF.settled.is_(False))
    return left.order_by(_OF.place).limit(limit)


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _row(bulk: Bulk) -> dict[str, object]:
    """A bulk action as it is drafted, its number given by the data base."""
    return {
        "ref": bulk.ref,
        "drafted": bulk.drafted,
        "drafted_by": bulk.drafted_by,
        "expires": bulk.expires,
        "wanted": _json(bulk.order),
        "query": bulk.query,
        "preview": _json(bulk.preview),
        "second": bulk.second,
        "state": BulkState.DRAFT.value,
        "confirmed_by": "",
        "actor": "null",
        "problem": "",
        "undo_why": "",
    }


def _happening_row(number: int, happening: Happening) -> dict[str, object]:
    return {
        "bulk": number,
        "happened": happening.at,
        "made_by": happening.by,
        "state": happening.state.value,
        "why": happening.why,
    }


def _bulk(row: Row[Any]) -> Bulk:
    return Bulk(
        number=row.number,
        ref=row.ref,
        drafted=row.drafted,
        drafted_by=row.drafted_by,
        expires=row.expires,
        order=msgspec.json.decode(row.wanted, type=Order),
        query=row.query,
        preview=msgspec.json.decode(row.preview, type=Preview),
        second=row.second,
        state=BulkState(row.state),
        confirmed_by=row.confirmed_by,
        actor=msgspec.json.decode(row.actor, type=Actor | None),
        problem=row.problem,
        undo_why=row.undo_why,
    )
