"""The days of one honest customer: joins or is there already, uses it on some days, pays or leaves.

What is done to them is part of it: who can't go on has a bad day, and after a few of those they are gone.
"""

from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.acts import Doing, Life, Seen
from fairgate.simulate.deeds import Asking, Sitting, grant
from fairgate.simulate.draws import chance, gap
from fairgate.simulate.honest.interest import Interest, moved
from fairgate.simulate.honest.life import Customer, Hours, buy, log_in, part_with_device, run_office, seconds
from fairgate.simulate.places import waking
from fairgate.simulate.world_file import Habits, Range

#: Mean seconds between two requests of one sitting, and the longest that one goes on.
_BETWEEN: Final = 50.0
_LONGEST: Final = 16 * HOUR
#: Times that somebody is slowed or refused before they give up for the day, and bad days before they give up for good.
_MOST_SLOWED, _MOST_REFUSED, _PATIENCE = 4, 2, 4
#: The share of days that begin with a log-in.
_LOGS_IN: Final = 0.25
_SATURDAY: Final = 5
#: How many of their uses somebody mixes in one sitting.
_MIXED: Final = 20


@dataclass(frozen=True, slots=True)
class Around:
    """What the days of all honest people have in common.

    Newcomers are given `trial` dollars; where somebody invited them, both get `referral`.
    """

    habits: Habits
    interest: Interest
    trial: Range
    referral: Range


class _Day(StrEnum):
    """How a day went."""

    WELL = "well"
    BADLY = "badly"
    OVER = "over"  # the credits are used up, and they don't pay


@dataclass(frozen=True, slots=True)
class _Pace:
    """How many requests a sitting has, the mean seconds between two, and until when it may go on."""

    count: int
    between: float
    ends: int


def joining(who: Customer, rng: Random, around: Around) -> Life:
    """A newcomer: what comes at and after the time at which the account is made."""
    ready = yield from _join(who, rng, around)
    if ready is not None:
        yield from _days(who, rng, around, ready)


def going_on(who: Customer, rng: Random, around: Around, start: int) -> Life:
    """Somebody who has been there before the world began."""
    yield from _days(who, rng, around, start)


def _join(who: Customer, rng: Random, around: Around) -> Doing[int | None]:
    """Sign up; returns when it can be used, None where they were not let in and gave up."""
    time, desk = who.account.created, who.desk
    by = None if who.host is None else who.host.name
    seen = yield desk.sign_up(time, who.email, phone=who.phone, by=by)
    if seen == Seen.REFUSED:
        time += seconds(rng, 60.0)
        seen = yield desk.sign_up(time, who.email, phone=who.phone, by=by)
    if seen == Seen.REFUSED:
        return None
    if not seen.served:  # the account is there, and somebody is to look at it
        return time + DAY
    for method in ("email", "phone") if who.phone is not None else ("email",):
        time += seconds(rng, 30.0)
        yield desk.verify(time, method, phone=who.phone if method == "phone" else None)
    time = yield from _gifts(who, rng, around, time + seconds(rng, 4.0))
    for key in sorted({use.key for use in who.uses}):
        time += seconds(rng, 40.0)
        yield desk.make_key(time, key)
    return time + seconds(rng, 60.0)


def _gifts(who: Customer, rng: Random, around: Around, time: int) -> Doing[int]:
    """What a newcomer is given, and who invited them; returns when it is there."""
    account = who.account
    account.credits = around.trial.draw(rng)
    yield grant(account, time, account.credits, "trial")
    if who.host is not None:
        dollars = around.referral.draw(rng)
        time += seconds(rng, 20.0)
        yield who.desk.claim_referral(time, who.host)
        for each in (account, who.host):
            time += SECOND
            yield grant(each, time, dollars, "referral")
            each.credits += dollars
    who.amount = account.credits
    return time


def _days(who: Customer, rng: Random, around: Around, start: int) -> Life:
    patience, midnight, heard = _PATIENCE, start - start % DAY, 0
    while patience:
        weekday = (midnight // DAY + 3) % 7  # 1970 began on a Thursday
        share = who.days * (who.weekend if weekday >= _SATURDAY else 1.0)
        if chance(rng, share) or midnight < start:
            begin = max(start, who.until, _begins(who, rng, midnight))
            if who.parts and begin >= who.parts:
                if who.leaves:
                    return
                part_with_device(who, rng)
            for model, moves in around.interest.news(heard, begin):
                who.uses = tuple(moved(use, model, moves, rng) for use in who.uses)
            heard = begin
            how = yield from _day(who, rng, around, begin)
            if how == _Day.OVER:
                return
            patience = _PATIENCE if how == _Day.WELL else patience - 1
        midnight += DAY


def _day(who: Customer, rng: Random, around: Around, time: int) -> Doing[_Day]:
    """One day's work: what else there is to do, and a sitting."""
    count = max(1, round(who.daily * rng.lognormvariate(0.0, 0.5) * around.interest.at(time)))
    if chance(rng, _LOGS_IN):
        time = yield from log_in(who, rng, around.habits, time)
    if who.account.org is not None:
        time = yield from run_office(who, rng, around.habits, time)
    if who.hours == Hours.ALWAYS:
        pace = _Pace(count, DAY / SECOND / count, time + DAY)
    else:
        pace = _Pace(count, min(_BETWEEN, _LONGEST / SECOND / count), time + _LONGEST)
    return (yield from _sitting(who, rng, around.habits, time, pace))


def _sitting(who: Customer, rng: Random, habits: Habits, time: int, pace: _Pace) -> Doing[_Day]:
    """Requests from one place, each a while after the one before."""
    works, mine, slowed, refused, count = rng.choice(who.works), who.uses, 0, 0, pace.count
    ways = _askings(who, works, rng)
    while count and time < pace.ends:
        time = max(time, who.until) + int(gap(rng, pace.between, who.burst) * SECOND) + 1_000
        if who.account.credits <= 0.0 and who.account.tier != "enterprise":
            bought = yield from buy(who, rng, habits, time)
            if not bought:
                return _Day.BADLY if who.pays else _Day.OVER
            time = who.until + SECOND
        if who.uses is not mine:  # a key was replaced meanwhile
            mine, ways = who.uses, _askings(who, works, rng)
        act = (ways[0] if len(ways) == 1 else rng.choice(ways)).ask(time, rng)
        who.until = max(who.until, act.time)
        seen = yield act
        slowed += seen == Seen.SLOWED
        refused += seen == Seen.REFUSED
        if seen in (Seen.HELD, Seen.CLOSED) or slowed >= _MOST_SLOWED or refused >= _MOST_REFUSED:
            return _Day.BADLY
        if seen == Seen.SLOWED:
            time += rng.randrange(20 * MINUTE, HOUR)
        elif seen.served:
            count -= 1
            who.account.credits -= act.dollars
    return _Day.WELL


def _askings(who: Customer, works: Sitting, rng: Random) -> list[Asking]:
    """What is asked in one sitting: for one thing, or several."""
    uses = rng.sample(who.uses, min(_MIXED, len(who.uses))) if who.mixes else (rng.choice(who.uses),)
    return [works.asking(use) for use in uses]


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
