"""A reseller: what each way of its shows, how it answers what is done about that, and when it leaves.

What a way shows is looked at where there is no other; what it answers, over several resellers.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from itertools import pairwise

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Seen
from fairgate.simulate.operator import Business, business
from fairgate.simulate.opponents import relay
from fairgate.simulate.places import HOSTING
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded, Range
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """The world, with money enough to learn by one's mistakes."""
    return changed(world_of(tmp_path_factory.mktemp("world")), budget=3_000.0)


@pytest.fixture(scope="module")
def free(world: Loaded) -> list[Campaign]:
    """What resellers do where nobody minds."""
    return resellers(world, nobody_minds)


def changed(world: Loaded, budget: float | None = None, **figures: float) -> Loaded:
    """The world with another budget, and other figures of resellers."""
    spec = world.world.opponent["relay"]
    more = {name: msgspec.structs.replace(spec.more[name], low=figure, high=figure) for name, figure in figures.items()}
    money = spec.budget if budget is None else Range(low=budget, high=budget)
    other = msgspec.structs.replace(spec, budget=money, more={**spec.more, **more})
    opponent = {**world.world.opponent, "relay": other}
    return Loaded(msgspec.structs.replace(world.world, opponent=opponent), f"{world.digest} {budget} {figures}")


def priced(world: Loaded, what: str, dollars: float) -> Loaded:
    """The world with another price of one thing."""
    price = msgspec.structs.replace(world.world.price[what], low=dollars, high=dollars)
    prices = {**world.world.price, what: price}
    return Loaded(msgspec.structs.replace(world.world, price=prices), f"{world.digest} {what} {dollars}")


def relayed(world: Loaded, decides: Decides, days: int = 60, seed: int = 1) -> Campaign:
    return campaign("relay", world, decides, days, seed)


def resellers(world: Loaded, decides: Decides, days: int = 60) -> list[Campaign]:
    return [relayed(world, decides, days, seed) for seed in SEEDS]


def only(monkeypatch: pytest.MonkeyPatch, *parts: str) -> None:
    """Leaves a reseller those ways alone that have all of these words."""
    ways = {words: way for words, way in relay._WAYS.items() if all(part in words for part in parts)}
    assert ways
    life = partial(business, Business(ways, relay._worth, relay._run))
    monkeypatch.setattr(relay, "ARCHETYPE", replace(relay.ARCHETYPE, life=life))


def asked(found: Campaign) -> list[Done]:
    """The requests."""
    return [each for each in found.abuse if each.act.type == "api.request"]


def spread(requests: Iterable[Done], what: str, by: str, within: int) -> int:
    """The most different values of one attribute (or accounts) that a value of another one has within a time."""
    seen = defaultdict[tuple[object, int], set[object]](set)
    for each in requests:
        data = {**each.act.data, "account": each.act.account.name}
        seen[data[by], each.act.time // within].add(data[what])
    return max((len(found) for found in seen.values()), default=0)


def moved(requests: Iterable[Done]) -> float:
    """The share of a customer's requests that go out by another account than the one before."""
    used = defaultdict[object, list[str]](list)
    for each in requests:
        used[each.act.data["end_user"]].append(each.act.account.name)
    pairs = [pair for names in used.values() for pair in pairwise(names)]
    return sum(one != other for one, other in pairs) / len(pairs)


def share(runs: list[Campaign], *parts: str) -> float:
    """The share of the later half of the ways tried that has any of these words."""
    late = [each for found in runs for each in found.ways[len(found.ways) // 2 :]]
    return sum(any(part in each for part in parts) for each in late) / len(late)


def profit(runs: Iterable[Campaign]) -> float:
    return sum(each.profit for each in runs)


def booked(found: Campaign, what: str) -> float:
    """What the book has under a word, in dollars."""
    return sum(each.dollars for each in found.book if each.what == what)


def banned(kind: str, when: str, *values: object) -> Decides:
    """Bans whoever sends an attribute with one of these values, or with any."""

    def decides(event: dict[str, object], _time: int) -> Action:
        value = said(event).get(when)
        bad = event["type"] == kind and value is not None and (not values or value in values)
        return Action.BAN if bad else Action.ALLOW

    return decides


def names_banned(event: dict[str, object], _time: int) -> Action:
    """Bans whoever passes on programs' or people's names."""
    data = said(event)
    named = data.get("client") is not None or data.get("end_user") is not None
    return Action.BAN if event["type"] == "api.request" and named else Action.ALLOW


def slowed(event: dict[str, object], _time: int) -> Action:
    """Slows whoever asks."""
    return Action.THROTTLE if event["type"] == "api.request" else Action.ALLOW


# ------------------------------------------------------------------------------------------------------ what shows


def test_where_nobody_minds_it_sells_at_half_price_and_uses_what_it_has_not_paid_for(free: list[Campaign]) -> None:
    for found in free:
        assert found.left is None
        assert 0.3 * found.served < booked(found, "sells") <= 0.6 * found.served
        assert -sum(each.dollars for each in found.book if each.dollars < 0) < 0.75 * found.served


def test_one_key_has_many_programs_and_subjects_round_the_clock(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "passed on", "in turn", "made, with cards")
    requests = asked(relayed(changed(world, 3_000.0, customers=30.0), nobody_minds))
    assert spread(requests, "client", "key", DAY) >= 7
    assert spread(requests, "prompt_template", "key", DAY) >= 10
    hours = Counter(each.act.time % DAY // HOUR for each in requests)
    assert len(hours) == 24
    assert min(hours.values()) > 0.1 * max(hours.values())


def test_accounts_that_take_turns_serve_one_customer_at_once(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "passed on", "in turn", "made, with cards")
    requests = asked(relayed(world, nobody_minds))
    assert spread(requests, "account", "end_user", HOUR) >= 4
    assert moved(requests) > 0.6


def test_customers_that_are_bound_stay_on_one_account(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "passed on", "bound", "made, with cards")
    assert moved(asked(relayed(world, nobody_minds))) < 0.05  # where an account is used up


@pytest.mark.parametrize(("turns", "least", "most"), [("in turn", 40, 60), ("bound", 4, 12)])
def test_an_account_has_many_customers_who_take_turns_or_few_who_stay(
    world: Loaded, monkeypatch: pytest.MonkeyPatch, turns: str, least: int, most: int
) -> None:
    only(monkeypatch, "handed out", turns, "made, with cards")
    requests = asked(relayed(changed(world, 3_000.0, customers=60.0), nobody_minds, days=30))
    assert least <= spread(requests, "prompt_template", "key", DAY) <= most


def test_keys_that_are_handed_out_are_used_from_many_networks(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "handed out", "in turn")
    handed = asked(relayed(world, nobody_minds))
    assert spread(handed, "asn", "key", DAY) >= 6
    assert spread(handed, "country", "key", DAY) >= 4
    assert spread(handed, "user_agent", "key", DAY) >= 3


@pytest.mark.parametrize("front", ["own servers", "people's lines"])
def test_a_gateway_leaves_by_one_address_for_each_account(
    world: Loaded, monkeypatch: pytest.MonkeyPatch, front: str
) -> None:
    only(monkeypatch, front, "for their trials")
    found = relayed(world, nobody_minds)
    assert spread(asked(found), "ip", "key", 60 * DAY) == 1
    made = [each.act.data for each in found.abuse if each.act.type == "account.signup"]
    if front == "people's lines":
        assert not {data["asn"] for data in made} & set(HOSTING)
        assert len({data["device"] for data in made}) == len({data["ip"] for data in made}) == len(made)
    else:
        assert {data["asn"] for data in made} <= set(HOSTING)
        assert max(Counter(data["ip"] for data in made).values()) == 12
        assert max(Counter(data["device"] for data in made).values()) == 6


def test_hidden_names_are_not_sent_and_bring_less(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    prices = {}
    for front in ("names hidden", "passed on"):
        only(monkeypatch, "own servers", front, "for their trials", "in turn")
        found = relayed(world, nobody_minds, days=30)
        named = {"client" in each.act.data or "end_user" in each.act.data for each in asked(found)}
        assert named == {front == "passed on"}
        assert spread(asked(found), "prompt_template", "key", DAY) >= 8  # the subjects show in any case
        prices[front] = booked(found, "sells") / found.served
    assert 0.75 < prices["names hidden"] / prices["passed on"] < 0.95


def test_what_bounces_costs_nothing_and_the_rest_is_paid(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "made, with cards")
    runs = [relayed(changed(world, 3_000.0, bounces=0.6), nobody_minds, seed=seed) for seed in SEEDS]
    charged = [each.act for found in runs for each in found.abuse if each.act.type == "payment.charged"]
    kept = [act for act in charged if not act.disputed]
    assert {act.disputed for act in charged} == {"not_received", ""}
    assert 0.2 < len(kept) / len(charged) < 0.6
    paid = -sum(booked(found, "tops up") for found in runs)
    assert paid == pytest.approx(sum(float(str(act.data["amount"])) for act in kept))
    told = [each for found in runs for each in found.done if each.act.type == "payment.disputed"]
    assert {each.act.data["dispute_reason"] for each in told} == {"not_received"}
    assert {each.act.account.tier for found in runs for each in asked(found)} == {"payg"}


def test_an_old_account_is_months_old_and_not_signed_up(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "bought old")
    found = relayed(world, nobody_minds)
    came = [each.act for each in found.abuse if each.act.type == "account.login"]
    assert "account.signup" not in found.types
    assert min(act.time - act.account.created for act in came) > 50 * DAY
    assert booked(found, "aged_account") < -20
    assert "credits.granted" not in found.types


def test_a_trial_is_used_up_before_the_next(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "for their trials", "in turn")
    got = defaultdict[str, float](float)
    for each in asked(relayed(world, nobody_minds)):
        got[each.act.account.name] += each.act.dollars
    assert sum(dollars >= 5.0 for dollars in got.values()) > 0.8 * len(got)
    assert max(got.values()) < 9.0  # of 5, and the request that went beyond


# -------------------------------------------------------------------------------------------- what it does about it


def test_where_names_are_minded_they_are_hidden(world: Loaded, free: list[Campaign]) -> None:
    found = resellers(world, names_banned)
    assert share(free, "hidden") < 0.2
    assert share(found, "hidden") > 0.6
    assert profit(found) < 0.6 * profit(free)


def test_where_newcomers_on_rented_servers_are_minded_it_goes_elsewhere(world: Loaded, free: list[Campaign]) -> None:
    found = resellers(world, banned("account.signup", "asn", *HOSTING))
    assert share(free, "people's lines", "bought old") < 0.2
    assert share(found, "people's lines", "bought old") > 0.7
    assert profit(found) < 0.8 * profit(free)


def test_where_newcomers_are_minded_old_accounts_are_bought(world: Loaded, free: list[Campaign]) -> None:
    found = resellers(priced(world, "aged_account", 4.0), banned("account.signup", "email"))
    assert share(free, "bought old") < 0.2
    assert share(found, "bought old") > 0.55
    assert profit(found) < 0.5 * profit(free)


def test_where_nothing_can_be_charged_it_lives_on_trials(world: Loaded) -> None:
    assert share(resellers(world, banned("payment.charged", "card")), "for their trials") > 0.9


def test_where_one_customer_on_many_accounts_is_minded_each_is_bound_or_hidden(
    world: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "own servers", "made, with cards")
    free = resellers(world, nobody_minds)
    seen = defaultdict[tuple[object, int], set[object]](set)

    def decides(event: dict[str, object], time: int) -> Action:
        data = said(event)
        if event["type"] != "api.request" or data.get("end_user") is None:
            return Action.ALLOW
        used = seen[data["end_user"], time // HOUR]
        used.add(data["account"])
        return Action.BAN if len(used) > 2 else Action.ALLOW

    found = resellers(world, decides)
    assert share(free, "passed on; all in turn") > 0.3
    assert share(found, "passed on; all in turn") < 0.1


def test_where_peoples_lines_are_dear_it_does_without(world: Loaded) -> None:
    found = resellers(priced(world, "traffic", 100.0), banned("account.signup", "asn", *HOSTING))
    assert not any(booked(each, "traffic") for each in found)


def test_campaigns_bring_about_what_is_hoped_for(world: Loaded) -> None:
    for decides in (nobody_minds, banned("account.signup", "asn", *HOSTING)):
        got = hoped = 0.0
        for found in resellers(world, decides, days=90):
            tries = [each for each in found.book if each.what == "tries"]
            begins, ends = tries[len(tries) // 2].time, tries[-1].time
            late = [each for each in found.book if begins <= each.time < ends]
            got += sum(each.dollars for each in late)
            hoped += sum(float(each.note.rpartition("bring ")[2].split()[0]) for each in late if each.what == "tries")
        assert 0.5 < got / hoped < 2.0


def test_a_slowed_account_is_left_after_four_failures_in_a_row(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "own servers", "bound")
    longest, row = Counter[str](), Counter[str]()
    for each in asked(relayed(changed(world, 3_000.0, hourly=20.0), slowed, days=30)):
        name = each.act.account.name
        row[name] = row[name] + 1 if each.seen == Seen.SLOWED else 0
        longest[name] = max(longest[name], row[name])
    assert max(longest.values()) == 4


def test_where_some_accounts_are_lost_and_most_go_well_it_goes_on(
    world: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "for their trials", "in turn", "own servers", "passed on")

    def decides(event: dict[str, object], _time: int) -> Action:
        unlucky = str(said(event)["account"])[-1] in "0123"
        return Action.BAN if event["type"] == "account.signup" and unlucky else Action.ALLOW

    for found in resellers(world, decides, days=60):
        assert found.left is None
        assert found.profit > 0


def test_a_pool_that_only_loses_accounts_is_given_up(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "for their trials", "in turn", "own servers")
    found = relayed(world, banned("account.signup", "email"), days=30)
    assert found.left == "no way pays any more"
    assert found.types["account.signup"] <= (4 + 3) * len(found.ways)


def test_whoever_has_no_money_left_opens_no_more_accounts(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "for their trials", "in turn", "own servers")
    found = relayed(changed(world, 0.5), banned("account.signup", "email"), days=30)
    assert found.left == "the purse is empty"
    assert found.types["account.signup"] == 4


def test_where_accounts_are_neither_made_nor_charged_it_leaves(world: Loaded) -> None:
    def decides(event: dict[str, object], _time: int) -> Action:
        return Action.BAN if event["type"] in {"account.signup", "payment.charged"} else Action.ALLOW

    found = relayed(world, decides, days=365)
    assert found.served == 0
    assert found.left is not None
    assert found.profit < 0


def test_nothing_is_done_before_what_came_before_it(world: Loaded) -> None:
    for decides in (nobody_minds, banned("payment.method_added", "card"), banned("key.created", "key")):
        times = [each.act.time for each in relayed(world, decides, days=40, seed=2).done]
        assert all(one - 1_000 <= other for one, other in pairwise(times))
