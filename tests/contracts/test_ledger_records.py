"""The contract of the ledger's records, over every implementation, against a naive model; and mutants that must die."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import ledger as module
from fairgate.backends.sql.ledger import SqlLedger
from fairgate.backends.sql.records import Records
from fairgate.domain.action import Action
from fairgate.domain.audit import Doing
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.ports.ledger import LedgerRecords, Message, Read
from fairgate.ports.outbox import Outbox
from tests.contracts.opened_records import Open, in_postgres, ledger_and_outbox, on_every_data_base, open_sql
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(ledger_and_outbox)

#: Few of everything, so that much meets; times before 1970, now, and far ahead.
SUBJECTS = (Subject("account", "a"), Subject("account", "b"), Subject("ip", "a"), Subject("", "Größe ✓ 'q\" 😀"))
TIMES = (-5, 0, 1, 2, 3, 1_796_000_000_000_000, 1_796_000_000_000_001)
RECEIVERS = ("books", "mail")
NUMBERS = (0, 1, 2, 3, 4, 1 << 40)

times = st.sampled_from(TIMES)
texts = st.sampled_from(["", "a", "zwei ✓ 😀", "null", "['\"\\"])
lists = st.lists(texts, max_size=3).map(tuple)
subjects = st.sampled_from(SUBJECTS)
entries = st.builds(
    Entry,
    number=st.sampled_from(NUMBERS),
    subject=subjects,
    action=st.sampled_from(Action),
    starts=times,
    ends=times | st.just(FOREVER),
    reasons=lists,
    evidence=lists,
    pack=texts,
    by=texts,
    why=texts,
    ref=texts,
    undone=st.none() | st.builds(Undone, at=times, by=texts, why=texts),
)
messages = st.builds(
    Message, id=texts, subject=subjects, type=texts, body=st.sampled_from([b"{}", b'{"a":"\xc3\xa4"}'])
)


class Take(NamedTuple):
    """What is taken in at once."""

    read: Read
    entries: list[Entry]
    messages: list[Message]
    receivers: list[str]


class Ask(NamedTuple):
    """What is asked about afterwards."""

    now: int
    upto: int
    number: int
    limit: int


Session = list[tuple[Take, Ask]]
takes = st.builds(
    Take,
    read=st.builds(Read, sequence=st.integers(0, 1 << 60), time=times, off=lists),
    entries=st.lists(entries, max_size=6),
    messages=st.lists(messages, max_size=3),
    receivers=st.lists(st.sampled_from(RECEIVERS), unique=True),
)
asks = st.builds(
    Ask,
    now=times,
    upto=times | st.sampled_from([FOREVER - 1, FOREVER]),
    number=st.sampled_from([-1, *NUMBERS, 1 << 62]),
    limit=st.sampled_from([1, 2, 100]),
)
#: The file is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(takes, asks), min_size=1, max_size=4), min_size=1, max_size=3
)


class NaiveLedger(LedgerRecords):
    """The ledger in memory, and the letters to each receiver: message and time."""

    def __init__(self) -> None:
        self.upto = Read(0, 0)
        self.entries: dict[int, Entry] = {}
        self.letters: dict[str, list[tuple[Message, int]]] = {receiver: [] for receiver in RECEIVERS}

    def read(self) -> Read:
        return self.upto

    def take(
        self,
        read: Read,
        entries: Sequence[Entry],
        messages: Sequence[Message],
        receivers: Sequence[str],
        doings: Sequence[Doing] = (),
    ) -> None:
        assert not doings  # see test_doings.py
        self.upto = read
        for entry in entries:
            self.entries[entry.number] = entry
        for message in messages:
            for receiver in receivers:
                self.letters[receiver].append((message, read.time))

    def get(self, number: int) -> Entry | None:
        return self.entries.get(number)

    def standing(self, subject: Subject, now: int) -> list[Entry]:
        return [entry for entry in self._all() if entry.subject == subject and entry.stands(now)]

    def held(self, now: int, after: int, limit: int) -> list[Entry]:
        return [entry for entry in self._all() if not entry.ends < now and entry.number > after][:limit]

    def ended(self, after: int, upto: int, limit: int) -> list[Entry]:
        found = [entry for entry in self._all() if after < entry.ends <= upto and entry.undone is None]
        found.sort(key=lambda entry: entry.ends)
        return [entry for entry in found if entry.ends in {each.ends for each in found[:limit]}]

    def of(self, subject: Subject, before: int, limit: int) -> list[Entry]:
        found = [entry for entry in self._all() if entry.subject == subject and entry.number < before]
        return found[::-1][:limit]

    def _all(self) -> list[Entry]:
        return [self.entries[number] for number in sorted(self.entries)]


def same(ledger: LedgerRecords, outbox: Outbox, model: NaiveLedger, ask: Ask) -> None:
    assert ledger.read() == model.read()
    for subject in SUBJECTS:
        assert ledger.standing(subject, ask.now) == model.standing(subject, ask.now)
        assert ledger.of(subject, ask.number, ask.limit) == model.of(subject, ask.number, ask.limit)
    for number in (ask.number - 1, ask.number, ask.number + 1):
        assert ledger.get(number) == model.get(number)
    assert ledger.held(ask.now, ask.number, ask.limit) == model.held(ask.now, ask.number, ask.limit)
    assert ledger.ended(ask.now, ask.upto, ask.limit) == model.ended(ask.now, ask.upto, ask.limit)
    for receiver in RECEIVERS:
        letters = outbox.waiting(receiver, -1, 1_000)
        assert [each.number for each in letters] == sorted({each.number for each in letters})
        assert [(each.receiver, each.attempts, each.why) for each in letters] == [(receiver, 0, "")] * len(letters)
        found = [(Message(each.message, each.subject, each.type, each.body), each.made, each.due) for each in letters]
        assert found == [(message, time, time) for message, time in model.letters[receiver]]


def follows_the_model(opened: Open, folder: Path, sessions: Sequence[Session]) -> None:
    model = NaiveLedger()
    for session in sessions:
        with opened(folder) as (ledger, outbox):
            same(ledger, outbox, model, Ask(1, FOREVER, 1 << 62, 100))
            for take, ask in session:
                for each in (ledger, model):
                    each.take(*take)
                same(ledger, outbox, model, ask)


ENTRY = Entry(7, SUBJECTS[0], Action.HOLD, 10, FOREVER, ("burst",), ("rule",), "pack@1")
TABLES = ("ledger_read", "ledger_entry", "letter")
MESSAGE = Message("action_7_taken", SUBJECTS[0], "standing.changed", b"{}")
UNDONE = Undone(15, "ann", "wrong")


def only(number: int, starts: int, ends: int, undone: Undone | None = None, place: int = 0) -> Entry:
    return Entry(number, SUBJECTS[place], Action.WATCH, starts, ends, ("r",), ("e",), "p", "bob", "so", "ref", undone)


TOLD = [MESSAGE, replace(MESSAGE, id="action_8_taken", subject=SUBJECTS[1])]
STORY: list[Session] = [
    [
        (Take(Read(5, 9, ("*", "action:hold")), [only(0, 1, 9), only(1, 0, 8)], [], []), Ask(1, 9, 0, 100)),
        (
            Take(Read(6, 10), [only(1, 0, 3), only(1, 0, 2), only(4, 0, 3, UNDONE)], TOLD, [*RECEIVERS]),
            Ask(2, 9, 1, 100),
        ),
        (Take(Read(7, 11), [only(2, 3, 6, place=1), only(3, 1, 1 << 61, place=2)], TOLD, []), Ask(1, 9, 3, 1)),
    ],
    [
        (Take(Read(8, 11), [only(5, 2, 3, UNDONE)], [], []), Ask(2, 3, 5, 100)),
        (Take(Read(8, 12), [], [], []), Ask(3, 6, -1, 100)),
        (Take(Read(8, 12), [], [], []), Ask(1, 9, -1, 2)),
        (Take(Read(9, 12), [only(6, 0, 6)], [], []), Ask(2, 9, -1, 1)),
    ],
]


@implementations
def test_a_story(opened: Open, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_what_was_taken_in_is_found(tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]) -> None:
    follows_the_model(open_sql, tmp_path_factory.mktemp("ledger"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_what_was_taken_in_is_found_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(ledger_and_outbox), tmp_path_factory.mktemp("ledger"), sessions)


# ------------------------------------------------------------------------------------------------------------- at once


@implementations
def test_readers_see_what_another_has_taken_in(opened: Open, tmp_path: Path) -> None:
    with opened(tmp_path) as (writer, _), opened(tmp_path) as (reader, outbox):
        assert reader.read() == Read(0, 0)
        writer.take(Read(5, 20), [ENTRY], [MESSAGE], ["books"])
        assert (reader.read(), reader.standing(ENTRY.subject, 20)) == (Read(5, 20), [ENTRY])
        assert len(outbox.waiting("books", -1, 10)) == 1


def fails_halfway(folder: Path, table: str) -> None:
    """Nothing of what is taken in is there where writing one table of it fails."""
    with open_sql(folder) as (ledger, outbox):
        ledger.take(Read(1, 10, ("*",)), [ENTRY], [], [])
        with closing(connect(folder / "records.db")) as fault:
            fault.execute(f"create trigger fault before insert on {table} begin select raise(abort, 'broken'); end")
        said_again, new = replace(ENTRY, undone=Undone(15, "ann", "wrong")), replace(ENTRY, number=8)
        with pytest.raises(RecordsUnavailable, match=r"records\.db: broken\. Check the path"):
            ledger.take(Read(2, 20), [said_again, new], [MESSAGE], ["books"])
        assert ledger.read() == Read(1, 10, ("*",))
        assert ledger.held(0, -1, 10) == [ENTRY]
        assert outbox.backlogs() == []


@pytest.mark.parametrize("table", TABLES)
def test_what_fails_halfway_has_not_happened(table: str, tmp_path: Path) -> None:
    fails_halfway(tmp_path, table)


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "keeps what was said before": Edit(
        SqlLedger, "take", 'execute_each(connection, before, [{"said_again": number} for number in last])', "pass"
    ),
    "forgets what was not said again": Edit(SqlLedger, "take", "_COLUMNS.number ==", "_COLUMNS.number <="),
    "takes the first of several": Edit(SqlLedger, "take", "for entry in entries}", "for entry in reversed(entries)}"),
    "turns letters round": Edit(SqlLedger, "take", "for message in messages", "for message in reversed(messages)"),
    "writes to one receiver": Edit(SqlLedger, "take", "in receivers]", "in receivers[:1]]"),
    "commits before the letters": Edit(
        SqlLedger,
        "take",
        "        execute_each(connection, insert(LETTER)",
        "    with self._records.writing() as connection:\n        execute_each(connection, insert(LETTER)",
    ),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
    "forgets how far it read": Edit(SqlLedger, "take", "connection.execute(insert(LEDGER_READ), _read_row(read))", ""),
    "forgets the switches": Edit(SqlLedger, "read", "_TEXTS.decode(row.switched_off)", "()"),
    "finds another": Edit(SqlLedger, "get", "_COLUMNS.number == number", "_COLUMNS.number <= number"),
    "finds none": Edit(SqlLedger, "get", "found[0] if found else None", "None"),
    "lets the undone stand": Edit(SqlLedger, "standing", "_COLUMNS.undone_at.is_(None), ", ""),
    "lets it begin a moment later": Edit(SqlLedger, "standing", "_COLUMNS.starts <= now", "_COLUMNS.starts < now"),
    "lets it end a moment later": Edit(SqlLedger, "standing", "_COLUMNS.ends > now", "_COLUMNS.ends >= now"),
    "stands in no order": Edit(SqlLedger, "standing", "_COLUMNS.number", "_COLUMNS.ends"),
    "does not hold the undone": Edit(SqlLedger, "held", ".where(", ".where(_COLUMNS.undone_at.is_(None), "),
    "does not hold what ends now": Edit(SqlLedger, "held", "_COLUMNS.ends >= now", "_COLUMNS.ends > now"),
    "holds one twice": Edit(SqlLedger, "held", "_COLUMNS.number > after", "_COLUMNS.number >= after"),
    "holds without a limit": Edit(SqlLedger, "held", ".limit(limit)", ""),
    "lets the undone end": Edit(SqlLedger, "ended", ", _COLUMNS.undone_at.is_(None)", ""),
    "lets it end twice": Edit(SqlLedger, "ended", "_COLUMNS.ends > after", "_COLUMNS.ends >= after"),
    "lets it end too late": Edit(SqlLedger, "ended", "_COLUMNS.ends <= upto", "_COLUMNS.ends < upto"),
    "ends by number": Edit(SqlLedger, "ended", "_COLUMNS.ends, _COLUMNS.number", "_COLUMNS.number"),
    "ends without a limit": Edit(SqlLedger, "ended", "func.coalesce(last.scalar_subquery(), upto)", "upto"),
    "ends one too many": Edit(SqlLedger, "ended", "limit - 1", "limit"),
    "parts what ends together": Edit(
        SqlLedger, "ended", "order_by(_COLUMNS.ends, _COLUMNS.number)", "order_by(_COLUMNS.ends).limit(limit)"
    ),
    "counts the undone among what ends": Edit(SqlLedger, "ended", ".where(*ended).", ".where(*ended[:2])."),
    "shows the oldest first": Edit(SqlLedger, "of", ".desc()", ""),
    "shows one twice": Edit(SqlLedger, "of", "_COLUMNS.number < before", "_COLUMNS.number <= before"),
    "shows without a limit": Edit(SqlLedger, "of", ".limit(limit)", ""),
    "takes kinds for one another": Edit(module, "_about", "_COLUMNS.kind == subject.kind, ", ""),
    "takes subjects for one another": Edit(module, "_about", ", _COLUMNS.value == subject.value", ""),
    "forgets who undid it": Edit(module, "_entry", "row.undone_by", '""'),
    "swaps reasons and evidence": Edit(module, "_row", "_text(entry.reasons)", "_text(entry.evidence)"),
    "forgets the ref": Edit(module, "_row", "entry.ref", '""'),
    "lets letters wait": Edit(module, "_letter", '"due": now', '"due": now + 1'),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql, tmp_path_factory.mktemp("mutant"), sessions)

    deadly = (AssertionError, RecordsUnavailable, pytest.fail.Exception)
    with planted(MUTANTS[name]), pytest.raises(deadly):  # noqa: PT012 - whichever notices it
        for table in TABLES:
            fails_halfway(tmp_path_factory.mktemp("mutant"), table)
        follows_the_model(open_sql, tmp_path_factory.mktemp("mutant"), STORY)
        model()
