"""The seat sharer: sells many people the log-in to one account, whose plan is meant for one.

The plan costs the same however much it is used, and each head pays a fee for each day on which they are served. A
campaign is a group of heads put on one account, or on several with few on each: every one in their own browser at home
or behind one VPN, all in one browser profile, as they please or by a rota.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import ceil
from typing import Final

from fairgate.domain.windows import DAY, MINUTE
from fairgate.simulate import tradecraft
from fairgate.simulate.acts import Account, Doing, Life, Seen, Wait
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import CHAT, CONVERSATION, chance
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import FRONTIER, LARGE
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import COUNTRIES, Seat, household

#: How long a plan lasts, and how often a group of heads is found.
_MONTH, _FINDS = 30 * DAY, 5 * DAY
#: Heads on an account where there are few on each, and where there are as many as are found.
_FEW, _MANY = 5, 20
#: The share of days on which a head is at it, and what is paid of the fee by one who has to wait for their turn.
_DAYS, _ROTA_BRINGS = 0.7, 0.6
#: Accounts that a group has one after another in a month, where they are closed too soon.
_MOST_ACCOUNTS: Final = 3
#: Requests that fail until a head gives up for the day, and doesn't pay for it.
_MOST_MISSED: Final = 2
#: How much longer than usual what heads ask and get is: they come for what a free account doesn't give.
_LONGER: Final = 3.0


@dataclass(frozen=True, slots=True)
class _Way:
    """How an account is shared."""

    few: bool
    vpn: bool
    profile: bool
    rota: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        heads = "few on an account" if self.few else "all on one account"
        line = "one VPN for all" if self.vpn else "each on their own line"
        browser = "one browser profile for all" if self.profile else "each in their own browser"
        return f"{heads}, {line}, {browser}, {'by a rota' if self.rota else 'as they please'}"

    @property
    def brings(self) -> float:
        """The part of the fee that heads pay for being served like this."""
        return _ROTA_BRINGS if self.rota else 1.0

    def cost(self, mine: Operator, heads: float, now: int) -> float:
        """What an account for so many heads costs beside the plan: each head needs the profile installed."""
        cost = mine.price("mailbox", now) + (mine.price("vpn", now) if self.vpn else 0.0)
        return cost + (heads * mine.price("profile", now) if self.profile else 0.0)

    def accounts(self, heads: float) -> int:
        """How many accounts there are for so many heads."""
        return ceil(heads / (_FEW if self.few else _MANY))


@dataclass(frozen=True, slots=True)
class _Head:
    """Somebody who pays to share: where they are, what they ask, and their hours from UTC."""

    seat: Seat
    use: Use
    offset: float


@dataclass(frozen=True, slots=True)
class _Group:
    """Heads who share one account, until a time."""

    mine: Operator
    way: _Way
    heads: list[_Head]
    ends: int


def _run(mine: Operator, way: _Way, now: int) -> int:
    """A group of heads on their accounts for a month; the next is found while they are at it."""
    found = max(2, round(mine.figure("heads")))
    accounts = way.accounts(found)
    for number in range(accounts):
        heads = len(range(number, found, accounts))
        time = now + mine.rng.randrange(DAY)
        mine.scene.stage.add([(time, partial(_shares, mine, way, heads, time))])
    return now + _FINDS


def _shares(mine: Operator, way: _Way, count: int, time: int) -> Life:
    """Heads on one account for a month; where it is closed before it has paid for itself, they get another or two."""
    group, due = _Group(mine, way, _heads(mine, way, count, time), time + _MONTH), way.cost(mine, count, time)
    for _ in range(_MOST_ACCOUNTS):
        closed = yield from _account(group, time, due)
        if closed is None or closed >= group.ends:
            return
        time, due = closed, 0.0


def _account(group: _Group, time: int, due: float) -> Doing[int | None]:
    """One account, which has to bring what is due and its plan. Returns when it was closed before; None where not."""
    mine, plan = group.mine, round(group.mine.figure("plan"), 2)
    fee, due = mine.figure("fee") * group.way.brings * DAY / _MONTH, due + plan
    desk = Sitting(mine.account(time, "free"), group.heads[0].seat)  # the first of them is the sharer
    now = yield from _subscribes(mine, desk, time, plan)
    while now is not None and now < group.ends:
        time, content = now, (yield from _day(group, desk.who, now))
        if content is None:
            break
        now += DAY
        yield Wait(now)
        mine.earn("shares", content * fee, now)
        if 0 < due <= content * fee:
            mine.beliefs.learn(group.way, well=True)
        due -= content * fee
    if due <= 0:
        return None
    mine.beliefs.learn(group.way, well=False)
    return time + DAY


def _heads(mine: Operator, way: _Way, count: int, now: int) -> list[_Head]:
    """People all over the world, with what they are told to use."""
    rng, shared = mine.rng, household(mine.rng, mine.rng.choice(COUNTRIES))
    line = tradecraft.vpn_exit(mine, now) if way.vpn else None
    found = []
    for country in rng.choices(COUNTRIES, k=count):
        seat = household(rng, country)
        if way.profile:
            seat = tradecraft.behind(shared, seat)
            mine.buy("profile", 1, now)
        seat = seat if line is None else tradecraft.behind(seat, line)
        talk = rng.choice((CHAT, CONVERSATION))
        use = Use("1", name_of(rng, "tpl"), rng.choice((LARGE, FRONTIER)), talk, longer=_LONGER)
        found.append(_Head(seat, use, country.offset))
    return found


def _subscribes(mine: Operator, desk: Sitting, time: int, plan: float) -> Doing[int | None]:
    """Make the account and pay for a month. Returns when it can be shared, None where it can't."""
    ready = yield from tradecraft.join(mine, desk, time, tradecraft.bought_mailbox(mine, time))
    if ready is None:
        return None
    card = Card(name_of(mine.rng, "card"), desk.seat.country)
    ready = yield from tradecraft.hand_card(mine, desk, ready, card)
    if ready is None or not (yield from tradecraft.top_up(desk, ready, card, plan)):
        return None
    mine.pay("pays the plan", plan, ready)
    return ready + MINUTE


def _day(group: _Group, who: Account, start: int) -> Doing[int | None]:
    """A day from a time on. Returns how many heads have nothing to complain of, None where the account was closed."""
    now, missed, most = start, [0] * len(group.heads), _MOST_MISSED
    for time, number, logs_in in sorted(_plans(group, start)):
        head, now = group.heads[number], max(now, time)
        if missed[number] > most:
            continue
        desk = Sitting(who, head.seat)
        seen = yield desk.log_in(now) if logs_in else desk.ask(now, head.use, group.mine.rng)
        if seen in (Seen.CLOSED, Seen.HELD):
            return None
        if not seen.served:
            missed[number] += most + 1 if logs_in else 1
    return sum(each <= most for each in missed)


def _plans(group: _Group, start: int) -> Iterator[tuple[int, int, bool]]:
    """What is to be done on a day: when, by which head, and whether that is to log in."""
    rng, often, turn = group.mine.rng, partial(group.mine.figure, "daily"), DAY // len(group.heads)
    for number, head in enumerate(group.heads):
        if not chance(rng, _DAYS):
            continue
        for times in tradecraft.sittings(rng, head.offset, start, start + DAY - MINUTE, often):
            later = start + number * turn - times[0] if group.way.rota else 0
            yield times[0] + later, number, True
            yield from ((time + later + MINUTE, number, False) for time in times)


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What a group of heads brings in a month, if their accounts pay for themselves as likely as this."""
    more = mine.spec.more
    heads = more["heads"].middle
    accounts = way.accounts(heads)
    cost = accounts * (more["plan"].middle + way.cost(mine, heads / accounts, now))
    return likely * heads * more["fee"].middle * way.brings - cost


_WAYS: Final = {way.words: way for way in (_Way(*each) for each in product((False, True), repeat=4))}
ARCHETYPE = Archetype(
    about="sells many people the log-in to one account, whose plan is meant for one",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("mailbox", "profile", "vpn"),
    figures=("daily", "fee", "heads", "plan"),
)
