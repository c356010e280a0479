"""The arena's report in words and tables, the short answer first."""

from collections.abc import Iterator
from typing import Final

from fairgate.simulate.arena import tables
from fairgate.simulate.arena.report import ArenaReport, Comparison, Figures, PackReport
from fairgate.simulate.arena.tables import Section

TITLE: Final = "Arena: a simulated world against packs"
_MOST_RULES: Final = 30


def sections(report: ArenaReport) -> Iterator[Section]:
    """The report: what was played, how the packs compare, then each pack in detail."""
    yield _about(report)
    if report.comparison is not None:
        yield from _compared(report.comparison)
    if report.packs[0].scarce:
        yield _scarce(report)
    for pack in report.packs:
        yield from _of_pack(pack, report)


def _about(report: ArenaReport) -> Section:
    events = sum(each.events for each in report.outcomes)
    seconds = sum(each.seconds for each in report.outcomes)
    played = (
        f"Simulated, not observed: the world `{report.world}` (fingerprint {report.fingerprint}), {report.asked} days, "
        f"seeds {', '.join(map(str, report.seeds))}; {events:,} events decided in {seconds:,.0f} s of one core. "
        "Behind ± is half of the 95 % interval over seeds."
    )
    words = [played]
    if report.stopped:
        days = sorted({each.days for each in report.outcomes})
        words.append(f"Stopped early: runs have {days[0]} to {days[-1]} of {report.asked} days.")
    return Section("In short", (*words, *(_in_short(pack) for pack in report.packs)))


def _scarce(report: ArenaReport) -> Section:
    """Who got the compute, where there was too little of it."""
    of = next(each.scarce.scarcity for each in report.outcomes if each.scarce is not None)
    told = (
        f"Compute was scarce: {of.dollars_per_hour:,.2f} dollars' worth an hour. With fair shares {of.links:.0%} of an "
        f"opponent's accounts are known to belong together, and {of.false_links:.1%} of honest accounts are wrongly "
        "counted among them; both come from the world's truth, for nothing finds links yet."
    )
    means = (
        "`honest served` is what honest people got of what they asked, `wrongly linked` that of people who are counted "
        "among a farm's, against all; waits are those of honest people."
    )
    head = ("who is served first", "opponents got", "honest served", "wrongly linked", "waited p50", "p95", "p99")
    rows = [
        (
            pack.pack,
            tables.share(pack.scarce["capture"], 1),
            tables.share(pack.scarce["goodput"], 1),
            tables.share(pack.scarce["wronged"]),
            *(tables.seconds(pack.scarce[name]) for name in ("p50", "p95", "p99")),
        )
        for pack in report.packs
    ]
    return Section("Scarce compute", (told, means), head, tuple(rows))


def _in_short(pack: PackReport) -> str:
    found = pack.all
    return (
        f"{pack.pack}: opponents got {tables.share(found['abusive_share'], 1)} of all compute, and paid "
        f"{tables.price(found['cost_per_dollar'])} for each dollar's worth; {tables.share(found['left'])} of them left."
        f" {tables.share(pack.honest['denied'], 2)} of honest accounts were denied at some time."
    )


def _compared(found: Comparison) -> Iterator[Section]:
    verdict = (
        f"A regression: under the first pack {', and '.join(found.worse)}."
        if found.worse
        else "No regression: in nothing is the first pack worse for certain."
    )
    rows = [
        ("all", tables.share(found.cut), tables.times(found.dearer)),
        *(
            (kind, tables.share(each["cut"]), tables.times(each["dearer"]))
            for kind, each in sorted(found.archetypes.items())
        ),
    ]
    learnt = (
        f"Of the first half's gain {tables.share(found.faded)} was lost in the second half, when opponents had learnt. "
        f"Honest accounts denied: {tables.share(found.denied, 2)} more."
    )
    words = (f"{found.pack} against {found.against}, {found.pairs} pairs of runs. {verdict}", learnt)
    yield Section("Compared", words, ("archetype", "less compute", "a dollar costs them"), tuple(rows))


def _of_pack(pack: PackReport, report: ArenaReport) -> Iterator[Section]:
    columns = (
        "opponents", "compute got", "of all", "not paid for", "a dollar costs", "left", "noticed", "after",
        "last a week", "return",
    )  # fmt: skip
    rows = [_row("all", pack.all)]
    if report.left_out:
        rows += [_row("tuned on", pack.tuned), _row("left out", pack.left_out)]
    rows += [_row(kind + (" *" if kind in report.left_out else ""), each) for kind, each in pack.archetypes.items()]
    marked = ("* left out when the pack was tuned.",) if report.left_out else ()
    yield Section(f"{pack.pack}: opponents", marked, columns, tuple(rows))
    honest = [("all", *_harm(pack.honest)), *((kind, *_harm(each)) for kind, each in pack.segments.items())]
    cost = f"{tables.count(pack.reviews)} accounts were looked at by people, for {tables.dollars(pack.review_dollars)}."
    head = ("honest accounts", "denied", "challenged", "slowed", "requests not served")
    yield Section(f"{pack.pack}: honest people", (cost,), head, tuple(honest))
    yield Section(
        f"{pack.pack}: what acted first on opponents' accounts",
        (),
        ("archetype", "first to act (accounts)"),
        tuple((kind, tables.counts(list(each.items()))) for kind, each in pack.first.items()),
    )
    rules = [
        (
            each.name,
            tables.counts(list(each.abusive.items())),
            tables.counts(list(each.honest.items())),
            "none seen" if each.half_life is None else f"{each.half_life} days",
        )
        for each in pack.rules[:_MOST_RULES]
    ]
    yield Section(
        f"{pack.pack}: rules", (), ("rule", "opponents' accounts", "honest accounts", "half-life"), tuple(rules)
    )


def _row(name: str, found: Figures) -> tuple[str, ...]:
    return (
        name,
        tables.dollars(found["abusive_dollars"]),
        tables.share(found["abusive_share"], 1),
        tables.dollars(found["leaked_dollars"]),
        tables.price(found["cost_per_dollar"]),
        tables.share(found["left"]),
        tables.share(found["noticed"]),
        tables.hours(found["hours_to_notice"]),
        tables.share(found["lasted_a_week"]),
        tables.share(found["returned"]),
    )


def _harm(found: Figures) -> tuple[str, ...]:
    names = ("denied", "challenged", "throttled", "requests_stopped")
    return tuple(tables.share(found[name], 2) for name in names)
