"""A clock that runs fast, for playing a simulated day in minutes."""

import time


class FastClock:
    """Starts at `start` (microseconds since 1970 UTC) and runs `speed` times as fast as the real one."""

    def __init__(self, start: int, speed: float) -> None:
        self._start = start
        self._speed = speed
        self._began = time.monotonic_ns()

    def now(self) -> int:
        """Microseconds since 1970-01-01 UTC, in simulated time."""
        return self._start + int((time.monotonic_ns() - self._began) / 1_000 * self._speed)

    def restart(self) -> None:
        """Go back to the start and run from there."""
        self._began = time.monotonic_ns()

    def real_seconds_until(self, time_us: int) -> float:
        """Real seconds until it is this time; negative where it has passed."""
        return (time_us - self.now()) / self._speed / 1_000_000
