"""Honest companies, as they are drawn: agencies, start-ups, large customers, and programs that work at night."""

from dataclasses import replace
from typing import Final

from fairgate.simulate.deeds import Sitting
from fairgate.simulate.draws import CODE
from fairgate.simulate.honest.crowd import Crowd, product_of
from fairgate.simulate.honest.life import Customer, Hours
from fairgate.simulate.identities import name_of
from fairgate.simulate.places import COUNTRIES, HOSTING, household, server, server_address

#: Keys of a large customer, and of a newcomer among them; a start-up's own users; parts of a product, each its prompt.
_KEYS, _FIRST_KEYS, _USERS, _PARTS = 200, 20, 20, 4
#: Accounts that an agency runs from one device.
_ACCOUNTS: Final = 8


def agencies(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Offices that run up to eight customers' accounts each from one device, in office hours, with one prompt."""
    found: list[Customer] = []
    for country, times in crowd.groups(created, _ACCOUNTS):
        desk, template = household(crowd.rng, country), name_of(crowd.rng, "tpl")
        for time in times:
            each = crowd.customer(country, desk, time, "payg", org=True)
            each.works, each.hours, each.weekend = (each.desk,), Hours.OFFICE, 0.1
            each.uses = (replace(each.uses[0], template=template, client=None),)
            found.append(each)
    return found


def start_ups(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Young companies: a product that asks day and night from a rented server, for many users of its own."""
    return [_company(crowd, time, "payg", users=_USERS) for time in created]


def enterprises(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Large customers: hundreds of keys, one for each product, all leaving by one address, mostly in office hours."""
    found, rng = [], crowd.rng
    for time in created:
        each = _company(crowd, time, "enterprise", users=0)
        egress = replace(each.desk.seat, asn=str(64810 + rng.randrange(80)))
        seat = replace(each.works[0].seat, ip=egress.ip, asn=egress.asn, country=egress.country)
        each.works, each.desk = (Sitting(each.account, seat),), Sitting(each.account, egress)
        keys = _KEYS if time < crowd.world.begins else _FIRST_KEYS
        each.uses = tuple(replace(product_of(rng, 3.0), key=str(key), tools="tools_desk") for key in range(keys))
        each.hours, each.weekend, each.mixes = Hours.OFFICE, 0.3, True
        found.append(each)
    return found


def agents(crowd: Crowd, created: list[int]) -> list[Customer]:
    """Programs that work through a backlog at night, and are silent by day."""
    found = []
    for time in created:
        each = _company(crowd, time, "payg", users=0)
        each.hours, each.weekend = Hours.NIGHT, 1.0
        each.uses = tuple(
            replace(product_of(crowd.rng, 4.0), key="batch", talk=CODE, tools="tools_agent") for _ in range(_PARTS)
        )
        found.append(each)
    return found


def _company(crowd: Crowd, created: int, tier: str, *, users: int) -> Customer:
    rng = crowd.rng
    country = rng.choice(COUNTRIES)
    each = crowd.customer(country, household(rng, country), created, tier, org=True)
    each.works = (Sitting(each.account, server(rng, server_address(rng), rng.choice(tuple(HOSTING)))),)
    parts = [replace(product_of(rng, 2.0), key="prod", tools="tools_product") for _ in range(_PARTS)]
    each.uses = tuple(replace(rng.choice(parts), end_user=name_of(rng, "user")) for _ in range(users))
    each.hours, each.weekend, each.mixes = Hours.ALWAYS, 1.0, True
    return each
