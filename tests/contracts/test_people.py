"""The contract of people and sessions, over every implementation, against a naive model; and mutants that must die."""

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import people as module
from fairgate.backends.sql.people import SqlPeople
from fairgate.domain.access import Role
from fairgate.domain.audit import Doer, Doing, Kind
from fairgate.domain.errors import FairgateError, LastAdmin, NoSuchPerson
from fairgate.domain.ledger import Subject
from fairgate.domain.people import Person, Session, folded
from fairgate.ports.audit import Audit
from fairgate.ports.people import People, Visit
from tests.contracts.opened_records import OpenPeople, in_postgres, on_every_data_base, open_sql_people, people
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(people)

DOER, END = Doer(8, "root", "key1"), 9
IDS, NAMES, TOKENS = ("a", "b", "c"), ("Ann", "ANN", "bob", "Zoë ✓"), (b"1", b"2", b"3")
times = st.sampled_from([0, 1, 2, 1_796_000_000_000_000])
persons = st.builds(
    Person,
    id=st.sampled_from(IDS),
    name=st.sampled_from(NAMES),
    role=st.sampled_from([Role.READER, Role.ADMIN]),
    created=times,
    created_by=st.sampled_from(["", "x"]),
    password=st.sampled_from([None, "hash"]),
    totp=st.sampled_from([None, b"\0s"]),
    totp_new=st.sampled_from([None, b"n"]),
    step=st.integers(0, 3),
    oidc=st.sampled_from([None, "i 1", "i 2"]),
    mapped=st.booleans(),
    off=st.none() | times,
)
#: What a change sets; `name` and the like are tried, and must stay.
changes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.just("else"),
        "created_by": st.just("else"),
        "role": st.sampled_from([Role.READER, Role.ADMIN]),
        "password": st.sampled_from([None, "hash", "other"]),
        "totp": st.sampled_from([None, b"\0s"]),
        "totp_new": st.sampled_from([None, b"n"]),
        "step": st.integers(0, 3),
        "mapped": st.booleans(),
        "off": st.none() | times,
    },
)
sessions = st.builds(
    Session,
    id=st.sampled_from(["s", "t"]),
    token=st.sampled_from(TOKENS),
    person=st.sampled_from(IDS),
    began=times,
    seen=times,
    by_oidc=st.booleans(),
)
ids, tokens = st.sampled_from(IDS), st.sampled_from(TOKENS)
Step = tuple[str, tuple[Any, ...]]
STEPS: st.SearchStrategy[list[Step]] = st.lists(
    st.tuples(st.just("add"), st.tuples(persons))
    | st.tuples(st.just("change"), st.tuples(ids, changes, st.sampled_from(["", "s", "t"])))
    | st.tuples(st.just("use_step"), st.tuples(ids, st.integers(0, 3)))
    | st.tuples(st.just("begin"), st.tuples(sessions))
    | st.tuples(st.just("seen"), st.tuples(tokens, times))
    | st.tuples(st.just("end"), st.tuples(tokens))
    | st.tuples(st.just("sweep"), st.tuples(times, times)),
    max_size=12,
)


class NaivePeople(People):
    """People in memory."""

    def __init__(self) -> None:
        self.there: dict[str, Person] = {}
        self.in_session: dict[bytes, Session] = {}
        self.doings: list[Doing] = []

    def all(self) -> list[Person]:
        return sorted(self.there.values(), key=lambda each: folded(each.name).encode())

    def get(self, person: str) -> Person | None:
        return self.there.get(person)

    def named(self, name: str) -> Person | None:
        return next((each for each in self.there.values() if folded(each.name) == folded(name)), None)

    def known_as(self, oidc: str) -> Person | None:
        return next((each for each in self.there.values() if each.oidc == oidc), None)

    def add(self, person: Person, doer: Doer) -> bool:
        known = person.oidc is not None and self.known_as(person.oidc)
        if person.id in self.there or self.named(person.name) or known:
            return False
        self.there[person.id] = person
        self.note(person.id, doer, Kind.PERSON_ADDED, f'{{"role":"{person.role}"}}')
        return True

    def change(self, person: str, how: Callable[[Person], Person], doer: Doer, keep: str = "") -> Person:
        if person not in self.there:
            raise NoSuchPerson(person)
        before, after = self.there[person], how(self.there[person])
        after = replace(after, id=before.id, name=before.name, created=before.created, created_by=before.created_by)
        if _admins(self.there) and not _admins({**self.there, person: after}):
            raise LastAdmin(before.name)
        self.there[person] = after
        for name in ("password", "role", "totp", "off"):
            if getattr(before, name) != getattr(after, name):
                self.in_session = {
                    token: each for token, each in self.in_session.items() if each.person != person or each.id == keep
                }
        for what, more in _otherwise(before, after):
            self.note(person, doer, what, more)
        return after

    def use_step(self, person: str, step: int) -> bool:
        found = self.there.get(person)
        if found is None or found.step >= step:
            return False
        self.there[person] = replace(found, step=step)
        return True

    def begin(self, session: Session) -> None:
        self.in_session[session.token] = session
        by_oidc = "true" if session.by_oidc else "false"
        self.note(session.person, self.in_it(session, session.began), Kind.LOGGED_IN, f'{{"by_oidc":{by_oidc}}}')

    def visit(self, token: bytes) -> Visit | None:
        session = self.in_session.get(token)
        return None if session is None else Visit(session, self.there[session.person])

    def seen(self, token: bytes, now: int) -> None:
        if token in self.in_session and self.in_session[token].seen < now:
            self.in_session[token] = replace(self.in_session[token], seen=now)

    def end(self, token: bytes, now: int) -> None:
        session = self.in_session.pop(token, None)
        if session is not None:
            self.note(session.person, self.in_it(session, now), Kind.LOGGED_OUT)

    def sweep(self, idle: int, began: int) -> int:
        over = [token for token, each in self.in_session.items() if each.seen <= idle or each.began <= began]
        for token in over:
            del self.in_session[token]
        return len(over)

    def in_it(self, session: Session, at: int) -> Doer:
        return Doer(at, self.there[session.person].name, f"session:{session.id}")

    def note(self, person: str, doer: Doer, what: Kind, more: str = "") -> None:
        self.doings.append(Doing(doer.at, doer.by, doer.key, what, Subject("person", person), more=more))


def _otherwise(before: Person, after: Person) -> Iterator[tuple[Kind, str]]:
    if before.role != after.role:
        yield Kind.ROLE, f'{{"before":"{before.role}","role":"{after.role}"}}'
    if before.off is None and after.off is not None:
        yield Kind.PERSON_OFF, ""
    if before.off is not None and after.off is None:
        yield Kind.PERSON_ON, ""
    if before.password != after.password:
        yield Kind.REKEYED, ""
    if before.totp != after.totp:
        yield Kind.CODES_TAKEN if after.totp else Kind.CODES_GONE, ""
    if before.oidc != after.oidc:
        yield Kind.BOUND, ""


def _admins(there: dict[str, Person]) -> list[Person]:
    return [each for each in there.values() if each.role == Role.ADMIN and each.off is None]


def taken(people: People, step: Step) -> object:
    """What a step gives, or the error that it raises."""
    name, given = step
    try:
        if name == "change":
            who, values, keep = given
            return people.change(who, lambda there: replace(there, **values), DOER, keep)
        if name in {"add", "end"}:
            return getattr(people, name)(*given, DOER if name == "add" else END)
        return getattr(people, name)(*given)
    except FairgateError as error:
        return repr(error)


def follows_the_model(opened: OpenPeople, folder: Path, steps: Sequence[Step]) -> None:
    model = NaivePeople()
    with opened(folder) as (people, audit):
        for step in steps:
            if step[0] == "begin" and (step[1][0].person not in model.there or step[1][0].token in model.in_session):
                continue  # nobody begins a session of nobody; and tokens are drawn from 256 bits
            assert taken(people, step) == taken(model, step), step
            agrees(people, audit, model)
    with opened(folder) as (people, audit):  # after it was closed
        agrees(people, audit, model)


def agrees(people: People, audit: Audit, model: NaivePeople) -> None:
    assert [row.doing for row in audit.rows(0, 1_000)] == model.doings
    assert people.all() == model.all()
    for who in IDS:
        assert people.get(who) == model.get(who)
    for name in NAMES:
        assert people.named(name) == model.named(name)
    for oidc in ("i 1", "i 2", ""):
        assert people.known_as(oidc) == model.known_as(oidc)
    for token in TOKENS:
        assert people.visit(token) == model.visit(token)


ANN = Person(id="a", name="Ann", role=Role.ADMIN, created=1, created_by="x", password="hash", totp=b"\0s", step=1)
BOB = Person(id="b", name="bob", role=Role.READER, created=2, created_by="Ann", oidc="i 1", mapped=True, totp_new=b"n")
ONE = Session(id="s", token=b"1", person="a", began=1, seen=2)
TWO = Session(id="t", token=b"2", person="a", began=2, seen=1, by_oidc=True)
THREE = Session(id="s", token=b"3", person="b", began=5, seen=5)
STORY: list[Step] = [
    ("add", (BOB,)),
    ("add", (ANN,)),
    ("add", (replace(ANN, id="c", name="ANN"),)),
    ("add", (replace(BOB, id="c", name="Zoë ✓"),)),
    ("add", (replace(BOB, name="Zoë ✓", oidc=None),)),
    ("add", (replace(BOB, id="c", name="Zoë ✓", oidc=None),)),
    *(("begin", (each,)) for each in (ONE, TWO, THREE)),
    ("change", ("a", {"name": "else", "created_by": "else", "totp_new": b"n", "mapped": True}, "")),
    ("change", ("a", {"role": Role.READER}, "")),
    ("change", ("a", {"off": 5}, "")),
    ("change", ("a", {"password": "other"}, "t")),
    ("change", ("d", {}, "")),
    ("use_step", ("a", 1)),
    ("use_step", ("a", 2)),
    ("use_step", ("d", 2)),
    ("seen", (b"2", 9)),
    ("seen", (b"2", 3)),
    ("change", ("b", {"role": Role.ADMIN}, "")),
    ("begin", (THREE,)),
    ("change", ("a", {"role": Role.READER}, "")),
    ("begin", (ONE,)),
    ("change", ("a", {"totp": None}, "")),
    ("begin", (ONE,)),
    ("change", ("a", {"off": 7}, "")),
    ("change", ("a", {"off": 8}, "")),
    ("change", ("a", {"off": None, "totp": b"\0s"}, "")),
    ("change", ("b", {"oidc": "i 2"}, "")),
    ("begin", (ONE,)),
    ("sweep", (1, 0)),
    ("sweep", (2, 0)),
    ("sweep", (0, 5)),
    ("begin", (ONE,)),
    ("end", (b"1",)),
    ("end", (b"1",)),
    ("change", ("b", {"role": Role.READER}, "")),
]


@implementations
def test_a_story(opened: OpenPeople, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(steps=STEPS)
def test_people_and_sessions_stay_as_they_are_told(tmp_path_factory: pytest.TempPathFactory, steps: list[Step]) -> None:
    follows_the_model(open_sql_people, tmp_path_factory.mktemp("people"), steps)


@pytest.mark.server
@settings(max_examples=20, phases=[Phase.generate])
@given(steps=STEPS)
def test_people_and_sessions_stay_as_they_are_told_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step]
) -> None:
    follows_the_model(in_postgres(people), tmp_path_factory.mktemp("people"), steps)


def at_once(opened: OpenPeople, folder: Path) -> None:
    """Of several at the same time one takes a name, one uses a code, and one admin stays."""
    count = 6
    added, used = list[bool](), list[bool]()
    together = threading.Barrier(count)
    with opened(folder) as (people, _):
        people.add(BOB, DOER)
        for number in range(count):
            people.add(replace(ANN, id=f"admin {number}", name=f"admin {number}"), DOER)

    def run(number: int) -> None:
        with opened(folder) as (people, _):
            together.wait()
            added.append(people.add(replace(ANN, id=f"{number}", role=Role.READER), DOER))
            used.append(people.use_step("b", 7))
            taken(people, ("change", (f"admin {number}", {"role": Role.READER}, "")))

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with opened(folder) as (people, _):
        assert sorted(added) == sorted(used) == [False] * (count - 1) + [True]
        assert len(_admins({each.id: each for each in people.all()})) == 1


@implementations
def test_of_several_at_once_one_comes_through(opened: OpenPeople, tmp_path: Path) -> None:
    with opened(tmp_path) as (people, _):
        assert not people.all()
    at_once(opened, tmp_path)


MUTANTS = {
    "takes names for different": Edit(SqlPeople, "add", "_PERSON.folded == folded(person.name)", "_PERSON.name == ''"),
    "adds an id twice": Edit(SqlPeople, "add", "_PERSON.id == person.id, ", ""),
    "takes identities twice": Edit(SqlPeople, "add", "person.oidc is not None", "False"),
    "takes nobodies for one another": Edit(SqlPeople, "add", "person.oidc is not None", "True"),
    "forgets the last admin": Edit(module, "_check_admins", "== 0", "< 0"),
    "lets nobody go": Edit(module, "_check_admins", "not was or is_one", "not was"),
    "counts the one who goes": Edit(module, "_check_admins", ", _PERSON.id != before.id", ""),
    "leaves sessions": Edit(SqlPeople, "change", "_standing(before) != _standing(after)", "False"),
    "ends all sessions always": Edit(SqlPeople, "change", "_standing(before) != _standing(after)", "True"),
    "ends the kept one": Edit(SqlPeople, "change", ", _SESSION.id != keep", ""),
    "ends everybody's": Edit(SqlPeople, "change", "_SESSION.person == person, ", ""),
    "ends none for a password": Edit(module, "_standing", "person.password, ", ""),
    "ends none for a role": Edit(module, "_standing", "person.role, ", ""),
    "ends none for codes": Edit(module, "_standing", "person.totp, ", ""),
    "ends none for who is off": Edit(module, "_standing", ", person.off", ""),
    "renames": Edit(SqlPeople, "change", "if name not in _FIXED", "if name != 'id'"),
    "uses a code twice": Edit(SqlPeople, "use_step", "_PERSON.step < step", "_PERSON.step <= step"),
    "notes no step": Edit(SqlPeople, "use_step", "values(step=step)", "values(step=_PERSON.step)"),
    "goes back in time": Edit(SqlPeople, "seen", ", _SESSION.seen < now", ""),
    "keeps who logs out": Edit(SqlPeople, "end", "_SESSION.token == token", "_SESSION.id == ''"),
    "tells not who came": Edit(SqlPeople, "add", "[let_in(person, doer)]", "[]"),
    "tells not what changed": Edit(SqlPeople, "change", "changed(before, now, doer)", "[]"),
    "tells what was tried to change": Edit(SqlPeople, "change", "changed(before, now", "changed(before, before"),
    "tells not who logged in": Edit(SqlPeople, "begin", "[begun(*visit)]", "[]"),
    "tells not who logged out": Edit(SqlPeople, "end", "[ended(*visit, now)]", "[]"),
    "tells of another time": Edit(SqlPeople, "end", "ended(*visit, now)", "ended(*visit, visit.session.seen)"),
    "keeps the idle": Edit(SqlPeople, "sweep", "_SESSION.seen <= idle", "_SESSION.seen < idle"),
    "keeps the old": Edit(SqlPeople, "sweep", "_SESSION.began <= began", "_SESSION.began < began"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_dies(tmp_path: Path, name: str) -> None:
    with planted(MUTANTS[name]), pytest.raises(AssertionError):
        follows_the_model(open_sql_people, tmp_path, STORY)
