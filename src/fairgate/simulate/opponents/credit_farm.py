"""The free-credit farmer: makes accounts for what new ones are given, drains them, and sells that on.

A campaign is a batch of accounts made in one way: which mailboxes, from which lines, with a telephone or without, all
at once, drop by drop, or laid down to age first. What it sees of them teaches which way pays; where none does, it
leaves.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, MINUTE, SECOND
from fairgate.simulate.acts import Life, Wait
from fairgate.simulate.deeds import Sitting, Use, settle
from fairgate.simulate.identities import mailbox, name_of, telephone_number
from fairgate.simulate.models import FRONTIER
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import Seat
from fairgate.simulate.tradecraft import TRAFFIC, Thirst, borrowed, drain, join, new_profile, program_at, rented

_THROWAWAY: Final = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")
#: Accounts that one rented server and one browser profile serve before the next is taken.
_A_SERVER, _A_PROFILE = 12, 6


@dataclass(frozen=True, slots=True)
class _Pace:
    """How a batch is spread: over what time accounts are made, how long they age, seconds between two requests.

    `waits` is what is left of the worth of money that comes so late.
    """

    words: str
    spread: int
    ages: int
    between: float
    waits: float


_PACES: Final = (
    _Pace("all at once", 40 * MINUTE, 0, 45.0, 1.0),
    _Pace("drop by drop", 3 * DAY, 0, 400.0, 0.8),
    _Pace("laid down to age", 5 * DAY, 6 * DAY, 120.0, 0.6),
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How a batch of accounts is made."""

    kept_mail: bool
    home_line: bool
    phone: bool
    pace: _Pace

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        mail = "bought mailboxes" if self.kept_mail else "throwaway mail"
        line = "people's lines" if self.home_line else "rented servers"
        phone = "a telephone for each" if self.phone else "no telephone"
        return f"{mail}, {line}, {phone}, {self.pace.words}"


class _Kit:
    """What the accounts of one campaign share: lines, browser profiles, and a prompt."""

    def __init__(self, mine: Operator, way: _Way) -> None:
        self.mine = mine
        self.way = way
        self.use = Use("1", name_of(mine.rng, "tpl"), FRONTIER, longer=3.0)
        self.profiles = mine.stock("profile", partial(new_profile, mine), _A_PROFILE)
        self.servers = mine.stock("server", partial(rented, mine), _A_SERVER)

    def seat(self, now: int) -> Seat:
        """Where the next account is made: on a line and a profile that served others before, as far as they go."""
        line = borrowed(self.mine, now) if self.way.home_line else self.servers.take(now)
        return replace(line, device=self.profiles.take(now))

    def email(self) -> str:
        """A mailbox: bought ones look like people's, the others like a generator's; the skilled hide that better."""
        rng = self.mine.rng
        if self.way.kept_mail:
            return mailbox(rng, rng.choice(("gmail.com", "outlook.com")))
        if rng.random() < self.mine.skill / 2:
            return mailbox(rng, rng.choice(_THROWAWAY))
        letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))
        return f"{letters}{rng.randrange(1_000, 10_000)}@{rng.choice(_THROWAWAY)}"


def _run(mine: Operator, way: _Way, now: int) -> int:
    """A batch of accounts; the next may begin a day after the last of them is made."""
    size, kit, spread = max(2, round(mine.figure("accounts"))), _Kit(mine, way), way.pace.spread
    times = sorted(now + mine.rng.randrange(spread) for _ in range(size))
    mine.scene.stage.add((time, partial(_one, kit, time)) for time in times)
    return now + spread + way.pace.ages + DAY


def _one(kit: _Kit, time: int) -> Life:
    """One account, from its sign-up to its last cent."""
    mine, way = kit.mine, kit.way
    who, seat = mine.account(time, "free"), kit.seat(time)
    trial = mine.scene.world.world.service.trial_dollars.middle
    if way.kept_mail:
        mine.buy("mailbox", 1, time)
    phone = telephone_number(mine.rng) if way.phone else None
    if phone is not None:
        mine.buy("phone", 1, time)
    ready = yield from join(mine, Sitting(who, seat), time, kit.email(), phone=phone)
    drained = 0.0
    if ready is not None:
        if way.pace.ages:
            ready += way.pace.ages
            yield Wait(ready)
        program = Sitting(who, program_at(seat))
        found = yield from drain(mine, program, ready, Thirst(lambda: kit.use, trial, way.pace.between))
        drained = found.dollars
        yield settle(who, found.time + SECOND, drained, max(0.0, trial - drained))
        mine.earn("sells", min(drained, trial) * mine.resale, found.time)
    well = drained >= trial / 2
    mine.beliefs.learn(way, well=well)
    if not well and seat.device is not None:
        kit.profiles.burnt(seat.device)


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What an account brings in dollars, made in a way, if it lives as likely as this."""
    cost = mine.price("profile", now) / _A_PROFILE
    cost += mine.price("mailbox", now) if way.kept_mail else 0.0
    cost += mine.price("phone", now) if way.phone else 0.0
    cost += TRAFFIC * mine.price("traffic", now) if way.home_line else mine.price("server", now) / _A_SERVER
    brings = mine.scene.world.world.service.trial_dollars.middle * mine.resale
    return likely * way.pace.waits * brings - cost


_WAYS: Final = {
    way.words: way for way in (_Way(*each) for each in product((False, True), (False, True), (False, True), _PACES))
}
ARCHETYPE = Archetype(
    about="makes accounts for what new ones are given, and sells that on",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("mailbox", "phone", "profile", "server", "traffic"),
    figures=("accounts",),
)
