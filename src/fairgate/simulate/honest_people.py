"""Who lives honestly in a world: for each segment of its file so many customers, there already or to come.

Several look like abuse on purpose: a class behind one address, an agency with many accounts on one device, agents that
work all night, a VPN whose exits change, a telephone network whose customers share six addresses.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.simulate.acts import Account, Life
from fairgate.simulate.day_parts import MAIL, mailbox
from fairgate.simulate.day_world import (
    BASE,
    COUNTRIES,
    FRONTIER,
    HOSTING,
    LARGE,
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
)
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import BURSTS, CHAT, CODE, CONVERSATION, busier
from fairgate.simulate.honest_life import Customer, Hours, going_on, joining
from fairgate.simulate.play import Birth
from fairgate.simulate.world_file import Loaded, Segment

_WEEK: Final = 7 * DAY
#: Programs that many people use, each with one prompt for all of them.
_TOOLS: Final = ("editor", "notes", "shell", "chatbox", "translate")
#: The share of people who ask by such a program, who buy credits, whose mailbox is one to throw away.
_USES_TOOL, _PAYS, _THROWAWAY = 0.4, 0.3, 0.02
#: The share of accounts of before the world that live on what they were given.
_STILL_FREE: Final = 0.25
_CAMPUSES: Final = 3
#: How much busier than the middle one of their kind anybody is.
_BUSIEST: Final = 8.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """Those of one segment: how they are drawn, and what the world's file says of them."""

    kind: str
    segment: Segment
    world: Loaded
    rng: Random

    def customer(self, country: Country, seat: Seat, created: int, tier: str, *, org: bool = False) -> Customer:
        """A customer of the segment at a place. What differs from one to another is drawn."""
        rng, name = self.rng, name_of(self.rng, "acct")
        organisation = name_of(rng, "org") if org else None
        account = Account(name, tier, created, name, self.kind, honest=True, hands="person", org=organisation)
        desk = Sitting(account, seat)
        domain = "yopmail.com" if chance(rng, _THROWAWAY) else rng.choice(MAIL)
        return Customer(
            account=account,
            desk=desk,
            works=(Sitting(account, _works(rng, seat)),),
            uses=(use_of(rng),),
            country=country,
            card=Card(name_of(rng, "card"), country.code),
            daily=self.segment.daily.draw(rng) * min(busier(rng), _BUSIEST),
            days=self.segment.days,
            burst=rng.uniform(*BURSTS),
            pays=chance(rng, _PAYS),
            email=mailbox(rng, domain),
            phone=telephone_number(rng) if chance(rng, 0.5) else None,
        )


#: Draws so many customers, whose accounts are made at these times.
Draw = Callable[[Crowd, list[int]], list[Customer]]


def hobbyists(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People who try things out at home."""
    return [_alone(crowd, time, household) for time in created]


def mobiles(crowd: Crowd, created: list[int]) -> list[Customer]:
    """People on the telephone, who share six addresses with all customers of their operator."""
    found = [_alone(crowd, time, telephone) for time in created]
    for each in found:
        each.works, each.uses = (each.desk,), (replace(each.uses[0], talk=CHAT),)
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
    campuses = [crowd.rng.choice(COUNTRIES) for _ in range(_CAMPUSES)]
    for number, time in enumerate(created):
        at = number % _CAMPUSES
        country = campuses[at]
        seat = replace(household(crowd.rng, country), ip=f"203.0.113.{5 + at}", asn=str(64801 + at))
        lesson = time - time % DAY + (10 * HOUR - int(country.offset * HOUR)) % DAY
        joins = time >= crowd.world.begins
        each = crowd.customer(country, seat, lesson + crowd.rng.randrange(12 * MINUTE) if joins else time, "free")
        each.email = f"s{crowd.rng.randrange(1_000_000, 9_999_999)}@uni{at}.example.edu"
        each.uses = (replace(each.uses[0], template=f"tpl_exercise{at}", model=BASE), each.uses[0])
        each.works = (each.desk,)
        found.append(each)
    return found


def families(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Up to three people who share a line, a tablet and a card."""
    found: list[Customer] = []
    for start in range(0, len(created), 3):
        country = crowd.rng.choice(COUNTRIES)
        tablet, card = household(crowd.rng, country), Card(name_of(crowd.rng, "card"), country.code)
        for time in created[start : start + 3]:
            each = crowd.customer(country, tablet, time, _tier(crowd))
            each.card, each.works = card, (each.desk,)
            found.append(each)
    return found


def agencies(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Offices that run up to eight customers' accounts each from one device, in office hours, with one prompt."""
    found: list[Customer] = []
    for start in range(0, len(created), 8):
        country = crowd.rng.choice(COUNTRIES)
        desk, template = household(crowd.rng, country), name_of(crowd.rng, "tpl")
        for time in created[start : start + 8]:
            each = crowd.customer(country, desk, time, "payg", org=True)
            each.works, each.hours, each.weekend = (each.desk,), Hours.OFFICE, 0.1
            each.uses = (replace(each.uses[0], template=template),)
            found.append(each)
    return found


def start_ups(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Young companies: a product that asks day and night from a rented server, for many users of its own."""
    return [_company(crowd, time, "payg", users=20) for time in created]


def enterprises(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Large customers: hundreds of keys, one for each product, all leaving by one address, mostly in office hours."""
    found = []
    for number, time in enumerate(created):
        each = _company(crowd, time, "enterprise", users=0)
        seat = replace(each.works[0].seat, ip=f"192.0.2.{10 + number % 200}", asn=str(64810 + number % 80))
        each.works = (Sitting(each.account, seat),)
        each.desk = Sitting(each.account, replace(each.desk.seat, ip=seat.ip, asn=seat.asn))
        each.uses = tuple(
            replace(use_of(crowd.rng), key=str(key), longer=1.5, tools="tools_desk") for key in range(200)
        )
        each.hours, each.weekend = Hours.OFFICE, 0.3
        found.append(each)
    return found


def agents(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Programs that work through a backlog at night, and are silent by day."""
    found = []
    for time in created:
        each = _company(crowd, time, "payg", users=0)
        each.hours, each.weekend = Hours.NIGHT, 1.0
        each.uses = (replace(each.uses[0], key="batch", talk=CODE, longer=2.0),)
        found.append(each)
    return found


def hackathons(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Strangers in one hall who come on one morning, start from one kit, and use up what they are given."""
    found: list[Customer] = []
    for start in range(0, len(created), 25):
        country, hall = crowd.rng.choice(COUNTRIES), f"203.0.113.{77 + start // 25 % 100}"
        opens = created[start] - created[start] % DAY + (9 * HOUR - int(country.offset * HOUR)) % DAY
        for _ in created[start : start + 25]:
            seat = replace(household(crowd.rng, country), ip=hall, asn="64802")
            each = crowd.customer(country, seat, opens + crowd.rng.randrange(30 * MINUTE), "free")
            kit = Use("1", "tpl_kit", LARGE, CODE, client="kit")
            each.uses, each.works, each.days = (
                (kit, replace(kit, template=name_of(crowd.rng, "tpl"))),
                (each.desk,),
                0.2,
            )
            found.append(each)
    return found


SEGMENTS: Final[Mapping[str, Draw]] = {
    "hobbyist": hobbyists, "mobile": mobiles, "vpn": vpn_users, "traveller": travellers, "student": students,
    "family": families, "agency": agencies, "start_up": start_ups, "enterprise": enterprises, "agent": agents,
    "hackathon": hackathons,
}  # fmt: skip


def births(world: Loaded, days: int, seed: int) -> list[Birth]:
    """Everybody honest who lives in a world for so many days: who is there when it begins, and who comes later.

    In order of time. The same arguments give the same lives, whatever else is in the world.
    """
    found: list[Birth] = []
    for kind, segment in world.world.segment.items():
        rng = Random(f"{seed} {kind}")
        there = round(world.world.honest * segment.share)
        come = round(there * world.world.growth * days * DAY / _WEEK)
        aged = [world.begins - rng.randrange(7 * DAY, 1_000 * DAY) for _ in range(there)]
        new = sorted(world.begins + rng.randrange(max(1, days * DAY)) for _ in range(come))
        crowd = Crowd(kind, segment, world, rng)
        people = (*SEGMENTS[kind](crowd, aged), *SEGMENTS[kind](crowd, new))
        found += [_birth(each, Random(f"{seed} {each.account.name}"), world) for each in people]
    return sorted(found, key=lambda birth: birth[0])


def use_of(rng: Random) -> Use:
    """A program of one's own, or one that many use."""
    model = rng.choices((TINY, BASE, LARGE, FRONTIER), (3, 4, 3, 1))[0]
    talk = rng.choices((CONVERSATION, CHAT, CODE), (4, 4, 2))[0]
    if chance(rng, _USES_TOOL):
        tool = rng.choice(_TOOLS)
        return Use("1", f"tpl_{tool}", model, talk, client=tool)
    return Use("1", name_of(rng, "tpl"), model, talk)


def _birth(who: Customer, rng: Random, world: Loaded) -> Birth:
    trial = world.world.service.trial_dollars.draw(rng)
    if who.account.created >= world.begins:
        return who.account.created, lambda: joining(who, rng, trial)
    if who.account.tier == "free":
        who.account.credits = trial * rng.random()

    def life() -> Life:
        return going_on(who, rng, world.begins)

    return world.begins, life


def _alone(crowd: Crowd, created: int, line: Callable[[Random, Country], Seat]) -> Customer:
    country = crowd.rng.choice(COUNTRIES)
    return crowd.customer(
        country, line(crowd.rng, country), created, _tier(crowd) if created < crowd.world.begins else "free"
    )


def _company(crowd: Crowd, created: int, tier: str, *, users: int) -> Customer:
    rng = crowd.rng
    country = rng.choice(COUNTRIES)
    each = crowd.customer(country, household(rng, country), created, tier, org=True)
    each.works = (Sitting(each.account, server(rng, server_address(rng), rng.choice(tuple(HOSTING)))),)
    product = replace(each.uses[0], key="prod", template=name_of(rng, "tpl"), client=None, tools="tools_product")
    names = [name_of(rng, "user") for _ in range(users)]
    each.uses = tuple(replace(product, end_user=name) for name in names) or (product,)
    each.hours, each.weekend = Hours.ALWAYS, 1.0
    return each


def _tier(crowd: Crowd) -> str:
    return "free" if chance(crowd.rng, _STILL_FREE) else "payg"


def _works(rng: Random, seat: Seat) -> Seat:
    """Where the requests come from: the browser, a program beside it, or a rented server."""
    rented = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
    beside = replace(seat, user_agent=rented.user_agent, bot_score=0.8)
    return rng.choices((seat, beside, rented), (5, 4, 1))[0]
