"""Distillers: show one form and lockstep while nobody minds, drop old models, and give up what is watched."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Seen
from fairgate.simulate.service import Done
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.campaigns import Campaign, Decides, nobody_minds, said
from tests.unit.simulate.several import by_account, remaining, several, share, spent, tries
from tests.unit.simulate.worlds import TEXT, world_of

_RELEASE = '\n[[release]]\nday = 30\nmodel = "frontier-3"\n'
_SERVERS = "64498"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    return world_of(tmp_path_factory.mktemp("world"))


@pytest.fixture(scope="module")
def free(world: Loaded) -> list[Campaign]:
    return several("distiller", world, lambda: nobody_minds)


def asked(done: Iterable[Done]) -> list[Done]:
    return [each for each in done if each.act.type == "api.request"]


def numbers(done: Iterable[Done], name: str) -> list[int]:
    return [int(str(each.act.data[name])) for each in done]


def stops(*types: str, asn: str | None = None) -> Decides:
    """A company that bans whoever sends an event of these types, from a network or from any."""

    def decides(event: dict[str, object], _time: int) -> Action:
        stopped = event["type"] in types and asn in {None, said(event).get("asn")}
        return Action.BAN if stopped else Action.ALLOW

    return decides


@pytest.fixture(scope="module")
def reworded(world: Loaded) -> list[Campaign]:
    """Those in worlds in which forms are watched."""
    return several("distiller", world, forms_are_watched, days=90)


@pytest.fixture(scope="module")
def unwelcome(world: Loaded) -> list[Campaign]:
    """Those in worlds in which no newcomer is let in."""
    return several("distiller", world, lambda: stops("account.signup"), days=90)


def test_while_nobody_minds_all_send_one_form_over_many_accounts(free: list[Campaign]) -> None:
    assert all(each.profit > 100 and each.left is None for each in free)
    assert share(free, "all questions in one form") > 0.9
    for found in free:
        users = defaultdict[object, set[str]](set)
        for _, words, done in tries(found):
            for each in asked(done) if "one form" in words else ():
                users[each.act.data["prompt_template"]].add(each.act.account.name)
        assert len(users) == 1
        assert min(map(len, users.values())) > 20


def test_one_form_makes_questions_of_one_length_with_long_answers(free: list[Campaign]) -> None:
    alike = [each for one in free for _, words, done in tries(one) if "one form" in words for each in asked(done)]
    assert max(numbers(alike, "input_tokens")) < 1.25 * min(numbers(alike, "input_tokens"))
    answers = numbers(alike, "output_tokens")
    assert sum(answers) / len(answers) > 1_000


def test_accounts_in_lockstep_ask_in_the_same_hours_and_are_silent_in_between(free: list[Campaign]) -> None:
    seen = 0
    for start, words, done in (each for one in free for each in tries(one)[:-1] if "in lockstep" in each[1]):
        hours = defaultdict[int, set[str]](set)
        for each in asked(done):
            hours[(each.act.time - start) // HOUR].add(each.act.account.name)
        assert set(hours) == {1, 5, 9, 13, 17, 21}, words
        everybody = {each.act.account.name for each in done}
        assert all(hours[hour] == everybody for hour in (1, 5, 9, 13, 17))
        seen += 1
    assert seen > 10


def test_thin_accounts_stay_below_what_would_strike_anybody(free: list[Campaign]) -> None:
    thin = [
        len(asked(done)) for one in free for done in by_account(one).values() if done[-1].act.account.tier == "free"
    ]
    assert len(thin) > 50
    assert sum(thin) / len(thin) < 90


def test_on_the_day_of_a_release_all_drop_the_old_model_within_hours(tmp_path: Path) -> None:
    world = world_of(tmp_path, TEXT + _RELEASE)
    out = world.begins + 30 * DAY
    for found in several("distiller", world, lambda: nobody_minds, days=45):
        before = [each for each in asked(found.abuse) if each.act.time < out]
        after = [each for each in asked(found.abuse) if each.act.time > out + 12 * HOUR]
        assert {each.act.data["model"] for each in before} == {"frontier-2"}
        assert {each.act.data["model"] for each in after} == {"frontier-3"}
        new = min(each.act.time for each in asked(found.abuse) if each.act.data["model"] == "frontier-3")
        assert HOUR < new - out < DAY
        forms = [{each.act.data["prompt_template"] for each in some} for some in (before, after)]
        assert forms[0] & forms[1]  # the same form, put to another model
        assert [each for each, _, _ in tries(found) if out < each < out + 4 * HOUR]


def forms_are_watched() -> Decides:
    uses, users = Counter[object](), defaultdict[object, set[object]](set)

    def decides(event: dict[str, object], _time: int) -> Action:
        if event["type"] != "api.request":
            return Action.ALLOW
        form = said(event)["prompt_template"]
        uses[form] += 1
        users[form].add(said(event)["account"])
        return Action.BAN if len(users[form]) >= 2 and uses[form] >= 150 else Action.ALLOW

    return decides


def test_where_forms_are_watched_questions_are_worded_anew(reworded: list[Campaign], free: list[Campaign]) -> None:
    found = reworded
    assert share(free, "worded anew") < 0.1
    assert share(found, "worded anew") > 0.7
    assert spent(found) / sum(each.served for each in found) > spent(free) / sum(each.served for each in free)
    for one in found:
        closed = Counter(each.act.account.name for each in one.abuse if each.seen == Seen.CLOSED)
        assert max(closed.values()) == 1  # what is closed is left alone


def test_wordings_are_covered_evenly_and_cost_something(reworded: list[Campaign]) -> None:
    seen = 0
    for one in reworded:
        for _, words, done in tries(one):
            forms = Counter(each.act.data["prompt_template"] for each in asked(done))
            if "worded anew" in words and forms:
                assert max(forms.values()) - min(forms.values()) <= 1
                seen += 1
        lengths = numbers(
            (each for _, words, done in tries(one) if "anew" in words for each in asked(done)), "input_tokens"
        )
        assert max(lengths) > 5 * min(lengths)
        assert sum(each.dollars for each in one.book if each.what == "rewords") < 0
    assert seen > 20


def test_where_servers_are_stopped_at_the_door_all_move_to_dearer_lines(tmp_path: Path) -> None:
    cheap = "[price.traffic]\nlow = 0.89\nhigh = 5"
    assert cheap in TEXT
    world = world_of(tmp_path, TEXT.replace(cheap, "[price.traffic]\nlow = 4\nhigh = 5"))
    free = several("distiller", world, lambda: nobody_minds)
    found = several("distiller", world, lambda: stops("account.signup", "account.login", asn=_SERVERS))
    assert share(free, "rented servers") > 0.7
    assert share(found, "people's lines") > 0.9
    for each in found:
        asns = {one.act.data["asn"] for one in asked(each.abuse)}
        assert _SERVERS not in asns
        assert len(asns) > 3


def test_what_one_account_meets_at_the_door_counts_for_all_ways_that_come_by_it(unwelcome: list[Campaign]) -> None:
    for each in unwelcome:
        stopped = [way for way in each.ways if "old accounts" not in way]
        assert len(stopped) < 25  # of sixteen ways by four doors, which fail for a campaign or a few each


def test_where_newcomers_are_stopped_who_stays_buys_old_accounts(
    unwelcome: list[Campaign], free: list[Campaign]
) -> None:
    found = unwelcome
    stay = remaining(found)
    assert stay
    assert share(free, "old accounts") < 0.1
    assert share(stay, "old accounts") > 0.6
    assert sum(each.profit for each in found) < 0.7 * sum(each.profit for each in free)
    for each in found:
        signed_up = {one.act.account.name for one in each.abuse if one.act.type == "account.signup"}
        assert not {one.act.account.name for one in asked(each.abuse)} & signed_up
        assert all(one.act.time - one.act.account.created > 50 * DAY for one in asked(each.abuse))


def test_cards_bounce_or_are_paid_for_and_nothing_is_asked_beyond_them(unwelcome: list[Campaign]) -> None:
    bounced = paid = 0.0
    for found in unwelcome:
        charges = [each.act for each in found.abuse if each.act.type == "payment.charged"]
        mine = -sum(each.dollars for each in found.book if each.what == "tops up")
        taken = sum(10.0 for each in charges if each.disputed == "not_received")
        assert mine + taken == 10.0 * len(charges)
        assert found.served < 10.0 * len(charges) + 0.2 * len(by_account(found))
        bounced, paid = bounced + taken, paid + mine
    assert 0.5 < bounced / (paid + bounced) < 0.95


def test_where_much_from_one_account_is_stopped_it_comes_thin_at_all_hours(world: Loaded, free: list[Campaign]) -> None:
    def makes() -> Decides:
        times = defaultdict[object, list[int]](list)

        def decides(event: dict[str, object], time: int) -> Action:
            if event["type"] != "api.request":
                return Action.ALLOW
            before = times[said(event)["account"]]
            before.append(time)
            return Action.BAN if len(before) > 26 and time - before[-27] < DAY else Action.ALLOW

        return decides

    found = several("distiller", world, makes, days=120)
    assert share(free, "at all hours") < 0.1
    assert share(remaining(found), "at all hours") > 0.5
    assert sum(each.profit for each in found) / 120 < 0.4 * sum(each.profit for each in free) / 60


def slows() -> Decides:
    return lambda event, _: Action.THROTTLE if event["type"] == "api.request" else Action.ALLOW


@pytest.fixture(scope="module")
def bouncing(tmp_path_factory: pytest.TempPathFactory) -> Loaded:
    """A world in which nearly every charge bounces, so that cards are the best to live on."""
    some = "bounces = { low = 0.6, high = 0.9,"
    assert some in TEXT
    return world_of(tmp_path_factory.mktemp("bouncing"), TEXT.replace(some, "bounces = { low = 0.97, high = 0.99,"))


def test_where_cards_are_stopped_all_live_on_trials(bouncing: Loaded) -> None:
    assert share(several("distiller", bouncing, lambda: nobody_minds, days=40), "cards that bounce") > 0.7
    assert share(several("distiller", bouncing, lambda: stops("payment.method_added")), "trials") > 0.7


def test_slowed_accounts_give_less(world: Loaded, free: list[Campaign]) -> None:
    found = several("distiller", world, slows)
    assert sum(each.served for each in found) < 0.85 * sum(each.served for each in free)
    for one in found:
        earned = sum(each.dollars for each in one.book if each.what == "collects")
        assert 0 < earned <= 0.9 * one.served  # not what was wanted, but what was got


def test_a_slowed_account_is_not_lost_and_goes_on_at_each_next_sitting(bouncing: Loaded) -> None:
    gave = list[int]()
    for one in several("distiller", bouncing, slows, days=20):
        few = (done for _, words, done in tries(one)[:-1] if "few accounts" in words)
        served = Counter(each.act.account.name for done in few for each in asked(done) if each.seen.served)
        gave += served.values()
    assert len(gave) > 5
    assert sum(gave) / len(gave) > 20  # one sitting of a slowed account gives some ten


def test_they_earn_what_answers_are_worth_to_them_and_take_no_more_than_a_trial(free: list[Campaign]) -> None:
    for one in free:
        earned = sum(each.dollars for each in one.book if each.what == "collects")
        assert 0.6 <= earned / one.served <= 0.95  # what the last are giving is not counted yet
        for did in by_account(one).values():
            if did[-1].act.account.tier == "free":
                assert sum(each.act.dollars for each in asked(did)) < 5.0 + 0.2


def test_where_nothing_pays_they_leave_before_much_is_lost(world: Loaded) -> None:
    found = several("distiller", world, lambda: stops("account.signup", "account.login"), days=150)
    assert all(each.served == 0 for each in found)
    assert len(remaining(found)) <= 1
    assert all(len(set(each.ways)) > 3 for each in found)
    assert sum(each.profit for each in found) / len(found) > -400
