"""The audit log's check: whatever is done to its rows by SQL is found, and what is sound is not complained of."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql.audit import SqlAudit
from fairgate.backends.sql.sqlite import open_records
from fairgate.domain.audit import Doing, Head, Kind, chained, signed
from fairgate.domain.ledger import Subject
from fairgate.domain.secret import Secrets
from fairgate.pipeline import audit_check
from fairgate.pipeline.audit_check import Check, Checked, FaultKind, Placed

SECRETS = Secrets({1: 7, 2: 8})
COUNT = 12


def doing(number: int) -> Doing:
    return Doing(number, "ann", "k", Kind.READ, Subject("decision", str(number)), "ticket 7", sequence=number)


def heads(path: Path, count: int = COUNT) -> list[Head]:
    """Rows in a new data base, and where they ended after each."""
    with open_records(path) as records:
        rows = SqlAudit(records).append([doing(number) for number in range(1, count + 1)])
    return [Head(), *(Head(row.number, row.hash) for row in rows)]


def placed(*anchored: Head, secrets: Secrets = SECRETS) -> list[Placed]:
    return [Placed(100 + at, at, signed(head, secrets)) for at, head in enumerate(anchored)]


def altered(path: Path, *statements: str, given: Sequence[str | int] = ()) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for each in statements:
            connection.execute(each, given)


def check(path: Path, anchors: Sequence[Placed], after: int = 0) -> Checked:
    with open_records(path) as records:
        return Check(SqlAudit(records), anchors, SECRETS).run(after)


def found(checked: Checked) -> list[tuple[FaultKind, int, int]]:
    return [(each.kind, each.first, each.last) for each in checked.faults]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "records.db"


def test_what_is_sound_is_vouched_for(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(path, []) == Checked(0, "0" * 64, 0, 0, 0, 0, [], 0)
    at = heads(path)
    for page in (1, 5, 2_000):
        monkeypatch.setattr(audit_check, "_PAGE", page)
        checked = check(path, placed(at[3], at[9], at[9]))
        assert (checked.rows, checked.head, checked.anchors, checked.vouched) == (COUNT, at[COUNT].hash, 3, 9)
        assert checked.sound
        assert check(path, placed(at[3], at[9]), 7).sound


COLUMNS = ("time", "done_by", "api_key", "what", "kind", "value", "why", "case_number", "sequence", "more", "previous")
BEFORE_ALL = (
    "insert into audit_row select 0, time, done_by, api_key, what, kind, value, why, case_number, sequence, more,"
    " previous, hash from audit_row where number = 1"
)
EDITS: dict[str, tuple[Sequence[str], list[tuple[FaultKind, int, int]]]] = {
    "removed": (("delete from audit_row where number = 5",), [(FaultKind.REMOVED, 5, 5)]),
    "several removed": (("delete from audit_row where number between 4 and 6",), [(FaultKind.REMOVED, 4, 6)]),
    "the first removed": (("delete from audit_row where number = 1",), [(FaultKind.REMOVED, 1, 1)]),
    "two swapped": (
        (
            "update audit_row set number = 99 where number = 5",
            "update audit_row set number = 5 where number = 9",
            "update audit_row set number = 9 where number = 99",
        ),
        [(FaultKind.REORDERED, 5, 5), (FaultKind.REORDERED, 9, 9)],
    ),
    "neighbours swapped": (
        (
            "update audit_row set number = 99 where number = 5",
            "update audit_row set number = 5 where number = 6",
            "update audit_row set number = 6 where number = 99",
        ),
        [(FaultKind.REORDERED, 5, 5), (FaultKind.REORDERED, 6, 6)],
    ),
    "the last cut off": (("delete from audit_row where number = 12",), [(FaultKind.CUT_OFF, 12, 12)]),
    "all cut off": (("delete from audit_row",), [(FaultKind.CUT_OFF, 1, 12)]),
    "one before all": ((BEFORE_ALL,), [(FaultKind.CHANGED, 0, 0)]),
    **{column: ((f"update audit_row set {column} = '3' where number = 5",), [(FaultKind.CHANGED, 5, 5)])  # noqa: S608 - its name
       for column in COLUMNS},
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_what_was_done_is_said_of_the_row(path: Path, name: str) -> None:
    statements, faults = EDITS[name]
    at = heads(path)
    altered(path, *statements)
    told = [each for each in found(check(path, placed(at[COUNT]))) if each[0] != FaultKind.REPLACED]
    assert told[: len(faults)] == faults


def test_what_was_renumbered_to_close_a_gap_is_reordered(path: Path) -> None:
    at = heads(path)
    altered(path, "delete from audit_row where number = 5")
    for number in range(6, COUNT + 1):
        altered(path, "update audit_row set number = ? where number = ?", given=(number - 1, number))
    shifted = [(FaultKind.REORDERED, number, number) for number in range(6, COUNT)]
    assert found(check(path, placed(at[COUNT]))) == [(FaultKind.CHANGED, 5, 5), *shifted, (FaultKind.CUT_OFF, 12, 12)]


def test_a_history_that_was_made_anew_is_found_by_the_anchors(path: Path) -> None:
    """Who has the data base alone can make rows with fitting hashes, and no anchors."""
    at = heads(path)
    head = at[4]
    for number in range(5, COUNT + 1):
        row = chained(head, replace(doing(number), by="nobody"))
        anew = "update audit_row set done_by = 'nobody', previous = ?, hash = ? where number = ?"
        altered(path, anew, given=(row.previous, row.hash, number))
        head = Head(row.number, row.hash)
    assert check(path, placed(at[4])).sound
    assert found(check(path, placed(at[4], at[7]))) == [(FaultKind.REPLACED, 7, 7)]
    assert found(check(path, placed(at[7], head))) == [(FaultKind.REPLACED, 7, 7)]
    assert found(check(path, placed(at[COUNT], head))) == [(FaultKind.REPLACED, 12, 12)] * 2


def test_anchors_of_others_do_not_count(path: Path) -> None:
    at = heads(path)
    others = Secrets({1: 9})
    assert found(check(path, placed(at[3], secrets=others))) == [(FaultKind.FORGED_ANCHOR, 3, 3)]
    checked = check(path, placed(at[3], secrets=Secrets({3: 9})))
    assert (checked.unknown, checked.vouched, checked.sound) == (1, 0, True)
    for change in ({"count": 4}, {"head": at[4].hash}, {"kept": 2}, {"by": "x"}, {"why": "x"}, {"version": 1}):
        forged = Placed(100, 0, replace(signed(at[3], SECRETS), **change))
        assert not check(path, [forged]).sound


def test_what_was_acknowledged_is_counted_and_no_fault_any_more(path: Path) -> None:
    at = heads(path)
    altered(path, "delete from audit_row where number > 7")
    anchors = placed(at[5], at[9], at[COUNT])
    assert found(check(path, anchors)) == [(FaultKind.CUT_OFF, 8, 9), (FaultKind.CUT_OFF, 8, 12)]
    known = Placed(200, 9, signed(at[7], SECRETS, kept=5, by="eve", why="a backup"))
    checked = check(path, [*anchors, known])
    assert (checked.sound, checked.acknowledged, checked.vouched) == (True, 2, 7)
    assert found(check(path, [*anchors, known, *placed(at[9])])) == [(FaultKind.CUT_OFF, 8, 9)]
    altered(path, "delete from audit_row where number > 6")
    assert found(check(path, [*anchors, known])) == [(FaultKind.CUT_OFF, 7, 7)]


def test_more_faults_than_are_told_are_counted(path: Path) -> None:
    heads(path, 150)
    altered(path, "update audit_row set why = 'x'")
    checked = check(path, [])
    assert (len(checked.faults), checked.more_faults) == (100, 50)


values = (
    st.none() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
)
rows = st.integers(1, COUNT)
edits: st.SearchStrategy[tuple[str, Any]] = st.one_of(
    st.tuples(st.just("change"), st.tuples(rows, st.sampled_from([*COLUMNS, "hash"]), values)),
    st.tuples(st.just("remove"), rows),
    st.tuples(st.just("swap"), st.tuples(rows, rows)),
    st.tuples(st.just("cut"), rows),
)


@given(edit=edits)
def test_any_one_change_is_found(tmp_path_factory: pytest.TempPathFactory, edit: tuple[str, Any]) -> None:
    path = tmp_path_factory.mktemp("audit") / "records.db"
    at = heads(path)
    with closing(sqlite3.connect(path)) as connection:
        before = connection.execute("select * from audit_row order by number").fetchall()
        try:
            with connection:
                _edit(connection, *edit)
        except sqlite3.IntegrityError:  # the data base itself does not take it
            return
        after = connection.execute("select * from audit_row order by number").fetchall()
    assert check(path, placed(at[COUNT])).sound is (before == after)


def _edit(connection: sqlite3.Connection, how: str, what: Any) -> None:  # noqa: ANN401 - by how it is
    match how:
        case "change":
            number, column, value = what
            connection.execute(f"update audit_row set {column} = ? where number = ?", (value, number))  # noqa: S608 - its name
        case "remove":
            connection.execute("delete from audit_row where number = ?", (what,))
        case "swap":
            one, other = what
            for old, new in ((one, 99), (other, one), (99, other)) if one != other else ():
                connection.execute("update audit_row set number = ? where number = ?", (new, old))
        case "cut":
            connection.execute("delete from audit_row where number >= ?", (what,))
