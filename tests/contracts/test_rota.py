"""The contract of when people review, over every implementation, against a naive model; and mutants that must die."""

import threading
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql.rota import SqlRota
from fairgate.domain.access import Role
from fairgate.domain.audit import Doer, Kind
from fairgate.domain.errors import NoSuchPerson, RecordsUnavailable
from fairgate.domain.people import Person
from fairgate.domain.shifts import Hours, Shifts
from fairgate.ports.audit import Audit
from fairgate.ports.rota import Rota
from tests.contracts.opened_records import OpenRota, in_postgres, on_every_data_base, open_sql_rota, people_and_rota
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(people_and_rota)

DOER = Doer(5, "lea", "session:1")
THERE, NOBODY = ("a", "b", "ünal"), "c"
hours = st.builds(Hours, st.integers(0, 6), st.integers(0, 700), st.integers(701, 1_440))
shifts = st.builds(
    Shifts,
    person=st.sampled_from((*THERE, NOBODY)),
    zone=st.sampled_from(["UTC", "Europe/Paris"]),
    hours=st.lists(hours, max_size=3).map(tuple),
    skills=st.lists(st.sampled_from(["cards", "keys"]), max_size=2).map(tuple),
    off=st.lists(st.dates(date(2020, 1, 1)), max_size=2).map(tuple),
    apart=st.lists(st.text(st.characters(exclude_categories=["C"])), max_size=2).map(tuple),
)
STEPS: st.SearchStrategy[list[Shifts]] = st.lists(shifts, max_size=8)


class NaiveRota(Rota):
    """Shifts in memory."""

    def __init__(self) -> None:
        self.there: dict[str, Shifts] = {}
        self.noted: list[tuple[Doer, Shifts]] = []

    def all(self) -> list[Shifts]:
        return sorted(self.there.values(), key=lambda each: each.person.encode())

    def get(self, person: str) -> Shifts | None:
        return self.there.get(person)

    def put(self, shifts: Shifts, doer: Doer) -> None:
        if shifts.person not in THERE:
            raise NoSuchPerson(shifts.person)
        self.there[shifts.person] = shifts
        self.noted.append((doer, shifts))


def taken(rota: Rota, asked: Shifts) -> str:
    """What comes of it."""
    try:
        rota.put(asked, DOER)
    except NoSuchPerson as error:
        return str(error)
    return ""


def agrees(rota: Rota, audit: Audit, model: NaiveRota) -> None:
    assert rota.all() == model.all()
    noted = [each.doing for each in audit.rows(0, 1_000) if each.doing.what == Kind.ROSTERED]
    assert [(Doer(each.time, each.by, each.key), each.about.value) for each in noted] == [
        (doer, shifts.person) for doer, shifts in model.noted
    ]
    for doing, (_, shifts) in zip(noted, model.noted, strict=True):
        more = msgspec.json.decode(doing.more)
        assert (more["zone"], more["apart"]) == (shifts.zone, len(shifts.apart))
        assert more["skills"].split() == list(shifts.skills)
        assert more["days_off"].split() == [f"{day}" for day in shifts.off]
        assert len(more["hours"].split()) == len(shifts.hours)
    for who in (*THERE, NOBODY):
        assert rota.get(who) == model.get(who)


def follows_the_model(opened: OpenRota, folder: Path, steps: Sequence[Shifts]) -> None:
    model = NaiveRota()
    with opened(folder) as (people, rota, audit):
        for who in THERE:
            people.add(Person(id=who, name=f"name of {who}", role=Role.REVIEWER, created=1, created_by="x"), DOER)
        for asked in steps:
            assert taken(rota, asked) == taken(model, asked)
            agrees(rota, audit, model)
    with opened(folder) as (_, rota, audit):  # after it was closed
        agrees(rota, audit, model)


ONE = Shifts(
    "b", "Europe/Paris", (Hours(0, 540, 1_020), Hours(6, 0, 1_440)), ("cards",), (date(2026, 12, 24),), ("🦆",)
)
STORY = [
    replace(ONE, person="ünal"),
    ONE,
    replace(ONE, person="a", zone="UTC"),
    replace(ONE, hours=()),
    replace(ONE, person=NOBODY),
    Shifts("b", "UTC"),
]


@implementations
def test_a_story(opened: OpenRota, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(steps=STEPS)
def test_shifts_stay_as_they_are_told(tmp_path_factory: pytest.TempPathFactory, steps: list[Shifts]) -> None:
    follows_the_model(open_sql_rota, tmp_path_factory.mktemp("rota"), steps)


@pytest.mark.server
@settings(max_examples=20, phases=[Phase.generate])
@given(steps=STEPS)
def test_shifts_stay_as_they_are_told_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Shifts]
) -> None:
    follows_the_model(in_postgres(people_and_rota), tmp_path_factory.mktemp("rota"), steps)


@implementations
def test_of_several_at_once_the_last_stays_whole(opened: OpenRota, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, [])
    asked = [replace(ONE, skills=(f"skill {number}",)) for number in range(6)]
    together = threading.Barrier(len(asked))

    def run(mine: Shifts) -> None:
        with opened(tmp_path) as (_, rota, _):
            together.wait()
            rota.put(mine, DOER)

    threads = [threading.Thread(target=run, args=(each,)) for each in asked]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with opened(tmp_path) as (_, rota, _):
        [found] = rota.all()
        assert found in asked


MUTANTS = {
    "gives everybody the first": Edit(SqlRota, "get", ".where(_COLUMNS.person == person)", ".limit(1)"),
    "tells them in any order": Edit(SqlRota, "all", "order_by(_COLUMNS.person)", "order_by(_COLUMNS.person.desc())"),
    "takes in nobody's": Edit(SqlRota, "put", "PERSON.c.id == shifts.person", "PERSON.c.id != ''"),
    "keeps the first": Edit(SqlRota, "put", "connection.execute(insert(REVIEWER), row)", "None"),
    "notes nothing": Edit(SqlRota, "put", "append_to(connection, [rostered(shifts, doer)])", "pass"),
    "forgets the others": Edit(SqlRota, "put", ".where(_COLUMNS.person == shifts.person)", ""),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_dies(tmp_path: Path, name: str) -> None:
    # One takes in what refers to nobody, which the data base refuses.
    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):
        follows_the_model(open_sql_rota, tmp_path, STORY)
