"""The worlds that ship can be played, have everybody in them, and say where their figures come from."""

from collections import Counter
from random import Random

import msgspec
import pytest

from fairgate.simulate.honest.people import SEGMENTS, people
from fairgate.simulate.opponents import archetypes
from fairgate.simulate.simulation import sampled
from fairgate.simulate.world_file import Figure, Loaded
from fairgate.simulate.world_names import world_named

NAMES = ("small", "city")
#: What was published, as the worlds must have it: the bounds, and a word of who said so.
PUBLISHED = {
    "mailbox": (0.01, 0.2, "Thomas"),
    "phone": (0.08, 4.93, "Cambridge"),
    "traffic": (0.89, 5.0, "price list"),
    "card": (1.0, 20.0, "NordVPN"),
}


def figures(value: object) -> list[Figure]:
    """All figures below a value."""
    inside = msgspec.structs.asdict(value) if isinstance(value, msgspec.Struct) else value
    found = [value] if isinstance(value, Figure) else []
    if isinstance(inside, dict):
        for each in inside.values():
            found += figures(each)
    return found


@pytest.fixture(scope="module", params=NAMES)
def world(request: pytest.FixtureRequest) -> Loaded:
    return world_named(request.param)


def test_every_segment_and_every_archetype_is_there(world: Loaded) -> None:
    assert set(world.world.segment) == set(SEGMENTS)
    assert set(world.world.opponent) == set(archetypes())
    assert all(each.operators for each in world.world.opponent.values())
    assert world.world.release


def test_each_has_as_many_people_as_it_says() -> None:
    assert 150 <= world_named("small").world.honest <= 250
    assert world_named("city").world.honest >= 100_000


def test_published_prices_are_those_that_were_published(world: Loaded) -> None:
    for name, (low, high, word) in PUBLISHED.items():
        price = world.world.price[name]
        assert (price.low, price.high) == (low, high)
        assert word in price.source


def test_whatever_nobody_published_says_so(world: Loaded) -> None:
    all_of_them = figures(world.world)
    assert len(all_of_them) > 40
    assert all(each.source == "assumed" or len(each.source) > 15 for each in all_of_them)
    assert any(each.source == "assumed" for each in all_of_them)


def test_the_worlds_differ_in_size_and_not_in_what_things_cost() -> None:
    small, city = (world_named(name).world for name in NAMES)
    assert small.service == city.service
    assert small.habits == city.habits
    assert small.challenge == city.challenge
    for name, price in small.price.items():
        assert msgspec.structs.replace(city.price[name], supply=price.supply) == price


def test_a_sample_of_the_city_has_whole_opponents() -> None:
    city = world_named("city")
    sample = sampled(city, 2_000)
    for kind, each in city.world.opponent.items():
        assert each.operators * 2_000 / city.world.honest == sample.world.opponent[kind].operators


def test_an_open_source_client_is_used_by_thousands_in_the_city() -> None:
    share = 2_000 / 100_000
    customers = people(sampled(world_named("city"), 2_000), 90, 1)
    users = Counter((use.client, use.template) for each in customers for use in {*each.uses} if use.client)
    assert users["editor", "tpl_editor"] / share > 5_000


def test_each_campus_has_its_address_and_each_operators_customers_share_few() -> None:
    customers = people(sampled(world_named("city"), 5_000), 14, 1)
    for kind, most in (("student", 200), ("mobile", 5)):
        addresses = {sitting.seat.ip for each in customers if each.account.owner.kind == kind for sitting in each.works}
        count = sum(each.account.owner.kind == kind for each in customers)
        assert count / len(addresses) > most
    alone = [each.desk.seat.ip for each in customers if each.account.owner.kind == "hobbyist"]
    assert len(set(alone)) > 0.98 * len(alone)


def test_names_tell_nothing_of_who_somebody_is() -> None:
    customers = people(sampled(world_named("city"), 1_000), 14, 1)
    names = [each.account.name for each in customers]
    assert len(set(names)) == len(names)
    assert not any(kind in name for name in Random(1).sample(names, 100) for kind in SEGMENTS)
