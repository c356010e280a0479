from datetime import UTC, datetime
from importlib.resources import files
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairgate.ingest.identifiers import BadValue, TimeZone, offset_minutes
from fairgate.ingest.identifiers.timezone import parse

NAMES = (files("tzdata") / "zones").read_text(encoding="ascii").split()


def _us(*when: int) -> int:
    year, month, day, hour, minute = when
    return int(datetime(year, month, day, hour, minute, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        ("Europe/Paris", "Europe/Paris"),
        ("europe/PARIS", "Europe/Paris"),
        ("utc", "UTC"),
        ("asia/calcutta", "Asia/Calcutta"),
    ],
)
def test_names_in_any_capitals(raw: str, value: str) -> None:
    assert parse(raw) == TimeZone(raw, value)


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("", "is empty"),
        ("+02:00", "is no time zone of the IANA database (such as Europe/Paris)"),
        ("Europe", "is no time zone of the IANA database (such as Europe/Paris)"),
        ("../../../etc/passwd", "is no time zone of the IANA database (such as Europe/Paris)"),
        ("Europe/Paris\0", "has a control character (U+0000)"),
        ("\u202eUTC", "has a bidirectional control (U+202E)"),
        ("U" * 65, "has more than 64 characters"),
    ],
)
def test_what_is_no_zone_is_refused_with_its_reason(raw: str, reason: str) -> None:
    with pytest.raises(BadValue) as refused:
        parse(raw)
    assert refused.value.reason == reason


@pytest.mark.parametrize(
    ("zone", "when", "minutes"),
    [
        ("UTC", (2026, 11, 22, 0, 0), 0),
        ("Asia/Kathmandu", (2026, 11, 22, 0, 0), 345),
        ("Etc/GMT+5", (2026, 11, 22, 0, 0), -300),
        ("america/st_johns", (2026, 1, 1, 0, 0), -210),
        ("Europe/Paris", (2026, 3, 29, 0, 59), 60),
        ("Europe/Paris", (2026, 3, 29, 1, 0), 120),
        ("Europe/Paris", (2026, 10, 25, 0, 59), 120),
        ("Europe/Paris", (2026, 10, 25, 1, 0), 60),
        ("Africa/Monrovia", (1971, 6, 1, 0, 0), -45),
    ],
)
def test_offsets(zone: str, when: tuple[int, ...], minutes: int) -> None:
    assert offset_minutes(zone, _us(*when)) == minutes


@given(zone=st.sampled_from(NAMES), seconds=st.integers(0, 4_000_000_000))
def test_offsets_agree_with_the_standard_library(zone: str, seconds: int) -> None:
    with (files("tzdata") / "zoneinfo" / zone).open("rb") as data:
        expected = datetime.fromtimestamp(seconds, ZoneInfo.from_file(data)).utcoffset()
    assert expected is not None
    assert offset_minutes(zone, seconds * 1_000_000) == expected.total_seconds() // 60


@pytest.mark.parametrize("zone", NAMES)
def test_every_zone_of_the_list_can_be_asked(zone: str) -> None:
    assert parse(zone).value == zone
    assert abs(offset_minutes(zone, 0)) <= 15 * 60


def test_an_unknown_zone_and_an_impossible_time() -> None:
    with pytest.raises(BadValue):
        offset_minutes("Mars/Olympus", 0)
    with pytest.raises(OverflowError):
        offset_minutes("UTC", 2**62)
