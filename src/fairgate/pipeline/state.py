"""All that decisions depend on, and nothing else: counted from the log, kept in snapshots."""

from collections.abc import Callable
from typing import Any

import msgspec
from xxhash import xxh3_64_intdigest

from fairgate import __version__
from fairgate.detect.lists import Told
from fairgate.domain.errors import NotPrepared, RecordUnreadable
from fairgate.domain.secret import key_of, salt_of
from fairgate.ingest.decode import Decoder
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.history import Piece, pieces, take_in
from fairgate.pipeline.records import (
    FORMAT,
    EraseRecord,
    EventRecord,
    ListRecord,
    PackRecord,
    RecordReader,
    decode,
    encode,
    list_subject,
)
from fairgate.pipeline.repeats import Repeats, RepeatsState
from fairgate.pipeline.seals import Seals, SealsState
from fairgate.ports.event_log import EventLog
from fairgate.ports.snapshots import Snapshot, Snapshots


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A place between two records: the number of the next, and a hash of the one before."""

    sequence: int
    last: int


class _Extra(msgspec.Struct, array_like=True):
    """The part of a snapshot that is no array. `last` is a hash of the log's last record before it."""

    last: int
    pack_at: int
    clock: int
    texts: list[str]
    lists: dict[str, dict[str, int]]
    told: dict[str, dict[str, Told]]
    off: set[str]
    day: int
    asked: dict[str, int]
    repeats: RepeatsState
    seals: SealsState


class State:
    """An engine's state with what is remembered beside it: repeats, whose numbers there are, and the live pack.

    The same log gives the same state. `live` is the pack that was live at the end of what was read, `pack_at` its
    number; `read_to` is the number of the first record that was not read, None before `catch_up`.
    """

    def __init__(self, engine: Engine, decoder: Decoder, log: EventLog, secret: int, seals: Seals) -> None:
        self.engine = engine
        self.repeats = Repeats(salt_of(secret, "repeats"))
        self.seals = seals
        self.live: PackRecord | None = None
        self.pack_at = -1
        self.read_to: int | None = None
        self._log = log
        self._reader = RecordReader(decoder.wires, seals.open)
        layout = xxh3_64_intdigest(engine.plan.program.words.tobytes(), salt_of(secret, "layout"))
        self._stamp = f"{__version__}:{FORMAT}:{engine.checked.pack.digest}:{layout:x}"

    def catch_up(self, snapshots: Snapshots, most: int | None = None) -> int:
        """Read to the end of what is durable; returns how many records that were.

        Begins at the newest snapshot, and where it left off when it is called again. Raises `NotPrepared` where there
        are more than `most` records, `RecordUnreadable`, `SealBroken`, `KeysUnusable`, and what reading the log raises.
        """
        if self.read_to is None:
            self.read_to = self._load(snapshots)
        start = self.read_to
        if most is not None and self._log.end() - start > most:
            raise NotPrepared(self._log.end() - start)
        for sequence, piece in pieces(self._log.read(start)):
            self._take_in(sequence, piece)
        return self.read_to - start

    def mark(self) -> Mark:
        """Where the log ends now."""
        end = self._log.end()
        return Mark(end, self._last_before(end))

    def capture(self, at: Mark) -> Snapshot:
        """The state at a mark that was made just now, not copied; the log is not touched."""
        engine, brakes = self.engine, self.engine.brakes
        keys, repeats = self.repeats.state()
        numbers, seals = self.seals.state()
        extra = _Extra(
            last=at.last,
            pack_at=self.pack_at,
            clock=engine.clock,
            texts=engine.texts.all(),
            lists=engine.lists.entries(engine.clock),
            told=engine.lists.told(engine.clock),
            off=brakes.off,
            day=brakes.day,
            asked=brakes.asked,
            repeats=repeats,
            seals=seals,
        )
        arrays = {**engine.rows.arrays(), "repeats": keys, "seals": numbers}
        return Snapshot(at.sequence, self._stamp, arrays, encode(extra))

    def forget(self, number: int) -> None:
        """Erase the subject of a number. Raises `KeysUnusable`."""
        self.seals.forget(number)
        self.engine.tokens.forget()

    def _take_in(self, sequence: int, piece: Piece) -> None:
        """Bring the state up to date with the next piece of the log."""
        match piece:
            case list():
                self.repeats.recall(piece, sequence)
                for record in piece:
                    self._learn(record.key, self._reader.subject, record)
            case ListRecord():
                self._learn(piece.key, lambda entry: list_subject(entry.list, entry.value), piece)
            case EraseRecord():
                self.forget(piece.key)
            case PackRecord():
                self.pack_at, self.live = sequence, piece
                self._check_secret(sequence, piece)
        take_in(self.engine, self._reader, piece)
        self.read_to = sequence + (len(piece) if isinstance(piece, list) else 1)

    def _learn(self, number: int, subject: Callable[[Any], str | bytes], record: EventRecord | ListRecord) -> None:
        """Take in whose number a record has, where it is new."""
        if number >= self.seals.following:
            name = subject(record)
            self.seals.learn(key_of(name) if isinstance(name, bytes) else self.engine.tokens.key[name], number)

    def _load(self, snapshots: Snapshots) -> int:
        """Take over the newest snapshot that is of this log; returns the number of the first record after it."""
        end = self._log.end()
        while (snapshot := snapshots.latest(self._stamp, end)) is not None:
            extra = msgspec.msgpack.decode(snapshot.extra, type=_Extra)
            if extra.last == self._last_before(snapshot.sequence):
                self._take_over(snapshot, extra)
                return snapshot.sequence
            end = snapshot.sequence - 1
        return 0

    def _take_over(self, snapshot: Snapshot, extra: _Extra) -> None:
        engine, brakes = self.engine, self.engine.brakes
        engine.rows.load(snapshot.arrays)
        self.repeats.load(snapshot.arrays["repeats"], extra.repeats)
        self.seals.load(snapshot.arrays["seals"], extra.seals)
        engine.clock = extra.clock
        for text in extra.texts:
            engine.texts.number(text)
        engine.lists.restore(extra.lists, extra.told)
        brakes.off, brakes.day, brakes.asked = extra.off, extra.day, extra.asked
        self.pack_at, self.live = extra.pack_at, self._pack_before(extra.pack_at)
        self._reader.under(self.live)

    def _last_before(self, sequence: int) -> int:
        return xxh3_64_intdigest(self._log.get(sequence - 1))

    def _pack_before(self, at: int) -> PackRecord:
        record = decode(at, self._log.get(at))
        if not isinstance(record, PackRecord):
            raise RecordUnreadable(at, "a pack should stand here")
        return record

    def _check_secret(self, sequence: int, live: PackRecord) -> None:
        if live.secret > self.engine.tokens.version:
            what = f"it was written under version {live.secret} of the secret, and the newest given is older"
            raise RecordUnreadable(sequence, what, "Give FAIRGATE_SECRET in all its versions.")
