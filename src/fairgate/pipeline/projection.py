"""From the log to the records of the ledger, the messages that tell other services of it, and the audit log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from fairgate.decide.policy import ALL_RULES
from fairgate.domain.action import SWITCH, Action, switched_off
from fairgate.domain.audit import Doing
from fairgate.domain.ledger import Entry, Undone
from fairgate.domain.pack import ActionSpec, Pack
from fairgate.domain.windows import SECOND
from fairgate.enforce.ledger import Ledger
from fairgate.enforce.messages import Messages, What, name_of, switched
from fairgate.pipeline.doings import Doings
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.records import (
    EventRecord,
    LedgerRecord,
    PackRecord,
    Record,
    SwitchRecord,
    UndoRecord,
    decode,
)
from fairgate.ports.event_log import EventLog
from fairgate.ports.ledger import LedgerRecords, Message, Read

#: Records of the log that one step reads, and messages, or doings, after which it ends: so much is one transaction.
STEP: Final = 50_000
MOST_MESSAGES: Final = 2_000
#: How long events of which nothing follows are read before the records are told.
_PAUSE = 10 * SECOND
#: Entries that are read from the records at a time when it begins.
_PAGE = 10_000
#: What `*` is called by those who are told.
_ALL = "all"


class Watcher(Protocol):
    """Something else that is brought up to the log as it is read, and keeps what it makes of it by itself.

    `events` says whether it is shown events: they are most of the log.
    """

    events: bool

    def live(self, record: PackRecord, pack: Pack) -> None:
        """A pack is live from here on. Called before the first record is seen that it is live at."""
        ...

    def see(self, number: int, record: Record, /) -> None:
        """A record, in order. After a start some are seen again that were seen before."""
        ...

    def due(self, now: int, /) -> bool:
        """Whether it has something that must be kept now."""
        ...

    def keep(self, upto: int, now: int) -> None:
        """Keep, durably, what came of the records below a number. Seen again, they change nothing more."""
        ...


class Projection:
    """Brings the records up to a log, a step at a time, and puts letters for `receivers` in the outbox.

    What it knows of the ledger is what the records had when it was made: no other process may write them.
    `compile_pack` makes a pack from its files' texts. What `watchers` have is kept before the records know that it was
    read so far. Raises `RecordUnreadable`, and what log, records and watchers raise: then it must be made anew.
    """

    def __init__(
        self,
        log: EventLog,
        records: LedgerRecords,
        receivers: Sequence[str],
        compile_pack: Callable[[Mapping[str, str]], Pack],
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._log = log
        self._records = records
        self._receivers = tuple(receivers)
        self._compile_pack = compile_pack
        self._watchers = tuple(watchers)
        self._watch_events = tuple(each for each in watchers if each.events)
        self._watched = False
        self._read = self._kept = records.read()
        self._off = set(self._read.off)
        self._ledger = Ledger({})
        for entry in self._held():
            self._ledger.take(entry)
        self._pack: Pack | None = None
        self._messages: Messages | None = None
        before = self._read.sequence - 1
        live = live_pack(log, before) if log.begin() <= before < log.end() else None
        self._doings = Doings(self._ledger, self._live_pack, live)
        self._done: list[Doing] = []
        self._entries: list[Entry] = []
        self._said: list[Message] = []

    @property
    def behind(self) -> int:
        """Records of the log that were not read yet."""
        return self._log.end() - self._read.sequence

    def step(self, now: int) -> int:
        """Take in the next records, and what has ended by itself until now; returns how many messages came of it.

        0 where nothing new is there; the rest of the log is for the next step where there is too much of it.
        """
        self._entries, self._said, self._done = [], [], []
        sequence = max(self._read.sequence, self._log.begin())
        first = sequence
        for number, data in self._log.read(first, first + STEP):
            self._take_in(number, decode(number, data))
            sequence = number + 1
            if max(len(self._said), len(self._done)) >= MOST_MESSAGES:
                break
        time = self._read.time if self.behind > STEP else self._ended(max(now, self._read.time))
        self._ledger.forget(time)
        self._read = Read(sequence, time, tuple(sorted(self._off)))
        watched = any(each.due(time) for each in self._watchers)
        if self._entries or self._said or self._done or watched or self._is_due():
            for each in self._watchers:
                each.keep(sequence, time)
            self._records.take(self._read, self._entries, self._said, self._receivers, self._done)
            self._kept = self._read
        return len(self._said)

    def _is_due(self) -> bool:
        """Whether so much was read for nothing since the records were told that it is worth telling them."""
        far = self._read.sequence - self._kept.sequence >= STEP
        return far or (self._read.time - self._kept.time >= _PAUSE and self._read.sequence > self._kept.sequence)

    def _held(self) -> Iterator[Entry]:
        after, page = -1, self._records.held(self._read.time, -1, _PAGE)
        while page:
            yield from page
            after = page[-1].number
            page = self._records.held(self._read.time, after, _PAGE)

    def _take_in(self, number: int, record: Record) -> None:
        if self._watchers:
            self._watch(number, record)
        if isinstance(record, EventRecord):  # most are, and of most nothing follows
            self._told_of(number, record.entries, record.received)
            return
        self._done += self._doings.of(number, record)
        match record:
            case LedgerRecord():
                self._told_of(number, record.entries, record.received)
            case UndoRecord():
                undone = Undone(record.received, record.by, record.why)
                for each in record.numbers:
                    self._undo(number, each, undone)
            case SwitchRecord(rule=name) if name == ALL_RULES or name.startswith(SWITCH):
                if (name in self._off) != record.off:  # else it is only said again
                    self._switch(number, record)
            case PackRecord():
                self._go_live(number, record)
            case _:
                pass  # nothing that stands about anybody

    def _watch(self, number: int, record: Record) -> None:
        if not self._watched and not isinstance(record, PackRecord):  # it begins in the middle of the log
            live = live_pack(self._log, number)
            self._tell_watchers(live, self._compile_pack(live.files))
        for each in self._watch_events if isinstance(record, EventRecord) else self._watchers:
            each.see(number, record)

    def _tell_watchers(self, record: PackRecord, pack: Pack) -> None:
        self._watched = True
        for each in self._watchers:
            each.live(record, pack)

    def _told_of(self, number: int, entries: Sequence[Entry], received: int) -> None:
        for each in entries:
            self._entry(number, each, received)

    def _entry(self, number: int, entry: Entry, received: int) -> None:
        """Take in an entry, which may only be said again. One that is over by now is not told of."""
        known = self._ledger.get(entry.number) if entry.number in self._ledger else None
        if entry == known:
            return
        self._entries.append(entry)
        if known is not None or entry.ends > self._read.time:
            self._ledger.take(entry)
            self._tell(number, entry, What.TAKEN if entry.undone is None else What.UNDONE, received)

    def _switch(self, number: int, record: SwitchRecord) -> None:
        """An action, or all, is switched: tell so, and how all those stand now to whom it makes a difference."""
        name, now = record.rule, record.received
        (self._off.add if record.off else self._off.discard)(name)
        self._said.append(switched(_ALL if name == ALL_RULES else name, number, now, off=record.off))
        self._tell_all(number, What.SWITCHED, now, lambda action: name in (ALL_RULES, f"{SWITCH}{action.word}"))

    def _go_live(self, number: int, record: PackRecord) -> None:
        """A pack goes live, or is only said again: tell those of whose actions it says something else."""
        before = self._messages_at(number - 1) if number > self._log.begin() and len(self._ledger) else None
        pack = self._pack = self._compile_pack(record.files)
        now = self._messages = self._made(pack)
        self._tell_watchers(record, pack)
        if before is not None:
            others = {each for each in Action if _meaning(before.specs.get(each)) != _meaning(now.specs.get(each))}
            self._tell_all(number, What.REDEFINED, record.received, others.__contains__)

    def _tell_all(self, number: int, what: What, now: int, concerns: Callable[[Action], bool]) -> None:
        """Tell how all those stand on whom an action stands that is concerned, each once."""
        concerned = {entry.subject: entry for entry in self._ledger if entry.stands(now) and concerns(entry.action)}
        for entry in concerned.values():
            self._tell(number, entry, what, now)

    def _undo(self, number: int, undone_number: int, undone: Undone) -> None:
        """Undo an entry, unless it has ended and is forgotten, or was undone before."""
        if undone_number in self._ledger and self._ledger.get(undone_number).undone is None:
            self._ledger.undo([undone_number], undone)
            entry = self._ledger.get(undone_number)
            self._entries.append(entry)
            self._tell(number, entry, What.UNDONE, undone.at)

    def _ended(self, now: int) -> int:
        """Tell what has ended by itself, as far as the records know of it; returns up to when all of it was told."""
        if self._ledger.ends_at > now:
            return now
        now = min([now, *(entry.ends - 1 for entry in self._entries if entry.ends > self._read.time)])
        ended = self._records.ended(self._read.time, now, MOST_MESSAGES)
        for entry in ended:
            self._tell(self._read.sequence, entry, What.ENDED, now)
        return ended[-1].ends if len(ended) >= MOST_MESSAGES else now

    def _tell(self, number: int, entry: Entry, what: What, now: int) -> None:
        """Say what happened to an entry, and how its subject stands then: never earlier than what was told before."""
        name, now = name_of(entry, what, now), max(now, self._read.time)
        if not self._receivers:
            return
        self._messages = self._messages_at(number)
        off = frozenset(Action) if ALL_RULES in self._off else switched_off(self._off)
        self._said.append(self._messages.changed(name, entry, what, now, off))

    def _messages_at(self, number: int) -> Messages:
        """Those of the pack that is live at the record of a number."""
        return self._messages or self._made(self._live_pack(number))

    def _live_pack(self, number: int) -> Pack:
        """The last pack that was read, and after a start the one that is live at the record of a number."""
        if self._pack is None:
            self._pack = self._compile_pack(live_pack(self._log, min(number, self._log.end() - 1)).files)
        return self._pack

    def _made(self, pack: Pack) -> Messages:
        return Messages(self._ledger, pack.actions, pack.reasons)


def _meaning(spec: ActionSpec | None) -> object:
    """What an action that stands means, wherever the pack says so; for how long is said of each when it is taken."""
    return None if spec is None else (spec.use, spec.spend, spec.rate, spec.models, spec.challenge)
