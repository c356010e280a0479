"""What came of one world played once against one pack: plain values, to be sent between processes and kept as JSON."""

import msgspec

from fairgate.simulate.scarcity import Scarce


class Opponents(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the opponents of one archetype.

    `daily` is the compute they were served each day and `costs` what they spent each day, in dollars at list price;
    `asked` what they asked for, `paid` what the company was paid for it and kept, `earned` what they took in. Of
    `accounts` that they used, `closed` were closed at some time, and `noticed` were throttled or worse, half of these
    within `hours` of their first abuse. Of the accounts that could be watched for a week, `week` lasted it. `banned`
    operators lost an account, and `returned` used another that was made, or broken into, after that. `first` counts by
    layer and name what was the first to act on each account. `ways` are tries by way, in each half.
    """

    operators: int
    left: int
    accounts: int
    closed: int
    noticed: int
    hours: float | None
    watched: int
    week: int
    banned: int
    returned: int
    asked: float
    paid: float
    earned: float
    daily: tuple[float, ...]
    costs: tuple[float, ...]
    first: dict[str, int]
    ways: tuple[dict[str, int], dict[str, int]]

    @property
    def compute(self) -> float:
        """The compute that they were served, in dollars."""
        return sum(self.daily)

    @property
    def cost(self) -> float:
        """What they spent, in dollars."""
        return sum(self.costs)


class Honest(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the honest people of one segment.

    Accounts are counted once for each: `denied` were held, suspended or banned at some time, or refused after a
    challenge; `challenged` had to pass one; `throttled` were slowed. Who was broken into counts as `victims` instead,
    from then on. `requests` were asked, `stopped` of them were not served, and people waited for `waited` hours.
    """

    accounts: int
    requests: int
    stopped: int
    denied: int
    closed: int
    challenged: int
    throttled: int
    victims: int
    waited: float
    daily: tuple[float, ...]

    @property
    def compute(self) -> float:
        """The compute that they were served, in dollars."""
        return sum(self.daily)


class RuleOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule or list did: the accounts that it counted on, and its share week by week.

    `abusive` are opponents' accounts by archetype, `honest` others by segment. A week's share is of the opponents'
    accounts that were used in it.
    """

    abusive: dict[str, int]
    honest: dict[str, int]
    weekly: tuple[float, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One run: a world (by name and fingerprint), a pack (by its label), a seed, and so many of `asked` days.

    `scarce` is what came of compute that was scarce; None where it was not.
    """

    world: str
    fingerprint: str
    pack: str
    seed: int
    days: int
    asked: int
    events: int
    seconds: float
    opponents: dict[str, Opponents]
    honest: dict[str, Honest]
    rules: dict[str, RuleOutcome]
    reviews: int
    review_dollars: float
    scarce: Scarce | None = None
