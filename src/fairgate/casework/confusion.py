"""How each reviewer errs, and what is likely true of each case: Dawid and Skene's model, by `crowd-kit`.

Needs the extra `casework`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import pandas as pd
from crowdkit.aggregation.classification.dawid_skene import DawidSkene

from fairgate.domain.worth import USUAL_ERRORS, Errors

#: A reviewer's rates are drawn towards the usual ones as if so many cases had been seen of them before.
PRIOR_CASES: Final = 20.0


class Said(NamedTuple):
    """What one reviewer said of one case."""

    case: str
    reviewer: str
    outcome: str


class Confusion(NamedTuple):
    """What is likely true of each case; and of each reviewer, how likely they say (of a truth) each outcome."""

    truth: dict[str, dict[str, float]]
    reviewers: dict[str, dict[str, dict[str, float]]]


def confusion(said: Sequence[Said], gold: Mapping[str, str], rounds: int = 100) -> Confusion:
    """Estimate both at once from what several said. `gold` are cases of which the truth is known."""
    if not said:
        return Confusion({}, {})
    rows = pd.DataFrame(
        {
            "task": [each.case for each in said],
            "worker": [each.reviewer for each in said],
            "label": [each.outcome for each in said],
        }
    )
    spoken = {each.case for each in said}
    outcomes = {each.outcome for each in said}
    known = {case: outcome for case, outcome in gold.items() if case in spoken and outcome in outcomes}
    fitted = DawidSkene(n_iter=rounds).fit(rows, pd.Series(known, dtype=str) if known else None)
    if fitted.probas_ is None or fitted.errors_ is None:
        return Confusion({}, {})
    truth = {str(case): {str(name): float(p) for name, p in row.items()} for case, row in fitted.probas_.iterrows()}
    reviewers: dict[str, dict[str, dict[str, float]]] = defaultdict(lambda: defaultdict(dict))
    for (reviewer, outcome), row in fitted.errors_.iterrows():
        for true, share in row.items():
            reviewers[str(reviewer)][str(true)][str(outcome)] = float(share)
    return Confusion(truth, {who: dict(of) for who, of in sorted(reviewers.items())})


def errors_of(
    said: Sequence[Said], found: Confusion, bad: str, honest: str, usual: Errors = USUAL_ERRORS
) -> dict[str, Errors]:
    """Each reviewer's errors, for `domain.worth`: as found, but near the usual ones where little was seen of them."""
    seen: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for each in said:
        for outcome, probability in found.truth.get(each.case, {}).items():
            seen[each.reviewer][outcome] += probability
    return {
        who: Errors(
            _drawn(of.get(bad, {}).get(honest, 0.0), seen[who][bad], usual.missed),
            _drawn(of.get(honest, {}).get(bad, 0.0), seen[who][honest], usual.wronged),
        )
        for who, of in found.reviewers.items()
    }


def _drawn(rate: float, cases: float, usual: float) -> float:
    return (rate * cases + usual * PRIOR_CASES) / (cases + PRIOR_CASES)
