"""The audit log checked: each row against its hash and its neighbours, all of it against the anchors in the log."""

from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

from fairgate.domain.audit import ROOT, Anchor, Row, hash_of
from fairgate.domain.secret import Secrets
from fairgate.pipeline.noted import AnchorRecord
from fairgate.pipeline.records import decode
from fairgate.ports.audit import Audit
from fairgate.ports.event_log import EventLog

#: Rows that are read at a time: with a thousand characters in each, some megabytes.
_PAGE: Final = 2_000
#: Below all numbers that a data base can have.
_LOWEST: Final = -1 << 63
#: Faults that are told; more are counted.
MOST_TOLD: Final = 100
#: How an anchor's record begins: an array of nine, and first its kind.
_ANCHOR: Final = b"\x99\xa6anchor"


class FaultKind(StrEnum):
    """What is wrong with the audit log at a row."""

    CHANGED = "changed"
    REMOVED = "removed"
    REORDERED = "reordered"
    CUT_OFF = "cut off"
    REPLACED = "replaced"
    FORGED_ANCHOR = "forged anchor"


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is wrong from row `first` to row `last`, in words. `anchor` is the record of the log that tells of it."""

    kind: FaultKind
    first: int
    last: int
    words: str
    anchor: int | None = None


class Placed(NamedTuple):
    """An anchor, the number of its record in the log, and when that was received."""

    sequence: int
    received: int
    anchor: Anchor


class Checked(msgspec.Struct, frozen=True):
    """What a check has found. `sound` rows are in order; `vouched` is the last row that an anchor vouches for.

    `unknown` anchors are of a secret's version that is not known any more, so they could not be checked. `acknowledged`
    is how many were set aside since somebody acknowledged that rows had been cut off.
    """

    rows: int
    head: str
    anchors: int
    unknown: int
    acknowledged: int
    vouched: int
    faults: list[Fault]
    more_faults: int

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not self.faults


def anchors_in(log: EventLog, start: int | None = None) -> Iterator[Placed]:
    """The anchors in a log, from where it begins or a number on. Raises what reading the log raises."""
    for sequence, data in log.read(log.begin() if start is None else start):
        if data.startswith(_ANCHOR):
            record = decode(sequence, data)
            if isinstance(record, AnchorRecord):
                yield Placed(sequence, record.received, record.anchor)


class Check:
    """Checks an audit log against anchors, in their order, and the secrets by which they are signed."""

    def __init__(self, audit: Audit, anchors: Iterable[Placed], secrets: Secrets) -> None:
        self._audit = audit
        self._faults: list[Fault] = []
        self._more = 0
        self._altered_before = False
        self._unknown = self._acknowledged = self._count = self._vouched = 0
        self._anchors = self._counting(anchors, secrets)

    def run(self, after: int = 0) -> Checked:
        """Check all rows, or those above a number, which is taken to be in order."""
        rows, head = after, self._hash_at(after)
        place = after or _LOWEST
        while page := self._audit.rows(place, _PAGE):
            place = page[-1].number
            for row in page:
                if row.number < 1:
                    self._fault(FaultKind.CHANGED, row.number, row.number, "rows count from 1")
                    continue
                self._check_row(row, rows, head)
                rows, head = row.number, row.hash
        for count, placed in self._anchors.items():  # those that are left: no row has their number
            if count > rows:
                words = f"record {placed.sequence} of the log vouches for {count} rows"
                self._fault(FaultKind.CUT_OFF, rows + 1, count, words, placed.sequence)
        anchors = (self._count, self._unknown, self._acknowledged, self._vouched)
        return Checked(rows, head, *anchors, self._faults, self._more)

    def _counting(self, anchors: Iterable[Placed], secrets: Secrets) -> dict[int, Placed]:
        """The anchors that count, by how many rows they vouch for; of several for as many, the first that is told."""
        found = dict[int, Placed]()
        for placed in anchors:
            self._count += 1
            anchor, holds = placed.anchor, placed.anchor.holds(secrets)
            if holds is None:
                self._unknown += 1
            elif not holds:
                words = f"record {placed.sequence} of the log is not signed by this installation's secret"
                self._fault(FaultKind.FORGED_ANCHOR, anchor.count, anchor.count, words, placed.sequence)
            else:
                if anchor.kept >= 0:
                    aside = [count for count in found if count > anchor.kept]
                    self._acknowledged += len(aside)
                    for count in aside:
                        del found[count]
                self._note(found, placed)
        return found

    def _note(self, found: dict[int, Placed], placed: Placed) -> None:
        count, head = placed.anchor.count, placed.anchor.head
        before = found.setdefault(count, placed)
        if before.anchor.head != head:
            words = f"records {before.sequence} and {placed.sequence} of the log vouch for two rows of this number"
            self._fault(FaultKind.REPLACED, count, count, words, placed.sequence)

    def _check_row(self, row: Row, rows: int, head: str) -> None:
        """Check a row against the number and the hash of the row before, its own hash, and the anchor for it."""
        if row.number > rows + 1:
            self._fault(FaultKind.REMOVED, rows + 1, row.number - 1, "there are no such rows any more")
        altered = hash_of(row.number, row.doing, row.previous) != row.hash
        if altered:
            self._fault(*self._altered(row))
        elif row.number == rows + 1 and row.previous != head and not self._altered_before:
            words = f"it does not follow on row {rows}" if rows else "something was before it"
            self._fault(FaultKind.CHANGED, row.number, row.number, words)
        self._altered_before = altered  # nothing follows on such a row, which is told already
        placed = self._anchors.get(row.number)
        if placed is None:
            return
        if placed.anchor.head == row.hash:
            self._vouched = row.number
        else:
            words = f"record {placed.sequence} of the log vouches for another row, and so for other rows before it"
            self._fault(FaultKind.REPLACED, row.number, row.number, words, placed.sequence)

    def _altered(self, row: Row) -> tuple[FaultKind, int, int, str]:
        """What happened to a row that is not what its hash says: it stood elsewhere, or has other contents."""
        for number in self._numbers_after(row.previous):
            if number != row.number and hash_of(number, row.doing, row.previous) == row.hash:
                return FaultKind.REORDERED, row.number, row.number, f"it was row {number}"
        return FaultKind.CHANGED, row.number, row.number, "it is not what its hash says"

    def _numbers_after(self, previous: str) -> Iterable[int]:
        """The numbers that a row with this hash before it may have had."""
        if len(self._faults) >= MOST_TOLD:  # which of both it is will not be told
            return ()
        if previous == ROOT:
            return (1,)
        found: Sequence[int] = self._audit.with_hash(previous, 0, 10)
        # The row before may have been moved by as much, or taken another's place.
        return sorted({moved for each in found for moved in (each, each + 1, each + 2)})

    def _hash_at(self, number: int) -> str:
        page = self._audit.rows(number - 1, 1) if number else []
        return page[0].hash if page and page[0].number == number else ROOT

    def _fault(self, kind: FaultKind, first: int, last: int, words: str, anchor: int | None = None) -> None:
        if len(self._faults) < MOST_TOLD:
            self._faults.append(Fault(kind, first, last, words, anchor))
        else:
            self._more += 1
