"""What time it is."""

from typing import Protocol


class Clock(Protocol):
    """The only way to learn the time. A live clock, a replay's (the receive times in the log), or a simulated one."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        ...
