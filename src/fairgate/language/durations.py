"""Durations as people write them: `90s`, `15m`, `24h`, `7d`."""

import re

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND

#: What to say where a text is none.
HINT = 'write "90s", "15m", "24h" or "7d"'

_DURATION = re.compile(r"([0-9]{1,9})\s*([smhd])")
_UNITS = {"s": SECOND, "m": MINUTE, "h": HOUR, "d": DAY}


def parse_duration(text: str) -> int | None:
    """Microseconds, or None where the text is no duration."""
    match = _DURATION.fullmatch(text.strip())
    return int(match[1]) * _UNITS[match[2]] if match else None
