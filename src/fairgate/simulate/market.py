"""What opponents pay: prices that rise as more is burnt than there is."""

from collections.abc import Mapping
from random import Random

from fairgate.domain.windows import DAY
from fairgate.simulate.world_file import Price

_MONTH = 30 * DAY


class Market:
    """Sells to all opponents of a world; who buys makes it dearer for the others.

    A month later what was bought has been made again: the amount that counts falls evenly over thirty days.
    """

    def __init__(self, prices: Mapping[str, Price], rng: Random) -> None:
        self._prices = prices
        self._rng = rng
        self._level = {name: price.draw(rng) for name, price in prices.items()}
        self._bought: dict[str, tuple[float, int]] = {}

    def price(self, name: str, now: int) -> float:
        """What one costs at a time, in dollars. Raises KeyError for what the world has no price of."""
        price = self._prices[name]
        over = self._burnt(name, now) / price.supply - 1.0
        return float(self._level[name] * price.dearer ** max(0.0, over))

    def buy(self, name: str, count: float, now: int) -> float:
        """Buy so many, and return what they cost together; a purchase is charged at the price before it."""
        dollars = count * self.price(name, now)
        self._bought[name] = self._burnt(name, now) + count, now
        return dollars

    def _burnt(self, name: str, now: int) -> float:
        amount, then = self._bought.get(name, (0.0, now))
        return amount * max(0.0, 1.0 - (now - then) / _MONTH)
