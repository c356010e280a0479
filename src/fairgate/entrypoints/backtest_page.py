"""A backtest's report as one self-contained page: no scripts, nothing fetched, every value escaped."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from fairgate.detect.rules import shown
from fairgate.entrypoints import backtest_charts
from fairgate.entrypoints.backtest_charts import day_chart, overlap_matrix, share_line
from fairgate.pipeline.backtest.report import Report, bounds, percent, plural, span_of

#: How grave an action looks; red is kept for the gravest.
SEVERITY: Mapping[str, str] = MappingProxyType(
    {
        "allow": "low",
        "watch": "low",
        "throttle": "medium",
        "challenge": "medium",
        "hold": "high",
        "suspend": "critical",
        "ban": "critical",
    }
)


#: From so many a day on, tenths say nothing.
_WHOLE = 100


def page_of(report: Report) -> str:
    """The page's HTML."""
    return _template().render(
        report=report,
        charts=backtest_charts,
        days=span_of(report.first, report.last),
        differing=[each for each in report.rules if each.gained.events or each.lost.events],
        affected=[each for each in report.affected if each.newly or each.no_longer],
        labelled=any(side is not None and side.labelled for each in report.rules for side in (each.old, each.new)),
        matrix=overlap_matrix(report.rules),
        severity=SEVERITY,
    )


@cache
def _template() -> Template:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "count": lambda number: f"{number:,}",
        "daily": lambda number: f"{number:,.0f}" if number >= _WHOLE else f"{number:,.1f}",
        "change": lambda number: f"{number:+,}".replace("-", "\N{MINUS SIGN}") if number else "0",
        "bounds": bounds,
        "percent": percent,
        "plural": plural,
        "shown": shown,
        "day_chart": day_chart,
        "share_line": share_line,
    }
    return environment.get_template("backtest_page.html.j2")
