"""Time zones of the IANA database, as the package tzdata ships it: the system's own copy would differ by machine."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from fairgate.ingest.identifiers.text import refuse_hidden
from fairgate.ingest.identifiers.value import BadValue

_LONGEST = 64
_MINUTE = timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NAMES = {name.lower(): name for name in (files("tzdata") / "zones").read_text(encoding="ascii").split()}


@dataclass(frozen=True, slots=True)
class TimeZone:
    """A time zone by its IANA name, in the database's own capitals. An older name (Asia/Calcutta) stays as it is."""

    raw: str
    value: str


@lru_cache(maxsize=2_048)
def parse(raw: str) -> TimeZone:
    """The zone of this name, in whatever capitals; BadValue for any other text, offsets such as +02:00 included."""
    if len(raw) > _LONGEST:
        raise BadValue(f"has more than {_LONGEST} characters")
    if not raw:
        raise BadValue("is empty")
    name = _NAMES.get(raw.lower())
    if name is None:
        refuse_hidden(raw)
        raise BadValue("is no time zone of the IANA database (such as Europe/Paris)")
    return TimeZone(raw, name)


def offset_minutes(zone: str, time_us: int) -> int:
    """Minutes that the zone's clocks were ahead of UTC at `time_us`, microseconds since 1970 UTC; negative if behind.

    Local mean times of long ago are rounded down to the minute. `zone` is a name as `parse` takes it, else BadValue;
    OverflowError for a time outside the years 1 to 9999.
    """
    local = (_EPOCH + timedelta(microseconds=time_us)).astimezone(zone_of(zone))
    return (local.utcoffset() or timedelta()) // _MINUTE


@lru_cache(maxsize=1_024)
def zone_of(name: str) -> ZoneInfo:
    """The zone of a name as `parse` takes it, else BadValue."""
    key = parse(name).value
    with files("tzdata").joinpath("zoneinfo", *key.split("/")).open("rb") as data:
        return ZoneInfo.from_file(data, key)
