"""What docs/reference/features.md states in figures."""

import re
from pathlib import Path

import pytest

from fairgate.domain.windows import EVER, MINUTE, SECOND, WINDOW_ALIASES, WINDOWS
from fairgate.features.plan import plan_features
from fairgate.kernel.layout import SPILL_WORDS
from tests.properties.feature_cases import START, Machine, checked_pack, event

PAGE = (Path(__file__).parents[3] / "docs" / "reference" / "features.md").read_text(encoding="utf-8")
#: A table is filled by a quarter to a half, in slots of 16 bytes.
MOST_TABLE_BYTES = 64
LENGTHS = {"s": SECOND, "min": MINUTE, "h": 60 * MINUTE, "d": 24 * 60 * MINUTE}
AGGREGATES = {
    "count": 'count("use", by=a{over})',
    **{name: f"{name}(x, by=a{{over}})" for name in ("total", "mean", "smallest", "largest")},
    "rate": "rate(flag, by=a{over})",
    "distinct": "distinct(s, by=a{over})",
    **{name: f"{name}(s, by=a{{over}})" for name in ("first", "last", "is_new")},
    "since": 'since("use", by=a{over})',
}
PROFILES = ("first", "last", "since", "is_new")


def table(heading: str) -> list[list[str]]:
    """The cells of the table whose heading starts so, without code marks."""
    lines = PAGE.replace("`", "").splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {heading}"))
    rows = []
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split("|")])
    return [rows[0], *rows[2:]]


def row_bytes(aggregate: str, window: str) -> int:
    over = "" if window == "none" else f', over="{window}"'
    (family,) = plan_features(checked_pack((AGGREGATES[aggregate].format(over=over),)), 5).program.families
    return 8 * family.row_words


@pytest.mark.parametrize("window", [*WINDOWS, "none"])
@pytest.mark.parametrize("aggregate", AGGREGATES)
def test_a_row_takes_the_bytes_that_the_page_states_and_a_kilobyte_at_most(aggregate: str, window: str) -> None:
    head, *rows = table("aggregate")
    (stated,) = (row[head.index(window)] for row in rows if aggregate in row[0].split(", "))
    if window == "none" and aggregate not in PROFILES:
        assert stated == "-"
    else:
        assert stated == str(row_bytes(aggregate, window))
        assert int(stated) + MOST_TABLE_BYTES <= 1_024


def test_what_a_set_spills_takes_two_kilobytes() -> None:
    assert f"{8 * SPILL_WORDS:,} bytes" in PAGE
    assert 8 * SPILL_WORDS <= 2_150


def test_the_windows_are_those_of_the_page() -> None:
    found = {}
    for name, buckets, width, _ in table("over=")[1:]:
        number, unit = width.split()
        first, *others = re.findall(r"\w+", name)
        found[first] = (int(buckets), int(number) * LENGTHS[unit])
        assert [WINDOW_ALIASES[other] for other in others] == [first] * len(others)
    assert found == {window.name: (window.buckets, window.tick) for window in WINDOWS.values()}
    assert EVER.name not in found


def test_the_example_is_what_the_kernel_says() -> None:
    head, *rows = table("received")
    machine = Machine(checked_pack(tuple(head[3:])))
    events = [event("use", _moment(row[0]), _moment(row[1]), a="u", x=float(row[2])) for row in rows]
    stated = [[None if cell == "missing" else float(cell) for cell in row[3:]] for row in rows]
    assert machine.run(events) == stated


def _moment(text: str) -> int:
    hours, minutes = map(int, text.split(":"))
    return START + (60 * hours + minutes) * MINUTE
