"""Every lake does what the port says, and what the simplest one does; a crash leaves it before a call or after it."""
# ruff: noqa: S608 - queries are put together from the names of this test

import tempfile
from contextlib import AbstractContextManager, ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Protocol, Self
from unittest import mock

import polars as pl
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from fairgate.backends.embedded import lake as embedded
from fairgate.backends.embedded import lake_manifest, lake_views
from fairgate.backends.embedded.lake import FolderLake, open_lake
from fairgate.backends.embedded.lake_manifest import Manifest
from fairgate.domain.errors import FairgateError, LakeLocked, NotInLake, QueryFailed
from fairgate.ports.lake import Covered, Lake, Sight, SqlLimits
from tests.contracts.failing_tree import Died, FailingTree
from tests.contracts.naive_lake import NaiveLake, Row
from tests.contracts.planting import Edit, planted

FIRST = date(2026, 1, 1)
TYPES = ("api.request", "account.signup")
LIMITS = SqlLimits()


class Place(AbstractContextManager["Place"], Protocol):
    """Where an implementation keeps one lake, and what can happen there."""

    def open(self, *, read_only: bool = False) -> AbstractContextManager[Lake]:
        """Open the lake."""
        ...

    def die_after(self, calls: int | None) -> None:
        """Raise `Died` instead of one of the next calls that change files; with None, never."""
        ...

    def lose_power(self) -> None:
        """Leave on disk what is durable, and nothing else."""
        ...

    def check(self, lake: Lake) -> None:
        """Assert that there is nothing but the live files."""
        ...

    def lose_files_from(self, sequence: int) -> None:
        """Take away the files that have no row below a sequence."""
        ...


class EmbeddedPlace(AbstractContextManager["EmbeddedPlace"]):
    """Files are made tiny, so that a few rows fill several."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        outside = Path(self._stack.enter_context(tempfile.TemporaryDirectory())).resolve() / "data"
        outside.mkdir()
        self._folder = outside / "lake"
        self._tree = self._stack.enter_context(FailingTree(outside))
        for name, value in {"_MERGED_ROWS": 12, "_FEW": 3, "_GROUP_ROWS": 4}.items():
            self._stack.enter_context(mock.patch.object(embedded, name, value))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def open(self, *, read_only: bool = False) -> AbstractContextManager[Lake]:
        return open_lake(self._folder, read_only=read_only)

    def die_after(self, calls: int | None) -> None:
        self._tree.calls_left = calls

    def lose_power(self) -> None:
        self._tree.lose_power()

    def check(self, lake: Lake) -> None:
        assert sum(1 for _ in self._folder.rglob("part-*")) == len(lake.files())

    def lose_files_from(self, sequence: int) -> None:
        for path in self._folder.rglob("part-*"):
            if int(path.name.split("-")[1]) >= sequence:
                path.unlink()


IMPLEMENTATIONS: list[type[Place]] = [EmbeddedPlace]
each_implementation = pytest.mark.parametrize("implementation", IMPLEMENTATIONS)

days = st.integers(0, 3).map(lambda number: FIRST + timedelta(days=number))
#: What comes next: of what type, received on which day, with what value; without one the column may be missing.
arrivals = st.lists(st.tuples(st.sampled_from(TYPES), days, st.none() | st.integers(0, 9)), max_size=8)


def frame_of(event_type: str, rows: list[Row]) -> pl.DataFrame:
    """Rows as they are appended: sign-ups have a column that others don't, and `value` is missing where nothing is."""
    received = [datetime(day.year, day.month, day.day, 12, tzinfo=UTC) for _, day, _ in rows]
    frame = pl.DataFrame({"_sequence": [row[0] for row in rows]}).with_columns(
        pl.Series("_received", received, pl.Datetime("us", "UTC"))
    )
    values = pl.Series("value", [row[2] for row in rows], pl.Int64)
    if values.count():
        frame = frame.with_columns(values)
    return frame.with_columns(plan=pl.lit("free")) if event_type == TYPES[1] else frame


def frames_of(rows: dict[str, list[Row]]) -> dict[str, pl.DataFrame]:
    return {name: frame_of(name, each) for name, each in rows.items()}


def rows_of(lake: Lake, event_type: str, before: int | None = None) -> list[Row]:
    frame = lake.scan(event_type, before).collect()
    order = frame.select("_day", "_sequence").rows()
    assert order == sorted(order)
    values = frame["value"] if "value" in frame.columns else [None] * frame.height
    return list(zip(frame["_sequence"], frame["_day"], values, strict=True))


def asked_of(lake: Lake, event_type: str, before: int | None = None) -> list[tuple[object, ...]]:
    query = f"SELECT _sequence, _day FROM {event_type.replace('.', '_')} ORDER BY _sequence"
    return lake.sql(query, LIMITS, Sight(before=before)).frame.rows()


class LakeMachine(RuleBasedStateMachine):
    """Does the same to a lake and to the model, and compares them."""

    implementation: ClassVar[type[Place]]

    def __init__(self) -> None:
        super().__init__()
        self.model = NaiveLake()
        self.place = self.implementation().__enter__()
        self.open()

    def open(self) -> None:
        self.opened = self.place.open()
        self.lake = self.opened.__enter__()
        self.place.check(self.lake)

    def arrive(self, arrived: list[tuple[str, date, int | None]], skipped: int) -> tuple[dict[str, list[Row]], Covered]:
        """Rows of the next sequences, and how far they go; records that aren't events are in between."""
        start = self.model.upto.sequence + skipped
        by_type: dict[str, list[Row]] = {}
        for number, (event_type, day, value) in enumerate(arrived):
            by_type.setdefault(event_type, []).append((start + number, day, value))
        return by_type, Covered(start + len(arrived), start)

    @rule(arrived=arrivals, skipped=st.integers(0, 2), reverse=st.booleans())
    def append(self, arrived: list[tuple[str, date, int | None]], skipped: int, reverse: bool) -> None:
        rows, upto = self.arrive(arrived, skipped)
        self.lake.append(frames_of({name: each[::-1] if reverse else each for name, each in rows.items()}), upto)
        self.model.append(rows, upto)

    @rule(arrived=arrivals.filter(bool), off=st.sampled_from([-1, 1]))
    def append_what_is_not_next(self, arrived: list[tuple[str, date, int | None]], off: int) -> None:
        rows, upto = self.arrive(arrived, 0)
        shifted = {name: [(at + off, day, value) for at, day, value in each] for name, each in rows.items()}
        with pytest.raises(ValueError, match="sequence"):
            self.lake.append(frames_of(shifted), upto)
        with pytest.raises(ValueError, match="two rows"):
            self.lake.append(frames_of(rows | {"other": next(iter(rows.values()))}), upto)

    @rule(today=days)
    def merge(self, today: date) -> None:
        before = len(self.lake.files())
        went = self.lake.merge(today)
        files = self.lake.files()
        assert (went == 0) == (len(files) == before)
        for one, next_one in pairwise(files):
            if (one.event_type, one.day, one.columns) == (next_one.event_type, next_one.day, next_one.columns):
                assert one.day >= today or one.rows + next_one.rows > 12
        self.place.check(self.lake)

    @rule(event_type=st.sampled_from(TYPES), before=days)
    def drop(self, event_type: str, before: date) -> None:
        assert self.lake.drop(event_type, before) == self.model.drop(event_type, before)

    @rule(today=days, before=days)
    def read_while_files_go(self, today: date, before: date) -> None:
        with self.place.open(read_only=True) as reader:
            scanned = {name: (reader.scan(name), list(rows)) for name, rows in self.model.rows.items()}
            self.lake.merge(today)
            self.drop(TYPES[0], before)
            for frame, rows in scanned.values():
                assert frame.select("_sequence").collect()["_sequence"].sort().to_list() == [row[0] for row in rows]

    @rule(share=st.none() | st.floats(0, 1.2))
    def ask(self, share: float | None) -> None:
        before = None if share is None else int(share * self.model.upto.sequence)
        seen = self.model.before(before)
        with self.place.open(read_only=True) as reader:
            for name in self.model.rows.keys() - seen:
                with pytest.raises(NotInLake):
                    reader.scan(name, before)
                with pytest.raises(QueryFailed, match="no table"):
                    asked_of(self.lake, name, before)
            for name, rows in seen.items():
                assert sorted(rows_of(reader, name, before)) == sorted(rows)
                assert asked_of(self.lake, name, before) == sorted(row[:2] for row in rows)

    @rule()
    def reopen(self) -> None:
        self.opened.__exit__(None, None, None)
        self.open()

    @rule(
        what=st.sampled_from(["append", "merge", "drop"]),
        arrived=arrivals,
        day=days,
        after=st.integers(0, 30),
        power=st.booleans(),
    )
    def crash(self, what: str, arrived: list[tuple[str, date, int | None]], day: date, after: int, power: bool) -> None:
        then = self.model.copy()
        rows, upto = self.arrive(arrived, 0)
        self.place.die_after(after)
        with suppress(Died):
            if what == "append":
                then.append(rows, upto)
                self.lake.append(frames_of(rows), upto)
            elif what == "merge":
                self.lake.merge(day)
            else:
                then.drop(TYPES[0], day)
                self.lake.drop(TYPES[0], day)
            self.model = then
        self.place.die_after(None)
        if power:
            self.place.lose_power()
        self.opened.__exit__(None, None, None)
        self.open()
        if self.lake.covered() == then.upto and self.held() == then.rows:
            self.model = then

    def held(self) -> dict[str, list[Row]]:
        with self.place.open(
            read_only=True
        ) as reader:  # of its own: what is scanned can't be deleted until it is closed
            types = {each.event_type for each in reader.files()}
            return {name: sorted(rows_of(reader, name)) for name in types}

    @invariant()
    def holds_what_the_model_does(self) -> None:
        assert self.lake.covered() == self.model.upto
        assert self.held() == {name: sorted(rows) for name, rows in self.model.rows.items()}

    @invariant()
    def files_say_what_is_in_them(self) -> None:
        for each in self.lake.files():
            mine = [at for at, day, _ in self.model.rows[each.event_type] if day == each.day]
            mine = [at for at in mine if each.first <= at <= each.last]
            assert mine
            assert (min(mine), max(mine), len(mine)) == (each.first, each.last, each.rows)
            assert each.bytes > 0
            assert ("plan" in each.columns) == (each.event_type == TYPES[1])
        order = [(each.event_type, each.day, each.first) for each in self.lake.files()]
        assert order == sorted(order)

    def teardown(self) -> None:
        with self.place:
            self.opened.__exit__(None, None, None)


def run_machine(implementation: type[Place], how: settings) -> None:
    machine = type("Machine", (LakeMachine,), {"implementation": implementation})
    run_state_machine_as_test(machine, settings=how)


@each_implementation
def test_does_what_the_model_does(implementation: type[Place]) -> None:
    run_machine(implementation, settings(max_examples=25, stateful_step_count=12, deadline=None))


@each_implementation
def test_a_lake_has_one_writer_and_its_readers_cannot_write(implementation: type[Place]) -> None:
    with implementation() as place:
        with place.open() as lake:
            with pytest.raises(LakeLocked, match="another process"), place.open():
                pass
            with place.open(read_only=True) as reader:
                for call in (
                    lambda: reader.append({}, Covered(1, 0)),
                    lambda: reader.merge(FIRST),
                    lambda: reader.drop(TYPES[0], FIRST),
                ):
                    with pytest.raises(OSError, match="reading only"):
                        call()
            lake.append({}, Covered(3, 2))
        with place.open() as lake:
            assert lake.covered() == Covered(3, 2)
            with pytest.raises(ValueError, match="up to 3 already"):
                lake.append({}, Covered(2, 2))
            with pytest.raises(NotInLake, match="there are none"):
                lake.scan("api.request")
        with pytest.raises(ValueError, match="closed"):
            lake.covered()


@each_implementation
def test_a_column_may_come_go_and_change_its_type(implementation: type[Place]) -> None:
    def rows(start: int, **columns: pl.Series) -> dict[str, pl.DataFrame]:
        return {"api.request": frame_of(TYPES[0], [(start, FIRST, None)]).with_columns(**columns)}

    with implementation() as place, place.open() as lake:
        lake.append(rows(0, cost=pl.Series([1]), model=pl.Series(["big"])), Covered(1, 0))
        lake.append(rows(1, cost=pl.Series([2.5]), model=pl.Series([True])), Covered(2, 1))
        lake.append(rows(2, seats=pl.Series([7])), Covered(3, 1))
        assert lake.scan("api.request").select("cost", "model", "seats").collect().rows() == [
            (1.0, "big", None),
            (2.5, "true", None),
            (None, None, 7),
        ]
        asked = lake.sql("SELECT cost, model, seats FROM api_request ORDER BY _sequence", LIMITS, Sight())
        assert asked.frame.rows() == [(1.0, "big", None), (2.5, "true", None), (None, None, 7)]
        assert lake.merge(FIRST + timedelta(days=9)) == 0


@each_implementation
def test_columns_stay_with_their_files_when_others_go(implementation: type[Place]) -> None:
    with implementation() as place, place.open() as lake:
        lake.append(frames_of({TYPES[1]: [(0, FIRST, 5)]}), Covered(1, 0))
        lake.append(frames_of({TYPES[0]: [(1, FIRST, 6)]}), Covered(2, 0))
        assert lake.drop(TYPES[1], FIRST + timedelta(days=1)) == 1
        assert [list(each.columns) for each in lake.files()] == [["_sequence", "_received", "value"]]
        assert rows_of(lake, TYPES[0]) == [(1, FIRST, 6)]


@each_implementation
@pytest.mark.parametrize("after", range(20))
def test_what_was_seen_after_a_crash_stays(implementation: type[Place], after: int) -> None:
    with implementation() as place:
        with place.open() as lake:
            place.die_after(after)
            with suppress(Died):
                lake.append(frames_of({TYPES[0]: [(0, FIRST, 5)]}), Covered(1, 0))
            place.die_after(None)
        with place.open() as lake:
            seen = lake.covered(), [each.rows for each in lake.files()]
        place.lose_power()
        with place.open() as lake:
            assert (lake.covered(), [each.rows for each in lake.files()]) == seen


@each_implementation
def test_only_what_is_before_a_sequence_is_seen(implementation: type[Place]) -> None:
    first, then = (0, FIRST, 1), (1, FIRST, 2)
    with implementation() as place, place.open() as lake:
        for at in range(4):
            lake.append(frames_of({TYPES[0]: [(at, FIRST, at + 1)]}), Covered(at + 1, 0))
        assert lake.merge(FIRST + timedelta(days=1)) == 4
        for before, rows in ((1, [first]), (2, [first, then])):
            assert rows_of(lake, TYPES[0], before) == rows
            assert asked_of(lake, TYPES[0], before) == [row[:2] for row in rows]
        assert len(rows_of(lake, TYPES[0])) == len(asked_of(lake, TYPES[0])) == 4


@each_implementation
def test_what_has_nothing_before_a_sequence_is_not_read(implementation: type[Place]) -> None:
    with implementation() as place, place.open() as lake:
        lake.append(frames_of({TYPES[0]: [(0, FIRST, 1)]}), Covered(1, 0))
        lake.append(frames_of({TYPES[0]: [(1, FIRST, 3)], TYPES[1]: [(2, FIRST, 4)]}), Covered(3, 0))
        place.lose_files_from(1)
        assert rows_of(lake, TYPES[0], 1) == [(0, FIRST, 1)]
        assert asked_of(lake, TYPES[0], 1) == [(0, FIRST)]
        with pytest.raises(NotInLake, match="there are api"):
            lake.scan(TYPES[1], 1)


SYNCED_DRAFT = "    _sync(draft)"
MUTANTS = {
    "a file isn't synced": [Edit(lake_manifest, "create", SYNCED_DRAFT, "    pass")],
    "a file's name isn't synced": [Edit(lake_manifest, "create", "    _sync(path.parent)", "    pass")],
    "a folder's name isn't synced": [Edit(lake_manifest, "make_folder", "_sync(folder.parent)", "pass")],
    "the manifest is written over": [
        Edit(
            lake_manifest,
            "write",
            "create(folder / MANIFEST, lambda path: path",
            "((lambda path: _sync(path) or path)(folder / MANIFEST)",
        ),
    ],
    "append doesn't say how far it went": [Edit(FolderLake, "append", "*upto", "manifest.sequence, manifest.pack")],
    "append takes what isn't next": [Edit(FolderLake, "append", "_check_sequences(", "(lambda *_: None)(")],
    "one sequence may come twice": [Edit(embedded, "_check_sequences", "< sequences.len()", "< 0")],
    "rows aren't sorted": [Edit(embedded, "_by_day", '.sort("_sequence")', "")],
    "a merged file isn't named": [Edit(FolderLake, "merge", " + [merged]", "")],
    "what was merged is still named": [Edit(FolderLake, "merge", " if part not in run", "")],
    "nothing is merged": [Edit(FolderLake, "merge", "_mergeable(manifest.parts, today)", "()")],
    "the day itself is dropped": [Edit(FolderLake, "drop", "part.day < before", "part.day <= before")],
    "a reader's files are deleted": [
        Edit(lake_manifest, "sweep", "fcntl.LOCK_EX | fcntl.LOCK_NB", "fcntl.LOCK_SH"),
    ],
    "a scan holds nothing": [Edit(FolderLake, "scan", "self._hold_for_scans()", "pass")],
    "live files are deleted": [Edit(lake_manifest, "sweep", "if path not in live", "if True")],
    "what a crash left isn't made durable": [Edit(FolderLake, "recover", "files.settle(self.folder)", "pass")],
    "what a crash left stays": [Edit(FolderLake, "recover", "files.sweep(self.folder, self._manifest())", "pass")],
    "a file behind what is asked about is read": [Edit(Manifest, "upto", "part.first < sequence", "True")],
    "a file with one row that is asked about is not": [Edit(Manifest, "upto", "first < sequence", "last < sequence")],
    "a file that goes on is shown whole": [Edit(Manifest, "alike", "part.last >= self.sequence", "False")],
    "a file that goes on is scanned whole": [Edit(embedded, "_scan", "if goes_on:", "if False:")],
    "a file that goes on is asked whole": [Edit(lake_views, "_rows", "if group.before is None", "if True")],
    "one row more is scanned": [Edit(embedded, "_scan", "< manifest.sequence", "<= manifest.sequence")],
    "one row more is asked": [Edit(lake_views, "_rows", "_sequence < ", "_sequence <= ")],
    "a query sees all": [Edit(FolderLake, "sql", ".upto(sight.before)", "")],
    "a scan sees all": [Edit(FolderLake, "scan", ".upto(before)", "")],
    "a schema that was left out moves the others": [
        Edit(FolderLake, "_replace", "schema=places[part.schema]", "schema=part.schema")
    ],
}


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant(name: str) -> None:
    how = settings(
        max_examples=60,
        stateful_step_count=12,
        phases=[Phase.generate],
        derandomize=True,
        database=None,
        print_blob=False,
        deadline=None,
    )
    noticed = (AssertionError, pytest.fail.Exception, FairgateError, LookupError, pl.exceptions.PolarsError, OSError)
    with planted(*MUTANTS[name]), pytest.raises(noticed):
        _all_of_it(how)


def _all_of_it(how: settings) -> None:
    test_columns_stay_with_their_files_when_others_go(EmbeddedPlace)
    test_only_what_is_before_a_sequence_is_seen(EmbeddedPlace)
    test_what_has_nothing_before_a_sequence_is_not_read(EmbeddedPlace)
    for after in range(20):
        test_what_was_seen_after_a_crash_stays(EmbeddedPlace, after)
    run_machine(EmbeddedPlace, how)
