"""The windows a feature can look back over, each a ring of buckets.

A window of length W is B buckets of width W/B. At an event it covers the bucket of the log's clock and the B-1 before.
"""

from dataclasses import dataclass

MICROSECOND = 1
SECOND = 1_000_000 * MICROSECOND
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

#: A repeat is recognised for so long, so nothing older is taken.
LONGEST_REPEAT = 30 * DAY


@dataclass(frozen=True, slots=True)
class Window:
    """A window by the name that rules use, with its bucket width in microseconds."""

    name: str
    tick: int
    buckets: int

    @property
    def length(self) -> int:
        """Length in microseconds; 0 for EVER, which has none."""
        return self.tick * self.buckets


#: The window of a profile: it never slides and never ends.
EVER = Window("ever", 0, 1)

WINDOWS = {
    window.name: window
    for window in (
        Window("1m", 5 * SECOND, 12),
        Window("10m", MINUTE, 10),
        Window("1h", 5 * MINUTE, 12),
        Window("24h", HOUR, 24),
        Window("7d", 6 * HOUR, 28),
        Window("30d", DAY, 30),
        Window("90d", 3 * DAY, 30),
    )
}

#: Other spellings of the same lengths.
WINDOW_ALIASES = {"60s": "1m", "60m": "1h", "1d": "24h", "168h": "7d"}
