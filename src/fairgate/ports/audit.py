"""The audit log, to which anybody's doings are appended, and which nobody changes."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from fairgate.domain.audit import Doing, Head, Kind, Row
from fairgate.domain.ledger import Subject


class Sought(NamedTuple):
    """Which rows are asked for: by whom, of what kinds, about whom, from a time on and before one; None for any."""

    by: str | None = None
    what: tuple[Kind, ...] | None = None
    about: Subject | None = None
    since: int | None = None
    until: int | None = None


class Readings(NamedTuple):
    """How often somebody read personal values within a span of time that begins at `start`."""

    by: str
    start: int
    times: int


class Audit(Protocol):
    """All that was ever done or read. What people did at the door can be read from the log; the rest stands here alone.

    Any number of processes may use it at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def append(self, doings: Sequence[Doing]) -> list[Row]:
        """Append doings in this order, durably and as one, each chained to the row before; returns their rows.

        Of those from the log, one that is there already (the same was done about the same at the same time) is left
        out: a log says again what stands.
        """
        ...

    def head(self) -> Head:
        """Return where it ends."""
        ...

    def rows(self, after: int, limit: int) -> list[Row]:
        """Return at most `limit` rows with numbers above `after`, by number."""
        ...

    def with_hash(self, hashed: str, after: int, limit: int) -> list[int]:
        """Return at most `limit` numbers above `after` of rows that have a hash, in order. Slow: it looks at all."""
        ...

    def found(self, sought: Sought, before: int, limit: int) -> list[Row]:
        """Return at most `limit` rows with numbers below `before`, the newest first."""
        ...

    def readings(self, since: int, span: int) -> list[Readings]:
        """Return how often each read personal values from a time on, by spans of so many microseconds since 1970.

        In order of name and time; where nothing was read there is none.
        """
        ...
