"""What ties honest people to each other: invitations, a friend's card, a laptop that was somebody else's."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from random import Random
from typing import Final

from fairgate.domain.windows import DAY
from fairgate.simulate.draws import chance
from fairgate.simulate.honest.life import Customer
from fairgate.simulate.world_file import Habits

#: Those who sit at a laptop of their own, and those who pay for themselves.
_OWN_LAPTOP: Final = frozenset({"hobbyist", "power"})
_PRIVATE: Final = frozenset({"hobbyist", "power", "mobile", "vpn", "traveller", "student"})
#: The share of those who sell a laptop because they leave; the others buy a new one.
_LEAVES: Final = 0.5


def tie(found: Sequence[Customer], habits: Habits, begins: int, rng: Random) -> None:
    """Tie the customers of one segment, for a world that begins at a time."""
    kind = found[0].account.owner.kind if found else ""
    before = sorted(found, key=lambda each: each.account.created)
    made = [each.account.created for each in before]
    if kind in _PRIVATE:
        _share_cards(before, habits.shares_card, rng)
    for each in before[bisect_left(made, begins) :]:
        there = bisect_left(made, each.account.created)
        if there and chance(rng, habits.refers):
            each.host = before[rng.randrange(there)].account
        if there and kind in _OWN_LAPTOP and chance(rng, habits.second_hand):
            _sell(before[rng.randrange(there)], each, begins, rng)


def _share_cards(friends: Sequence[Customer], share: float, rng: Random) -> None:
    """Some pay with the card of a friend, who pays as well."""
    for friend, each in pairwise(friends):
        if chance(rng, share):
            each.card = friend.card
            each.pays = friend.pays = True


def _sell(seller: Customer, buyer: Customer, begins: int, rng: Random) -> None:
    """A laptop is sold some days before its buyer signs up with it; who has sold one already keeps the next."""
    if seller.parts or buyer.parts:
        return
    mine, theirs = buyer.desk.seat, seller.desk.seat
    seller.parts = max(begins, seller.account.created, buyer.account.created - rng.randrange(DAY, 10 * DAY))
    seller.leaves = chance(rng, _LEAVES)
    buyer.works = tuple(
        replace(each, seat=replace(each.seat, device=theirs.device)) if each.seat.device == mine.device else each
        for each in buyer.works
    )
    buyer.desk = replace(buyer.desk, seat=replace(mine, device=theirs.device, user_agent=theirs.user_agent))
