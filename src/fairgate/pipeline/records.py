"""What stands in the log: events with their decisions, and whatever else changes decisions. One msgpack record each."""

from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Decision, Event
from fairgate.domain.pack import Pack
from fairgate.ingest.wire import Wire
from fairgate.language.tree import Kind
from fairgate.pipeline.engine import Engine, Judged

#: Goes up when a record's shape changes; the pack record, which comes before all others, carries it.
FORMAT = 1


class EventRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="event", gc=False):
    """An event with its decision. `personal` is msgpack of the personal attributes, a part of its own.

    `features` are float64s in the order of the pack's recorded names; `texts` those that are texts, by position.
    """

    received: int
    source: str
    id: str
    type: str
    time: int
    public: tuple[Any, ...]
    personal: bytes
    decision: Decision
    features: bytes
    texts: dict[int, str | None]


class PackRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="pack", gc=False):
    """A pack goes live: its files, and for each event type its attributes in the order that event records have them."""

    received: int
    format: int
    digest: str
    files: dict[str, str]
    public: dict[str, tuple[str, ...]]
    personal: dict[str, tuple[str, ...]]


class ListRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="list", gc=False):
    """A value stands in a list until a time (one that has passed takes it off)."""

    received: int
    list: str
    value: str
    until: int
    by: str
    why: str


class SwitchRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="switch", gc=False):
    """A rule, or all enforcement (`*`), is switched off or on again."""

    received: int
    rule: str
    off: bool
    by: str
    why: str


#: What changes decisions beside the events.
Change: TypeAlias = PackRecord | ListRecord | SwitchRecord
Record: TypeAlias = EventRecord | Change

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
encode = _encoder.encode


def decode(sequence: int, data: bytes) -> Record:
    """The record of its bytes. Raises `RecordUnreadable` where another program wrote it, or a newer version."""
    try:
        record = _decoder.decode(data)
    except msgspec.DecodeError as error:
        raise RecordUnreadable(sequence, str(error)) from error
    if isinstance(record, PackRecord) and record.format > FORMAT:
        raise RecordUnreadable(sequence, f"records from here on have format {record.format}, this reads {FORMAT}")
    return record


class Recorder:
    """Makes the records of what an engine decides."""

    def __init__(self, engine: Engine, wires: Mapping[str, Wire]) -> None:
        self._wires = wires
        self._text = engine.texts.text
        self._texts_at = {
            name: [at for at, (_, kind) in enumerate(engine.recorded(name)) if kind == Kind.TEXT] for name in wires
        }

    def record(self, judged: Judged) -> EventRecord:
        """The record of an event, its decision and the features it was decided on."""
        event, features = judged.event, judged.features
        wire = self._wires[event.type]
        return EventRecord(
            received=event.received,
            source=event.source,
            id=event.id,
            type=event.type,
            time=event.time,
            public=wire.public(event.data),
            personal=encode(wire.personal(event.data)),
            decision=judged.decision,
            features=judged.packed,
            texts={at: self._text(features[at]) for at in self._texts_at[event.type]},
        )


def pack_record(received: int, pack: Pack, wires: Mapping[str, Wire]) -> PackRecord:
    """The record of a pack that goes live."""
    return PackRecord(
        received=received,
        format=FORMAT,
        digest=pack.digest,
        files=dict(pack.files),
        public={name: wire.public_names for name, wire in wires.items()},
        personal={name: wire.personal_names for name, wire in wires.items()},
    )


class RecordReader:
    """Reads event records, written under whatever packs, as events of one pack."""

    def __init__(self, wires: Mapping[str, Wire]) -> None:
        self._wires = wires
        self._public: Mapping[str, tuple[str, ...]] = {}
        self._personal: Mapping[str, tuple[str, ...]] = {}

    def under(self, pack: PackRecord) -> None:
        """The records from here on were written under this pack."""
        self._public, self._personal = pack.public, pack.personal

    def event(self, record: EventRecord) -> Event | None:
        """The event, or None where this reader's pack has no such type, or would not take the event's values."""
        wire = self._wires.get(record.type)
        if wire is None:
            return None
        named = dict(zip(self._public[record.type], record.public, strict=True))
        personal = msgspec.msgpack.decode(record.personal)
        named |= zip(self._personal[record.type], personal, strict=True)
        try:
            data = msgspec.convert(named, wire.data, strict=True)
        except msgspec.ValidationError:
            return None
        if wire.admit(data) is not None:
            return None
        return Event(record.source, record.id, record.type, record.time, record.received, data)
