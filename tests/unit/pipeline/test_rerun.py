"""Deciding again on all of a log: what is as recorded, and what is told of the first record that is not."""

from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from fairgate.backends.embedded.segments import open_log
from fairgate.backends.embedded.snapshots import FolderSnapshots
from fairgate.domain.action import Action
from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.secret import Secrets
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.kernel.rows import Rows
from fairgate.language.problems import PackError
from fairgate.pipeline.records import EventRecord, PackRecord, Record, decode, encode
from fairgate.pipeline.rerun import RerunReport, rerun
from fairgate.pipeline.seals import NOBODY, Seals
from fairgate.wiring import checked_from
from tests.support import NOW, PACK, SECRET, SetClock, open_pipeline, traffic
from tests.unit.pipeline.live import NEXT_PACK, answers, logged


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Record]:
    """A log with two packs, each going live in the middle, list entries and switches between them."""
    folder, clock = tmp_path_factory.mktemp("log"), SetClock()
    bodies = [raw for raw, _ in traffic(160)]
    for part, text in enumerate((PACK, NEXT_PACK, PACK, NEXT_PACK)):
        with open_pipeline(folder, text, clock=clock) as pipeline:
            answers(pipeline, *bodies[40 * part : 40 * part + 20])
            pipeline.put_in_list("banned", f"a{part}", clock.time + HOUR, "me", "test")
            pipeline.switch("burst", "me", "test", off=part % 2 == 0)
            clock.time += MINUTE
            answers(pipeline, *bodies[40 * part + 20 : 40 * part + 40])
    return [decode(at, data) for at, data in enumerate(logged(folder))]


class Plain(Seals):
    """Opens what stands in clear where something sealed should, but for an erased number's."""

    def __init__(self, gone: int = NOBODY) -> None:
        self._gone = gone

    def open(self, number: int, sealed: bytes) -> bytes | None:
        return None if number == self._gone else sealed


def written(
    folder: Path, records: list[Record], secret: int = SECRET, seals: Seals | None = None, begin: int = 0
) -> RerunReport:
    """What is found in a log of these records, those before `begin` dropped."""
    with open_log(folder) as log:
        for record in records:
            log.append(encode(record))
        log.commit()
        log.drop(begin)
        snapshots = FolderSnapshots(folder / "snapshots")
        return rerun(log, checked_from, Secrets({1: secret}), Rows, seals or Plain(), snapshots)


def test_without_a_snapshot_nothing_is_decided_again_where_the_beginning_is_dropped(
    tmp_path: Path, records: list[Record]
) -> None:
    with pytest.raises(RecordUnreadable, match="was dropped"):
        written(tmp_path, records, begin=84)


def test_all_comes_out_as_it_is_recorded(tmp_path: Path, records: list[Record]) -> None:
    assert written(tmp_path, records) == RerunReport(events=160, erased=0, packs=4, differing=0, first=None)


def first_where(records: list[Record], fits: Callable[[EventRecord], bool]) -> tuple[int, EventRecord]:
    return next((at, each) for at, each in enumerate(records) if isinstance(each, EventRecord) and fits(each))


def acted(record: EventRecord) -> bool:
    return record.decision.action > Action.ALLOW


def softened(record: EventRecord) -> EventRecord:
    return msgspec.structs.replace(record, decision=msgspec.structs.replace(record.decision, action=Action.ALLOW))


def recounted(record: EventRecord) -> EventRecord:
    return msgspec.structs.replace(record, features=bytes([record.features[0] ^ 1]) + record.features[1:])


def retold(record: EventRecord) -> EventRecord:
    return msgspec.structs.replace(record, texts=dict.fromkeys(record.texts, "another"))


@pytest.mark.parametrize(
    ("fits", "change", "field"),
    [
        (acted, softened, "decision"),
        (lambda record: len(record.features) > 0, recounted, "features"),
        (lambda record: any(record.texts.values()), retold, "texts"),
    ],
    ids=["decision", "features", "texts"],
)
def test_a_record_that_was_changed_is_told(
    tmp_path: Path,
    records: list[Record],
    fits: Callable[[EventRecord], bool],
    change: Callable[[EventRecord], EventRecord],
    field: str,
) -> None:
    at, record = first_where(records, fits)
    report = written(tmp_path, [*records[:at], change(record), *records[at + 1 :]])
    assert report.differing == 1
    assert report.first is not None
    assert (report.first.sequence, report.first.source, report.first.id) == (at, record.source, record.id)
    assert report.first.field == field
    assert report.first.recorded != report.first.again


def test_an_event_that_was_left_out_shows_in_those_after_it(tmp_path: Path, records: list[Record]) -> None:
    at, _ = first_where(records, lambda record: record.type == "account.signup")
    report = written(tmp_path, [*records[:at], *records[at + 1 :]])
    assert report.differing > 1
    assert report.first is not None
    assert report.first.sequence >= at


@pytest.mark.parametrize("kind", ["list", "switch"])
def test_a_change_that_was_left_out_shows_too(tmp_path: Path, records: list[Record], kind: str) -> None:
    kept = [each for each in records if type(each).__struct_config__.tag != kind]
    assert len(kept) == len(records) - 4
    assert written(tmp_path, kept).differing > 0


def test_another_secret_shows(tmp_path: Path, records: list[Record]) -> None:
    report = written(tmp_path, records, secret=1)
    assert report.first is not None
    assert report.first.field == "tokens"


def test_personal_attributes_are_not_shown(tmp_path: Path, records: list[Record]) -> None:
    at, record = first_where(records, lambda record: record.id == "s0")
    report = written(tmp_path, [*records[:at], msgspec.structs.replace(record, sealed=b"\x92\xa3 x \xc0")])
    assert report.first is not None
    assert (report.first.field, report.first.recorded, report.first.again) == ("event", "taken", "not taken")


def test_erased_events_are_counted_and_their_decisions_stand(tmp_path: Path, records: list[Record]) -> None:
    _, gone = first_where(records, lambda record: record.key >= 0)
    report = written(tmp_path, records, seals=Plain(gone.key))
    erased = [each for each in records if isinstance(each, EventRecord) and each.key == gone.key]
    assert report == RerunReport(events=160 - len(erased), erased=len(erased), packs=4, differing=0, first=None)
    assert len(erased) > 5


def test_events_before_any_pack_can_not_be_decided_on(tmp_path: Path, records: list[Record]) -> None:
    with pytest.raises(RecordUnreadable, match="Record 0: no pack stands before it"):
        written(tmp_path, records[1:])


def test_a_pack_that_is_none_any_more_is_refused(tmp_path: Path, records: list[Record]) -> None:
    [pack, *rest] = records
    assert isinstance(pack, PackRecord)
    broken = msgspec.structs.replace(pack, files={"pack.toml": pack.files["pack.toml"] + "x"}, received=NOW)
    with pytest.raises(PackError):
        written(tmp_path, [broken, *rest])
