"""The log read back: its records in order, and an engine brought up to date with them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import TypeAlias

from fairgate.detect.lists import Told
from fairgate.domain.errors import BadEntry, NoSuchList
from fairgate.domain.event import Refusal
from fairgate.domain.ledger import Undone
from fairgate.ingest.decode import Taken
from fairgate.ingest.wire import Wire
from fairgate.pipeline.engine import BATCH, Engine
from fairgate.pipeline.noted import AnchorRecord, LabelledRecord, ReadRecord
from fairgate.pipeline.records import (
    Change,
    EraseRecord,
    EventRecord,
    LedgerRecord,
    ListRecord,
    MemoryRecord,
    PackRecord,
    RecordReader,
    RestatedRecord,
    SubjectsRecord,
    SwitchRecord,
    UndoRecord,
    decode,
)
from fairgate.pipeline.seals import NOBODY
from fairgate.ports.event_log import EventLog

#: Events that stand one after another in the log, or something else that changes decisions.
Piece: TypeAlias = list[EventRecord] | Change


def pieces(records: Iterable[tuple[int, bytes]]) -> Iterator[tuple[int, Piece]]:
    """Records in the order of the log, events in batches, each piece with the number of its first record.

    Raises `RecordUnreadable`, and what reading the log raises.
    """
    events: list[EventRecord] = []
    first = 0
    for sequence, data in records:
        record = decode(sequence, data)
        if isinstance(record, EventRecord):
            first = first if events else sequence
            events.append(record)
            if len(events) < BATCH:
                continue
        if events:
            yield first, events
            events = []
        if not isinstance(record, EventRecord):
            yield sequence, record
    if events:
        yield first, events


def take_in(engine: Engine, reader: RecordReader, piece: Piece) -> None:
    """Bring an engine up to date with the next piece of a log: its events are counted, their decisions stand.

    What the engine's pack has no use for is left out: event types and lists that it doesn't have, or has otherwise.
    """
    match piece:
        case list():
            pairs = [(event, record.decision) for record in piece if (event := reader.event(record)) is not None]
            entries = [entry for record in piece for entry in record.entries]
            engine.absorb([event for event, _ in pairs], [decision for _, decision in pairs], entries)
        case PackRecord():
            reader.under(piece)
        case ListRecord():
            _enter(engine, reader, piece)
        case EraseRecord():
            engine.forget_texts()
        case SwitchRecord():
            engine.brakes.switch(piece.rule, off=piece.off)
        case LedgerRecord() | UndoRecord() | MemoryRecord():
            _act(engine, piece)
        case RestatedRecord():
            engine.clock = max(engine.clock, piece.clock)
        case SubjectsRecord() | ReadRecord() | LabelledRecord() | AnchorRecord():
            pass  # nothing is decided by it


def _act(engine: Engine, piece: LedgerRecord | UndoRecord | MemoryRecord) -> None:
    """What was done to somebody, or is remembered of it."""
    match piece:
        case LedgerRecord():
            engine.ledger.restore(piece.entries, piece.following)
        case UndoRecord():
            engine.ledger.undo(piece.numbers, Undone(piece.received, piece.by, piece.why))
        case MemoryRecord():
            for memory in piece.memories:
                engine.memory.take(memory)


def _enter(engine: Engine, reader: RecordReader, entry: ListRecord) -> None:
    value = listed_value(entry, reader)
    if value is not None:
        with suppress(NoSuchList, BadEntry):
            engine.put_in_list(entry.list, value, entry.until, Told(entry.by, entry.why), entry.received)


def listed_value(entry: ListRecord, reader: RecordReader) -> str | None:
    """The value of a list's entry in clear; None where it is erased."""
    if entry.key == NOBODY:
        return entry.value
    opened = reader.opened(entry.key, entry.sealed)
    return None if opened is None else opened.decode()


def logged_events(
    log: EventLog, engine: Engine, wires: Mapping[str, Wire], opened: Callable[[int, bytes], bytes | None]
) -> Iterator[list[Taken]]:
    """The events of a log for a replay by any pack, as they were received.

    List entries and switches take effect on `engine` at their places, so each batch must be run before the next is
    asked for. An event that the pack has no such type for, or has otherwise, is a refusal. `opened` is that of `Seals`.
    Raises as `pieces`.
    """
    reader = RecordReader(wires, opened)
    for _, piece in pieces(log.read()):
        if isinstance(piece, list):
            yield [reader.event(record) or _unfit(record) for record in piece]
        else:
            take_in(engine, reader, piece)


def _unfit(record: EventRecord) -> Refusal:
    return Refusal("unknown_type", "type", f"the pack has no {record.type} that this event fits", record.id)
