"""The contract of the audit log, over every implementation, against a naive model; and mutants that must die."""

import threading
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import audit as module
from fairgate.backends.sql.audit import SqlAudit
from fairgate.backends.sql.records import Records
from fairgate.domain.audit import READINGS, ROOT, Doing, Head, Kind, Row, hash_of
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import Subject
from fairgate.ports.audit import Audit, Readings, Sought
from tests.contracts.opened_records import OpenAudit, audit, in_postgres, on_every_data_base, open_sql_audit
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(audit)

TIMES = (0, 1, 7, 10, 25, 1_796_000_000_000_000)
SUBJECTS = (Subject("decision", "1"), Subject("decision", "2"), Subject("email", "1"))
NAMES = ("ann", "bob", "")
KINDS = (Kind.READ, Kind.ASKED, Kind.ASKED_PERSONAL, Kind.LISTED)
ALL = 1 << 62

times, texts = st.sampled_from(TIMES), st.sampled_from(["", "a", "zwei ✓\n😀", "['\"\\"])
doings = st.builds(
    Doing,
    time=times,
    by=st.sampled_from(NAMES),
    key=texts,
    what=st.sampled_from(KINDS),
    about=st.sampled_from(SUBJECTS),
    why=texts,
    case=st.none() | st.sampled_from([0, ALL]),
    sequence=st.none() | st.sampled_from([0, 5]),
    more=st.sampled_from(["", '{"a":1}']),
)
soughts = st.builds(
    Sought,
    by=st.none() | st.sampled_from(NAMES),
    what=st.none() | st.lists(st.sampled_from(KINDS), max_size=2).map(tuple),
    about=st.none() | st.sampled_from(SUBJECTS),
    since=st.none() | times,
    until=st.none() | times,
)
#: What is asked for after a step: which rows, before which, how many; and a time and a span for readings.
Ask = tuple[Sought, int, int, int, int]
EVERYTHING: Ask = (Sought(), ALL, 1_000, 0, 10)
asks = st.just(EVERYTHING) | st.tuples(
    soughts, st.sampled_from([1, 3, ALL]), st.sampled_from([1, 2, 100]), times, st.sampled_from([1, 10])
)
Session = list[tuple[list[Doing], Ask]]
#: The data base is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(st.lists(doings, max_size=4), asks), min_size=1, max_size=5), min_size=1, max_size=3
)


class NaiveAudit(Audit):
    """The audit log in memory."""

    def __init__(self) -> None:
        self.kept: list[Row] = []

    def append(self, doings: Sequence[Doing]) -> list[Row]:
        before = len(self.kept)
        for each in doings:
            known = [_identity(row.doing) for row in self.kept if row.doing.sequence is not None]
            if each.sequence is None or _identity(each) not in known:
                number, previous = len(self.kept) + 1, self.head().hash
                self.kept.append(Row(number, each, previous, hash_of(number, each, previous)))
        return self.kept[before:]

    def head(self) -> Head:
        return Head(len(self.kept), self.kept[-1].hash if self.kept else ROOT)

    def rows(self, after: int, limit: int) -> list[Row]:
        return [row for row in self.kept if row.number > after][:limit]

    def with_hash(self, hashed: str, after: int, limit: int) -> list[int]:
        return [row.number for row in self.kept if row.hash == hashed and row.number > after][:limit]

    def found(self, sought: Sought, before: int, limit: int) -> list[Row]:
        found = [row for row in reversed(self.kept) if row.number < before]
        found = [row for row in found if sought.by in {None, row.doing.by}]
        found = [row for row in found if sought.what is None or row.doing.what in sought.what]
        found = [row for row in found if sought.about in {None, row.doing.about}]
        found = [row for row in found if sought.since is None or row.doing.time >= sought.since]
        found = [row for row in found if sought.until is None or row.doing.time < sought.until]
        return found[:limit]

    def readings(self, since: int, span: int) -> list[Readings]:
        read = [row.doing for row in self.kept if row.doing.what in READINGS and row.doing.time >= since]
        counts = Counter((each.by, each.time // span * span) for each in read)
        return sorted(Readings(by, start, count) for (by, start), count in counts.items())


def _identity(doing: Doing) -> tuple[object, ...]:
    return doing.time, doing.what, doing.about, doing.more


def check(audit: Audit, model: NaiveAudit, ask: Ask) -> None:
    sought, before, limit, since, span = ask
    assert audit.head() == model.head()
    assert audit.found(sought, before, limit) == model.found(sought, before, limit)
    assert audit.readings(since, span) == model.readings(since, span)
    for after in (0, 1, before):
        assert audit.rows(after, limit) == model.rows(after, limit)
    for row in model.kept:
        assert audit.with_hash(row.hash, 0, limit) == [row.number]
        assert audit.with_hash(row.hash, row.number, limit) == []


def follows_the_model(opened: OpenAudit, folder: Path, sessions: Sequence[Session]) -> None:
    model = NaiveAudit()
    for session in sessions:
        with opened(folder) as audit:
            check(audit, model, EVERYTHING)
            for doings, ask in session:
                assert audit.append(doings) == model.append(doings)
                check(audit, model, ask)


FIRST = Doing(7, "ann", "k1", Kind.READ, SUBJECTS[0], "ticket", 12, None, '{"a":1}')
SECOND = replace(FIRST, by="bob", time=25, what=Kind.ASKED_PERSONAL, about=SUBJECTS[1])
THIRD = replace(FIRST, time=10, what=Kind.LISTED, about=SUBJECTS[2], sequence=5, case=None)
STORY: list[Session] = [
    [
        ([FIRST, FIRST, SECOND], EVERYTHING),
        ([THIRD, THIRD], (Sought(by="ann"), ALL, 9, 8, 10)),
        ([THIRD, replace(THIRD, sequence=6)], (Sought(what=(Kind.READ, Kind.LISTED)), ALL, 9, 7, 1)),
        ([replace(THIRD, sequence=None)], (Sought(about=SUBJECTS[0]), 4, 1, 0, 10)),
        ([replace(THIRD, more="")], (Sought(since=10, until=25), ALL, 9, 0, 10)),
    ],
    [
        ([replace(THIRD, time=11), replace(THIRD, what=Kind.READ)], (Sought(what=()), ALL, 9, 0, 10)),
        ([replace(THIRD, about=Subject("email", "9")), replace(THIRD, about=Subject("x", "1"))], EVERYTHING),
        ([THIRD, replace(THIRD, by="bob", why="again")], (Sought(about=SUBJECTS[2], by="ann"), ALL, 9, 0, 10)),
    ],
]


@implementations
def test_a_story(opened: OpenAudit, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_what_was_done_stays_in_its_order(tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]) -> None:
    follows_the_model(open_sql_audit, tmp_path_factory.mktemp("audit"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_what_was_done_stays_in_its_order_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(audit), tmp_path_factory.mktemp("audit"), sessions)


@implementations
def test_what_several_append_at_once_is_one_chain(opened: OpenAudit, tmp_path: Path) -> None:
    count, each_appends = 4, 10
    together = threading.Barrier(count)

    def run(number: int) -> None:
        with opened(tmp_path) as audit:
            together.wait()
            for at in range(each_appends):
                audit.append([replace(FIRST, by=str(number), time=at)])

    with opened(tmp_path):
        pass
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    model = NaiveAudit()
    with opened(tmp_path) as audit:
        rows = audit.rows(0, 1_000)
        assert rows == model.append([row.doing for row in rows])
    assert len(rows) == count * each_appends


def test_what_fails_has_not_happened(tmp_path: Path) -> None:
    with open_sql_audit(tmp_path) as audit:
        audit.append([FIRST])
        with closing(connect(tmp_path / "records.db")) as fault:
            fault.execute(
                "create trigger fault before insert on audit_row when new.number = 3"
                " begin select raise(abort, 'broken'); end"
            )
        with pytest.raises(RecordsUnavailable, match="broken"):
            audit.append([FIRST, SECOND])
        assert audit.head().rows == 1


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "begins each chain anew": Edit(module, "append_to", "_head(connection)", "Head(_head(connection).rows, ROOT)"),
    "chains all to one": Edit(module, "append_to", "Head(row.number, row.hash)", "Head(row.number, head.hash)"),
    "takes the first row for the last": Edit(module, "_head", "_COLUMNS.number.desc()", "_COLUMNS.number"),
    "takes in again what it has": Edit(module, "_new", "same not in known", "True"),
    "forgets what it takes in just now": Edit(module, "_new", "known.add(same)", "pass"),
    "leaves out its own": Edit(module, "_new", "each.sequence is None or ", ""),
    "takes its own for the log's": Edit(module, "_new", ", _COLUMNS.sequence.is_not(None)", ""),
    "forgets further facts": Edit(module, "_values", "doing.more", '""'),
    "forgets the key": Edit(module, "_values", "doing.key", '""'),
    "forgets the case": Edit(module, "_values", "doing.case", "None"),
    "forgets the sequence": Edit(module, "_row", "sequence=row.sequence", "sequence=None"),
    "shows the row again": Edit(SqlAudit, "rows", "> after", ">= after"),
    "shows rows without a limit": Edit(SqlAudit, "rows", ".limit(limit)", ""),
    "finds any hash": Edit(SqlAudit, "with_hash", "_COLUMNS.hash == hashed, ", ""),
    "finds a hash again": Edit(SqlAudit, "with_hash", ", _COLUMNS.number > after", ""),
    "shows those of all": Edit(SqlAudit, "found", "sought.by is not None", "False"),
    "shows all kinds": Edit(SqlAudit, "found", "sought.what is not None", "sought.what"),
    "takes values for one another": Edit(SqlAudit, "found", ", _COLUMNS.value == sought.about.value", ""),
    "takes what it is about for one another": Edit(SqlAudit, "found", "_COLUMNS.kind == sought.about.kind, ", ""),
    "shows what was before": Edit(SqlAudit, "found", ">= sought.since", "> sought.since"),
    "shows what is later": Edit(SqlAudit, "found", "< sought.until", "<= sought.until"),
    "shows the oldest first": Edit(SqlAudit, "found", "_COLUMNS.number.desc()", "_COLUMNS.number"),
    "begins each page anew": Edit(SqlAudit, "found", ".where(_COLUMNS.number < before)", ""),
    "counts all kinds": Edit(SqlAudit, "readings", ".where(read, late)", ".where(late)"),
    "counts from ever": Edit(SqlAudit, "readings", ".where(read, late)", ".where(read)"),
    "counts at times": Edit(SqlAudit, "readings", "_COLUMNS.time - _COLUMNS.time % span", "_COLUMNS.time + 0"),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql_audit, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        follows_the_model(open_sql_audit, tmp_path_factory.mktemp("mutant"), STORY)
        model()
