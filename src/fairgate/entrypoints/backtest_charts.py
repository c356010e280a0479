"""Where the lines of a backtest's charts go: numbers for a page's inline SVG, in the units of its view box."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fairgate.pipeline.backtest.report import Day, Overlap, RuleResult, Share

#: The view box of a chart by day, and the room for its axes.
WIDTH, HEIGHT = 960, 180
LEFT, BOTTOM, TOP = 44, 22, 8
#: The length of a share's line.
TRACK = 120
#: Rules in a matrix of overlaps; more would be a carpet.
MOST_IN_MATRIX = 24

_LINES = 4
_LABELS = 8
_DATE_WIDTH = 40


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis, with its label."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class DayChart:
    """Two step lines over the days, `old` and `new` as SVG paths, with axes, and words for whoever points at a day."""

    old: str
    new: str
    area: str
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    days: tuple[Tick, ...]
    step: float
    words: str


def day_chart(days: Sequence[Day], what: str) -> DayChart | None:
    """The chart of some days; None without any."""
    if not days:
        return None
    top = _round_up(max(max(day.old, day.new) for day in days))
    step = (WIDTH - LEFT) / len(days)

    def height(count: int) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (1 - count / top)

    def path(counts: Sequence[int]) -> str:
        steps = [f"V{height(count):.1f}H{LEFT + step * (at + 1):.1f}" for at, count in enumerate(counts)]
        return f"M{LEFT} {height(counts[0]):.1f}" + "".join(steps)

    new = path([day.new for day in days])
    every = math.ceil(len(days) / _LABELS)
    old_sum, new_sum = sum(day.old for day in days), sum(day.new for day in days)
    return DayChart(
        old=path([day.old for day in days]),
        new=new,
        area=f"{new}V{HEIGHT - BOTTOM}H{LEFT}Z",
        across=tuple(
            Tick(LEFT + step * at, f"{day.day:%-d %b}") for at, day in enumerate(days) if _labelled(at, every, step)
        ),
        up=tuple(Tick(height(round(top * at / _LINES)), f"{round(top * at / _LINES):,}") for at in range(_LINES + 1)),
        days=tuple(
            Tick(LEFT + step * at, f"{day.day:%Y-%m-%d}: {day.old:,} under the old pack, {day.new:,} under the new")
            for at, day in enumerate(days)
        ),
        step=step,
        words=f"{what} on {len(days):,} days: {old_sum:,} under the old pack, {new_sum:,} under the new",
    )


def _labelled(at: int, every: int, step: float) -> bool:
    """Whether a day has its date below it: each `every`, if there is room for it before the edge."""
    return at % every == 0 and LEFT + step * at + _DATE_WIDTH <= WIDTH


def _round_up(count: int) -> int:
    """The next number that is four round steps: the axis ends there."""
    step = max(1, math.ceil(count / _LINES))
    scale = 10 ** (len(str(step)) - 1)
    fitting: int = next(
        math.ceil(first * scale) for first in (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10) if math.ceil(first * scale) >= step
    )
    return _LINES * fitting


@dataclass(frozen=True, slots=True)
class ShareLine:
    """A share as a dot on a line from 0 to 100 %, with its interval."""

    low: float
    high: float
    at: float


def share_line(share: Share | None) -> ShareLine | None:
    """Where a share stands on its line."""
    return ShareLine(TRACK * share.low, TRACK * share.high, TRACK * share.value) if share else None


@dataclass(frozen=True, slots=True)
class Cell:
    """How alike two rules are: events of both, the Jaccard index in percent, and from 0 to 5 how dark that is shown."""

    both: int
    words: str
    shade: int


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """A rule against all in the matrix; None against itself."""

    rule: str
    cells: tuple[Cell | None, ...]


def overlap_matrix(rules: Sequence[RuleResult]) -> tuple[MatrixRow, ...]:
    """The rules that fire together with others, each against each; empty where none do."""
    overlapping = sorted((rule for rule in rules if rule.overlaps), key=lambda rule: -rule.overlaps[0].jaccard)
    shown = sorted(rule.name for rule in overlapping[:MOST_IN_MATRIX])
    by_name = {rule.name: {overlap.other: overlap for overlap in rule.overlaps} for rule in overlapping}
    if len(shown) == 1:
        return ()
    return tuple(
        MatrixRow(name, tuple(None if name == other else _cell(by_name[name].get(other)) for other in shown))
        for name in shown
    )


def _cell(overlap: Overlap | None) -> Cell:
    if overlap is None:
        return Cell(0, "\N{MIDDLE DOT}", 0)
    words = f"{100 * overlap.jaccard:.0f}"
    return Cell(overlap.both, "<1" if words == "0" else words, 1 + min(4, int(5 * overlap.jaccard)))
