"""The live pipeline: repeats, refusals, changes by hand, and what stops it."""

from contextlib import ExitStack
from pathlib import Path

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.errors import BadEntry, LogBroken, NoSuchList, NoSuchRecord, PipelineStopped
from fairgate.domain.event import Event, Refusal
from fairgate.domain.windows import DAY, HOUR
from fairgate.pipeline import repeats
from fairgate.pipeline.online import Answer
from fairgate.pipeline.records import SwitchRecord, decode
from tests.support import NOW, SetClock, body, open_pipeline
from tests.unit.pipeline.live import answers, logged, reread, snapshot, take

# -------------------------------------------------------------------------------------------------------------- repeats


def test_a_repeat_gets_the_answer_of_the_first_time(tmp_path: Path) -> None:
    burst = [body(id=str(number)) for number in range(4)]
    with open_pipeline(tmp_path) as pipeline:
        first = answers(pipeline, *burst, burst[3])
        assert [each.decision.action for each in first[2:]] == [Action.CHALLENGE] * 3
        third = first[3].decision
        assert first[4] == Answer("account.signup", "3", first[3].sequence, third, repeated=True, action=third.action)
        [later] = answers(pipeline, burst[0])
        assert (later.repeated, later.sequence, later.decision) == (True, first[0].sequence, first[0].decision)
        assert pipeline.repeats == 2
        assert pipeline.engine.counts.events == 4
    assert len(logged(tmp_path)) == 5


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_a_repeat_is_known_after_a_restart(tmp_path: Path, *, with_snapshot: bool) -> None:
    with open_pipeline(tmp_path) as pipeline:
        [first] = answers(pipeline, body())
        if with_snapshot:
            snapshot(pipeline)
    with open_pipeline(tmp_path) as pipeline:
        again, other = answers(pipeline, body(), body(source="elsewhere"))
    assert again == msgspec.structs.replace(first, repeated=True)
    assert not other.repeated
    assert other.decision != first.decision or other.sequence != first.sequence


def test_events_whose_hashes_are_the_same_are_no_repeats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repeats, "xxh3_64_intdigest", lambda _name, _secret: 5)
    bodies = [body(id=str(number)) for number in range(5)]
    with open_pipeline(tmp_path) as pipeline:
        first = answers(pipeline, *bodies[:3], bodies[1], bodies[0])
        assert [each.repeated for each in first] == [False, False, False, True, True]
        assert [each.sequence for each in first] == [1, 2, 3, 2, 1]
    for keep in (False, True, False):
        with open_pipeline(tmp_path) as pipeline:
            again = answers(pipeline, *bodies[:3])
            assert [(each.repeated, each.sequence) for each in again] == [(True, 1), (True, 2), (True, 3)]
            if keep:
                snapshot(pipeline)
    with open_pipeline(tmp_path) as pipeline:
        assert [each.sequence for each in answers(pipeline, *bodies)] == [1, 2, 3, 4, 5]
    assert reread(tmp_path) == 5


@pytest.mark.parametrize("restart", ["never", "log", "snapshot"])
def test_an_id_may_come_again_after_a_month(tmp_path: Path, restart: str) -> None:
    clock = SetClock()
    with ExitStack() as stack:
        pipeline = stack.enter_context(open_pipeline(tmp_path, clock=clock))
        [first] = answers(pipeline, body())
        for days, known in ((1, True), (30, True), (33, False), (34, True)):
            clock.time = NOW + days * DAY
            if restart == "snapshot":
                snapshot(pipeline)
            if restart != "never":
                stack.close()
                pipeline = stack.enter_context(open_pipeline(tmp_path, clock=clock))
            [again] = answers(pipeline, body())
            assert again.repeated is known, days
            assert again.sequence == (first.sequence if days < 33 else first.sequence + 1)


def test_refusals_keep_their_place_and_are_counted_by_code(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        found = take(pipeline, b"{", body(), body({"account": 5}), body(), b"", body(id="2"))
        assert [type(each) for each in found] == [Refusal, Answer, Refusal, Answer, Refusal, Answer]
        assert [each.sequence for each in found if isinstance(each, Answer)] == [1, 1, 2]
        assert pipeline.refused == {"malformed": 2, "mistyped": 1}
    assert len(logged(tmp_path)) == 3


# -------------------------------------------------------------------------------------------------------------- changes


@pytest.mark.parametrize("with_snapshot", [False, True])
def test_lists_and_switches_outlive_a_restart(tmp_path: Path, *, with_snapshot: bool) -> None:
    with open_pipeline(tmp_path) as pipeline:
        pipeline.put_in_list("banned", "crook", NOW + HOUR, "me", "test")
        pipeline.put_in_list("banned", "saint", NOW + HOUR, "me", "test")
        pipeline.put_in_list("banned", "saint", NOW, "me", "a mistake")
        pipeline.put_in_list("friends", "friend", NOW, "me", "no more")
        pipeline.switch("throwaway", "me", "test", off=True)
        pipeline.switch("burst", "me", "test", off=True)
        pipeline.switch("burst", "me", "test", off=False)
        pipeline.commit()
        if with_snapshot:
            snapshot(pipeline)
    with open_pipeline(tmp_path) as pipeline:
        names = ["crook", "saint", "friend"]
        found = answers(pipeline, *(body({"account": name, "email": "x@mailinator.com"}, id=name) for name in names))
        assert [each.decision.lists for each in found] == [("banned",), (), ()]
        assert [each.decision.silent for each in found] == [("throwaway",)] * 3
        assert found[2].decision.rules == ("burst", "throwaway")
    change = decode(5, logged(tmp_path)[5])
    assert isinstance(change, SwitchRecord)
    assert (change.rule, change.off, change.by, change.why) == ("throwaway", True, "me", "test")


def test_what_can_not_be_entered_leaves_no_record(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        with pytest.raises(NoSuchList):
            pipeline.put_in_list("freinds", "a", NOW + HOUR, "me", "test")
        with pytest.raises(BadEntry):
            pipeline.put_in_list("bad_mail", "nobody", NOW + HOUR, "me", "test")
        pipeline.commit()
    assert len(logged(tmp_path)) == 1


# ---------------------------------------------------------------------------------------------------------------- stops


def test_an_error_while_deciding_stops_the_pipeline_and_a_restart_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_pipeline(tmp_path) as pipeline:
        answers(pipeline, body())
        with monkeypatch.context() as broken:
            broken.setattr(pipeline.engine.rows, "advance", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                take(pipeline, body(id="2"))
        assert pipeline.stopped
        for attempt in (
            lambda: take(pipeline, body(id="3")),
            lambda: pipeline.put_in_list("banned", "a", NOW, "me", "test"),
            lambda: pipeline.switch("*", "me", "test", off=True),
            pipeline.mark,
        ):
            with pytest.raises(PipelineStopped, match="Start again"):
                attempt()
    assert len(logged(tmp_path)) == 2
    with open_pipeline(tmp_path) as pipeline:
        assert not pipeline.stopped
        assert [each.repeated for each in answers(pipeline, body(), body(id="2"))] == [True, False]


def test_a_failed_commit_stops_the_pipeline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    stack = ExitStack()
    pipeline = stack.enter_context(open_pipeline(tmp_path))
    pipeline.take([pipeline.decoder.single(body(), NOW)])
    monkeypatch.setattr("os.fdatasync", fail)
    with pytest.raises(LogBroken):
        pipeline.commit()
    assert pipeline.stopped
    with pytest.raises(PipelineStopped):
        pipeline.take([])
    with pytest.raises(LogBroken):
        stack.close()


def test_what_was_recorded_can_be_shown_again(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        bodies = [body(id=str(number)) for number in range(3)]
        *_, third = answers(pipeline, *bodies)
        event = pipeline.decoder.single(bodies[2], NOW)
        assert isinstance(event, Event)
        judged = pipeline.judged(event, third.sequence)
        assert judged.decision == third.decision
        assert pipeline.engine.why(judged) == {"burst": "3 sign-ups from 198.51.100.0/24"}
        with pytest.raises(NoSuchRecord):
            pipeline.judged(event, 0)
