"""The event log: what happened, in order, once and for all.

The log owns events, decisions, labels, lists and packs; everything else is a projection of it. Its order is the
platform's order: a replay reads the same records one after the other and comes to the same decisions.
"""

from collections.abc import Iterator
from typing import Final, Protocol

MAX_RECORD_BYTES: Final = 16 * 1024 * 1024
"""The longest record a log takes. `append` refuses a longer one with `RecordTooLarge`."""


class EventLog(Protocol):
    """A sequence of byte strings, numbered 0, 1, 2, ... without a gap, with one writer. It grows at its end only.

    A record is *pending* from `append` until a `commit` that covers it returns, and *durable* from then on: it survives
    the end of the process and the loss of power. After a crash some pending records may be there, but only in order: if
    one is, so are all before it, and a number whose record was lost is given again.

    The oldest records can be *dropped*: the log then begins with a later one, and the others keep their numbers.

    Every method may be called from any thread. A failed write is final: it raises `LogBroken`, and so does every call
    from then on, since nobody can know what reached the disk. Using a closed log is a `ValueError`, writing to one that
    was opened for reading only an `io.UnsupportedOperation`.
    """

    def append(self, record: bytes) -> int:
        """Take the next sequence number for `record` and return it; the record is pending.

        Costs about a microsecond, and never waits for the disk. Raises `RecordTooLarge` above `MAX_RECORD_BYTES`, and
        gives no number then.
        """
        ...

    def commit(self) -> int:
        """Make everything appended before this call durable, and return the first sequence that isn't durable.

        Other threads may append meanwhile; commits from several threads are done together.
        """
        ...

    def drop(self, before: int) -> None:
        """Forget the records below `before`, durably: they are not given out again, by any process that opens the log.

        Only what is durable can be dropped: `before` is at least `begin()` and at most what `commit` has returned, else
        a `ValueError`. Their bytes may stay on disk for a while. A failure loses nothing and stops nothing: it raises
        `LogUnavailable`, the log begins with the old or the new record then, and the same call can be made again.
        """
        ...

    def read(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        """Return the durable records of the half-open interval `[start, stop)`, in order, each with its sequence.

        What is durable is settled when `read` is called; without `stop`, and when `stop` lies beyond, the interval ends
        there. Without `start` it begins where the log does. A negative bound is a `ValueError`. Raises `NoSuchRecord`
        for a `start` below `begin()`, and on reaching a record that has been dropped since `read` was called and is
        gone; `LogDamaged` on reaching one that isn't as written. Those before it have been given out by then.
        """
        ...

    def get(self, sequence: int) -> bytes:
        """Return one record, durable or pending, in time that doesn't depend on the length of the log.

        Raises `NoSuchRecord` for a number that hasn't been given, or whose record has been dropped.
        """
        ...

    def begin(self) -> int:
        """Return the first sequence that is held: 0 until something is dropped, `end()` when all is."""
        ...

    def end(self) -> int:
        """Return the sequence that the next record will get."""
        ...

    def close(self) -> None:
        """Commit what is pending and let another writer in. Closing twice is harmless.

        Raises `LogBroken` when that can't be done, or a write had failed before; the log is closed even then.
        """
        ...
