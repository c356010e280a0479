"""From the log to the records of the ledger, the messages that tell other services of it, and the audit log."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from fairgate.decide.policy import ALL_RULES
from fairgate.domain.action import SWITCH, Action, switched_off
from fairgate.domain.audit import Doing
from fairgate.domain.ledger import Entry, Undone
from fairgate.domain.pack import Pack
from fairgate.domain.windows import SECOND
from fairgate.enforce.ledger import Ledger
from fairgate.enforce.messages import Messages, What, name_of, switched
from fairgate.pipeline.doings import Doings
from fairgate.pipeline.lookup import live_pack
from fairgate.pipeline.records import EventRecord, LedgerRecord, PackRecord, SwitchRecord, UndoRecord, decode
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


class Projection:
    """Brings the records up to a log, a step at a time, and puts letters for `receivers` in the outbox.

    What it knows of the ledger is what the records had when it was made: no other process may write them.
    `compile_pack` makes a pack from its files' texts. Raises `RecordUnreadable`, and what log and records raise: then
    it must be made anew.
    """

    def __init__(
        self,
        log: EventLog,
        records: LedgerRecords,
        receivers: Sequence[str],
        compile_pack: Callable[[Mapping[str, str]], Pack],
    ) -> None:
        self._log = log
        self._records = records
        self._receivers = tuple(receivers)
        self._compile_pack = compile_pack
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
            record = decode(number, data)
            self._done += self._doings.of(number, record)
            self._take_in(number, record)
            sequence = number + 1
            if max(len(self._said), len(self._done)) >= MOST_MESSAGES:
                break
        time = self._read.time if self.behind > STEP else self._ended(max(now, self._read.time))
        self._ledger.forget(time)
        self._read = Read(sequence, time, tuple(sorted(self._off)))
        if self._entries or self._said or self._done or self._is_due():
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

    def _take_in(self, number: int, record: object) -> None:
        match record:
            case EventRecord(received=received, entries=entries) | LedgerRecord(received=received, entries=entries):
                for entry in entries:
                    self._entry(number, entry, received)
            case UndoRecord():
                undone = Undone(record.received, record.by, record.why)
                for each in record.numbers:
                    self._undo(number, each, undone)
            case SwitchRecord(rule=name) if name == ALL_RULES or name.startswith(SWITCH):
                if (name in self._off) != record.off:  # else it is only said again
                    self._switch(number, record)
            case PackRecord():
                self._pack = self._messages = None  # made when they are asked for
            case _:
                pass  # nothing that stands about anybody

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
        concerned = {
            entry.subject: entry
            for entry in self._ledger
            if entry.stands(now) and name in (ALL_RULES, f"{SWITCH}{entry.action.word}")
        }
        for entry in concerned.values():
            self._tell(number, entry, What.SWITCHED, now)

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
        if self._messages is None:
            pack = self._live_pack(number)
            self._messages = Messages(self._ledger, pack.actions, pack.reasons)
        off = frozenset(Action) if ALL_RULES in self._off else switched_off(self._off)
        self._said.append(self._messages.changed(name, entry, what, now, off))

    def _live_pack(self, number: int) -> Pack:
        """The pack that is live at the record of a number."""
        if self._pack is None:
            self._pack = self._compile_pack(live_pack(self._log, min(number, self._log.end() - 1)).files)
        return self._pack
