"""People from where the service is not offered: what gives them away, what each answer costs, when they leave."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import msgspec
import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY
from fairgate.simulate.operator import Business, business
from fairgate.simulate.opponents import region
from fairgate.simulate.places import COUNTRIES, HOSTING
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded, Range
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of

ZONES = {"Antarctica/McMurdo", "Antarctica/Troll"}
ENTRIES = {"account.signup", "account.login"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def free(world: Loaded) -> list[Campaign]:
    """What three of them do where nobody minds."""
    return several(world, nobody_minds)


def using(world: Loaded, decides: Decides, days: int = 120, seed: int = 1) -> Campaign:
    return campaign("region", world, decides, days, seed)


def several(world: Loaded, decides: Decides, days: int = 120) -> list[Campaign]:
    return [using(world, decides, days, seed) for seed in (1, 2, 3)]


def only(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    """Leaves those ways alone that have these words."""
    ways = {words: way for words, way in region._WAYS.items() if part in words}
    assert ways
    life = partial(business, Business(ways, region._worth, region._run))
    monkeypatch.setattr(region, "ARCHETYPE", replace(region.ARCHETYPE, life=life))


def share(runs: list[Campaign], part: str) -> float:
    """The share of the later half of the ways tried that has these words."""
    late = [each for found in runs for each in found.ways[len(found.ways) // 2 :]]
    return sum(part in each for each in late) / len(late)


def entries(found: Campaign) -> list[Done]:
    """The sign-ups and log-ins that were served."""
    return [each for each in found.abuse if each.act.type in ENTRIES and each.seen.served]


def priced(world: Loaded, what: str, dollars: float) -> Loaded:
    """The world with another price of one thing."""
    price = msgspec.structs.replace(world.world.price[what], low=dollars, high=dollars)
    prices = {**world.world.price, what: price}
    return Loaded(msgspec.structs.replace(world.world, price=prices), f"{world.digest} {what} {dollars}")


def booked(found: Campaign, what: str) -> float:
    """What the book has under a word, in dollars."""
    return sum(each.dollars for each in found.book if each.what == what)


def banned(*bad: Callable[[str, dict[str, object]], bool]) -> Decides:
    """Bans whoever sends an event of which one of these holds."""

    def decides(event: dict[str, object], _time: int) -> Action:
        kind = str(event["type"])
        return Action.BAN if any(each(kind, said(event)) for each in bad) else Action.ALLOW

    return decides


def foreign_clock(kind: str, data: dict[str, object]) -> bool:
    return kind in ENTRIES and data.get("timezone") in ZONES


def card_from_home(kind: str, data: dict[str, object]) -> bool:
    return kind == "payment.method_added" and data["card_country"] == "AQ"


def rented_exit(kind: str, data: dict[str, object]) -> bool:
    return kind in ENTRIES and data["asn"] in HOSTING


def any_card(kind: str, _data: dict[str, object]) -> bool:
    return kind == "payment.method_added"


def newcomer(kind: str, _data: dict[str, object]) -> bool:
    return kind == "account.signup"


def test_where_nobody_minds_they_pay_the_list_price_and_have_more_of_it(free: list[Campaign]) -> None:
    for found in free:
        assert found.left is None
        paid = -booked(found, "buys credits")
        given = 5.0 * found.types["credits.granted"]
        assert 0.75 * (paid + given) < found.served < 1.02 * (paid + given)
        assert paid > 0.8 * found.served
        assert 1.2 * found.served < booked(found, "uses") <= 2.0 * found.served
        charged = [each.act for each in found.abuse if each.act.type == "payment.charged"]
        assert paid == pytest.approx(sum(float(str(act.data["amount"])) for act in charged))
        assert not any(act.disputed for act in charged)


def test_a_clock_and_a_card_stay_at_home_behind_an_exit(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "through a VPN, the clock as it is, with a card from home")
    found = using(world, nobody_minds)
    seen = [each.act.data for each in entries(found)]
    assert {data["timezone"] for data in seen} <= ZONES
    assert {data["asn"] for data in seen} <= set(HOSTING)
    assert {data["country"] for data in seen} <= set(HOSTING.values())
    cards = [each.act.data for each in found.abuse if each.act.type == "payment.method_added"]
    assert {data["card_country"] for data in cards} == {"AQ"}


def test_the_careful_look_like_people_at_home(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "through somebody's line, the clock set right, with a foreign virtual card")
    found = using(world, nobody_minds)
    zones = {each.code: each.timezone for each in COUNTRIES}
    seen = [each.act.data for each in entries(found)]
    assert all(data["timezone"] == zones[str(data["country"])] for data in seen)
    assert not {data["asn"] for data in seen} & set(HOSTING)
    assert len({data["ip"] for data in seen}) > 8
    cards = [each.act.data for each in found.abuse if each.act.type == "payment.method_added"]
    assert all(data["card_country"] == data["country"] for data in cards)
    assert max(booked(found, what) for what in ("traffic", "profile", "virtual_card")) < 0


def test_all_who_have_a_vpn_share_a_few_exits(world: Loaded) -> None:
    exits = set[object]()
    for seed in range(10, 25):
        found = using(world, nobody_minds, days=40, seed=seed)
        exits |= {each.act.data["ip"] for each in entries(found) if each.act.data["asn"] in HOSTING}
    assert 3 <= len(exits) <= 12


def test_an_account_is_kept_while_it_goes(free: list[Campaign]) -> None:
    for found in free:
        assert found.types["account.signup"] < 0.4 * len(found.ways)
        assert found.types["account.login"] > 1.5 * len(found.ways)
        days = defaultdict[int, set[str]](set)
        for each in found.abuse:
            if each.act.type == "account.login":
                days[each.act.time // DAY].add(each.act.account.name)
        assert max(map(len, days.values())) <= 2


def test_nobody_uses_more_than_was_given_and_bought(free: list[Campaign]) -> None:
    for found in free:
        left = defaultdict[str, float](float)
        for each in found.abuse:
            left[each.act.account.name] -= each.act.dollars
            if each.act.type in {"credits.granted", "payment.charged"}:
                left[each.act.account.name] += float(str(each.act.data["amount"]))
            assert left[each.act.account.name] > -1.0  # one request may go beyond


def test_where_clocks_are_minded_they_are_set_right(world: Loaded, free: list[Campaign]) -> None:
    assert share(free, "the clock set right") < 0.6
    found = several(world, banned(foreign_clock))
    assert share(found, "the clock set right") > 0.8


def test_where_cards_from_home_are_minded_foreign_ones_are_bought(world: Loaded, free: list[Campaign]) -> None:
    assert share(free, "with a foreign virtual card") < 0.3
    found = several(world, banned(card_from_home))
    assert share(found, "with a foreign virtual card") > 0.7


def test_where_rented_exits_are_minded_they_come_by_somebodys_line(world: Loaded, free: list[Campaign]) -> None:
    assert share(free, "through somebody's line") < 0.85
    assert share(several(world, banned(rented_exit)), "through somebody's line") > 0.9


def test_where_all_of_that_is_minded_each_answer_is_found_and_little_is_left(
    world: Loaded, free: list[Campaign]
) -> None:
    found = several(world, banned(foreign_clock, card_from_home, rented_exit))
    assert share(found, "through somebody's line, the clock set right, with a foreign virtual card") > 0.5
    assert sum(each.profit for each in found) < 0.75 * sum(each.profit for each in free)


def test_where_newcomers_are_minded_they_buy_of_a_reseller(world: Loaded, free: list[Campaign]) -> None:
    found = several(priced(world, "aged_account", 4.0), banned(newcomer), days=150)
    assert share(free, "by a reseller's old account") < 0.2
    assert share(found, "by a reseller's old account") > 0.6
    for each in found:
        shut = {one.act.account.name for one in each.abuse if one.act.type == "account.signup"}
        assert not [one for one in each.abuse if one.act.account.name in shut and one.act.type != "account.signup"]


def test_a_reseller_takes_more_than_the_list_price(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "by a reseller's old account")
    found = using(world, nobody_minds)
    charged = sum(float(str(each.act.data["amount"])) for each in found.abuse if each.act.type == "payment.charged")
    assert charged > 50
    assert -booked(found, "buys credits") == pytest.approx(1.15 * charged)
    assert min(each.act.time - each.act.account.created for each in entries(found)) > 50 * DAY
    assert booked(found, "aged_account") < 0
    assert "account.signup" not in found.types


def test_where_no_card_is_taken_they_live_on_trials(world: Loaded, free: list[Campaign]) -> None:
    found = several(world, banned(any_card), days=150)
    assert share(free, "on what newcomers are given") < 0.2
    assert share(found, "on what newcomers are given") > 0.6


def test_on_trials_there_is_an_account_each_time(world: Loaded, monkeypatch: pytest.MonkeyPatch) -> None:
    only(monkeypatch, "on what newcomers are given")
    found = using(world, nobody_minds)
    assert found.types["account.signup"] > 0.7 * len(found.ways)
    assert sum(each.what == "own time" for each in found.book) == found.types["account.signup"]
    assert booked(found, "buys credits") == 0
    used = defaultdict[str, float](float)
    for each in found.abuse:
        used[each.act.account.name] += each.act.dollars
    assert max(used.values()) < 6.0  # of five dollars, and the request that went beyond


def test_whoever_is_closed_out_loses_credits_and_starts_anew(world: Loaded, free: list[Campaign]) -> None:
    def after_a_day(event: dict[str, object], time: int) -> Action:
        began.setdefault(said(event)["account"], time)
        return Action.BAN if time > began[said(event)["account"]] + DAY else Action.ALLOW

    began: dict[object, int] = {}
    found = using(world, after_a_day, days=250)
    assert found.types["account.signup"] > 2 * free[0].types["account.signup"]
    assert booked(found, "own time") < booked(free[0], "own time")
    assert found.left is not None
    assert found.profit < 0.5 * free[0].profit


@pytest.mark.parametrize("clock", ["the clock as it is", "the clock set right"])
def test_the_same_browser_comes_back_unless_a_profile_hides_it(
    world: Loaded, monkeypatch: pytest.MonkeyPatch, clock: str
) -> None:
    only(monkeypatch, f"through a VPN, {clock}, on what newcomers are given")
    found = using(world, nobody_minds)
    devices = {each.act.data["device"] for each in found.abuse if each.act.type == "account.signup"}
    assert (len(devices) == 1) == (clock == "the clock as it is")


def test_what_is_hoped_for_is_about_what_comes(world: Loaded) -> None:
    for decides in (nobody_minds, banned(card_from_home, rented_exit)):
        got = hoped = 0.0
        for seed in (1, 2, 3):
            found = using(world, decides, seed=seed)
            tries = [each for each in found.book if each.what == "tries"]
            begins, ends = tries[len(tries) // 2].time, tries[-1].time
            within = [each for each in found.book if begins <= each.time < ends]
            got += sum(each.dollars for each in within)
            hoped += sum(float(each.note.rpartition("bring ")[2].split()[0]) for each in within if each.what == "tries")
        assert 0.5 < got / hoped < 2.0


def test_where_it_is_worth_no_more_than_it_costs_nobody_comes(world: Loaded) -> None:
    spec = world.world.opponent["region"]
    plain = msgspec.structs.replace(
        spec,
        more={**spec.more, "values": msgspec.structs.replace(spec.more["values"], low=0.9, high=0.9)},
        budget=Range(low=500.0, high=500.0),
    )
    poor = Loaded(
        msgspec.structs.replace(world.world, opponent={**world.world.opponent, "region": plain}), "worth the price"
    )
    found = using(poor, nobody_minds, days=60)
    assert found.left == "no way pays any more"
    assert not found.abuse
