"""The life of one honest customer: joins or is there already, uses it on some days, pays or leaves.

What is done to them is part of it: who can't go on has a bad day, and after a few of those they are gone.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Account, Act, Doing, Life, Seen
from fairgate.simulate.day_world import Country, chance, waking
from fairgate.simulate.deeds import Card, Sitting, Use, grant, settle
from fairgate.simulate.draws import gap

#: Mean seconds between two requests of one sitting, and the longest that one goes on.
_BETWEEN: Final = 50.0
_LONGEST: Final = 16 * HOUR
#: Times that somebody is slowed or refused before they give up for the day, and bad days before they give up for good.
_MOST_SLOWED, _MOST_REFUSED, _PATIENCE = 4, 2, 4
#: The share of days that begin with a log-in, of passwords that are mistyped then, and of cards that are.
_LOGS_IN, _MISTYPES, _MISTYPES_CARD = 0.25, 0.06, 0.05
_AMOUNTS = (5.0, 10.0, 20.0, 50.0)


class Hours(StrEnum):
    """When somebody is at it."""

    WAKING = "waking"
    OFFICE = "office"
    NIGHT = "night"
    ALWAYS = "always"


@dataclass(slots=True)
class Customer:
    """An honest customer with their habits.

    `works` are the places that requests come from, a sitting at a time. `daily` is how often they ask on a day on which
    they do, `days` the share of such days, at the weekend `weekend` times that. `pays` is whether they buy credits when
    those that were given are used up.
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
    email: str = ""
    phone: str | None = None
    hours: Hours = Hours.WAKING
    weekend: float = 0.7
    #: When they did something last.
    until: int = 0


class _Day(StrEnum):
    """How a day went."""

    WELL = "well"
    BADLY = "badly"
    OVER = "over"  # the credits are used up, and they don't pay


def joining(who: Customer, rng: Random, trial: float) -> Life:
    """A newcomer, who is given `trial` dollars: what comes at and after the time at which the account is made."""
    ready = yield from _join(who, rng, trial)
    if ready is not None:
        yield from _days(who, rng, ready)


def going_on(who: Customer, rng: Random, start: int) -> Life:
    """Somebody who has been there before the world began."""
    yield from _days(who, rng, start)


def _join(who: Customer, rng: Random, trial: float) -> Doing[int | None]:
    """Sign up; returns when it can be used, None where they were not let in and gave up."""
    time, account = who.account.created, who.account
    seen = yield who.desk.sign_up(time, who.email, phone=who.phone)
    if seen == Seen.REFUSED:
        time += _seconds(rng, 60.0)
        seen = yield who.desk.sign_up(time, who.email, phone=who.phone)
    if seen == Seen.REFUSED:
        return None
    if not seen.served:  # the account is there, and somebody is to look at it
        return time + DAY
    for method in ("email", "phone") if who.phone is not None else ("email",):
        time += _seconds(rng, 30.0)
        yield who.desk.verify(time, method, phone=who.phone if method == "phone" else None)
    time += _seconds(rng, 4.0)
    yield grant(account, time, trial, "trial")
    account.credits = trial
    time += _seconds(rng, 40.0)
    yield who.desk.make_key(time, "1")
    return time + _seconds(rng, 60.0)


def _days(who: Customer, rng: Random, start: int) -> Life:
    patience, midnight = _PATIENCE, start - start % DAY
    while patience:
        weekday = (midnight // DAY + 3) % 7  # 1970 began on a Thursday
        share = who.days * (who.weekend if weekday > 4 else 1.0)  # noqa: PLR2004 - Saturday and Sunday
        if chance(rng, share) or midnight < start:
            begin = max(start, who.until, _begins(who, rng, midnight))
            how = yield from _day(who, rng, begin)
            if how == _Day.OVER:
                return
            patience = _PATIENCE if how == _Day.WELL else patience - 1
        midnight += DAY


def _day(who: Customer, rng: Random, time: int) -> Doing[_Day]:
    """One day's work, in one sitting: each request a while after the one before."""
    if chance(rng, _LOGS_IN):
        time = yield from _log_in(who, rng, time)
    works, use = rng.choice(who.works), rng.choice(who.uses)
    count, slowed, refused = max(1, round(who.daily * rng.lognormvariate(0.0, 0.5))), 0, 0
    between, ends = min(_BETWEEN, _LONGEST / SECOND / count), time + _LONGEST
    if who.hours == Hours.ALWAYS:
        between, ends = DAY / SECOND / count, time + DAY
    while count and time < ends:
        time = max(time, who.until) + int(gap(rng, between, who.burst) * SECOND) + 1_000
        act = works.ask(time, use, rng)
        seen = yield from _do(who, act)
        slowed += seen == Seen.SLOWED
        refused += seen == Seen.REFUSED
        if seen in (Seen.HELD, Seen.CLOSED) or slowed >= _MOST_SLOWED or refused >= _MOST_REFUSED:
            return _Day.BADLY
        if seen == Seen.SLOWED:
            time += rng.randrange(20 * MINUTE, HOUR)
        elif seen.served:
            count -= 1
            if not (yield from _spend(who, rng, time, act.dollars)):
                return _Day.OVER
    return _Day.WELL


def _spend(who: Customer, rng: Random, time: int, dollars: float) -> Doing[bool]:
    """Take what was used from the credits of a free account; whether they go on when there are none left."""
    account = who.account
    if account.tier != "free":
        return True
    account.credits -= dollars
    if account.credits > 0:
        return True
    yield from _do(who, settle(account, time + SECOND, dollars, 0.0))
    if not who.pays:
        return False
    return (yield from _pay(who, rng, time + 2 * SECOND + _seconds(rng, 300.0)))


def _pay(who: Customer, rng: Random, time: int) -> Doing[bool]:
    """Add a card, mistyped now and then, and buy credits; whether that went well."""
    declined = "incorrect_cvc" if chance(rng, _MISTYPES_CARD) else None
    seen = yield from _do(who, who.desk.add_card(time, who.card, declined=declined))
    if declined is not None and seen.served:
        time += _seconds(rng, 40.0)
        seen = yield from _do(who, who.desk.add_card(time, who.card))
    if not seen.served:
        return False
    seen = yield from _do(who, who.desk.charge(time + _seconds(rng, 30.0), who.card, rng.choice(_AMOUNTS)))
    if seen.served:
        who.account.tier = "payg"
    return seen.served


def _log_in(who: Customer, rng: Random, time: int) -> Doing[int]:
    """Log in, after a mistyped password now and then; returns when that is done."""
    while chance(rng, _MISTYPES):
        yield from _do(who, who.desk.log_in(time, success=False))
        time += _seconds(rng, 15.0)
    yield from _do(who, who.desk.log_in(time))
    return time + _seconds(rng, 20.0)


def _do(who: Customer, act: Act) -> Doing[Seen]:
    """Do something, and know until when one was busy."""
    who.until = act.time
    return (yield act)


def _begins(who: Customer, rng: Random, midnight: int) -> int:
    """When the day's work begins, by the customer's own clock; `midnight` is UTC's."""
    match who.hours:
        case Hours.OFFICE:
            local = 9 * HOUR + rng.randrange(3 * HOUR)
        case Hours.NIGHT:
            local = HOUR + rng.randrange(HOUR)
        case Hours.ALWAYS:
            return midnight
        case _:
            return waking(rng, midnight, who.country.offset)
    return midnight + (local - int(who.country.offset * HOUR)) % DAY


def _seconds(rng: Random, mean: float) -> int:
    return SECOND // 2 + int(rng.expovariate(1.0 / mean) * SECOND)
