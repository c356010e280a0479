"""Who lives honestly in a world: for each segment of its file so many customers, there already or to come.

Several look like abuse on purpose: a class behind one address, an agency with many accounts on one device, agents that
work all night, a VPN whose exits change, a telephone network whose customers share six addresses, somebody who uses
every program there is from every place they have.
"""

from collections.abc import Iterable, Mapping
from random import Random
from typing import Final

from fairgate.domain.windows import DAY
from fairgate.simulate.draws import chance
from fairgate.simulate.honest.companies import agencies, agents, enterprises, start_ups
from fairgate.simulate.honest.crowd import Crowd, Draw
from fairgate.simulate.honest.days import Around, going_on, joining
from fairgate.simulate.honest.interest import Interest
from fairgate.simulate.honest.life import Customer
from fairgate.simulate.honest.private import (
    families,
    hackathons,
    hobbyists,
    mobiles,
    power_users,
    students,
    travellers,
    vpn_users,
)
from fairgate.simulate.honest.ties import tie
from fairgate.simulate.play import Birth
from fairgate.simulate.world_file import Loaded

_WEEK: Final = 7 * DAY

SEGMENTS: Final[Mapping[str, Draw]] = {
    "hobbyist": hobbyists, "mobile": mobiles, "vpn": vpn_users, "traveller": travellers, "student": students,
    "family": families, "agency": agencies, "start_up": start_ups, "enterprise": enterprises, "agent": agents,
    "hackathon": hackathons, "power": power_users,
}  # fmt: skip


def people(world: Loaded, days: int, seed: int) -> list[Customer]:
    """Everybody honest who lives in a world for so many days: who is there when it begins, and who comes later.

    The same arguments give the same people, whatever else is in the world.
    """
    found: list[Customer] = []
    for kind, segment in world.world.segment.items():
        rng = Random(f"{seed} {kind}")
        there = round(world.world.honest * segment.share)
        growth = world.world.growth if segment.growth is None else segment.growth
        come = round(there * growth * days * DAY / _WEEK)
        aged = [world.begins - rng.randrange(7 * DAY, 1_000 * DAY) for _ in range(there)]
        crowd = Crowd(kind, segment, world, rng)
        mine = [*SEGMENTS[kind](crowd, aged), *SEGMENTS[kind](crowd, _arrivals(come, world, days, rng))]
        tie(mine, world.world.habits, world.begins, rng)
        found += mine
    return found


def _arrivals(count: int, world: Loaded, days: int, rng: Random) -> list[int]:
    """When so many newcomers sign up, in order: more where there is more interest."""
    interest, found = Interest(world), list[int]()
    while len(found) < count:
        time = world.begins + rng.randrange(max(1, days * DAY))
        if chance(rng, interest.at(time) / interest.highest):
            found.append(time)
    return sorted(found)


def births(customers: Iterable[Customer], world: Loaded, seed: int) -> list[Birth]:
    """Their lives, in order of the times at which they begin."""
    spec = world.world
    around = Around(spec.habits, Interest(world), spec.service.trial_dollars, spec.service.referral_dollars)
    found = [_birth(each, Random(f"{seed} {each.account.name}"), around, world.begins) for each in customers]
    return sorted(found, key=lambda birth: birth[0])


def _birth(who: Customer, rng: Random, around: Around, begins: int) -> Birth:
    if who.account.created >= begins:
        return who.account.created, lambda: joining(who, rng, around)
    if who.account.tier == "free":
        who.amount = around.trial.draw(rng)
    who.account.credits = who.amount * rng.random()
    return begins, lambda: going_on(who, rng, around, begins)
