"""What a pipeline knows: brought up to date from the log, kept in snapshots."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec
import numpy as np
from xxhash import xxh3_64_intdigest

from fairgate import __version__
from fairgate.domain.errors import NotPrepared, RecordUnreadable
from fairgate.domain.ledger import Entry
from fairgate.domain.memory import REMEMBERS, Memory
from fairgate.domain.secret import key_of, salt_of
from fairgate.domain.windows import DAY, LONGEST_REPEAT
from fairgate.ingest.decode import Decoder
from fairgate.ingest.identifiers import TYPES
from fairgate.kernel.layout import LAYOUT_NUMBER
from fairgate.language.check_pack import check_pack
from fairgate.language.pack_file import pack_from_texts
from fairgate.language.problems import PackError
from fairgate.pipeline.engine import Engine
from fairgate.pipeline.history import Piece, pieces, take_in
from fairgate.pipeline.in_force import InForce
from fairgate.pipeline.lookup import first_since
from fairgate.pipeline.noted import AnchorRecord, LabelledRecord, ReadRecord
from fairgate.pipeline.records import (
    FORMAT,
    EraseRecord,
    EventRecord,
    LedgerRecord,
    ListRecord,
    MemoryRecord,
    PackRecord,
    Record,
    RecordReader,
    RestatedRecord,
    SubjectsRecord,
    SwitchRecord,
    UndoRecord,
    encode,
    list_subject,
)
from fairgate.pipeline.repeats import Repeats, RepeatsState
from fairgate.pipeline.seals import NOBODY, Seals, SealsState
from fairgate.ports.event_log import EventLog
from fairgate.ports.snapshots import Snapshot, Snapshots

#: How a snapshot's stamp begins: the shape of what is in it, of rows and of the rest. Rows can be carried within one.
_SHAPE: Final = f"2.{LAYOUT_NUMBER}:"
#: Subjects of one record: it has a limit.
_SUBJECTS = 1 << 20
#: Entries of the ledger in one record.
_ENTRIES = 10_000
#: Actions whose memory stands in one record.
_MEMORIES = 1_000


def stamp_of(digest: str) -> str:
    """How the stamp of a snapshot begins that was made under a pack by this Fairgate."""
    return f"{_SHAPE}{__version__}:{FORMAT}:{digest}:"


class Mark(msgspec.Struct, frozen=True, gc=False):
    """A place between two records: the number of the next, and a hash of the one before."""

    sequence: int
    last: int


class Point(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A number at which the log may begin, and the time when all that stood was said again there."""

    start: int
    received: int


class _Extra(msgspec.Struct, array_like=True):
    """The part of a snapshot that is no array. `last` is a hash of the log's last record before it."""

    last: int
    live: PackRecord
    pack_at: int
    points: list[Point]
    clock: int
    texts: list[str]
    in_force: list[ListRecord | SwitchRecord]
    day: int
    asked: dict[str, int]
    repeats: RepeatsState
    seals: SealsState
    ledger: list[Entry] = []
    following: int = 0
    memories: list[Memory] = []


class State:
    """An engine's state with what is remembered beside it: repeats, whose numbers there are, and the live pack.

    The same log gives the same state. `live` is the pack that was live at the end of what was read, since number
    `pack_at`; `read_to` is the number of the first record that was not read, None before `catch_up`. `points` are where
    the log may begin. `anew` names the aggregates that look back for ever, and here only to the log's beginning.

    With `remembers` repeats are read, too; without it they are another's, who keeps them up to date.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the pieces that a pipeline is made of, handed on
        self,
        engine: Engine,
        decoder: Decoder,
        log: EventLog,
        secret: int,
        seals: Seals,
        repeats: Repeats,
        *,
        remembers: bool = True,
    ) -> None:
        self.engine = engine
        self.repeats = repeats
        self.seals = seals
        self.in_force = InForce()
        self.live: PackRecord | None = None
        self.pack_at = -1
        self.read_to: int | None = None
        self.points: list[Point] = []
        self.anew: tuple[str, ...] = ()
        self._log = log
        self._remembers = remembers
        self._reader = RecordReader(decoder.wires, seals.open)
        layout = xxh3_64_intdigest(engine.plan.program.words.tobytes(), salt_of(secret, "layout"))
        self._stamp = f"{stamp_of(engine.checked.pack.digest)}{layout:016x}"

    def catch_up(self, snapshots: Snapshots, others: Snapshots, most: int | None = None) -> int:
        """Read to the end of what is durable; returns how many records that were.

        Begins at the newest snapshot, and where it left off when it is called again. Where there is none and the log
        does not begin with record 0, profiles are taken from whatever pack's is the newest among `others`. Raises
        `NotPrepared` where there are more than `most` records, `RecordUnreadable`, `SealBroken`, `KeysUnusable`, and
        what reading the log raises.
        """
        if self.read_to is None:
            self.read_to = self._load(snapshots, others)
        start = self.read_to
        if most is not None and self._log.end() - start > most:
            raise NotPrepared(self._log.end() - start)
        for sequence, piece in pieces(self._log.read(start)):
            self._take_in(sequence, piece)
        return self.read_to - start

    def resume(self, snapshots: Snapshots) -> int | None:
        """Take over the oldest snapshot since when its pack is live; returns the number of the first record after it.

        None, and nothing done, where there is no snapshot of this log that fits.
        """
        oldest: tuple[Snapshot, _Extra] | None = None
        for each in self._of_this_log(snapshots, self._stamp):
            if oldest is not None and each[1].pack_at != oldest[1].pack_at:
                break
            oldest = each
        if oldest is None:
            return None
        self._take_over(*oldest)
        return oldest[0].sequence

    def went_live(self, sequence: int, pack: PackRecord) -> None:
        """The engine's pack is live from a number on."""
        self.pack_at, self.live = sequence, pack

    def restated(self, now: int) -> Iterator[Record]:
        """What stands at a time, beside the live pack."""
        keys = self.seals.subjects()
        for first in range(0, len(keys), _SUBJECTS):
            yield SubjectsRecord(now, first, keys[first : first + _SUBJECTS].tobytes())
        yield from self.in_force.records(now, self.engine.lists)
        ledger = self.engine.ledger
        ledger.forget(now)
        held = tuple(ledger)
        for first in range(0, len(held), _ENTRIES):
            yield LedgerRecord(now, held[first : first + _ENTRIES], ledger.following)
        if not held and ledger.following:
            yield LedgerRecord(now, (), ledger.following)
        memories = tuple(self.engine.memory.standing(now))
        for first in range(0, len(memories), _MEMORIES):
            yield MemoryRecord(now, memories[first : first + _MEMORIES], REMEMBERS, "")

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
            live=self._live_pack(),
            pack_at=self.pack_at,
            points=self.points,
            clock=engine.clock,
            texts=engine.texts.all(),
            in_force=list(self.in_force.records(engine.clock, engine.lists)),
            day=brakes.day,
            asked=brakes.asked,
            repeats=repeats,
            seals=seals,
            ledger=list(engine.ledger),
            following=engine.ledger.following,
            memories=engine.memory.standing(engine.clock),
        )
        arrays = {**engine.rows.arrays(), "repeats": keys, "seals": numbers}
        return Snapshot(at.sequence, self._stamp, arrays, encode(extra))

    def forget(self, number: int) -> None:
        """Erase the subject of a number. Raises `KeysUnusable`."""
        self.seals.forget(number)
        self.engine.forget_texts()

    def _take_in(self, sequence: int, piece: Piece) -> None:
        """Bring the state up to date with the next piece of the log."""
        match piece:
            case list():
                if self._remembers:
                    self.repeats.recall(piece, sequence)
                for record in piece:
                    self._learn(record.key, self._reader.subject, record)
            case ListRecord():
                self._learn(piece.key, lambda entry: list_subject(entry.list, entry.value), piece)
                self.in_force.take(piece)
            case SwitchRecord():
                self.in_force.take(piece)
            case PackRecord():
                self._check_secret(sequence, piece)
                if not piece.same(self.live):
                    self.went_live(sequence, piece)
            case LedgerRecord() | UndoRecord() | MemoryRecord() | ReadRecord() | LabelledRecord() | AnchorRecord():
                pass  # the engine takes it in, or nothing follows from it
            case _:
                self._mind(piece)
        take_in(self.engine, self._reader, piece)
        self.read_to = sequence + (len(piece) if isinstance(piece, list) else 1)

    def _mind(self, piece: EraseRecord | SubjectsRecord | RestatedRecord) -> None:
        """Bring up to date what no decision depends on."""
        match piece:
            case EraseRecord():
                if piece.key != NOBODY:
                    self.forget(piece.key)
            case SubjectsRecord():
                self.seals.restore(piece.first, np.frombuffer(piece.keys, np.uint64))
            case RestatedRecord():
                self.points.append(Point(piece.start, piece.received))

    def _learn(self, number: int, subject: Callable[[Any], str | bytes], record: EventRecord | ListRecord) -> None:
        """Take in whose number a record has, where it is new."""
        if number >= self.seals.following:
            name = subject(record)
            self.seals.learn(key_of(name) if isinstance(name, bytes) else self.engine.tokens.key[name], number)

    def _load(self, snapshots: Snapshots, others: Snapshots) -> int:
        """Take over the newest snapshot that is of this log; returns the number of the first record after it."""
        for snapshot, extra in self._of_this_log(snapshots, self._stamp):
            self._take_over(snapshot, extra)
            return snapshot.sequence
        if self._remembers:
            self.repeats.reset()
        begin = self._log.begin()
        if begin:
            self._carry(others)
        return begin

    def _of_this_log(self, snapshots: Snapshots, stamp: str) -> Iterator[tuple[Snapshot, _Extra]]:
        """The snapshots with a stamp that begins so, the newest first."""
        end = self._log.end()
        while (snapshot := snapshots.latest(stamp, end)) is not None and snapshot.sequence > self._log.begin():
            extra = msgspec.msgpack.decode(snapshot.extra, type=_Extra)
            if extra.last == self._last_before(snapshot.sequence):
                yield snapshot, extra
            end = snapshot.sequence - 1

    def _take_over(self, snapshot: Snapshot, extra: _Extra) -> None:
        engine, brakes = self.engine, self.engine.brakes
        engine.rows.load(snapshot.arrays)
        if self._remembers and not self.repeats.load(snapshot.arrays["repeats"], extra.repeats):
            self._recall(snapshot.sequence, extra.clock)
        self.seals.load(snapshot.arrays["seals"], extra.seals)
        engine.clock = extra.clock
        for text in extra.texts:
            engine.texts.number(text)
        for said in extra.in_force:
            self.in_force.take(said)
            take_in(engine, self._reader, said)
        engine.ledger.restore(extra.ledger, extra.following)
        for memory in extra.memories:
            engine.memory.take(memory)
        brakes.day, brakes.asked = extra.day, extra.asked
        self.points = extra.points
        self.went_live(extra.pack_at, extra.live)
        self._reader.under(extra.live)

    def _recall(self, stop: int, clock: int) -> None:
        """Read again which events came before a number, as far back as a repeat can be known."""
        self.repeats.reset()
        start = first_since(self._log, (clock // DAY) * DAY - LONGEST_REPEAT - 2 * DAY)
        for sequence, piece in pieces(self._log.read(start, stop)):
            if isinstance(piece, list):
                self.repeats.recall(piece, sequence)

    def _carry(self, others: Snapshots) -> None:
        """Take profiles over from another pack's snapshot: they know what the log does not have any more."""
        engine, version = self.engine, self.engine.tokens.version
        self.anew = tuple(engine.plan.profiles)
        for snapshot, extra in self._of_this_log(others, _SHAPE):
            if extra.live.secret == version:
                with suppress(PackError):  # this Fairgate does not take the old pack: `anew` says what is lost
                    old = check_pack(pack_from_texts(extra.live.files), TYPES)
                    for text in extra.texts:
                        engine.texts.number(text)
                    self.anew = engine.carry(snapshot.arrays, old)
                return

    def _last_before(self, sequence: int) -> int:
        return xxh3_64_intdigest(self._log.get(sequence - 1))

    def _live_pack(self) -> PackRecord:
        if self.live is None:
            raise RecordUnreadable(self._log.begin(), "no pack stands there")
        return self.live

    def _check_secret(self, sequence: int, live: PackRecord) -> None:
        if live.secret > self.engine.tokens.version:
            what = f"it was written under version {live.secret} of the secret, and the newest given is older"
            raise RecordUnreadable(sequence, what, "Give FAIRGATE_SECRET in all its versions.")
