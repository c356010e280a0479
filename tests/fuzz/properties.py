"""What must hold of any bytes, whoever sent them. Each function raises where it does not."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import msgspec

from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Event, Refusal, moment
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder, Taken
from fairgate.pipeline.records import EventRecord, PackRecord, Record, Recorder, RecordReader, decode, encode
from fairgate.pipeline.seals import NOBODY
from tests.support import NOW, body, checked, new_engine, read, request, traffic

DECODER: Final = Decoder(checked(), 7 * DAY)
_PAGE = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
_CODES = re.compile(r"^\| (?:400|413|422) \| `([a-z_]+)` \|", re.MULTILINE)


def single(raw: bytes) -> None:
    """One event is taken or refused."""
    _is_sound(DECODER.single(raw, NOW))


def batch(raw: bytes) -> None:
    """Every event of an array fares as it does alone."""
    together = DECODER.batch(raw, NOW)
    for each in together:
        _is_sound(each)
    events = [each for each in together if isinstance(each, Event)]
    again = DECODER.batch(b"[" + b",".join(map(as_sent, events)) + b"]", NOW)
    assert _ids(again) == _ids(events)


def lines(raw: bytes) -> None:
    """Every event of some lines fares as it does alone."""
    together = DECODER.lines(raw, NOW)
    assert together == [DECODER.single(line, NOW) for line in raw.split(b"\n") if line.strip()]
    for each in together:
        _is_sound(each)


def record(raw: bytes) -> None:
    """A record is read, or refused; what was read is written as the same record again."""
    try:
        found = decode(7, raw)
    except RecordUnreadable:
        return
    assert encode(decode(7, encode(found))) == encode(found)
    if isinstance(found, EventRecord):
        _reads(found)


#: By name what must hold of bytes, and the encoding that most of them are of.
TARGETS: Final[Mapping[str, tuple[Callable[[bytes], None], str]]] = {
    "single": (single, "json"),
    "batch": (batch, "json"),
    "lines": (lines, "lines"),
    "record": (record, "msgpack"),
}


@cache
def seeds(target: Callable[[bytes], None]) -> list[bytes]:
    """Bytes of real events for a target to begin with."""
    if target is record:
        return [encode(each) for each in _records()]
    bodies = [*_bodies(), body({"email": None}), body({"born": "2026-01-05T10:00:00Z"}, time="2026-01-05T10:31:00Z")]
    some = [bodies[at : at + 3] for at in range(0, len(bodies), 3)]
    if target is single:
        return bodies
    return [b"[" + b",".join(each) + b"]" if target is batch else b"\n".join(each) for each in some]


def words() -> list[bytes]:
    """What stands in real bodies and is not found by chance."""
    names = [name for wire in DECODER.wires.values() for name in (*wire.public_names, *wire.personal_names)]
    plain = ["specversion", "id", "source", "type", "time", "data", "1.0", *DECODER.wires, *names]
    return [b'"%b"' % each.encode() for each in plain] + [b"null", b"1e999", b"\\ud800", b"2026-01-05T10:31:12Z", b"{}"]


def as_sent(event: Event) -> bytes:
    """An event as a client would send it."""
    data = {name: value for name, value in msgspec.to_builtins(event.data).items() if value is not None}
    named: dict[str, Any] = {"id": event.id, "source": event.source, "type": event.type}
    return msgspec.json.encode({"specversion": "1.0", **named, "time": moment(event.time), "data": data})


def _is_sound(taken: Taken) -> None:
    """A refusal has a code of the documented table; an event is taken again as the same when it is sent again."""
    if isinstance(taken, Refusal):
        assert taken.code in documented(), taken
        assert taken.reason
    else:
        again = DECODER.single(as_sent(taken), NOW)
        assert again == taken, (taken, again)


@cache
def documented() -> frozenset[str]:
    """The codes that the reference names for bodies that are refused."""
    found = frozenset(_CODES.findall(_PAGE.read_text()))
    assert {"malformed", "missing", "invalid", "too_large"} <= found
    return found


def _ids(taken: Sequence[Taken]) -> list[str]:
    return [each.id for each in taken if isinstance(each, Event)]


def _reads(found: EventRecord) -> None:
    """A record of this shape is an event, readable or erased, or it is none of this pack, whatever its values."""
    pack = _pack_record()
    if found.type not in pack.public or not _is_of(found, pack):
        return
    # What is sealed is told apart from anything else by its seal, so it is what was sealed once.
    plain = msgspec.msgpack.encode([None] * len(pack.personal[found.type]))
    reader = RecordReader(DECODER.wires, lambda number, _sealed: plain if number % 2 else None)
    reader.under(pack)
    event = reader.event(found)
    assert event is None or (event.source, event.id, event.type) == (found.source, found.id, found.type)


def _is_of(found: EventRecord, pack: PackRecord) -> bool:
    """Whether a record has as many values as the pack that stands before it says."""
    name = found.type
    counts = len(found.public), len(found.tokens), len(found.facts)
    return counts == (len(pack.public[name]), len(pack.tokens[name]), len(pack.facts[name]))


@cache
def _pack_record() -> PackRecord:
    return Recorder(new_engine(), DECODER.wires).pack_record(NOW)


def _bodies() -> list[bytes]:
    full = {"device": "d", "plan": "free", "tokens": 2.5, "seats": 5, "trusted": False}
    return [*(raw for raw, _ in traffic(40)), body(full), request(1, seats=3)]


def _records() -> list[Record]:
    engine = new_engine()
    recorder = Recorder(engine, DECODER.wires)
    found: list[Record] = [_pack_record()]
    for judged in engine.run([read(DECODER, raw) for raw in _bodies()]):
        subject, plain = recorder.personal(judged.event) or (0, b"")
        found.append(recorder.record(judged, subject % 1_000 if plain else NOBODY, plain))
    return found
