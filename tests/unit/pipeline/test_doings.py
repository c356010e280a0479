"""From the log to the audit log: what people did, once each, whatever is killed or said again, and nothing personal."""

import json
from pathlib import Path

import pytest

from fairgate.domain.action import Action
from fairgate.domain.audit import Doing, Kind
from fairgate.domain.ledger import FOREVER, Entry, Subject
from fairgate.domain.windows import DAY, HOUR
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline import projection as module
from fairgate.pipeline.audit_check import Check
from fairgate.pipeline.noted import LabelledRecord, ReadRecord
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.projection import Projection
from fairgate.secret_file import secrets_of
from fairgate.settings import Settings
from fairgate.wiring import RECORDS, LivePipeline, open_records
from tests.support import NOW, PACK, SetClock

ANN = ("ann", "a complaint")
LISTS = """
[[list]]
name = "let_pass"
about = "whom we let pass"
entity = "account"
effect = "allow"

[[list]]
name = "looked_at"
about = "addresses that are looked at"
entity = "email"
"""


@pytest.fixture
def live(tmp_path: Path) -> LivePipeline:
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "pack.toml").write_text(PACK + LISTS)
    return LivePipeline(Settings(pack=str(pack), data=tmp_path / "data"), SetClock())


def projected(data: Path, pipeline: Pipeline) -> list[Doing]:
    """The audit log once a new clerk has read the log to its end."""
    with open_records(data) as records:
        projection = Projection(pipeline.log, records.ledger, [], pack_from_texts)
        while projection.behind:
            projection.step(NOW)
        assert Check(records.audit, [], secrets_of(data, make=False)).run().sound
        return [row.doing for row in records.audit.rows(0, 1_000)]


def everything_done(pipeline: Pipeline) -> None:
    pipeline.put_in_list("let_pass", "anna", NOW + DAY, *ANN)
    pipeline.put_in_list("looked_at", "anna@example.com", NOW + DAY, *ANN)
    pipeline.put_in_list("let_pass", "anna", NOW, *ANN)
    pipeline.switch("*", *ANN, off=True)
    pipeline.switch("*", *ANN, off=False)
    anna = Subject("account", "anna")
    pipeline.act(Entry(-1, anna, Action.BAN, NOW, FOREVER, (), (), "pack@1", *ANN))
    pipeline.act(Entry(-1, anna, Action.ALLOW, NOW, NOW + HOUR, (), (), "pack@1", *ANN))
    pipeline.undo([0], *ANN)
    pipeline.note(ReadRecord(NOW, "bob", "k1", Subject("decision", "7"), "case 12", 12))
    for bad in (True, None):
        pipeline.note(LabelledRecord(NOW, "bob", "k1", 7, "account.label", "9f2c", bad))
    pipeline.commit()


def test_what_people_did_is_there_and_no_personal_value(live: LivePipeline) -> None:
    everything_done(live.pipeline)
    data = live._settings.data
    done = projected(data, live.pipeline)
    assert [each.what for each in done] == [
        Kind.PACK_LIVE,
        Kind.ALLOWED,
        Kind.LISTED,
        Kind.DELISTED,
        Kind.SWITCHED_OFF,
        Kind.SWITCHED_ON,
        Kind.ACTED,
        Kind.ALLOWED,
        Kind.UNDONE,
        Kind.READ,
        Kind.LABELLED,
        Kind.LABELLED,
    ]
    assert [each.sequence for each in done] == list(range(12))
    assert {(each.by, each.why) for each in done[1:9]} == {ANN}
    assert done[1].about == Subject("list let_pass", "anna")
    assert done[2].about.value.startswith("t1:")
    assert done[8].about == Subject("account", "anna")
    assert (done[9].by, done[9].key, done[9].case) == ("bob", "k1", 12)
    assert [(each.by, each.key, each.about) for each in done[10:]] == [("bob", "k1", Subject("decision", "7"))] * 2
    assert [json.loads(each.more) for each in done[10:]] == [
        {"type": "account.label", "id": "9f2c", "bad": True}, {"type": "account.label", "id": "9f2c", "bad": "unknown"},
    ]  # fmt: skip
    assert all(b"example.com" not in path.read_bytes() for path in data.glob(f"{RECORDS}*"))


def test_each_is_there_once_whoever_is_killed_and_whatever_is_said_again(
    live: LivePipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline, data = live.pipeline, live._settings.data
    everything_done(pipeline)
    first = projected(data, pipeline)
    assert isinstance(pipeline.clock, SetClock)
    pipeline.clock.time = NOW + 2 * DAY
    pipeline.put_in_list("let_pass", "bert", NOW + 9 * DAY, *ANN)
    pipeline.act(Entry(-1, Subject("account", "bert"), Action.BAN, NOW + DAY, FOREVER, (), (), "pack@1", *ANN))
    assert pipeline.restate()
    pipeline.commit()
    monkeypatch.setattr(module, "STEP", 1)  # a new clerk after each record
    with open_records(data) as records:
        while (one := Projection(pipeline.log, records.ledger, [], pack_from_texts)).behind:
            one.step(pipeline.clock.time)
    second = projected(data, pipeline)
    assert second[: len(first)] == first
    assert [(each.what, each.about.value) for each in second[len(first) :]] == [
        (Kind.ALLOWED, "bert"),
        (Kind.ACTED, "bert"),
    ]


def test_an_erasure_leaves_nothing_of_whom_it_was_about(live: LivePipeline) -> None:
    pipeline, data = live.pipeline, live._settings.data
    said = {"account": "a1", "email": "anna@example.com"}
    event = json.dumps({"specversion": "1.0", "source": "t", "id": "1", "type": "account.signup", "data": said})
    pipeline.take([pipeline.decoder.single(event.encode(), NOW)])
    pipeline.commit()
    pipeline.erase("a1", *ANN)
    erased = projected(data, pipeline)[-1]
    assert (erased.what, erased.about.kind, erased.about.value.isdigit()) == (Kind.ERASED, "subject", True)
    assert all(b"anna@" not in path.read_bytes() for path in data.glob(f"{RECORDS}*"))
