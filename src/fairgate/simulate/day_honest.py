"""The honest customers of a simulated day. Each function lets so many accounts of one kind live it, and returns them.

Several look like abuse on purpose: a campus signs up behind one address, a family shares a device, an agency holds many
cards, a traveller's bank refuses, a few newcomers use throwaway mail or burn their credits at once, one in two hundred
works behind a VPN with changing exits.
"""

from dataclasses import dataclass, replace
from random import Random

from fairgate.domain.windows import DAY, HOUR, MINUTE, SECOND
from fairgate.simulate.day_parts import (
    BASE,
    COUNTRIES,
    FRONTIER,
    HOSTING,
    LARGE,
    MODELS,
    TINY,
    Country,
    Customer,
    Diary,
    Seat,
    Use,
    chance,
    customer,
    household,
    long_ago,
    name_of,
    server,
    steps,
    telephone,
    waking,
)

_FIRST = ("mira", "jonas", "ana", "lin", "tomek", "ade", "priya", "kenji", "sofia", "liam", "noor", "eva", "raul")
_LAST = ("koch", "silva", "okafor", "zhao", "nowak", "sharma", "sato", "evans", "visser", "moreau", "costa", "berg")
_MAIL = ("gmail.com", "gmail.com", "gmail.com", "outlook.com", "icloud.com", "proton.me", "mail.example.net")
#: Prompts of programs that many people use, each the same for all of them.
_TOOLS = tuple(f"tpl_{name}" for name in ("editor", "notes", "shell", "chatbox", "translate"))
_CAMPUS = ("203.0.113.5", "64801")


def hobbyists(diary: Diary, rng: Random, count: int) -> list[str]:
    """People who try things out at home: a session or three, some from the telephone, some on their first day."""
    return [_newcomer(diary, rng) if chance(rng, 0.15) else _regular(diary, rng) for _ in range(count)]


def _newcomer(diary: Diary, rng: Random) -> str:
    country = rng.choice(COUNTRIES)
    seat = _line(rng, country)
    who = customer(rng, "free", waking(rng, diary.start, country.offset))
    ready = diary.sign_up(who, seat, _address(rng, "yopmail.com" if chance(rng, 0.04) else rng.choice(_MAIL)))
    use, worker = _use_of(rng), _worker(rng, seat)
    _session(diary, rng, ready, _Sitting(who, (worker,), use))
    if chance(rng, 0.08):
        eager = replace(use, model=FRONTIER, asked=3_000, answered=1_500)
        for time in steps(rng, ready, 40, 45.0):
            diary.ask(who, worker, time, eager)
    return who.account


def _regular(diary: Diary, rng: Random) -> str:
    country = rng.choice(COUNTRIES)
    seat = _line(rng, country)
    who = customer(rng, "free" if chance(rng, 0.4) else "payg", long_ago(rng, diary.start))
    seats = _exits(rng, seat) if chance(rng, 0.005) else (_worker(rng, seat),)
    sitting = _Sitting(who, seats, _use_of(rng))
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        begin = waking(rng, diary.start, country.offset)
        diary.log_in(who, seat, begin)
        _session(diary, rng, begin, sitting)
    if who.tier == "payg" and chance(rng, 0.12):
        diary.pay(who, seat, begin + rng.randrange(HOUR), name_of(rng, "card"), accepted=not chance(rng, 0.06))
    return who.account


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
            diary.ask(who, seat, time, _use_of(rng))
        accounts.append(who.account)
    return accounts


def start_ups(diary: Diary, rng: Random, count: int) -> list[str]:
    """Young companies: a product that calls day and night, a test bench, a developer. A third use cloud functions."""
    return [start_up(diary, rng, calls=100).account for _ in range(count)]


def start_up(diary: Diary, rng: Random, *, calls: int) -> Customer:
    """One such company, whose product calls so often in the day."""
    country, asn = rng.choice(COUNTRIES), rng.choice(tuple(HOSTING))
    who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
    home, functions = server(rng, _server_address(rng), asn), chance(rng, 1 / 3)
    product = Use("prod", name_of(rng, "tpl"), rng.choice((TINY, BASE, LARGE)), asked=1_200, tools="tools_product")
    for _ in range(calls):
        time = diary.start + rng.randrange(DAY) if chance(rng, 0.4) else waking(rng, diary.start, country.offset)
        diary.ask(who, replace(home, ip=_server_address(rng)) if functions else home, time, product)
    bench = replace(product, key="test", model=rng.choice(MODELS[:4]))
    for time in steps(rng, waking(rng, diary.start, country.offset), calls // 10, 30.0):
        diary.ask(who, home, time, bench)
    desk, begin = household(rng, country), waking(rng, diary.start, country.offset)
    diary.log_in(who, desk, begin)
    developer = replace(desk, user_agent=home.user_agent, bot_score=0.8)
    for time in steps(rng, begin, calls // 5, 240.0):
        diary.ask(who, developer, time, replace(_use_of(rng), key="dev"))
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
        accounts.append(who.account)
    return accounts


def night_jobs(diary: Diary, rng: Random, count: int) -> list[str]:
    """Programs that work through a backlog for three hours at night and are silent by day."""
    accounts = []
    for _ in range(count):
        country = rng.choice(COUNTRIES)
        who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
        seat = server(rng, _server_address(rng), rng.choice(tuple(HOSTING)))
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
        use, at = _use_of(rng), diary.start + rng.randrange(8 * HOUR)
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


def families(diary: Diary, rng: Random, count: int) -> list[str]:
    """Up to three people who share a line and a tablet; one of them signs up today."""
    accounts: list[str] = []
    while len(accounts) < count:
        country = rng.choice(COUNTRIES)
        tablet = household(rng, country)
        for member in range(min(3, count - len(accounts))):
            begin = waking(rng, diary.start, country.offset)
            who = customer(rng, "free", long_ago(rng, diary.start) if member else begin)
            if member:
                diary.log_in(who, tablet, begin)
            else:
                begin = diary.sign_up(who, tablet, _address(rng, rng.choice(_MAIL)))
            for time in steps(rng, begin, 5 + rng.randrange(15), 80.0):
                diary.ask(who, tablet, time, _use_of(rng))
            accounts.append(who.account)
    return accounts


def agencies(diary: Diary, rng: Random, count: int) -> list[str]:
    """Offices that run up to eight customers' accounts each from one device, adding the customers' cards."""
    accounts: list[str] = []
    while len(accounts) < count:
        country = rng.choice(COUNTRIES)
        desk, opens = household(rng, country), diary.start + int((9 - country.offset) % 24 * HOUR)
        for number in range(min(8, count - len(accounts))):
            who = customer(rng, "payg", long_ago(rng, diary.start), org=True)
            at = opens + number * 20 * MINUTE + rng.randrange(10 * MINUTE)
            diary.log_in(who, desk, at)
            diary.add_card(who, desk, at + 90 * SECOND, name_of(rng, "card"), accepted=not chance(rng, 0.08))
            use = replace(_use_of(rng), template="tpl_agency")
            for time in steps(rng, at, 8 + rng.randrange(24), 60.0):
                diary.ask(who, desk, time, use)
            accounts.append(who.account)
    return accounts


@dataclass(frozen=True, slots=True)
class _Sitting:
    """Somebody at work, from one place or several in turn."""

    who: Customer
    seats: tuple[Seat, ...]
    use: Use


def _session(diary: Diary, rng: Random, begin: int, sitting: _Sitting) -> None:
    for time in steps(rng, begin, 3 + int(rng.expovariate(1 / 15)), 50.0):
        diary.ask(sitting.who, rng.choice(sitting.seats), time, sitting.use)


def _line(rng: Random, country: Country) -> Seat:
    return household(rng, country) if chance(rng, 0.8) else telephone(rng, country)


def _worker(rng: Random, seat: Seat) -> Seat:
    """Where the requests come from: the browser, a program beside it, or a rented server."""
    rented = server(rng, _server_address(rng), rng.choice(tuple(HOSTING)))
    beside = replace(seat, user_agent=rented.user_agent, bot_score=0.8)
    return rng.choices((seat, beside, rented), (5, 4, 1))[0]


def _exits(rng: Random, seat: Seat) -> tuple[Seat, ...]:
    """Behind a VPN that leaves by another rented server at every turn: honest, and hard to tell from a shared key."""
    rented = [server(rng, _server_address(rng), asn) for asn in HOSTING for _ in range(2)]
    return tuple(replace(seat, ip=each.ip, asn=each.asn, country=each.country) for each in rented)


def _use_of(rng: Random) -> Use:
    """A program of one's own, or one that many use."""
    template = rng.choice(_TOOLS) if chance(rng, 0.4) else name_of(rng, "tpl")
    return Use("1", template, rng.choices((TINY, BASE, LARGE, FRONTIER), (3, 4, 3, 1))[0])


def _address(rng: Random, domain: str) -> str:
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    number = rng.choice(("", f"{rng.randrange(10, 99)}", f"{rng.randrange(1970, 2010)}"))
    return f"{rng.choice((f'{first}.{last}', f'{first[0]}{last}', f'{last}{first}', first))}{number}@{domain}"


def _server_address(rng: Random) -> str:
    return f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}"
