"""The log put to the test: every event is decided on again, and must come out as it is recorded, byte for byte."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec

from fairgate.domain.errors import RecordUnreadable
from fairgate.domain.event import Erased, Event
from fairgate.domain.secret import Secrets
from fairgate.ingest.decode import Decoder
from fairgate.kernel.program import Program
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.history import pieces, take_in
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.records import EventRecord, PackRecord, Recorder, RecordReader, encode
from fairgate.pipeline.repeats import Repeats
from fairgate.pipeline.seals import Seals
from fairgate.pipeline.state import State
from fairgate.ports.event_log import EventLog
from fairgate.ports.feature_rows import FeatureRows
from fairgate.ports.snapshots import Snapshots

#: A pack from its files' texts.
CompilePack = Callable[[Mapping[str, str]], CheckedPack]
OpenRows = Callable[[Program], FeatureRows]


@dataclass(frozen=True, slots=True)
class Difference:
    """A record that came out otherwise: its first field that did, as it is recorded and as it is now."""

    sequence: int
    source: str
    id: str
    field: str
    recorded: str
    again: str


@dataclass(frozen=True, slots=True)
class RerunReport:
    """How many events were decided on again, how often a pack went live, how many events differ, and the first one.

    `erased` events were only counted: what they were decided on is no longer there. `start` is the number of the first
    record that was read.
    """

    events: int
    erased: int
    packs: int
    differing: int
    first: Difference | None
    start: int = 0


def rerun(  # noqa: PLR0913, PLR0917 - all that a log is read with
    log: EventLog,
    compile_pack: CompilePack,
    secrets: Secrets,
    open_rows: OpenRows,
    seals: Seals,
    snapshots: Snapshots,
) -> RerunReport:
    """Decide again on every event of a log, under the packs, lists and switches as they were at its place.

    A log whose beginning was dropped is read from the oldest snapshot on that the pack has which is live at its end.
    `secrets` must be those that the log was written with. Raises `RecordUnreadable`, also where there is no such
    snapshot, what reading the log raises, and `PackError` for a pack that is none any more.
    """
    again = _Rerun(log, compile_pack, secrets, open_rows, seals)
    start = again.resume(snapshots) if log.begin() else 0
    for sequence, piece in pieces(log.read(start)):
        match piece:
            case list():
                again.events(sequence, piece)
            case PackRecord():
                again.go_live(sequence, piece)
            case _:
                live = again.live(sequence)
                take_in(live.engine, live.reader, piece)
    return RerunReport(again.count, again.erased, again.packs, again.differing, again.first, start)


@dataclass(frozen=True, slots=True)
class _Live:
    """The engine of the pack that is live, and what reads and writes its records."""

    pack: PackRecord
    engine: Engine
    reader: RecordReader
    recorder: Recorder


class _Rerun:
    def __init__(
        self, log: EventLog, compile_pack: CompilePack, secrets: Secrets, open_rows: OpenRows, seals: Seals
    ) -> None:
        self.count = self.erased = self.packs = self.differing = 0
        self.first: Difference | None = None
        self._log = log
        self._compile_pack = compile_pack
        self._secrets = secrets
        self._open_rows = open_rows
        self._seals = seals
        self._live: _Live | None = None

    def live(self, sequence: int) -> _Live:
        """What is live at a place of the log."""
        if self._live is None:
            raise RecordUnreadable(sequence, "no pack stands before it")
        return self._live

    def resume(self, snapshots: Snapshots) -> int:
        """Begin with the state that a snapshot has, as it was live; returns the number of the first record after it."""
        pack = live_pack(self._log, self._log.end() - 1)
        self._live = self._made(self._log.begin(), pack)
        engine, secret = self._live.engine, self._secrets.versions[pack.secret]
        decoder = Decoder(engine.checked, engine.plan.longest)
        state = State(engine, decoder, self._log, secret, self._seals, Repeats(0), remembers=False)
        start = state.resume(snapshots)
        if start is None:
            what = "what came before it was dropped, and no snapshot has the features that came of it"
            raise RecordUnreadable(self._log.begin(), what, "Verify again when the live pack has made a snapshot.")
        return start

    def go_live(self, sequence: int, pack: PackRecord) -> None:
        """Make the engine that decides from here on: as it did live, it takes in all that came before."""
        if self._live is not None and pack.same(self._live.pack):
            return
        live = self._made(sequence, pack)
        for _, piece in pieces(self._log.read(0, sequence)):
            take_in(live.engine, live.reader, piece)
        live.reader.under(pack)
        self._live = live
        self.packs += 1

    def _made(self, sequence: int, pack: PackRecord) -> _Live:
        secret = self._secrets.versions.get(pack.secret)
        if secret is None:
            raise RecordUnreadable(sequence, f"it was written under version {pack.secret} of the secret, which is gone")
        older, checked = self._secrets.before(pack.secret), self._compile_pack(pack.files)
        engine = Engine(checked, secret, self._open_rows, version=pack.secret, older=older)
        wires = Decoder(engine.checked, engine.plan.longest).wires
        reader = RecordReader(wires, self._seals.open)
        reader.under(pack)
        return _Live(pack, engine, reader, Recorder(engine, wires))

    def events(self, sequence: int, records: Sequence[EventRecord]) -> None:
        """Decide again on events that stand one after another; those that were erased are only counted."""
        read = [(at, record, self.live(sequence).reader.event(record)) for at, record in enumerate(records, sequence)]
        for erased, run in groupby(read, lambda each: each[2] is not None and _is_erased(each[2])):
            (self._count if erased else self._compare)(list(run))

    def _count(self, run: Sequence[tuple[int, EventRecord, Event | None]]) -> None:
        events = [(event, record.decision) for _, record, event in run if event is not None]
        entries = [entry for _, record, _ in run for entry in record.entries]
        absorb = self.live(run[0][0]).engine.absorb
        absorb([event for event, _ in events], [decision for _, decision in events], entries)
        self.erased += len(run)

    def _compare(self, run: Sequence[tuple[int, EventRecord, Event | None]]) -> None:
        live = self.live(run[0][0])
        judged = iter(live.engine.run([event for _, _, event in run if event is not None]))
        for at, record, event in run:
            again = live.recorder.record(next(judged), record.key, record.sealed) if event is not None else None
            if again is None or encode(again) != encode(record):
                self.differing += 1
                self.first = self.first or _difference(at, record, again)
        self.count += len(run)


def _is_erased(event: Event) -> bool:
    return any(isinstance(value, Erased) for value in msgspec.structs.astuple(event.data))


def _difference(sequence: int, record: EventRecord, again: EventRecord | None) -> Difference:
    field, then, now = "event", "taken", "not taken"
    for name in EventRecord.__struct_fields__ if again is not None else ():
        if encode(getattr(record, name)) != encode(getattr(again, name)):
            field, then, now = name, _shown(name, record), _shown(name, again)
            break
    return Difference(sequence, record.source, record.id, field, then, now)


def _shown(name: str, record: EventRecord | None) -> str:
    """A field as people read it: packed features as numbers."""
    value = getattr(record, name)
    return msgspec.json.encode(memoryview(value).cast("d").tolist() if name == "features" else value).decode()
