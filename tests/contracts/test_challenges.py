"""The contract of challenges and of what came of them, against a naive model; and mutants that must die."""

import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from fairgate.backends.sql import challenges as module
from fairgate.backends.sql.challenges import SqlChallenges, SqlOutcomes
from fairgate.backends.sql.records import Records
from fairgate.domain.challenge import Challenge, ChallengeState
from fairgate.domain.errors import RecordsUnavailable
from fairgate.ports.challenges import Challenges, Outcome, Outcomes, Set, Untold
from tests.contracts.opened_records import (
    OpenChallenges,
    challenges_and_outcomes,
    in_postgres,
    on_every_data_base,
    open_sql_challenges,
)
from tests.contracts.planting import Edit, planted
from tests.contracts.test_appeals import holds

implementations = on_every_data_base(challenges_and_outcomes)

TIMES = (1, 2, 3, 5, 1_796_000_000_000_000)
IDS = ("a", "B_-", "c")
CALLERS, REFS = ("shop", "gateway"), ("1", "2", "session ✓ '\"\\")
ACCOUNTS, KINDS = ("anna", "ben"), ("captcha", "email")

times = st.sampled_from(TIMES)
some = st.sampled_from([*IDS, "gone"])
challenges = st.builds(
    Challenge,
    id=st.sampled_from(IDS),
    kind=st.sampled_from(KINDS),
    account=st.sampled_from(ACCOUNTS),
    action=st.none() | st.sampled_from([0, 1 << 62]),
    asked_by=st.sampled_from(CALLERS),
    ref=st.sampled_from(REFS),
    made=times,
    expires=times,
    most=st.sampled_from([1, 2, 3]),
    kept=st.sampled_from(["", "1:ab"]),
    about=st.sampled_from(["{}", '{"ip":"203.0.113.9"}']),
    attempts=st.sampled_from([0, 9]),
    state=st.sampled_from(ChallengeState),
    ended=st.sampled_from([0, 9]),
)
endings = [ChallengeState.PASSED, ChallengeState.FAILED, ChallengeState.EXPIRED]
outcomes = st.builds(Outcome, state=st.sampled_from(endings), at=times, event=st.sampled_from([b"{}", b'{"n":1}']))
untolds = st.builds(Untold, id=some, event=st.just(b"again"), tries=st.sampled_from([1, 7]))
Step = tuple[str, Any]
STEPS: st.SearchStrategy[Step] = st.one_of(
    st.tuples(st.just("put"), st.tuples(challenges, st.sampled_from([1, 2, 9]), times)),
    st.tuples(st.just("attempt"), st.tuples(some, times)),
    st.tuples(st.just("give_back"), some),
    st.tuples(st.just("end"), st.tuples(some, outcomes)),
    st.tuples(st.just("forget"), times),
    st.tuples(st.just("erase"), st.sampled_from([*ACCOUNTS, "nobody"])),
    st.tuples(st.just("told"), some),
    st.tuples(st.just("later"), st.tuples(untolds, times)),
)
#: What is asked for after a step: at what time, and how many at most.
Ask = tuple[int, int]
EVERYTHING: Ask = (TIMES[-1], 99)
asks = st.just(EVERYTHING) | st.tuples(times, st.sampled_from([1, 2]))
Session = list[tuple[Step, Ask]]
SESSIONS: st.SearchStrategy[list[Session]] = st.lists(
    st.lists(st.tuples(STEPS, asks), min_size=1, max_size=10), min_size=1, max_size=3
)


class NaiveChallenges(Challenges):
    """Challenges in memory, and of each what is to be told: the event, its tries, and when it is due."""

    def __init__(self) -> None:
        self.kept: dict[str, Challenge] = {}
        self.news: dict[str, tuple[bytes, int, int]] = {}

    def put(self, asked: Challenge, most: int, since: int) -> Set:
        there = self.under(asked.asked_by, asked.ref)
        if there is not None:
            return Set(there, new=False)
        like = [each for each in self.kept.values() if (each.account, each.kind) == (asked.account, asked.kind)]
        if sum(each.made > since for each in like) >= most:
            return Set(None, new=False)
        self.kept[asked.id] = replace(asked, attempts=0, state=ChallengeState.OPEN, ended=0)
        return Set(self.kept[asked.id], new=True)

    def get(self, challenge_id: str) -> Challenge | None:
        return self.kept.get(challenge_id)

    def under(self, asked_by: str, ref: str) -> Challenge | None:
        found = [each for each in self.kept.values() if (each.asked_by, each.ref) == (asked_by, ref)]
        return found[0] if found else None

    def attempt(self, challenge_id: str, now: int) -> Challenge | None:
        there = self._open(challenge_id)
        if there is None or there.expires <= now or there.attempts >= there.most:
            return None
        self.kept[challenge_id] = replace(there, attempts=there.attempts + 1)
        return self.kept[challenge_id]

    def give_back(self, challenge_id: str) -> None:
        there = self._open(challenge_id)
        if there is not None:
            self.kept[challenge_id] = replace(there, attempts=max(0, there.attempts - 1))

    def end(self, challenge_id: str, outcome: Outcome) -> bool:
        there = self._open(challenge_id)
        if there is None:
            return False
        self.kept[challenge_id] = replace(there, state=outcome.state, ended=outcome.at, kept="", about="")
        self.news[challenge_id] = outcome.event, 0, outcome.at
        return True

    def overdue(self, now: int, limit: int) -> list[Challenge]:
        found = [each for each in self.kept.values() if each.over(now)]
        return sorted(found, key=lambda each: (each.expires, each.id))[:limit]

    def erase(self, whose: Callable[[str], bool]) -> int:
        return self._drop([each.id for each in self.kept.values() if whose(each.account)])

    def forget(self, before: int) -> int:
        return self._drop([each.id for each in self.kept.values() if 0 < each.ended < before])

    def _drop(self, gone: Sequence[str]) -> int:
        for each in gone:
            del self.kept[each]
            self.news.pop(each, None)
        return len(gone)

    def _open(self, challenge_id: str) -> Challenge | None:
        there = self.kept.get(challenge_id)
        return there if there is not None and there.state == ChallengeState.OPEN else None


class NaiveOutcomes(Outcomes):
    """What is to be told of the model's challenges."""

    def __init__(self, model: NaiveChallenges) -> None:
        self._news = model.news

    def untold(self, now: int, limit: int) -> list[Untold]:
        found = sorted((due, name) for name, (_, _, due) in self._news.items() if due <= now)
        return [Untold(name, *self._news[name][:2]) for _, name in found][:limit]

    def told(self, challenge_id: str) -> None:
        self._news.pop(challenge_id, None)

    def later(self, untold: Untold, due: int) -> None:
        if untold.id in self._news:
            self._news[untold.id] = untold.event, untold.tries, due

    def waiting(self) -> int:
        return len(self._news)


class Story:
    """Takes steps with challenges and their model."""

    def __init__(self) -> None:
        self.model = NaiveChallenges()
        self.news = NaiveOutcomes(self.model)

    def step(self, challenges: Challenges, outcomes: Outcomes, step: Step) -> None:
        match step:
            case "put", (asked, most, since):
                there = self.model.kept.get(asked.id)
                if there is not None and (there.asked_by, there.ref) != (asked.asked_by, asked.ref):
                    return  # ids are drawn, and none twice
                assert challenges.put(asked, most, since) == self.model.put(asked, most, since)
            case "attempt", (name, now):
                assert challenges.attempt(name, now) == self.model.attempt(name, now)
            case "give_back", name:
                challenges.give_back(name)
                self.model.give_back(name)
            case "end", (name, outcome):
                assert challenges.end(name, outcome) is self.model.end(name, outcome)
            case "forget", before:
                assert challenges.forget(before) == self.model.forget(before)
            case "erase", account:
                assert challenges.erase(account.__eq__) == self.model.erase(account.__eq__)
            case "told", name:
                outcomes.told(name)
                self.news.told(name)
            case "later", (untold, due):
                outcomes.later(untold, due)
                self.news.later(untold, due)

    def check(self, challenges: Challenges, outcomes: Outcomes, ask: Ask) -> None:
        now, limit = ask
        assert challenges.overdue(now, limit) == self.model.overdue(now, limit)
        assert outcomes.untold(now, limit) == self.news.untold(now, limit)
        assert outcomes.waiting() == self.news.waiting()
        for name in (*IDS, "gone"):
            assert challenges.get(name) == self.model.get(name)
        for caller in CALLERS:
            for ref in REFS:
                assert challenges.under(caller, ref) == self.model.under(caller, ref)


def follows_the_model(opened: OpenChallenges, folder: Path, sessions: Sequence[Session]) -> None:
    story = Story()
    for session in sessions:
        with opened(folder) as (challenges, outcomes):
            story.check(challenges, outcomes, EVERYTHING)
            for step, ask in session:
                story.step(challenges, outcomes, step)
                story.check(challenges, outcomes, ask)


FIRST = Challenge("a", "captcha", "anna", 7, "shop", "1", 2, 5, 2, "18", '{"ip":"203.0.113.9"}')
SECOND = replace(FIRST, id="B_-", action=None, kept="1:ab", ref="2", expires=3)
PASSED, FAILED = Outcome(ChallengeState.PASSED, 3, b'{"n":1}'), Outcome(ChallengeState.FAILED, 2, b'{"n":2}')
EXPIRED = Outcome(ChallengeState.EXPIRED, 2, b'{"n":3}')
STORY: list[Session] = [
    [
        (("put", (FIRST, 1, 1)), EVERYTHING),
        (("put", (replace(FIRST, id="c", account="ben"), 9, 1)), EVERYTHING),  # its ref is another's
        (("put", (SECOND, 1, 1)), EVERYTHING),  # one too many
        (("put", (replace(SECOND, kind="email"), 1, 1)), EVERYTHING),
        (("put", (replace(SECOND, id="c", asked_by="gateway", account="ben"), 1, 1)), (3, 1)),
        (("attempt", ("a", 5)), EVERYTHING),  # its time is over
        (("attempt", ("a", 4)), (3, 99)),
        (("attempt", ("a", 4)), (2, 99)),
        (("attempt", ("a", 4)), EVERYTHING),  # all are taken
        (("give_back", "a"), EVERYTHING),
        (("give_back", "B_-"), EVERYTHING),  # of none
        (("attempt", ("a", 4)), EVERYTHING),
    ],
    [
        (("end", ("a", PASSED)), (2, 99)),
        (("end", ("a", FAILED)), (3, 99)),
        (("attempt", ("a", 4)), EVERYTHING),
        (("give_back", "a"), EVERYTHING),
        (("end", ("B_-", EXPIRED)), (3, 1)),
        (("attempt", ("B_-", 2)), EVERYTHING),  # it has ended
        (("later", (Untold("B_-", b"again", 1), 5)), (3, 99)),
        (("forget", 3), EVERYTHING),
        (("told", "a"), EVERYTHING),
        (("later", (Untold("a", b"again", 2), 1)), EVERYTHING),  # which was told
        (("end", ("c", FAILED)), EVERYTHING),
        (("forget", 3), EVERYTHING),
        (("put", (SECOND, 1, 2)), EVERYTHING),
        (("put", (replace(FIRST, account="ben"), 9, 1)), EVERYTHING),
        (("end", ("a", PASSED)), EVERYTHING),
        (("erase", "nobody"), EVERYTHING),
        (("erase", "ben"), EVERYTHING),
        (("erase", "anna"), EVERYTHING),
    ],
]
#: Of three that end one after the other, and are told in the order in which they are due.
NEWS: list[Session] = [
    [
        (("put", (replace(FIRST, ref="1"), 9, 1)), EVERYTHING),
        (("put", (replace(FIRST, id="B_-", ref="2"), 9, 1)), EVERYTHING),
        (("put", (replace(FIRST, id="c", asked_by="gateway"), 9, 1)), EVERYTHING),
        (("end", ("a", PASSED)), EVERYTHING),
        (("end", ("c", FAILED)), EVERYTHING),
        (("end", ("B_-", EXPIRED)), (3, 2)),
        (("later", (Untold("c", b"again", 7), 5)), EVERYTHING),
        (("told", "gone"), EVERYTHING),
        (("told", "B_-"), EVERYTHING),
        (("later", (Untold("gone", b"again", 7), 1)), EVERYTHING),
    ],
]


@implementations
@pytest.mark.parametrize("story", [STORY, NEWS], ids=["from beginning to end", "what is told"])
def test_a_story(opened: OpenChallenges, tmp_path: Path, story: list[Session]) -> None:
    follows_the_model(opened, tmp_path, story)


@given(sessions=SESSIONS)
def test_challenges_stay_until_they_are_forgotten(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(open_sql_challenges, tmp_path_factory.mktemp("challenges"), sessions)


@pytest.mark.server
@settings(max_examples=20)
@given(sessions=SESSIONS)
def test_challenges_stay_until_they_are_forgotten_in_postgres(
    tmp_path_factory: pytest.TempPathFactory, sessions: list[Session]
) -> None:
    follows_the_model(in_postgres(challenges_and_outcomes), tmp_path_factory.mktemp("challenges"), sessions)


# ------------------------------------------------------------------------------------------------------------- at once


def at_once(opened: OpenChallenges, folder: Path) -> None:
    """Of several that set, answer or end the same at the same time, no more do than may."""
    count, put, tried, ended = 8, list[Set](), list[Challenge | None](), list[bool]()
    together = threading.Barrier(count)

    def run(number: int) -> None:
        with opened(folder) as (challenges, _):
            together.wait()
            put.append(challenges.put(replace(FIRST, id=f"{number}", ref=f"{number}"), 2, 1))
            together.wait()
            name = next(each.challenge.id for each in put if each.challenge is not None)
            tried.append(challenges.attempt(name, 4))
            together.wait()
            ended.append(challenges.end(name, PASSED))

    with opened(folder):
        pass
    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert sorted(each.new for each in put) == [False] * (count - 2) + [True] * 2
    assert sorted(each.attempts for each in tried if each is not None) == [1, 2]
    assert sorted(ended) == [False] * (count - 1) + [True]


@implementations
def test_of_several_at_once_no_more_do_than_may(opened: OpenChallenges, tmp_path: Path) -> None:
    at_once(opened, tmp_path)


def test_erased_challenges_stand_in_no_file(tmp_path: Path) -> None:
    with open_sql_challenges(tmp_path) as (one, _), open_sql_challenges(tmp_path) as (other, _):
        for number in range(40):
            one.put(replace(FIRST, id=f"{number}", ref=f"{number}", about='{"ip":"203.0.113.77"}'), 99, 0)
        one.end("7", PASSED._replace(event=b'{"ip":"203.0.113.78"}'))
        one.put(replace(FIRST, id="b", ref="b", account="ben"), 99, 0)
        assert other.get("1") is not None
        assert holds(tmp_path, "203.0.113.77")
        assert holds(tmp_path, "203.0.113.78")
        assert one.erase("anna".__eq__) == 40
        assert not holds(tmp_path, "203.0.113.7")
        assert other.get("b") is not None


@pytest.mark.parametrize("when", ["before insert", "before update"])
def test_what_fails_has_not_happened(tmp_path: Path, when: str) -> None:
    with open_sql_challenges(tmp_path) as (challenges, outcomes):
        assert challenges.put(FIRST, 9, 0).new
        with closing(connect(tmp_path / "records.db")) as fault:
            fault.execute(f"create trigger fault {when} on challenge begin select raise(abort, 'broken'); end")
        with pytest.raises(RecordsUnavailable, match="broken"):
            _ = challenges.put(SECOND, 9, 0) if when == "before insert" else challenges.end("a", PASSED)
        assert challenges.get("a") == FIRST
        assert challenges.get(SECOND.id) is None
        assert outcomes.waiting() == 0


def test_a_state_that_there_is_not_is_told(tmp_path: Path) -> None:
    with open_sql_challenges(tmp_path) as (challenges, _):
        challenges.put(FIRST, 9, 0)
        with closing(connect(tmp_path / "records.db")) as connection, connection:
            connection.execute("update challenge set state = 'lost'")
        with pytest.raises(RecordsUnavailable, match=r"'lost' is not a valid .*\. Restore it from a backup"):
            challenges.get("a")


def test_what_is_personal_is_gone_once_it_was_told(tmp_path: Path) -> None:
    with open_sql_challenges(tmp_path) as (challenges, outcomes):
        challenges.put(FIRST, 9, 0)
        challenges.end("a", replace_event(b'{"data":{"ip":"203.0.113.9"}}'))
        outcomes.told("a")
        with closing(connect(tmp_path / "records.db")) as connection:
            row = connection.execute("select * from challenge").fetchone()
    assert not any("203.0.113.9" in str(each) for each in row)


def replace_event(event: bytes) -> Outcome:
    return PASSED._replace(event=event)


# -------------------------------------------------------------------------------------------------------------- mutants

MUTANTS = {
    "sets twice under one ref": Edit(SqlChallenges, "put", "if row is not None", "if False"),
    "sets without a limit": Edit(SqlChallenges, "put", ">= most", "> most + 99"),
    "sets one too many": Edit(SqlChallenges, "put", ">= most", "> most"),
    "counts what was made at the edge": Edit(SqlChallenges, "put", "_COLUMNS.made > since", "_COLUMNS.made >= since"),
    "counts those of all accounts": Edit(SqlChallenges, "put", "_COLUMNS.account == asked.account, ", ""),
    "counts those of all kinds": Edit(SqlChallenges, "put", "_COLUMNS.kind == asked.kind, ", ""),
    "counts those of all times": Edit(SqlChallenges, "put", ", _COLUMNS.made > since", ""),
    "says that it is not new": Edit(SqlChallenges, "put", "new=True", "new=False"),
    "says that it is new": Edit(SqlChallenges, "put", "_challenge(row), new=False", "_challenge(row), new=True"),
    "looks before it writes": Edit(SqlChallenges, "put", "self._records.writing()", "self._records.reading()"),
    "finds another": Edit(SqlChallenges, "get", "_COLUMNS.id == challenge_id", "_COLUMNS.id >= challenge_id"),
    "takes callers for one another": Edit(module, "_under", "_COLUMNS.asked_by == asked_by, ", ""),
    "takes refs for one another": Edit(module, "_under", ", _COLUMNS.ref == ref", ""),
    "takes an attempt at all": Edit(SqlChallenges, "attempt", "(_COLUMNS.id == challenge_id, ", "("),
    "lets what has ended be answered": Edit(SqlChallenges, "attempt", "_OPEN, ", ""),
    "lets what is over be answered": Edit(SqlChallenges, "attempt", "_COLUMNS.expires > now, ", ""),
    "lets it be answered at its end": Edit(SqlChallenges, "attempt", "expires > now", "expires >= now"),
    "lets guess for ever": Edit(SqlChallenges, "attempt", ", _COLUMNS.attempts < _COLUMNS.most", ""),
    "lets guess once more": Edit(SqlChallenges, "attempt", "attempts < ", "attempts <= "),
    "counts no attempt": Edit(SqlChallenges, "attempt", "_COLUMNS.attempts + 1", "_COLUMNS.attempts"),
    "gives back nothing": Edit(SqlChallenges, "give_back", "_COLUMNS.attempts - 1", "_COLUMNS.attempts"),
    "gives back to all": Edit(SqlChallenges, "give_back", "_COLUMNS.id == challenge_id, ", ""),
    "gives back of what has ended": Edit(SqlChallenges, "give_back", "_OPEN, ", ""),
    "gives back what was not taken": Edit(SqlChallenges, "give_back", ", _COLUMNS.attempts > 0", ""),
    "ends twice": Edit(SqlChallenges, "end", ", _OPEN", ""),
    "ends all": Edit(SqlChallenges, "end", "_COLUMNS.id == challenge_id, ", ""),
    "says that it did not end": Edit(SqlChallenges, "end", "== 1", "!= 1"),
    "lets what has ended expire": Edit(SqlChallenges, "overdue", "_OPEN, ", ""),
    "lets all expire": Edit(SqlChallenges, "overdue", ", _COLUMNS.expires <= now", ""),
    "lets it expire a moment later": Edit(SqlChallenges, "overdue", "expires <= now", "expires < now"),
    "shows what is overdue in any order": Edit(SqlChallenges, "overdue", "order_by(_COLUMNS.expires, ", "order_by("),
    "shows what is overdue without a limit": Edit(SqlChallenges, "overdue", ".limit(limit)", ""),
    "erases those of all": Edit(SqlChallenges, "erase", "if whose(account)", "if True"),
    "erases all": Edit(SqlChallenges, "erase", ".where(_COLUMNS.account.in_(gone))", ""),
    "erases none": Edit(SqlChallenges, "erase", "if gone else", "if False else"),
    "forgets the open": Edit(SqlChallenges, "forget", "_COLUMNS.ended > 0, ", ""),
    "forgets all that ended": Edit(SqlChallenges, "forget", ", _COLUMNS.ended < before", ""),
    "forgets too early": Edit(SqlChallenges, "forget", "ended < before", "ended <= before"),
    "tells before it is due": Edit(SqlOutcomes, "untold", "_COLUMNS.due <= now", "_UNTOLD"),
    "tells a moment later": Edit(SqlOutcomes, "untold", "due <= now", "due < now"),
    "tells without a limit": Edit(SqlOutcomes, "untold", ".limit(limit)", ""),
    "tells in another order": Edit(SqlOutcomes, "untold", "order_by(_COLUMNS.due, ", "order_by("),
    "tells for ever": Edit(SqlOutcomes, "told", "event=None, due=None", "event=None"),
    "forgets to tell of others": Edit(SqlOutcomes, "told", "_COLUMNS.id == challenge_id, ", ""),
    "tells again what was told": Edit(SqlOutcomes, "later", ", _UNTOLD", ""),
    "puts all off": Edit(SqlOutcomes, "later", "_COLUMNS.id == untold.id, ", ""),
    "puts off as it was": Edit(SqlOutcomes, "later", "event=untold.event, ", ""),
    "forgets the tries": Edit(SqlOutcomes, "later", "tries=untold.tries, ", ""),
    "puts nothing off": Edit(SqlOutcomes, "later", ", due=due", ""),
    "counts the told": Edit(SqlOutcomes, "waiting", ".where(_UNTOLD)", ""),
    "keeps what is personal": Edit(module, "_ended", '"about": "",', ""),
    "keeps what an answer is compared with": Edit(module, "_ended", '"kept": "",', ""),
    "has nothing to tell": Edit(module, "_ended", '"due": outcome.at,', ""),
    "forgets when it ended": Edit(module, "_ended", '"ended": outcome.at,', '"ended": 1,'),
    "sets one that has ended": Edit(module, "_row", "ChallengeState.OPEN.value", "challenge.state.value"),
    "sets one that was answered": Edit(module, "_row", '"attempts": 0', '"attempts": challenge.attempts'),
    "takes made for expires": Edit(module, "_row", "challenge.expires", "challenge.made"),
    "forgets the action": Edit(module, "_row", "challenge.action", "None"),
    "forgets what is kept": Edit(module, "_challenge", "row.kept", '""'),
    "does not commit": Edit(Records, "writing", "self._writer.begin()", "self._writer.connect()"),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTANTS)
def test_kills_the_mutant_that(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=100, phases=[Phase.generate], derandomize=True, database=None, print_blob=False)
    @given(SESSIONS)
    def model(sessions: list[Session]) -> None:
        follows_the_model(open_sql_challenges, tmp_path_factory.mktemp("mutant"), sessions)

    with planted(MUTANTS[name]), pytest.raises((AssertionError, RecordsUnavailable)):  # noqa: PT012 - whichever notices it
        for story in (STORY, NEWS):
            follows_the_model(open_sql_challenges, tmp_path_factory.mktemp("mutant"), story)
        model()
