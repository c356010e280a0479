"""The live path: decode -> repeats -> engine -> log. What is answered has been decided once, and is in the log."""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from fairgate import __version__
from fairgate.domain.errors import NoSuchRecord, PipelineStopped, RecordUnreadable
from fairgate.domain.event import Decision, Event, Refusal
from fairgate.ingest.decode import Decoder, Taken
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.history import pieces, take_in
from fairgate.pipeline.records import (
    FORMAT,
    EventRecord,
    ListRecord,
    PackRecord,
    Recorder,
    RecordReader,
    SwitchRecord,
    decode,
    encode,
    pack_record,
)
from fairgate.pipeline.repeats import Repeats, RepeatsState
from fairgate.ports.clock import Clock
from fairgate.ports.event_log import EventLog
from fairgate.ports.snapshots import Snapshot, Snapshots


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What was decided on an event, and its number in the log. A repeat gets the answer of the first time."""

    type: str
    id: str
    sequence: int
    decision: Decision
    repeated: bool


Outcome: TypeAlias = Answer | Refusal


class _Extra(msgspec.Struct, array_like=True):
    """The part of a snapshot that is no array. `last` is a hash of the log's last record before it."""

    last: int
    pack_at: int
    clock: int
    texts: list[str]
    lists: dict[str, dict[str, int]]
    off: set[str]
    day: int
    asked: dict[str, int]
    repeats: RepeatsState


class Pipeline:
    """Decides on events and records them. One caller at a time; `commit` may run in another thread meanwhile.

    An answer may be given out only after the `commit` that follows its `take` has returned. `refused` counts refusals
    by code, `repeats` the events that had been decided on before.
    """

    def __init__(self, engine: Engine, log: EventLog, snapshots: Snapshots, clock: Clock, secret: int) -> None:
        self.engine = engine
        self.decoder = Decoder(engine.checked, engine.plan.longest)
        self.clock = clock
        self.refused: dict[str, int] = {}
        self.repeats = 0
        self._log = log
        self._snapshots = snapshots
        layout = xxh3_64_intdigest(engine.plan.program.words.tobytes(), secret)
        self._stamp = f"{__version__}:{FORMAT}:{engine.checked.pack.digest}:{layout:x}"
        self._repeats = Repeats(secret)
        self._recorder = Recorder(engine, self.decoder.wires)
        self._pack_at = -1
        self._stopped: BaseException | None = None

    @property
    def stopped(self) -> bool:
        """Whether an error has ended this pipeline's work: a new one must recover from the log."""
        return self._stopped is not None

    def take(self, taken: Sequence[Taken]) -> list[Outcome]:
        """Decide on what was decoded; an outcome for each, in order. Not durable before `commit`.

        Raises `PipelineStopped` once anything has gone wrong here or in `commit`.
        """
        self._check_running()
        try:
            return self._take(taken)
        except BaseException as error:
            self._stopped = error  # rows may be ahead of the log: only a restart puts that right
            raise

    def commit(self) -> None:
        """Make all that was taken durable. Raises `LogBroken` where that failed; nothing is acknowledged then."""
        try:
            self._log.commit()
        except BaseException as error:
            self._stopped = self._stopped or error
            raise

    def judged(self, event: Event, sequence: int) -> Judged:
        """What was decided on an event of the live pack, with the features recorded then, as the log has it."""
        record = decode(sequence, self._log.get(sequence))
        if not isinstance(record, EventRecord) or sequence < self._pack_at:
            raise NoSuchRecord(sequence, self._log.end())
        return Judged(event, record.decision, np.frombuffer(record.features).tolist(), record.features)

    def put_in_list(self, name: str, value: str, until: int, by: str, why: str) -> None:
        """Enter a value in a list until a time; one that has passed takes it off. Raises `NoSuchList` or `BadEntry`."""
        self._check_running()
        self.engine.lists.canonical(name, value)
        self._log.append(encode(ListRecord(self.clock.now(), name, value, until, by, why)))
        self.engine.lists.put(name, value, until)

    def switch(self, rule: str, by: str, why: str, *, off: bool) -> None:
        """Switch a rule, or all enforcement (`*`), off or on again."""
        self._check_running()
        self._log.append(encode(SwitchRecord(self.clock.now(), rule, off, by, why)))
        self.engine.brakes.switch(rule, off=off)

    def recover(self) -> int:
        """Bring the state up to the log's end from the newest snapshot; returns how many records were read.

        Where the pack is not the one that was last live, it goes live now, its features counted from the whole log.
        Raises `RecordUnreadable`, and what reading the log raises.
        """
        start, end = self._load_snapshot(), self._log.end()
        reader = RecordReader(self.decoder.wires)
        live = self._pack_before(start)
        if live is not None:
            reader.under(live)
        for sequence, piece in pieces(self._log.read(start)):
            match piece:
                case list():
                    self._repeats.recall(piece, sequence)
                case PackRecord():
                    self._pack_at, live = sequence, piece
            take_in(self.engine, reader, piece)
        pack = self.engine.checked.pack
        if live is None or (live.digest, live.format) != (pack.digest, FORMAT):
            record = pack_record(self.clock.now(), pack, self.decoder.wires)
            self._pack_at = self._log.append(encode(record))
            self._log.commit()
        return end - start

    def capture(self) -> Snapshot:
        """A copy of the state as it is now, to be given to `keep`. Commits first: it never holds more than the log."""
        self._check_running()
        self.commit()
        engine, brakes, end = self.engine, self.engine.brakes, self._log.end()
        keys, repeats = self._repeats.state()
        extra = _Extra(
            last=self._last_before(end),
            pack_at=self._pack_at,
            clock=engine.clock,
            texts=engine.texts.all(),
            lists=engine.lists.entries(engine.clock),
            off=brakes.off,
            day=brakes.day,
            asked=brakes.asked,
            repeats=repeats,
        )
        return Snapshot(end, self._stamp, {**engine.rows.arrays(), "repeats": keys}, encode(extra))

    def keep(self, snapshot: Snapshot) -> None:
        """Write a captured state; may run in another thread while events are taken."""
        self._snapshots.save(snapshot)

    def _take(self, taken: Sequence[Taken]) -> list[Outcome]:
        events = [each for each in taken if isinstance(each, Event)]
        met = self._repeats.met(events, self._log.end())
        fresh = [event for event, number in zip(events, met, strict=True) if number < 0]
        answers, numbers = iter(self._decide(fresh)), iter(met)
        outcomes: list[Outcome] = []
        for each in taken:
            if isinstance(each, Refusal):
                self.refused[each.code] = self.refused.get(each.code, 0) + 1
                outcomes.append(each)
                continue
            number = next(numbers)
            outcomes.append(next(answers) if number < 0 else self._repeat(each, number))
        return outcomes

    def _decide(self, events: Sequence[Event]) -> list[Answer]:
        """Decide and append; the log's numbers are those that `Repeats` has given out."""
        record, append = self._recorder.record, self._log.append
        return [
            Answer(each.event.type, each.event.id, append(encode(record(each))), each.decision, repeated=False)
            for each in self.engine.run(events)
        ]

    def _repeat(self, event: Event, number: int) -> Answer:
        """The answer that was given before; or a fresh one, where only the hashes of two names are the same."""
        for at in (number, self._repeats.other(event)):
            record = decode(at, self._log.get(at)) if at is not None else None
            if isinstance(record, EventRecord) and (record.source, record.id) == (event.source, event.id):
                self.repeats += 1
                return Answer(record.type, record.id, at or 0, record.decision, repeated=True)
        [answer] = self._decide([event])
        self._repeats.keep_other(event, answer.sequence)
        return answer

    def _load_snapshot(self) -> int:
        """Take over the newest snapshot, if it is of this log; returns the number of the first record after it."""
        snapshot = self._snapshots.latest(self._stamp, self._log.end())
        if snapshot is None:
            return 0
        extra = msgspec.msgpack.decode(snapshot.extra, type=_Extra)
        if extra.last != self._last_before(snapshot.sequence):
            return 0
        engine, brakes = self.engine, self.engine.brakes
        engine.rows.load(snapshot.arrays)
        self._repeats.load(snapshot.arrays["repeats"], extra.repeats)
        engine.clock = extra.clock
        for text in extra.texts:
            engine.texts.number(text)
        engine.lists.restore(extra.lists)
        brakes.off, brakes.day, brakes.asked = extra.off, extra.day, extra.asked
        self._pack_at = extra.pack_at
        return snapshot.sequence

    def _last_before(self, sequence: int) -> int:
        return xxh3_64_intdigest(self._log.get(sequence - 1))

    def _pack_before(self, start: int) -> PackRecord | None:
        """The pack that the records from `start` on were written under, as far as a snapshot tells."""
        if not start:
            return None
        record = decode(self._pack_at, self._log.get(self._pack_at))
        if not isinstance(record, PackRecord):
            raise RecordUnreadable(self._pack_at, "a pack should stand here")
        return record

    def _check_running(self) -> None:
        if self._stopped is not None:
            raise PipelineStopped from self._stopped
