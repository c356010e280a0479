"""The two attacks of a simulated day, as nobody stops them: what they do does not depend on what is decided."""

import string
from dataclasses import replace
from random import Random

from fairgate.domain.windows import HOUR, MINUTE
from fairgate.simulate.day_honest import start_up
from fairgate.simulate.day_parts import Customer, Diary, Use, customer, steps
from fairgate.simulate.day_world import (
    BASE,
    COUNTRIES,
    FRONTIER,
    MODELS,
    PROGRAMS,
    Seat,
    chance,
    household,
    name_of,
    server,
    telephone,
    telephone_number,
)

#: Hours after the day's start. Early, so that somebody who watches the day sees both soon.
FARM_BEGINS = 2.0
KEY_IS_STOLEN = 5.5

#: What the farm spends of each account's five dollars before it turns to the next.
_WORTH_TAKING = 4.6
_THROWAWAY = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")


def credit_farm(diary: Diary, rng: Random, count: int) -> list[str]:
    """Accounts made in forty minutes on one rented /24, most with throwaway mail, each drained by the same prompt.

    A rented telephone number serves for up to eight of them.
    """
    begin = diary.start + int(FARM_BEGINS * HOUR)
    devices = [name_of(rng, "dev") for _ in range(max(1, count // 8))]
    numbers = [telephone_number(rng) for _ in devices]
    addresses = rng.sample(range(2, 250), 12)
    use = Use("1", name_of(rng, "tpl"), FRONTIER, asked=4_000, answered=1_800, abuse=True)
    accounts = []
    for _ in range(count):
        who = customer(rng, "free", begin + rng.randrange(40 * MINUTE))
        rented = server(rng, f"198.19.7.{rng.choice(addresses)}", "64498")
        program = replace(rented, user_agent=PROGRAMS[1])
        browser = replace(household(rng, COUNTRIES[4]), ip=rented.ip, asn=rented.asn, device=rng.choice(devices))
        ready = diary.sign_up(who, browser, _mailbox(rng), phone=rng.choice(numbers), abuse=True)
        left = _WORTH_TAKING
        for time in steps(rng, ready + rng.randrange(MINUTE, 15 * MINUTE), 60, 45.0):
            if left <= 0:
                break
            left -= diary.ask(who, program, time, use)
        diary.settle(who, ready + 2 * HOUR, _WORTH_TAKING - left, abuse=True)
        accounts.append(who.account)
    return accounts


def stolen_key(diary: Diary, rng: Random, count: int) -> list[str]:
    """Start-ups whose product's key leaked: somebody tries what it opens, then many use it from many networks."""
    accounts = []
    for _ in range(count):
        victim = start_up(diary, rng, calls=400)
        found = diary.start + int(KEY_IS_STOLEN * HOUR) + rng.randrange(10 * MINUTE)
        _try_models(diary, rng, victim, found)
        for _ in range(14):
            seat, begin = _stranger(rng), found + rng.randrange(15 * MINUTE, 45 * MINUTE)
            model = rng.choice((FRONTIER, FRONTIER, BASE))
            use = Use(
                "prod", name_of(rng, "tpl"), model, asked=20_000, answered=2_000, client=name_of(rng, "app"), abuse=True
            )
            for time in steps(rng, begin, 45, 240.0):
                diary.ask(victim, seat, time, use)
        accounts.append(victim.account)
    return accounts


def _try_models(diary: Diary, rng: Random, victim: Customer, found: int) -> None:
    finder = household(rng, rng.choice(COUNTRIES), program=True)
    for number, time in enumerate(steps(rng, found, 2 * len(MODELS), 6.0)):
        use = Use("prod", "tpl_hello", MODELS[number % len(MODELS)], asked=12, answered=8, abuse=True)
        diary.ask(victim, finder, time, use, status=rng.choice((200, 200, 200, 403)))


def _stranger(rng: Random) -> Seat:
    country = rng.choice(COUNTRIES)
    return household(rng, country, program=True) if chance(rng, 0.7) else telephone(rng, country)


def _mailbox(rng: Random) -> str:
    """Five letters and four digits, as a generator makes them."""
    name = "".join(rng.choices(string.ascii_lowercase, k=5))
    domain = rng.choice(_THROWAWAY) if chance(rng, 0.75) else "gmail.com"
    return f"{name}{rng.randrange(1_000, 10_000)}@{domain}"
