"""The contract of appeals, over every implementation, against a naive model; and mutants that must die."""

import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import appeals as module
from fairgate.backends.sql.appeals import SqlAppeals
from fairgate.backends.sql.records import Records
from fairgate.domain.appeal import Appeal, AppealState, Ruling
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import Subject
from fairgate.ports.appeals import ERASED, Appeals, Docket, Filed, Wanted
from tests.contracts.opened_records import OpenAppeals, appeals, in_postgres, on_every_data_base, open_sql_appeals
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(appeals)

TIMES = (0, 1, 2, 1_796_000_000_000_000)
CALLERS, REFS = ("help desk", "shop", ""), ("1", "2", "ticket ✓ 😀", "'\"\\")
SUBJECTS = (Subject("account", "a"), Subject("account", "b"), Subject("key", "a"))
ACTIONS = (0, 1, 2, 1 << 62)

times, texts = st.sampled_from(TIMES), st.sampled_from(["", "a", "zwei ✓\n😀", "['\"\\"])
#: Which of the appeals that there ever were, from the newest.
which = st.integers(0, 7)
filings = st.builds(
    Appeal,
    number=st.sampled_from([-1, 1, 99]),
    action=st.sampled_from(ACTIONS),
    subject=st.sampled_from(SUBJECTS),
    taken_by=texts,
    filed=times,
    filed_by=st.sampled_from(CALLERS),
    due=times,
    words=texts,
    ref=st.sampled_from(REFS),
)
rulings = st.builds(Ruling, granted=st.booleans(), at=times, by=texts, why=texts)
Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = st.tuples(st.just("file"), filings) | st.tuples(
    st.just("decide"), st.tuples(which, rulings)
)
STEPS |= st.tuples(st.just("erase"), st.tuples(st.sampled_from(SUBJECTS), st.lists(which, max_size=2)))
#: What is asked for after a step: what is wanted, behind which, how many, and at what time.
Ask = tuple[Wanted, int, int, int]
wanteds = st.builds(
    Wanted,
    state=st.none() | st.sampled_from(AppealState),
    subject=st.none() | st.sampled_from(SUBJECTS),
    action=st.none() | st.sampled_from(ACTIONS),
)
NOBODY = 1_000
ALL: Ask = (Wanted(), NOBODY, NOBODY, 1)
asks = st.just(ALL) | st.tuples(wanteds, st.just(NOBODY) | which, st.sampled_from([1, 2, 100]), times)
Session = list[tuple[Step, Ask]]
#: The file is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(STEPS, asks), min_size=1, max_size=8), min_size=1, max_size=3
)


class NaiveAppeals(Appeals):
    """Appeals in memory. `following` is the number that the next gets."""

    def __init__(self) -> None:
        self.following = 0
        self.kept: dict[int, Appeal] = {}

    def file(self, asked: Appeal) -> Filed:
        mine = self.under(asked.filed_by, asked.ref)
        if mine is not None:
            return Filed(mine, new=False)
        for each in self.kept.values():
            if each.ruling is None and each.action == asked.action:
                return Filed(each, new=False)
        self.kept[self.following] = replace(asked, number=self.following, ruling=None)
        return Filed(self.kept[self.following], new=True)

    def get(self, number: int) -> Appeal | None:
        return self.kept.get(number)

    def under(self, filed_by: str, ref: str) -> Appeal | None:
        found = [each for each in self.kept.values() if (each.filed_by, each.ref) == (filed_by, ref)]
        return found[0] if found else None

    def found(self, wanted: Wanted, after: Appeal | None, limit: int) -> list[Appeal]:
        found = sorted(self.kept.values(), key=lambda each: (each.due, each.number))
        found = [each for each in found if wanted.state in {None, each.state}]
        found = [each for each in found if wanted.subject in {None, each.subject}]
        found = [each for each in found if wanted.action in {None, each.action}]
        place = (-1, -1) if after is None else (after.due, after.number)
        return [each for each in found if (each.due, each.number) > place][:limit]

    def decide(self, number: int, ruling: Ruling) -> bool:
        appeal = self.kept.get(number)
        if appeal is None or appeal.ruling is not None:
            return False
        self.kept[number] = replace(appeal, ruling=ruling)
        return True

    def about_others(self, kind: str, after: int, limit: int) -> list[Appeal]:
        found = [each for each in self.kept.values() if each.subject.kind != kind and each.words != ERASED]
        return [each for each in found if each.number > after][:limit]

    def erase(self, subject: Subject, numbers: Sequence[int] = ()) -> int:
        held = [each for each in self.kept.values() if each.subject == subject or each.number in numbers]
        held = [each for each in held if each.words != ERASED]
        self.kept |= {each.number: replace(each, words=ERASED) for each in held}
        return len(held)

    def docket(self, now: int) -> Docket:
        due = [each.due for each in self.kept.values() if each.ruling is None]
        return Docket(len(due), sum(each.overdue(now) for each in self.kept.values()), min(due, default=0))


class Story:
    """Takes steps with appeals and their model."""

    def __init__(self) -> None:
        self.model = NaiveAppeals()

    def step(self, appeals: Appeals, step: Step) -> None:
        match step:
            case "file", asked:
                filed = appeals.file(asked)
                if filed.new:  # learn its number: greater than all before
                    assert filed.appeal.number > max(self.model.kept, default=-1)
                    self.model.following = filed.appeal.number
                assert filed == self.model.file(asked)
            case "decide", (place, ruling):
                chosen = self._chosen(place)
                number = 77 if chosen is None else chosen.number
                assert appeals.decide(number, ruling) is self.model.decide(number, ruling)
            case "erase", (subject, places):
                numbers = [each.number for place in places if (each := self._chosen(place)) is not None]
                assert appeals.erase(subject, numbers) == self.model.erase(subject, numbers)

    def check(self, appeals: Appeals, ask: Ask) -> None:
        wanted, place, limit, now = ask
        model, after = self.model, self._chosen(place)
        assert appeals.found(wanted, after, limit) == model.found(wanted, after, limit)
        for kind in ("account", "key", "card"):
            for number in (-1, *model.kept):
                others = model.about_others(kind, number, limit)
                assert appeals.about_others(kind, number, limit) == others
        assert appeals.docket(now) == model.docket(now)
        for number in (*model.kept, 0, 77):
            assert appeals.get(number) == model.get(number)
        for caller in CALLERS:
            for ref in REFS:
                assert appeals.under(caller, ref) == model.under(caller, ref)

    def _chosen(self, place: int) -> Appeal | None:
        """One from the newest on; None beyond the oldest."""
        kept = self.model.kept
        return kept[sorted(kept)[-1 - place]] if place < len(kept) else None


def follows_the_model(opened: OpenAppeals, folder: Path, sessions: Sequence[Session]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as appeals:
            story.check(appeals, ALL)
            for step, ask in session:
                story.step(appeals, step)
                story.check(appeals, ask)


FIRST = Appeal(-1, 7, SUBJECTS[0], "ann", 10, "help desk", 30, "It was me.", "1")
SECOND = replace(FIRST, action=8, due=20, ref="2")
GRANTED, REFUSED = Ruling(True, 15, "bob", "a friend"), Ruling(False, 16, "eve", "no friend")  # noqa: FBT003 - one of its parts
STORY: list[Session] = [
    [
        (("file", FIRST), ALL),
        (("file", SECOND), (Wanted(AppealState.OPEN), NOBODY, 9, 20)),
        (("file", replace(FIRST, ref="3")), ALL),  # one against the same action is open
        (("file", replace(FIRST, action=9, words="again")), ALL),  # its ref is another's
        (("file", replace(FIRST, action=8)), ALL),  # the same, though one is open against that action, too
        (("file", replace(FIRST, action=9, filed_by="shop", subject=SUBJECTS[2], due=20)), ALL),
        (("file", replace(FIRST, action=10, subject=SUBJECTS[1], due=20, ref="4")), (Wanted(), 2, 1, 20)),
    ],
    [
        (("decide", (3, GRANTED)), (Wanted(AppealState.GRANTED), NOBODY, 9, 20)),
        (("decide", (3, REFUSED)), (Wanted(AppealState.REFUSED), NOBODY, 9, 20)),
        (("decide", (2, REFUSED)), (Wanted(AppealState.REFUSED), NOBODY, 9, 21)),
        (("file", replace(FIRST, ref="5")), (Wanted(None, SUBJECTS[0]), NOBODY, 9, 19)),
        (("decide", (NOBODY, GRANTED)), (Wanted(None, None, 7), NOBODY, 9, 30)),
        (("erase", (SUBJECTS[0], [])), (Wanted(), NOBODY, 1, 30)),
        (("erase", (SUBJECTS[0], [])), ALL),
        (("file", replace(FIRST, action=11, subject=SUBJECTS[2], ref="6")), ALL),
        (("erase", (SUBJECTS[0], [0])), ALL),
    ],
]


@implementations
def test_a_story(opened: OpenAppeals, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_appeals_stay_until_they_are_decided_and_afterwards(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(open_sql_appeals, tmp_path_factory.mktemp("appeals"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_appeals_stay_until_they_are_decided_and_afterwards_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(appeals), tmp_path_factory.mktemp("appeals"), sessions)


@implementations
def test_all_pages_together_are_all(opened: OpenAppeals, tmp_path: Path) -> None:
    with opened(tmp_path) as appeals:
        for number in range(20):
            appeals.file(replace(FIRST, action=number, due=number % 3, ref=f"{number}"))
        found: list[Appeal] = []
        while page := appeals.found(Wanted(AppealState.OPEN), found[-1] if found else None, 3):
            found += page
            if len(found) == 6:  # that what was shown is decided meanwhile changes nothing for the pages behind it
                assert appeals.decide(found[-1].number, REFUSED)
        assert [each.due for each in found] == sorted(number % 3 for number in range(20))
        assert len({each.number for each in found}) == 20


# ------------------------------------------------------------------------------------------------------------- at once


def at_once(opened: OpenAppeals, folder: Path) -> None:
    """Of several that file, or decide, the same at the same time, one does."""
    count, filed, decided = 8, list[Filed](), list[bool]()
    together = threading.Barrier(count)

    def run(number: int) -> None:
        with opened(folder) as appeals:
            together.wait()
            filed.append(appeals.file(replace(FIRST, ref=f"{number}")))
            together.wait()
            decided.append(appeals.decide(filed[0].appeal.number, replace(GRANTED, by=f"{number}")))

    with opened(folder):
        pass
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.new for each in filed) == [False] * (count - 1) + [True]
    assert len({each.appeal.number for each in filed}) == 1
    assert sorted(decided) == [False] * (count - 1) + [True]


@implementations
def test_of_several_at_once_one_is_filed_and_one_decides(opened: OpenAppeals, tmp_path: Path) -> None:
    at_once(opened, tmp_path)


@implementations
def test_who_else_has_it_open_sees_what_was_done(opened: OpenAppeals, tmp_path: Path) -> None:
    with opened(tmp_path) as one, opened(tmp_path) as other:
        number = one.file(FIRST).appeal.number
        assert other.get(number) == replace(FIRST, number=number)
        assert other.decide(number, GRANTED)
        assert one.get(number) == replace(FIRST, number=number, ruling=GRANTED)


def test_erased_words_stand_in_no_file_while_others_have_it_open(tmp_path: Path) -> None:
    words = "I am Ada Lovelace, and it was not me."
    with open_sql_appeals(tmp_path) as one, open_sql_appeals(tmp_path) as other:
        for number in range(40):
            one.file(replace(FIRST, action=number, ref=f"{number}", words=f"{words} {number}"))
        assert other.get(1) is not None
        kept = one.file(replace(FIRST, action=99, subject=SUBJECTS[1], ref="b", words="Bob's own")).appeal
        assert holds(tmp_path, words)
        assert one.erase(SUBJECTS[0]) == 40
        assert not holds(tmp_path, "Lovelace")
        assert other.get(kept.number) == kept


def holds(folder: Path, text: str) -> bool:
    return any(text.encode() in each.read_bytes() for each in folder.rglob("*") if each.is_file())


@pytest.mark.parametrize("when", ["before insert", "before update"])
def test_what_fails_has_not_happened(tmp_path: Path, when: str) -> None:
    with open_sql_appeals(tmp_path) as appeals:
        first = appeals.file(FIRST).appeal
        with closing(connect(tmp_path / "records.db")) as fault:
            fault.execute(f"create trigger fault {when} on appeal begin select raise(abort, 'broken'); end")
        with pytest.raises(RecordsUnavailable, match="broken"):
            _ = appeals.file(SECOND) if when == "before insert" else appeals.decide(first.number, GRANTED)
        assert appeals.found(Wanted(), None, 9) == [first]


def test_a_state_that_there_is_not_is_told(tmp_path: Path) -> None:
    with open_sql_appeals(tmp_path) as appeals:
        number = appeals.file(FIRST).appeal.number
        with closing(connect(tmp_path / "records.db")) as connection, connection:
            connection.execute("update appeal set state = 'lost'")
        with pytest.raises(RecordsUnavailable, match=r"'lost' is not a valid .*\. Restore it from a backup"):
            appeals.get(number)


# -------------------------------------------------------------------------------------------------------------- mutants

_LOOKS = "(_under(asked.filed_by, asked.ref), against)"
_BEHIND = "tuple_(_COLUMNS.due, _COLUMNS.number) > (after.due, after.number)"
MUTANTS = {
    "files twice under one ref": Edit(SqlAppeals, "file", _LOOKS, "(against,)"),
    "files twice against one action": Edit(SqlAppeals, "file", _LOOKS, "(_under(asked.filed_by, asked.ref),)"),
    "looks at the action first": Edit(SqlAppeals, "file", _LOOKS, "(against, _under(asked.filed_by, asked.ref))"),
    "lets what was decided stand in the way": Edit(SqlAppeals, "file", "asked.action, _OPEN", "asked.action"),
    "lets all stand in the way": Edit(SqlAppeals, "file", "_COLUMNS.action == asked.action, ", ""),
    "says that it is not new": Edit(SqlAppeals, "file", "new=True", "new=False"),
    "says that it is new": Edit(SqlAppeals, "file", "new=False", "new=True"),
    "looks before it writes": Edit(SqlAppeals, "file", "self._records.writing()", "self._records.reading()"),
    "finds another": Edit(SqlAppeals, "get", "_COLUMNS.number == number", "_COLUMNS.number >= number"),
    "takes callers for one another": Edit(module, "_under", "_COLUMNS.filed_by == filed_by, ", ""),
    "takes refs for one another": Edit(module, "_under", ", _COLUMNS.ref == ref", ""),
    "shows all states": Edit(SqlAppeals, "found", "wanted.state is not None", "False"),
    "shows those of all": Edit(SqlAppeals, "found", "wanted.subject is not None", "False"),
    "takes kinds for one another": Edit(SqlAppeals, "found", "_COLUMNS.kind == wanted.subject.kind, ", ""),
    "takes subjects for one another": Edit(SqlAppeals, "found", ", _COLUMNS.value == wanted.subject.value", ""),
    "shows those against all": Edit(SqlAppeals, "found", "wanted.action is not None", "False"),
    "begins each page anew": Edit(SqlAppeals, "found", "after is not None", "False"),
    "shows one twice": Edit(SqlAppeals, "found", "> (after.due, after.number)", ">= (after.due, after.number)"),
    "leaves out what is due with the last": Edit(SqlAppeals, "found", _BEHIND, "_COLUMNS.due > after.due"),
    "shows them by number": Edit(SqlAppeals, "found", "order_by(_COLUMNS.due, ", "order_by("),
    "shows those due together in no order": Edit(
        SqlAppeals, "found", "order_by(_COLUMNS.due, _COLUMNS.number)", "order_by(_COLUMNS.due, _COLUMNS.number.desc())"
    ),
    "shows without a limit": Edit(SqlAppeals, "found", ".limit(limit)", ""),
    "decides twice": Edit(SqlAppeals, "decide", ", _OPEN", ""),
    "decides all": Edit(SqlAppeals, "decide", "_COLUMNS.number == number, ", ""),
    "says that it did not decide": Edit(SqlAppeals, "decide", "== 1", "!= 1"),
    "counts the decided": Edit(SqlAppeals, "docket", ".where(_OPEN)", ""),
    "is overdue a moment later": Edit(SqlAppeals, "docket", "_COLUMNS.due <= now", "_COLUMNS.due < now"),
    "takes the last for the first": Edit(SqlAppeals, "docket", "func.min(", "func.max("),
    "grants what was refused": Edit(module, "_ruled", "if ruling.granted", "if True"),
    "forgets when it was decided": Edit(module, "_ruled", "ruling.at", "0"),
    "forgets who decided it": Edit(module, "_ruled", "ruling.by", '""'),
    "forgets why": Edit(module, "_ruled", "ruling.why", '""'),
    "refuses what was granted": Edit(module, "_appeal", "state == AppealState.GRANTED,", "False,"),
    "forgets the words": Edit(module, "_row", "appeal.words", '""'),
    "takes due for filed": Edit(module, "_row", '"filed": appeal.filed', '"filed": appeal.due'),
    "takes who filed for who took": Edit(module, "_row", '"taken_by": appeal.taken_by', '"taken_by": appeal.filed_by'),
    "erases those of all": Edit(SqlAppeals, "erase", "(of, ", "("),
    "erases none by number": Edit(SqlAppeals, "erase", "or_(whose, _COLUMNS.number.in_(numbers))", "whose"),
    "shows those about all kinds": Edit(SqlAppeals, "about_others", "_COLUMNS.kind != kind, ", ""),
    "shows what was erased": Edit(SqlAppeals, "about_others", ", _COLUMNS.words != ERASED", ""),
    "shows others from the first": Edit(SqlAppeals, "about_others", ", _COLUMNS.number > after", ""),
    "shows all others": Edit(SqlAppeals, "about_others", ".limit(limit)", ""),
    "shows others backwards": Edit(SqlAppeals, "about_others", "(_COLUMNS.number).", "(_COLUMNS.number.desc())."),
    "erases those of a name": Edit(SqlAppeals, "erase", "_COLUMNS.kind == subject.kind", "_COLUMNS.number > 0"),
    "erases those of a kind": Edit(SqlAppeals, "erase", "_COLUMNS.value == subject.value", "_COLUMNS.number > 0"),
    "erases twice": Edit(SqlAppeals, "erase", ", _COLUMNS.words != ERASED", ""),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql_appeals, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        follows_the_model(open_sql_appeals, tmp_path_factory.mktemp("mutant"), STORY)
        model()
