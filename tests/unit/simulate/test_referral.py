"""Abusers of referrals: stars on one device while nobody minds; chains, delay, cards apart where somebody does."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from datetime import datetime

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, nobody_minds, said
from tests.unit.simulate.several import by_account, remaining, several, share, spent
from tests.unit.simulate.worlds import world_of

#: What a guest's and a host's invitation bring in this world: the middle of 5 and 10.
_REWARD = 50**0.5
_THROWAWAY = ("mailinator.com", "guerrillamail.com", "sharklasers.com", "trashmail.com")
_SERVERS = "64498"


class Tree:
    """The accounts that came by one campaign: its way, and what each did, the first account's first."""

    def __init__(self, words: str, root: list[Done]) -> None:
        self.words = words
        self.accounts = {root[0].act.account.name: root}
        self.host_of: dict[str, str] = {}

    @property
    def guests(self) -> Counter[str]:
        """How many came by each account's invitation."""
        return Counter(self.host_of.values())

    @property
    def all(self) -> list[Done]:
        return [each for did in self.accounts.values() for each in did]

    def values(self, kind: str, name: str) -> list[object]:
        return [each.act.data[name] for each in self.all if each.act.type == kind]


def trees(found: Campaign) -> list[Tree]:
    """An opponent's trees, by who invited whom."""
    begun = [(each.time - each.time % 1_000, each.note) for each in found.book if each.what == "tries"]
    every, of = list[Tree](), dict[str, Tree]()
    for name, did in by_account(found).items():
        host = did[0].act.data.get("referred_by")
        if host is None:
            words = [note for time, note in begun if time <= did[0].act.time][-1]
            every.append(Tree(words, did))
            of[name] = every[-1]
            continue
        of[name] = of[str(host)]
        of[name].accounts[name] = did
        of[name].host_of[name] = str(host)
    return every


def every_tree(found: Iterable[Campaign], words: str) -> list[Tree]:
    return [each for one in found for each in trees(one) if words in each.words]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def free(world: Loaded) -> list[Campaign]:
    return several("referral", world, lambda: nobody_minds)


def distinct_by(kind: str, by: str, most: int) -> Decides:
    """A company that bans who is one account too many with the same device, card or host."""
    with_it = defaultdict[object, set[object]](set)

    def decides(event: dict[str, object], _time: int) -> Action:
        data = said(event)
        if event["type"] != kind or by not in data:
            return Action.ALLOW
        with_it[data[by]].add(data["account"])
        return Action.BAN if len(with_it[data[by]]) > most else Action.ALLOW

    return decides


def profit(found: Iterable[Campaign]) -> float:
    return sum(each.profit for each in found)


def served(found: Iterable[Campaign]) -> float:
    return sum(each.served for each in found)


def test_while_nobody_minds_most_make_stars_on_one_device_with_one_card(free: list[Campaign]) -> None:
    assert all(each.profit > 100 and each.left is None for each in free)
    assert share(free, "a star") > 0.6
    assert share(free, "one device and one card for all") > 0.9
    assert share(free, "guests who do nothing else") > 0.9
    stars = every_tree(free, "a star")
    assert all(len(each.guests) <= 1 for each in stars)  # one host
    assert max(sum(each.guests.values()) for each in stars) > 6
    for each in every_tree(free, "a star, one device"):
        assert len(set(each.values("referral.claimed", "device"))) <= 3
        assert len(set(each.values("payment.method_added", "card"))) <= 2


def test_guests_of_stars_do_nothing_else(free: list[Campaign]) -> None:
    idle = [
        each.accounts[guest]
        for each in every_tree(free, "a star")
        if "do nothing else" in each.words
        for guest in each.host_of
    ]
    assert len(idle) > 100
    assert {each.act.type for did in idle for each in did} == {
        "account.signup", "account.verified", "credits.granted", "key.created", "referral.claimed",
        "payment.method_added",
    }  # fmt: skip


def test_who_signs_up_and_claims_names_the_same_host_and_both_are_given_the_same(free: list[Campaign]) -> None:
    for each in every_tree(free, ""):
        granted = Counter[str]()
        for one in each.all:
            if one.act.type == "referral.claimed":
                assert one.act.data["referred_by"] == each.host_of[one.act.account.name]
            if one.act.data.get("purpose") == "referral":
                granted[one.act.account.name] += 1
        claimed = {one.act.account.name for one in each.all if one.act.type == "referral.claimed"}
        for name in each.accounts:
            given = (name in claimed) + sum(each.host_of[guest] == name for guest in claimed)
            assert abs(granted[name] - given) <= 1  # the last may be under way when the play ends
    assert sum(len(set(each.host_of.values())) for each in every_tree(free, "")) > 50


def test_hosts_give_what_was_collected_and_no_more(free: list[Campaign]) -> None:
    gave = 0
    for each in every_tree(free, ""):
        for name, did in each.accounts.items():
            granted = [one for one in did if one.act.data.get("purpose") == "referral"]
            got = sum(one.act.dollars for one in did if one.act.data.get("model") == "frontier-2" and one.seen.served)
            assert got < 5.0 + _REWARD * len(granted) + 1.0, each.words
            gave += got >= 5.0 + _REWARD * len(granted)
            if got:
                assert each.host_of.get(name) is None or "chain" in each.words
    assert gave > 50
    sold = sum(each.dollars for one in free for each in one.book if each.what == "sells")
    assert 0.3 * served(free) < sold <= 0.6 * served(free)


def test_where_stars_are_watched_all_make_chains(world: Loaded, free: list[Campaign]) -> None:
    found = several("referral", world, lambda: distinct_by("referral.claimed", "referred_by", 2), days=90)
    assert share(found, "chain") > 0.9
    chains = every_tree(found, "chain")
    assert all(max(each.guests.values(), default=0) <= 1 for each in chains)
    assert max(len(each.accounts) for each in chains) >= 4
    assert 0 < profit(found) / 90 < 0.8 * profit(free) / 60


def test_where_young_hosts_are_watched_all_wait_between_the_links(world: Loaded) -> None:
    def decides(event: dict[str, object], time: int) -> Action:
        if event["type"] != "referral.claimed":
            return Action.ALLOW
        made = datetime.fromisoformat(str(said(event)["referrer_created"])).timestamp()
        return Action.BAN if time - made * 1e6 < 2 * DAY else Action.ALLOW

    found = several("referral", world, lambda: decides, days=90)
    assert share(found, "with days between") > 0.8
    long = every_tree(found, "with days between")
    assert max(len(each.accounts) for each in long) >= 5
    assert profit(found) > 0


def test_where_devices_are_watched_each_has_a_profile_and_a_card(world: Loaded, free: list[Campaign]) -> None:
    found = several("referral", world, lambda: distinct_by("account.signup", "device", 2), days=90)
    assert share(remaining(found), "a profile and a card for each") > 0.6
    for each in every_tree(found, "a profile and a card for each"):
        for kind, name in (("account.signup", "device"), ("payment.method_added", "card")):
            assert set(Counter(each.values(kind, name)).values()) <= {1}
    assert spent(found) / served(found) > 1.5 * spent(free) / served(free)


def test_where_one_card_is_watched_each_has_its_own_and_less_is_earned(world: Loaded, free: list[Campaign]) -> None:
    found = several("referral", world, lambda: distinct_by("payment.method_added", "card", 2), days=90)
    assert share(remaining(found), "a card for each") > 0.6
    assert profit(found) / 90 < 0.5 * profit(free) / 60


def test_where_idle_guests_are_watched_somebody_uses_them_a_little(world: Loaded) -> None:
    def makes() -> Decides:
        asked = set[object]()

        def decides(event: dict[str, object], _time: int) -> Action:
            if event["type"] == "api.request":
                asked.add(said(event)["account"])
            idle = event["type"] == "referral.claimed" and said(event)["account"] not in asked
            return Action.BAN if idle else Action.ALLOW

        return decides

    found = several("referral", world, makes)
    assert share(found, "use a little first") > 0.8
    tended = [each.dollars for one in found for each in one.book if each.what == "tends"]
    assert len(tended) > 50
    assert all(-1.0 <= each <= -0.3 for each in tended)
    for each in every_tree(found, "use a little first"):
        if "a star" in each.words:
            host = each.accounts[next(iter(each.accounts))]
            given = [one.act.time for one in host if one.act.data.get("model") == "frontier-2"]
            claimed = [one.act.time for one in each.all if one.act.type == "referral.claimed"]
            assert not given or max(claimed) < min(given)  # nothing is left behind on the host
        for guest in each.host_of:
            did = [one.act for one in each.accounts[guest]]
            claims = [act.time for act in did if act.type == "referral.claimed"]
            before = [act for act in did if act.type == "api.request" and claims and act.time < claims[0]]
            assert bool(claims) == bool(before)
            assert {act.data["model"] for act in before} <= {"base-2"}


def test_where_throwaway_mail_is_stopped_all_buy_mailboxes(world: Loaded) -> None:
    def decides(event: dict[str, object], _time: int) -> Action:
        thrown = event["type"] == "account.signup" and str(said(event)["email"]).endswith(_THROWAWAY)
        return Action.BAN if thrown else Action.ALLOW

    found = several("referral", world, lambda: decides)
    assert share(found, "bought mailboxes by people's lines") > 0.9
    for each in every_tree(found, ""):
        clean = "bought mailboxes" in each.words
        assert {str(mail).endswith(_THROWAWAY) for mail in each.values("account.signup", "email")} == {not clean}
        assert {asn == _SERVERS for asn in each.values("account.signup", "asn")} == {not clean}


def test_no_link_is_put_behind_one_that_broke(world: Loaded) -> None:
    found = several(
        "referral",
        world,
        lambda: lambda event, _: Action.BAN if event["type"] == "referral.claimed" else Action.ALLOW,
        days=120,
    )
    invited = 0
    for one in found:
        broke = {each.act.account.name: each.act.time for each in one.abuse if each.act.type == "referral.claimed"}
        for each in one.abuse:
            if each.act.type == "account.signup" and "referred_by" in each.act.data:
                invited += 1
                assert each.act.time < broke.get(str(each.act.data["referred_by"]), 1 << 62)
    assert invited > 100
    assert share(found, "chain") > 0.2


def test_where_hosts_are_stopped_as_they_use_up_what_they_collected_much_is_tried_and_lost(world: Loaded) -> None:
    def makes() -> Decides:
        asked = Counter[object]()

        def decides(event: dict[str, object], _time: int) -> Action:
            data = said(event)
            if event["type"] != "api.request" or data["tier"] != "free" or data["model"] != "frontier-2":
                return Action.ALLOW
            asked[data["account"]] += 1
            return Action.BAN if asked[data["account"]] > 5 else Action.ALLOW

        return decides

    found = several("referral", world, makes, days=150)
    assert profit(found) < 0
    assert all(len(set(each.ways)) > 5 for each in found)  # of which the others are thought no better


def test_guests_do_not_come_to_a_host_who_was_stopped_and_soon_none_is_tried(world: Loaded) -> None:
    def decides(event: dict[str, object], _time: int) -> Action:
        first = event["type"] == "account.signup" and "referred_by" not in said(event)
        return Action.BAN if first else Action.ALLOW

    found = several("referral", world, lambda: decides, days=150)
    assert len(remaining(found)) <= 1
    for each in found:
        assert each.types["referral.claimed"] == 0
        assert each.types["account.signup"] == len(each.ways)
        assert each.profit > -100
