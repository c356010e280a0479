"""The event log in its simplest form: a list, and which of it is held and durable. The real ones must do as it does."""

from collections.abc import Iterator

from fairgate.domain.errors import NoSuchRecord


class NaiveLog:
    """Does what the port says, and knows what a crash may take."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.durable = 0
        self.dropped = 0

    def append(self, record: bytes) -> int:
        self.records.append(record)
        return len(self.records) - 1

    def commit(self) -> int:
        self.durable = len(self.records)
        return self.durable

    def drop(self, before: int) -> None:
        if not self.dropped <= before <= self.durable:
            raise ValueError(before)
        self.dropped = before

    def read(self, start: int | None = None, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        start = self.dropped if start is None else start
        if start < self.dropped:
            raise NoSuchRecord(start, len(self.records), self.dropped)
        stop = self.durable if stop is None else min(stop, self.durable)
        return iter([(at, self.records[at]) for at in range(start, stop)])

    def get(self, sequence: int) -> bytes:
        if not self.dropped <= sequence < len(self.records):
            raise NoSuchRecord(sequence, len(self.records), self.dropped)
        return self.records[sequence]

    def begin(self) -> int:
        return self.dropped

    def end(self) -> int:
        return len(self.records)

    def close(self) -> None:
        self.commit()

    def crash(self, survivors: int) -> None:
        """After a crash this many records are there: all that were durable, and of the others only the oldest."""
        assert self.durable <= survivors <= len(self.records)
        del self.records[survivors:]
        self.durable = survivors


def read_until_dropped(reading: Iterator[tuple[int, bytes]]) -> tuple[list[tuple[int, bytes]], NoSuchRecord | None]:
    """What is given out, and what is told of the first record that has been dropped and isn't."""
    found: list[tuple[int, bytes]] = []
    try:
        found.extend(reading)
    except NoSuchRecord as error:
        return found, error
    return found, None
