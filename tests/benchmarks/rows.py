"""What a benchmark reports."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Row:
    """One figure. `ratio` is against the naive version or the peer measured in the same run."""

    name: str
    value: float
    unit: str
    ratio: float | None = None
    op: Literal["<=", ">="] = ">="
    target: float | None = None

    @property
    def ok(self) -> bool | None:
        """Whether the figure meets its target."""
        if self.target is None:
            return None
        return self.value <= self.target if self.op == "<=" else self.value >= self.target


def median_of(times: int, measure: Callable[[], float]) -> float:
    """The median of several measurements: machines are shared and noisy."""
    return statistics.median(measure() for _ in range(times))
