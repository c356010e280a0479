"""How honest customers of one segment are drawn: what they share, and what differs from one to another."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from fairgate.simulate.acts import Account, Actor
from fairgate.simulate.deeds import Card, Sitting, Use
from fairgate.simulate.draws import BURSTS, CHAT, CODE, CONVERSATION, busier, chance
from fairgate.simulate.honest.life import Customer
from fairgate.simulate.identities import MAIL, mailbox, name_of, telephone_number
from fairgate.simulate.models import BASE, FRONTIER, LARGE, TINY
from fairgate.simulate.places import COUNTRIES, HOSTING, Country, Seat, server, server_address
from fairgate.simulate.world_file import Loaded, Segment

#: Programs that many people use, each with one prompt for all of them.
TOOLS: Final = ("editor", "notes", "shell", "chatbox", "translate")
#: How many use each of them: one is used by thousands, where there are so many people.
_TOOL_USERS: Final = (10, 4, 3, 2, 1)
#: How often each model is chosen, the cheapest first: by private people, and by companies.
_CHEAP_FIRST, _GOOD_FIRST = (2, 4, 4, 2), (1, 2, 5, 2)
#: The share of people who ask by such a program, who buy credits, whose mailbox is one to throw away.
_USES_TOOL, _PAYS, _THROWAWAY = 0.4, 0.3, 0.02
#: The share of accounts of before the world that live on what they were given.
_STILL_FREE: Final = 0.25
#: Dollars for which private people and companies buy credits.
_SMALL, _LARGE = (5.0, 10.0, 20.0, 50.0), (100.0, 250.0, 500.0)
#: How much busier than the middle one of their kind anybody is, and a company.
_BUSIEST, _BUSIEST_COMPANY = 8.0, 3.0


@dataclass(frozen=True, slots=True)
class Crowd:
    """Those of one segment: how they are drawn, and what the world's file says of them."""

    kind: str
    segment: Segment
    world: Loaded
    rng: Random

    def customer(self, country: Country, seat: Seat, created: int, tier: str, *, org: bool = False) -> Customer:
        """A customer of the segment at a place. What differs from one to another is drawn.

        Where it is an organisation's, a challenge waits for somebody of theirs who may do it.
        """
        rng, name = self.rng, name_of(self.rng, "acct")
        organisation = name_of(rng, "org") if org else None
        hands = "company" if org else "person"
        owner = Actor(name.replace("acct", "person"), self.kind, honest=True, hands=hands)
        account = Account(name, tier, created, owner, org=organisation)
        desk, there = Sitting(account, seat), created < self.world.begins
        domain = "yopmail.com" if chance(rng, _THROWAWAY) else rng.choice(MAIL)
        if organisation is not None:
            domain = f"{organisation.replace('_', '-')}.example.com"
        return Customer(
            account=account,
            desk=desk,
            works=(Sitting(account, _works(rng, seat)),),
            uses=(use_of(rng),),
            country=country,
            card=Card(name_of(rng, "card"), country.code),
            daily=self.segment.daily.draw(rng) * min(busier(rng), _BUSIEST_COMPANY if org else _BUSIEST),
            days=self.segment.days,
            burst=rng.uniform(*BURSTS),
            pays=tier != "free" or chance(rng, _PAYS),
            amount=rng.choice(_LARGE if org else _SMALL),
            email=mailbox(rng, domain),
            phone=telephone_number(rng) if chance(rng, 0.5) else None,
            has_card=there and tier == "payg",
        )

    def groups(self, created: list[int], size: int) -> Iterable[tuple[Country, list[int]]]:
        """Those who are at one place, so many at most, and where that is."""
        for start in range(0, len(created), size):
            yield self.rng.choice(COUNTRIES), created[start : start + size]


#: Draws so many customers, whose accounts are made at these times.
Draw = Callable[[Crowd, list[int]], list[Customer]]


def use_of(rng: Random) -> Use:
    """A program of one's own, or one that many use."""
    if chance(rng, _USES_TOOL):
        return by_tool(rng, rng.choices(TOOLS, _TOOL_USERS)[0])
    return _own_program(rng, _CHEAP_FIRST)


def by_tool(rng: Random, tool: str) -> Use:
    """A program that many use, each with a model and for a talk of their own."""
    return replace(_own_program(rng, _CHEAP_FIRST), template=f"tpl_{tool}", client=tool)


def product_of(rng: Random, longer: float) -> Use:
    """What a company made: by better models than private people pay for, with documents before each question."""
    return replace(_own_program(rng, _GOOD_FIRST), longer=longer)


def _own_program(rng: Random, models: tuple[int, ...]) -> Use:
    """A program that nobody else uses, with one of the models by how often they are chosen."""
    model = rng.choices((TINY, BASE, LARGE, FRONTIER), models)[0]
    talk = rng.choices((CONVERSATION, CHAT, CODE), (4, 4, 2))[0]
    return Use("1", name_of(rng, "tpl"), model, talk)


def tier_of(crowd: Crowd, created: int) -> str:
    """All begin with what newcomers are given; most of those who have been there for long pay."""
    return "payg" if created < crowd.world.begins and not chance(crowd.rng, _STILL_FREE) else "free"


def _works(rng: Random, seat: Seat) -> Seat:
    """Where the requests come from: the browser, a program beside it, or a rented server."""
    rented = server(rng, server_address(rng), rng.choice(tuple(HOSTING)))
    beside = replace(seat, user_agent=rented.user_agent, bot_score=0.8)
    return rng.choices((seat, beside, rented), (5, 4, 1))[0]
