"""A log put to the test without the code that verifies logs: what was sent, once more, to a pipeline never killed."""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import msgspec

from fairgate.backends.embedded.segments import open_log
from fairgate.domain.event import Erased, Event
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.records import (
    EraseRecord,
    EventRecord,
    LedgerRecord,
    ListRecord,
    PackRecord,
    Record,
    RecordReader,
    SwitchRecord,
    decode,
)
from fairgate.secret_file import secrets_of
from fairgate.wiring import open_seals
from tests.e2e.crashing import Said
from tests.support import SetClock, open_pipeline


def records_of(data: Path) -> list[Record]:
    """All records of a data folder's log."""
    with open_log(data / "log", read_only=True) as log:
        return [decode(at, record) for at, record in log.read()]


def played_again(data: Path, fresh: Path, said: Said) -> None:
    """Give what was sent to a fresh pipeline in the order of the log: it must write the same log, but for the seals.

    Where another pack went live it is opened with that.
    """
    then = records_of(data)
    clock = SetClock(then[0].received)
    starts = [at for at, record in enumerate(then) if isinstance(record, PackRecord)]
    for start, end in pairwise([*starts, len(then)]):
        pack, records = then[start], then[start + 1 : end]
        assert isinstance(pack, PackRecord)
        clock.time = pack.received
        with open_pipeline(fresh, pack.files["pack.toml"], secrets=secrets_of(data, make=False), clock=clock) as live:
            for record in records:
                clock.time = record.received
                _once_more(live, record, said)
            live.commit()
    now = records_of(fresh)
    assert len(now) == len(then)
    for was, comes in zip(then, now, strict=True):
        assert _unsealed(comes) == _unsealed(was)


def personal_is_as_it_was_sent(data: Path, said: Said, wires: Mapping[str, object]) -> tuple[int, int]:
    """Read the personal values of all events: as sent, or gone with their account; returns how many of each."""
    records = records_of(data)
    erased = {each.key for each in records if isinstance(each, EraseRecord)}
    _all_of_an_account_is_erased(records, said)
    counts = [0, 0]
    with open_seals(data) as seals:
        reader = RecordReader(wires, seals.open)  # type: ignore[arg-type]
        for record in records:
            if isinstance(record, PackRecord):
                reader.under(record)
            elif isinstance(record, EventRecord):
                event = reader.event(record)
                assert event is not None
                _check_personal(event, said, gone=record.key in erased)
                counts[record.key in erased] += 1
    return counts[0], counts[1]


def _once_more(pipeline: Pipeline, record: Record, said: Said) -> None:
    match record:
        case EventRecord():
            pipeline.take([pipeline.decoder.single(said.bodies[record.id], record.received)])
        case ListRecord():
            value = said.changes[record.why].what
            pipeline.put_in_list(record.list, value, record.until, record.by, record.why)
        case SwitchRecord():
            pipeline.switch(record.rule, record.by, record.why, off=record.off)
        case LedgerRecord():
            for entry in record.entries:
                pipeline.act(msgspec.structs.replace(entry, number=-1))
        case EraseRecord():
            pipeline.erase(said.changes[record.why].what, record.by, record.why)
        case PackRecord():
            raise AssertionError("a pack is opened, not taken")


def _unsealed(record: Record) -> Record:
    """A record without its seal, which is different each time."""
    return msgspec.structs.replace(record, sealed=b"") if isinstance(record, EventRecord | ListRecord) else record


def _all_of_an_account_is_erased(records: Sequence[Record], said: Said) -> None:
    """What stands before an erasure of its account is under a key that this or an earlier erasure has taken."""
    keys: dict[str, set[int]] = {}
    gone: set[int] = set()
    for record in records:
        if isinstance(record, EventRecord) and record.sealed:
            account = msgspec.json.decode(said.bodies[record.id])["data"]["account"]
            keys.setdefault(account, set()).add(record.key)
        elif isinstance(record, EraseRecord):
            gone.add(record.key)
            assert keys[said.changes[record.why].what] <= gone


def _check_personal(event: Event, said: Said, *, gone: bool) -> None:
    sent = msgspec.json.decode(said.bodies[event.id])["data"]
    for name in ("email", "ip"):
        if name in sent:
            value = getattr(event.data, name)
            assert isinstance(value, Erased) if gone else value == sent[name]
