"""Honest people who use it for themselves, as they are drawn: at home, on the telephone, in a class, on the way."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import CHAT, CODE
from fairgate.simulate.honest.crowd import TOOLS, Crowd, by_tool, tier_of
from fairgate.simulate.honest.life import Customer
from fairgate.simulate.identities import name_of
from fairgate.simulate.models import BASE, LARGE
from fairgate.simulate.places import COUNTRIES, HOSTING, Country, Seat, household, server, server_address, telephone

#: Students on one campus, and in one class; customers who live where one telephone operator's do; people in one hall.
_CAMPUS, _CLASS, _TOWN, _HALL = 300, 15, 40, 25


def hobbyists(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People who try things out at home."""
    return [_alone(crowd, time, household) for time in created]


def mobiles(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People on the telephone, who share six addresses with all customers of their operator."""
    found: list[Customer] = []
    for country, times in crowd.groups(created, _TOWN):
        for time in times:
            each = crowd.customer(country, telephone(crowd.rng, country), time, tier_of(crowd, time))
            each.works, each.uses = (each.desk,), (replace(each.uses[0], talk=CHAT),)
            found.append(each)
    return found


def vpn_users(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People whose requests leave by another rented server at every sitting."""
    found = [_alone(crowd, time, household) for time in created]
    for each in found:
        exits = [server(crowd.rng, server_address(crowd.rng), asn) for asn in HOSTING for _ in range(2)]
        seats = [replace(each.desk.seat, ip=exit_.ip, asn=exit_.asn, country=exit_.country) for exit_ in exits]
        each.works = tuple(Sitting(each.account, seat) for seat in seats)
        each.desk = each.works[0]
    return found


def travellers(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People on the way: home, the telephone, hotels in two countries, with one laptop."""
    found = []
    for time in created:
        each = _alone(crowd, time, household)
        stops = [telephone(crowd.rng, each.country)]
        for there in crowd.rng.sample(COUNTRIES, 2):
            stops += [household(crowd.rng, there), telephone(crowd.rng, there)]
        mine = each.desk.seat
        seats = (mine, mine, *(replace(stop, device=mine.device, user_agent=mine.user_agent) for stop in stops))
        each.works = tuple(Sitting(each.account, seat) for seat in seats)
        found.append(each)
    return found


def students(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Classes behind the one address of their campus; those who come sign up in the same lesson."""
    found = []
    campuses = max(1, round(crowd.world.world.honest * crowd.segment.share / _CAMPUS))
    for number, time in enumerate(created):
        at = number // _CLASS % campuses
        country = COUNTRIES[at % len(COUNTRIES)]
        seat = replace(household(crowd.rng, country), ip=f"203.0.113.{5 + at % 70}", asn=str(64801 + at))
        first = created[number - number % _CLASS]
        lesson = first - first % DAY + (10 * HOUR - int(country.offset * HOUR)) % DAY + crowd.rng.randrange(12 * MINUTE)
        each = crowd.customer(country, seat, lesson if time >= crowd.world.begins else time, "free")
        each.email = f"s{crowd.rng.randrange(1_000_000, 9_999_999)}@uni{at}.example.edu"
        each.uses = (replace(each.uses[0], template=f"tpl_exercise{at}", model=BASE, client=None), each.uses[0])
        each.works = (each.desk,)
        found.append(each)
    return found


def families(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Up to three people who share a line, a tablet and a card."""
    found: list[Customer] = []
    for country, times in crowd.groups(created, 3):
        tablet, card = household(crowd.rng, country), Card(name_of(crowd.rng, "card"), country.code)
        for time in times:
            each = crowd.customer(country, tablet, time, tier_of(crowd, time))
            each.card, each.works = card, (each.desk,)
            found.append(each)
    return found


def hackathons(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Strangers in one hall who come on one morning, start from one kit, and use up what they are given."""
    found: list[Customer] = []
    for country, times in crowd.groups(created, _HALL):
        hall = household(crowd.rng, country)
        opens = times[0] - times[0] % DAY + (9 * HOUR - int(country.offset * HOUR)) % DAY
        for _ in times:
            seat = replace(household(crowd.rng, country), ip=hall.ip, asn=hall.asn)
            each = crowd.customer(country, seat, opens + crowd.rng.randrange(30 * MINUTE), "free")
            kit = Use("1", "tpl_kit", LARGE, CODE, client="kit")
            each.uses, each.works = (kit, replace(kit, template=name_of(crowd.rng, "tpl"))), (each.desk,)
            found.append(each)
    return found


def power_users(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People who ask all day by every program there is: at home, on the way and from a server, a key for each."""
    found, rng = [], crowd.rng
    for time in created:
        each = _alone(crowd, time, household)
        rented = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
        seats = (each.desk.seat, telephone(rng, each.country), household(rng, each.country, program=True), rented)
        each.works = tuple(Sitting(each.account, seat) for seat in seats)
        tools = tuple(replace(by_tool(rng, tool), key=tool) for tool in TOOLS)
        each.uses, each.mixes = (*tools, replace(each.uses[0], key="own", talk=CODE)), True
        each.pays = True
        found.append(each)
    return found


def _alone(crowd: Crowd, created: int, line: Callable[[Random, Country], Seat]) -> Customer:
    country = crowd.rng.choice(COUNTRIES)
    return crowd.customer(country, line(crowd.rng, country), created, tier_of(crowd, created))
