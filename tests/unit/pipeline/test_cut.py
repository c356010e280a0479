"""A log that drops its beginning: whatever stood is said again first, and nothing that is decided later changes."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchRecord, NothingSealed, RecordUnreadable
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.enforce.ledger import Ledger
from fairgate.language.problems import PackError
from fairgate.pipeline.in_force import InForce
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.records import (
    EventRecord,
    LedgerRecord,
    ListRecord,
    PackRecord,
    RestatedRecord,
    SubjectsRecord,
    SwitchRecord,
    decode,
)
from fairgate.pipeline.seals import Seals
from fairgate.pipeline.state import State
from tests.contracts.planting import Edit, planted
from tests.support import NOW, PACK, SECRET, SetClock, body, open_pipeline, request, seals_in, traffic
from tests.unit.pipeline.live import NEXT_PACK, answers, logged, reread, snapshot
from tests.unit.pipeline.twins import ACTS, CHANGES, Twins

KEPT = 32 * DAY


def restate_and_keep(pipeline: Pipeline) -> None:
    """What the door does with a snapshot, less the cut."""
    pipeline.restate()
    snapshot(pipeline)


def cut(pipeline: Pipeline, clock: SetClock) -> int:
    return pipeline.cut(clock.time - KEPT, pipeline.log.end())


# ------------------------------------------------------------------------------------------ never cut, and cut, are one


STEPS = st.lists(
    st.tuples(st.just("take"), st.integers(1, 30))
    | st.tuples(st.just("pass"), st.sampled_from([HOUR, 13 * HOUR, DAY, 9 * DAY, 33 * DAY]))
    | st.tuples(st.just("change"), st.integers(0, len(CHANGES) - 1))
    | st.tuples(st.just("act"), st.integers(0, len(ACTS) - 1))
    | st.tuples(st.just("erase"), st.sampled_from(["a1", "a3", "a8", "friend"]))
    | st.tuples(st.just("keep"), st.none())
    | st.tuples(st.just("restart"), st.booleans())
    | st.tuples(st.just("pack"), st.sampled_from([PACK, NEXT_PACK])),
    max_size=14,
)


def play(folders: tuple[Path, Path], steps: Sequence[tuple[str, Any]]) -> int:
    """Take these steps with two, of which one drops what it may; compare what they answer and what they still have."""
    with Twins(folders) as twins:
        for step, choice in steps:
            if step != "keep":
                twins.step(step, choice)
                continue
            for each in (twins.steady, twins.restless):
                restate_and_keep(each)
            cut(twins.restless, twins.clock)
        begin, end = twins.restless.log.begin(), twins.restless.log.end()
    whole, left = logged(folders[0]), logged(folders[1])
    assert len(whole) == end
    assert whole[begin:] == left
    reread(folders[1])
    return begin


@given(STEPS)
@settings(max_examples=20)
def test_what_was_dropped_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: Sequence[tuple[str, Any]]
) -> None:
    folders = (tmp_path_factory.mktemp("steady"), tmp_path_factory.mktemp("restless"))
    end = [("keep", None), ("restart", False), ("take", 30), ("change", 0), ("take", 20), ("restart", True)]
    play(folders, [("take", 40), ("change", 3), *steps, *end])


#: Steps after which every part of what is said again shows.
STORY: Sequence[tuple[str, Any]] = (
    ("act", 0), ("act", 1), ("act", 2), ("act", 3), ("take", 90), ("change", 0), ("change", 5), ("change", 3),
    ("change", 9), ("erase", "a3"), ("pass", 2 * DAY),
    ("take", 20), ("keep", None), ("take", 30), ("pass", 33 * DAY), ("take", 20), ("keep", None), ("pack", NEXT_PACK),
    ("take", 60), ("erase", "a1"), ("pack", PACK), ("take", 60), ("erase", "a8"), ("pass", DAY), ("keep", None),
    ("restart", False), ("take", 20),
)  # fmt: skip


def test_the_story_is_sound(tmp_path: Path) -> None:
    assert play((tmp_path / "steady", tmp_path / "restless"), STORY) > 100


MUTANTS = {
    "says no lists again": Edit(State, "restated", "yield from self.in_force.records(now, self.engine.lists)", ""),
    "says nothing of the ledger again": Edit(State, "restated", "yield LedgerRecord", "LedgerRecord"),
    "gives numbers of the ledger twice": Edit(Ledger, "restore", "max(self.following, following)", "self.following"),
    "says no numbers again": Edit(State, "restated", "range(0, len(keys), _SUBJECTS)", "()"),
    "forgets what is switched off": Edit(InForce, "records", ", *self._off.values()]", "]"),
    "forgets who stands in lists": Edit(InForce, "records", "*self._entries.values(), ", ""),
    "forgets what was taken off": Edit(InForce, "records", "or not lists.bare(key[0])", ""),
    "takes in no numbers": Edit(Seals, "restore", "new = ", "new = False & "),
    "gives numbers twice": Edit(
        Seals, "restore", "self.following = max(self.following, first + len(subjects))", "pass"
    ),
    "carries no profiles": Edit(State, "_load", "self._carry(others)", "pass"),
    "carries without the texts": Edit(State, "_carry", "engine.texts.number(text)", "del text"),
    "begins a record late": Edit(Pipeline, "cut", "self.log.drop(begin)", "self.log.drop(begin and begin + 1)"),
    "takes a pack said again for another": Edit(State, "_take_in", "if not piece.same(self.live):", "if True:"),
}


def all_is_well(folder: Path) -> None:
    play((folder / "steady", folder / "restless"), STORY)
    judged_before_it_was_said_again(folder / "judged")
    erased_alone(folder / "erased")


@pytest.mark.parametrize("name", MUTANTS)
def test_notices_a_log_that(name: str, tmp_path: Path) -> None:
    errors = (AssertionError, LookupError, NothingSealed, RecordUnreadable, ValueError)
    with planted(MUTANTS[name]), pytest.raises(errors):
        all_is_well(tmp_path)


# --------------------------------------------------------------------------------------------------- what is said again


def records(folder: Path) -> list[object]:
    with open_log(folder / "log", read_only=True) as log:
        return [decode(at, data) for at, data in log.read()]


def test_all_that_stands_is_said_again_once_a_day(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(30)))
        pipeline.put_in_list("banned", "a3", clock.time + 5 * DAY, "me", "why")
        pipeline.put_in_list("banned", "a4", clock.time + HOUR, "me", "it ends before")
        pipeline.put_in_list("friends", "friend", clock.time, "you", "taken off")
        pipeline.put_in_list("bad_mail", "x@example.com", clock.time + 5 * DAY, "me", "sealed")
        pipeline.switch("burst", "me", "noisy", off=True)
        pipeline.switch("capped", "me", "noisy", off=True)
        pipeline.switch("capped", "me", "mended", off=False)
        for account in ("a4", "a5"):
            ban = Entry(-1, Subject("account", account), Action.BAN, NOW, FOREVER, ("burst",), (), "", "me", "a case")
            banned, _ = pipeline.act(ban)
        pipeline.undo([banned.number], "you", "a mistake")
        assert not pipeline.restate()
        clock.time += DAY
        start = pipeline.log.end()
        assert pipeline.restate()
        assert not pipeline.restate()
        pipeline.commit()
    found = records(tmp_path)
    pack, subjects, *said, ledger, restated = found[start:]
    assert isinstance(pack, PackRecord)
    assert pack.same(found[0])  # type: ignore[arg-type]
    assert isinstance(subjects, SubjectsRecord)
    assert np.count_nonzero(np.frombuffer(subjects.keys, np.uint64)) == 19  # 17 accounts, `friend`, and the listed mail
    assert restated == RestatedRecord(clock.time, start, NOW)
    assert said == [
        each
        for each in found[:start]
        if (isinstance(each, ListRecord) and each.value != "a4")
        or (isinstance(each, SwitchRecord) and each.rule == "burst")
    ]
    assert isinstance(ledger, LedgerRecord)
    begun = [entry for each in found[:start] if isinstance(each, EventRecord) for entry in each.entries]
    begun += [entry for each in found[:start] if isinstance(each, LedgerRecord) for entry in each.entries]
    assert ledger.following == len({each.number for each in begun})
    [undone] = [each for each in ledger.entries if each.undone is not None]
    assert (undone.subject.value, undone.undone) == ("a5", Undone(NOW, "you", "a mistake"))
    stands = [each for each in begun if each.ends > clock.time and each.number != undone.number]
    assert [each for each in ledger.entries if each is not undone] == stands


def test_where_saying_again_was_cut_short_the_log_does_not_begin(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(30)))
        pipeline.switch("burst", "me", "noisy", off=True)
        clock.time += DAY
        pipeline.restate()
        pipeline.commit()
    with open_log(tmp_path / "log", read_only=True) as log:
        cut_short = [data for _, data in log.read()][:-1]
    with open_log(tmp_path / "short" / "log") as short:
        for data in cut_short:
            short.append(data)
        short.commit()
    (tmp_path / "subjects.keys").rename(tmp_path / "short" / "subjects.keys")
    with open_pipeline(tmp_path / "short", clock=clock) as pipeline:
        clock.time += 40 * DAY
        assert cut(pipeline, clock) == 0
        assert pipeline.restate()
        clock.time += 40 * DAY
        assert cut(pipeline, clock) == len(cut_short)


def test_what_is_too_new_or_needed_elsewhere_is_not_dropped(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(10)))
        clock.time += DAY
        points = []
        for _ in range(3):
            points.append(pipeline.log.end())
            restate_and_keep(pipeline)
            clock.time += DAY
        clock.time += 30 * DAY
        assert cut(pipeline, clock) == points[0]
        clock.time += 10 * DAY
        assert pipeline.cut(clock.time - KEPT, points[2] - 1) == points[1]
        assert cut(pipeline, clock) == points[2]
        assert cut(pipeline, clock) == points[2]
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        assert pipeline.log.begin() == points[2]


# -------------------------------------------------------------------------------------------------------- after the cut


def dropped(folder: Path, clock: SetClock, text: str = PACK) -> int:
    """A folder whose log has dropped ninety events, and holds ten; returns where it begins."""
    with open_pipeline(folder, text, clock=clock) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(90)))
        clock.time += 2 * DAY
        restate_and_keep(pipeline)
        clock.time += 33 * DAY
        answers(pipeline, *(raw for raw, _ in traffic(10, start=90)))
        restate_and_keep(pipeline)
        return cut(pipeline, clock)


def forget_snapshots(folder: Path) -> None:
    shutil.rmtree(folder / "snapshots")


def test_a_record_that_was_dropped_is_not_there(tmp_path: Path) -> None:
    clock = SetClock()
    begin = dropped(tmp_path, clock)
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        with pytest.raises(NoSuchRecord, match=f"{begin}"):
            pipeline.lookup.record(5)
        with pytest.raises(NoSuchRecord):
            pipeline.explainer.explain(5, personal=False)
        event = next(at for at, raw in pipeline.log.read() if isinstance(decode(at, raw), EventRecord))
        assert pipeline.explainer.explain(event, personal=True).record.id
        assert live_pack(pipeline.log, event).digest == pipeline.engine.checked.pack.digest


def judged_before_it_was_said_again(folder: Path) -> None:
    """An event of before can still be shown with its features, for its pack is the one that is live."""
    clock = SetClock()
    with open_pipeline(folder, clock=clock) as pipeline:
        [first] = answers(pipeline, body(id="first"))
        event = pipeline.decoder.single(body(id="first"), clock.time)
        clock.time += DAY
        restate_and_keep(pipeline)
    with open_pipeline(folder, clock=clock) as pipeline:
        assert pipeline.judged(event, first.sequence).decision == first.decision  # type: ignore[arg-type]
    forget_snapshots(folder)
    with open_pipeline(folder, clock=clock) as pipeline:
        assert pipeline.judged(event, first.sequence).decision == first.decision  # type: ignore[arg-type]


def test_an_event_of_before_is_still_of_the_live_pack(tmp_path: Path) -> None:
    judged_before_it_was_said_again(tmp_path)


def test_an_account_whose_events_are_gone_is_still_erased(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, body({"account": "ada", "email": "ada@example.com"}, id="ada"))
    dropped(tmp_path, clock)
    forget_snapshots(tmp_path)
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        pipeline.erase("ada", "me", "she asked")
        with pytest.raises(NothingSealed):
            pipeline.erase("ada", "me", "again")


def erased_alone(folder: Path) -> None:
    """Whoever is new gets a number that nobody had whose events are gone: one erasure does not hit another."""
    clock = SetClock()
    with open_pipeline(folder, clock=clock) as pipeline:
        taken = answers(pipeline, *(raw for raw, _ in traffic(40)))
        kept = [pipeline.lookup.record(each.sequence) for each in taken]
    dropped(folder, clock)
    forget_snapshots(folder)
    with open_pipeline(folder, clock=clock) as pipeline:
        answers(pipeline, body({"account": "bob", "email": "bob@example.com"}, id="bob"))
        pipeline.erase("bob", "me", "he asked")
    with seals_in(folder) as seals:
        assert all(seals.open(each.key, each.sealed) for each in kept)


def test_one_erasure_does_not_hit_another(tmp_path: Path) -> None:
    erased_alone(tmp_path)


def test_an_account_is_erased_under_every_version_of_the_secret(tmp_path: Path) -> None:
    clock, both = SetClock(), Secrets({1: SECRET, 2: SECRET + 1})
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        [old] = answers(pipeline, body({"account": "ada", "email": "ada@example.com"}, id="ada"))
    dropped(tmp_path, clock)
    with open_pipeline(tmp_path, clock=clock, secrets=both) as pipeline:
        [new] = answers(pipeline, body({"account": "ada", "email": "ada@example.net"}, id="ada-2"))
        numbers = {pipeline.lookup.record(new.sequence).key}
        pipeline.erase("ada", "me", "she asked")
        erased = {each.key for each in records(tmp_path) if type(each).__name__ == "EraseRecord"}  # type: ignore[attr-defined]
    assert erased == numbers | {0}
    assert old.sequence < new.sequence


def test_without_any_snapshot_a_start_says_what_begins_anew(tmp_path: Path) -> None:
    clock = SetClock()
    dropped(tmp_path, clock)
    with open_pipeline(tmp_path, NEXT_PACK, clock=clock) as pipeline:
        assert pipeline.anew == ('since("account.signup", by=account)',)
    forget_snapshots(tmp_path)
    with open_pipeline(tmp_path, NEXT_PACK, clock=clock) as pipeline:
        assert len(pipeline.anew) == 3


def test_an_old_pack_that_is_none_any_more_stops_no_start(tmp_path: Path) -> None:
    clock = SetClock()
    dropped(tmp_path, clock)
    with (
        mock.patch("fairgate.pipeline.state.check_pack", side_effect=PackError((), {})),
        open_pipeline(tmp_path, NEXT_PACK, clock=clock) as pipeline,
    ):
        assert len(pipeline.anew) == 3
        answers(pipeline, *(raw for raw, _ in traffic(20, start=100)))


def test_a_snapshot_of_before_the_beginning_is_passed_over(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        answers(pipeline, *(raw for raw, _ in traffic(20)))
        old = pipeline.capture(pipeline.mark())
    begin = dropped(tmp_path, clock)
    forget_snapshots(tmp_path)
    FolderSnapshots(tmp_path / "snapshots").save(old)
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        assert old.sequence < begin
        assert len(pipeline.anew) == 2


def test_a_repeat_is_known_for_thirty_days_all_the_same(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        restate_and_keep(pipeline)
        clock.time += DAY
        restate_and_keep(pipeline)
        [first] = answers(pipeline, request(7))
        clock.time += 29 * DAY
        restate_and_keep(pipeline)
        cut(pipeline, clock)
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        raw = request(7)
        again = pipeline.take([pipeline.decoder.single(raw, NOW + DAY + MINUTE)])
        assert [getattr(each, "repeated", None) for each in again] == [True]
        assert [getattr(each, "sequence", None) for each in again] == [first.sequence]
