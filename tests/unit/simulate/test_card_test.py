"""A tester of stolen cards: what shows of it, how it goes on where that is stopped, and when it leaves."""

from collections import Counter, defaultdict, deque
from itertools import pairwise

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Act
from fairgate.simulate.places import HOSTING
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

DAYS = 90
SEEDS = (1, 2)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def tried(world: Loaded, decides: Decides = nobody_minds, days: int = DAYS, seed: int = 1) -> Campaign:
    return campaign("card_test", world, decides, days, seed)


def priced(world: Loaded, dollars: float) -> Loaded:
    card = msgspec.structs.replace(world.world.price["card"], low=dollars, high=dollars)
    spec = msgspec.structs.replace(world.world, price={**world.world.price, "card": card})
    return Loaded(spec, f"{world.digest} card {dollars}")


def dear(world: Loaded) -> Loaded:
    """A world in which a good card costs more than it brings, and a number that nobody has checked doesn't."""
    return priced(world, 32.0)


def late(found: Campaign, words: str) -> float:
    """The part of the second half of the ways that has these words."""
    ways = found.ways[len(found.ways) // 2 :]
    return sum(words in each for each in ways) / len(ways)


def paying(found: Campaign) -> list[Act]:
    return [each.act for each in found.abuse if each.act.type.startswith("payment.")]


def of_accounts(acts: list[Act]) -> dict[str, list[Act]]:
    found = defaultdict(list)
    for each in acts:
        found[each.account.name].append(each)
    return found


# --------------------------------------------------------------------------------------------------------- what shows


def test_the_naive_try_many_cards_on_an_account_and_a_device_and_most_are_declined(world: Loaded) -> None:
    found = tried(dear(world))
    assert found.profit > 100
    added = [each for each in paying(found) if each.type == "payment.method_added"]
    crowded = [each for each in of_accounts(added).values() if len(each) >= 10]
    assert crowded
    for acts in crowded:
        assert len({act.data["card"] for act in acts}) == len(acts)
        assert len({act.data["device"] for act in acts}) == 1
    declined = [act.data["decline_code"] for act in added if act.data["outcome"] == "declined"]
    assert 0.7 < len(declined) / len(added) < 0.95
    assert 0.4 < Counter(declined)["incorrect_cvc"] / len(declined) < 0.6
    assert all("decline_code" not in act.data for act in added if act.data["outcome"] == "accepted")
    devices = defaultdict(set)
    for act in added:
        devices[act.data["device"]].add(act.data["card"])
    assert max(map(len, devices.values())) > 40  # one device serves several accounts
    quick = [acts for acts in crowded if acts[-1].time - acts[0].time < HOUR]
    assert len(quick) > len(crowded) / 2


def test_numbers_are_charged_tiny_amounts_and_good_cards_what_compute_costs(world: Loaded) -> None:
    amounts = [float(str(act.data["amount"])) for act in paying(tried(dear(world))) if act.type == "payment.charged"]
    assert len(amounts) > 20
    assert max(amounts) < 2
    found = tried(priced(world, 6.0))
    amounts = [float(str(act.data["amount"])) for act in paying(found) if act.type == "payment.charged"]
    assert sum(amount >= 40 for amount in amounts) > 0.9 * len(amounts)
    assert found.served > 1_000
    assert [each for each in found.book if each.what == "sells compute"]


def test_what_was_charged_is_taken_back_when_the_holders_notice(world: Loaded) -> None:
    found = tried(priced(world, 6.0), days=60)
    charged = [act for act in paying(found) if act.type == "payment.charged" and act.data["outcome"] == "accepted"]
    disputed = [each.act for each in found.done if each.act.type == "payment.disputed"]
    ends = max(each.act.time for each in found.done)
    assert sum(act.time < ends - 10 * DAY for act in charged) == len(disputed) > 20
    assert {act.data["dispute_reason"] for act in disputed} == {"fraudulent"}
    assert all(act.disputed == "" for act in paying(found) if act.data["outcome"] == "declined")


@pytest.mark.parametrize(("dollars", "least"), [(6.0, 5.99), (32.0, 32.0 * 0.017)])
def test_every_card_that_is_tried_was_paid_for(world: Loaded, dollars: float, least: float) -> None:
    found = tried(priced(world, dollars))
    cards = {act.data["card"] for act in paying(found)}
    assert -sum(each.dollars for each in found.book if each.what == "card") > least * len(cards) > 0


def test_no_more_compute_is_sold_than_was_charged_nor_more_cards_than_paid(world: Loaded) -> None:
    for found, what in ((tried(priced(world, 6.0)), "sells compute"), (tried(dear(world)), "sells cards")):
        taken = [act for act in paying(found) if act.data["outcome"] == "accepted"]
        charged = sum(float(str(act.data["amount"])) for act in taken if act.type == "payment.charged")
        most = 0.6 * charged if what == "sells compute" else 20 * len({act.data["card"] for act in taken})
        assert 0.2 * most < sum(each.dollars for each in found.book if each.what == what) <= most


# -------------------------------------------------------------------------------------- answers to countermeasures


def no_many_declines(over: int = HOUR) -> Decides:
    """Stops an account or a device once five cards were declined there within a time: an hour in the shipped rules."""
    seen: dict[object, deque[int]] = defaultdict(deque)

    def decides(event: dict[str, object], time: int) -> Action:
        data, most = said(event), 0
        if not str(event["type"]).startswith("payment.") or event["type"] == "payment.disputed":
            return Action.ALLOW
        for whose in (data["account"], data["device"]):
            times = seen[whose]
            if data["outcome"] == "declined":
                times.append(time)
            while times and times[0] < time - over:
                times.popleft()
            most = max(most, len(times))
        return Action.BAN if most >= 5 else Action.ALLOW

    return decides


def no_tiny_charges(event: dict[str, object], _time: int) -> Action:
    tiny = event["type"] == "payment.charged" and float(str(said(event)["amount"])) < 2
    return Action.HOLD if tiny else Action.ALLOW


def no_large_charges(event: dict[str, object], _time: int) -> Action:
    large = event["type"] == "payment.charged" and float(str(said(event)["amount"])) >= 20
    return Action.HOLD if large else Action.ALLOW


def no_servers(event: dict[str, object], _time: int) -> Action:
    rented = event["type"] == "account.signup" and said(event)["asn"] in HOSTING
    return Action.BAN if rented else Action.ALLOW


@pytest.mark.parametrize("seed", SEEDS)
def test_where_declines_are_counted_it_spreads_or_slows_down(world: Loaded, seed: int) -> None:
    before, found = tried(dear(world), seed=seed), tried(dear(world), no_many_declines(), seed=seed)
    naive = "many to an account and a device"
    assert late(before, naive) > 0.8
    ways = found.ways[len(found.ways) // 2 :]
    assert sum(naive in each and "within an hour" in each for each in ways) < 0.4 * len(ways)
    assert found.profit < 0.8 * before.profit


@pytest.mark.parametrize("seed", SEEDS)
def test_where_tiny_charges_are_held_cards_are_only_added(world: Loaded, seed: int) -> None:
    before, found = tried(dear(world), seed=seed), tried(dear(world), no_tiny_charges, seed=seed)
    assert late(before, "charged a dollar") > 0.7
    assert late(found, "only added") > 0.7
    assert 0 < found.profit < 0.8 * before.profit


def test_where_large_charges_are_held_it_tests_numbers_instead(world: Loaded) -> None:
    cheap = priced(world, 10.0)
    before, found = tried(cheap), tried(cheap, no_large_charges)
    assert late(before, "charged for compute") > 0.8
    assert late(found, "numbers") > 0.8
    assert found.served < 0.1 * before.served


def test_where_servers_are_refused_it_comes_by_peoples_lines(world: Loaded) -> None:
    found = tried(dear(world), no_servers)
    assert 1 <= sum("rented servers" in each for each in found.ways) <= 3  # where it was stopped is plain to see
    assert late(found, "people's lines") > 0.7
    homes = [each for each in found.abuse if each.act.type == "account.signup" and each.seen.served]
    assert all(each.act.data["asn"] not in HOSTING for each in homes)


def test_over_days_cards_are_hours_apart_and_spread_ones_have_a_device_of_their_own(world: Loaded) -> None:
    found = tried(dear(world), no_many_declines(7 * DAY))
    added = of_accounts([each for each in paying(found) if each.type == "payment.method_added"])
    gaps = [
        after.time - before.time
        for acts in added.values() for before, after in pairwise(acts)
    ]  # fmt: skip
    assert any(gap > 2 * HOUR for gap in gaps)
    assert any(gap < HOUR for gap in gaps)
    assert all(gap < HOUR or gap >= 2 * HOUR for gap in gaps)
    few = [acts for acts in added.values() if len(acts) == 2]
    devices = Counter(acts[0].data["device"] for acts in few)
    assert len(few) > 10
    assert len([each for each, count in devices.items() if count == 1]) > 0.8 * len(few)


# ---------------------------------------------------------------------------------------------------------- leaving


def test_where_no_card_is_taken_it_leaves_and_has_earned_nothing(world: Loaded) -> None:
    def decides(event: dict[str, object], _time: int) -> Action:
        return Action.HOLD if event["type"] == "payment.method_added" else Action.ALLOW

    found = tried(world, decides, days=400)
    assert found.left in {"no way pays any more", "the purse is empty"}
    assert all(each.dollars <= 0 for each in found.book)
    assert found.served == 0


def test_where_everything_is_dear_it_never_begins(world: Loaded) -> None:
    found = tried(priced(world, 5_000.0))
    assert not found.ways
    assert not found.abuse
    assert found.left == "no way pays any more"
    assert found.profit == 0


def test_whose_challenges_fail_now_and_then_goes_on_with_the_next_card(world: Loaded) -> None:
    def decides(event: dict[str, object], _time: int) -> Action:
        return Action.CHALLENGE if event["type"] == "payment.method_added" else Action.ALLOW

    found = tried(dear(world), decides, days=40)
    accounts = of_accounts([each.act for each in found.abuse if each.act.type == "payment.method_added"])
    refused = Counter(each.act.account.name for each in found.abuse if str(each.seen) == "refused")
    assert max(refused.values()) == 2
    assert [name for name, count in refused.items() if count == 1 and len(accounts[name]) > 2]
