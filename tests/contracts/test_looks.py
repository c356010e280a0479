"""The contract of looks at cases, and of gold cases, over every data base, against a naive model; and mutants."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import looks as module
from fairgate.backends.sql.looks import SqlGoldCases, SqlLooks
from fairgate.domain.action import Action
from fairgate.domain.case import Case, CaseState, Claim, Facts, Happening, Outcome
from fairgate.domain.errors import RecordsUnavailable
from fairgate.domain.look import Gold, Kind, LookState, OneLook, Staged, Word
from fairgate.domain.windows import MINUTE
from fairgate.domain.worth import Stake
from tests.contracts.opened_records import (
    LookFile,
    OpenLooks,
    in_postgres,
    look_file,
    on_every_data_base,
    open_sql_looks,
)
from tests.contracts.planting import Edit, planted

implementations = on_every_data_base(look_file)

NOW = 1_796_000_000_000_000
PEOPLE = ("ann", "bob", "cy ✓")
TIMES = (NOW, NOW + MINUTE, NOW + 2 * MINUTE)
CASES = (1, 2, 3)
#: No case has this number.
NONE = 77
FACTS = Facts(Stake(0.5, 1.0, 24.0, 0.0, 300.0, Action.ALLOW, 5.0))
WORD = Word(Outcome.BAD, Action.BAN, ("farm",), 0.9, "['\"\\ ✓\n😀")
HELD = (Staged(Action.BAN, ("a", "b"), "30d"), Staged(Action.SUSPEND))

times, people = st.sampled_from(TIMES), st.sampled_from(PEOPLE)
which = st.integers(0, 5)
new = st.builds(
    OneLook,
    number=st.just(-1),
    case=st.sampled_from(CASES),
    round=st.integers(0, 1),
    kind=st.sampled_from(Kind),
    propensity=st.sampled_from([0.05, 1.0]),
    made=times,
    version=st.integers(0, 2),
    held=st.sampled_from([(), (), HELD]),
)
done: st.SearchStrategy[dict[str, Any]] = st.builds(
    dict, state=st.just(LookState.DONE), by=people, ended=times, word=st.just(WORD), agreed=st.none() | st.booleans()
)
changes: st.SearchStrategy[dict[str, Any]] = (
    st.builds(dict, claim=st.builds(Claim, people, times), given=st.lists(people, unique=True, max_size=2).map(tuple))
    | st.just({"claim": None})
    | st.just({"state": LookState.DROPPED})
    | done
)
Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = (
    st.tuples(st.just("new"), st.lists(new, min_size=1, max_size=2))
    | st.tuples(st.just("change"), st.tuples(which, changes, st.sampled_from([0, 0, 0, 1])))
    | st.tuples(st.just("with its case"), st.tuples(which, st.sampled_from(CaseState), st.sampled_from([0, 0, 1])))
    | st.tuples(
        st.just("gold"),
        st.builds(Gold, st.sampled_from(CASES), st.sampled_from(Outcome), times, people, st.sampled_from(["", "so ✓"])),
    )
    | st.tuples(st.just("no gold"), st.sampled_from(CASES))
)


class Ask(NamedTuple):
    """What is asked for after a step."""

    by: str
    now: int
    limit: int


ALL = Ask("ann", NOW, 100)
asks = st.just(ALL) | st.builds(Ask, people, times, st.sampled_from([1, 2, 100]))
Session = list[tuple[Step, Ask]]
#: The data base is closed after each session, and opened again for the next.
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(STEPS, asks), min_size=1, max_size=10), min_size=1, max_size=3
)


@dataclass
class Naive:
    """Looks and gold cases in memory, and the versions of the cases."""

    looks: dict[int, OneLook] = field(default_factory=dict)
    gold: dict[int, Gold] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)

    def took_part(self, by: str, case: int, beside: int = -1) -> bool:
        at = [each for each in self.looks.values() if each.case == case]
        return any(each.by == by or (by in each.given and each.number != beside) for each in at)

    def waiting(self, by: str, now: int) -> list[OneLook]:
        found = [each for each in self.doubles() if each.ready_at <= now]
        found = [each for each in found if not self.took_part(by, each.case, each.number)]
        return sorted(found, key=lambda each: (not each.held, each.number))

    def doubles(self) -> list[OneLook]:
        return [each for each in self.looks.values() if (each.kind, each.state) == (Kind.DOUBLE, LookState.WAITING)]

    def given(self, by: str) -> list[OneLook]:
        return [each for each in self.looks.values() if each.state == LookState.WAITING and by in each.given]

    def done(self, since: int) -> list[OneLook]:
        found = [each for each in self.looks.values() if each.state == LookState.DONE and each.ended >= since]
        return sorted(found, key=lambda each: (-each.ended, -each.number))

    def unseen(self, by: str) -> list[int]:
        found = [each.case for each in self.gold.values() if each.by != by and not self.took_part(by, each.case)]
        return sorted((each for each in found if self.cases[each].state == CaseState.DECIDED), reverse=True)


class Story:
    """Takes steps with looks and their model, over three cases that are there."""

    def __init__(self) -> None:
        self.model = Naive()

    def begin(self, file: LookFile) -> None:
        for number in CASES if not self.model.cases else ():
            case = file.cases.open(Case(-1, (f"a{number}",), FACTS, NOW)).case
            assert case.number == number
            self.model.cases[number] = case

    def step(self, file: LookFile, step: Step) -> None:
        model = self.model
        match step:
            case "new", looks:
                last = max(model.looks, default=0)
                assert file.looks.keep(looks)
                found = [each for case in CASES for each in file.looks.of(case) if each.number > last]
                found.sort(key=lambda each: each.number)  # learn their numbers: greater than all before
                assert [replace(each, number=-1) for each in found] == looks
                model.looks |= {each.number: each for each in found}
            case "change", (place, change, late):
                chosen = self._chosen(place)
                if chosen is not None:
                    look = replace(chosen, version=chosen.version + 1 + late, **change)
                    assert file.looks.keep([look]) is (not late)
                    if not late:
                        model.looks[look.number] = look
            case "with its case", (place, state, late):
                self._with_its_case(file, self._chosen(place), state, late)
            case "gold", gold:
                assert file.gold.make(gold) == model.gold.setdefault(gold.case, gold)
            case "no gold", case:
                assert file.gold.undo(case) is (model.gold.pop(case, None) is not None)

    def _with_its_case(self, file: LookFile, look: OneLook | None, state: CaseState, late: int) -> None:
        if look is None:
            return
        there = self.model.cases[look.case]
        case = replace(there, version=there.version + 1 + late, state=state)
        happening = Happening(NOW, "ann", "changed", f"{case.version}")
        one, new = replace(look, version=look.version + 1), replace(look, number=-1)
        assert not file.looks.keep([new, replace(one, version=one.version + 1)], case, [happening])
        assert file.looks.keep([one], case, [happening]) is (not late)
        if not late:
            self.model.looks[one.number] = one
            self.model.cases[case.number] = case
            assert file.cases.history(case.number)[-1] == happening

    def check(self, file: LookFile, ask: Ask) -> None:
        by, now, limit = ask
        model = self.model
        for case in (*CASES, NONE):
            assert file.looks.of(case) == [each for _, each in sorted(model.looks.items()) if each.case == case]
            assert file.cases.get(case) == model.cases.get(case)
            assert file.gold.get(case) == model.gold.get(case)
        assert file.looks.waiting(by, now, limit) == model.waiting(by, now)[:limit]
        assert file.looks.given(by) == model.given(by)
        assert file.looks.done(now, limit) == model.done(now)[:limit]
        assert file.looks.open() == len(model.doubles())
        assert file.gold.all(limit) == [each for _, each in sorted(model.gold.items())][:limit]
        assert file.gold.unseen(by, limit) == model.unseen(by)[:limit]

    def _chosen(self, place: int) -> OneLook | None:
        """One from the newest on; None beyond the oldest."""
        kept = self.model.looks
        return kept[sorted(kept)[-1 - place]] if place < len(kept) else None


def follows_the_model(opened: OpenLooks, folder: Path, sessions: Sequence[Session]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as file:
            story.begin(file)
            story.check(file, ALL)
            for step, ask in session:
                story.step(file, step)
                story.check(file, ask)


FIRST = OneLook(
    -1, 1, 0, Kind.ORDINARY, 1.0, NOW, 1, LookState.DONE, None, (), "ann", NOW - MINUTE, NOW, WORD
)  # fmt: skip
DOUBLE = OneLook(-1, 1, 0, Kind.DOUBLE, 0.05, NOW)
GOLD = Gold(2, Outcome.BENIGN, NOW, "ann", "asked them")
BY_BOB = {"claim": Claim("bob", NOW + MINUTE), "given": ("bob",)}
SAID = {"state": LookState.DONE, "by": "bob", "ended": NOW + MINUTE, "word": WORD, "agreed": False}
STORY: list[Session] = [
    [
        (("new", [FIRST, DOUBLE]), Ask("bob", NOW, 9)),
        (("new", [replace(DOUBLE, case=2), replace(DOUBLE, case=3, held=HELD)]), Ask("bob", NOW, 2)),
        (("change", (2, BY_BOB, 0)), Ask("bob", NOW, 9)),
        (("change", (2, {"claim": None}, 1)), Ask("bob", NOW + MINUTE, 9)),
        (("change", (2, {"claim": None}, 0)), Ask("cy ✓", NOW, 9)),
        (("with its case", (2, CaseState.DECIDED, 0)), ALL),
        (("with its case", (1, CaseState.DECIDED, 1)), ALL),
        (("with its case", (1, CaseState.DECIDED, 0)), ALL),
    ],
    [
        (("change", (2, SAID, 0)), Ask("bob", NOW, 9)),
        (("gold", GOLD), ALL),
        (("gold", replace(GOLD, truth=Outcome.BAD)), Ask("bob", NOW, 9)),
        (("new", [replace(DOUBLE, case=2, kind=Kind.GOLD, given=("bob",))]), Ask("bob", NOW + MINUTE, 9)),
        (("gold", replace(GOLD, case=1, by="bob")), Ask("cy ✓", NOW + MINUTE, 1)),
        (("gold", replace(GOLD, case=3)), Ask("cy ✓", NOW + MINUTE, 9)),
        (("no gold", 2), Ask("bob", NOW, 9)),
        (("no gold", 2), ALL),
        (("change", (1, {"state": LookState.DROPPED}, 0)), Ask("bob", NOW, 9)),
        (("new", [replace(FIRST, by="cy ✓", ended=NOW + MINUTE), replace(FIRST, by="cy ✓")]), Ask("cy ✓", NOW, 2)),
        (("change", (0, {"state": LookState.DROPPED}, 0)), Ask("cy ✓", NOW, 9)),
    ],
]


@implementations
def test_a_story(opened: OpenLooks, tmp_path: Path) -> None:
    follows_the_model(opened, tmp_path, STORY)


@given(sessions=SESSIONS)
def test_looks_stay_until_they_are_done_and_afterwards(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(open_sql_looks, tmp_path_factory.mktemp("looks"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_looks_stay_until_they_are_done_and_afterwards_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(look_file), tmp_path_factory.mktemp("looks"), sessions)


@implementations
def test_of_several_at_once_one_is_given_it(opened: OpenLooks, tmp_path: Path) -> None:
    with opened(tmp_path) as file:
        assert file.looks.keep([DOUBLE])
        [made] = file.looks.of(1)
    won: list[str] = []

    def claim(by: str) -> None:
        with opened(tmp_path) as file:
            if file.looks.keep([replace(made, version=1, claim=Claim(by, NOW + MINUTE), given=(by,))]):
                won.append(by)

    threads = [threading.Thread(target=claim, args=(f"reviewer {number}",)) for number in range(6)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    with opened(tmp_path) as file:
        [kept] = file.looks.of(1)
        assert [kept.claimed(NOW)] == won
        assert [file.looks.given(each) for each in won] == [[kept]]


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "keeps over another version": Edit(module, "_is_next", "== look.version - 1", "is not None"),
    "takes looks for one another": Edit(module, "_is_next", "_COLUMNS.number == look.number", "_COLUMNS.number > 0"),
    "keeps what can't be kept with it": Edit(SqlLooks, "keep", "_is_next(connection, each)", "True"),
    "leaves its case as it was": Edit(SqlLooks, "keep", "not case_rows.put(connection, case)", "False"),
    "keeps it where its case can't be": Edit(SqlLooks, "keep", "not case_rows.put(", "None is case_rows.put("),
    "forgets what happened": Edit(SqlLooks, "keep", "case.number, happenings", "case.number, ()"),
    "shows looks at all cases": Edit(SqlLooks, "of", "_COLUMNS.of_case == case", "_COLUMNS.of_case > 0"),
    "gives it to who has looked": Edit(SqlLooks, "waiting", "other.c.by_whom == by", "other.c.by_whom == '?'"),
    "gives it to who was given another": Edit(SqlLooks, "waiting", "other.c.number.in_(theirs)", "other.c.number < 0"),
    "gives it to nobody again": Edit(SqlLooks, "waiting", "other.c.number != _COLUMNS.number, ", ""),
    "takes all cases for one": Edit(SqlLooks, "waiting", "other.c.of_case == _COLUMNS.of_case,", ""),
    "takes all for given to them": Edit(SqlLooks, "waiting", ".where(LOOK_GIVEN.c.who == by)", ""),
    "gives what is done": Edit(module, "_waits", "_COLUMNS.state == LookState.WAITING.value, ", ""),
    "gives gold for double": Edit(module, "_waits", ", _COLUMNS.kind == Kind.DOUBLE.value", ""),
    "gives what somebody is at": Edit(SqlLooks, "waiting", "_COLUMNS.ready_at <= now, ", ""),
    "gives it a moment late": Edit(SqlLooks, "waiting", "_COLUMNS.ready_at <= now", "_COLUMNS.ready_at < now"),
    "gives what holds last": Edit(SqlLooks, "waiting", "_COLUMNS.holds.desc()", "_COLUMNS.holds"),
    "gives the newest first": Edit(SqlLooks, "waiting", ", _COLUMNS.number)", ", _COLUMNS.number.desc())"),
    "gives all at once": Edit(SqlLooks, "waiting", ".limit(limit)", ""),
    "shows what was given to others": Edit(SqlLooks, "given", ".where(LOOK_GIVEN.c.who == by)", ""),
    "shows what is done as given": Edit(SqlLooks, "given", "_COLUMNS.state == LookState.WAITING.value, ", ""),
    "forgets to whom it was given": Edit(module, "_put", "for who in look.given]", "for who in ()]"),
    "gives it twice": Edit(module, "_put", "connection.execute(delete(LOOK_GIVEN)", "str(delete(LOOK_GIVEN)"),
    "forgets what it holds": Edit(module, "_put", "bool(look.held)", "False"),
    "forgets who has looked": Edit(module, "_put", '"by_whom": look.by', '"by_whom": ""'),
    "shows what waits as done": Edit(SqlLooks, "done", "_COLUMNS.state == LookState.DONE.value, ", ""),
    "shows what was done before": Edit(SqlLooks, "done", "_COLUMNS.ended >= since", "_COLUMNS.ended > 0"),
    "leaves out what was done just then": Edit(SqlLooks, "done", "_COLUMNS.ended >= since", "_COLUMNS.ended > since"),
    "shows the oldest first": Edit(SqlLooks, "done", "_COLUMNS.ended.desc()", "_COLUMNS.ended"),
    "shows those of one time in no order": Edit(SqlLooks, "done", "_COLUMNS.number.desc()", "_COLUMNS.number"),
    "shows without a limit": Edit(SqlLooks, "done", ".limit(limit)", ""),
    "counts what is done": Edit(SqlLooks, "open", ".where(_waits())", ""),
    "makes it gold again": Edit(SqlGoldCases, "make", "if row is not None:", "if False:"),
    "makes all the same gold": Edit(SqlGoldCases, "make", ".where(GOLD_CASE.c.number == gold.case)", ""),
    "lets all be gold no longer": Edit(SqlGoldCases, "undo", ".where(GOLD_CASE.c.number == case)", ""),
    "shows other gold": Edit(SqlGoldCases, "get", "GOLD_CASE.c.number == case", "GOLD_CASE.c.number > 0"),
    "shows gold in no order": Edit(SqlGoldCases, "all", "GOLD_CASE.c.number)", "GOLD_CASE.c.number.desc())"),
    "shows all gold": Edit(SqlGoldCases, "all", ".limit(limit)", ""),
    "gives gold to who made it": Edit(SqlGoldCases, "unseen", "GOLD_CASE.c.by_whom != by, ", ""),
    "gives gold that is open": Edit(SqlGoldCases, "unseen", "decided, ", ""),
    "gives gold to who has said": Edit(SqlGoldCases, "unseen", "_COLUMNS.by_whom == by", "_COLUMNS.by_whom == '?'"),
    "gives gold twice": Edit(SqlGoldCases, "unseen", "_COLUMNS.number.in_(theirs)", "_COLUMNS.number < 0"),
    "takes all gold for seen": Edit(SqlGoldCases, "unseen", "_COLUMNS.of_case == GOLD_CASE.c.number, ", ""),
    "gives old gold first": Edit(SqlGoldCases, "unseen", "GOLD_CASE.c.number.desc()", "GOLD_CASE.c.number"),
    "gives all gold": Edit(SqlGoldCases, "unseen", ".limit(limit)", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=60, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql_looks, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        follows_the_model(open_sql_looks, tmp_path_factory.mktemp("mutant"), STORY)
        model()
