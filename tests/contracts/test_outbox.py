"""The contract of the outbox, over every implementation, against a naive model; and mutants that must die."""

from collections.abc import Container, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import outbox as module
from fairgate.backends.sql.outbox import SqlOutbox
from fairgate.backends.sql.records import Records
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import Subject
from fairgate.ports.ledger import LedgerRecords, Message, Read
from fairgate.ports.outbox import Backlog, Letter, Outbox
from tests.contracts.opened_records import Open, in_postgres, ledger_and_outbox, on_every_data_base, open_sql
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(ledger_and_outbox)

#: Their order is that of their letters' code points.
RECEIVERS = ("B", "a", "b", "Ä")
TIMES = (0, 1, 2, 1_796_000_000_000_000)

times = st.sampled_from(TIMES)
texts = st.sampled_from(["", "a", "zwei ✓ 😀", "['\"\\"])
#: Which of the letters that there ever were, from the newest; where dead ones are meant, from the newest of them.
which = st.integers(0, 7)
messages = st.builds(
    Message,
    id=texts,
    subject=st.builds(Subject, kind=texts, value=texts),
    type=texts,
    body=st.sampled_from([b"{}", b'{"a":"\xc3\xa4"}']),
)
Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = (
    st.tuples(
        st.just("take"),
        st.tuples(
            times,
            st.lists(messages, min_size=1, max_size=3),
            st.lists(st.sampled_from(RECEIVERS), min_size=1, unique=True),
        ),
    )
    | st.tuples(st.just("arrived"), st.lists(which, max_size=4))
    | st.tuples(st.just("failed"), st.lists(st.tuples(which, times, st.integers(1, 9), texts), max_size=3))
    | st.tuples(st.just("give up"), st.tuples(which, st.integers(1, 9), texts))
    | st.tuples(st.just("again"), st.tuples(which, times))
)
Ask = tuple[int, int]
#: Beyond the oldest letter, without an end.
ALL = (1_000, 1_000)
asks = st.just(ALL) | st.tuples(which, st.sampled_from([1, 2, 100]))
Session = list[tuple[Step, Ask]]
#: The file is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(STEPS, asks), min_size=1, max_size=8), min_size=1, max_size=3
)


class NaiveOutbox(Outbox):
    """The outbox in memory. `following` is the number of the next letter that waits again."""

    def __init__(self) -> None:
        self.following = 0
        self.wait: dict[int, Letter] = {}
        self.aside: dict[int, Letter] = {}

    def waiting(self, receiver: str, after: int, limit: int) -> list[Letter]:
        return [each for each in _by_number(self.wait) if each.receiver == receiver and each.number > after][:limit]

    def arrived(self, numbers: Sequence[int]) -> None:
        for number in numbers:
            self.wait.pop(number, None)
            self.aside.pop(number, None)

    def failed(self, letters: Sequence[Letter]) -> None:
        for each in letters:
            if each.number in self.wait:
                self.wait[each.number] = replace(
                    self.wait[each.number], due=each.due, attempts=each.attempts, why=each.why
                )

    def give_up(self, letter: Letter) -> None:
        known = self.wait.pop(letter.number, None) or self.aside.get(letter.number)
        if known is not None:
            self.aside[letter.number] = replace(known, attempts=letter.attempts, why=letter.why)

    def dead(self, receiver: str | None, after: int, limit: int) -> list[Letter]:
        found = [each for each in _by_number(self.aside) if receiver in {None, each.receiver} and each.number > after]
        return found[:limit]

    def again(self, number: int, now: int) -> bool:
        letter = self.aside.pop(number, None)
        if letter is None:
            return False
        self.wait[self.following] = replace(letter, number=self.following, due=now, attempts=0, why="")
        return True

    def backlogs(self) -> list[Backlog]:
        found = []
        for receiver in RECEIVERS:
            made = [each.made for each in self.wait.values() if each.receiver == receiver]
            dead = len(self.dead(receiver, -1, len(self.aside)))
            if made or dead:
                found.append(Backlog(receiver, len(made), min(made, default=0), dead))
        return found


def _by_number(letters: dict[int, Letter]) -> list[Letter]:
    return [letters[number] for number in sorted(letters)]


def same(outbox: Outbox, model: Outbox, after: int, limit: int) -> None:
    for receiver in RECEIVERS:
        assert outbox.waiting(receiver, after, limit) == model.waiting(receiver, after, limit)
    for one_or_all in (None, *RECEIVERS):
        assert outbox.dead(one_or_all, after, limit) == model.dead(one_or_all, after, limit)
    assert outbox.backlogs() == model.backlogs()


class Story:
    """Takes steps with an outbox and its model. `ever` are all letters that there were, as they were made."""

    def __init__(self) -> None:
        self.model = NaiveOutbox()
        self.ever: list[Letter] = []

    def step(self, ledger: LedgerRecords, outbox: Outbox, step: Step) -> None:
        match step:
            case "take", (time, told, receivers):
                ledger.take(Read(0, time), [], told, receivers)
                self._delivered(outbox, time, told, receivers)
            case "arrived", chosen:
                numbers = [letter.number for letter in self._chosen(chosen)]
                outbox.arrived(numbers)
                self.model.arrived(numbers)
            case "failed", tried:
                letters = [
                    replace(letter, due=due, attempts=attempts, why=why)
                    for each, due, attempts, why in tried
                    for letter in self._chosen([each])
                ]
                outbox.failed(letters)
                self.model.failed(letters)
            case "give up", (each, attempts, why):
                for letter in self._chosen([each]):
                    outbox.give_up(replace(letter, attempts=attempts, why=why))
                    self.model.give_up(replace(letter, attempts=attempts, why=why))
            case "again", (each, now):
                for letter in self._chosen([each], self.model.aside):
                    there = outbox.again(letter.number, now)
                    if there:
                        self._learn_following(outbox, letter.receiver)
                    assert there is self.model.again(letter.number, now)

    def check(self, outbox: Outbox, ask: Ask) -> None:
        place, limit = ask
        [after] = [letter.number for letter in self._chosen([place])] or [-1]
        same(outbox, self.model, after, limit)

    def _delivered(self, outbox: Outbox, time: int, told: Sequence[Message], receivers: Sequence[str]) -> None:
        """Learn the numbers of new letters: greater than all before, in the messages' order, and each given once."""
        last, new = self._last(), []
        for receiver in receivers:
            letters = outbox.waiting(receiver, last, len(told) + 1)
            assert letters == [
                Letter(letter.number, receiver, each.id, each.subject, each.type, each.body, time, time)
                for letter, each in zip(letters, told, strict=True)
            ]
            new += letters
        assert len({letter.number for letter in new}) == len(new)
        self.ever += sorted(new, key=lambda letter: letter.number)
        self.model.wait |= {letter.number: letter for letter in new}

    def _learn_following(self, outbox: Outbox, receiver: str) -> None:
        """Learn the number of a letter that waits again: greater than all before."""
        [letter] = outbox.waiting(receiver, self._last(), 2)
        self.model.following = letter.number
        self.ever.append(letter)

    def _last(self) -> int:
        return max((letter.number for letter in self.ever), default=-1)

    def _chosen(self, places: Sequence[int], first: Container[int] = ()) -> list[Letter]:
        letters = sorted(self.ever, key=lambda letter: (letter.number in first, letter.number))
        return [letters[-1 - place] for place in places if place < len(letters)]


def follows_the_model(opened: Open, folder: Path, sessions: Sequence[Session]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as (ledger, outbox):
            story.check(outbox, ALL)
            for step, ask in session:
                story.step(ledger, outbox, step)
                story.check(outbox, ask)


TOLD = [Message(name, Subject("account", name), "standing.changed", b"{}") for name in ("x", "y", "z")]
STORY: list[Session] = [
    [
        (("take", (2, TOLD, ["a", "B"])), ALL),
        (("take", (1, TOLD[1:2], ["a"])), (2, 2)),
        (("failed", [(0, 5, 3, "late"), (3, 6, 1, "lost")]), ALL),
        (("give up", (0, 4, "closed")), ALL),
        (("failed", [(0, 7, 8, "dead")]), ALL),
        (("give up", (1, 2, "moved")), (1, 1)),
        (("give up", (3, 2, "moved")), (3, 1)),
    ],
    [
        (("again", (0, 9)), ALL),
        (("again", (5, 9)), ALL),
        (("arrived", [2, 4]), ALL),
        (("take", (3, TOLD, ["Ä", "b"])), (4, 2)),
        (("arrived", [0, 1]), ALL),
    ],
]


@implementations
def test_a_story(opened: Open, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_letters_wait_until_they_arrive_or_are_given_up(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(open_sql, tmp_path_factory.mktemp("outbox"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_letters_wait_until_they_arrive_or_are_given_up_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(ledger_and_outbox), tmp_path_factory.mktemp("outbox"), sessions)


@implementations
def test_a_number_is_never_given_again(opened: Open, tmp_path: Path) -> None:
    given_out: list[int] = []
    for _ in range(3):
        with opened(tmp_path) as (ledger, outbox):
            ledger.take(Read(1, 1), [], [Message("m", Subject("account", "a"), "t", b"{}")], ["books"])
            [letter] = outbox.waiting("books", -1, 10)
            outbox.arrived([letter.number])
            given_out.append(letter.number)
    assert given_out == sorted(set(given_out))


def test_a_letter_that_can_t_wait_again_stays_dead(tmp_path: Path) -> None:
    with open_sql(tmp_path) as (ledger, outbox):
        ledger.take(Read(1, 1), [], TOLD[:1], ["books"])
        [letter] = outbox.waiting("books", -1, 10)
        outbox.give_up(letter)
        with closing(connect(tmp_path / "records.db")) as fault:
            fault.execute("create trigger fault before insert on letter begin select raise(abort, 'broken'); end")
        with pytest.raises(RecordsUnavailable, match="broken"):
            outbox.again(letter.number, 5)
        assert outbox.dead(None, -1, 10) == [letter]
        assert outbox.waiting("books", -1, 10) == []


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "sends to whom it is not for": Edit(SqlOutbox, "waiting", "_COLUMNS.receiver == receiver, ", ""),
    "lets the dead wait": Edit(SqlOutbox, "waiting", "_WAITS, ", ""),
    "reads one twice": Edit(SqlOutbox, "waiting", "_COLUMNS.number > after", "_COLUMNS.number >= after"),
    "reads backwards": Edit(SqlOutbox, "_found", "order_by(_COLUMNS.number)", "order_by(_COLUMNS.number.desc())"),
    "reads without a limit": Edit(SqlOutbox, "_found", ".limit(limit)", ""),
    "forgets nothing": Edit(SqlOutbox, "arrived", "in numbers]", "in ()]"),
    "forgets what is older": Edit(SqlOutbox, "arrived", "_COLUMNS.number ==", "_COLUMNS.number <="),
    "forgets the first alone": Edit(SqlOutbox, "arrived", "in numbers]", "in numbers[:1]]"),
    "wakes the dead": Edit(SqlOutbox, "failed", ", _WAITS", ""),
    "fails all": Edit(SqlOutbox, "failed", '_COLUMNS.number == bindparam("tried")', 'bindparam("tried") >= 0'),
    "forgets when it is due": Edit(SqlOutbox, "failed", '"due": each.due, ', ""),
    "forgets how often it was tried": Edit(SqlOutbox, "failed", '"attempts": each.attempts, ', ""),
    "forgets why it failed": Edit(SqlOutbox, "failed", '"why": each.why', ""),
    "does not give up": Edit(SqlOutbox, "give_up", "dead=True", "dead=False"),
    "gives up without a reason": Edit(SqlOutbox, "give_up", "why=letter.why", 'why=""'),
    "gives up all": Edit(SqlOutbox, "give_up", "_COLUMNS.number == letter.number", "_WAITS"),
    "takes what waits for dead": Edit(SqlOutbox, "dead", "_DEAD, ", ""),
    "shows the dead of all": Edit(SqlOutbox, "dead", "if receiver is None", "if True"),
    "shows one twice": Edit(SqlOutbox, "dead", "_COLUMNS.number > after", "_COLUMNS.number >= after"),
    "sends again what waits": Edit(SqlOutbox, "again", ", _DEAD", ""),
    "sends again later": Edit(SqlOutbox, "again", '"due": now, ', ""),
    "remembers the attempts": Edit(SqlOutbox, "again", '"attempts": 0, ', ""),
    "remembers why": Edit(SqlOutbox, "again", '"why": "", ', ""),
    "says that there was none": Edit(SqlOutbox, "again", "return True", "return False"),
    "keeps its place": Edit(SqlOutbox, "again", ' if name != "number"', ""),
    "is dead and waits": Edit(SqlOutbox, "again", "delete(LETTER).where(_COLUMNS.number == number)", "given_up"),
    "stays dead": Edit(SqlOutbox, "again", '"dead": False', '"dead": True'),
    "counts the dead among the waiting": Edit(SqlOutbox, "backlogs", "func.count().filter(_WAITS)", "func.count()"),
    "counts the waiting among the dead": Edit(SqlOutbox, "backlogs", "func.count().filter(_DEAD)", "func.count()"),
    "takes the newest for the oldest": Edit(SqlOutbox, "backlogs", "func.min(", "func.max("),
    "takes the dead for the oldest": Edit(SqlOutbox, "backlogs", ".made).filter(_WAITS)", ".made)"),
    "counts all as one": Edit(SqlOutbox, "backlogs", ".group_by(_COLUMNS.receiver)", ""),
    "shows backlogs in no order": Edit(SqlOutbox, "backlogs", "each.receiver)", "-each.waiting)"),
    "takes made for due": Edit(module, "_letter", "due=row.due", "due=row.made"),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql, tmp_path_factory.mktemp("mutant"), sessions)

    # ValueError: fewer or more letters than were told
    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable, ValueError)):  # noqa: PT012 - whichever notices it
        follows_the_model(open_sql, tmp_path_factory.mktemp("mutant"), STORY)
        model()
