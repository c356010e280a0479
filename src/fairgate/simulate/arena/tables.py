"""Reports as sections of tables, which are drawn in a terminal and written as Markdown alike."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from fairgate.simulate.arena.figures import CAPPED, Estimate

_NOTHING: Final = "-"


@dataclass(frozen=True, slots=True)
class Section:
    """A heading, some sentences, and perhaps a table whose first column is words and whose others are figures."""

    title: str
    words: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def markdown(title: str, sections: Iterable[Section]) -> str:
    """The sections as a page."""
    lines = [f"# {title}", ""]
    for each in sections:
        lines += [f"## {each.title}", ""]
        for words in each.words:
            lines += [words, ""]
        if each.rows:
            lines += ["| " + " | ".join(each.head) + " |"]
            lines += ["|" + "|".join(["---", *["---:"] * (len(each.head) - 1)]) + "|"]
            lines += ["| " + " | ".join(row) + " |" for row in each.rows]
            lines += [""]
    return "\n".join(lines)


def share(value: Estimate | None, digits: int = 0) -> str:
    """A share as per cent, with its interval."""
    return _with_interval(value, lambda each: f"{100 * each:.{digits}f}", " %")


def dollars(value: Estimate | None) -> str:
    """Dollars, with their interval."""
    return _with_interval(value, lambda each: f"{each:,.0f}", " $")


def price(value: Estimate | None) -> str:
    """Dollars and cents, with their interval."""
    return _with_interval(value, lambda each: f"{each:,.2f}", " $")


def hours(value: Estimate | None) -> str:
    """Hours, with their interval."""
    return _with_interval(value, lambda each: f"{each:,.1f}", " h")


def seconds(value: Estimate | None) -> str:
    """Seconds, with their interval."""
    return _with_interval(value, lambda each: f"{each:,.1f}", " s")


def times(value: Estimate | None) -> str:
    """So many times as much, with its interval."""
    if value is not None and value.mean is not None and value.mean >= CAPPED:
        return f">= {CAPPED:.0f}x"
    return _with_interval(value, lambda each: f"{each:.1f}", "x")


def count(value: Estimate | None) -> str:
    """A number, with its interval."""
    return _with_interval(value, lambda each: f"{each:,.0f}", "")


def counts(found: Sequence[tuple[str, int]], most: int = 3) -> str:
    """The largest of some counts, in words."""
    shown = [f"{name} ({number:,})" for name, number in found[:most]]
    more = len(found) - most
    return ", ".join([*shown, f"{more} more"] if more > 0 else shown) or _NOTHING


def _with_interval(value: Estimate | None, shown: Callable[[float], str], unit: str) -> str:
    if value is None or value.mean is None:
        return _NOTHING
    if value.low is None or value.high is None:
        return f"{shown(value.mean)}{unit}"
    return f"{shown(value.mean)} ±{shown((value.high - value.low) / 2)}{unit}"
