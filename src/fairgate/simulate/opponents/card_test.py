"""The card tester: finds out which of many stolen numbers still pay, or buys compute with cards that do.

A campaign is a batch of cards in one way: only added, charged a dollar or so, or charged for compute that is sold on;
many to an account and a device or a few to each; from which lines; in an hour or over days. What it sees of the
accounts teaches which way pays. Whose cards they were take the charges back weeks later.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.simulate.acts import Doing, Life, Seen
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import chance
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import FRONTIER
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import COUNTRIES, Seat
from fairgate.simulate.tradecraft import Thirst, borrowed, bought_mailbox, drain, join, new_profile, program_at, rented

#: Accounts that one rented server and one browser profile serve before the next is taken.
_A_SERVER, _A_PROFILE = 12, 6
#: The share of the dear cards that pay, of live ones that a charge is too much for, of numbers that outlive days.
_PAYS, _SHORT, _KEEPS = 0.85, 0.1, 0.8
#: The banks' words for why, by how often they say so of a number that nobody has checked.
_WORDS: Final = ("incorrect_cvc", "incorrect_cvc", "incorrect_cvc", "do_not_honor", "expired_card", "lost_card")
#: Refusals after which an account is left.
_MOST_REFUSED: Final = 2
#: How much longer than in a conversation what is asked for those who buy the compute is.
_LONGER: Final = 16.0
#: Gigabytes that an account takes through somebody's line, which is kept from its first card to the last.
_A_LINE: Final = 0.3


class _Aim(StrEnum):
    """What is done with a card, and so which cards are bought."""

    ADD = "numbers only added"
    CHARGE = "numbers charged a dollar"
    COMPUTE = "good cards charged for compute"


@dataclass(frozen=True, slots=True)
class _Way:
    """How a batch of cards is used up."""

    aim: _Aim
    spread: bool
    home_line: bool
    slow: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        spread = "an account and a device for every few" if self.spread else "many to an account and a device"
        line = "people's lines" if self.home_line else "rented servers"
        return f"{self.aim}, {spread}, {line}, {'over days' if self.slow else 'within an hour'}"

    def like(self, *, joined: bool) -> list["_Way"]:
        """The ways that fail as this one did: those that differ in the line alone where accounts could be made."""
        if joined:
            return [replace(self, home_line=each) for each in (False, True)]
        return [each for each in _WAYS.values() if each.home_line == self.home_line]

    @property
    def lot(self) -> int:
        """The cards of one account."""
        if self.aim == _Aim.COMPUTE:
            return 1 if self.spread else 4
        return 2 if self.spread else 12

    @property
    def cards(self) -> tuple[str, str]:
        """The figures that say how many a campaign has, and what share of those pays."""
        return ("good", "") if self.aim == _Aim.COMPUTE else ("numbers", "live")


@dataclass(slots=True)
class _Tried:
    """What came of the cards of an account: how many were answered, how many paid, for how many dollars, until when."""

    time: int
    answers: int = 0
    paid: int = 0
    dollars: float = 0.0


class _Kit:
    """What the accounts of one campaign share: lines, browser profiles, a prompt."""

    def __init__(self, mine: Operator, way: _Way) -> None:
        self.mine = mine
        self.way = way
        self.use = Use("1", name_of(mine.rng, "tpl"), FRONTIER, longer=_LONGER)
        self.profiles = mine.stock("profile", partial(new_profile, mine), _A_PROFILE)
        self.servers = mine.stock("server", partial(rented, mine), _A_SERVER)

    def cards(self, now: int) -> list[tuple[Card, bool]]:
        """Stolen cards that are bought now, each with whether it pays, which only its bank knows."""
        mine, way = self.mine, self.way
        count, share = way.cards
        size = max(2, round(mine.figure(count)))
        mine.buy("card", size * _dearness(mine, way), now)
        pays = (mine.figure(share) if share else _PAYS) * (_KEEPS if way.slow else 1.0)
        return [(self._card(), chance(mine.rng, pays)) for _ in range(size)]

    def seat(self, now: int) -> Seat:
        """Where the next account is made."""
        line = borrowed(self.mine, now, _A_LINE) if self.way.home_line else self.servers.take(now)
        return replace(line, device=new_profile(self.mine, now) if self.way.spread else self.profiles.take(now))

    def pause(self) -> int:
        """The time from one card to the next."""
        return self.mine.rng.randrange(2 * HOUR, 8 * HOUR) if self.way.slow else self.mine.rng.randrange(8, 60) * SECOND

    def burnt(self, seat: Seat) -> None:
        """An account that was made here was closed."""
        if seat.device is not None:
            self.profiles.burnt(seat.device)

    def _card(self) -> Card:
        return Card(name_of(self.mine.rng, "card"), self.mine.rng.choice(COUNTRIES).code, stolen=True)


def _run(mine: Operator, way: _Way, now: int) -> int:
    """A batch of cards; the next may begin two days after the last account is made."""
    kit, spread = _Kit(mine, way), 3 * DAY if way.slow else HOUR
    cards = kit.cards(now)
    lots = [cards[at : at + way.lot] for at in range(0, len(cards), way.lot)]
    times = sorted(now + mine.rng.randrange(spread) for _ in lots)
    mine.scene.stage.add((time, partial(_one, kit, time, lot)) for time, lot in zip(times, lots, strict=True))
    return now + spread + 2 * DAY


def _one(kit: _Kit, time: int, lot: Sequence[tuple[Card, bool]]) -> Life:
    """One account, from its sign-up to its last card, and what is sold then."""
    mine, way, seat = kit.mine, kit.way, kit.seat(time)
    desk = Sitting(mine.account(time, "free"), seat)
    ready = yield from join(mine, desk, time, bought_mailbox(mine, time))
    well = False
    if ready is not None:
        tried = yield from _try(kit, desk, ready, lot)
        well = tried.answers > len(lot) / 2
        if tried.dollars:
            thirst = Thirst(lambda: kit.use, tried.dollars, 900.0 if way.slow else 40.0)
            found = yield from drain(mine, replace(desk, seat=program_at(seat)), tried.time, thirst)
            mine.earn("sells compute", min(found.dollars, tried.dollars) * mine.resale, found.time)
            well = well and found.dollars >= tried.dollars / 2
        if tried.paid and way.aim != _Aim.COMPUTE:
            mine.earn("sells cards", tried.paid * mine.figure("sells") * _proof(way), tried.time)
    mine.beliefs.learn(*([way] if well else way.like(joined=ready is not None)), well=well)
    if not well:
        kit.burnt(seat)


def _try(kit: _Kit, desk: Sitting, time: int, lot: Sequence[tuple[Card, bool]]) -> Doing[_Tried]:
    """Card after card, until they are used up or the account can't go on."""
    found, refused = _Tried(time), 0
    for card, pays in lot:
        found.time += kit.pause()
        seen = yield from _card(kit, desk, card, found, pays=pays)
        refused += not seen.served
        if seen in (Seen.HELD, Seen.CLOSED) or refused >= _MOST_REFUSED:
            break
    return found


def _card(kit: _Kit, desk: Sitting, card: Card, found: _Tried, *, pays: bool) -> Doing[Seen]:
    """Add a card and, where that is what it is for, charge it; what is found is noted. Returns what was seen last."""
    rng, aim = kit.mine.rng, kit.way.aim
    seen = yield desk.add_card(found.time, card, declined=None if pays else rng.choice(_WORDS))
    amount = 0.0
    if seen.served and pays and aim != _Aim.ADD:
        found.time += rng.randrange(8, 40) * SECOND
        amount = round(rng.uniform(0.5, 1.5), 2) if aim == _Aim.CHARGE else float(round(kit.mine.figure("charges")))
        pays = not chance(rng, _SHORT)
        seen = yield desk.charge(found.time, card, amount, declined=None if pays else "insufficient_funds")
    if seen.served:
        found.answers += 1
    if seen.served and pays:
        found.paid, found.dollars = found.paid + 1, found.dollars + amount
        desk.who.tier = "payg" if amount else desk.who.tier
    return seen


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What a campaign in a way brings in dollars, if its accounts live as likely as this."""
    more, (count, share) = mine.spec.more, way.cards
    size, pays = more[count].middle, more[share].middle if share else _PAYS
    pays *= (_KEEPS if way.slow else 1.0) * (1.0 if way.aim == _Aim.ADD else 1.0 - _SHORT)
    each = more["charges"].middle * mine.resale if way.aim == _Aim.COMPUTE else more["sells"].middle * _proof(way)
    account = mine.price("mailbox", now) + mine.price("profile", now) / (1 if way.spread else _A_PROFILE)
    account += _A_LINE * mine.price("traffic", now) if way.home_line else mine.price("server", now) / _A_SERVER
    costs = mine.price("card", now) * _dearness(mine, way) + account / way.lot
    return size * (likely * pays * each - costs)


def _dearness(mine: Operator, way: _Way) -> float:
    """What a card of this way costs, where one is 1 whose holder's data are known."""
    return 1.0 if way.aim == _Aim.COMPUTE else mine.spec.more["unchecked"].middle


def _proof(way: _Way) -> float:
    """What is paid for a live card, where one is 1 that a charge went through on."""
    return 1.0 if way.aim == _Aim.CHARGE else 0.7


_WAYS: Final = {
    way.words: way for way in (_Way(*each) for each in product(_Aim, (False, True), (False, True), (False, True)))
}
ARCHETYPE = Archetype(
    about="tries stolen cards to sell those that pay, or buys compute with them and sells that on",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("card", "mailbox", "profile", "server", "traffic"),
    figures=("numbers", "live", "unchecked", "sells", "good", "charges"),
)
