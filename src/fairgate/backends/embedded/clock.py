"""The machine's clock."""

import time


class SystemClock:
    """The wall clock; the one place where it is read."""

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000  # noqa: TID251 - this is the clock port's live implementation
