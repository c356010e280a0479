"""What a rule would do before it goes live: whom it hurts, what opponents do next, and how long the gain lasts."""

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from fairgate.domain.errors import NotPlayable
from fairgate.simulate.arena import figures, tables
from fairgate.simulate.arena.figures import Estimate
from fairgate.simulate.arena.outcome import Outcome
from fairgate.simulate.arena.report import RuleFigures, report_of
from fairgate.simulate.arena.tables import Section

_HARMS: Final = ("denied", "challenged", "throttled")
#: Shares of tries that are no more than noise.
_NOISE: Final = 0.03


class Answer(msgspec.Struct, frozen=True):
    """What the opponents of one archetype do about the rules, with figures of the rules' days less those without.

    `cut` is by how much less compute they get in each half; `cost` what a dollar's worth costs them in the second half
    with the rules, `cost_before` without. `left` is how many more of them leave. `ways` are the ways whose share of
    tries in the second half changed most, with the share before and after.
    """

    first: Estimate
    second: Estimate
    cost_before: Estimate
    cost: Estimate
    left: Estimate
    ways: dict[str, tuple[float, float]]


class Foresight(msgspec.Struct, frozen=True):
    """What is to be expected of candidate rules. `hurt` is the change in the share of honest accounts by segment."""

    pack: str
    rules: tuple[RuleFigures, ...]
    silent: tuple[str, ...]
    pairs: int
    cut: Estimate
    faded: Estimate
    hurt: dict[str, dict[str, Estimate]]
    answers: dict[str, Answer]


def foreseen(rules: Sequence[str], without: Sequence[Outcome], with_rules: Sequence[Outcome]) -> Foresight:
    """What runs with the candidate rules of these names show beside runs without them.

    Raises `NotPlayable` where there is no pair.
    """
    pairs = figures.pairs(with_rules, without)
    if not pairs:
        raise NotPlayable("No run with the rules was played as long as one without them.")
    fired = [each for each in report_of([with_rules]).packs[0].rules if each.name in rules]
    kinds = sorted({kind for each in with_rules for kind in each.opponents})
    segments = ["all", *sorted({kind for each in with_rules for kind in each.honest})]
    return Foresight(
        pack=without[0].pack,
        rules=tuple(fired),
        silent=tuple(sorted(set(rules) - {each.name for each in fired})),
        pairs=len(pairs),
        cut=figures.estimate(figures.cut(*each) for each in pairs),
        faded=figures.estimate(figures.faded(*each) for each in pairs),
        hurt={
            segment: {harm: figures.estimate(_more(each, harm, segment) for each in pairs) for harm in _HARMS}
            for segment in segments
        },
        answers={kind: _answer(kind, pairs) for kind in kinds},
    )


_Pair = tuple[Outcome, Outcome]


def _more(pair: _Pair, harm: str, segment: str) -> float | None:
    kinds = None if segment == "all" else (segment,)
    now, was = (figures.benign(each, harm, kinds) for each in pair)
    return None if now is None or was is None else now - was


def _answer(kind: str, pairs: Sequence[_Pair]) -> Answer:
    kinds = (kind,)
    half = pairs[0][0].days // 2
    return Answer(
        first=figures.estimate(figures.cut(*each, days=slice(half), kinds=kinds) for each in pairs),
        second=figures.estimate(figures.cut(*each, days=slice(half, None), kinds=kinds) for each in pairs),
        cost_before=figures.estimate(_late_price(was, kind, half) for _, was in pairs),
        cost=figures.estimate(_late_price(now, kind, half) for now, _ in pairs),
        left=figures.estimate(_difference(figures.left(now, kinds), figures.left(was, kinds)) for now, was in pairs),
        ways=_moved(kind, pairs),
    )


def _late_price(run: Outcome, kind: str, half: int) -> float | None:
    mine = run.opponents[kind]
    return figures.ratio(sum(mine.costs[half:]), sum(mine.daily[half:]))


def _difference(now: float | None, was: float | None) -> float | None:
    return None if now is None or was is None else now - was


def _moved(kind: str, pairs: Sequence[_Pair]) -> dict[str, tuple[float, float]]:
    """The ways whose share of all tries in the second half changed most."""
    now, was = (figures.merged(each[at].opponents[kind].ways[1] for each in pairs) for at in (0, 1))
    tries_now, tries_was = sum(now.values()) or 1, sum(was.values()) or 1
    shares = {way: (was.get(way, 0) / tries_was, now.get(way, 0) / tries_now) for way in {*now, *was}}
    moved = sorted(shares.items(), key=lambda each: (-abs(each[1][1] - each[1][0]), each[0]))
    return {way: each for way, each in moved[:4] if abs(each[1] - each[0]) > _NOISE}


def sections(found: Foresight) -> Iterator[Section]:
    """The same in words and tables, the short answer first."""
    yield Section("In short", (_short(found), _lasts(found)))
    hurt = [
        (segment, *(tables.share(each[harm], 2) for harm in _HARMS))
        for segment, each in found.hurt.items()
        if segment == "all" or any(each[harm].mean for harm in _HARMS)
    ]
    yield Section("Who is hurt: more honest accounts", (), ("segment", *_HARMS), tuple(hurt))
    rules = [
        (
            each.name,
            tables.counts(list(each.abusive.items())),
            tables.counts(list(each.honest.items())),
            "none seen" if each.half_life is None else f"{each.half_life} days",
        )
        for each in found.rules
    ]
    yield Section(
        "Whom the rules count on", (), ("rule", "opponents' accounts", "honest accounts", "half-life"), tuple(rules)
    )
    answers = [
        (
            kind,
            tables.share(each.first),
            tables.share(each.second),
            f"{tables.price(each.cost_before)} -> {tables.price(each.cost)}",
            tables.share(each.left),
        )
        for kind, each in found.answers.items()
    ]
    head = ("archetype", "less compute, first half", "second half", "a dollar costs them then", "more of them leave")
    yield Section("What they do next", (), head, tuple(answers))
    ways = [
        (kind, way, f"{100 * was:.0f} %", f"{100 * now:.0f} %")
        for kind, each in found.answers.items()
        for way, (was, now) in each.ways.items()
    ]
    yield Section("Where they go", (), ("archetype", "way", "of their tries without", "with"), tuple(ways))


def _short(found: Foresight) -> str:
    names = ", ".join(each.name for each in found.rules) or "none"
    silent = f" Never fired: {', '.join(found.silent)}." if found.silent else ""
    return (
        f"Simulated, not observed. Candidate rules that fired: {names}.{silent} With them opponents get "
        f"{tables.share(found.cut, 1)} less compute than under {found.pack} alone, and "
        f"{tables.share(found.hurt['all']['denied'], 2)} more honest accounts are denied ({found.pairs} pairs of runs)."
    )


def _lasts(found: Foresight) -> str:
    if found.cut.mean is None or found.cut.mean <= 0:
        return "There is no gain that could last."
    return f"Of the gain of the first half {tables.share(found.faded)} is lost in the second, when they have learnt."
