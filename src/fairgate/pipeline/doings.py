"""From the log to the audit log: what people did at the door, and what they read there."""

from collections.abc import Callable, Iterator

from fairgate.decide.policy import ALL_RULES
from fairgate.domain.action import Action
from fairgate.domain.audit import Doing, Kind, more_of
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.pack import Pack
from fairgate.enforce.ledger import Ledger
from fairgate.pipeline.noted import AnchorRecord, LabelledRecord, ReadRecord
from fairgate.pipeline.records import EraseRecord, LedgerRecord, ListRecord, PackRecord, SwitchRecord, UndoRecord


class Doings:
    """Says what somebody did, by the records of a log in their order; what only says again what stands says nothing.

    `ledger` is as it stands before each record. `pack` gives the pack that is live at the record of a number. `live`
    says which is live before the first record, by its digest and the secret's version; None where that is not known.
    """

    def __init__(self, ledger: Ledger, pack: Callable[[int], Pack], live: PackRecord | None) -> None:
        self._ledger = ledger
        self._pack = pack
        self._live = None if live is None else (live.digest, live.secret)

    def of(self, number: int, record: object) -> Iterator[Doing]:
        """What somebody did by the record of a number."""
        match record:
            case ReadRecord(received=at, by=by, key=key, about=about, why=why, case=case):
                yield Doing(at, by, key, Kind.READ, about, why, case, number)
            case LabelledRecord(received=at, by=by, key=key, about=about, type=type_, id=id_, bad=bad):
                more = more_of(type=type_, id=id_, bad="unknown" if bad is None else bad)
                yield Doing(at, by, key, Kind.LABELLED, Subject("decision", str(about)), "", None, number, more)
            case ListRecord():
                yield self._listed(number, record)
            case LedgerRecord() | UndoRecord():
                yield from self._done(number, record)
            case SwitchRecord(received=at, rule=rule, off=off, by=by, why=why):
                about = Subject("switch", "all" if rule == ALL_RULES else rule)
                yield Doing(at, by, "", Kind.SWITCHED_OFF if off else Kind.SWITCHED_ON, about, why, None, number)
            case EraseRecord(received=at, key=key, by=by, why=why):
                yield Doing(at, by, "", Kind.ERASED, Subject("subject", str(key)), why, None, number)
            case PackRecord():
                yield from self._went_live(number, record)
            case AnchorRecord(received=at, kept=kept, by=by, why=why) if kept >= 0:
                yield Doing(at, by, "", Kind.ACKNOWLEDGED, Subject("audit row", str(kept)), why, None, number)
            case _:
                pass

    def _done(self, number: int, record: LedgerRecord | UndoRecord) -> Iterator[Doing]:
        if isinstance(record, UndoRecord):
            yield from (self._undone(number, record, each) for each in record.numbers)
            return
        for entry in record.entries:
            if entry.by_person and entry.undone is None and entry.number not in self._ledger:
                yield _acted(number, entry)

    def _went_live(self, number: int, record: PackRecord) -> Iterator[Doing]:
        if (record.digest, record.secret) != self._live:
            self._live = record.digest, record.secret
            about, more = Subject("pack", record.digest), more_of(secret=record.secret)
            yield Doing(record.received, "", "", Kind.PACK_LIVE, about, "", None, number, more)

    def _listed(self, number: int, record: ListRecord) -> Doing:
        """A value was put in a list, or taken off it."""
        taken_off = record.until <= record.received
        found = None if taken_off else self._pack(number).lists.get(record.list)
        allows = found is not None and found.effect == Action.ALLOW
        what = Kind.DELISTED if taken_off else Kind.ALLOWED if allows else Kind.LISTED
        about = Subject(f"list {record.list}", record.value)
        more = "" if taken_off else more_of(until=record.until)
        return Doing(record.received, record.by, "", what, about, record.why, None, number, more)

    def _undone(self, number: int, record: UndoRecord, undone: int) -> Doing:
        about, more = Subject("action", str(undone)), ""
        if undone in self._ledger:
            entry = self._ledger.get(undone)
            about, more = entry.subject, more_of(action=entry.action.word, number=undone)
        return Doing(record.received, record.by, "", Kind.UNDONE, about, record.why, None, number, more)


def _acted(number: int, entry: Entry) -> Doing:
    what = Kind.ALLOWED if entry.action == Action.ALLOW else Kind.ACTED
    more = more_of(action=entry.action.word, number=entry.number, until=entry.ends)
    return Doing(entry.starts, entry.by, "", what, entry.subject, entry.why, None, number, more)
