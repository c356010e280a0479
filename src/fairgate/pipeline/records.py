"""What stands in the log: events with their decisions, and whatever else changes decisions. One msgpack record each."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import msgspec

from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Decision, Erased, Event
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.memory import Memory
from fairgate.domain.windows import DAY
from fairgate.ingest.identifiers import TYPES
from fairgate.ingest.wire import Wire
from fairgate.language.tree import Kind
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.noted import Noted
from fairgate.pipeline.personal import SUBJECT, erased, personal_form
from fairgate.pipeline.seals import NOBODY

#: Goes up when a record's shape changes; the pack record, which comes before all others, carries it.
FORMAT = 2


class EventRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="event", gc=False):
    """An event with its decision, and the `entries` of the ledger that follow from it or end by it.

    `sealed` is msgpack of the personal attributes, sealed under the subject of number `key` (`NOBODY`: there were
    none). `tokens` and `facts` are what stands in the clear beside them (see `personal`). `features` are float64s in
    the order of the pack's recorded names; `texts` those that are texts, by position.
    """

    received: int
    source: str
    id: str
    type: str
    time: int
    public: tuple[Any, ...]
    tokens: tuple[bytes | None, ...]
    facts: tuple[tuple[Any, ...] | None, ...]
    key: int
    sealed: bytes
    decision: Decision
    features: bytes
    texts: dict[int, str | None]
    entries: tuple[Entry, ...] = ()


class PackRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="pack", gc=False):
    """A pack goes live: its files, and for each event type the names of what its records have, in their order.

    Where it is live already, it is only said again (see `RestatedRecord`). `tokens` are named by attribute or
    `attribute.part`; `facts` are the parts by attribute. `secret` is the version of the secret that records are written
    under from here on.
    """

    received: int
    format: int
    digest: str
    files: dict[str, str]
    public: dict[str, tuple[str, ...]]
    personal: dict[str, tuple[str, ...]]
    tokens: dict[str, tuple[str, ...]] = {}
    facts: dict[str, dict[str, tuple[str, ...]]] = {}
    secret: int = 1

    def same(self, live: "PackRecord | None") -> bool:
        """Whether this pack is live already, under the same secret."""
        return live is not None and msgspec.structs.replace(live, received=self.received) == self


class ListRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="list", gc=False):
    """A value stands in a list until a time (one that has passed takes it off).

    Where it is a personal text, `value` is its token, and the text is sealed under the number `key`.
    """

    received: int
    list: str
    value: str
    until: int
    by: str
    why: str
    key: int = NOBODY
    sealed: bytes = b""


class EraseRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="erase", gc=False):
    """The subject of a number is erased: what was sealed under it can't be opened any more.

    `subject` is who that is as the ledger knows them; records from before Fairgate said so have none.
    """

    received: int
    key: int
    by: str
    why: str
    subject: Subject | None = None


class MemoryRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="memory", gc=False):
    """What actions are remembered by, one or several: see `Memory`."""

    received: int
    memories: tuple[Memory, ...]
    by: str
    why: str


class SwitchRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="switch", gc=False):
    """A rule, or all enforcement (`*`), is switched off or on again."""

    received: int
    rule: str
    off: bool
    by: str
    why: str


class LedgerRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="ledger", gc=False):
    """Entries of the ledger: one that somebody made, or all that are held, said again. `following` is the next number.

    What follows from an event stands in its record instead.
    """

    received: int
    entries: tuple[Entry, ...]
    following: int


class UndoRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="undo", gc=False):
    """Entries of the ledger are undone, by number."""

    received: int
    numbers: tuple[int, ...]
    by: str
    why: str


class SubjectsRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="subjects", gc=False):
    """Whose the numbers from `first` on are: the 64-bit keys of their subjects as uint64s, 0 for those who are erased.

    They are keys under the secret of the pack record before it.
    """

    received: int
    first: int
    keys: bytes


class RestatedRecord(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="restated", gc=False):
    """From record `start` on, a pack's, everything has been said again that stood: a log may begin there.

    `clock` is the log's.
    """

    received: int
    start: int
    clock: int


#: What changes decisions, or what can be read, beside the events.
Change: TypeAlias = (
    PackRecord
    | ListRecord
    | SwitchRecord
    | LedgerRecord
    | UndoRecord
    | MemoryRecord
    | EraseRecord
    | SubjectsRecord
    | RestatedRecord
    | Noted
)
Record: TypeAlias = EventRecord | Change

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[Record] = msgspec.msgpack.Decoder(Record)
encode = _encoder.encode


def decode(sequence: int, data: bytes) -> Record:
    """The record of its bytes. Raises `RecordUnreadable` where another program wrote it, or a newer version."""
    try:
        record = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordUnreadable(sequence, str(error)) from error
    if isinstance(record, PackRecord) and record.format != FORMAT:
        remedy = "Run `fairgate upgrade`." if record.format < FORMAT else "Upgrade Fairgate."
        what = f"records from here on have format {record.format}, and this Fairgate reads {FORMAT}"
        raise RecordUnreadable(sequence, what, remedy)
    return record


class Recorder:
    """Makes the records of what an engine decides."""

    def __init__(self, engine: Engine, wires: Mapping[str, Wire]) -> None:
        self._wires = wires
        self._keys = engine.tokens.key
        self._text = engine.texts.text
        self._texts_at = {
            name: [at for at, (_, kind) in enumerate(engine.recorded(name)) if kind == Kind.TEXT] for name in wires
        }
        self._version = engine.tokens.version
        self._pack = engine.checked.pack
        self._forms = {
            name: personal_form(wire.event_type, engine.plan.types[name], engine.checked, engine.tokens)
            for name, wire in wires.items()
        }

    def personal(self, event: Event) -> tuple[int, bytes] | None:
        """What is to be sealed of an event, after the 64-bit key of its subject; None where nothing is personal."""
        values = self._wires[event.type].personal(event.data)
        if values.count(None) == len(values):
            return None
        subject = getattr(event.data, SUBJECT, None)
        return self._keys[str(subject) if subject is not None else day_subject(event.received)], encode(values)

    def record(self, judged: Judged, key: int, sealed: bytes) -> EventRecord:
        """The record of an event, its decision and its features, with what is personal as it was sealed."""
        event, features = judged.event, judged.features
        wire, form, data = self._wires[event.type], self._forms[event.type], event.data
        return EventRecord(
            received=event.received,
            source=event.source,
            id=event.id,
            type=event.type,
            time=event.time,
            public=wire.public(data),
            tokens=form.tokens(data),
            facts=form.facts(data),
            key=key,
            sealed=sealed,
            decision=judged.decision,
            features=judged.packed,
            texts={at: self._text(features[at]) for at in self._texts_at[event.type]},
            entries=judged.entries,
        )

    def pack_record(self, received: int) -> PackRecord:
        """The record that the pack goes live, before the first record of its events."""
        return PackRecord(
            received=received,
            format=FORMAT,
            digest=self._pack.digest,
            files=dict(self._pack.files),
            public={name: wire.public_names for name, wire in self._wires.items()},
            personal={name: wire.personal_names for name, wire in self._wires.items()},
            tokens={name: form.token_names for name, form in self._forms.items()},
            facts={name: dict(form.fact_names) for name, form in self._forms.items()},
            secret=self._version,
        )


def day_subject(received: int) -> str:
    """The subject of what is personal in events without an account: they share one for each day of receipt."""
    return f"\0day {received // DAY}"


def list_subject(name: str, token: str) -> str:
    """The subject of a personal text that stands in a list."""
    return f"\0list {name} {token}"


class RecordReader:
    """Reads records, written under whatever packs, as events of one pack.

    `opened` gives what was sealed under a number, or None where its subject is erased. An erased text stands in an
    event's data as `Erased`, anything else that is personal and erased as missing.
    """

    def __init__(self, wires: Mapping[str, Wire], opened: Callable[[int, bytes], bytes | None]) -> None:
        self._wires = wires
        self.opened = opened
        self._pack = PackRecord(0, FORMAT, "", {}, {}, {})

    def under(self, pack: PackRecord) -> None:
        """The records from here on were written under this pack."""
        self._pack = pack

    def subject(self, record: EventRecord) -> str | bytes:
        """Whose key a record is sealed under: the account, its token where that is personal, or the day's."""
        for names, values in (
            (self._pack.public[record.type], record.public),
            (self._pack.tokens[record.type], record.tokens),
        ):
            if SUBJECT in names and (value := values[names.index(SUBJECT)]) is not None:
                return value if isinstance(value, bytes) else str(value)
        return day_subject(record.received)

    def event(self, record: EventRecord) -> Event | None:
        """The event, or None where this reader's pack has no such type, or would not take the event's values.

        Raises `SealBroken` and `KeysUnusable`.
        """
        wire, pack = self._wires.get(record.type), self._pack
        if wire is None:
            return None
        named = dict(zip(pack.public[record.type], record.public, strict=True))
        lost: Mapping[str, Erased] = {}
        if record.key != NOBODY:
            opened = self.opened(record.key, record.sealed)
            if opened is None:
                lost = self._lost(wire, record)
            else:
                named |= zip(pack.personal[record.type], msgspec.msgpack.decode(opened), strict=True)
        try:
            data = msgspec.convert(named, wire.partial if lost else wire.data, strict=True)
        except msgspec.ValidationError:
            return None
        if lost:
            values = {name: getattr(data, name) for name in data.__struct_fields__}
            data = wire.data(**{**values, **lost})
        elif wire.admit(data) is not None:
            return None
        return Event(record.source, record.id, record.type, record.time, record.received, data)

    def _lost(self, wire: Wire, record: EventRecord) -> Mapping[str, Erased]:
        """What stands for the personal texts of a record whose key is gone."""
        tokens: dict[str, dict[str, bytes | None]] = {}
        for path, token in zip(self._pack.tokens[record.type], record.tokens, strict=True):
            name, _, part = path.partition(".")
            tokens.setdefault(name, {})[part] = token
        named = self._pack.facts[record.type]
        facts = {
            name: dict(zip(named[name], values or (), strict=False))
            for name, values in zip(named, record.facts, strict=True)
        }
        declared = {each.name: each.type for each in wire.event_type.attributes}
        return {
            name: erased(TYPES.get(declared[name]), found, facts.get(name, {}))
            for name, found in tokens.items()
            if found[""] is not None and name in declared
        }
