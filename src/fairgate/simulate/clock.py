"""A clock for whoever decides on a world that is played."""

import time


class PlayClock:
    """Stands at the time that a play has come to (microseconds since 1970 UTC), and never goes back."""

    def __init__(self, start: int) -> None:
        self._time = start
        self._left: int | None = None

    def now(self) -> int:
        """What time it is in the play."""
        return self._time if self._left is None else self._time + (time.monotonic_ns() - self._left) // 1_000

    def set(self, time_us: int) -> None:
        """Go on to a time."""
        self._time = max(self._time, time_us)

    def run(self) -> None:
        """The play is over: from now on it runs as the real one does."""
        self._left = time.monotonic_ns()
