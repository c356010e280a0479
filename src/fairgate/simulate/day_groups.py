"""Honest customers of a simulated day who share something: an address, a device, a prompt or a purse.

As in `day_honest`, each function lets so many accounts of one kind live the day, and returns them. All of them look
like a farm of accounts on purpose.
"""

from dataclasses import replace
from random import Random

from fairgate.domain.windows import HOUR, MINUTE, SECOND
from fairgate.simulate.day_parts import MAIL, Diary, Use, customer, long_ago, mailbox, steps, use_of
from fairgate.simulate.day_world import (
    BASE,
    COUNTRIES,
    LARGE,
    chance,
    household,
    name_of,
    telephone_number,
    waking,
)

_CAMPUS = ("203.0.113.5", "64801")
_HALL = ("203.0.113.77", "64802")


def campus(diary: Diary, rng: Random, count: int) -> list[str]:
    """Students behind one address. Half of them sign up in class, within minutes, and do one exercise together."""
    country = COUNTRIES[3]
    lesson = diary.start + 10 * HOUR - int(country.offset * HOUR)
    exercise = Use("1", "tpl_exercise", BASE, asked=400)
    accounts = []
    for number in range(count):
        seat = replace(household(rng, country), ip=_CAMPUS[0], asn=_CAMPUS[1])
        arrives = lesson + rng.randrange(8 * MINUTE)
        if number % 2:
            who = customer(rng, "free", long_ago(rng, diary.start))
            diary.log_in(who, seat, arrives)
        else:
            who = customer(rng, "free", arrives)
            domain = "yopmail.com" if chance(rng, 0.03) else "uni.example.edu"
            diary.sign_up(who, seat, f"s{rng.randrange(1_000_000, 9_999_999)}@{domain}")
        for time in steps(rng, lesson + 10 * MINUTE, 4 + rng.randrange(9), 240.0):
            diary.ask(who, seat, time, exercise)
        for time in steps(rng, waking(rng, lesson, country.offset), rng.randrange(24), 90.0):
            diary.ask(who, seat, time, use_of(rng))
        accounts.append(who.account)
    return accounts


def hackathon(diary: Diary, rng: Random, count: int) -> list[str]:
    """Strangers in one hall: each signs up, invited by the one before, starts from one kit, and spends a lot."""
    country = COUNTRIES[0]
    opens = diary.start + int((9 - country.offset) % 24 * HOUR)
    kit = Use("1", "tpl_kit", LARGE, asked=900, client="kit")
    accounts, host = [], customer(rng, "payg", long_ago(rng, diary.start))
    for _ in range(count):
        seat = replace(household(rng, country), ip=_HALL[0], asn=_HALL[1])
        who = customer(rng, "free", max(host.created, opens) + rng.randrange(MINUTE, 4 * MINUTE))
        ready = diary.sign_up(who, seat, mailbox(rng, rng.choice(MAIL)))
        diary.claim_referral(who, seat, ready, by=host)
        spent = sum(diary.ask(who, seat, time, kit) for time in steps(rng, ready, 3 + rng.randrange(5), 60.0))
        own = replace(kit, template=name_of(rng, "tpl"), asked=2_000)
        spent += sum(diary.ask(who, seat, time, own) for time in steps(rng, ready + HOUR, 40, 240.0))
        diary.settle(who, ready + 5 * HOUR, spent)
        accounts.append(who.account)
        host = who
    return accounts


def families(diary: Diary, rng: Random, count: int) -> list[str]:
    """Up to three people who share a line and a tablet; one of them signs up today, invited by another one."""
    accounts: list[str] = []
    while len(accounts) < count:
        country = rng.choice(COUNTRIES)
        tablet = household(rng, country)
        parent = customer(rng, "free", long_ago(rng, diary.start))
        for member in range(min(3, count - len(accounts))):
            begin = waking(rng, diary.start, country.offset)
            if member:
                who = parent if member == 1 else customer(rng, "free", long_ago(rng, diary.start))
                diary.log_in(who, tablet, begin)
            else:
                who = customer(rng, "free", begin)
                begin = diary.sign_up(who, tablet, mailbox(rng, rng.choice(MAIL)), phone=telephone_number(rng))
                diary.claim_referral(who, tablet, begin, by=parent)
            for time in steps(rng, begin, 5 + rng.randrange(15), 80.0):
                diary.ask(who, tablet, time, use_of(rng))
            accounts.append(who.account)
    return accounts


def agencies(diary: Diary, rng: Random, count: int) -> list[str]:
    """Offices that run up to eight customers' accounts each from one device, adding the customers' cards and staff."""
    accounts: list[str] = []
    while len(accounts) < count:
        country = rng.choice(COUNTRIES)
        desk, opens = household(rng, country), diary.start + int((9 - country.offset) % 24 * HOUR)
        for number in range(min(8, count - len(accounts))):
            who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
            at = opens + number * 20 * MINUTE + rng.randrange(10 * MINUTE)
            diary.log_in(who, desk, at)
            diary.add_card(who, desk, at + 90 * SECOND, name_of(rng, "card"), accepted=not chance(rng, 0.08))
            if chance(rng, 0.3):
                diary.invite(who, desk, at + 5 * MINUTE, 1 + rng.randrange(3))
            use = replace(use_of(rng), template="tpl_agency")
            for time in steps(rng, at, 8 + rng.randrange(24), 60.0):
                diary.ask(who, desk, time, use)
            accounts.append(who.account)
    return accounts
