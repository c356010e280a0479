"""The event log in its simplest form: a list, and how much of it is durable. The real ones must do as it does."""

from collections.abc import Iterator


class NaiveLog:
    """Does what the port says, and knows what a crash may take."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.durable = 0

    def append(self, record: bytes) -> int:
        self.records.append(record)
        return len(self.records) - 1

    def commit(self) -> int:
        self.durable = len(self.records)
        return self.durable

    def read(self, start: int = 0, stop: int | None = None) -> Iterator[tuple[int, bytes]]:
        stop = self.durable if stop is None else min(stop, self.durable)
        return iter([(at, self.records[at]) for at in range(start, stop)])

    def get(self, sequence: int) -> bytes:
        return self.records[sequence]

    def end(self) -> int:
        return len(self.records)

    def close(self) -> None:
        self.commit()

    def crash(self, survivors: int) -> None:
        """After a crash this many records are there: all that were durable, and of the others only the oldest."""
        assert self.durable <= survivors <= len(self.records)
        del self.records[survivors:]
        self.durable = survivors
