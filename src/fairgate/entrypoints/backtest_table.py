"""A backtest's report on a terminal, readable at a hundred columns."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from fairgate.detect.rules import shown
from fairgate.pipeline.backtest.report import Caught, Report, RuleResult, Share, bounds, percent

#: Rules whose examples are printed; with more, ask for one by name.
MOST_DETAILED = 3


def show(report: Report, console: Console) -> None:
    """Print a report: the headline, rules, decisions, those affected, examples of what changed, warnings."""
    console.print(Text(report.headline, style="bold"))
    console.print(Text(_about(report), style="dim"))
    for why in report.replays:
        console.print(Text(why, style="dim"))
    _rules(report, console)
    _decisions(report, console)
    _affected(report, console)
    differing = [each for each in report.rules if each.gained.events or each.lost.events]
    if len(differing) <= MOST_DETAILED:
        for each in differing:
            _examples(each, console)
    for warning in report.warnings:
        console.print(Text(f"note: {warning}", style="yellow"))


def _about(report: Report) -> str:
    packs = f"{report.old.name} {report.old.version} ({report.old.digest[:8]})"
    packs += f" against {report.new.name} {report.new.version} ({report.new.digest[:8]})"
    span = f", {report.first:%Y-%m-%d} to {report.last:%Y-%m-%d}" if report.first and report.last else ""
    runs = f"{len(report.replays)} replayed" if report.replays else "from the recording, no replay"
    return f"{packs}; {report.events:,} events{span}; {runs}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left", header_style="dim", no_wrap=True)
    return table


def _rules(report: Report, console: Console) -> None:
    labelled = any(side is not None and side.labelled for each in report.rules for side in (each.old, each.new))
    measures = ("precision", "recall", "alone") if labelled else ("alone",)
    table = _table("\nRules", "rule", "change", "old", "new", "gained", "lost", *measures)
    for each in report.rules:
        now = each.new or each.old or each.gained
        table.add_row(
            Text(each.name),
            Text(_change(each)),
            _count(each.old),
            _count(each.new),
            _moved(each.gained, "+"),
            _moved(each.lost, "-"),
            *((_precision(now.precision), _share(now.recall)) if labelled else ()),
            _share(each.alone),
            style="dim" if each.status == "unchanged" else None,
        )
    console.print(table)


def _change(rule: RuleResult) -> str:
    words = ", ".join(rule.differs) if rule.status == "changed" else rule.status
    mode = rule.new_mode or rule.old_mode or ""
    return words if mode == "live" else f"{words} ({mode})"


def _count(caught: Caught | None) -> str:
    return "" if caught is None else f"{caught.events:,}"


def _moved(caught: Caught, sign: str) -> Text:
    return Text(f"{sign}{caught.events:,}", style="bold") if caught.events else Text("0", style="dim")


def _share(share: Share | None) -> str:
    return percent(share.value) if share else ""


def _precision(share: Share | None) -> str:
    """With its interval: few labels say little."""
    return f"{percent(share.value)} ({bounds(share)})" if share else ""


def _decisions(report: Report, console: Console) -> None:
    table = _table("\nDecisions", "action", "old", "new", "change")
    for each in report.actions:
        if each.old or each.new:
            change = each.new - each.old
            style = "bold" if change else "dim"
            table.add_row(
                each.action, f"{each.old:,}", f"{each.new:,}", Text(f"{change:+,}" if change else "0", style=style)
            )
    console.print(table)


def _affected(report: Report, console: Console) -> None:
    affected = [each for each in report.affected if each.newly or each.no_longer]
    if not affected:
        return
    table = _table(
        "\nAffected: slowed or stopped at least once", "entity", "old", "new", "newly", "no longer", "newly, such as"
    )
    table.expand = True
    table.columns[0].no_wrap = True
    table.columns[5].justify = "left"
    table.columns[5].ratio = 1
    for each in affected:
        names = Text(", ".join(map(shown, each.examples)), overflow="ellipsis")
        table.add_row(
            Text(each.entity), f"{each.old:,}", f"{each.new:,}", f"{each.newly:,}", f"{each.no_longer:,}", names
        )
    console.print(table)


def _examples(rule: RuleResult, console: Console) -> None:
    for title, examples in (("gained", rule.gained_examples), ("lost", rule.lost_examples)):
        if examples:
            console.print(Text(f"\n{rule.name}: {title}, for example", style="bold"))
        for each in examples:
            label = {True: "bad", False: "good", None: "no label"}[each.bad]
            console.print(Text(f"{each.time:%Y-%m-%d %H:%M:%S}  {shown(each.id)}  {label}  {shown(each.why or '')}"))
