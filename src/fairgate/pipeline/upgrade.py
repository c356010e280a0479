"""Records of format 1, in which personal attributes stood in the clear, turned into those of format 2.

Record by record: each keeps its number, its time, its decision and the features it was decided on. What is personal is
sealed, and gets tokens and facts beside it.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from fairgate.domain.errors import BadEntry, NoSuchList, UpgradeImpossible
from fairgate.domain.event import Decision, Event
from fairgate.domain.secret import Secrets
from fairgate.ingest.decode import Decoder
from fairgate.ingest.wire import Wire
from fairgate.kernel.program import Program
from fairgate.language.checked import CheckedPack
from fairgate.language.problems import PackError
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.records import (
    EventRecord,
    ListRecord,
    PackRecord,
    Record,
    Recorder,
    RecordReader,
    SwitchRecord,
    decode,
    encode,
    list_subject,
)
from fairgate.pipeline.seals import NOBODY, Seals
from fairgate.ports.feature_rows import FeatureRows

FROM: Final = 1

CompilePack: TypeAlias = Callable[[Mapping[str, str]], CheckedPack]
OpenRows: TypeAlias = Callable[[Program], FeatureRows]


class OldEvent(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="event", gc=False):
    """As in `records`, but for the personal attributes: `personal` is msgpack of them."""

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


class OldPack(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="pack", gc=False):
    """As in `records`."""

    received: int
    format: int
    digest: str
    files: dict[str, str]
    public: dict[str, tuple[str, ...]]
    personal: dict[str, tuple[str, ...]]


class OldList(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="list", gc=False):
    """As in `records`; the value stands as it was given."""

    received: int
    list: str
    value: str
    until: int
    by: str
    why: str


class OldSwitch(msgspec.Struct, frozen=True, array_like=True, tag_field="kind", tag="switch", gc=False):
    """As in `records`."""

    received: int
    rule: str
    off: bool
    by: str
    why: str


OldRecord: TypeAlias = OldEvent | OldPack | OldList | OldSwitch
_decoder: msgspec.msgpack.Decoder[OldRecord] = msgspec.msgpack.Decoder(OldRecord)
_head: msgspec.msgpack.Decoder[tuple[Any, ...]] = msgspec.msgpack.Decoder(tuple[Any, ...])


def format_of(first: bytes) -> int:
    """The format of a log, by its first record, which is a pack's. Raises `UpgradeImpossible` where it is none."""
    try:
        kind, _, found = _head.decode(first)[:3]
    except (msgspec.DecodeError, ValueError) as error:
        raise UpgradeImpossible(0, "it is no record of Fairgate's") from error
    if kind != "pack" or not isinstance(found, int):
        raise UpgradeImpossible(0, "a pack should stand here")
    return found


@dataclass(frozen=True, slots=True)
class _Live:
    """A pack that was live, and what reads and writes the records under it."""

    pack: OldPack
    engine: Engine
    wires: Mapping[str, Wire]
    recorder: Recorder

    def event(self, record: OldEvent) -> Event:
        """The event of a record. Raises ValueError where this Fairgate would not take it."""
        wire = self.wires[record.type]
        named = dict(zip(self.pack.public[record.type], record.public, strict=True))
        named |= zip(self.pack.personal[record.type], msgspec.msgpack.decode(record.personal), strict=True)
        data = msgspec.convert(named, wire.data, strict=True)
        refused = wire.admit(data)
        if refused is not None:
            raise ValueError(f"its {refused[0]} {refused[1]}")
        return Event(record.source, record.id, record.type, record.time, record.received, data)

    def canonical(self, entry: OldList) -> str:
        """A list entry's value in the form that lists keep. Raises `NoSuchList` or `BadEntry`."""
        return self.engine.lists.canonical(entry.list, entry.value)


class Upgrade:
    """Turns records into those of the format from 1 on. The records must be given in order, from the first on.

    `seals` must be new: nothing has been sealed in it yet.
    """

    def __init__(self, compile_pack: CompilePack, secrets: Secrets, seals: Seals, open_rows: OpenRows) -> None:
        self._compile_pack = compile_pack
        self._secrets = secrets
        self._seals = seals
        self._open_rows = open_rows
        self._live: _Live | None = None
        self._reader: RecordReader | None = None

    def upgraded(self, records: Iterable[tuple[int, bytes]]) -> Iterator[bytes]:
        """Each record in the new format. Raises `UpgradeImpossible` at the first that can't be."""
        for sequence, raw in records:
            with _telling(sequence):
                new = self._new(sequence, _decoded(sequence, raw))
            yield encode(new)

    def compare(self, old: Iterable[tuple[int, bytes]], new: Iterable[tuple[int, bytes]]) -> int:
        """Read both logs and compare them record by record, by what a service reads in them; returns how many.

        Raises `UpgradeImpossible` at the first that tells something else.
        """
        count = 0
        for (sequence, before), (_, after) in zip(old, new, strict=True):
            with _telling(sequence):
                if not self._same(sequence, _decoded(sequence, before), after):
                    raise ValueError("it comes out otherwise")
            count += 1
        return count

    def _new(self, sequence: int, old: OldRecord) -> Record:
        match old:
            case OldPack():
                return self._go_live(old).recorder.pack_record(old.received)
            case OldEvent():
                return self._event(self._at(sequence), old)
            case OldList():
                return self._entry(self._at(sequence), old)
            case _:
                return SwitchRecord(old.received, old.rule, old.off, old.by, old.why)

    def _go_live(self, pack: OldPack) -> _Live:
        secrets = self._secrets
        checked = self._compile_pack(pack.files)
        engine = Engine(checked, secrets.current, self._open_rows, version=secrets.newest)
        wires = Decoder(checked, engine.plan.longest).wires
        self._live = _Live(pack, engine, wires, Recorder(engine, wires))
        self._reader = RecordReader(wires, self._seals.open)
        return self._live

    def _at(self, sequence: int) -> _Live:
        if self._live is None:
            raise UpgradeImpossible(sequence, "no pack stands before it")
        return self._live

    def _event(self, live: _Live, old: OldEvent) -> EventRecord:
        event = live.event(old)
        personal = live.recorder.personal(event)
        key, sealed = self._seals.seal(*personal) if personal is not None else (NOBODY, b"")
        # The recorder would look the texts among the features up; the record has them.
        unknown = [math.nan] * (len(old.features) // 8)
        record = live.recorder.record(Judged(event, old.decision, unknown, old.features), key, sealed)
        return msgspec.structs.replace(record, texts=old.texts)

    def _entry(self, live: _Live, old: OldList) -> ListRecord:
        value = live.canonical(old)
        if not live.engine.lists.is_personal(old.list):
            return ListRecord(old.received, old.list, value, old.until, old.by, old.why)
        token = live.engine.tokens.text(value)
        key, sealed = self._seals.seal(live.engine.tokens.key[list_subject(old.list, token)], value.encode())
        return ListRecord(old.received, old.list, token, old.until, old.by, old.why, key, sealed)

    def _same(self, sequence: int, old: OldRecord, after: bytes) -> bool:
        new = decode(sequence, after)
        match old, new:
            case OldPack(), PackRecord():
                self._go_live(old)
                if self._reader is not None:
                    self._reader.under(new)
                return (old.received, old.digest, old.files) == (new.received, new.digest, new.files)
            case OldEvent(), EventRecord() if self._reader is not None:
                kept = (old.decision, old.features, old.texts) == (new.decision, new.features, new.texts)
                return kept and self._at(sequence).event(old) == self._reader.event(new)
            case OldList(), ListRecord():
                value = self._at(sequence).canonical(old)
                opened = self._seals.open(new.key, new.sealed) if new.key != NOBODY else new.value.encode()
                told = (old.received, old.list, old.until, old.by, old.why)
                return opened == value.encode() and told == (new.received, new.list, new.until, new.by, new.why)
            case OldSwitch(), SwitchRecord():
                return msgspec.structs.astuple(old) == msgspec.structs.astuple(new)
            case _:
                return False


def _decoded(sequence: int, raw: bytes) -> OldRecord:
    try:
        record = _decoder.decode(raw)
    except msgspec.DecodeError as error:
        raise UpgradeImpossible(sequence, str(error)) from error
    if isinstance(record, OldPack) and record.format != FROM:
        raise UpgradeImpossible(sequence, f"records from here on have format {record.format}")
    return record


@contextmanager
def _telling(sequence: int) -> Iterator[None]:
    """Tell which record it is that can't be read as what it should be."""
    try:
        yield
    except (PackError, NoSuchList, BadEntry, ValueError, KeyError, msgspec.MsgspecError) as error:
        raise UpgradeImpossible(sequence, str(error)) from error
