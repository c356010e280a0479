"""How long requests are, how they come, and how much people differ: fitted to published traces of such services.

Of the traces only the figures below are here. Azure LLM inference traces 2023 (conversations and code, CC BY 4.0), and
the trace of 27 clients of "Fairness in Serving Large Language Models" (OSDI 2024): lengths are kept as quantiles, for
no common law fits them (half of the conversations' prompts are near one length). Within a trace, prompt and answer
hardly tell anything of each other (rank correlations of 0.07, -0.02 and 0.26), so they are drawn apart.
"""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from random import Random
from typing import Final

#: The shares of requests that are no longer than each of the lengths beside them.
_SHARES: Final = (0.0, 0.01, *(step / 20 for step in range(1, 20)), 0.97, 0.99, 0.995, 0.999, 1.0)
_WIDTHS: Final = tuple(after - before for before, after in pairwise(_SHARES))


@dataclass(frozen=True, slots=True)
class Lengths:
    """Lengths in tokens at the shares above; between two of them each factor is as likely as another."""

    at: tuple[int, ...]

    def draw(self, rng: Random) -> int:
        """A length."""
        share = rng.random()
        index = bisect_right(_SHARES, share) - 1
        low = self.at[index]
        return round(low * math.pow(self.at[index + 1] / low, (share - _SHARES[index]) / _WIDTHS[index]))

    @property
    def mean(self) -> float:
        """What many draws come to on average."""
        means = [_mean(low, high) for low, high in pairwise(self.at)]
        return sum(width * mean for width, mean in zip(_WIDTHS, means, strict=True))


@dataclass(frozen=True, slots=True)
class Talk:
    """A way of asking: how long prompts and answers are."""

    asked: Lengths
    answered: Lengths


CONVERSATION = Talk(
    Lengths((
        2, 29, 181, 207, 372, 387, 396, 403, 414, 703, 984, 1020, 1045, 1071, 1097, 1130, 1189, 1315, 1876,
        2734, 4083, 4090, 4142, 4831, 6179, 14050,
    )),
    Lengths((
        7, 16, 41, 54, 67, 77, 85, 91, 96, 103, 113, 129, 151, 177, 217, 384, 395, 400, 411, 424, 451, 509,
        601, 643, 954, 1000,
    )),
)  # fmt: skip
CODE = Talk(
    Lengths((
        3, 17, 75, 147, 232, 386, 578, 770, 939, 1075, 1261, 1469, 1690, 1909, 2164, 2433, 2744, 3192, 3920,
        5188, 7303, 7435, 7436, 7436, 7437, 7437,
    )),
    Lengths((
        6, 6, 6, 7, 7, 8, 9, 9, 10, 11, 12, 13, 14, 16, 18, 20, 24, 29, 39, 55, 90, 128, 251, 359, 825, 1899,
    )),
)  # fmt: skip
CHAT = Talk(
    Lengths((
        2, 2, 2, 5, 8, 10, 13, 16, 19, 24, 31, 40, 52, 68, 92, 124, 161, 214, 299, 432, 653, 734, 902, 956,
        1015, 1021,
    )),
    Lengths((
        2, 3, 10, 18, 29, 43, 62, 85, 109, 141, 173, 211, 255, 308, 351, 400, 458, 511, 512, 513, 513, 601,
        785, 884, 977, 977,
    )),
)  # fmt: skip
#: How unevenly requests of one client come: the standard deviation of the gaps between them over their mean.
BURSTS: Final = (0.9, 1.8)
#: How unevenly clients ask: the standard deviation of the logarithm of how often.
UNEVEN: Final = 1.35


def chance(rng: Random, share: float) -> bool:
    """Whether something happens that happens in this share of cases."""
    return rng.random() < share


def gap(rng: Random, mean: float, burst: float) -> float:
    """The time to the next request, from a gamma law with this mean and this standard deviation over the mean."""
    shape = burst**-2
    return rng.gammavariate(shape, mean / shape)


def busier(rng: Random) -> float:
    """How much busier somebody is than the middle one of their kind."""
    return rng.lognormvariate(0.0, UNEVEN)


def _mean(low: int, high: int) -> float:
    """The mean of what is drawn between two lengths."""
    return float(low) if low == high else (high - low) / math.log(high / low)
