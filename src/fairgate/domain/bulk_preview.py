"""The blast radius of a bulk action, from what is known of each account."""

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final, NamedTuple

from fairgate.domain.bulk import Ages, Evidence, Money, Preview, Sampled

_SAMPLE: Final = 10
_WEAKEST: Final = 10


class Measured(NamedTuple):
    """What is known of an account. `begun` is when it began, None where nobody knows; sums are None likewise.

    `groups` independent kinds of evidence were in the decisions of late against it, of which `source` and `id` name the
    last, and `log_odds` is the most of them, None where there were none.
    """

    account: str
    begun: int | None
    days_30: float | None
    days_90: float | None
    groups: int
    log_odds: float | None
    source: str
    id: str


class Terms(NamedTuple):
    """What else a preview says: whether the pack tells of money and beginnings, what is lost, days of evidence."""

    money: bool
    begins: bool
    loses: str
    days: int


def previewed(accounts: Sequence[Measured], skipped: Mapping[str, int], terms: Terms, now: int, seed: int) -> Preview:
    """The preview of these accounts; the same seed draws the same sample from them."""
    begun = sorted(max(0, now - each.begun) for each in accounts if each.begun is not None)
    drawn = Random(seed).sample(sorted(accounts), min(_SAMPLE, len(accounts)))
    return Preview(
        accounts=len(accounts),
        skipped={reason: count for reason, count in sorted(skipped.items()) if count},
        loses=terms.loses,
        money=_money(accounts) if terms.money else None,
        ages=_ages(begun) if terms.begins and begun else None,
        ages_unknown=len(accounts) - len(begun),
        evidence=_evidence(accounts, terms.days),
        seed=seed,
        sample=tuple(Sampled(each.account, each.groups, each.log_odds, each.source, each.id) for each in drawn),
    )


def _money(accounts: Sequence[Measured]) -> Money:
    of_90 = [each.days_90 or 0.0 for each in accounts]
    return Money(
        paying=sum(each > 0 for each in of_90),
        days_30=round(sum(each.days_30 or 0.0 for each in accounts), 2),
        days_90=round(sum(of_90), 2),
        largest=round(max(of_90, default=0.0), 2),
    )


def _ages(ages: Sequence[int]) -> Ages:
    """Of ages in order, those at the quarters of the way."""
    last = len(ages) - 1
    newest, lower, median, upper, oldest = (ages[last * quarter // 4] for quarter in range(5))
    return Ages(newest, lower, median, upper, oldest)


def _evidence(accounts: Sequence[Measured], days: int) -> Evidence:
    weakest = sorted(accounts, key=lambda each: (each.groups, each.log_odds or 0.0, each.account))
    return Evidence(
        days=days,
        none=sum(each.log_odds is None for each in accounts),
        one_group=sum(each.log_odds is not None and each.groups <= 1 for each in accounts),
        weakest=tuple(each.account for each in weakest[:_WEAKEST]),
    )
