"""Restarts at any place, snapshots of all kinds, and packs that change: nothing else may change with them."""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.domain.action import Action
from fairgate.domain.errors import RecordUnreadable, SealBroken
from fairgate.domain.event import Refusal
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.pipeline import records, state
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.in_force import InForce
from fairgate.pipeline.records import FORMAT, EventRecord, PackRecord, decode
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.state import State
from tests.contracts.planting import Edit, planted
from tests.support import HEAD, NOW, PACK, SECRET, SetClock, body, new_pipeline, open_pipeline, request, traffic
from tests.unit.pipeline.live import NEXT_PACK, answers, logged, reread, snapshot, take
from tests.unit.pipeline.twins import ACTS, CHANGES, Twins

# ------------------------------------------------------------------------------------------------------------- restarts


STEPS = st.lists(
    st.tuples(st.just("take"), st.integers(1, 30))
    | st.tuples(st.just("pass"), st.sampled_from([MINUTE, HOUR, 13 * HOUR, DAY, 9 * DAY, 33 * DAY]))
    | st.tuples(st.just("change"), st.integers(0, len(CHANGES) - 1))
    | st.tuples(st.just("act"), st.integers(0, len(ACTS) - 1))
    | st.tuples(st.just("erase"), st.sampled_from(["a1", "a3", "a8", "friend"]))
    | st.tuples(st.just("restart"), st.booleans())
    | st.tuples(st.just("keep"), st.none()),
    max_size=12,
)


def play(folders: tuple[Path, Path], steps: Sequence[tuple[str, Any]]) -> None:
    """Take these steps with both, and compare all they answer and all they leave."""
    with Twins(folders) as twins:
        for step, choice in steps:
            if step == "keep":
                snapshot(twins.restless)
            else:
                twins.step(step, choice)
    left = logged(folders[0])
    assert left == logged(folders[1])
    assert reread(folders[1]) == sum(isinstance(decode(at, data), EventRecord) for at, data in enumerate(left))


@given(STEPS)
@settings(max_examples=20)
def test_a_restart_at_any_place_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, Any]]
) -> None:
    folders = (tmp_path_factory.mktemp("steady"), tmp_path_factory.mktemp("restless"))
    play(folders, [("take", 20), *steps, ("restart", False), ("take", 20)])


#: Steps after which every part of the state shows.
STORY: Sequence[tuple[str, Any]] = (
    ("act", 0), ("act", 1), ("act", 2), ("take", 90), ("change", 0), ("change", 3), ("change", 5), ("restart", True),
    ("act", 4), ("take", 60), ("erase", "a3"), ("restart", False), ("erase", "a1"), ("take", 20), ("pass", HOUR),
    ("restart", False), ("take", 60), ("keep", None), ("take", 20), ("restart", False), ("take", 20),
    ("pass", 10 * DAY), ("take", 30), ("pass", 10 * DAY), ("take", 30), ("restart", True), ("take", 20),
    ("pass", 25 * DAY), ("take", 60), ("restart", False), ("take", 9),
)  # fmt: skip
LOAD = (State, "_take_over")
MUTANTS = {
    "keeps nothing of the ledger": Edit(*LOAD, "engine.ledger.restore(extra.ledger, extra.following)", ""),
    "lets go of what was taken off a list": Edit(InForce, "records", "or not lists.bare(key[0])", ""),
    "counts no caps again": Edit(Engine, "absorb", "self.brakes.count(decision, clock)", "del decision, clock"),
    "forgets caps": Edit(*LOAD, "extra.day, extra.asked", "0, {}"),
    "forgets switches": Edit(InForce, "take", "self._off[record.rule] = record", "pass"),
    "forgets texts": Edit(*LOAD, "engine.texts.number(text)", "del text"),
    "forgets lists": Edit(*LOAD, "take_in(engine, self._reader, said)", ""),
    "forgets repeats": Edit(*LOAD, 'not self.repeats.load(snapshot.arrays["repeats"], extra.repeats)', "False"),
    "forgets where days began": Edit(Repeats, "state", "list(self._days)", "[]"),
    "forgets whose numbers there are": Edit(*LOAD, 'self.seals.load(snapshot.arrays["seals"], extra.seals)', ""),
    "learns no numbers": Edit(State, "_learn", "self.seals.learn(", "(lambda *_: None)("),
    "leaves erased numbers": Edit(State, "_mind", "self.forget(piece.key)", "pass"),
    "forgets the rows": Edit(*LOAD, "engine.rows.load(snapshot.arrays)", ""),
    "skips a record": Edit(State, "_load", "return snapshot.sequence", "return snapshot.sequence + 1"),
    "reads one twice": Edit(State, "_load", "return snapshot.sequence", "return snapshot.sequence - 1"),
}


def test_the_story_is_sound(tmp_path: Path) -> None:
    play((tmp_path / "steady", tmp_path / "restless"), STORY)


@pytest.mark.parametrize("name", MUTANTS)
def test_notices_a_restart_that(name: str, tmp_path: Path) -> None:
    with planted(MUTANTS[name]), pytest.raises((AssertionError, LookupError, SealBroken)):
        play((tmp_path / "steady", tmp_path / "restless"), STORY)


# ------------------------------------------------------------------------------------------------------------ snapshots


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A folder with a pack and forty events, a snapshot, and ten events after it: 51 records."""
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(40)))
        snapshot(pipeline)
        answers(pipeline, *(raw for raw, _ in traffic(10, start=40)))
    return tmp_path


def read_at_start(folder: Path, text: str = PACK, secret: int = SECRET) -> int:
    """How many records a start reads; that it ends in the same state shows in the events after it."""
    with new_pipeline(folder, text, secret) as pipeline:
        read = pipeline.recover()
        answers(pipeline, *(raw for raw, _ in traffic(20, start=200)))
    return read


def test_a_start_reads_only_what_comes_after_the_snapshot(kept: Path) -> None:
    assert read_at_start(kept) == 10
    assert reread(kept) == 70


def runs_are_made_again(folder: Path) -> None:
    """Without what remembers older events a start reads them again, as far back as a repeat is known."""
    clock = SetClock()
    with open_pipeline(folder, clock=clock) as pipeline:
        gone = answers(pipeline, *(raw for raw, _ in traffic(70)))
        clock.time += 20 * DAY
        first = answers(pipeline, *(raw for raw, _ in traffic(70, start=70)))
        clock.time += 20 * DAY
        answers(pipeline, *(raw for raw, _ in traffic(70, start=140)))
        pipeline.remembered.settle()
        snapshot(pipeline)
    assert any((folder / "repeats").iterdir())
    shutil.rmtree(folder / "repeats")
    with new_pipeline(folder, clock=clock) as pipeline:
        assert pipeline.recover() == 0
        again = answers(pipeline, *(raw for raw, _ in traffic(140, start=70)))
        assert [each.sequence for each in again[:70]] == [each.sequence for each in first]
        assert all(each.repeated for each in again)
        [other] = answers(pipeline, traffic(1)[0][0])
        assert other.sequence > gone[0].sequence


def test_without_its_runs_a_start_reads_them_again(tmp_path: Path) -> None:
    runs_are_made_again(tmp_path)


@pytest.mark.parametrize(
    "edit",
    [
        Edit(State, "_recall", "self.repeats.recall(piece, sequence)", "pass"),
        Edit(State, "_recall", "start = ", "start = stop + "),
        Edit(State, "_recall", "- LONGEST_REPEAT - 2 * DAY", "- 10 * DAY"),
        Edit(State, "_take_over", "self._recall(snapshot.sequence, extra.clock)", "pass"),
    ],
    ids=["reads nothing", "begins at the end", "begins too late", "is content"],
)
def test_notices_a_start_that(edit: Edit, tmp_path: Path) -> None:
    with planted(edit), pytest.raises(AssertionError):
        runs_are_made_again(tmp_path)


@pytest.mark.parametrize("name", ["arena", "table", "meta", "repeats", "extra", "manifest"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone"])
def test_a_damaged_snapshot_is_passed_over(kept: Path, name: str, damage: str) -> None:
    [folder] = (kept / "snapshots").iterdir()
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data if damage == "flipped" else data[: len(data) // 2])
    if damage == "gone":
        (folder / name).unlink()
    assert read_at_start(kept) == 51
    assert reread(kept) == 70


def test_another_secret_opens_nothing(kept: Path) -> None:
    with pytest.raises(SealBroken, match="belong to this log"):
        read_at_start(kept, secret=1)


def test_a_newer_secret_counts_all_again_and_opens_what_was_sealed_before(kept: Path) -> None:
    with open_pipeline(kept, secrets=Secrets({1: SECRET, 2: 1})) as pipeline:
        [known] = answers(pipeline, traffic(1)[0][0])
        assert known.repeated
        [new] = answers(pipeline, body({"account": "a0"}, id="new"))
        assert pipeline.engine.rows.size().rows > 10
    last = [decode(at, data) for at, data in enumerate(logged(kept, {1: SECRET, 2: 1}))]
    assert isinstance(last[51], PackRecord)
    assert last[51].secret == 2
    assert new.sequence == 52
    with pytest.raises(RecordUnreadable, match=r"version 2 of the secret.*all its versions"), open_pipeline(kept):
        pass


def test_a_snapshot_of_another_pack_is_passed_over_and_its_own_is_found_again(kept: Path) -> None:
    assert read_at_start(kept, NEXT_PACK) == 51
    assert read_at_start(kept) == 10 + 1 + 20
    assert reread(kept) == 70


def test_a_snapshot_of_another_version_is_passed_over(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state, "__version__", "0.0.0")
    assert read_at_start(kept) == 51


@pytest.mark.parametrize("events", [5, 60])
def test_a_snapshot_of_another_log_is_passed_over(
    kept: Path, tmp_path_factory: pytest.TempPathFactory, events: int
) -> None:
    """Somebody began a new log, or put an older one back, and left the snapshots where they were."""
    other = tmp_path_factory.mktemp("other")
    with open_pipeline(other) as pipeline:
        answers(pipeline, *(body(id=str(number)) for number in range(events)))
    (kept / "snapshots").rename(other / "snapshots.old")
    (other / "snapshots").rmdir()
    (other / "snapshots.old").rename(other / "snapshots")
    assert read_at_start(other) == events + 1
    with open_pipeline(other) as pipeline:
        snapshot(pipeline)
    assert read_at_start(other) == 0
    assert reread(other) == events + 20


def test_a_snapshot_of_what_was_lost_leaves_the_one_before(kept: Path) -> None:
    """A loss of power took the end of the log, and other events came instead."""
    with open_pipeline(kept) as pipeline:
        snapshot(pipeline)
    [segment] = (kept / "log").glob("*.log")
    os.truncate(segment, segment.stat().st_size - 1)
    with open_pipeline(kept) as pipeline:
        answers(pipeline, body(id="another"))
    assert read_at_start(kept) == 10


def test_a_snapshot_that_holds_more_than_the_log_is_passed_over(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, body())
        snapshot(pipeline)
    [segment] = (tmp_path / "log").glob("*.log")
    os.truncate(segment, segment.stat().st_size - 1)  # as a loss of power: the last record was not durable
    with open_pipeline(tmp_path) as pipeline:
        assert pipeline.engine.counts.events == 0
        [first] = answers(pipeline, body())
        assert (first.sequence, first.repeated) == (1, False)


# ---------------------------------------------------------------------------------------------------------------- packs


def test_a_new_pack_goes_live_with_its_features_counted_from_the_whole_log(tmp_path: Path) -> None:
    events = [request(number, cost=1.0) for number in range(4)]
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, body(), *events[:2])
    clock.time += 2 * MINUTE
    with open_pipeline(tmp_path, NEXT_PACK, clock=clock) as pipeline:
        third, repeated = answers(pipeline, events[2], events[0])
        assert third.decision.rules == ("regular",)  # two before, and the sign-up, which the rule never saw live
        assert third.decision.action is Action.WATCH
        assert (repeated.repeated, repeated.decision.rules) == (True, ())
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        [fourth] = answers(pipeline, events[3])
        assert fourth.decision.rules == ()
    kinds = [decode(0, data) for data in logged(tmp_path)]
    assert [each.format for each in kinds if isinstance(each, PackRecord)] == [FORMAT] * 3
    assert reread(tmp_path) == 5


def test_the_same_pack_goes_live_once(tmp_path: Path) -> None:
    for _ in range(3):
        with open_pipeline(tmp_path):
            pass
    assert len(logged(tmp_path)) == 1


@pytest.mark.parametrize(("step", "remedy"), [(1, "fairgate upgrade"), (-1, "Upgrade Fairgate")])
def test_another_format_of_records_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, remedy: str
) -> None:
    with open_pipeline(tmp_path):
        pass
    monkeypatch.setattr(records, "FORMAT", FORMAT + step)
    with pytest.raises(RecordUnreadable, match=f"Record 0: .*format.*{remedy}"), open_pipeline(tmp_path):
        pass


def test_a_pack_that_lacks_types_and_lists_reads_what_it_can(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(30)))
        pipeline.put_in_list("bad_mail", "a@example.com", NOW + HOUR, "me", "test")
        pipeline.put_in_list("tor", "203.0.113.9", NOW + HOUR, "me", "test")
        pipeline.commit()
    small = "[event".join(HEAD.split("[event")[:2]) + """
[[list]]
name = "bad_mail"
entity = "ip"

[[segment]]
name = "default"

[[rule]]
name = "often"
on = "account.signup"
when = 'count("account.signup", by=ip, over="1h") > 2'
mode = "live"
"""  # fmt: skip
    with open_pipeline(tmp_path, small) as pipeline:
        assert pipeline.engine.lists.entries(NOW) == {"bad_mail": {}}
        [signup] = answers(pipeline, body({"ip": "198.51.100.1"}, id="new"))
        [refused] = take(pipeline, request(99))
        assert signup.decision.rules == ("often",)
        assert isinstance(refused, Refusal)
    with open_pipeline(tmp_path) as pipeline:
        assert list(pipeline.engine.lists.entries(NOW)["bad_mail"]) == [pipeline.engine.tokens.text("a@example.com")]
    assert reread(tmp_path) == 31
