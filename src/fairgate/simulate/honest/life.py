"""An honest customer with their habits, and what they do beside asking: log in, pay, change keys, invite colleagues."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random
from typing import Final

from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.simulate.acts import Account, Act, Doing, Life, Seen
from fairgate.simulate.deeds import Card, Sitting, Use, settle
from fairgate.simulate.draws import chance
from fairgate.simulate.identities import mailbox, name_of
from fairgate.simulate.places import Country
from fairgate.simulate.world_file import Habits

#: The share of passwords that are mistyped, of cards that are, and of charges for which there is no money.
_MISTYPES, _MISTYPES_CARD, _NO_MONEY = 0.06, 0.05, 0.03
#: Whoever has to buy again so soon buys more at once, up to so many dollars.
_SOON, _MOST = 3 * DAY, 2_000.0
_REASONS: Final = ("not_received", "not_received", "duplicate")


class Hours(StrEnum):
    """When somebody is at it."""

    WAKING = "waking"
    OFFICE = "office"
    NIGHT = "night"
    ALWAYS = "always"


@dataclass(slots=True)
class Customer:
    """An honest customer with their habits.

    `works` are the places that requests come from, a sitting at a time, and `uses` what they are for: one of them in a
    sitting, or many where one `mixes` them, as a product does for its users. `daily` is how often they ask on a day on
    which they do, `days` the share of such days, at the weekend `weekend` times that. `pays` is whether they buy
    credits when those that were given are used up, `amount` for how many dollars at once.
    """

    account: Account
    desk: Sitting
    works: tuple[Sitting, ...]
    uses: tuple[Use, ...]
    country: Country
    card: Card
    daily: float
    days: float
    burst: float
    pays: bool
    amount: float
    email: str = ""
    phone: str | None = None
    hours: Hours = Hours.WAKING
    weekend: float = 0.7
    mixes: bool = False
    #: Whether they have added their card.
    has_card: bool = False
    #: Who invited them.
    host: Account | None = None
    #: When they part with their device, or 0, and whether they leave then.
    parts: int = 0
    leaves: bool = False
    #: When they did something last, and when they bought credits.
    until: int = 0
    bought: int = 0


def do(who: Customer, act: Act) -> Doing[Seen]:
    """Do something, and know until when one was busy."""
    who.until = max(who.until, act.time)  # whoever notices an intruder does that between two other things
    return (yield act)


def seconds(rng: Random, mean: float) -> int:
    """A while of so many seconds on average."""
    return SECOND // 2 + int(rng.expovariate(1.0 / mean) * SECOND)


def log_in(who: Customer, rng: Random, habits: Habits, time: int) -> Doing[int]:
    """Log in, after a mistyped or a forgotten password now and then; returns when that is done."""
    while chance(rng, _MISTYPES):
        yield from do(who, who.desk.log_in(time, success=False))
        time += seconds(rng, 15.0)
    if chance(rng, habits.forgets):
        yield from do(who, who.desk.log_in(time, success=False))
        for step in ("asked", "done"):
            time += seconds(rng, 60.0)
            yield from do(who, who.desk.reset_password(time, step))
        time += seconds(rng, 10.0)
    yield from do(who, who.desk.log_in(time))
    return time + seconds(rng, 20.0)


def run_office(who: Customer, rng: Random, habits: Habits, time: int) -> Doing[int]:
    """What a company does now and then on a day: replace a key, ask a colleague in; returns when that is done."""
    if chance(rng, habits.rotates):
        time = yield from _replace_key(who, time, rng.choice(who.uses).key)
        time += seconds(rng, 600.0)
    if chance(rng, habits.invites):
        yield from do(who, who.desk.invite(time, mailbox(rng, who.email.partition("@")[2])))
        time += seconds(rng, 60.0)
    return time


def buy(who: Customer, rng: Random, habits: Habits, time: int) -> Doing[bool]:
    """Buy credits when there are none left, with a card that is added first; whether there are any then."""
    account = who.account
    yield from do(who, settle(account, time, max(0.0, who.amount - account.credits), 0.0))
    if not who.pays:
        return False
    time += seconds(rng, 300.0) if account.tier == "free" else SECOND
    if not who.has_card:
        seen = yield from _add_card(who, rng, time)
        if not seen.served:
            return False
        time = who.until + seconds(rng, 30.0)
    if time - who.bought < _SOON:
        who.amount = min(2 * who.amount, _MOST)
    if chance(rng, _NO_MONEY):
        yield from do(who, who.desk.charge(time, who.card, who.amount, declined="insufficient_funds"))
        time += rng.randrange(HOUR, 6 * HOUR)
    disputed = rng.choice(_REASONS) if chance(rng, habits.disputes) else ""
    seen = yield from do(who, who.desk.charge(time, who.card, who.amount, disputed=disputed))
    if seen.served:
        account.credits, who.bought = who.amount, time
        account.tier = "payg" if account.tier == "free" else account.tier
    return seen.served


def part_with_device(who: Customer, rng: Random) -> None:
    """From now on they sit at another one."""
    old, new = who.desk.seat.device, name_of(rng, "dev")

    def at(sitting: Sitting) -> Sitting:
        is_it = sitting.seat.device == old
        return replace(sitting, seat=replace(sitting.seat, device=new)) if is_it else sitting

    who.desk, who.works, who.parts = at(who.desk), tuple(at(each) for each in who.works), 0


def notices(who: Customer, rng: Random, time: int, keys: Iterable[str]) -> Life:
    """Somebody sees that another uses their account: they set a new password, and make these keys useless.

    A key of their own among them is replaced by a new one.
    """
    yield who.desk.log_in(time)
    for step in ("asked", "done"):
        time += seconds(rng, 60.0)
        yield who.desk.reset_password(time, step)
    mine = {use.key for use in who.uses}
    for old in sorted(keys):
        time += seconds(rng, 60.0)
        if old in mine:
            time = yield from _replace_key(who, time, old)
        else:
            yield who.desk.revoke_key(time, old, "owner")


def _replace_key(who: Customer, time: int, old: str) -> Doing[int]:
    """Make a key and use it instead of an old one, which is made useless; returns when that is done."""
    name, _, number = old.partition(".")
    new = f"{name}.{int(number or 1) + 1}"
    yield from do(who, who.desk.make_key(time, new))
    who.uses = tuple(replace(use, key=new) if use.key == old else use for use in who.uses)
    time += SECOND
    yield from do(who, who.desk.revoke_key(time, old, "owner"))
    return time


def _add_card(who: Customer, rng: Random, time: int) -> Doing[Seen]:
    """Add a card, mistyped now and then."""
    declined = "incorrect_cvc" if chance(rng, _MISTYPES_CARD) else None
    seen = yield from do(who, who.desk.add_card(time, who.card, declined=declined))
    if declined is not None and seen.served:
        seen = yield from do(who, who.desk.add_card(time + seconds(rng, 40.0), who.card))
    who.has_card = seen.served
    return seen
