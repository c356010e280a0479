"""Repeat violators: come back as nearly the same, and hide, pay or soften where that is held against them."""

from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, nobody_minds, said
from tests.unit.simulate.several import by_account, remaining, several, tries
from tests.unit.simulate.worlds import world_of

_SAME = "the same device"
_THINGS = {"aged_account", "mailbox", "profile", "traffic", "virtual_card"}
#: People are poor and differ: it takes more of them to say what most do.
SEEDS = tuple(range(1, 13))


def returned(world: Loaded, makes: type["Company"] | None = None, *shared: str, days: int = 90) -> list[Campaign]:
    """Twelve of them, each in a world whose company bans plain words and knows again what is shared."""
    return several("returner", world, lambda: Company(*shared) if makes else nobody_minds, days, SEEDS)


class Company:
    """Bans an account at the third grave flag, and suspends who shares one of these with an account that was banned."""

    def __init__(self, *shared: str, at: int = 3, grave: float = 0.7) -> None:
        self.shared = shared
        self.at = at
        self.grave = grave
        self.flags = Counter[object]()
        self.had = defaultdict[object, set[object]](set)
        self.known = set[object]()

    def __call__(self, event: dict[str, object], _time: int) -> Action:
        data = said(event)
        account = data["account"]
        has = {data[name] for name in self.shared if name in data}
        self.had[account] |= has
        if event["type"] == "policy.flagged" and float(str(data["severity"])) >= self.grave:
            self.flags[account] += 1
            if self.flags[account] == self.at:
                self.known |= self.had[account]
                return Action.BAN
        return Action.SUSPEND if has & self.known and event["type"] != "account.label" else Action.ALLOW


def stops(*types: str) -> Decides:
    return lambda event, _: Action.SUSPEND if event["type"] in types else Action.ALLOW


def values(done: list[Done], name: str) -> set[object]:
    return {each.act.data[name] for each in done if name in each.act.data}


def asked(done: list[Done]) -> list[Done]:
    return [each for each in done if each.act.type == "api.request"]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def flagged(world: Loaded) -> list[Campaign]:
    """Those in worlds in which only what is asked for is looked at."""
    return returned(world, Company)


def test_who_is_let_stays_with_one_account_and_asks_what_is_forbidden(world: Loaded) -> None:
    for found in returned(world):
        assert len(by_account(found)) == len(found.ways) == 1
        assert found.ways[0].startswith(_SAME)
        requests = asked(found.abuse)
        assert len(requests) > 200
        assert all(0.7 <= each.act.forbidden <= 0.95 for each in requests)
        assert len(values(requests, "prompt_template")) == len(values(requests, "device")) == 1
        paid = sum(float(str(each.act.data["amount"])) for each in found.abuse if each.act.type == "payment.charged")
        assert found.served < 5.0 + paid + 0.2
        assert -sum(each.dollars for each in found.book if each.what == "buys credits") == paid
        answers = [each.dollars for each in found.book if each.what == "has an answer"]
        assert len(answers) == sum(each.seen.served for each in requests)
        assert 0.2 <= min(answers) == max(answers) <= 0.6


def test_the_first_time_all_come_as_they_are(flagged: list[Campaign]) -> None:
    assert {each.ways[0] for each in flagged} == {
        f"{_SAME} and card, a tag on the mailbox; the same questions; all on one account"
    }


def test_who_comes_back_as_the_same_has_a_tag_on_the_mailbox_and_the_line_and_device(flagged: list[Campaign]) -> None:
    again = 0
    for found in flagged:
        own = next(iter(by_account(found).values()))
        [first] = values(own, "email")
        name, _, domain = str(first).partition("@")
        assert "+" not in name
        mails = list[str]()
        for _, words, done in tries(found)[1:]:
            if words.startswith(_SAME):
                assert values(done, "device") == values(own, "device")
                assert values(done, "ip") == values(own, "ip")
                mails += sorted(map(str, values(done, "email")))
        assert all(each.startswith(f"{name}+") and each.endswith(f"@{domain}") for each in mails)
        assert len(set(mails)) == len(mails)
        again += len(mails)
    assert again > 12


def test_they_stay_away_for_a_while_after_a_ban(flagged: list[Campaign]) -> None:
    for found in flagged:
        for (_, _, before), (start, _, _) in pairwise(tries(found)):
            assert start - before[-1].act.time > 0.19 * DAY


def test_where_plain_words_are_banned_the_last_word_is_milder(flagged: list[Campaign]) -> None:
    stay = remaining(flagged)
    assert len(stay) > 2  # the others are poor before they come to it
    assert all("milder words" in each.ways[-1] for each in stay)
    for found in stay:
        every = list(by_account(found).values())
        assert values(every[-1], "prompt_template").isdisjoint(values(every[0], "prompt_template"))
        worth = {round(each.dollars, 6) for each in found.book if each.what == "has an answer"}
        assert min(worth) == pytest.approx(0.6 * max(worth), rel=1e-3)
        assert 0.3 < max(each.act.forbidden for each in asked(every[-1])) < 0.45
        assert len(asked(every[-1])) > 20


def test_the_same_questions_keep_their_form_whoever_asks(flagged: list[Campaign]) -> None:
    for found in flagged:
        forms = [
            values(asked(done), "prompt_template") for _, words, done in tries(found) if "the same questions" in words
        ]
        assert len(set[object]().union(*forms)) == 1


def test_where_devices_are_known_again_all_who_stay_come_on_new_profiles(world: Loaded) -> None:
    stay = remaining(returned(world, Company, "device"))
    assert len(stay) > 1
    for found in stay:
        every = list(by_account(found).values())
        assert not found.ways[-1].startswith(_SAME)
        assert values(every[-1], "device").isdisjoint(values(every[0], "device"))
        assert [each for each in found.book if each.what == "profile"]


def test_where_lines_and_cards_are_known_too_all_who_stay_come_by_others(
    world: Loaded, flagged: list[Campaign]
) -> None:
    found = returned(world, Company, "device", "ip", "card")
    stay = remaining(found)
    assert stay
    assert sum(each.profit for each in found) < 0.7 * sum(each.profit for each in flagged)
    for each in stay:
        every = list(by_account(each).values())
        assert each.ways[-1].startswith(("a new profile, mailbox, line and card", "a bought old account"))
        for name in ("device", "ip", "card"):
            assert values(every[-1], name).isdisjoint(values(every[0], name))
        assert [one for one in each.book if one.what == "virtual_card"]


def test_bought_accounts_are_months_old_and_their_signup_is_not_sent(world: Loaded) -> None:
    bought = 0
    for found in several("returner", world, lambda: stops("account.signup"), 90, SEEDS):
        every = list(by_account(found).values())
        old = [did for did in every if did[0].act.type == "account.login"]
        assert sum(each.what == "aged_account" for each in found.book) == len(old)
        for did in old:
            assert "account.signup" not in {each.act.type for each in did}
            assert all(each.act.time - each.act.account.created > 50 * DAY for each in did)
            assert [each.act.type for each in did[:4]] == [
                "account.login", "key.created", "payment.method_added", "payment.charged",
            ]  # fmt: skip
        bought += len(old)
        if found.left is None:
            assert found.ways[-1].startswith("a bought old account")
    assert bought > 3


def test_where_each_account_gets_little_who_asks_a_lot_takes_several(world: Loaded) -> None:
    found = several("returner", world, lambda: Company(at=18, grave=0.1), 150, SEEDS)
    spread = list[bool]()
    for one in found:
        every = [(words, done) for _, words, done in tries(one)[:-1]]
        for words, done in every:
            counts = Counter(each.act.account.name for each in asked(done))
            assert len({each.act.account.name for each in done}) == (3 if "several accounts" in words else 1)
            if len(counts) == 3:
                assert min(counts.values()) > 0.4 * max(counts.values())
                first = sorted(asked(done), key=lambda each: each.act.time)[:12]
                assert len({each.act.account.name for each in first}) > 1  # by turns, not one after another
        late = ["several accounts" in words for words, _ in every[len(every) // 2 :]]
        daily = [each for each in one.book if each.what == "has an answer"]
        if len(daily) / 150 > 7:
            spread += late
    assert len(spread) > 20
    assert sum(spread) > 0.5 * len(spread)


def test_where_all_that_comes_is_known_they_leave_before_they_are_in_debt(world: Loaded) -> None:
    found = several("returner", world, lambda: stops("account.signup", "account.login"), 120, SEEDS)
    assert not remaining(found)
    for each in found:
        assert each.served == 0
        assert each.purse > -15  # nobody goes on in debt
        assert len({way.partition(";")[0] for way in each.ways}) > 1
        trouble = [one.dollars for one in each.book if one.what == "trouble"]
        assert len(trouble) == len(by_account(each))
        assert all(-4.0 <= one <= -1.0 for one in trouble)
        things = sum(one.dollars for one in each.book if one.what in _THINGS)
        assert each.profit == pytest.approx(sum(trouble) + things)
