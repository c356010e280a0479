"""The contract of bulk actions, over every implementation, against a naive model; and mutants that must die."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import bulks as module
from fairgate.backends.sql.bulks import SqlBulks
from fairgate.backends.sql.ledger import SqlLedger
from fairgate.backends.sql.records import Records
from fairgate.domain.action import Action
from fairgate.domain.bulk import GOING, Actor, Bulk, BulkState, Evidence, Fate, Happening, Order, Preview, Progress
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.ledger import Entry, Subject, Undone
from fairgate.ports.bulks import Bulks, Drafted, Step
from fairgate.ports.ledger import Read
from tests.contracts.opened_records import OpenBulks, bulks, on_every_data_base, open_sql_bulks
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(bulks)

ACCOUNTS = ("a", "b", "zwei ✓ 😀", "'\"\\")
ORDER = Order(Action.SUSPEND, "7d", ("ring",), ("case 7",), "one ring")
PREVIEW = Preview(4, {"unknown": 1}, "use", None, None, 4, Evidence(30, 4, 0, ("a",)), 5, ())
FIRST = Bulk(-1, "1", 10, "ann", 70, ORDER, "SELECT 1", PREVIEW, second=True)
SECOND = replace(FIRST, ref="2", second=False)
BOB = Actor("key1", "bob", ("enforce",))
Did = tuple[str, Any]
which = st.integers(0, 3)
states = st.sampled_from([BulkState.DRAFT, BulkState.RUNNING, BulkState.UNDOING, BulkState.DONE, BulkState.STOPPED])
steps = st.builds(
    Step,
    before=states,
    happening=st.builds(Happening, at=st.integers(0, 9), by=st.sampled_from(["", "bob"]), state=states),
    confirmed_by=st.none() | st.just("eve"),
    actor=st.none() | st.just(BOB),
    problem=st.none() | st.sampled_from(["", "broken"]),
    undo_why=st.none() | st.just("wrong"),
)
drafts = st.builds(
    lambda by, ref, second, accounts: (replace(FIRST, drafted_by=by, ref=ref, second=second), accounts),
    st.sampled_from(["ann", ""]),
    st.sampled_from(["1", "2"]),
    st.booleans(),
    st.lists(st.sampled_from(ACCOUNTS), unique=True),
)
account_numbers = st.dictionaries(st.sampled_from(ACCOUNTS), st.integers(0, 5), max_size=2)
refusals = st.dictionaries(st.sampled_from(ACCOUNTS), st.sampled_from(["invalid", "ref_taken"]), max_size=2)
fates = st.dictionaries(st.integers(0, 5), st.sampled_from(Fate), max_size=3)
DID: st.SearchStrategy[Did] = st.one_of(
    st.tuples(st.just("draft"), drafts),
    st.tuples(st.just("step"), st.tuples(which, steps)),
    st.tuples(st.just("page"), st.tuples(which, st.integers(1, 3))),
    st.tuples(st.just("settle"), st.tuples(which, account_numbers, refusals)),
    st.tuples(st.just("meet"), st.tuples(which, fates)),
)


@dataclass
class One:
    """An account of a bulk action."""

    asked: bool = False
    settled: bool = False
    action: int | None = None
    refused: str | None = None
    fate: Fate | None = None


@dataclass
class File:
    """A bulk action, its accounts and its history."""

    bulk: Bulk
    accounts: dict[str, One]
    history: list[Happening] = field(default_factory=list)


class NaiveBulks(Bulks):
    """Bulk actions in memory. `following` is the number that the next gets."""

    def __init__(self) -> None:
        self.following = 1
        self.files: dict[int, File] = {}

    def draft(self, asked: Bulk, accounts: Sequence[str]) -> Drafted:
        known = self.under(asked.drafted_by, asked.ref)
        if known is not None:
            return Drafted(known, new=False)
        bulk = replace(asked, number=self.following)
        first = Happening(asked.drafted, asked.drafted_by, BulkState.DRAFT)
        self.files[bulk.number] = File(bulk, {each: One() for each in accounts}, [first])
        return Drafted(bulk, new=True)

    def get(self, number: int) -> Bulk | None:
        return self.files[number].bulk if number in self.files else None

    def under(self, drafted_by: str, ref: str) -> Bulk | None:
        all_ = [each.bulk for each in self.files.values()]
        return next((each for each in all_ if (each.drafted_by, each.ref) == (drafted_by, ref)), None)

    def found(self, before: int, limit: int) -> list[Bulk]:
        return [self.files[each].bulk for each in sorted(self.files, reverse=True) if each < before][:limit]

    def going(self) -> list[Bulk]:
        return [self.files[each].bulk for each in sorted(self.files) if self.files[each].bulk.state in GOING]

    def step(self, number: int, step: Step) -> bool:
        file = self.files.get(number)
        if file is None or file.bulk.state != step.before:
            return False
        given = {"confirmed_by": step.confirmed_by, "actor": step.actor}
        given |= {"problem": step.problem, "undo_why": step.undo_why}
        changes = {name: value for name, value in given.items() if value is not None}
        file.bulk = replace(file.bulk, state=step.happening.state, **changes)
        file.history.append(step.happening)
        return True

    def history(self, number: int) -> list[Happening]:
        return self.files[number].history if number in self.files else []

    def progress(self, number: int) -> Progress:
        all_ = list(self._accounts(number).values())
        refused = Counter(each.refused for each in all_ if each.refused is not None)
        met = Counter(each.fate.value for each in all_ if each.fate is not None)
        taken = sum(each.action is not None for each in all_)
        return Progress(sum(not each.settled for each in all_), taken, dict(refused), dict(met))

    def page(self, number: int, limit: int) -> list[str]:
        page = [name for name, each in self._accounts(number).items() if not each.settled][:limit]
        for name in page:
            self._accounts(number)[name].asked = True
        return page

    def asked(self, number: int, limit: int) -> list[str]:
        return [name for name, each in self._accounts(number).items() if each.asked and not each.settled][:limit]

    def settle(self, number: int, taken: Mapping[str, int], refused: Mapping[str, str]) -> None:
        for name, one in self._accounts(number).items():
            if not one.settled and (name in taken or name in refused):
                one.asked = one.settled = True
                one.action = taken.get(name)
                one.refused = None if name in taken else refused[name]

    def to_undo(self, number: int, limit: int) -> list[int]:
        all_ = self._accounts(number).values()
        return [each.action for each in all_ if each.action is not None and each.fate is None][:limit]

    def meet(self, number: int, fates: Mapping[int, Fate]) -> None:
        for one in self._accounts(number).values():
            if one.action is not None and one.action in fates and one.fate is None:
                one.fate = fates[one.action]

    def standing(self, kind: str, values: Sequence[str], now: int) -> dict[str, tuple[Action, Action]]:
        raise NotImplementedError  # the ledger's; it has a test of its own

    def _accounts(self, number: int) -> dict[str, One]:
        return self.files[number].accounts if number in self.files else {}


class Story:
    """Takes steps with bulk actions and their model."""

    def __init__(self) -> None:
        self.model = NaiveBulks()

    def do(self, real: Bulks, did: Did) -> None:
        match did:
            case "draft", (asked, accounts):
                drafted = real.draft(asked, accounts)
                if drafted.new:
                    assert drafted.bulk.number > max(self.model.files, default=0)
                    self.model.following = drafted.bulk.number
                assert drafted == self.model.draft(asked, accounts)
            case "step", (place, step):
                assert real.step(self._number(place), step) is self.model.step(self._number(place), step)
            case "page", (place, limit):
                assert real.page(self._number(place), limit) == self.model.page(self._number(place), limit)
            case "settle", (place, taken, refused):
                real.settle(self._number(place), taken, refused)
                self.model.settle(self._number(place), taken, refused)
            case "meet", (place, met):
                real.meet(self._number(place), met)
                self.model.meet(self._number(place), met)

    def check(self, real: Bulks) -> None:
        model = self.model
        for limit in (1, 9):
            assert real.found(1 << 62, limit) == model.found(1 << 62, limit)
        assert real.going() == model.going()
        for number in (*model.files, 0, 77):
            assert real.found(number, 9) == model.found(number, 9)
            assert (real.get(number), real.history(number)) == (model.get(number), model.history(number))
            assert real.progress(number) == model.progress(number)
            for limit in (1, 9):
                assert real.asked(number, limit) == model.asked(number, limit)
                assert real.to_undo(number, limit) == model.to_undo(number, limit)
        for by, ref in (("ann", "1"), ("ann", "2"), ("", "1"), ("x", "1")):
            assert real.under(by, ref) == model.under(by, ref)

    def _number(self, place: int) -> int:
        """One from the newest on; one that there is not beyond the oldest."""
        kept = sorted(self.model.files)
        return kept[-1 - place] if place < len(kept) else 77


def follows_the_model(opened: OpenBulks, folder: Path, sessions: Sequence[Sequence[Did]]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as real:
            story.check(real)
            for did in session:
                story.do(real, did)
                story.check(real)


def to(before: BulkState, after: BulkState, **more: Any) -> Step:  # noqa: ANN401 - as a step has it
    return Step(before, Happening(12, "bob", after, "so"), **more)


_RUN = to(BulkState.DRAFT, BulkState.RUNNING, confirmed_by="eve", actor=BOB)
STORY: list[list[Did]] = [
    [
        ("draft", (FIRST, ["b", "a", ACCOUNTS[2]])),
        ("draft", (FIRST, ["c"])),
        ("draft", (SECOND, ["b", "a", ACCOUNTS[3]])),
        ("draft", (replace(FIRST, drafted_by=""), [])),
        ("step", (1, to(BulkState.WAITING, BulkState.RUNNING))),
        ("step", (1, _RUN)),
        ("step", (1, _RUN)),
        ("page", (1, 2)),
        ("page", (1, 2)),
        ("settle", (2, {"a": 9}, {})),
    ],
    [
        ("settle", (1, {"b": 3}, {"a": "invalid"})),
        ("settle", (1, {"a": 5}, {"b": "invalid"})),
        ("page", (1, 1)),
        ("settle", (1, {ACCOUNTS[3]: 4}, {})),
        ("meet", (1, {9: Fate.GONE})),  # another one has an action of this number
        ("meet", (2, {9: Fate.ENDED})),
        ("meet", (1, {4: Fate.UNDONE})),
        ("meet", (1, {4: Fate.GONE, 3: Fate.BEFORE})),
        ("step", (1, to(BulkState.RUNNING, BulkState.UNDOING, problem="p", undo_why="w"))),
        ("step", (1, to(BulkState.UNDOING, BulkState.STOPPED, problem=""))),
    ],
]
SESSIONS = st.lists(st.lists(DID, min_size=1, max_size=8), min_size=1, max_size=2)


@implementations
def test_a_story(opened: OpenBulks, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_bulk_actions_are_as_the_model_has_them(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[list[Did]]
) -> None:
    follows_the_model(open_sql_bulks, tmp_path_factory.mktemp("bulks"), sessions)


def stands(opened: Records, now: int) -> dict[str, tuple[Action, Action]]:
    return SqlBulks(opened).standing("account", [*"abcdef", *map(str, range(1_200))], now)


def standing_is_told(opened: Records) -> None:
    def entry(number: int, value: str, action: Action, **changes: Any) -> Entry:  # noqa: ANN401 - as an entry has it
        return replace(Entry(number, Subject("account", value), action, 5, 9, (), (), "p"), **changes)

    entries = [
        entry(1, "a", Action.HOLD),
        entry(2, "a", Action.WATCH),
        entry(3, "b", Action.ALLOW),
        entry(4, "c", Action.BAN, undone=Undone(6, "x", "y")),
        entry(5, "d", Action.BAN, subject=Subject("key", "d")),
        entry(6, "1100", Action.SUSPEND),
        entry(7, "z", Action.SUSPEND),
    ]
    SqlLedger(opened).take(Read(1, 1), entries, [], [])
    hold, ban = (Action.WATCH, Action.HOLD), (Action.SUSPEND, Action.SUSPEND)
    found = {"a": hold, "b": (Action.ALLOW, Action.ALLOW), "1100": ban}
    assert [stands(opened, now) for now in (4, 5, 8, 9)] == [{}, found, found, {}]


@on_every_data_base(lambda records: records)
def test_what_stands_about_accounts_is_told(opened: Any, tmp_path: Path) -> None:  # noqa: ANN401 - whichever opens them
    with opened(tmp_path) as records:
        standing_is_told(records)


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "drafts twice under one ref": Edit(SqlBulks, "draft", "before is not None", "False"),
    "says that it is new": Edit(SqlBulks, "draft", "new=False", "new=True"),
    "mixes callers up": Edit(module, "_under", "_COLUMNS.drafted_by == drafted_by, ", ""),
    "mixes refs up": Edit(module, "_under", ", _COLUMNS.ref == ref", ""),
    "begins each page anew": Edit(SqlBulks, "found", "_COLUMNS.number < before", "_COLUMNS.number < (1 << 62)"),
    "shows the oldest first": Edit(SqlBulks, "found", ".desc()", ""),
    "takes all for going": Edit(SqlBulks, "going", "sorted(GOING)", "sorted(BulkState)"),
    "steps from any state": Edit(SqlBulks, "step", ", _COLUMNS.state == step.before.value", ""),
    "steps with all": Edit(SqlBulks, "step", "_COLUMNS.number == number, ", ""),
    "forgets the step": Edit(SqlBulks, "step", "connection.execute(insert(BULK_HAPPENING)", "(insert(BULK_HAPPENING)"),
    "forgets in whose name": Edit(SqlBulks, "step", "step.actor is not None", "False"),
    "forgets that it was asked": Edit(SqlBulks, "page", "asked=True", "asked=False"),
    "asks for all": Edit(SqlBulks, "page", "_OF.bulk == number, _OF.place", "_OF.place"),
    "shows what was not asked": Edit(SqlBulks, "asked", ".where(_OF.asked)", ""),
    "asks without a limit": Edit(module, "_left", ".limit(limit)", ""),
    "asks in another order": Edit(module, "_left", "_OF.place", "_OF.place.desc()"),
    "asks again for what is settled": Edit(module, "_left", ", _OF.settled.is_(False)", ""),
    "settles twice": Edit(SqlBulks, "settle", ", _OF.settled.is_(False)", ""),
    "settles all": Edit(SqlBulks, "settle", "_OF.bulk == number, ", ""),
    "takes refused for taken": Edit(SqlBulks, "settle", "refused=bindparam", "action=bindparam"),
    "undoes what is met": Edit(SqlBulks, "to_undo", ", _OF.fate.is_(None)", ""),
    "undoes in another order": Edit(SqlBulks, "to_undo", "order_by(_OF.place)", "order_by(_OF.place.desc())"),
    "undoes without a limit": Edit(SqlBulks, "to_undo", ".limit(limit)", ""),
    "meets twice": Edit(SqlBulks, "meet", ", _OF.fate.is_(None)", ""),
    "meets all": Edit(SqlBulks, "meet", "_OF.bulk == number, ", ""),
    "counts all of them": Edit(SqlBulks, "progress", ".where(_OF.bulk == number)", ""),
    "counts each once": Edit(SqlBulks, "progress", "taken += row.many", "taken += 1"),
    "forgets the second person": Edit(module, "_bulk", "row.second", "False"),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=60, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[list[Did]]) -> None:
        follows_the_model(open_sql_bulks, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        follows_the_model(open_sql_bulks, tmp_path_factory.mktemp("mutant"), STORY)
        model()
