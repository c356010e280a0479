"""What honest people do now and then that looks like abuse; how many come; and what a new model does to them."""

import statistics
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

import msgspec
import pytest

from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Act, Seen, Wait
from fairgate.simulate.honest.life import notices
from fairgate.simulate.honest.people import people
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Habits, Loaded, Release
from tests.unit.simulate.honest_lives import DAYS, everybody, lived


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return everybody(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def quiet(world: Loaded) -> list[Done]:
    """Two weeks in which nobody is stopped."""
    return lived(world)


def with_habit(world: Loaded, name: str, share: float) -> list[Done]:
    """What is done where all of a habit's occasions, or none, are taken."""
    habits = msgspec.structs.replace(world.world.habits, **{name: share})
    return lived(Loaded(msgspec.structs.replace(world.world, habits=habits), ""))


def device_twice(done: list[Done]) -> bool:
    """Whether somebody signs up on the device of another who lives alone, who does not use it any more then."""
    used: dict[object, list[tuple[int, str]]] = {}
    for each in done:
        if each.act.account.owner.kind == "hobbyist" and "device" in each.act.data:
            used.setdefault(each.act.data["device"], []).append((each.act.time, each.act.account.name))
    shared = [[name for _, name in sorted(uses)] for uses in used.values() if len({name for _, name in uses}) > 1]
    assert all(names.index(names[-1]) >= len(names) - names.count(names[-1]) for names in shared)
    return bool(shared)


def card_twice(done: list[Done]) -> bool:
    """Whether two who are no family pay with one card."""
    cards: dict[object, set[str]] = {}
    for each in done:
        if each.act.type == "payment.charged" and each.act.account.owner.kind != "family":
            cards.setdefault(each.act.data["card"], set()).add(each.act.account.name)
    return any(len(each) > 1 for each in cards.values())


HABITS: dict[str, Callable[[list[Done]], bool]] = {
    "refers": lambda done: any(each.act.data.get("purpose") == "referral" for each in done),
    "second_hand": device_twice,
    "shares_card": card_twice,
    "disputes": lambda done: any(each.act.disputed for each in done),
    "rotates": lambda done: any(each.act.type == "key.revoked" for each in done),
    "invites": lambda done: any(each.act.type == "member.invited" for each in done),
    "forgets": lambda done: any(each.act.type == "password.reset" for each in done),
}


@pytest.mark.parametrize("name", HABITS)
def test_a_habit_shows_where_it_is_and_not_where_it_is_not(world: Loaded, name: str) -> None:
    assert HABITS[name](with_habit(world, name, 1.0))
    assert not HABITS[name](with_habit(world, name, 0.0))


def test_every_habit_of_a_worlds_file_is_tried() -> None:
    assert set(HABITS) == {each.name for each in msgspec.structs.fields(Habits)}


def test_an_invitation_is_used_once_and_both_are_given_something(quiet: list[Done]) -> None:
    claims = [each.act for each in quiet if each.act.type == "referral.claimed"]
    given = Counter(each.act.account.name for each in quiet if each.act.data.get("purpose") == "referral")
    assert len({each.account.name for each in claims}) == len(claims)
    for each in claims:
        assert given[each.account.name] >= 1
        assert given[str(each.data["referred_by"])] >= 1
        assert str(each.data["referrer_created"]) < each.account.since


def test_a_replaced_key_is_not_used_any_more(world: Loaded) -> None:
    dead: dict[object, int] = {}
    for each in with_habit(world, "rotates", 1.0):
        if each.act.type == "key.revoked":
            dead[each.act.data["key"]] = each.act.time
        elif each.act.dollars:
            assert each.act.data["key"] not in dead
    assert len(dead) > 50


def test_a_charge_in_good_faith_is_taken_back_for_an_honest_reason(world: Loaded) -> None:
    done = with_habit(world, "disputes", 1.0)
    said = {each.act.data["dispute_reason"] for each in done if each.act.type == "payment.disputed"}
    assert said == {"not_received", "duplicate"}


def test_a_new_model_draws_people_who_ask_more_for_a_while(world: Loaded) -> None:
    releases = [Release(day=7, model="frontier-3", surge=3.0, fades=5.0, moves=0.5)]
    done = lived(Loaded(msgspec.structs.replace(world.world, release=releases), ""))
    asked = Counter((each.act.time - world.begins) // DAY for each in done if each.act.dollars)
    assert asked[7] + asked[8] > 1.5 * (asked[1] + asked[2])
    assert asked[13] < 1.5 * asked[6]
    new = [each.act.time for each in done if each.act.data.get("model") == "frontier-3"]
    assert min(new) >= world.begins + 7 * DAY
    large = ("large-2", "frontier-2", "frontier-3")
    late = Counter(
        each.act.data["model"] for each in done if each.act.time > world.begins + 10 * DAY and each.act.dollars
    )
    assert 0.2 < late["frontier-3"] / sum(late[each] for each in large) < 0.8


def test_more_people_come_when_a_model_comes_out(world: Loaded) -> None:
    def day_of_arrivals(release: list[Release]) -> float:
        spec = msgspec.structs.replace(world.world, release=release, honest=2_000)
        new = [
            each.account.created for each in people(Loaded(spec, ""), DAYS, 1) if each.account.created >= world.begins
        ]
        return statistics.fmean((each - world.begins) / DAY for each in new)

    assert day_of_arrivals([]) == pytest.approx(7.0, abs=0.5)
    assert day_of_arrivals([Release(day=11, model="m-2", surge=6.0, fades=3.0)]) > 8.0


def test_a_segment_may_grow_as_the_world_does_not(world: Loaded) -> None:
    spec = world.world
    segments = {**spec.segment, "student": msgspec.structs.replace(spec.segment["student"], growth=2.0)}
    count = Counter(each.account.owner.kind for each in people(world, DAYS, 1))
    more = Counter(
        each.account.owner.kind for each in people(Loaded(msgspec.structs.replace(spec, segment=segments), ""), DAYS, 1)
    )
    assert more - count == {"student": 10 * 4 - 10 * 0.6}


def test_whoever_notices_an_intruder_between_two_things_is_not_thrown_back(world: Loaded) -> None:
    who = next(each for each in people(world, DAYS, 1) if each.account.org is not None)
    key, begins = who.uses[0].key, world.begins
    who.until = begins + 6 * HOUR  # until then they are at something else, and the bank
    life, seen = notices(who, Random(1), begins, {key}), list[Act | Wait]()
    with suppress(StopIteration):
        seen.append(next(life))
        while True:
            seen.append(life.send(Seen.SERVED))
    assert [each.type for each in seen if isinstance(each, Act)] == [
        "account.login", "password.reset", "password.reset", "key.created", "key.revoked",
    ]  # fmt: skip
    assert seen[0].time == begins
    assert who.until == begins + 6 * HOUR
    assert who.uses[0].key != key
