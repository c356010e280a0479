"""The reseller: sells access at a part of the list price, and spreads its customers over a pool of accounts.

The accounts live on what newcomers are given, or on cards whose charges bounce: what is paid for honestly costs more
than customers pay. A campaign is two days of one pool, each way having its own; what becomes of each account teaches
which way pays.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from statistics import mean
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate import tradecraft
from fairgate.simulate.acts import Doing, Life, Seen, Wait
from fairgate.simulate.deeds import Card, Sitting, Use, settle
from fairgate.simulate.draws import CHAT, CODE, CONVERSATION, chance
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import FRONTIER, LARGE
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import COUNTRIES, Seat, household

#: How long a campaign goes on, over how long a pool is filled, and over how many campaigns that is to be paid off.
_LASTS, _FILLS, _PAYS_OFF = 2 * DAY, 2 * HOUR, 10
#: Accounts that one rented server and one browser profile serve; gigabytes that one account takes through a line.
_A_SERVER, _A_PROFILE, _LINE = 12, 6, 0.2
#: What never wears out.
_FOR_EVER: Final = 1 << 62
#: Accounts lost in a row, beyond a pool's size, until it is given up; times that one may fail customers in a row.
_MOST_LOST, _MOST_FAILED = 3, 3
#: Customers on an account where all take turns, and where each stays on one; the fewest accounts of a pool.
_MANY, _FEW, _LEAST = 15, 5, 4
#: Programs that customers bring, by the names that they give themselves.
_CLIENTS: Final = (
    "editor", "notes", "shell", "chatbox", "translate", "roleplay", "tutor", "writer", "coder", "search", "sheets",
    "mail", "agent", "slides",
)  # fmt: skip
_MODELS, _TALKS = (LARGE, FRONTIER), (CONVERSATION, CHAT, CODE)
#: How much longer than usual what customers ask and get is.
_LONGER: Final = 8.0
#: What a request costs at list price on average, in dollars.
_REQUEST: Final = mean(
    _LONGER * (talk.asked.mean * model.input_price + talk.answered.mean * model.output_price) / 1e6
    for model, talk in product(_MODELS, _TALKS)
)


class _Source(StrEnum):
    """Where accounts come from."""

    TRIALS = "accounts made for their trials"
    CARDS = "accounts made, with cards that bounce"
    AGED = "accounts bought old, with cards that bounce"


@dataclass(frozen=True, slots=True)
class _Front:
    """What customers see, for which they pay `brings` of the usual price.

    Where keys are `handed` out, they ask from where they are; else by a server, or by people's lines. `named` is
    whether their programs and names are passed on; where not, some programs fail.
    """

    words: str
    handed: bool = False
    home: bool = False
    named: bool = True
    brings: float = 1.0


_FRONTS: Final = (
    _Front("keys handed out", handed=True),
    _Front("own servers, customers' names passed on"),
    _Front("own servers, customers' names hidden", named=False, brings=0.85),
    _Front("people's lines, customers' names hidden", home=True, named=False, brings=0.85),
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a pool is run. Where customers are `bound`, each stays on one account, with few others."""

    source: _Source
    front: _Front
    bound: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        return f"{self.source}; {self.front.words}; {'each bound to one' if self.bound else 'all in turn'}"

    def size(self, customers: float) -> int:
        """How many accounts are in the pool at a time."""
        return max(_LEAST, round(customers / (_FEW if self.bound else _MANY)))

    def trial(self, mine: Operator) -> float:
        """What an account has been given that is not used up yet, in dollars."""
        return 0.0 if self.source == _Source.AGED else mine.scene.world.world.service.trial_dollars.middle

    def cost(self, mine: Operator, now: int) -> float:
        """What one account costs before it can be used, in dollars."""
        cost = mine.price("aged_account" if self.source == _Source.AGED else "mailbox", now)
        cost += 0.0 if self.source == _Source.TRIALS else mine.price("virtual_card", now)
        if self.front.home:
            return cost + _LINE * mine.price("traffic", now) + mine.price("profile", now)
        return cost + mine.price("server", now) / _A_SERVER + mine.price("profile", now) / _A_PROFILE


@dataclass(frozen=True, slots=True)
class _Customer:
    """Somebody who pays for access: where they are, how they ask, and their hours from UTC."""

    seat: Seat
    use: Use
    offset: float


@dataclass(slots=True, eq=False)
class _Member:
    """An account in a pool: what is left on it, what is to be brought for it to have gone well, what was sold since."""

    desk: Sitting
    left: float
    due: float
    sold: float = 0.0
    well: bool = False
    failed: int = 0
    buyers: int = 0


class _Pool:
    """Accounts, and the customers who share them. No more are opened once too many in a row were lost."""

    def __init__(self, mine: Operator, way: _Way, now: int) -> None:
        self.mine = mine
        self.way = way
        self.ends = now
        self.customers = [_customer(mine, way.front) for _ in range(max(2, round(mine.figure("customers"))))]
        self.members: list[_Member] = []
        self.lost = 0
        self._turn = 0
        self._bound: dict[str, _Member] = {}
        self._profiles = mine.stock("profile", partial(tradecraft.new_profile, mine), _A_PROFILE)
        self._servers = mine.stock("server", partial(tradecraft.rented, mine), _A_SERVER)

    @property
    def size(self) -> int:
        """How many accounts there are to be."""
        return self.way.size(len(self.customers))

    @property
    def given_up(self) -> bool:
        """Whether so many were lost in a row that no more are opened."""
        return self.lost >= self.size + _MOST_LOST

    def seat(self, now: int) -> Seat:
        """Where the next account is made or taken over."""
        if self.way.front.home:
            return replace(tradecraft.borrowed(self.mine, now, _LINE), device=tradecraft.new_profile(self.mine, now))
        return replace(self._servers.take(now), device=self._profiles.take(now))

    def member_for(self, customer: _Customer) -> _Member | None:
        """The account that a customer's request goes out by; None while there is none."""
        if not self.members:
            return None
        if not self.way.bound:
            self._turn += 1
            return self.members[self._turn % len(self.members)]
        found = self._bound.get(customer.use.template)
        if found not in self.members:
            found = self._bound[customer.use.template] = min(self.members, key=lambda each: each.buyers)
            found.buyers += 1
        return found

    def sell(self, member: _Member, now: int) -> None:
        """Take the customers' money for what went out by an account, and learn if that was enough."""
        money, member.sold = member.sold * self.mine.resale * self.way.front.brings, 0.0
        self.mine.earn("sells", money, now)
        member.due -= money
        if member.due <= 0 and not member.well:
            member.well, self.lost = True, 0
            self.mine.beliefs.learn(self.way, well=True)

    def over(self, member: _Member, now: int) -> None:
        """An account is used up or lost, and another takes its place unless that is of no use any more."""
        if member in self.members:
            self.members.remove(member)
        self.sell(member, now)
        if not member.well:
            self.lost += 1
            self.mine.beliefs.learn(self.way, well=False)
            self._profiles.burnt(member.desk.seat.device or "")
        if not self.given_up and self.mine.purse > 0 and now < self.ends:
            time = now + self.mine.rng.randrange(10 * MINUTE, 30 * MINUTE)  # later than what failed has taken
            self.mine.scene.stage.add([(time, partial(_opens, self, time))])


def _customer(mine: Operator, front: _Front) -> _Customer:
    """A customer somewhere, with a program, a subject and a model of their own."""
    rng, country = mine.rng, mine.rng.choice(COUNTRIES)
    use = Use("1", name_of(rng, "tpl"), rng.choice(_MODELS), rng.choice(_TALKS), longer=_LONGER)
    if front.named:
        use = replace(use, client=rng.choice(_CLIENTS), end_user=None if front.handed else name_of(rng, "user"))
    return _Customer(household(rng, country, program=True), use, country.offset)


def _run(mine: Operator, way: _Way, now: int) -> int:
    """The way's pool for two days, filled up first; the next campaign begins when they are over."""
    pool = mine.stock(way.words, partial(_Pool, mine, way), _FOR_EVER).take(now)
    pool.ends, pool.lost, missing = now + _LASTS, 0, pool.size - len(pool.members)
    begins = now + _FILLS if missing > 0 else now
    times = sorted(now + mine.rng.randrange(_FILLS) for _ in range(missing))
    mine.scene.stage.add((time, partial(_opens, pool, time)) for time in times)
    mine.scene.stage.add([(begins, partial(_serves, pool, begins))])
    return pool.ends


def _opens(pool: _Pool, time: int) -> Life:
    """One account is made or bought, and put into the pool."""
    mine, way = pool.mine, pool.way
    if pool.given_up:
        return
    cost, aged = way.cost(mine, time), way.source == _Source.AGED
    who = tradecraft.bought(mine, time) if aged else mine.account(time, "free")
    member = _Member(Sitting(who, pool.seat(time)), way.trial(mine), cost)
    if aged:
        ready = yield from tradecraft.move_in(mine, member.desk, time)
    else:
        ready = yield from tradecraft.join(mine, member.desk, time, tradecraft.bought_mailbox(mine, time))
    if ready is not None and way.source != _Source.TRIALS:
        ready = yield from _pay(mine, member, ready)
    member.due = max(cost, member.left * mine.resale * way.front.brings / 2)
    if ready is None:
        pool.over(member, time)
    else:
        pool.members.append(member)


def _pay(mine: Operator, member: _Member, time: int) -> Doing[int | None]:
    """Buy credits with a virtual card; what bounces later has cost nothing but the card. Returns as `join` does."""
    mine.buy("virtual_card", 1, time)
    card, dollars = Card(name_of(mine.rng, "card"), member.desk.seat.country), round(mine.figure("charge"), 2)
    ready = yield from tradecraft.hand_card(mine, member.desk, time, card)
    why = "not_received" if chance(mine.rng, mine.figure("bounces")) else ""
    if ready is None or not (yield from tradecraft.top_up(member.desk, ready, card, dollars, disputed=why)):
        return None
    if not why:
        mine.pay("tops up", dollars, ready)
    member.left += dollars
    return ready


def _serves(pool: _Pool, begins: int) -> Life:
    """All that customers ask while the campaign lasts, each by the account whose turn it is."""
    rng, often, asks = pool.mine.rng, partial(pool.mine.figure, "hourly"), list[tuple[int, _Customer]]()
    for customer in pool.customers:
        days = tradecraft.sittings(rng, customer.offset, begins, pool.ends, often)
        asks += [(time, customer) for day in days for time in day]
    now = begins
    for time, customer in sorted(asks, key=lambda ask: ask[0]):
        now = max(now, time)
        yield Wait(now)
        member = pool.member_for(customer)
        if member is not None:
            now = yield from _serve(pool, member, customer, now)
    for member in pool.members:
        pool.sell(member, now)


def _serve(pool: _Pool, member: _Member, customer: _Customer, now: int) -> Doing[int]:
    """One request; its account is left when it is used up or can't go on. Returns when that is done."""
    seat = customer.seat if pool.way.front.handed else tradecraft.program_at(member.desk.seat)
    act = Sitting(member.desk.who, seat).ask(now, customer.use, pool.mine.rng)
    seen = yield act
    if not seen.served:
        member.failed += 1
        if seen in (Seen.CLOSED, Seen.HELD) or member.failed > _MOST_FAILED:
            pool.over(member, now)
        return now
    member.sold, member.left, member.failed = member.sold + act.dollars, member.left - act.dollars, 0
    if member.left <= 0:
        now += SECOND
        yield settle(member.desk.who, now, act.dollars, 0.0)
        pool.over(member, now)
    return now


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What a campaign brings in dollars, if its accounts pay for themselves as likely as this."""
    more, cost = mine.spec.more, way.cost(mine, now)
    charge = 0.0 if way.source == _Source.TRIALS else more["charge"].middle
    demand = more["customers"].middle * more["hourly"].middle * (_LASTS / DAY) * _REQUEST
    paid = (cost + charge * (1.0 - more["bounces"].middle)) / (way.trial(mine) + charge)
    filling = way.size(more["customers"].middle) * cost / _PAYS_OFF
    return demand * (likely * mine.resale * way.front.brings - paid) - filling


_WAYS: Final = {way.words: way for way in (_Way(*each) for each in product(_Source, _FRONTS, (False, True)))}
ARCHETYPE = Archetype(
    about="sells access at a part of the list price, by a pool of accounts that others pay for",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("aged_account", "mailbox", "profile", "server", "traffic", "virtual_card"),
    figures=("bounces", "charge", "customers", "hourly"),
)
