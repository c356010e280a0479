"""The free-credit farmer: makes accounts for what new ones are given, drains them, and sells that on.

A campaign is a batch of accounts made in one way: which mailboxes, from which lines, with a telephone or without, in a
burst or drop by drop. What it sees of them teaches which way pays; where none does, the farmer waits, and leaves.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Doing, Life, Seen, Wait
from fairgate.simulate.day_parts import mailbox
from fairgate.simulate.day_world import (
    COUNTRIES,
    FRONTIER,
    Seat,
    household,
    name_of,
    server,
    server_address,
    telephone_number,
)
from fairgate.simulate.deeds import Sitting, Use, grant, settle
from fairgate.simulate.draws import CONVERSATION
from fairgate.simulate.operator import Archetype, Operator

_THROWAWAY: Final = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")
#: Accounts that one rented server, one line and one browser profile serve before the next is taken.
_A_SERVER, _A_PROFILE = 12, 6
#: Gigabytes that an account takes through somebody's line, and what is bought of it.
_TRAFFIC: Final = 0.05
#: Campaigns in a row that don't pay, and the farmer leaves; until the next one it waits.
_GIVES_UP: Final = 3
#: Times that an account is slowed before it is left.
_MOST_SLOWED: Final = 3
_BURST, _DRIP = 40 * MINUTE, 3 * DAY


@dataclass(frozen=True, slots=True)
class _Way:
    """How a batch of accounts is made."""

    kept_mail: bool
    home_line: bool
    phone: bool
    drip: bool

    @property
    def words(self) -> str:
        """The way as a person would tell it."""
        mail = "bought mailboxes" if self.kept_mail else "throwaway mail"
        line = "people's lines" if self.home_line else "rented servers"
        phone = "a telephone for each" if self.phone else "no telephone"
        return f"{mail}, {line}, {phone}, {'drop by drop' if self.drip else 'all at once'}"


_WAYS: Final = {way.words: way for way in (_Way(*each) for each in product((False, True), repeat=4))}


def farm(mine: Operator) -> Life:
    """Campaign after campaign, as long as one pays."""
    rng, now = mine.rng, mine.scene.world.begins
    now += rng.randrange(3 * DAY)
    failed = 0
    while True:
        yield Wait(now)
        size = max(2, round(mine.spec.more["accounts"].draw(rng)))
        words, worth = mine.beliefs.best(_WAYS, partial(_worth, mine, now))
        if worth <= 0 or mine.purse <= 0:
            failed += 1
            if failed >= _GIVES_UP or mine.purse <= 0:
                why = "the purse is empty" if mine.purse <= 0 else "no way pays any more"
                mine.note("leaves", now, why)
                return
            now += DAY
            continue
        failed, way = 0, _WAYS[words]
        mine.note("tries", now, f"{size} accounts by {words}: it may bring {worth:.2f} dollars each")
        spread = _DRIP if way.drip else _BURST
        kit = _Kit(mine, way, name_of(rng, "tpl"))
        times = sorted(now + rng.randrange(spread) for _ in range(size))
        mine.scene.stage.add((time, partial(_one, kit, time)) for time in times)
        now += spread + DAY


class _Kit:
    """What the accounts of one campaign share: lines, browser profiles, and a prompt."""

    def __init__(self, mine: Operator, way: _Way, template: str) -> None:
        self.mine = mine
        self.way = way
        self.use = Use("1", template, FRONTIER, CONVERSATION, longer=3.0)
        self._made = 0
        self._seat: Seat | None = None
        self._device = ""

    def seat(self, now: int) -> Seat:
        """Where the next account is made: on a line and a profile that served others before, as far as they go."""
        rng = self.mine.rng
        country = rng.choice(COUNTRIES)
        if self._made % _A_PROFILE == 0:
            self.mine.buy("profile", 1, now)
            self._device = name_of(rng, "dev")
        if self.way.home_line:
            self.mine.buy("traffic", _TRAFFIC, now)
            self._seat = household(rng, country)
        elif self._seat is None or self._made % _A_SERVER == 0:
            self.mine.buy("server", 1, now)
            rented = server(rng, server_address(rng), "64498")
            self._seat = replace(household(rng, COUNTRIES[4]), ip=rented.ip, asn=rented.asn)
        self._made += 1
        return replace(self._seat, device=self._device)


def _one(kit: _Kit, time: int) -> Life:
    """One account, from its sign-up to its last cent."""
    mine = kit.mine
    who, seat = mine.account(time, "free", "robot"), kit.seat(time)
    trial = mine.scene.world.world.service.trial_dollars.middle
    drained = 0.0
    ready = yield from _join(kit, Sitting(who, seat, abuse=True), time, trial)
    if ready is not None:
        program = Sitting(who, replace(seat, user_agent="python-httpx/0.28.1", bot_score=0.9, device=None), abuse=True)
        time, drained = yield from _drain(kit, program, ready, trial)
        yield settle(who, time + SECOND, drained, max(0.0, trial - drained))
        mine.earn("sells", min(drained, trial) * mine.resale, time)
    mine.beliefs.learn(kit.way.words, well=drained >= trial / 2)


def _join(kit: _Kit, desk: Sitting, time: int, trial: float) -> Doing[int | None]:
    """Sign up and verify; returns when the account can be used, None where it can't."""
    mine, rng = kit.mine, kit.mine.rng
    if kit.way.kept_mail:
        mine.buy("mailbox", 1, time)
    phone = telephone_number(rng) if kit.way.phone else None
    if phone is not None:
        mine.buy("phone", 1, time)
    acts = [desk.sign_up(time, _mail(kit), phone=phone)]
    time += rng.randrange(20 * SECOND, 90 * SECOND)
    acts.append(desk.verify(time, "email"))
    if phone is not None:
        time += rng.randrange(20 * SECOND, 90 * SECOND)
        acts.append(desk.verify(time, "phone", phone=phone))
    time += 4 * SECOND
    acts.append(grant(desk.who, time, trial, "trial"))
    time += rng.randrange(10 * SECOND, MINUTE)
    acts.append(desk.make_key(time, "1"))
    for act in acts:
        seen = yield act
        if not seen.served:
            return None
    return time + MINUTE


def _drain(kit: _Kit, program: Sitting, time: int, trial: float) -> Doing[tuple[int, float]]:
    """Ask until what was given is used up, or it can't go on; returns when that is, and how much was drained."""
    rng, slowed, drained = kit.mine.rng, 0, 0.0
    while drained < trial and slowed <= _MOST_SLOWED:
        time += int(rng.expovariate(1 / (400.0 if kit.way.drip else 45.0)) * SECOND) + SECOND
        act = program.ask(time, kit.use, rng)
        seen = yield act
        if seen == Seen.SLOWED:
            slowed, time = slowed + 1, time + HOUR
        elif seen.served:
            drained += act.dollars
        else:
            break
    return time, drained


def _mail(kit: _Kit) -> str:
    """A mailbox: bought ones look like people's, the others like a generator's; the skilled hide that better."""
    rng = kit.mine.rng
    if kit.way.kept_mail:
        return mailbox(rng, rng.choice(("gmail.com", "outlook.com")))
    if rng.random() < kit.mine.skill / 2:
        return mailbox(rng, rng.choice(_THROWAWAY))
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))
    return f"{letters}{rng.randrange(1_000, 10_000)}@{rng.choice(_THROWAWAY)}"


def _worth(mine: Operator, now: int, words: str, likely: float) -> float:
    """What an account brings in dollars, made in a way, if it lives as likely as this."""
    way, price = _WAYS[words], mine.scene.market.price
    cost = price("profile", now) / _A_PROFILE
    cost += price("mailbox", now) if way.kept_mail else 0.0
    cost += price("phone", now) if way.phone else 0.0
    cost += _TRAFFIC * price("traffic", now) if way.home_line else price("server", now) / _A_SERVER
    wait = 0.8 if way.drip else 1.0  # money later is worth less, and credits may be cut meanwhile
    return likely * wait * mine.scene.world.world.service.trial_dollars.middle * mine.resale - cost


ARCHETYPE = Archetype(
    about="makes accounts for what new ones are given, and sells that on",
    life=farm,
    prices=("mailbox", "phone", "profile", "server", "traffic"),
    figures=("accounts",),
)
