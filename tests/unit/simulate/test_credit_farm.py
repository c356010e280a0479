"""A farmer of free credits: earns where nobody minds, changes its ways where somebody does, and leaves in the end."""

from collections import Counter

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, campaign, nobody_minds, said
from tests.unit.simulate.worlds import world_of


def farmed(world: Loaded, decides: Decides, days: int = 60, seed: int = 1) -> Campaign:
    return campaign("credit_farm", world, decides, days, seed)


def no_throwaway_mail(event: dict[str, object], _time: int) -> Action:
    thrown = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")
    bad = event["type"] == "account.signup" and str(said(event)["email"]).endswith(thrown)
    return Action.BAN if bad else Action.ALLOW


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


def test_where_nobody_minds_it_pays(world: Loaded) -> None:
    found = farmed(world, nobody_minds)
    assert found.profit > 100
    assert len(found.ways) > 5
    assert found.left is None
    assert all(not each.act.account.honest and each.act.account.owner.kind == "credit_farm" for each in found.abuse)
    assert set(found.types) == {
        "account.signup", "account.verified", "credits.granted", "key.created", "api.request", "credits.spent",
    }  # fmt: skip
    drained = Counter[str]()
    for each in found.abuse:
        drained[each.act.account.name] += each.act.dollars  # type: ignore[assignment]
    assert max(drained.values()) < 2 * 5.0  # of what was given, and the request that went beyond


def test_a_way_that_fails_is_left_for_one_that_does_not(world: Loaded) -> None:
    found = farmed(world, no_throwaway_mail, days=90)
    late = found.ways[len(found.ways) // 2 :]
    kept = [each for each in late if "bought mailboxes" in each]
    assert len(kept) > 0.7 * len(late)
    assert [each for each in found.ways[:6] if "throwaway" in each]


def test_where_nothing_pays_it_leaves_and_says_why(world: Loaded) -> None:
    farm = farmed(world, nobody_minds, days=1)  # honest people are left alone
    honest = {each.act.account.name for each in farm.done if not each.act.abuse}
    found = farmed(
        world,
        lambda event, _: Action.BAN if event["type"] == "account.signup" and said(event)["account"] not in honest
        else Action.ALLOW,
        days=400,
    )  # fmt: skip
    assert found.served == 0
    assert found.left in {"no way pays any more", "the purse is empty"}
    [left] = [each for each in found.book if each.what == "leaves"]
    assert found.book[-1].time <= left.time + 12 * DAY
    assert all(each.dollars <= 0 for each in found.book)


def test_the_same_seed_gives_the_same_book(world: Loaded) -> None:
    assert farmed(world, no_throwaway_mail, days=20).book == farmed(world, no_throwaway_mail, days=20).book
    assert farmed(world, no_throwaway_mail, days=20).book != farmed(world, no_throwaway_mail, days=20, seed=2).book


def test_a_banned_account_costs_and_brings_what_was_drained_until_then(world: Loaded) -> None:
    seen = Counter[str]()

    def decides(event: dict[str, object], _time: int) -> Action:
        account = str(said(event)["account"])
        seen[account] += event["type"] == "api.request"
        return Action.BAN if seen[account] > 5 else Action.ALLOW

    found = farmed(world, decides, days=15)
    sold = [each.dollars for each in found.book if each.what == "sells"]
    assert sold
    assert max(sold) < max(each.dollars for each in farmed(world, nobody_minds, days=15).book)


def test_whoever_is_careless_comes_back_with_the_same_profile(world: Loaded) -> None:
    found = farmed(world, nobody_minds, days=40)
    devices = Counter(str(each.act.data["device"]) for each in found.abuse if each.act.type == "account.signup")
    assert max(devices.values()) == 6
    assert len(devices) > 2
