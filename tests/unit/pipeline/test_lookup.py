"""Records by number and by name, and the pack that each was written under."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchRecord, RecordUnreadable
from fairgate.domain.event import Decision
from fairgate.domain.windows import DAY
from fairgate.pipeline.lookup import Lookup
from fairgate.pipeline.records import FORMAT, EventRecord, PackRecord, Record, SwitchRecord, encode
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.seals import NOBODY
from tests.contracts.naive_log import NaiveLog
from tests.support import NOW, SetClock, body, open_pipeline, request
from tests.unit.pipeline.live import answers


def test_an_event_is_found_by_its_name(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        found = answers(pipeline, body(id="x"), request(1), request(2))
        find = pipeline.lookup.find
        assert [find("test", "x"), find("gateway", "r1"), find("gateway", "r2")] == [each.sequence for each in found]
        assert [find("gateway", "x"), find("test", "r1"), find("", "")] == [None] * 3
        assert pipeline.lookup.record(found[0].sequence).id == "x"
        assert [each.repeated for each in answers(pipeline, request(3), request(3))] == [False, True]


def test_an_event_is_found_after_a_restart_and_not_for_ever(tmp_path: Path) -> None:
    clock = SetClock()
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        [answer] = answers(pipeline, request(1))
    with open_pipeline(tmp_path, clock=clock) as pipeline:
        assert pipeline.lookup.find("gateway", "r1") == answer.sequence
        clock.time = NOW + 33 * DAY
        answers(pipeline, request(2))
        assert pipeline.lookup.find("gateway", "r1") is None


def test_what_only_looks_like_an_event_is_not_taken_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two names with one hash: each finds its own."""
    monkeypatch.setattr(Repeats, "_key", lambda *_: 7)
    with open_pipeline(tmp_path) as pipeline:
        found = answers(pipeline, request(1), request(2))
        assert [pipeline.lookup.find("gateway", f"r{number}") for number in (1, 2, 3)] == [
            found[0].sequence, found[1].sequence, None
        ]  # fmt: skip


def test_only_decisions_are_given(tmp_path: Path) -> None:
    with open_pipeline(tmp_path) as pipeline:
        pipeline.switch("*", "test", "to see", off=True)
        for sequence in (0, 1, 2):
            with pytest.raises(NoSuchRecord):
                pipeline.lookup.record(sequence)


def pack(digest: str) -> PackRecord:
    return PackRecord(0, FORMAT, digest * 64, {}, {}, {})


def event(digest: str) -> EventRecord:
    decision = Decision(Action.ALLOW, 0.0, 0.5, "default", pack=f"p 1 ({digest * 8})")
    return EventRecord(0, "s", "i", "t", 0, (), (), (), NOBODY, b"", decision, b"", {})


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text("es", max_size=9)), min_size=1, max_size=12))
def test_the_pack_of_a_record_is_the_last_before_it(runs: list[tuple[str, str]]) -> None:
    """Packs come and go and come again; between them events and switches."""
    log, expected = NaiveLog(), []
    for digest, kinds in runs:
        records: list[Record] = [pack(digest)]
        records += [event(digest) if kind == "e" else SwitchRecord(0, "*", off=True, by="", why="") for kind in kinds]
        for record in records:
            log.append(encode(record))
            expected.append(digest)
    lookup = Lookup(log, Repeats(1))
    assert [lookup.pack_of(at).digest[0] for at in range(log.end())] == expected


def test_a_log_that_does_not_begin_with_a_pack_is_told() -> None:
    log = NaiveLog()
    for _ in range(5):
        log.append(encode(event("a")))
    with pytest.raises(RecordUnreadable, match="no pack stands before it"):
        Lookup(log, Repeats(1)).pack_of(3)


def test_a_long_log_is_not_read_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_log(tmp_path) as log:
        log.append(encode(pack("a")))
        for _ in range(5_000):
            log.append(encode(event("a")))
        log.commit()
        looked: list[int] = []
        get = log.get
        monkeypatch.setattr(log, "get", lambda sequence: looked.append(sequence) or get(sequence))  # type: ignore[func-returns-value]
        assert Lookup(log, Repeats(1)).pack_of(4_999).digest == "a" * 64
    assert len(looked) < 40
