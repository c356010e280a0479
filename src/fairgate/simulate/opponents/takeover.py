"""The intruder: gets into honest people's accounts and sells the compute that their owners pay for.

A campaign is a few victims in one way: by keys that leaked, by passwords from a list of which hardly any fit, by bought
log-ins, by mailboxes that it reads; from rented servers or from lines in the owner's country; as fast as it goes or at
the owner's rate. Earnings end when the owner notices, or somebody else stops it. What it sees teaches which way pays.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Doing, Life
from fairgate.simulate.deeds import Sitting, Use
from fairgate.simulate.draws import CONVERSATION
from fairgate.simulate.honest.life import Customer
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import FRONTIER, MODELS, Model
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import Seat
from fairgate.simulate.tradecraft import Drained, Thirst, drain, line_in, new_profile, program_at, rented

#: Victims that one rented server and one browser profile serve before the next is taken.
_A_SERVER, _A_PROFILE = 6, 4
#: Gigabytes that a stay takes through lines in one country, and that one log-in does.
_A_STAY, _A_TRY = 0.5, 0.005
#: How much longer than in a conversation what is asked is, and how short it is to see whether a model answers.
_LONGER, _SHORT = 30.0, 0.05
#: Whose accounts are worth it: the others have a few dollars of credits.
_TIERS: Final = ("payg", "enterprise")
#: Log-ins that are stopped until a list is left, and days without anybody to get into until nothing is waited for.
_MOST_STOPPED, _PATIENCE = 3, 30
#: What is taken by whoever doesn't look which models an account has.
_EVERYBODYS: Final = MODELS[4]


class _Door(StrEnum):
    """What an account is got into by."""

    KEY = "leaked keys"
    LIST = "passwords from a list"
    LOGIN = "bought log-ins"
    MAILBOX = "mailboxes that are read"


@dataclass(frozen=True, slots=True)
class _Pace:
    """How a stay goes on: whether models are tried first, which is asked then, seconds between two log-ins of a list.

    `hidden` is how long the owner has no reason to look: nobody sees on a day's bill what is no more than their own.
    `waits` is what is left of the worth of money that comes so late.
    """

    words: str
    looks: bool
    model: Model
    tries: float
    hidden: int = 0
    waits: float = 1.0


_PACES: Final = (
    _Pace("as fast as it goes after trying models", looks=True, model=FRONTIER, tries=6.0),
    _Pace("as fast as it goes", looks=False, model=_EVERYBODYS, tries=6.0),
    _Pace("at the owner's rate", looks=False, model=_EVERYBODYS, tries=1200.0, hidden=7 * DAY, waits=0.8),
)


@dataclass(frozen=True, slots=True)
class _Way:
    """How victims are got into and used."""

    door: _Door
    near: bool
    pace: _Pace

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        return f"{self.door}, {'lines near the owner' if self.near else 'rented servers'}, {self.pace.words}"

    def like(self, *, entered: bool, answered: bool) -> list["_Way"]:
        """The ways that fail as this one did.

        Where something was answered they have its pace, where nothing was its pace and line, outside its door and line.
        """
        if answered:
            return [each for each in _WAYS.values() if each.pace == self.pace]
        found = [each for each in _WAYS.values() if each.near == self.near]
        return [each for each in found if (each.pace == self.pace if entered else each.door == self.door)]


class _Trade:
    """All that one operator has: whose passwords it knows of, and what it works with."""

    def __init__(self, mine: Operator) -> None:
        self.mine = mine
        self.profiles = mine.stock("profile", partial(new_profile, mine), _A_PROFILE)
        self.servers = mine.stock("server", partial(rented, mine), _A_SERVER)
        self.listed: list[Customer] = []
        self.idle = 0

    def worth(self, _mine: Operator, now: int, way: _Way, likely: float) -> float:
        """What a victim brings in dollars in a way, if it goes well as likely as this; nothing where nobody is left."""
        if self.idle >= _PATIENCE:
            return 0.0
        return likely * way.pace.waits * self.brings(way) - self.cost(way, now)

    def brings(self, way: _Way) -> float:
        """What is sold of a victim's compute where only the owner ends it, in dollars."""
        mine = self.mine
        more, hours = mine.spec.more, mine.scene.world.world.service.notice_hours.middle
        each, often = _dollars(way.pace.model), more["burn"].middle / _dollars(FRONTIER)
        if way.pace.hidden:
            often = min(often, more["owners_ask"].middle / 24)
        return (min(hours, more["stays"].middle) + way.pace.hidden / HOUR) * often * each * mine.resale

    def run(self, mine: Operator, way: _Way, now: int) -> int:
        """Some victims, where there are any; the next come days later."""
        size = max(1, round(mine.figure("victims")))
        found = [each for each in (self._victim(now) for _ in range(size)) if each is not None]
        self.idle = 0 if found else self.idle + 1
        if not found:
            mine.note("waits", now, "nobody is left whose account could be got into")
            return now + DAY
        for each in found:
            time = now + mine.rng.randrange(DAY // 2)
            mine.scene.stage.add([(time, partial(_one, self, way, each, time))])
        return now + int(mine.figure("rests") * DAY)

    def cost(self, way: _Way, now: int) -> float:
        """What a victim costs in a way at the prices of a time."""
        mine, (what, count) = self.mine, self.bought(way)
        profile = 0.0 if way.door == _Door.KEY else mine.price("profile", now) / _A_PROFILE
        line = _A_STAY * mine.price("traffic", now) if way.near else mine.price("server", now) / _A_SERVER
        return mine.price(what, now) * count + profile + line

    def bought(self, way: _Way) -> tuple[str, float]:
        """What is bought for a victim, and how many: of a list, the log-ins that fail as well, which cost less."""
        if way.door == _Door.KEY:
            return "leaked_key", 1.0
        more = self.mine.spec.more
        return "credential", more["fails"].middle * more["unchecked"].middle if way.door == _Door.LIST else 1.0

    def seat(self, way: _Way, victim: Customer, now: int) -> Seat:
        """A browser on a line in the owner's country, or on a server, with the profile that other victims saw."""
        seat = line_in(self.mine, victim.country, now, _A_STAY) if way.near else self.servers.take(now)
        return seat if way.door == _Door.KEY else replace(seat, device=self.profiles.take(now))

    def _victim(self, now: int) -> Customer | None:
        """Who is next of those that it knows of; None where there is nobody."""
        known = round(self.mine.figure("fails")) + 1
        while len(self.listed) < known and (who := self.mine.scene.victims.draw(now, _TIERS)) is not None:
            self.listed.append(who)
        return self.listed.pop(0) if self.listed else None


@dataclass(frozen=True, slots=True)
class _Break:
    """One victim in one way, and where the intruder sits."""

    trade: _Trade
    way: _Way
    victim: Customer
    desk: Sitting


def _one(trade: _Trade, way: _Way, victim: Customer, time: int) -> Life:
    """One victim, from what is bought to the last request that is answered."""
    mine, sold = trade.mine, 0.0
    mine.buy(*trade.bought(way), time)
    if way.door == _Door.KEY:  # it lies open until somebody comes by who looks for keys
        time += int(mine.figure("minutes") * MINUTE)
    seat = trade.seat(way, victim, time)
    job = _Break(trade, way, victim, Sitting(victim.account, seat, intruder=mine.actor))
    entered = yield from _enter(job, time)
    if entered is not None:
        time, key = entered
        mine.scene.victims.broken_into(victim, time + way.pace.hidden, {key})
        got = yield from _stay(job, key, time)
        sold = got.dollars * mine.resale
        mine.earn("sells", sold, got.time)
    well = sold >= trade.brings(way) / 2
    alike = [way] if well else way.like(entered=entered is not None, answered=sold > 0)
    mine.beliefs.learn(*alike, well=well)
    if not well and seat.device is not None:
        trade.profiles.burnt(seat.device)


def _enter(job: _Break, time: int) -> Doing[tuple[int, str] | None]:
    """Get into an account. Returns when, and the key that can be used; None where it was stopped."""
    rng, door, desk = job.trade.mine.rng, job.way.door, job.desk
    own, new = rng.choice(job.victim.uses).key, name_of(rng, "k")
    if door == _Door.KEY:
        return time, own
    if door == _Door.LIST:
        tried = yield from _guess(job, time)
        if tried is None:
            return None
        time = tried
    if door == _Door.MAILBOX:
        acts = [desk.reset_password(time, "asked"), desk.reset_password(time + 50 * SECOND, "done")]
    else:
        acts = [desk.log_in(time)]
    if door != _Door.LOGIN:
        acts.append(desk.make_key(time + 2 * MINUTE, new))
    for act in acts:
        seen = yield act
        if not seen.served:
            return None
    return acts[-1].time + MINUTE, own if door == _Door.LOGIN else new


def _guess(job: _Break, time: int) -> Doing[int | None]:
    """Passwords that don't fit: of the others on the list, then old ones of the victim. None where it was stopped."""
    trade, pace, stopped = job.trade, job.way.pace, 0
    rng = trade.mine.rng
    olds = rng.randrange(2) if pace.hidden else rng.randrange(4, 9)
    for who in (*trade.listed, *[job.victim] * olds):
        time += int(rng.uniform(0.5, 1.5) * pace.tries * SECOND)
        seat = job.desk.seat
        if job.way.near:  # each from another line, all from one browser
            seat = replace(line_in(trade.mine, who.country, time, _A_TRY), device=seat.device)
        seen = yield Sitting(who.account, seat, intruder=trade.mine.actor).log_in(time, success=False)
        stopped += not seen.served
        if stopped >= _MOST_STOPPED:
            return None
    return time + 10 * SECOND


def _stay(job: _Break, key: str, time: int) -> Doing[Drained]:
    """Ask until somebody stops it."""
    mine, pace, looked = job.trade.mine, job.way.pace, 0.0
    program = replace(job.desk, seat=program_at(job.desk.seat))
    use = Use(key, name_of(mine.rng, "tpl"), pace.model, longer=_LONGER)
    if pace.looks:
        for model in mine.rng.sample(MODELS, mine.rng.randrange(5, 9)):
            time += mine.rng.randrange(4, 40) * SECOND
            act = program.ask(time, replace(use, model=model, longer=_SHORT), mine.rng)
            seen = yield act
            if not seen.served:
                return Drained(time, looked, seen)
            looked += act.dollars
    burn, most = mine.figure("burn"), mine.figure("stays") + pace.hidden / HOUR
    between = _dollars(FRONTIER) / burn * HOUR / SECOND
    if pace.hidden:
        between = max(between, DAY / SECOND / job.victim.daily)
    dollars = most * HOUR / SECOND / between * _dollars(pace.model)
    found = yield from drain(mine, program, time, Thirst(lambda: use, dollars, between))
    return replace(found, dollars=looked + found.dollars)


def _dollars(model: Model) -> float:
    """What a request comes to on average."""
    asked, answered = CONVERSATION.asked.mean, CONVERSATION.answered.mean
    return _LONGER * (asked * model.input_price + answered * model.output_price) / 1e6


def _life(mine: Operator) -> Life:
    trade = _Trade(mine)
    return business(Business(_WAYS, trade.worth, trade.run), mine)


_WAYS: Final = {way.words: way for way in (_Way(*each) for each in product(_Door, (False, True), _PACES))}
ARCHETYPE = Archetype(
    about="gets into honest people's accounts, and sells the compute that their owners pay for",
    life=_life,
    prices=("leaked_key", "credential", "profile", "server", "traffic"),
    figures=("victims", "rests", "fails", "unchecked", "minutes", "burn", "stays", "owners_ask"),
)
