"""The distiller: collects a model's answers in bulk, over many accounts, to train another model on them.

A campaign is a list of questions that is worked through in one way: put into one form or worded anew each time, on few
accounts or thinly on many, at the same hours or spread over the day. Old answers are worth little, so on the day of a
release it drops the old model for the new one within hours. What becomes of each account teaches which way pays; where
none does, it leaves.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from itertools import cycle, product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Doing, Life, Seen, Wait
from fairgate.simulate.deeds import Card, Sitting, Use, settle
from fairgate.simulate.draws import Lengths, Talk
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import FRONTIER, Model, released
from fairgate.simulate.operator import Archetype, Business, Operator, business
from fairgate.simulate.places import Seat
from fairgate.simulate.tradecraft import (
    TRAFFIC,
    Thirst,
    borrowed,
    bought,
    bought_mailbox,
    drain,
    hand_card,
    join,
    move_in,
    new_profile,
    program_at,
    rented,
    top_up_or_bounce,
)

#: Accounts that one server and one browser profile serve, and one form of questions until another is made up.
_A_SERVER, _A_PROFILE, _A_FORM = 12, 6, 10_000
#: Gigabytes that a dollar of answers takes, and the part of its price that wording the question anew costs.
_A_DOLLAR, _REWORDS = 0.02, 0.08
#: Dollars that a card is charged at a time.
_TOP_UP: Final = 10.0
#: For how many accounts one of the few stands that do all the work, and how many of those there are at least.
_FEW, _LEAST = 4, 2
#: The pause after a campaign that went well, to take in what it brought; after others it is shorter.
_PAUSE: Final = 3 * DAY
#: How soon after a release the new model is known to be there.
_SOON: Final = (HOUR, 4 * HOUR)


def _lengths(low: int, high: int) -> Lengths:
    """Lengths between two; each factor is as likely as another."""
    return Lengths(tuple(round(low * (high / low) ** (step / 25)) for step in range(26)))


#: Answers are long. One form makes questions of one length; worded anew, they are as different as people's.
_ALIKE, _UNLIKE = Talk(_lengths(160, 190), _lengths(700, 1_800)), Talk(_lengths(40, 2_000), _lengths(250, 2_400))


class _Means(StrEnum):
    """What accounts live on."""

    TRIAL = "trials"
    CARD = "cards that bounce"
    AGED = "old accounts with cards that bounce"


@dataclass(frozen=True, slots=True)
class _Load:
    """How the work is spread: on `few` accounts or many, in `lockstep` or each account at hours of its own.

    An account is used for `lasts`, in sittings that begin `every` so often, with `between` seconds from one request to
    the next. `waits` is what is left of the worth of answers that come so late.
    """

    words: str
    lasts: int
    every: int
    between: float
    few: bool = False
    lockstep: bool = False
    waits: float = 1.0


_MUCH: Final = _Load("all of it on few accounts", DAY, 6 * HOUR, 12.0, few=True)
_LOCKSTEP: Final = _Load("thin over many in lockstep", DAY, 4 * HOUR, 20.0, lockstep=True)
_SPREAD: Final = _Load("thin over many at all hours", 4 * DAY, 6 * HOUR, 240.0, waits=0.6)
#: A trial is too little for whoever wants all on few accounts.
_LOADS: Final = (
    (_Means.TRIAL, _LOCKSTEP), (_Means.TRIAL, _SPREAD), (_Means.CARD, _MUCH), (_Means.CARD, _SPREAD),
    (_Means.AGED, _MUCH), (_Means.AGED, _SPREAD),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Way:
    """How a campaign goes about it."""

    reworded: bool
    home_line: bool
    means: _Means
    load: _Load

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        form = "each question worded anew" if self.reworded else "all questions in one form"
        line = "people's lines" if self.home_line else "rented servers"
        return f"{form}, {self.load.words}, {self.means}, {line}"

    @property
    def figure(self) -> str:
        """The world's figure for how many dollars of answers an account is to give, where that is not its trial."""
        return "heavy" if self.load.few else "thin"

    def same_door(self, other: "_Way") -> bool:
        """Whether accounts come in alike: who is stopped there learns that of both, for nothing was asked yet."""
        return (self.home_line, self.means) == (other.home_line, other.means)

    def accounts(self, many: float) -> int:
        """On how many accounts a campaign is run."""
        return max(_LEAST, round(many / _FEW if self.load.few else many))


@dataclass(slots=True)
class _Member:
    """An account of a campaign, in dollars: what it is to give, for how much it may ask, what it gave."""

    desk: Sitting
    wanted: float
    credits: float
    card: Card | None = None
    got: float = 0.0


class _Kit:
    """What the accounts of one campaign share: questions, hours, lines and browser profiles."""

    def __init__(self, mine: Operator, way: _Way, begins: int) -> None:
        self.mine = mine
        self.way = way
        self.begins = begins
        self.soon = mine.rng.randrange(*_SOON)
        self.forms = mine.stock("form", lambda _: name_of(mine.rng, "tpl"), _A_FORM)
        self.profiles = mine.stock("profile", partial(new_profile, mine), _A_PROFILE)
        self.servers = mine.stock("server", partial(rented, mine), _A_SERVER)
        self._wordings = cycle([name_of(mine.rng, "tpl") for _ in range(max(1, round(mine.figure("wordings"))))])

    def seat(self, now: int, dollars: float) -> Seat:
        """Where the next account is used: on a line and a profile that served others before, as far as they go."""
        line = borrowed(self.mine, now, _gigabytes(dollars)) if self.way.home_line else self.servers.take(now)
        return replace(line, device=self.profiles.take(now))

    def sitting(self, ready: int, number: int) -> int:
        """When an account's sitting of this number begins: all in the same minutes, or each when it likes."""
        rng, every = self.mine.rng, self.way.load.every
        if self.way.load.lockstep:
            return self.begins + HOUR + number * every + rng.randrange(3 * MINUTE)
        return ready + number * every + rng.randrange(every // 2)

    def use(self, form: str, model: Model) -> Use:
        """What is asked next. Wordings are gone through in turn, so that all are covered evenly."""
        return Use("1", next(self._wordings), model, _UNLIKE) if self.way.reworded else Use("1", form, model, _ALIKE)


def _gigabytes(dollars: float) -> float:
    return TRAFFIC + dollars * _A_DOLLAR


def _news(mine: Operator) -> list[tuple[int, Model]]:
    """When models come out in this world, in order, and which."""
    world = mine.scene.world
    found = ((world.begins + each.day * DAY, released(each.model)) for each in world.world.release)
    return sorted(found, key=lambda each: each[0])


def _run(mine: Operator, way: _Way, now: int) -> int:
    """One campaign. The next begins some days later, sooner if the way goes badly or a new model is there."""
    kit, spread = _Kit(mine, way, now), 40 * MINUTE if way.load.lockstep else way.load.lasts // 4
    times = sorted(now + mine.rng.randrange(spread) for _ in range(way.accounts(mine.figure("accounts"))))
    mine.scene.stage.add((time, partial(_one, kit, time)) for time in times)
    after = now + way.load.lasts + int(_PAUSE * mine.beliefs.of(way).mean)
    return min([after, *(at + kit.soon for at, _ in _news(mine) if now < at + kit.soon < after)])


def _one(kit: _Kit, time: int) -> Life:
    """One account, from when it is made or bought until it has given what it was to, or can't."""
    mine, way, trial = kit.mine, kit.way, kit.mine.scene.world.world.service.trial_dollars.middle
    wanted = trial if way.means == _Means.TRIAL else mine.figure(way.figure)
    seat, aged = kit.seat(time, wanted), way.means == _Means.AGED
    desk = Sitting(bought(mine, time) if aged else mine.account(time, "free"), seat)
    member = _Member(desk, wanted, 0.0 if aged else trial)
    ready = yield from _opens(kit, member, time)
    ended = time if ready is None else (yield from _collects(kit, member, ready))
    if way.reworded:
        mine.pay("rewords", member.got * _REWORDS, ended)
    mine.earn("collects", member.got * mine.resale, ended)
    well = member.got >= wanted / 2
    mine.beliefs.learn(*(filter(way.same_door, _WAYS.values()) if ready is None else (way,)), well=well)
    if not well and seat.device is not None:
        kit.profiles.burnt(seat.device)


def _opens(kit: _Kit, member: _Member, time: int) -> Doing[int | None]:
    """Make an account or move into one, with a card if it lives on that; returns when it can be used, if it can."""
    mine, desk = kit.mine, member.desk
    if kit.way.means == _Means.AGED:
        ready = yield from move_in(mine, desk, time)
    else:
        ready = yield from join(mine, desk, time, bought_mailbox(mine, time))
    if ready is not None and kit.way.means != _Means.TRIAL:
        mine.buy("virtual_card", 1, ready)
        member.card = Card(name_of(mine.rng, "card"), desk.seat.country)
        ready = yield from hand_card(mine, desk, ready, member.card)
    return ready


def _collects(kit: _Kit, member: _Member, time: int) -> Doing[int]:
    """Ask, sitting by sitting, until an account has given what it was to, or can't; returns when that ended."""
    mine, load, ready = kit.mine, kit.way.load, time
    form, program = kit.forms.take(ready), Sitting(member.desk.who, program_at(member.desk.seat))
    for number in range(load.lasts // load.every):
        time = max(time, kit.sitting(ready, number))
        yield Wait(time)
        part = min(member.wanted * load.every / load.lasts, member.wanted - member.got)
        time = yield from _funds(kit, member, time, part)
        part = min(part, member.credits - member.got)
        if part <= 0:
            break
        model = [FRONTIER, *(each for at, each in _news(mine) if at + kit.soon <= time)][-1]
        found = yield from drain(mine, program, time, Thirst(partial(kit.use, form, model), part, load.between))
        time, member.got = found.time + SECOND, member.got + found.dollars
        if not found.last.served and found.last != Seen.SLOWED:
            kit.forms.burnt(form)
            return time
    yield settle(member.desk.who, time, member.got, max(0.0, member.credits - member.got))
    return time


def _funds(kit: _Kit, member: _Member, time: int, part: float) -> Doing[int]:
    """Charge the card until so much may be asked for, or it is not let in; returns when that is done."""
    while member.card is not None and member.credits < member.got + part:
        if (yield from top_up_or_bounce(kit.mine, member.desk, time, member.card, _TOP_UP)) is None:
            break
        member.credits, time = member.credits + _TOP_UP, time + MINUTE
    return time


def _cost(mine: Operator, now: int, way: _Way, wanted: float) -> float:
    """What one account costs before its card is charged, in dollars."""
    cost = mine.price("aged_account" if way.means == _Means.AGED else "mailbox", now)
    cost += 0.0 if way.means == _Means.TRIAL else mine.price("virtual_card", now)
    line = _gigabytes(wanted) * mine.price("traffic", now) if way.home_line else mine.price("server", now) / _A_SERVER
    return cost + line + mine.price("profile", now) / _A_PROFILE


def _worth(mine: Operator, now: int, way: _Way, likely: float) -> float:
    """What a campaign brings in dollars, if an account gives what it is to as likely as this."""
    figures, wanted, charged = mine.spec.more, mine.scene.world.world.service.trial_dollars.middle, 0.0
    if way.means != _Means.TRIAL:
        wanted = figures[way.figure].middle
        charged = wanted * (1.0 - figures["bounces"].middle)
    brings = wanted * (mine.resale - (_REWORDS if way.reworded else 0.0)) - charged
    each = likely * way.load.waits * brings - _cost(mine, now, way, wanted)
    return way.accounts(figures["accounts"].middle) * each


_WAYS: Final = {
    way.words: way
    for way in (_Way(reworded, home, *each) for reworded, home, each in product((False, True), (False, True), _LOADS))
}
ARCHETYPE = Archetype(
    about="collects a model's answers in bulk to train another, over many accounts",
    life=partial(business, Business(_WAYS, _worth, _run)),
    prices=("aged_account", "mailbox", "profile", "server", "traffic", "virtual_card"),
    figures=("accounts", "bounces", "heavy", "thin", "wordings"),
)
