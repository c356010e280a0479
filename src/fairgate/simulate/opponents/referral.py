"""The referral abuser: invites itself, since both host and guest are given credits, and sells what the hosts collect.

A campaign is a tree of accounts made in one way: a star of many guests about one host, or a chain in which each
newcomer invites the next, at once or days apart. Guests of a star are left behind with what they were given; in a chain
each is a host as well. What becomes of each invitation teaches which way pays; where none does, it leaves.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Doing, Life, Wait
from fairgate.simulate.deeds import Card, Sitting, Use, grant, settle
from fairgate.simulate.draws import CHAT
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import BASE, FRONTIER
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import Seat
from fairgate.simulate.tradecraft import (
    Thirst,
    borrowed,
    bought_mailbox,
    come_in,
    drain,
    hand_card,
    new_profile,
    program_at,
    rented,
    throwaway_mailbox,
)

#: Accounts that one rented server serves, and one browser profile and one card where they are shared.
_A_SERVER, _SHARED = 12, 20
#: Gigabytes that one account takes through somebody's line.
_TRAFFIC: Final = 0.3
#: What guests ask for who are to look like people, in dollars, and the seconds between two of their questions.
_LITTLE, _LITTLE_EVERY = 0.005, 2 * HOUR / SECOND
#: How long after the last guest came a host's credits are used, where guests come and claim, and where they linger.
_SETTLES, _LINGERS = 2 * HOUR, 3 * DAY
#: The longest that claiming what an invitation brings takes.
_CLAIMS: Final = 5 * MINUTE
#: Seconds between two requests by which credits are used up.
_BETWEEN: Final = 60.0
#: The longest time until the next campaign may begin.
_MOST: Final = 4 * DAY


@dataclass(frozen=True, slots=True)
class _Shape:
    """How accounts invite each other, and how long after the one before each comes.

    `figure` is the world's for how many guests there are, `waits` what is left of the worth of money that comes late.
    """

    words: str
    chain: bool
    gap: int
    figure: str
    waits: float


_SHAPES: Final = (
    _Shape("a star", chain=False, gap=20 * MINUTE, figure="guests", waits=1.0),
    _Shape("a chain of newcomers", chain=True, gap=8 * HOUR, figure="links", waits=0.9),
    _Shape("a long chain with days between", chain=True, gap=4 * DAY, figure="long_links", waits=0.5),
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a tree of accounts is made. `apart` is each on a profile and with a card of its own."""

    shape: _Shape
    apart: bool
    lively: bool
    clean: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        things = "a profile and a card for each" if self.apart else "one device and one card for all"
        guests = "guests who use a little first" if self.lively else "guests who do nothing else"
        means = "bought mailboxes by people's lines" if self.clean else "throwaway mail by rented servers"
        return f"{self.shape.words}, {things}, {guests}, {means}"

    def same_door(self, other: "_Way") -> bool:
        """Whether first accounts come in alike."""
        return (self.apart, self.clean) == (other.apart, other.clean)

    def hosts(self, number: int) -> bool:
        """Whether the account of this number is to collect credits."""
        return self.shape.chain or number == 0


@dataclass(slots=True)
class _Member:
    """An account that was let in: what it may ask for, in dollars, and how many guests' invitations stand on it."""

    desk: Sitting
    credits: float
    invited: int = 0


class _Tree:
    """The accounts of one campaign by number, of which 0 came by itself, and what they share."""

    def __init__(self, mine: Operator, way: _Way, begins: int) -> None:
        self.mine = mine
        self.way = way
        guests = max(1, round(mine.figure(way.shape.figure)))
        self.times = [begins + number * way.shape.gap + mine.rng.randrange(10 * MINUTE) for number in range(guests + 1)]
        self.use = Use("1", name_of(mine.rng, "tpl"), FRONTIER, longer=6.0)
        self.members: dict[int, _Member] = {}
        most = 1 if way.apart else _SHARED
        kept = "own" if way.apart else "shared"
        self.profiles = mine.stock(f"{kept} profile", partial(new_profile, mine), most)
        self.cards = mine.stock(f"{kept} card", partial(_new_card, mine), most)
        self.servers = mine.stock("server", partial(rented, mine), _A_SERVER)

    def host_of(self, number: int) -> _Member | None:
        """Whose invitation an account comes by; None where that one was not let in, or for the first."""
        return self.members.get(number - 1 if self.way.shape.chain else 0) if number else None

    def seat(self, now: int) -> Seat:
        """Where the next account is made."""
        line = borrowed(self.mine, now, _TRAFFIC) if self.way.clean else self.servers.take(now)
        return replace(line, device=self.profiles.take(now))

    def email(self, now: int) -> str:
        """The next account's mailbox."""
        return bought_mailbox(self.mine, now) if self.way.clean else throwaway_mailbox(self.mine)

    def collects(self, number: int) -> int:
        """When the credits of an account are used: after all its guests came."""
        last = min(number + 1, len(self.times) - 1) if self.way.shape.chain else -1
        return self.times[last] + _SETTLES + (_LINGERS if self.way.lively else 0)

    def lost(self, number: int) -> int:
        """How many invitations come to nothing if the account of this number is not let in, or doesn't claim."""
        return len(self.times) - max(1, number) if self.way.hosts(number) else 1

    def failed(self, desk: Sitting, invitations: int, *, at_once: bool = False) -> None:
        """So many invitations brought nothing; if the first account was stopped `at_once`, they would in no shape."""
        ways = [each for each in _WAYS.values() if self.way.same_door(each)] if at_once else [self.way]
        for _ in range(invitations):
            self.mine.beliefs.learn(*ways, well=False)
        if desk.seat.device is not None:
            self.profiles.burnt(desk.seat.device)


def _new_card(mine: Operator, now: int) -> Card:
    mine.buy("virtual_card", 1, now)
    return Card(name_of(mine.rng, "card"), "US")


def _run(mine: Operator, way: _Way, now: int) -> int:
    """One tree; the next may begin when it is made, or after some days where that takes long."""
    tree = _Tree(mine, way, now)
    mine.scene.stage.add((time, partial(_one, tree, number, time)) for number, time in enumerate(tree.times))
    return min(tree.collects(len(tree.times) - 1), now + _MOST) + DAY


def _one(tree: _Tree, number: int, time: int) -> Life:
    """One account: comes, claims if it was invited, and gives what it collected if it is a host."""
    mine, host = tree.mine, tree.host_of(number)
    if number and host is None:
        return
    desk = Sitting(mine.account(time, "free"), tree.seat(time))
    by = host.desk.who.name if host is not None else None
    ready = yield from come_in(mine, desk, desk.sign_up(time, tree.email(time), by=by))
    if ready is None:
        tree.failed(desk, tree.lost(number), at_once=host is None)
        return
    member = tree.members[number] = _Member(desk, mine.scene.world.world.service.trial_dollars.middle)
    if host is not None:
        if tree.way.lively:
            ready = yield from _lingers(tree, desk, ready)
        if not (yield from _claims(tree, member, host, ready)):
            del tree.members[number]
            tree.failed(desk, tree.lost(number))
            return
    if tree.way.hosts(number):
        yield from _gives(tree, member, max(tree.collects(number), ready + _CLAIMS))


def _lingers(tree: _Tree, desk: Sitting, ready: int) -> Doing[int]:
    """Somebody is paid to use an account a little, as people do; returns when that is done."""
    mine = tree.mine
    mine.pay("tends", mine.figure("tending"), ready)
    use = Use("1", name_of(mine.rng, "tpl"), BASE, CHAT)
    found = yield from drain(mine, desk, ready, Thirst(lambda: use, _LITTLE, _LITTLE_EVERY))
    return found.time + MINUTE


def _claims(tree: _Tree, guest: _Member, host: _Member, time: int) -> Doing[bool]:
    """A guest uses an invitation and adds a card, for which both are given credits; whether they are."""
    mine, reward = tree.mine, tree.mine.scene.world.world.service.referral_dollars.middle
    seen = yield guest.desk.claim_referral(time, host.desk.who)
    if not seen.served:
        return False
    ready = yield from hand_card(mine, guest.desk, time + MINUTE, tree.cards.take(time))
    if ready is None:
        return False
    for member in (guest, host):
        seen = yield grant(member.desk.who, ready, reward, "referral")
        if not seen.served:
            return False
        member.credits += reward
    host.invited += 1
    return True


def _gives(tree: _Tree, host: _Member, time: int) -> Life:
    """All that a host collected is used up and sold."""
    mine = tree.mine
    yield Wait(time)
    wanted, program = host.credits, Sitting(host.desk.who, program_at(host.desk.seat))
    found = yield from drain(mine, program, time, Thirst(lambda: tree.use, wanted, _BETWEEN))
    yield settle(host.desk.who, found.time + SECOND, found.dollars, max(0.0, wanted - found.dollars))
    mine.earn("sells", min(found.dollars, wanted) * mine.resale, found.time)
    if found.dollars < wanted / 2:
        tree.failed(host.desk, max(1, host.invited))
        return
    for _ in range(host.invited):
        mine.beliefs.learn(tree.way, well=True)


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What a campaign brings in dollars, if an invitation goes well as likely as this."""
    guests, service = mine.spec.more[way.shape.figure].middle, mine.scene.world.world.service
    trial, reward = service.trial_dollars.middle, service.referral_dollars.middle
    brings = trial + guests * (2 * reward + trial if way.shape.chain else reward)
    served = 1 if way.apart else _SHARED
    account, guest = mine.price("profile", now) / served, mine.price("virtual_card", now) / served
    account += mine.price("mailbox", now) + _TRAFFIC * mine.price("traffic", now) if way.clean else 0.0
    account += 0.0 if way.clean else mine.price("server", now) / _A_SERVER
    guest += mine.spec.more["tending"].middle if way.lively else 0.0
    return likely * way.shape.waits * brings * mine.resale - (guests + 1) * account - guests * guest


_WAYS: Final = {
    way.words: way for way in (_Way(*each) for each in product(_SHAPES, (False, True), (False, True), (False, True)))
}
ARCHETYPE = Archetype(
    about="invites itself for what hosts and guests are given, and sells that on",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("mailbox", "profile", "server", "traffic", "virtual_card"),
    figures=("guests", "links", "long_links", "tending"),
)
