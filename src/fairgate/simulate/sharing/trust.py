"""How well a service can tell honest accounts from others: likelihoods with a given area under the ROC curve."""

import math
from random import Random
from statistics import NormalDist


class Judge:
    """Draws what is believed of accounts. `auc` (0.5 to below 1) is how often it ranks an honest one above an abuser.

    The log-odds are normal around +d^2/2 for honest accounts and -d^2/2 for abusers, with standard deviation d =
    sqrt(2) * Phi^-1(auc), which makes them calibrated where both are as many; `honest` and `abusers` are how many there
    are, which shifts them. So of the accounts that are given a trust of 0.9, nine in ten are honest.
    """

    def __init__(self, auc: float, honest: int, abusers: int) -> None:
        self._d = math.sqrt(2.0) * NormalDist().inv_cdf(auc)
        self._prior = math.log(max(honest, 1) / max(abusers, 1))

    def trust(self, rng: Random, *, honest: bool) -> float:
        """The likelihood that an account is honest, for one who is, or isn't."""
        middle = self._d**2 / 2
        odds = self._prior + (middle if honest else -middle) + self._d * rng.gauss(0.0, 1.0)
        return 1.0 / (1.0 + math.exp(-odds))
