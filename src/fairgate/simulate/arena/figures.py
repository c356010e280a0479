"""What runs come to: figures of each, means over seeds with intervals, and how one pack compares with another."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean, median, stdev
from typing import Final

import msgspec

from fairgate.simulate.arena.outcome import Opponents, Outcome

#: Student's t for a two-sided interval of 95 %, by degrees of freedom from one on.
_T: Final = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip
_T_OF_MANY: Final = 1.96
#: No pack is said to be more times as good as another.
CAPPED: Final = 20.0


class Estimate(msgspec.Struct, frozen=True):
    """A mean over seeds with its 95 % interval by Student's t; the ends are None where one seed can't tell.

    `mean` is None where no run had the figure, as a cost per dollar where no dollar was got. `runs` had it.
    """

    mean: float | None
    low: float | None
    high: float | None
    runs: int

    def above(self, value: float) -> bool:
        """Whether all of the interval is above a value."""
        return self.low is not None and self.low > value

    def below(self, value: float) -> bool:
        """Whether all of the interval is below a value."""
        return self.high is not None and self.high < value


#: A figure of one run; None where the run can't have it.
Figure = Callable[[Outcome], float | None]


def estimate(values: Iterable[float | None]) -> Estimate:
    """What the values of several seeds come to."""
    known = [each for each in values if each is not None and math.isfinite(each)]
    if len(known) < 2:  # noqa: PLR2004 - an interval needs two
        return Estimate(known[0] if known else None, None, None, len(known))
    mean, free = fmean(known), len(known) - 1
    half = (_T[free - 1] if free <= len(_T) else _T_OF_MANY) * stdev(known) / math.sqrt(len(known))
    return Estimate(mean, mean - half, mean + half, len(known))


def of(runs: Sequence[Outcome], figure: Figure) -> Estimate:
    """A figure over runs."""
    return estimate(figure(each) for each in runs)


def pairs(mine: Sequence[Outcome], theirs: Sequence[Outcome]) -> list[tuple[Outcome, Outcome]]:
    """Runs of two packs over the same world, seed and days."""
    by_seed = {(each.fingerprint, each.seed, each.days): each for each in theirs}
    found = ((each, by_seed.get((each.fingerprint, each.seed, each.days))) for each in mine)
    return [(each, other) for each, other in found if other is not None]


def ratio(part: float, whole: float) -> float | None:
    """A share; None of nothing."""
    return part / whole if whole else None


# -------------------------------------------------------------------------------------------- of compute that is scarce


def capture(run: Outcome) -> float | None:
    """The part of what was served that opponents got, where compute was scarce."""
    return None if run.scarce is None else run.scarce.capture


def goodput(run: Outcome) -> float | None:
    """The part of what honest people asked for that they got in time."""
    return None if run.scarce is None else ratio(run.scarce.honest.served, run.scarce.honest.asked)


def wronged(run: Outcome) -> float | None:
    """The same of people whose account is wrongly counted among a farm's, against that of all."""
    all_of_them = goodput(run)
    if run.scarce is None or not all_of_them:
        return None
    part = ratio(run.scarce.honest.wrongly_served, run.scarce.honest.wrongly_asked)
    return None if part is None else part / all_of_them


def waited(run: Outcome, part: str) -> float | None:
    """A quantile of how long honest people waited for what they got, in seconds: `p50`, `p95` or `p99`."""
    return None if run.scarce is None else float(getattr(run.scarce.honest, part))


# ---------------------------------------------------------------------------------------------------------- of one run


def chosen(run: Outcome, kinds: Iterable[str] | None = None) -> list[Opponents]:
    """The archetypes that are meant: some, or all."""
    return [run.opponents[kind] for kind in kinds or run.opponents if kind in run.opponents]


def abusive(run: Outcome, kinds: Iterable[str] | None = None) -> float:
    """Compute that opponents were served, in dollars."""
    return sum(each.compute for each in chosen(run, kinds))


def abusive_share(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """Their part of all compute that was served."""
    everybody = abusive(run) + sum(each.compute for each in run.honest.values())
    return ratio(abusive(run, kinds), everybody)


def leaked(run: Outcome, kinds: Iterable[str] | None = None) -> float:
    """Compute that opponents were served and did not pay for, in dollars."""
    return sum(max(0.0, each.compute - each.paid) for each in chosen(run, kinds))


def price_of_abuse(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """What opponents spent for each dollar of compute that they were served."""
    return ratio(sum(each.cost for each in chosen(run, kinds)), abusive(run, kinds))


def left(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """The share of opponents who left."""
    found = chosen(run, kinds)
    return ratio(sum(each.left for each in found), sum(each.operators for each in found))


def lasted(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """The share of opponents' accounts that lasted a week from their first abuse."""
    found = chosen(run, kinds)
    return ratio(sum(each.week for each in found), sum(each.watched for each in found))


def noticed(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """The share of opponents' accounts that were throttled or worse."""
    found = chosen(run, kinds)
    return ratio(sum(each.noticed for each in found), sum(each.accounts for each in found))


def hours(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """Hours from the first abuse of an account to the first decision that slowed it or worse: the median of archetypes.

    Only of those that were noticed at all.
    """
    found = [each.hours for each in chosen(run, kinds) if each.hours is not None]
    return median(found) if found else None


def returned(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """The share of opponents who went on with another account after one was closed."""
    found = chosen(run, kinds)
    return ratio(sum(each.returned for each in found), sum(each.banned for each in found))


def benign(run: Outcome, what: str, kinds: Iterable[str] | None = None) -> float | None:
    """The share of honest accounts to which something happened at some time: `denied`, `challenged`, `throttled`."""
    found = [run.honest[kind] for kind in kinds or run.honest if kind in run.honest]
    return ratio(sum(getattr(each, what) for each in found), sum(each.accounts for each in found))


def stopped(run: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """The share of honest requests that were not served."""
    found = [run.honest[kind] for kind in kinds or run.honest if kind in run.honest]
    return ratio(sum(each.stopped for each in found), sum(each.requests for each in found))


# ------------------------------------------------------------------------------------------------------- of two packs


def cut(mine: Outcome, theirs: Outcome, days: slice = slice(None), kinds: Iterable[str] | None = None) -> float | None:
    """By how much less compute opponents got under one pack than under another, as a share, on some of the days."""
    had = sum(sum(each.daily[days]) for each in chosen(theirs, kinds))
    has = sum(sum(each.daily[days]) for each in chosen(mine, kinds))
    return None if not had else 1.0 - has / had


def dearer(mine: Outcome, theirs: Outcome, kinds: Iterable[str] | None = None) -> float | None:
    """How many times as much a dollar of compute cost opponents under one pack as under another, at most `CAPPED`."""
    was, now = price_of_abuse(theirs, kinds), price_of_abuse(mine, kinds)
    if not was:
        return None
    return CAPPED if now is None else min(CAPPED, now / was)


def faded(mine: Outcome, theirs: Outcome) -> float | None:
    """The share of the first half's gain that was gone in the second, when opponents had learnt; below 0 if it grew."""
    half = mine.days // 2
    first, second = cut(mine, theirs, slice(half)), cut(mine, theirs, slice(half, None))
    if first is None or second is None or first <= 0:
        return None
    return 1.0 - second / first


def half_life(weekly: Sequence[float]) -> int | None:
    """Days from a rule's best week to the first week with at most half of that; None where there is none."""
    best = max(weekly, default=0.0)
    if not best:
        return None
    peak = list(weekly).index(best)
    return next((7 * (week - peak) for week in range(peak + 1, len(weekly)) if weekly[week] <= best / 2), None)


def merged(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Counts of several runs together, the largest first."""
    found: dict[str, int] = {}
    for each in counts:
        for name, count in each.items():
            found[name] = found.get(name, 0) + count
    return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))
