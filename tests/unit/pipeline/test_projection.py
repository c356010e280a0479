"""From the log to the records of the ledger: they say what the pipeline says, and each change is told once."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.domain.action import Action
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.enforce.entitlements import entitlements
from fairgate.enforce.messages import STANDING_CHANGED, Changed, Switched
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline import projection as module
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.projection import Projection
from fairgate.ports.outbox import Letter
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, SetClock, body, open_pipeline, request
from tests.unit.pipeline.live import answers

ACCOUNTS = ("a", "b")


class World:
    """A pipeline, and the records that are brought up to its log, as the clerk does it."""

    def __init__(self, pipeline: Pipeline, records: Records, folder: Path, clock: SetClock) -> None:
        self.pipeline, self.records, self.clock = pipeline, records, clock
        self.log = SegmentReader.open(folder / "log")
        self.number = 0
        self.restart()

    def restart(self) -> None:
        records, receivers = self.records, ["r", "s"]
        self.projection = Projection(self.log, records.ledger, receivers, pack_from_texts, records.appeals.erase)

    def step(self) -> int:
        self.pipeline.commit()
        self.log.refresh()
        return self.projection.step(self.clock.time)

    def catch_up(self) -> None:
        while self.step():
            pass

    def act(self, account: str, action: Action, length: int = FOREVER) -> Entry:
        ends = FOREVER if length == FOREVER else self.clock.time + length
        subject = Subject("account", account)
        entry, _ = self.pipeline.act(Entry(-1, subject, action, self.clock.time, ends, ("burst",), (), "", "me", "why"))
        return entry

    def ask(self, account: str, cost: float = 1.0) -> None:
        self.number += 1
        answers(self.pipeline, request(self.number, account=account, cost=cost))

    def told(self, receiver: str = "r") -> list[tuple[str, Changed | Switched]]:
        """The messages' ids, without the time in them, and data."""
        return [
            (each.message.partition("-")[0], _data(each)) for each in self.records.outbox.waiting(receiver, -1, 10_000)
        ]

    def take(self, what: str, account: str, choice: Any) -> None:  # noqa: ANN401 - each step has its own
        match what:
            case "act":
                self.act(account, choice)
            case "act for an hour":
                self.act(account, choice, HOUR)
            case "undo":
                standing = self.pipeline.engine.ledger.standing(Subject("account", account), self.clock.time)
                self.pipeline.undo([each.number for each in standing], "me", "why")
            case "ask":
                self.ask(account, choice)
            case "pass":
                self.clock.time += choice
            case "step":
                self.step()
            case "restart":
                self.restart()
            case _:
                self.pipeline.restate()

    def stands(self, account: str) -> list[Entry]:
        return self.records.ledger.standing(Subject("account", account), self.clock.time)


def _data(letter: Letter) -> Changed | Switched:
    body = msgspec.json.decode(letter.body)
    assert body["type"] == letter.type
    shape: type[Changed | Switched] = Changed if letter.type == STANDING_CHANGED else Switched
    return msgspec.convert(body["data"], shape)


@contextmanager
def world(folder: Path, pack: str = PACK) -> Iterator[World]:
    clock = SetClock()
    with open_pipeline(folder, pack, clock=clock) as pipeline, open_records(folder) as records:
        made = World(pipeline, records, folder, clock)
        with closing(made.log):
            yield made


STEPS = st.lists(
    st.tuples(st.just("act"), st.sampled_from(ACCOUNTS), st.sampled_from([Action.BAN, Action.HOLD, Action.ALLOW]))
    | st.tuples(st.just("act for an hour"), st.sampled_from(ACCOUNTS), st.sampled_from([Action.BAN, Action.THROTTLE]))
    | st.tuples(st.just("undo"), st.sampled_from(ACCOUNTS), st.none())
    | st.tuples(st.just("ask"), st.sampled_from(ACCOUNTS), st.sampled_from([1.0, 20.0]))
    | st.tuples(st.just("pass"), st.none(), st.sampled_from([SECOND, HOUR, DAY]))
    | st.tuples(st.just("step"), st.none(), st.none())
    | st.tuples(st.just("restart"), st.none(), st.none())
    | st.tuples(st.just("say again"), st.none(), st.none()),
    max_size=25,
)


@given(STEPS)
@settings(max_examples=40)
def test_records_say_what_the_pipeline_says_and_each_change_is_told_once(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, Any, Any]]
) -> None:
    with world(tmp_path_factory.mktemp("world")) as tried:
        for what, account, choice in steps:
            tried.take(what, account, choice)
        tried.catch_up()
        ledger = tried.pipeline.engine.ledger
        for account in ACCOUNTS:
            subject = Subject("account", account)
            assert tried.stands(account) == ledger.standing(subject, tried.clock.time)
        told = tried.told()
        names = [name for name, _ in told]
        assert len(set(names)) == len(names)
        assert names == [name for name, _ in tried.told("s")]
        whole = tried.records.ledger.of(Subject("account", "a"), 1 << 60, 100)
        whole += tried.records.ledger.of(Subject("account", "b"), 1 << 60, 100)
        assert {each.number for each in whole} == set(range(ledger.following))
        for entry in whole:
            taken, undone = f"action_{entry.number}_taken" in names, f"action_{entry.number}_undone" in names
            ended = f"action_{entry.number}_ended" in names
            assert undone is (entry.undone is not None)
            assert ended <= (entry.ends <= tried.clock.time and entry.undone is None)
            assert taken or undone or entry.ends <= tried.clock.time
        last = {each.standing.value: each.standing for _, each in told if isinstance(each, Changed)}
        specs = tried.pipeline.engine.ledger.specs
        for account, standing in last.items():
            found = entitlements(tried.stands(account), specs, set())
            assert (standing.action, standing.may.use) == (found.action.word, found.use)


def test_what_ended_is_told_when_it_has_and_not_twice(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        tried.act("a", Action.BAN, HOUR)
        assert tried.step() == 1
        tried.clock.time += HOUR - 1
        assert tried.step() == 0
        tried.clock.time += 1
        assert tried.step() == 1
        tried.clock.time += DAY
        tried.restart()
        assert tried.step() == 0
        assert [name for name, _ in tried.told()] == ["action_0_taken", "action_0_ended"]


def test_many_that_end_at_once_are_all_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_MESSAGES", 5)
    with world(tmp_path) as tried:
        for number in range(23):
            tried.act(f"a{number}", Action.BAN, HOUR)
        tried.catch_up()
        tried.clock.time += HOUR
        tried.catch_up()
        names = {name for name, _ in tried.told()}
        assert names == {f"action_{number}_{what}" for number in range(23) for what in ("taken", "ended")}


def test_what_is_over_before_it_is_read_is_kept_and_not_told(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        tried.catch_up()
        tried.act("b", Action.BAN)
        tried.act("a", Action.BAN, SECOND)
        tried.clock.time += HOUR
        tried.catch_up()
        tried.clock.time += HOUR
        tried.catch_up()
        assert len(tried.records.ledger.of(Subject("account", "a"), 9, 9)) == 1
        told = [(name, each.standing.action) for name, each in tried.told() if isinstance(each, Changed)]
        assert told[0] == ("action_0_taken", "ban")
        assert told[1:] in ([("action_1_taken", "ban"), ("action_1_ended", "allow")], [])


def test_a_switch_is_told_and_counts_for_what_is_told_after_it_even_after_a_restart(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        tried.pipeline.switch("action:ban", "me", "why", off=True)
        tried.pipeline.switch("burst", "me", "why", off=True)
        tried.catch_up()
        tried.restart()
        tried.act("a", Action.BAN)
        tried.pipeline.switch("*", "me", "why", off=True)
        tried.act("a", Action.SUSPEND)
        tried.catch_up()
        told = tried.told()
    switched = [each for _, each in told if isinstance(each, Switched)]
    assert [(each.switch, each.off) for each in switched] == [("action:ban", True), ("all", True)]
    assert [each.standing.action for _, each in told if isinstance(each, Changed)] == ["allow"] * 3


def test_a_switch_tells_all_whom_it_makes_a_difference_to_once(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        tried.act("a", Action.BAN)
        tried.act("b", Action.HOLD)
        tried.pipeline.switch("action:ban", "me", "why", off=True)
        tried.pipeline.switch("action:ban", "me", "why", off=True)
        tried.clock.time += DAY
        tried.pipeline.restate()
        tried.catch_up()
        tried.pipeline.switch("action:ban", "me", "why", off=False)
        tried.pipeline.switch("*", "me", "why", off=True)
        tried.pipeline.switch("*", "me", "why", off=False)
        tried.catch_up()
        told = tried.told()[2:]
    said = [(each.switch, each.off) for _, each in told if isinstance(each, Switched)]
    assert said == [("action:ban", True), ("action:ban", False), ("all", True), ("all", False)]
    stands = [
        (each.standing.value, each.standing.action, each.cause.what) for _, each in told if isinstance(each, Changed)
    ]
    assert stands == [
        ("a", "allow", "switched"),
        ("a", "ban", "switched"),
        *(("a", "allow", "switched"), ("b", "allow", "switched")),
        *(("a", "ban", "switched"), ("b", "hold", "switched")),
    ]


def test_a_standing_is_told_in_the_words_of_the_pack_that_is_live(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        answers(tried.pipeline, *(body({"account": f"a{number}"}, id=f"s{number}") for number in range(3)))
        tried.catch_up()
        [(name, told)] = tried.told()
    assert name == "action_0_taken"
    assert isinstance(told, Changed)
    assert told.standing.reasons == ["Many accounts were made in a short time."]
    assert told.standing.challenges == ["captcha"]
    assert told.cause.automated


def test_a_pack_that_says_other_things_of_an_action_is_told_to_those_it_stands_on(tmp_path: Path) -> None:
    other = PACK.replace('challenge = "captcha"', 'challenge = "phone"')
    assert other != PACK
    with world(tmp_path) as tried:
        tried.act("a", Action.CHALLENGE)
        tried.act("b", Action.BAN)
        tried.catch_up()
    for text in ("\n" + PACK, other, other):  # what only stands elsewhere, or is said again, changes nothing
        with world(tmp_path, text) as tried:
            tried.pipeline.restate()
            tried.catch_up()
    with world(tmp_path, other) as tried:
        told = tried.told()[2:]
    assert [(name, data.cause.what, data.standing.challenges) for name, data in told if isinstance(data, Changed)] == [
        ("action_0_redefined", "redefined", ["phone"])
    ]


def test_a_long_log_is_read_in_steps_and_is_not_told_of_at_every_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "STEP", 10)
    with world(tmp_path) as tried:
        for number in range(35):
            tried.ask(f"x{number}", 0.1)
        tried.act("a", Action.BAN)
        tried.clock.time = NOW + HOUR
        while tried.step() == 0:
            pass
        assert tried.projection.behind == 0
        assert tried.records.ledger.read().sequence == tried.log.end()


def test_it_begins_where_the_log_does(tmp_path: Path) -> None:
    with world(tmp_path) as tried:
        tried.act("a", Action.BAN)
        for _ in range(3):
            tried.clock.time += 40 * DAY
            tried.ask("b")
            tried.pipeline.restate()
            tried.pipeline.commit()
            tried.pipeline.keep(tried.pipeline.capture(tried.pipeline.mark()))
            tried.pipeline.cut(tried.clock.time - 32 * DAY, tried.pipeline.log.end())
        assert tried.pipeline.log.begin() > 1
        tried.catch_up()
        assert [each.action for each in tried.stands("a")] == [Action.BAN]
        tried.act("a", Action.HOLD)
        tried.catch_up()
        assert len(tried.told()) == 2
