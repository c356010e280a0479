"""Many accounts become cases at once: one about all of them, or one about each."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec.structs import replace

from fairgate.casework.handling import MOST_ACCOUNTS
from fairgate.domain.audit import fingerprint
from fairgate.domain.case import MOST_KEPT, Case
from fairgate.entrypoints.desk.appeal_answers import LARGEST
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.ports.cases import Opened
from fairgate.wiring import Records

#: Cases that are opened as one; between two lots others can use the records.
_LOT: Final = 200
#: How often a case is tried about accounts of which others open cases at the same moment.
_TRIES: Final = 5
_PRINT: Final = 12


class Rows(NamedTuple):
    """What a query gave: an account of each row, and the numbers of events of each account where it gave them."""

    accounts: Sequence[str | None]
    events: Mapping[str, Sequence[int]]


class Gathered(NamedTuple):
    """Accounts that are in cases now, these cases' numbers and how many are new; and who had an open case before."""

    accounts: int
    cases: Sequence[int]
    opened: int
    there: Mapping[str, int]


class _Column(msgspec.Struct):
    name: str
    type: str


class _Answer(msgspec.Struct):
    columns: list[_Column]
    rows: list[list[object]]
    truncated: bool


def rows_of(body: bytes, limit: int) -> Rows:
    """What a query's answer, in JSON, has of accounts and events. Raises `Refusal` where it is no such answer."""
    answer = msgspec.json.decode(body, type=_Answer)
    places = {each.name.lower(): place for place, each in enumerate(answer.columns)}
    at = places.get("account")
    if at is None or answer.columns[at].type != "VARCHAR":
        what = "the query must give a column `account` of texts (VARCHAR): name it so, or cast it"
        raise Refusal(422, "bad_query", what, "query")
    if answer.truncated:
        what = f"it gives more than {limit:,} rows: ask for each account once (SELECT DISTINCT), or for fewer"
        raise Refusal(422, "too_many", what, "query")
    accounts = [None if row[at] is None else str(row[at]) for row in answer.rows]
    of = places.get("sequence")
    events: dict[str, list[int]] = {}
    for account, row in zip(accounts, answer.rows, strict=True):
        number = None if of is None else row[of]
        if account is not None and type(number) is int and 0 <= number <= LARGEST:
            events.setdefault(account, []).append(number)
    return Rows(accounts, events)


def evidence_of(query: str) -> tuple[str, ...]:
    """How a query is cited as evidence: by the beginning of the hash that the audit log has of it."""
    return (f"query {fingerprint(query)[:_PRINT]}",) if query else ()


class Gathering:
    """Opens cases about accounts that have none. Raises `Refusal`, and what `DeskRecords.do` raises.

    The same again under one `ref` is opened once, so what was cut short may be sent again.
    """

    def __init__(self, records: DeskRecords) -> None:
        self._records = records

    async def preview(self, accounts: Sequence[str], *, apart: bool) -> Gathered:
        """What would be opened now."""
        check_few(accounts, apart=apart)
        there = await self._records.do(lambda records: records.case_intake.about(accounts))
        return Gathered(len(accounts) - len(there), (), 0, there)

    async def one(self, like: Case, rows: Mapping[str, Sequence[int]]) -> Gathered:
        """Open a case like this about those of its accounts that are in no open one."""
        check_few(like.accounts, apart=False)
        opened, there = await self._records.do(lambda records: _one(records, like, rows))
        return Gathered(len(opened.case.accounts), (opened.case.number,), int(opened.new), there)

    async def apart(self, like: Case, rows: Mapping[str, Sequence[int]]) -> Gathered:
        """Open a case like this about each of its accounts that is in no open one."""
        check_few(like.accounts, apart=True)
        wanted = [replace(_about(like, (each,), rows), ref=f"{like.ref}/{each}") for each in like.accounts]
        cases, there, new = list[int](), dict[str, int](), 0
        for start in range(0, len(wanted), _LOT):
            lot = wanted[start : start + _LOT]

            def open_lot(records: Records, lot: Sequence[Case] = lot) -> list[Opened]:
                return records.case_intake.open(lot)

            for asked, (case, is_new) in zip(lot, await self._records.do(open_lot), strict=True):
                new += is_new
                if is_new or _is_mine(case, asked):
                    cases.append(case.number)
                else:
                    there[asked.accounts[0]] = case.number
        return Gathered(len(cases), cases, new, there)


def check_few(accounts: Sequence[str], *, apart: bool) -> None:
    """Raise `Refusal` for accounts that are too many for one case, or none."""
    if not accounts:
        raise Refusal(422, "no_accounts", "there is no account to open a case about")
    if not apart and len(accounts) > MOST_ACCOUNTS:
        what = (
            f"these are {len(accounts):,} accounts, and one case has at most {MOST_ACCOUNTS:,}: ask for fewer, open a "
            "case for each (`apart`), or act on all of them at once (`POST /v1/bulk`)"
        )
        raise Refusal(422, "too_many", what)


def _about(like: Case, accounts: Sequence[str], rows: Mapping[str, Sequence[int]]) -> Case:
    """A case like this about some of its accounts, with the newest of their events."""
    events = sorted({number for account in accounts for number in rows.get(account, ())}, reverse=True)
    return replace(like, accounts=tuple(accounts), facts=replace(like.facts, events=tuple(events[:MOST_KEPT])))


def _one(records: Records, like: Case, rows: Mapping[str, Sequence[int]]) -> tuple[Opened, Mapping[str, int]]:
    left, there = like.accounts, dict[str, int]()
    for _ in range(_TRIES):
        [opened] = records.case_intake.open([_about(like, left, rows)])
        if opened.new or _is_mine(opened.case, like):
            return opened, there
        there |= records.case_intake.about(left)
        left = tuple(each for each in left if each not in there)
        if not left:
            what = f"each of these accounts is in an open case already, the first in case {min(there.values())}"
            raise Refusal(409, "case_open", what)
    raise Refusal(409, "stale", "cases about these accounts are being opened just now: send it again")


def _is_mine(case: Case, asked: Case) -> bool:
    """Whether a case is what somebody has opened under this ref. Raises `Refusal` where it says something else."""
    if (case.opened_by, case.ref) != (asked.opened_by, asked.ref):
        return False
    if (case.why, case.query) != (asked.why, asked.query):
        what = f"this ref is case {case.number}, which says something else: give what is new a name of its own"
        raise Refusal(409, "ref_taken", what, "ref")
    return True
