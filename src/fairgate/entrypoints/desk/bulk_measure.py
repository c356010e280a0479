"""What the lake and the events behind it know of accounts: who is meant by a query, and how much each is worth."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from fairgate.backends.embedded.lake_views import literal, quoted, view_names
from fairgate.domain.bulk import MOST_ACCOUNTS
from fairgate.domain.bulk_preview import Measured
from fairgate.domain.pack import Bulk, Pack
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk.problems import Refusal, refusal_of
from fairgate.entrypoints.desk.tasks import Query, Refused
from fairgate.entrypoints.desk.workers import Workers
from fairgate.settings import Settings

#: Decisions of so many days are the evidence.
EVIDENCE_DAYS: Final = 30
#: What the desk gives a worker beyond a query's own limit, to end it in good order and to send the rows.
_GRACE_SECONDS: Final = 5.0
#: A query may have 100,000 characters; accounts get so many of them.
_PIECE_CHARACTERS: Final = 90_000


class _Column(msgspec.Struct):
    name: str
    type: str


class _Rows(msgspec.Struct):
    columns: list[_Column]
    rows: list[list[object]]
    truncated: bool


class _Row(msgspec.Struct, array_like=True):
    """A row of the measuring query."""

    account: str
    begun: int | None
    days_30: float | None
    days_90: float | None
    rules: list[str] | None
    log_odds: float | None
    source: str | None
    id: str | None


class _Found(msgspec.Struct):
    rows: list[_Row]


class Measuring:
    """Asks the desk's workers, with their limits of time and memory; personal values are never shown.

    Raises `Refusal` in the workers' words.
    """

    def __init__(self, settings: Settings, workers: Workers) -> None:
        self._seconds = settings.desk.sql_seconds + _GRACE_SECONDS
        self._workers = workers

    async def accounts(self, query: str) -> list[str | None]:
        """What a query gives in its one column `account`; at most as many rows as a bulk action may have accounts."""
        found = msgspec.json.decode(await self._ask(query, MOST_ACCOUNTS), type=_Rows)
        if [(each.name.lower(), each.type) for each in found.columns] != [("account", "VARCHAR")]:
            what = "the query must give one column, `account`, of texts (VARCHAR): cast or leave out what is not"
            raise Refusal(422, "bad_query", what, "query")
        if found.truncated:
            raise Refusal(422, "too_many", f"at most {MOST_ACCOUNTS:,} accounts: ask for fewer", "query")
        return [None if account is None else str(account) for (account,) in found.rows]

    async def measured(self, accounts: Sequence[str], pack: Pack, now: int) -> list[Measured]:
        """What is known of those of these accounts that events were about."""
        if not accounts:
            return []
        types = msgspec.json.decode(await self._ask("SELECT DISTINCT type FROM decisions", MOST_ACCOUNTS), type=_Rows)
        views = {event_type: view for view, event_type in view_names(str(each) for (each,) in types.rows).items()}
        groups = {rule.name: rule.group or rule.name for rule in pack.rules}
        found = list[Measured]()
        for chosen in _pieces(accounts):
            answer = await self._ask(_measuring(chosen, pack.bulk, views, now), MOST_ACCOUNTS)
            found += [_measured(row, groups) for row in msgspec.json.decode(answer, type=_Found).rows]
        return found

    async def _ask(self, text: str, rows: int) -> bytes:
        answer = await self._workers.run(Query(text, rows, "json", personal=False), self._seconds)
        if isinstance(answer, Refused):
            raise refusal_of(answer)
        return answer[1]


def _measured(row: _Row, groups: Mapping[str, str]) -> Measured:
    independent = {groups.get(rule, rule) for rule in row.rules or ()}
    return Measured(
        account=row.account,
        begun=row.begun,
        days_30=row.days_30,
        days_90=row.days_90,
        groups=len(independent),
        log_odds=row.log_odds,
        source=row.source or "",
        id=row.id or "",
    )


def _pieces(accounts: Sequence[str]) -> Iterator[str]:
    """These accounts as SQL, as many at a time as fit into one query."""
    piece, size = list[str](), 0
    for account in accounts:
        text = literal(account)
        if piece and size + len(text) > _PIECE_CHARACTERS:
            yield ", ".join(piece)
            piece, size = [], 0
        piece.append(text)
        size += len(text) + len(", ")
    if piece:
        yield ", ".join(piece)


def _measuring(chosen: str, terms: Bulk | None, views: Mapping[str, str], now: int) -> str:
    """The query that gives a `_Row` for each of these accounts, as SQL, that events were about."""
    since = f"epoch_us(time) >= {now - EVIDENCE_DAYS * DAY}"
    return f"""
        WITH chosen AS (SELECT unnest([{chosen}]) AS account),
        known AS (SELECT DISTINCT account FROM decisions SEMI JOIN chosen USING (account)),
        against AS (
            SELECT account,
                list_distinct(flatten(list(list_filter(rules, lambda r: NOT list_contains(silent, r))))) AS rules,
                max(log_odds) AS log_odds, arg_max(source, sequence) AS source, arg_max(id, sequence) AS id
            FROM decisions SEMI JOIN chosen USING (account)
            WHERE action <> 'allow' AND {since} GROUP BY account),
        begun AS ({_begun(terms, views)}),
        paid AS ({_paid(terms, views, now)})
        SELECT account, begun.at, paid.days_30, paid.days_90, rules, log_odds, source, id
        FROM known LEFT JOIN against USING (account) LEFT JOIN begun USING (account) LEFT JOIN paid USING (account)
        ORDER BY account"""  # noqa: S608 - what is put in is quoted texts, a number, or made below of such


def _begun(terms: Bulk | None, views: Mapping[str, str]) -> str:
    if terms is None or terms.begins not in views:
        return "SELECT NULL::VARCHAR AS account, NULL::BIGINT AS at"
    view = quoted(views[terms.begins])
    return f"SELECT account, epoch_us(min(_time)) AS at FROM {view} GROUP BY account"  # noqa: S608 - a quoted name


def _paid(terms: Bulk | None, views: Mapping[str, str], now: int) -> str:
    if terms is None or terms.paid not in views:
        return "SELECT NULL::VARCHAR AS account, NULL::DOUBLE AS days_30, NULL::DOUBLE AS days_90"
    amount = f"CAST({quoted(terms.amount)} AS DOUBLE)"
    only = "".join(f" AND {quoted(name)} = {literal(value)}" for name, value in terms.paid_if.items())
    sums = (f"sum({amount}) FILTER (WHERE epoch_us(_time) >= {now - days * DAY}) AS days_{days}" for days in (30, 90))
    chosen, view = f"account, {', '.join(sums)}", quoted(views[terms.paid])
    return f"SELECT {chosen} FROM {view} WHERE isfinite({amount}){only} GROUP BY account"  # noqa: S608 - quoted, or numbers
