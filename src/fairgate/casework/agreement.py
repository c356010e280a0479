"""How far reviewers agree beyond chance: Krippendorff's alpha for names, whoever saw which of the cases."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Final

_PAIR: Final = 2


def alpha(cases: Iterable[Iterable[str]]) -> float | None:
    """Krippendorff's alpha of what was said of each case: 1 is full agreement, 0 is chance, below is worse than that.

    Nominal: two outcomes are the same or not. A case of which fewer than two spoke says nothing. None where no two
    spoke of the same case, or nobody ever said another thing: then there is no telling.
    """
    said, apart = Counter[str](), 0.0
    for case in cases:
        counts = Counter(case)
        of = counts.total()
        if of < _PAIR:
            continue
        said += counts
        apart += (of * of - sum(each * each for each in counts.values())) / (of - 1)
    spoken = said.total()
    by_chance = spoken * spoken - sum(each * each for each in said.values())
    return 1.0 - (spoken - 1) * apart / by_chance if by_chance else None


def alpha_by_reason(cases: Mapping[str, Iterable[Iterable[str]]]) -> dict[str, float | None]:
    """The same per reason code: where reviewers part ways the policy is unclear, or the evidence is."""
    return {reason: alpha(cases[reason]) for reason in sorted(cases)}
