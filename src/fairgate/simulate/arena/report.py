"""What packs come to in the arena: figures over seeds with intervals, and how the first compares with the second."""

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Final

import msgspec

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.arena import figures
from fairgate.simulate.arena.figures import Estimate, Figure
from fairgate.simulate.arena.outcome import Outcome

#: Figures of some archetypes or all, by name: see the function for what each is.
OF_OPPONENTS: Final[dict[str, Callable[..., float | None]]] = {
    "abusive_share": figures.abusive_share, "abusive_dollars": figures.abusive, "leaked_dollars": figures.leaked,
    "cost_per_dollar": figures.price_of_abuse, "left": figures.left, "noticed": figures.noticed,
    "hours_to_notice": figures.hours, "lasted_a_week": figures.lasted, "returned": figures.returned,
}  # fmt: skip
#: Figures of some segments or all.
OF_HONEST: Final[dict[str, Callable[..., float | None]]] = {
    "denied": partial(figures.benign, what="denied"), "challenged": partial(figures.benign, what="challenged"),
    "throttled": partial(figures.benign, what="throttled"), "requests_stopped": figures.stopped,
}  # fmt: skip
#: Figures of compute that was scarce.
OF_SCARCE: Final[dict[str, Figure]] = {
    "capture": figures.capture, "goodput": figures.goodput, "wronged": figures.wronged,
    "p50": partial(figures.waited, part="p50"), "p95": partial(figures.waited, part="p95"),
    "p99": partial(figures.waited, part="p99"),
}  # fmt: skip
Figures = dict[str, Estimate]


class RuleFigures(msgspec.Struct, frozen=True):
    """What a rule or list did over all seeds: accounts by archetype and by segment, and its half-life in days.

    The half-life is the days from its best week to the first with at most half of that, on the mean over seeds; None
    where it did not come to that.
    """

    name: str
    abusive: dict[str, int]
    honest: dict[str, int]
    half_life: int | None


class PackReport(msgspec.Struct, frozen=True):
    """What came of one pack. `tuned` are the archetypes that it was tuned on, `left_out` those that it was not.

    `first` counts accounts by what was the first to act on them, layer and name, for each archetype. `scarce` has
    figures only where compute was.
    """

    pack: str
    runs: int
    days: int
    all: Figures
    tuned: Figures
    left_out: Figures
    archetypes: dict[str, Figures]
    honest: Figures
    segments: dict[str, Figures]
    rules: tuple[RuleFigures, ...]
    first: dict[str, dict[str, int]]
    ways: dict[str, tuple[dict[str, int], dict[str, int]]]
    reviews: Estimate
    review_dollars: Estimate
    scarce: Figures


class Comparison(msgspec.Struct, frozen=True):
    """How the first pack does against the second, pair by pair of runs with the same seed.

    `cut` is by how much less compute opponents got, `faded` the share of the first half's cut that was gone in the
    second, `dearer` how many times as much a dollar of compute cost them (at most 20), `denied` how many more honest
    accounts were denied. `worse` says in what the first pack is worse for certain: where the whole interval is.
    """

    pack: str
    against: str
    pairs: int
    cut: Estimate
    faded: Estimate
    dearer: Estimate
    denied: Estimate
    archetypes: dict[str, dict[str, Estimate]]
    worse: tuple[str, ...]


class ArenaReport(msgspec.Struct, frozen=True):
    """All of it. `fingerprint` tells which world it was, to the letter; `stopped` that runs were ended early."""

    world: str
    fingerprint: str
    asked: int
    seeds: tuple[int, ...]
    left_out: tuple[str, ...]
    stopped: bool
    packs: tuple[PackReport, ...]
    comparison: Comparison | None
    outcomes: tuple[Outcome, ...]


def report_of(groups: Sequence[Sequence[Outcome]], left_out: Collection[str] = ()) -> ArenaReport:
    """The report on the runs of one pack, or of two that are compared. Raises `NotPlayable` without any run."""
    runs = [each for group in groups for each in group]
    if not runs:
        raise NotPlayable("Nothing was played to report on.")
    packs = tuple(_of_pack(group, left_out) for group in groups if group)
    both = len(groups) > 1 and all(groups[:2])
    return ArenaReport(
        world=runs[0].world,
        fingerprint=runs[0].fingerprint,
        asked=runs[0].asked,
        seeds=tuple(sorted({each.seed for each in runs})),
        left_out=tuple(sorted(left_out)),
        stopped=any(each.days < each.asked for each in runs),
        packs=packs,
        comparison=compared(groups[0], groups[1]) if both else None,
        outcomes=tuple(runs),
    )


def compared(mine: Sequence[Outcome], theirs: Sequence[Outcome]) -> Comparison:
    """How the runs of one pack compare with those of another over the same seeds."""
    pairs = figures.pairs(mine, theirs)

    def over(figure: Callable[[Outcome, Outcome], float | None]) -> Estimate:
        return figures.estimate(figure(*each) for each in pairs)

    cut, denied = over(figures.cut), over(_more_denied)
    dearer = over(figures.dearer)
    worse = {
        "opponents get more compute": cut.below(0.0),
        "compute costs opponents less": dearer.below(1.0),
        "more honest accounts are denied": denied.above(0.0),
    }
    kinds = sorted({kind for each in mine for kind in each.opponents})
    return Comparison(
        pack=mine[0].pack,
        against=theirs[0].pack,
        pairs=len(pairs),
        cut=cut,
        faded=over(figures.faded),
        dearer=dearer,
        denied=denied,
        archetypes={
            kind: {
                "cut": over(partial(figures.cut, kinds=(kind,))),
                "dearer": over(partial(figures.dearer, kinds=(kind,))),
            }
            for kind in kinds
        },
        worse=tuple(words for words, holds in worse.items() if holds),
    )


def _more_denied(mine: Outcome, theirs: Outcome) -> float | None:
    has, had = figures.benign(mine, "denied"), figures.benign(theirs, "denied")
    return None if has is None or had is None else has - had


def _of_pack(runs: Sequence[Outcome], left_out: Collection[str]) -> PackReport:
    kinds = sorted({kind for each in runs for kind in each.opponents})
    segments = sorted({kind for each in runs for kind in each.honest})
    return PackReport(
        pack=runs[0].pack,
        runs=len(runs),
        days=min(each.days for each in runs),
        all=_estimates(runs, OF_OPPONENTS, kinds),
        tuned=_estimates(runs, OF_OPPONENTS, [kind for kind in kinds if kind not in left_out]),
        left_out=_estimates(runs, OF_OPPONENTS, [kind for kind in kinds if kind in left_out]) if left_out else {},
        archetypes={kind: _estimates(runs, OF_OPPONENTS, [kind]) for kind in kinds},
        honest=_estimates(runs, OF_HONEST, segments),
        segments={kind: _estimates(runs, OF_HONEST, [kind]) for kind in segments},
        rules=tuple(_rules(runs)),
        first={kind: figures.merged(each.opponents[kind].first for each in runs) for kind in kinds},
        ways={kind: (_ways(runs, kind, 0), _ways(runs, kind, 1)) for kind in kinds},
        reviews=figures.of(runs, lambda run: float(run.reviews)),
        review_dollars=figures.of(runs, lambda run: run.review_dollars),
        scarce={name: figures.of(runs, each) for name, each in OF_SCARCE.items()} if runs[0].scarce else {},
    )


def _estimates(
    runs: Sequence[Outcome], wanted: dict[str, Callable[..., float | None]], kinds: Sequence[str]
) -> Figures:
    made: dict[str, Figure] = {name: partial(figure, kinds=kinds) for name, figure in wanted.items()}
    return {name: figures.of(runs, figure) for name, figure in made.items()}


def _rules(runs: Sequence[Outcome]) -> Iterable[RuleFigures]:
    """The rules with most of the opponents' accounts first."""
    found = []
    for name in {name for each in runs for name in each.rules}:
        rules = [each.rules[name] for each in runs if name in each.rules]
        weeks = [sum(week) / len(runs) for week in zip(*(each.weekly for each in rules), strict=False)]
        abusive = figures.merged(each.abusive for each in rules)
        honest = figures.merged(each.honest for each in rules)
        found.append(RuleFigures(name, abusive, honest, figures.half_life(weeks)))
    return sorted(found, key=lambda each: (-sum(each.abusive.values()), each.name))


def _ways(runs: Sequence[Outcome], kind: str, half: int) -> dict[str, int]:
    return figures.merged(each.opponents[kind].ways[half] for each in runs)
