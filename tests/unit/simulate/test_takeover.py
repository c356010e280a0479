"""An intruder into honest people's accounts: what shows of it, how it goes on where that is stopped, when it leaves."""

from collections import Counter, defaultdict, deque
from itertools import pairwise

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR, MINUTE
from fairgate.simulate.acts import Act
from fairgate.simulate.places import HOSTING
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

DAYS = 75
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def world(small: Loaded) -> Loaded:
    """The same with more people, and an intruder who gets into two accounts a day: it learns in weeks, not months."""
    return figured(peopled(small, 220), {"rests": 1.0, "victims": 2.0})


@pytest.fixture(scope="module")
def before(world: Loaded) -> dict[int, Campaign]:
    """What it does where nobody minds, by seed."""
    return {seed: intruded(world, seed=seed) for seed in SEEDS}


def peopled(world: Loaded, honest: int) -> Loaded:
    """A world of so many people who are seldom there, for the sake of short tests."""
    seldom = {name: msgspec.structs.replace(each, days=0.1) for name, each in world.world.segment.items()}
    return Loaded(msgspec.structs.replace(world.world, honest=honest, segment=seldom), f"{world.digest}/{honest}")


def figured(world: Loaded, figures: dict[str, float]) -> Loaded:
    opponent = world.world.opponent["takeover"]
    more = {
        name: msgspec.structs.replace(each, low=figures[name], high=figures[name]) if name in figures else each
        for name, each in opponent.more.items()
    }
    spec = msgspec.structs.replace(world.world, opponent={"takeover": msgspec.structs.replace(opponent, more=more)})
    return Loaded(spec, f"{world.digest} {figures}")


def priced(world: Loaded, what: str, dollars: float) -> Loaded:
    price = msgspec.structs.replace(world.world.price[what], low=dollars, high=dollars)
    spec = msgspec.structs.replace(world.world, price={**world.world.price, what: price})
    return Loaded(spec, f"{world.digest} {what} {dollars}")


def intruded(world: Loaded, decides: Decides = nobody_minds, days: int = DAYS, seed: int = 1) -> Campaign:
    return campaign("takeover", world, decides, days, seed)


def late(found: Campaign, words: str) -> float:
    """The part of the last third of the ways that has these words."""
    ways = found.ways[2 * len(found.ways) // 3 :]
    return sum(words in each for each in ways) / len(ways)


def of_accounts(found: Campaign, kind: str) -> dict[str, list[Act]]:
    """The intruder's acts of a type, by account."""
    acts = defaultdict(list)
    for each in found.abuse:
        if each.act.type == kind:
            acts[each.act.account.name].append(each.act)
    return acts


def noticing(found: Campaign) -> dict[str, int]:
    """When owners first set a new password after the intruder had begun to use their accounts."""
    begun = {name: acts[0].time for name, acts in of_accounts(found, "api.request").items()}
    when: dict[str, int] = {}
    for each in found.done:
        act, name = each.act, each.act.account.name
        by_owner = act.type == "password.reset" and act.data["step"] == "done" and not act.abuse
        if by_owner and act.time > begun.get(name, act.time):
            when.setdefault(name, act.time)
    return when


# --------------------------------------------------------------------------------------------------------- what shows


def test_it_uses_honest_accounts_only_and_each_until_its_owner_notices(before: dict[int, Campaign]) -> None:
    found = before[1]
    assert found.profit > 500
    assert found.left is None
    assert all(each.act.intrusion for each in found.abuse)
    assert {each.act.account.tier for each in found.abuse} == {"payg"}
    used, noticed = of_accounts(found, "api.request"), noticing(found)
    assert len(noticed) > 10
    for name, acts in used.items():
        seen = {each.act.time: each.seen for each in found.abuse if each.act.account.name == name}
        assert all(not seen[act.time].served for act in acts if act.time > noticed.get(name, act.time))


def test_what_is_sold_is_what_was_served(before: dict[int, Campaign]) -> None:
    found = before[1]
    sold = sum(each.dollars for each in found.book if each.what == "sells")
    assert 0.35 * found.served < sold < 0.6 * found.served


def test_the_naive_fail_at_many_accounts_from_one_address_before_they_are_in(world: Loaded) -> None:
    found = intruded(priced(world, "server", 0.1), days=40)
    [way] = {each for each in found.ways[:5] if "passwords from a list, rented servers" in each}
    assert way
    failed = [each.act for each in found.abuse if each.act.type == "account.login" and not each.act.data["success"]]
    accounts: dict[tuple[object, int], set[str]] = defaultdict(set)
    for act in failed:
        if act.data["asn"] in HOSTING:
            accounts[act.data["ip"], act.time // HOUR].add(act.account.name)
    assert max(map(len, accounts.values())) >= 5  # within an hour
    opened = of_accounts(found, "key.created")
    tries = Counter(act.account.name for act in failed if act.account.name in opened)
    assert max(tries.values()) >= 6
    for name, acts in of_accounts(found, "account.login").items():
        outcomes = [act.data["success"] for act in acts]
        assert True not in outcomes[:-1], name  # who is in doesn't try any more


def test_the_naive_try_many_models_from_a_new_network_and_then_spend_steeply(world: Loaded) -> None:
    found = intruded(priced(world, "server", 0.1), days=40)
    owners = defaultdict(set)
    spent = Counter[str]()
    for each in found.done:
        if not each.act.abuse and each.act.type == "api.request":
            owners[each.act.account.name].add(each.act.data["asn"])
            spent[each.act.account.name] += each.act.dollars  # type: ignore[assignment]
    looks, steep = 0, 0
    for name, acts in of_accounts(found, "api.request").items():
        first = [act for act in acts if act.time < acts[0].time + 10 * MINUTE]
        looks += len({act.data["model"] for act in first}) >= 5 and acts[0].data["asn"] not in owners[name]
        hour = sum(act.dollars for act in acts if act.time < acts[0].time + 2 * HOUR) / 2
        steep += hour > 5 * spent[name] / (40 * 24)
    assert looks > 0.7 * len(of_accounts(found, "api.request")) > 3
    assert steep > 0.8 * len(of_accounts(found, "api.request"))


def test_leaked_keys_are_tried_minutes_later_without_any_log_in(world: Loaded) -> None:
    found = intruded(priced(world, "credential", 900.0), days=40)
    assert set(found.types) == {"api.request"}
    assert all("leaked keys" in each for each in found.ways)
    leaks = [each.time for each in found.book if each.what == "leaked_key"]
    firsts = sorted(acts[0].time for acts in of_accounts(found, "api.request").values())
    gaps = [(first - leak) / MINUTE for leak, first in zip(leaks, firsts, strict=True)]
    assert len(gaps) > 8
    assert all(9 <= gap < 34 for gap in gaps)
    owned = defaultdict(set)
    for each in found.done:
        if not each.act.abuse and "key" in each.act.data:
            owned[each.act.account.name].add(each.act.data["key"])
    both = {name: acts for name, acts in of_accounts(found, "api.request").items() if owned[name]}
    assert len(both) > 8
    assert all(acts[0].data["key"] in owned[name] for name, acts in both.items())


# ------------------------------------------------------------------------------------------- answers to countermeasures
# A challenge stops intruders, who can't pass one, and lets owners go on.


def no_servers(event: dict[str, object], _time: int) -> Action:
    return Action.CHALLENGE if said(event).get("asn") in HOSTING else Action.ALLOW


def no_model_tours() -> Decides:
    seen: dict[object, set[object]] = defaultdict(set)

    def decides(event: dict[str, object], _time: int) -> Action:
        if event["type"] != "api.request":
            return Action.ALLOW
        models = seen[said(event)["key"]]
        models.add(said(event)["model"])
        return Action.CHALLENGE if len(models) >= 4 else Action.ALLOW

    return decides


def no_steps() -> Decides:
    """Stops an account beyond three dollars within an hour."""
    seen: dict[object, deque[tuple[int, float]]] = defaultdict(deque)

    def decides(event: dict[str, object], time: int) -> Action:
        if event["type"] != "api.request":
            return Action.ALLOW
        spent = seen[said(event)["account"]]
        spent.append((time, float(str(said(event)["cost"]))))
        while spent[0][0] < time - HOUR:
            spent.popleft()
        return Action.CHALLENGE if sum(cost for _, cost in spent) > 3 else Action.ALLOW

    return decides


def no_guessing() -> Decides:
    """Stops what comes from an address or to an account with three failed log-ins."""
    failed = Counter[object]()

    def decides(event: dict[str, object], _time: int) -> Action:
        if event["type"] != "account.login":
            return Action.ALLOW
        data = said(event)
        for each in (data["account"], data["device"]):
            failed[each] += not data["success"]
        return Action.CHALLENGE if max(failed[data["account"]], failed[data["device"]]) > 3 else Action.ALLOW

    return decides


def no_passwords(event: dict[str, object], _time: int) -> Action:
    return Action.CHALLENGE if event["type"] in {"account.login", "password.reset"} else Action.ALLOW


@pytest.mark.parametrize("seed", SEEDS)
def test_where_servers_are_challenged_it_comes_from_the_owners_country(world: Loaded, seed: int) -> None:
    found = intruded(world, no_servers, seed=seed)
    assert late(found, "lines near the owner") > 0.7
    assert 1 <= sum("rented servers" in each for each in found.ways[:30]) <= 5
    asked = [each.act for each in found.abuse if each.seen.served and each.act.dollars]
    assert asked
    assert all(act.data["asn"] not in HOSTING for act in asked)
    zones: dict[bool, dict[str, object]] = {False: {}, True: {}}
    for each in found.done:
        if "timezone" in each.act.data and (not each.act.abuse or each.act.data["asn"] not in HOSTING):
            zones[each.act.abuse][each.act.account.name] = each.act.data["timezone"]
    both = set(zones[False]) & set(zones[True])
    assert len(both) > 10
    assert all(zones[False][name] == zones[True][name] for name in both)


@pytest.mark.parametrize("seed", SEEDS)
def test_where_looking_around_is_challenged_it_goes_without(
    world: Loaded, before: dict[int, Campaign], seed: int
) -> None:
    found = intruded(world, no_model_tours(), seed=seed)
    assert late(before[seed], "after trying models") > 0.7
    assert late(found, "after trying models") < 0.4
    assert 1 <= sum("after trying models" in each for each in found.ways[:30]) <= 4  # it sees where it was stopped
    refused = Counter(each.act.account.name for each in found.abuse if str(each.seen) == "refused")
    assert set(refused.values()) == {1}
    assert 0 < found.profit < 0.9 * before[seed].profit


def test_where_steps_in_spend_are_challenged_it_mostly_keeps_to_the_owners_rate(
    world: Loaded, before: dict[int, Campaign]
) -> None:
    rate, shares = "at the owner's rate", []
    for seed in SEEDS:
        found = intruded(world, no_steps(), seed=seed)
        assert late(before[seed], rate) < 0.1
        assert found.served < 0.3 * before[seed].served
        shares.append(late(found, rate))
    assert sum(shares) / len(shares) > 0.5  # slowly: as fast as it goes promises several times as much


@pytest.mark.parametrize("seed", SEEDS)
def test_where_guessing_is_challenged_it_buys_what_opens(world: Loaded, before: dict[int, Campaign], seed: int) -> None:
    found = intruded(world, no_guessing(), seed=seed)
    assert late(before[seed], "passwords from a list") > 0.5
    assert late(found, "passwords from a list") < 0.2
    assert found.profit < before[seed].profit


def test_where_passwords_are_no_use_it_turns_to_leaked_keys(world: Loaded) -> None:
    found = intruded(priced(world, "leaked_key", 8.0), no_passwords)
    assert late(found, "leaked keys") > 0.8
    assert found.profit > 0


def test_at_the_owners_rate_nobody_notices_for_a_week(world: Loaded) -> None:
    found = intruded(world, no_steps())
    asked, noticed = of_accounts(found, "api.request"), noticing(found)
    slow = {name for name, acts in asked.items() if acts[-1].time - acts[0].time > 4 * DAY} & set(noticed)
    assert len(slow) > 5
    soon = [name for name in slow if noticed[name] - asked[name][0].time < 6 * DAY]
    assert len(soon) < 0.2 * len(slow)  # by owners who had forgotten their password


def test_at_the_owners_rate_it_asks_as_often_as_the_owner_and_stays_for_days(world: Loaded) -> None:
    found = intruded(world, no_steps())
    stays = [acts for acts in of_accounts(found, "api.request").values() if acts[-1].time - acts[0].time > 4 * DAY]
    assert len(stays) > 5
    for acts in stays:
        gaps = sorted(after.time - before.time for before, after in pairwise(acts))
        assert len({act.data["model"] for act in acts}) == 1
        assert gaps[len(gaps) // 2] > 4 * MINUTE


# ---------------------------------------------------------------------------------------------------------- leaving


def test_where_nobody_is_left_it_waits_and_leaves_in_the_end(small: Loaded) -> None:
    found = intruded(peopled(small, 6), days=200)
    waits = [each for each in found.book if each.what == "waits"]
    assert len(waits) >= 30
    assert found.left == "no way pays any more"
    victims = of_accounts(found, "api.request")
    assert 1 <= len(victims) <= 9
    assert found.profit > 0  # waiting costs nothing


def test_nobody_is_broken_into_twice(before: dict[int, Campaign]) -> None:
    found = before[1]
    assert len(of_accounts(found, "api.request")) > 50
    for acts in of_accounts(found, "api.request").values():
        assert len({act.data["key"] for act in acts}) == 1


@pytest.mark.parametrize("dollars", [2_000.0])
def test_where_ways_in_are_dear_it_never_begins(small: Loaded, dollars: float) -> None:
    found = intruded(priced(priced(small, "credential", dollars), "leaked_key", dollars))
    assert not found.abuse
    assert found.left == "no way pays any more"
