"""The ledger as SQL has it: a projection of the log, which also knows what has ended, and tells others of it."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import msgspec

from fairgate.domain.audit import Doing
from fairgate.domain.ledger import Entry, Subject


class Message(msgspec.Struct, frozen=True, gc=False):
    """What other services are told about a subject. `id` is the same however often it is sent; `body` is JSON."""

    id: str
    subject: Subject
    type: str
    body: bytes


class Read(NamedTuple):
    """How far the log was read: all records below `sequence`. Whatever ended by `time` was told of by then.

    `off` are the switches that were off there: actions as `action:` and their word, `*` for all enforcement.
    """

    sequence: int
    time: int
    off: tuple[str, ...] = ()


class LedgerRecords(Protocol):
    """The entries of the ledger, each as the log said it last, and how far the log was read for them.

    One process writes; others may read meanwhile. Everything raises `RecordsUnavailable` where the data base can't be
    used; nothing is half done then.
    """

    def read(self) -> Read:
        """Return how far the log was read; `Read(0, 0)` where nothing was taken in."""
        ...

    def take(
        self,
        read: Read,
        entries: Sequence[Entry],
        messages: Sequence[Message],
        receivers: Sequence[str],
        doings: Sequence[Doing] = (),
    ) -> None:
        """Take in what the log says up to a place, durably and as one.

        Each entry takes the place of what was said of its number before; of several with one number, the last counts.
        Each message becomes a letter to each receiver, in this order, made and due at `read.time`. The doings
        are appended to the audit log, see `Audit.append`.
        """
        ...

    def get(self, number: int) -> Entry | None:
        """Return the entry of a number, also where it is over; None where none was taken in."""
        ...

    def standing(self, subject: Subject, now: int) -> list[Entry]:
        """Return what stands about a subject at a time, by number."""
        ...

    def held(self, now: int, after: int, limit: int) -> list[Entry]:
        """Return at most `limit` entries that don't end by themselves before `now`, with numbers above `after`.

        By number, also those that were undone.
        """
        ...

    def ended(self, after: int, upto: int, limit: int) -> list[Entry]:
        """Return entries that ended by themselves after one time and not after another, by their end and number.

        At most `limit`, and those that end with the last of them. What was undone did not end by itself.
        """
        ...

    def of(self, subject: Subject, before: int, limit: int) -> list[Entry]:
        """Return at most `limit` entries about a subject with numbers below `before`, the newest first."""
        ...
