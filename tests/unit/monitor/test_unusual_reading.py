"""Unusual reading: against one's own habit and against everybody else's, and never for a few."""

import pytest

from fairgate.domain.windows import DAY
from fairgate.monitor.unusual_reading import Unusual, unusual_readings
from fairgate.ports.audit import Readings

TODAY = 100 * DAY


def habit(by: str, times: int, days: int = 14, first: int = 1) -> list[Readings]:
    return [Readings(by, TODAY - day * DAY, times) for day in range(first, first + days)]


@pytest.mark.parametrize(
    ("before", "times", "most"),
    [
        ([], 20, None),
        ([], 21, 20),
        (habit("bob", 10), 50, None),
        (habit("bob", 10), 51, 50),
        (habit("ann", 10), 50, None),
        (habit("ann", 10), 51, 50),
        (habit("bob", 100) + habit("ann", 1), 500, None),
        (habit("bob", 1) + habit("ann", 100), 501, 500),
        (habit("bob", 100, first=15), 21, 20),
        (habit("bob", 100, days=1, first=14), 21, None),
        ([*habit("bob", 1, days=13), Readings("bob", TODAY - 14 * DAY, 1_000)], 21, 20),
    ],
)
def test_what_is_more_than_usual_is_told(before: list[Readings], times: int, most: float | None) -> None:
    found = unusual_readings([*before, Readings("bob", TODAY, times)], TODAY)
    assert [(each.by, each.start, each.times, each.most) for each in found] == (
        [] if most is None else [("bob", TODAY, times, most)]
    )


def test_the_latest_come_first_and_what_was_before_is_not_told() -> None:
    readings = [Readings(by, TODAY + day * DAY, 1_000 * 10 ** (day + 1)) for by in ("bob", "ann") for day in (-1, 0, 1)]
    found = unusual_readings(readings, TODAY)
    assert [(each.by, (each.start - TODAY) // DAY) for each in found] == [
        ("ann", 1),
        ("bob", 1),
        ("ann", 0),
        ("bob", 0),
    ]
    assert found[2] == Unusual("ann", TODAY, 10_000, 1_000, 1_000, 5_000)
