"""Honest customers of a simulated day who live by themselves; those who share something are in `day_groups`.

Each function lets so many accounts of one kind live the day, and returns them. Several look like abuse on purpose: a
traveller's bank refuses, a few newcomers use throwaway mail or burn their credits at once, some forget their password,
one in two hundred works behind a VPN with changing exits, a power user has six programs on one key.
"""

from dataclasses import dataclass, replace
from random import Random

from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.simulate.day_parts import (
    MAIL,
    Customer,
    Diary,
    Use,
    customer,
    long_ago,
    mailbox,
    steps,
    use_of,
)
from fairgate.simulate.day_world import (
    BASE,
    COUNTRIES,
    FRONTIER,
    HOSTING,
    LARGE,
    MODELS,
    TINY,
    Country,
    Seat,
    chance,
    household,
    name_of,
    server,
    server_address,
    telephone,
    telephone_number,
    waking,
)


def hobbyists(diary: Diary, rng: Random, count: int) -> list[str]:
    """People who try things out at home: a session or three, some from the telephone, some on their first day."""
    return [_newcomer(diary, rng) if chance(rng, 0.15) else _regular(diary, rng) for _ in range(count)]


def _newcomer(diary: Diary, rng: Random) -> str:
    country = rng.choice(COUNTRIES)
    seat = _line(rng, country)
    who = customer(rng, "free", waking(rng, diary.start, country.offset))
    address = mailbox(rng, "yopmail.com" if chance(rng, 0.04) else rng.choice(MAIL))
    ready = diary.sign_up(who, seat, address, phone=telephone_number(rng) if chance(rng, 0.5) else None)
    if chance(rng, 0.12):
        diary.claim_referral(who, seat, ready, by=customer(rng, "payg", long_ago(rng, diary.start)))
    use, worker = use_of(rng), _worker(rng, seat)
    spent = _session(diary, rng, ready, _Sitting(who, (worker,), use))
    if chance(rng, 0.08):
        eager = replace(use, model=FRONTIER, asked=3_000, answered=1_500)
        spent += sum(diary.ask(who, worker, time, eager) for time in steps(rng, ready, 40, 45.0))
    diary.settle(who, ready + 2 * HOUR, spent)
    return who.account


def _regular(diary: Diary, rng: Random) -> str:
    country = rng.choice(COUNTRIES)
    seat = _line(rng, country)
    who = customer(rng, "free" if chance(rng, 0.4) else "payg", long_ago(rng, diary.start))
    seats = _exits(rng, seat) if chance(rng, 0.005) else (_worker(rng, seat),)
    sitting = _Sitting(who, seats, use_of(rng))
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        begin = waking(rng, diary.start, country.offset)
        if chance(rng, 0.03):
            begin = diary.forget_password(who, seat, begin, 1 + rng.randrange(6))
        diary.log_in(who, seat, begin)
        _session(diary, rng, begin, sitting)
    if who.tier == "payg" and chance(rng, 0.12):
        diary.pay(who, seat, begin + rng.randrange(HOUR), name_of(rng, "card"), accepted=not chance(rng, 0.06))
    return who.account


def power_users(diary: Diary, rng: Random, count: int) -> list[str]:
    """People who live with it: one key in six programs, on a laptop, a telephone and a server of their own."""
    accounts = []
    for _ in range(count):
        country = rng.choice(COUNTRIES)
        who = customer(rng, "payg", long_ago(rng, diary.start))
        desk, pocket = household(rng, country), telephone(rng, country)
        rented = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
        for name in ("editor", "notes", "shell", "notebook", "translate", "script"):
            seat = rng.choice((desk, desk, pocket, rented))
            use = Use("1", f"tpl_{name}", rng.choice((LARGE, FRONTIER)), asked=3_000, answered=900, client=name)
            for time in steps(rng, waking(rng, diary.start, country.offset), 30, 90.0):
                diary.ask(who, seat, time, use)
        diary.log_in(who, desk, waking(rng, diary.start, country.offset))
        diary.change_key(who, desk, waking(rng, diary.start, country.offset), "2")
        accounts.append(who.account)
    return accounts


def start_ups(diary: Diary, rng: Random, count: int) -> list[str]:
    """Young companies: a product that calls day and night, a test bench, a developer. A third use cloud functions."""
    return [start_up(diary, rng, calls=100).account for _ in range(count)]


def start_up(diary: Diary, rng: Random, *, calls: int) -> Customer:
    """One such company, whose product calls so often in the day."""
    country, asn = rng.choice(COUNTRIES), rng.choice(tuple(HOSTING))
    who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
    home, functions = server(rng, server_address(rng), asn), chance(rng, 1 / 3)
    product = Use("prod", name_of(rng, "tpl"), rng.choice((TINY, BASE, LARGE)), asked=1_200, tools="tools_product")
    users = [name_of(rng, "user") for _ in range(calls // 5)]
    for _ in range(calls):
        time = diary.start + rng.randrange(DAY) if chance(rng, 0.4) else waking(rng, diary.start, country.offset)
        seat = replace(home, ip=server_address(rng)) if functions else home
        diary.ask(who, seat, time, replace(product, end_user=rng.choice(users)))
    bench = replace(product, key="test", model=rng.choice(MODELS[:4]))
    for time in steps(rng, waking(rng, diary.start, country.offset), calls // 10, 30.0):
        diary.ask(who, home, time, bench)
    desk, begin = household(rng, country), waking(rng, diary.start, country.offset)
    diary.log_in(who, desk, begin)
    developer = replace(desk, user_agent=home.user_agent, bot_score=0.8)
    for time in steps(rng, begin, calls // 5, 240.0):
        diary.ask(who, developer, time, replace(use_of(rng), key="dev"))
    if chance(rng, 0.3):
        diary.change_key(who, desk, begin + MINUTE, "dev")
        diary.invite(who, desk, begin + HOUR, 1 + rng.randrange(4))
    return who


def enterprises(diary: Diary, rng: Random, count: int) -> list[str]:
    """Large customers: a dozen keys, one for each product, all leaving by one address, most of it in office hours."""
    accounts = []
    for number in range(count):
        country = COUNTRIES[number % len(COUNTRIES)]
        who = customer(rng, "enterprise", long_ago(rng, diary.start), org=True)
        rented = server(rng, f"192.0.2.{10 + number % 50}", "64496")
        egress = replace(rented, asn=str(64810 + number), country=country.code)
        for key in range(12):
            use = Use(str(key), name_of(rng, "tpl"), rng.choice(MODELS[:6]), asked=2_500, tools="tools_desk")
            for _ in range(85):
                diary.ask(who, egress, waking(rng, diary.start, country.offset), use)
        desk = replace(household(rng, country), ip=egress.ip, asn=egress.asn)
        diary.invite(who, desk, waking(rng, diary.start, country.offset), 6)
        accounts.append(who.account)
    return accounts


def night_jobs(diary: Diary, rng: Random, count: int) -> list[str]:
    """Programs that work through a backlog for three hours at night and are silent by day."""
    accounts = []
    for _ in range(count):
        country = rng.choice(COUNTRIES)
        who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
        seat = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
        night = diary.start + int((25 - country.offset) % 24 * HOUR) + rng.randrange(HOUR)
        use = Use("batch", name_of(rng, "tpl"), rng.choice((BASE, LARGE)), asked=9_000, answered=800)
        for time in steps(rng, night, 110, 95.0):
            diary.ask(who, seat, time, use)
        accounts.append(who.account)
    return accounts


def travellers(diary: Diary, rng: Random, count: int) -> list[str]:
    """People on the way abroad: home, the telephone, a hotel. There the bank refuses the card of every second one."""
    accounts = []
    for _ in range(count):
        here, there = rng.sample(COUNTRIES, 2)
        who = customer(rng, "payg", long_ago(rng, diary.start))
        home, hotel = household(rng, here), household(rng, there)
        use, at = use_of(rng), diary.start + rng.randrange(8 * HOUR)
        for stop in (home, telephone(rng, here), telephone(rng, there), hotel):
            seat = replace(stop, device=home.device, user_agent=home.user_agent)
            diary.log_in(who, seat, at)
            for time in steps(rng, at, 6 + rng.randrange(8), 120.0):
                diary.ask(who, seat, time, use)
            at += 2 * HOUR + rng.randrange(HOUR)
        if chance(rng, 0.5):
            first, second = name_of(rng, "card"), name_of(rng, "card")
            for time in steps(rng, at, 3, 60.0):
                diary.pay(who, hotel, time, first, accepted=False)
            diary.pay(who, hotel, at + 10 * MINUTE, second)
        accounts.append(who.account)
    return accounts


@dataclass(frozen=True, slots=True)
class _Sitting:
    """Somebody at work, from one place or several in turn."""

    who: Customer
    seats: tuple[Seat, ...]
    use: Use


def _session(diary: Diary, rng: Random, begin: int, sitting: _Sitting) -> float:
    """What it costs."""
    times = steps(rng, begin, 3 + int(rng.expovariate(1 / 15)), 50.0)
    return sum(diary.ask(sitting.who, rng.choice(sitting.seats), time, sitting.use) for time in times)


def _line(rng: Random, country: Country) -> Seat:
    return household(rng, country) if chance(rng, 0.8) else telephone(rng, country)


def _worker(rng: Random, seat: Seat) -> Seat:
    """Where the requests come from: the browser, a program beside it, or a rented server."""
    rented = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
    beside = replace(seat, user_agent=rented.user_agent, bot_score=0.8)
    return rng.choices((seat, beside, rented), (5, 4, 1))[0]


def _exits(rng: Random, seat: Seat) -> tuple[Seat, ...]:
    """Behind a VPN that leaves by another rented server at every turn: honest, and hard to tell from a shared key."""
    rented = [server(rng, server_address(rng), asn) for asn in HOSTING for _ in range(2)]
    return tuple(replace(seat, ip=each.ip, asn=each.asn, country=each.country) for each in rented)
