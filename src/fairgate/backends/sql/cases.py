"""Cases by SQL. They are owned here: nothing else has them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    false,
    func,
    insert,
    or_,
    select,
    true,
    update,
)

from fairgate.backends.sql import case_rows as rows
from fairgate.backends.sql.records import Records, execute_each
from fairgate.backends.sql.tables import CASE, CASE_FED, CASE_HAPPENING, CASE_KEPT, CASE_MEMBER
from fairgate.domain.case import Case, CaseState, Facts, Finding, Happening
from fairgate.domain.parting import Parting
from fairgate.domain.windows import HOUR
from fairgate.domain.worth import Stake
from fairgate.ports.cases import Came, CaseFeed, CaseIntake, CaseQueue, Cases, CasesWanted, Opened, Waiting

_COLUMNS = CASE.c
#: Accounts of one statement.
_PIECE = 500
_OPEN = _COLUMNS.state == CaseState.OPEN.value


class SqlCases(Cases):
    """The cases in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def open(self, asked: Case) -> Opened:
        """See the port."""
        with self._records.writing() as connection:  # from the first look on: no other can open one in between
            return _opened(connection, asked)

    def get(self, number: int) -> Case | None:
        """See the port."""
        found = _found(self._records, select(CASE).where(_COLUMNS.number == number))
        return found[0] if found else None

    def store(self, case: Case, happenings: Sequence[Happening]) -> bool:
        """See the port."""
        with self._records.writing() as connection:
            if not rows.put(connection, case):
                return False
            rows.write_happenings(connection, case.number, happenings)
            return True

    def merge(self, kept: Case, merged: Case, happenings: Sequence[Happening]) -> bool:
        """See the port."""
        both = select(CASE).where(_COLUMNS.number.in_([kept.number, merged.number]))
        now = happenings[0].at
        with self._records.writing() as connection:
            facts = {row.number: rows.facts_of(row) for row in connection.execute(both)}
            before = select(CASE.c.number).where(
                or_(
                    *(
                        and_(_COLUMNS.number == each.number, _COLUMNS.version == each.version - 1)
                        for each in (kept, merged)
                    )
                )
            )
            if (
                len(connection.execute(before).all()) != len({kept.number, merged.number})
                or kept.number == merged.number
            ):
                return False
            for each in (merged, kept):
                rows.put(connection, each)
                rows.write_happenings(connection, each.number, happenings)
            joined = facts[kept.number].joined(facts[merged.number], now)
            connection.execute(update(CASE).where(_COLUMNS.number == kept.number).values(rows.facts_row(joined, now)))
            return True

    def split(self, left: Case, made: Case, parting: Parting, told: Callable[[int], Sequence[Happening]]) -> int | None:
        """See the port."""
        now, mine = made.opened, _COLUMNS.number == left.number
        with self._records.writing() as connection:
            if not rows.put(connection, left):
                return None
            whole = rows.facts_in(connection.execute(select(_COLUMNS.facts).where(mine)).scalar_one())
            stay, go = parting.of(whole, now)
            connection.execute(update(CASE).where(mine).values(rows.facts_row(stay, now)))
            number = rows.add(connection, msgspec.structs.replace(made, facts=go), now)
            for each in (left.number, number):
                rows.write_happenings(connection, each, told(number))
            return number

    def found(self, wanted: CasesWanted, after: int, limit: int) -> list[Case]:
        """See the port."""
        chosen = select(CASE).where(_COLUMNS.number > after)
        if wanted.state is not None:
            chosen = chosen.where(_COLUMNS.state == wanted.state.value)
        if wanted.claimed_by is not None:
            chosen = chosen.where(_COLUMNS.claimed_by == wanted.claimed_by)
        if wanted.escalated is not None:
            chosen = chosen.where(_COLUMNS.escalated == (true() if wanted.escalated else false()))
        if wanted.account is not None:
            about = select(CASE_MEMBER.c.number).where(CASE_MEMBER.c.account == wanted.account)
            chosen = chosen.where(_COLUMNS.number.in_(about))
        return _found(self._records, chosen.order_by(_COLUMNS.number).limit(limit))

    def history(self, number: int) -> list[Happening]:
        """See the port."""
        happened = CASE_HAPPENING.c
        chosen = select(CASE_HAPPENING).where(happened.number == number).order_by(happened.place)
        with self._records.reading() as connection:
            return [Happening(row.at, row.by_whom, row.what, row.said) for row in connection.execute(chosen).all()]


class SqlCaseIntake(CaseIntake):
    """Cases as they come into a data base many at once."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def open(self, asked: Sequence[Case]) -> list[Opened]:
        """See the port."""
        with self._records.writing() as connection:
            return [_opened(connection, each) for each in asked]

    def about(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """See the port."""
        member, found = CASE_MEMBER.c, dict[str, int]()
        with self._records.reading() as connection:
            for start in range(0, len(accounts), _PIECE):
                some = member.account.in_(accounts[start : start + _PIECE])
                chosen = select(member.account, member.number).where(member.open == true(), some)
                found |= {row.account: row.number for row in connection.execute(chosen)}
        return found


class SqlCaseQueue(CaseQueue):
    """The open cases in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def best(self, now: int, *, escalated: bool, after: Case | None, limit: int) -> list[Case]:
        """See the port."""
        chosen = select(CASE).where(rows.ready(now, escalated=escalated))
        if after is not None:
            place = select(_COLUMNS.value).where(_COLUMNS.number == after.number).scalar_subquery()
            behind = or_(_COLUMNS.value < place, and_(_COLUMNS.value == place, _COLUMNS.number < after.number))
            chosen = chosen.where(behind)
        # Both from the greatest down, so that the index is read backwards.
        return _found(self._records, chosen.order_by(_COLUMNS.value.desc(), _COLUMNS.number.desc()).limit(limit))

    def counted(self, now: int, *, uncertain: bool) -> int:
        """See the port."""
        with self._records.reading() as connection:
            count: int = connection.execute(_drawn(select(func.count()), now, uncertain=uncertain)).scalar_one()
            return count

    def nth(self, now: int, place: int, *, uncertain: bool) -> Case | None:
        """See the port."""
        number = _drawn(select(_COLUMNS.number), now, uncertain=uncertain).order_by(_COLUMNS.number)
        one = number.offset(place).limit(1).scalar_subquery()
        found = _found(self._records, select(CASE).where(_COLUMNS.number == one))
        return found[0] if found else None

    def kept(self, now: int, limit: int) -> list[Case]:
        """See the port."""
        drawn = select(CASE).join(CASE_KEPT, CASE_KEPT.c.number == _COLUMNS.number)
        ready = drawn.where(rows.ready(now, escalated=False))
        return _found(self._records, ready.order_by(_COLUMNS.number).limit(limit))

    def came(self, since: int, until: int) -> Came:
        """See the port."""
        alone = _COLUMNS.state != CaseState.MERGED.value
        hour = (_COLUMNS.opened // HOUR).label("hour")
        hours = select(hour).where(alone, _COLUMNS.opened >= since, _COLUMNS.opened < until).subquery().c
        first = select(func.coalesce(func.min(_COLUMNS.opened), 0)).where(alone)
        with self._records.reading() as connection:
            found = connection.execute(select(hours.hour, func.count().label("cases")).group_by(hours.hour)).all()
            return Came(connection.execute(first).scalar_one(), {row.hour: row.cases for row in found})

    def rank(self, now: int, before: int, limit: int) -> int:
        """See the port."""
        stale = select(_COLUMNS.number, _COLUMNS.facts).where(_OPEN, _COLUMNS.ranked < before)
        with self._records.writing() as connection:
            found = connection.execute(stale.order_by(_COLUMNS.value.desc()).limit(limit)).all()
            valued = [
                {"ranked_case": number, "value": rows.value(rows.facts_in(facts), now), "ranked": now}
                for number, facts in found
            ]
            execute_each(connection, update(CASE).where(_COLUMNS.number == bindparam("ranked_case")), valued)
            return len(found)

    def waiting(self, now: int) -> Waiting:
        """See the port."""
        is_ready = func.coalesce(func.sum(case((_COLUMNS.ready_at <= now, 1), else_=0)), 0)
        oldest = func.coalesce(func.min(_COLUMNS.opened), 0)
        minutes = func.coalesce(func.sum(_COLUMNS.minutes), 0.0)
        with self._records.reading() as connection:
            return Waiting(*connection.execute(select(func.count(), is_ready, oldest, minutes).where(_OPEN)).one())


class SqlCaseFeed(CaseFeed):
    """What decisions do to the cases in a data base."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def fed(self) -> int:
        """See the port."""
        with self._records.reading() as connection:
            return connection.execute(select(CASE_FED.c.sequence)).scalar_one_or_none() or 0

    def feed(self, upto: int, findings: Sequence[Finding], used: Mapping[str, Stake], now: int) -> None:
        """See the port."""
        with self._records.writing() as connection:
            fed = connection.execute(select(CASE_FED.c.sequence)).scalar_one_or_none() or 0
            if upto <= fed:
                return
            connection.execute(delete(CASE_FED))
            connection.execute(insert(CASE_FED), {"sequence": upto})
            for finding in findings:
                if finding.event < fed:
                    continue
                row = rows.open_about(connection, [finding.account])
                if row is None:
                    opened = Case(-1, (finding.account,), Facts(finding.stake).fed(finding), finding.at)
                    number, happening = rows.add(connection, opened, now), Happening(finding.at, "", "opened", "")
                    rows.write_happenings(connection, number, [happening])
                else:
                    values = rows.facts_row(rows.facts_of(row).fed(finding), now)
                    connection.execute(update(CASE).where(_COLUMNS.number == row.number).values(values))
            for account, stake in used.items():
                row = rows.open_about(connection, [account])
                if row is not None:
                    facts = rows.facts_of(row)
                    burns = facts.stake.faded(stake.at)
                    burns = burns.used(stake.faded(burns.at).burn, burns.at)
                    values = rows.facts_row(msgspec.structs.replace(facts, stake=burns), now)
                    connection.execute(update(CASE).where(_COLUMNS.number == row.number).values(values))

    def burning(self, after: int) -> tuple[int, Mapping[str, Stake]]:
        """See the port."""
        member = CASE_MEMBER.c
        joined = select(member.account, CASE.c.number, CASE.c.facts).join(CASE, member.number == _COLUMNS.number)
        with self._records.reading() as connection:
            last = connection.execute(select(func.coalesce(func.max(_COLUMNS.number), 0))).scalar_one()
            found = connection.execute(joined.where(member.open == true(), _COLUMNS.number > after)).all()
            return last, {account: rows.facts_in(facts).stake for account, _, facts in found}


def _opened(connection: Connection, asked: Case) -> Opened:
    """Open a case, unless it is there, or one about one of its accounts."""
    under = select(CASE).where(_COLUMNS.opened_by == asked.opened_by, _COLUMNS.ref == asked.ref)
    row = connection.execute(under).first() if asked.ref else None
    row = row or rows.open_about(connection, asked.accounts)
    if row is not None:
        return Opened(rows.case_of(row), new=False)
    number = rows.add(connection, asked, asked.opened)
    rows.write_happenings(connection, number, [Happening(asked.opened, asked.opened_by, "opened", asked.why)])
    return Opened(msgspec.structs.replace(asked, number=number), new=True)


def _found(records: Records, chosen: Select[Any]) -> list[Case]:
    with records.reading() as connection:
        found: Sequence[Row[Any]] = connection.execute(chosen).all()
        return [rows.case_of(row) for row in found]


def _drawn(chosen: Select[Any], now: int, *, uncertain: bool) -> Select[Any]:
    chosen = chosen.where(rows.ready(now, escalated=False))
    return chosen.where(_COLUMNS.uncertain == true()) if uncertain else chosen
