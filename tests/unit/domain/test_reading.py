"""Who is shown personal values: whose key may, and who states a reason that says something."""

import pytest

from fairgate.domain.reading import Sight, no_case, sight_of

HIDDEN = "hidden; unfit reason"


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        (None, Sight(shown=False, told="hidden; no reason")),
        (b"", Sight(shown=False, told=HIDDEN)),
        (b"  ab  ", Sight(shown=False, told=HIDDEN)),
        (b"abc", Sight(shown=True, told="shown", why="abc")),
        (b"x" * 300, Sight(shown=True, told="shown", why="x" * 300)),
        (b"x" * 301, Sight(shown=False, told=HIDDEN)),
        (b"a\tb\x00c", Sight(shown=False, told=HIDDEN)),
        (b"\xff\xfe\xfd", Sight(shown=False, told=HIDDEN)),
        ("Beschwerde über ✓".encode(), Sight(shown=True, told="shown", why="Beschwerde über ✓")),
        (b"case 12", Sight(shown=True, told="shown", why="case 12", case=12)),
        (b"case 13", Sight(shown=False, told="hidden; no such open case")),
        (b"case 012", Sight(shown=True, told="shown", why="case 012")),
    ],
)
def test_a_reason_must_say_something(reason: bytes | None, seen: Sight) -> None:
    assert sight_of(may=True, reason=reason, open_case=lambda number: number == 12) == seen
    assert sight_of(may=False, reason=reason, open_case=no_case) == Sight(shown=False, told="")


def test_without_cases_none_is_open() -> None:
    assert not sight_of(may=True, reason=b"case 12", open_case=no_case).shown
