"""What several archetypes do in the same way: make an account, ask until something is used up, pay with a card."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Account, Act, Doing, Seen
from fairgate.simulate.deeds import Card, Sitting, Use, grant
from fairgate.simulate.identities import mailbox, name_of
from fairgate.simulate.operator import Operator
from fairgate.simulate.places import COUNTRIES, HOSTING, Country, Seat, household, server, server_address, waking

#: Domains whose mailboxes anybody may read, and nobody keeps.
THROWAWAY: Final = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")
#: Gigabytes that one account takes through somebody's line.
TRAFFIC: Final = 0.05
#: Times that an account is slowed before it is left.
_MOST_SLOWED: Final = 3
#: Exits that a VPN has for all its customers.
_EXITS: Final = 12
#: How much one hour differs from another: the standard deviation of the logarithm of how often is asked.
_UNEVEN: Final = 0.3
#: How old accounts of another's making are when they are bought, in days.
_AGED: Final = (60, 300)


@dataclass(frozen=True, slots=True)
class Thirst:
    """What is asked for: how a key is used, drawn for each request, up to so many dollars, every `between` seconds."""

    use: Callable[[], Use]
    dollars: float
    between: float


@dataclass(frozen=True, slots=True)
class Drained:
    """How asking ended: when, how many dollars of compute were got, and what was seen last."""

    time: int
    dollars: float
    last: Seen


def join(mine: Operator, desk: Sitting, time: int, email: str, *, phone: str | None = None) -> Doing[int | None]:
    """Sign up, verify, take what newcomers are given, make a key `1`.

    Returns when the account can be used, None where it can't.
    """
    return (yield from come_in(mine, desk, desk.sign_up(time, email, phone=phone), phone=phone))


def come_in(mine: Operator, desk: Sitting, signs_up: Act, *, phone: str | None = None) -> Doing[int | None]:
    """As `join`, with a sign-up of the caller's making, as one by somebody's invitation is."""
    rng, trial = mine.rng, mine.scene.world.world.service.trial_dollars.middle
    acts = [signs_up]
    time = signs_up.time + rng.randrange(20 * SECOND, 90 * SECOND)
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


def drain(mine: Operator, program: Sitting, time: int, thirst: Thirst) -> Doing[Drained]:
    """Ask until what was wanted is got, or it can't go on."""
    rng, slowed, drained, seen = mine.rng, 0, 0.0, Seen.SERVED
    while drained < thirst.dollars and slowed <= _MOST_SLOWED:
        time += int(rng.expovariate(1 / thirst.between) * SECOND) + SECOND
        act = program.ask(time, thirst.use(), rng)
        seen = yield act
        if seen == Seen.SLOWED:
            slowed, time = slowed + 1, time + HOUR
        elif seen.served:
            drained += act.dollars
        else:
            break
    return Drained(time, drained, seen)


def program_at(seat: Seat) -> Seat:
    """A program that asks from where somebody sits."""
    return replace(seat, user_agent="python-httpx/0.28.1", tls_fingerprint="t13d1010h1", bot_score=0.9, device=None)


def rented(mine: Operator, now: int) -> Seat:
    """A browser behind a server that is rented now."""
    mine.buy("server", 1, now)
    found = server(mine.rng, server_address(mine.rng), "64498")
    return replace(household(mine.rng, COUNTRIES[4]), ip=found.ip, asn=found.asn)


def borrowed(mine: Operator, now: int, gigabytes: float = TRAFFIC) -> Seat:
    """A browser behind somebody's line at home, in some country."""
    mine.buy("traffic", gigabytes, now)
    return household(mine.rng, mine.rng.choice(COUNTRIES))


def line_in(mine: Operator, country: Country, now: int, gigabytes: float = TRAFFIC) -> Seat:
    """A browser behind somebody's line at home, in a country that is asked for."""
    mine.buy("traffic", gigabytes, now)
    return household(mine.rng, country)


def new_profile(mine: Operator, now: int) -> str:
    """The device that a bought browser profile shows."""
    mine.buy("profile", 1, now)
    return name_of(mine.rng, "dev")


def bought(mine: Operator, now: int) -> Account:
    """An account of another's making, some months old, that is bought now. What it was once given is used up."""
    mine.buy("aged_account", 1, now)
    return mine.account(now - mine.rng.randrange(*_AGED) * DAY, "free")


def move_in(mine: Operator, desk: Sitting, time: int) -> Doing[int | None]:
    """Log in to an account that was bought, and make a key `1`.

    Returns when the account can be used, None where it can't.
    """
    for act in (desk.log_in(time), desk.make_key(time + mine.rng.randrange(30 * SECOND, 3 * MINUTE), "1")):
        seen = yield act
        if not seen.served:
            return None
    return act.time + MINUTE


def hand_card(mine: Operator, desk: Sitting, time: int, card: Card) -> Doing[int | None]:
    """Add a card to an account. Returns when it can be charged, None where it was not let in."""
    seen = yield desk.add_card(time, card)
    return time + mine.rng.randrange(10 * SECOND, MINUTE) if seen.served else None


def top_up(desk: Sitting, time: int, card: Card, dollars: float, *, disputed: str = "") -> Doing[bool]:
    """Buy credits with a card that the account has, by which it is a paying one; whether that went well.

    `disputed` is why the charge will be taken back. What it costs the opponent is for the caller to book.
    """
    seen = yield desk.charge(time, card, dollars, disputed=disputed)
    if seen.served:
        desk.who.tier = "payg"
    return seen.served


def top_up_or_bounce(mine: Operator, desk: Sitting, time: int, card: Card, dollars: float) -> Doing[float | None]:
    """Buy credits with a card, whose charge bounces in as many cases as the archetype's figure `bounces` says.

    Returns what that cost the opponent, which is booked; None where it was not let in.
    """
    bounces = mine.rng.random() < mine.figure("bounces")
    if not (yield from top_up(desk, time, card, dollars, disputed="not_received" if bounces else "")):
        return None
    if bounces:
        return 0.0
    mine.pay("tops up", dollars, time)
    return dollars


def vpn_exit(mine: Operator, now: int) -> Seat:
    """A browser behind a VPN that is paid for a month now: its customers share a few exits."""
    mine.buy("vpn", 1, now)
    number = mine.rng.randrange(_EXITS)
    asn = tuple(HOSTING)[number % len(HOSTING)]
    country = next(each for each in COUNTRIES if each.code == HOSTING[asn])
    return replace(household(mine.rng, country), ip=f"198.18.250.{number + 1}", asn=asn)


def behind(seat: Seat, line: Seat) -> Seat:
    """Somebody's own browser, whose requests leave by another line."""
    return replace(seat, ip=line.ip, asn=line.asn, country=line.country)


def bought_mailbox(mine: Operator, now: int) -> str:
    """A mailbox that is bought now, and looks like people's."""
    mine.buy("mailbox", 1, now)
    return mailbox(mine.rng, mine.rng.choice(("gmail.com", "outlook.com")))


def throwaway_mailbox(mine: Operator) -> str:
    """A mailbox that costs nothing: made by a generator of names, or like people's, as the skilled take care to."""
    rng = mine.rng
    if rng.random() < mine.skill / 2:
        return mailbox(rng, rng.choice(THROWAWAY))
    letters = "".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=5))
    return f"{letters}{rng.randrange(1_000, 10_000)}@{rng.choice(THROWAWAY)}"


def sittings(rng: Random, offset: float, start: int, ends: int, count: Callable[[], float]) -> list[list[int]]:
    """When somebody asks who sits down for an hour a day, by their own clock: the times of each day, in order.

    `count` draws how often they ask within an hour.
    """
    found = []
    for midnight in range(start, ends, DAY):
        begins = waking(rng, midnight, offset)
        often = max(1, round(count() * rng.lognormvariate(0.0, _UNEVEN)))
        times = sorted(begins + rng.randrange(HOUR) for _ in range(often))
        found.append([time for time in times if time < ends])
    return [each for each in found if each]
