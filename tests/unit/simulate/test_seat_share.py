"""A seat sharer: how a log-in that many share shows, what each answer to that costs it, and when it leaves."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.operator import Business, business
from fairgate.simulate.opponents import seat_share
from fairgate.simulate.places import HOSTING
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded, Range
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

NAIVE = "all on one account, each on their own line, each in their own browser, as they please"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def free(world: Loaded) -> Campaign:
    """What a sharer does where nobody minds."""
    return shared(world, nobody_minds)


def shared(world: Loaded, decides: Decides, days: int = 90, seed: int = 1) -> Campaign:
    return campaign("seat_share", world, decides, days, seed)


def share(found: Campaign, part: str) -> float:
    """The share of the later half of the ways tried that has these words."""
    late = found.ways[len(found.ways) // 2 :]
    return sum(part in each for each in late) / len(late)


def most(done: Iterable[Done], what: str, kind: str = "account.login", within: int = HOUR) -> int:
    """The most different values of an attribute, or times, that one account has within a time."""
    seen = defaultdict[tuple[str, int], set[object]](set)
    for each in done:
        if each.act.type == kind and each.seen.served:
            seen[each.act.account.name, each.act.time // within].add({**each.act.data, "time": each.act.time}[what])
    return max(map(len, seen.values()), default=0)


def late(found: Campaign) -> list[Done]:
    """What is done on accounts that were made in the second half."""
    tries = [each.time for each in found.book if each.what == "tries"]
    return [each for each in found.abuse if each.act.account.created >= tries[len(tries) // 2]]


def banned(most: int, what: Callable[[dict[str, object]], object], within: int = HOUR) -> Decides:
    """Bans an account whose log-ins had more than so many different things of a kind within a time."""
    seen = defaultdict[tuple[object, int], set[object]](set)

    def decides(event: dict[str, object], time: int) -> Action:
        if event["type"] != "account.login":
            return Action.ALLOW
        values = seen[said(event)["account"], time // within]
        values.add(what(said(event)) or time)
        return Action.BAN if len(values) > most else Action.ALLOW

    return decides


def slowed(event: dict[str, object], _time: int) -> Action:
    """Slows whoever asks."""
    return Action.THROTTLE if event["type"] == "api.request" else Action.ALLOW


def only(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Leaves a sharer those ways alone that have these words."""
    ways = {words: way for words, way in seat_share._WAYS.items() if part in words}
    assert ways
    life = partial(business, Business(ways, seat_share._worth, seat_share._run))
    monkeypatch.setattr(seat_share, "ARCHETYPE", replace(seat_share.ARCHETYPE, life=life))


def places(data: dict[str, object]) -> object:
    return "rented" if data["asn"] in HOSTING else data["country"]


def devices(data: dict[str, object]) -> object:
    return data["device"]


def times(_data: dict[str, object]) -> object:
    return None


def test_where_nobody_minds_it_takes_a_fee_and_far_more_than_the_plan_is_paid_for(free: Campaign) -> None:
    assert free.left is None
    assert share(free, NAIVE) > 0.6
    fees = sum(each.dollars for each in free.book if each.what == "shares")
    plans = [each.dollars for each in free.book if each.what == "pays the plan"]
    assert fees > 1.5 * -sum(plans)
    assert free.served > -sum(plans)
    assert set(free.types) == {
        "account.signup", "account.verified", "credits.granted", "key.created", "payment.method_added",
        "payment.charged", "account.login", "api.request",
    }  # fmt: skip
    charged = [each.act for each in free.abuse if each.act.type == "payment.charged"]
    assert [-float(str(act.data["amount"])) for act in charged] == plans
    assert not any(act.disputed for act in charged)
    assert {each.act.account.tier for each in free.abuse if each.act.time > each.act.account.created + DAY} == {"payg"}


def test_distant_people_use_one_account_at_once(free: Campaign) -> None:
    assert most(free.abuse, "country") >= 3
    assert most(free.abuse, "device") >= 3
    assert most(free.abuse, "device", "api.request") >= 3
    assert most(free.abuse, "asn", within=7 * DAY) >= 6
    assert most(free.abuse, "device", within=7 * DAY) >= 8


def test_each_sits_down_by_logging_in_and_asks_in_the_hour_after(free: Campaign) -> None:
    logged_in: dict[tuple[str, object], int] = {}
    for each in free.abuse:
        who = each.act.account.name, each.act.data.get("device")
        if each.act.type == "account.login":
            logged_in[who] = each.act.time
        elif each.act.type == "api.request":
            assert 0 <= each.act.time - logged_in[who] <= HOUR + HOUR // 10


def test_where_distant_log_ins_are_minded_they_come_by_one_vpn_or_one_at_a_time(world: Loaded) -> None:
    rich = offered(world, budget=3_000.0)
    runs = [shared(rich, banned(2, places), days=120, seed=seed) for seed in (1, 2, 3)]
    assert sum(share(each, NAIVE) for each in runs) / 3 < 0.4
    assert sum(each.profit for each in runs) < 0.8 * sum(shared(rich, nobody_minds, 120, s).profit for s in (1, 2, 3))


def test_behind_one_vpn_all_come_by_one_address_on_their_own_devices(
    world: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    only(monkeypatch, "one VPN for all, each in their own browser, as they please")
    found = shared(world, nobody_minds)
    assert most(found.abuse, "device", within=30 * DAY) >= 6
    assert most(found.abuse, "ip", within=30 * DAY) == 1
    assert {each.act.data["asn"] for each in found.abuse if "asn" in each.act.data} <= set(HOSTING)
    assert sum(each.dollars for each in found.book if each.what == "vpn") < 0


def test_where_many_devices_are_minded_one_profile_is_installed_by_all(world: Loaded) -> None:
    seeds = (1, 2, 3)
    runs = [shared(world, banned(5, devices, 30 * DAY), seed=seed) for seed in seeds]
    assert sum(share(each, "one browser profile for all") for each in runs) / 3 > 0.7
    assert sum(each.profit for each in runs) < 0.8 * sum(
        shared(world, nobody_minds, seed=seed).profit for seed in seeds
    )


def test_in_one_profile_all_show_one_device_in_many_countries(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "each on their own line, one browser profile for all, as they please")
    found = shared(world, nobody_minds)
    assert most(found.abuse, "device", within=30 * DAY) == 1
    assert most(found.abuse, "country", within=30 * DAY) >= 4
    assert sum(each.what == "profile" for each in found.book) >= 6 * len(found.ways)


def test_where_many_log_ins_are_minded_they_come_by_a_rota(world: Loaded, free: Campaign) -> None:
    found = shared(offered(world, budget=3_000.0), banned(1, times), days=150, seed=2)
    assert share(found, "by a rota") > 0.5
    rota = [each for each in late(found) if each.seen.served]
    assert most(rota, "time") <= 2
    assert paid_a_day(found) < 0.75 * paid_a_day(free)


def test_where_many_devices_are_minded_and_profiles_are_dear_few_share_one(world: Loaded) -> None:
    cheap = offered(world, profile=50.0, plan=8.0, budget=3_000.0)
    found = shared(cheap, banned(5, devices, 30 * DAY), days=120, seed=2)
    assert share(found, "few on an account") > 0.7
    assert most(late(found), "device", within=30 * DAY) <= 5
    plans = sum(each.what == "pays the plan" for each in found.book)
    assert plans > 2 * len(found.ways)


def paid_a_day(found: Campaign) -> float:
    """What heads paid for a day with a log-in."""
    fees = sum(each.dollars for each in found.book if each.what == "shares")
    return fees / sum(each.act.type == "account.login" and each.seen.served for each in found.abuse)


def test_heads_who_are_not_served_do_not_pay(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, NAIVE)
    busy = offered(world, budget=3_000.0, daily=12.0)
    free, found = shared(busy, nobody_minds, days=40), shared(busy, slowed, days=40)
    assert found.served < 0.7 * free.served
    paid = sum(each.dollars for each in found.book if each.what == "shares")
    assert 0 < paid < 0.7 * sum(each.dollars for each in free.book if each.what == "shares")


def test_an_account_that_is_closed_brings_nothing_more(world: Loaded) -> None:
    def after_a_week(event: dict[str, object], time: int) -> Action:
        made.setdefault(said(event)["account"], time)
        return Action.BAN if time > made[said(event)["account"]] + 7 * DAY else Action.ALLOW

    made: dict[object, int] = {}
    found = shared(world, after_a_week, days=365, seed=3)
    ends = {each.act.account.name: each.act.time for each in found.abuse}
    assert max(ends[name] - made[name] for name in ends) < 9 * DAY
    paid = [each for each in found.book if each.what == "shares"]
    assert 0 < len(paid) <= 8 * sum(each.what == "pays the plan" for each in found.book)
    assert found.left is not None
    assert found.profit < 0


def test_who_is_thrown_out_gets_another_account_at_most_twice(world: Loaded) -> None:
    found = shared(world, banned(1, devices, 30 * DAY), days=30)
    owners = defaultdict[object, set[str]](set)
    for each in found.abuse:
        if each.act.type == "account.signup":
            owners[each.act.data["device"]].add(each.act.account.name)
    assert max(map(len, owners.values())) == 3
    assert len(owners) >= len(found.ways) - 1


def test_where_some_are_thrown_out_and_most_are_not_it_goes_on(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, NAIVE)

    def decides(event: dict[str, object], _time: int) -> Action:
        unlucky = str(said(event)["account"])[-1] in "0123"
        return Action.BAN if event["type"] == "account.signup" and unlucky else Action.ALLOW

    for seed in (1, 2, 3):
        found = shared(world, decides, days=150, seed=seed)
        assert found.left is None
        assert found.profit > 0


def test_a_month_brings_about_what_it_is_hoped_to(world: Loaded) -> None:
    for decides in (nobody_minds, banned(5, devices, 30 * DAY)):
        found = shared(world, decides, days=150)
        tries = [each for each in found.book if each.what == "tries"]
        begins, ends = tries[len(tries) // 2].time, tries[-1].time
        hopes = [float(each.note.rpartition("bring ")[2].split()[0]) for each in tries if begins <= each.time < ends]
        assert 0.5 < sum(each.dollars for each in found.book if begins <= each.time < ends) / sum(hopes) < 2.0


def test_where_a_plan_costs_more_than_heads_pay_nobody_shares_one(world: Loaded) -> None:
    found = shared(offered(world, plan=150.0), nobody_minds, days=30)
    assert found.left == "no way pays any more"
    assert not found.abuse


def offered(world: Loaded, **figures: float) -> Loaded:
    """The world with other figures of sharers, another price of a profile, or another budget."""
    spec, price = world.world.opponent["seat_share"], dict(world.world.price)
    more = dict(spec.more)
    for name in figures.keys() & more.keys():
        more[name] = msgspec.structs.replace(more[name], low=figures[name], high=figures[name])
    if "profile" in figures:
        price["profile"] = msgspec.structs.replace(price["profile"], low=figures["profile"], high=figures["profile"])
    budget = Range(low=figures["budget"], high=figures["budget"]) if "budget" in figures else spec.budget
    opponent = {**world.world.opponent, "seat_share": msgspec.structs.replace(spec, more=more, budget=budget)}
    return Loaded(msgspec.structs.replace(world.world, opponent=opponent, price=price), f"{figures}")
