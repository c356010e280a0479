"""Users from where the service is not offered: a person or a small shop who wants the compute for own use.

They pay the list price, once what newcomers are given is used up, and hold it to be worth more than that. A campaign is
two days of use in one way: by which exit, with which clock, with whose card or by whose account. An account is kept for
as long as it goes; whether it does teaches which way pays.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from math import inf
from typing import Final

from fairgate.domain.windows import DAY, MINUTE, SECOND
from fairgate.simulate import tradecraft
from fairgate.simulate.acts import Account, Doing, Life, Seen
from fairgate.simulate.deeds import Card, Sitting, Use, settle
from fairgate.simulate.draws import CHAT, CONVERSATION
from fairgate.simulate.identities import MAIL, mailbox, name_of
from fairgate.simulate.models import FRONTIER, LARGE
from fairgate.simulate.operator import Archetype, Business, Operator, Stock, business
from fairgate.simulate.places import COUNTRIES, Seat, household, waking
from fairgate.simulate.tradecraft import Thirst

#: Where the service is not offered, and its time zones with their hours from UTC.
_COUNTRY: Final = "AQ"
_ZONES: Final = (("Antarctica/McMurdo", 13.0), ("Antarctica/Troll", 0.0))
#: Days of a campaign; campaigns in a month, for which a VPN is paid and a profile, a card and an account ought to last.
_DAYS, _MONTH = 2, 15
#: Gigabytes that those days take through somebody's line.
_LINE: Final = 0.2
#: Dollars of credits bought at a time, and what a dollar costs by a go-between.
_TOP_UP, _GO_BETWEEN = 10.0, 1.15
#: How much longer than usual what is asked for is, and seconds between two requests.
_LONGER, _BETWEEN = 8.0, 90.0
_MODELS: Final = (LARGE, FRONTIER)
#: What is seen of an account that is gone.
_LOST: Final = (Seen.CLOSED, Seen.HELD)
#: What never wears out.
_FOR_EVER: Final = 1 << 62


class _Means(StrEnum):
    """Who pays, and whose account it is."""

    OWN = "with a card from home"
    FOREIGN = "with a foreign virtual card"
    TRIAL = "on what newcomers are given"
    BOUGHT = "by a reseller's old account and card"


@dataclass(frozen=True, slots=True)
class _Way:
    """How somebody comes by the service."""

    home_line: bool
    clock: bool
    means: _Means

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        line = "through somebody's line" if self.home_line else "through a VPN"
        return f"{line}, {'the clock set right' if self.clock else 'the clock as it is'}, {self.means}"

    @property
    def dear(self) -> float:
        """What a dollar of credits costs."""
        return _GO_BETWEEN if self.means == _Means.BOUGHT else 1.0

    def trial(self, mine: Operator) -> float:
        """What the account has been given that is not used up yet, in dollars."""
        return 0.0 if self.means == _Means.BOUGHT else mine.scene.world.world.service.trial_dollars.middle

    def most(self, mine: Operator) -> float:
        """What one account may give, in dollars."""
        return self.trial(mine) if self.means == _Means.TRIAL else inf

    def cost(self, mine: Operator, now: int) -> float:
        """What it takes for two days beside the credits, in dollars."""
        lasting = mine.price("profile", now) if self.clock else 0.0
        lasting += mine.price("virtual_card", now) if self.means == _Means.FOREIGN else 0.0
        lasting += mine.price("aged_account", now) if self.means == _Means.BOUGHT else 0.0
        if self.home_line:
            return _LINE * mine.price("traffic", now) + lasting / _MONTH
        return (mine.price("vpn", now) + lasting) / _MONTH


@dataclass(frozen=True, slots=True)
class _Home:
    """Where somebody is at home, their hours from UTC, and what they ask: the same whatever account they have."""

    seat: Seat
    offset: float
    use: Use


@dataclass(slots=True)
class _Held:
    """An account that is kept: what a dollar on it costs, what credits it has had, how much of them is used up."""

    who: Account
    dear: float
    credits: float
    used: float = 0.0
    card: Card | None = None
    lost: bool = False

    @property
    def left(self) -> float:
        """What is left on it, in dollars."""
        return max(0.0, self.credits - self.used)


def _home(mine: Operator, _now: int) -> _Home:
    """A browser at home, and a program of one's own."""
    rng = mine.rng
    zone, offset = rng.choice(_ZONES)
    seat = replace(household(rng, rng.choice(COUNTRIES)), timezone=zone)
    use = Use("1", name_of(rng, "tpl"), rng.choice(_MODELS), rng.choice((CHAT, CONVERSATION)), longer=_LONGER)
    return _Home(seat, offset, use)


def _run(mine: Operator, way: _Way, now: int) -> int:
    """Two days of use; the next campaign begins a day after them."""
    mine.scene.stage.add([(now, partial(_uses, mine, way, now))])
    return now + (_DAYS + 1) * DAY


def _uses(mine: Operator, way: _Way, start: int) -> Life:
    """Get an account, unless there is one, and use it in a sitting a day for as long as it goes."""
    home = mine.stock("home", partial(_home, mine), _FOR_EVER).take(start)
    kept = mine.stock(way.words, partial(_none, mine), _FOR_EVER).take(start)
    seat, want, now = _seat(mine, way, home, start), mine.figure("dollars"), start
    if not kept:
        who = tradecraft.bought(mine, start) if way.means == _Means.BOUGHT else mine.account(start, "free")
        kept.append(_Held(who, way.dear, way.trial(mine)))
        now = yield from _gets_in(mine, way, Sitting(who, seat), kept[0], start)
    held, had = kept[0], kept[0].used
    for day in range(_DAYS):
        now = max(now, waking(mine.rng, start + day * DAY, home.offset))
        if not held.lost:
            now = yield from _sits(mine, Sitting(held.who, seat), held, Thirst(lambda: home.use, want, _BETWEEN), now)
    got = held.used - had
    mine.earn("uses", got * mine.resale * mine.figure("values"), now)
    well = not held.lost and got >= min(way.most(mine), want * _DAYS) / 2
    mine.beliefs.learn(way, well=well)
    if held.lost or (held.card is None and held.left < want):
        kept.clear()
    if held.lost:
        _profiles(mine).burnt(seat.device or "")


def _none(_mine: Operator, _now: int) -> list[_Held]:
    """No account yet."""
    return []


def _profiles(mine: Operator) -> Stock[str]:
    """Browser profiles that show another clock."""
    return mine.stock("profile", partial(tradecraft.new_profile, mine), _MONTH)


def _seat(mine: Operator, way: _Way, home: _Home, now: int) -> Seat:
    """The browser at home behind another's line, with its own clock and device, or those of a bought profile."""
    if way.home_line:
        line = tradecraft.borrowed(mine, now, _LINE)
    else:
        line = mine.stock("vpn", partial(tradecraft.vpn_exit, mine), _MONTH).take(now)
    return replace(line, device=_profiles(mine).take(now)) if way.clock else tradecraft.behind(home.seat, line)


def _gets_in(mine: Operator, way: _Way, desk: Sitting, held: _Held, time: int) -> Doing[int]:
    """Make an account or take it over, add a card; it is lost where that is not let be. Returns when that is done."""
    mine.pay("own time", mine.figure("effort"), time)
    if way.means == _Means.BOUGHT:
        ready = yield from tradecraft.move_in(mine, desk, time)
    else:
        ready = yield from tradecraft.join(mine, desk, time, mailbox(mine.rng, mine.rng.choice(MAIL)))
    if ready is not None and way.means != _Means.TRIAL:
        if way.means == _Means.FOREIGN:
            mine.buy("virtual_card", 1, ready)
        held.card = Card(name_of(mine.rng, "card"), _COUNTRY if way.means == _Means.OWN else desk.seat.country)
        ready = yield from tradecraft.hand_card(mine, desk, ready, held.card)
    held.lost = ready is None
    return ready or time


def _sits(mine: Operator, desk: Sitting, held: _Held, thirst: Thirst, time: int) -> Doing[int]:
    """A day's sitting: log in, buy credits if there is need of them, ask. Returns when it is over."""
    seen = yield desk.log_in(time)
    held.lost = seen in _LOST
    if not seen.served:
        return time + MINUTE
    time += MINUTE
    if held.card is not None and held.left < thirst.dollars:
        if (yield from tradecraft.top_up(desk, time, held.card, _TOP_UP)):
            mine.pay("buys credits", _TOP_UP * held.dear, time)
            held.credits += _TOP_UP
        time += MINUTE
    program = Sitting(held.who, tradecraft.program_at(desk.seat))
    found = yield from tradecraft.drain(mine, program, time, replace(thirst, dollars=min(thirst.dollars, held.left)))
    held.used += found.dollars
    held.lost = found.last in _LOST
    yield settle(held.who, found.time + SECOND, found.dollars, held.left)
    return found.time + MINUTE


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What two days' use is worth in dollars beyond what it costs, if it goes well as likely as this."""
    more = mine.spec.more
    used = min(way.most(mine), more["dollars"].middle * _DAYS)
    own = likely * mine.resale * more["values"].middle
    if way.means == _Means.TRIAL:  # a new account each time
        return used * own - more["effort"].middle - way.cost(mine, now)
    return used * (own - way.dear) - more["effort"].middle / _MONTH - way.cost(mine, now)


_WAYS: Final = {way.words: way for way in (_Way(*each) for each in product((False, True), (False, True), _Means))}
ARCHETYPE = Archetype(
    about="uses the service from where it is not offered, and pays for most of it",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("aged_account", "profile", "traffic", "virtual_card", "vpn"),
    figures=("dollars", "effort", "values"),
)
