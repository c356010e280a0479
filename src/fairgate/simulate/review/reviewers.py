"""Simulated reviewers: they err, lean, are led by a score they are shown, and tire. All of it is made up.

A reviewer sees evidence of strength `acuity`, times how plain the case is, for what is true, and noise of one standard
deviation when rested; they call bad what comes out above zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

from fairgate.domain.worth import Errors
from fairgate.simulate.review.caseload import HOUR, Case

#: Noise grows by this part with every hour worked: after eight hours about twice as many mistakes.
FATIGUE: Final = 0.03
#: How far the log-odds of a score that is shown move the evidence: anchoring is real, and small beside plain evidence.
ANCHOR: Final = 0.1
#: However high a score is, it moves nobody further than these log-odds.
MOST_ANCHORED: Final = 3.0


@dataclass(frozen=True, slots=True)
class Reviewer:
    """One simulated reviewer. `leans` by reason code: above zero they call more bad. On shift from `begins`, daily."""

    name: str
    acuity: float
    begins: float
    minutes: float = 7 * HOUR
    leans: dict[str, float] = field(default_factory=dict)

    def calls_bad(self, case: Case, hours: float, draw: Random, *, score_shown: bool) -> bool:
        """What they say of a case after so many hours of work."""
        seen = (1 if case.bad else -1) * self.acuity * case.plain + self.leans.get(case.kind.reason, 0.0)
        if score_shown:
            odds = math.log(case.probability / (1 - case.probability))
            seen += ANCHOR * min(max(odds, -MOST_ANCHORED), MOST_ANCHORED)
        return seen + draw.gauss(0, 1 + FATIGUE * hours) > 0

    def on_shift(self, now: float) -> bool:
        """Whether they are there."""
        return 0 <= now % (24 * HOUR) - self.begins < self.minutes


#: Six people over the day, from a beginner (3.6 % mistakes when rested) to an old hand (1.1 %); four lean somewhere.
TEAM: Final = (
    Reviewer("ada", 2.3, 8 * HOUR),
    Reviewer("bo", 2.1, 8 * HOUR, leans={"seat_sharing": -0.4}),
    Reviewer("cy", 2.0, 10 * HOUR, leans={"credit_farm": 0.3}),
    Reviewer("di", 2.2, 12 * HOUR),
    Reviewer("eli", 1.9, 14 * HOUR, leans={"stolen_key": -0.3}),
    Reviewer("fay", 1.8, 15 * HOUR, leans={"resale": 0.3}),
)


def errors_on_gold(team: Sequence[Reviewer], gold: Sequence[Case], draw: Random) -> Errors:
    """How a team errs on cases of which the truth is known, each seen by each, blind, at some hour of their day."""
    wrong, seen = {True: 0, False: 0}, {True: 0, False: 0}
    for case in gold:
        for reviewer in team:
            hours = draw.uniform(0, reviewer.minutes / HOUR)
            seen[case.bad] += 1
            wrong[case.bad] += reviewer.calls_bad(case, hours, draw, score_shown=False) is not case.bad
    return Errors(wrong[True] / seen[True], wrong[False] / seen[False])
