"""Who shares a share, what it weighs, and what comes of a change: clusters, classes, fees, ceilings and debts."""

import math
import time

import pytest

from fairgate.domain.errors import BadAmount
from fairgate.share import Grant, Pool, Queued, Standing
from fairgate.share.standing import NOBODY
from tests.unit.share.sharing import Sharing


def served(here: Sharing, accounts: list[str], seconds: float = 60.0, cost: int = 50) -> dict[str, float]:
    """What each gets while all of them want everything."""
    here.empty()
    got = dict.fromkeys(accounts, 0.0)
    waits = dict.fromkeys(accounts, 0)
    for _ in range(int(seconds * 10)):
        for account in accounts:
            while waits[account] < 4:
                answer = here.ask(account, cost)
                if isinstance(answer, Grant):
                    got[account] += cost
                    answer.settle(cost, 0)
                elif isinstance(answer, Queued):
                    waits[account] += 1
        here.now += 0.1
        for grant in here.share.advance():
            assert isinstance(grant, Grant)
            grant.settle(cost, 0)
            if grant.account in got:  # else it has waited since before
                waits[grant.account] -= 1
                got[grant.account] += cost
    return got


def test_a_thousand_linked_accounts_get_one_persons_share() -> None:
    here = Sharing()
    farm = [f"farm{number}" for number in range(1_000)]
    for account in farm:
        here.known(account, Standing("f", trust=0.9))
    people = [f"p{number}" for number in range(9)]
    for account in people:
        here.known(account, Standing(trust=0.9))
    got = served(here, [*farm, *people], seconds=30)
    assert sum(got[each] for each in farm) == pytest.approx(sum(got.values()) / 10, rel=0.05)


def test_linking_more_accounts_never_makes_more_of_it() -> None:
    weights = []
    for members in (1, 2, 50):
        here = Sharing()
        for number in range(members):
            here.known(f"a{number}", Standing("c", trust=0.975))
        weights.append(here.share.clusters["c"].weight)
    assert weights == pytest.approx([1.0] * 3)


@pytest.mark.parametrize(("trust", "weight"), [(1.0, 1.0), (0.99, 1.0), (0.975, 1.0), (0.9, 9 / 39), (0.5, 1 / 39)])
def test_full_trust_is_full_weight_and_less_is_worth_its_odds(trust: float, weight: float) -> None:
    assert Standing(trust=trust).free == pytest.approx(weight)
    assert Standing("c", p_link=0.4, trust=trust).free == pytest.approx(0.6 * weight)
    assert Standing("c", p_link=0.9, trust=trust).free == pytest.approx(weight)


def test_a_newcomer_neither_lowers_nor_adds() -> None:
    here = Sharing()
    here.known("old", Standing("c", trust=0.9))
    old = here.share.clusters["c"].weight
    here.known("new", Standing("c", trust=1.0, newcomer=True, ceil=0.0))
    cluster = here.share.clusters["c"]
    assert (cluster.weight, cluster.ceil, cluster.established) == (old, None, True)
    here.known("new", Standing("c", trust=1.0, newcomer=True, verified=True))
    assert cluster.weight == 1.0


def test_what_was_paid_adds_up_and_trust_does_not() -> None:
    here = Sharing()
    for number in range(3):
        here.known(f"a{number}", Standing("c", trust=0.5, paid=4.0))
    assert here.share.clusters["c"].weight == pytest.approx((1 + 3 * 4) / 39)


def test_a_weak_link_takes_its_likelihood_off() -> None:
    here = Sharing()
    here.known("a", Standing("c", p_link=0.6, trust=1.0))
    here.known("b", Standing("c", p_link=0.95, trust=1.0))
    got = served(here, ["a", "b"])
    assert got["a"] / got["b"] == pytest.approx(0.4, rel=0.05)


def test_newcomers_have_a_tenth_together_and_each_class_has_what_the_others_leave() -> None:
    here = Sharing()
    here.known("known", Standing(trust=0.9))
    here.known("proven", Standing(trust=0.9, newcomer=True))
    served(here, ["proven"], seconds=5)
    for names, parts in ((["known", "proven"], [0.918, 0.082]), (["known", "proven", "new"], [0.9, 0.08, 0.02])):
        got = served(here, names, seconds=5)
        assert [got[name] / sum(got.values()) for name in names] == pytest.approx(parts, abs=0.015)
    assert served(here, ["proven"])["proven"] == pytest.approx(60_000, rel=0.02)


def test_a_newcomer_pays_an_entry_fee_where_others_want_the_same() -> None:
    here = Sharing()
    here.known("before", Standing(trust=0.5, newcomer=True))
    here.granted("before", 50).settle(50, 0)
    here.empty()
    for account in ("never_seen", "before", "before", "before"):
        here.queued(account, 50)
    assert here.pass_time(1.0) == ["before", "before", "before", "never_seen"]


def test_a_newcomer_is_an_arrival_until_it_has_used_five_requests_worth() -> None:
    here = Sharing()
    here.known("stays", Standing(trust=0.5, newcomer=True))
    served(here, ["stays"], seconds=5)
    assert here.share.state().pools[0].classes[1].accounts == 1
    alone = served(here, ["stays", "new"], seconds=1)
    assert alone["stays"] / alone["new"] == pytest.approx(4, rel=0.3)
    together = served(here, ["stays", "new"], seconds=20)
    assert together["stays"] / together["new"] == pytest.approx(1, rel=0.2)


def test_what_was_used_is_known_where_an_arrival_goes_to_another_cluster() -> None:
    here = Sharing()
    here.known("known", Standing("actor", newcomer=True))
    for _ in range(6):
        here.granted("known", 50).settle(50, 0)
    here.known("known", Standing(newcomer=True))
    arrivals = here.share.state().pools[0].classes[2]
    assert (arrivals.name, arrivals.accounts, arrivals.used) == ("arrivals", 0, 300.0)
    here.known("known", Standing())
    here.known("known", Standing(newcomer=True))
    assert here.share.state().pools[0].classes[1].accounts == 1


def test_a_verified_payment_method_waives_the_fee() -> None:
    here = Sharing()
    here.known("before")
    served(here, ["before"], seconds=5)
    here.known("verified", Standing(trust=1.0, newcomer=True, verified=True))
    got = served(here, ["before", "verified"], seconds=2)
    assert got["before"] == pytest.approx(got["verified"], abs=150)


def test_changing_identities_wins_no_more_than_arrivals_have() -> None:
    here = Sharing()
    here.known("stays")
    served(here, ["stays"], seconds=5)
    got = {"stays": 0, "churns": 0}
    for number in range(600):
        for account in ("stays", "stays", "stays", f"churn{number}", f"churn{number}b"):
            here.ask(account, 50, deadline=1.0)
        here.now += 0.1
        for grant in here.share.advance():
            if isinstance(grant, Grant):
                got["stays" if grant.account == "stays" else "churns"] += 1
                grant.settle(50, 0)
    assert 0.015 < got["churns"] / sum(got.values()) < 0.03


def test_what_was_taken_before_a_ceiling_buys_nothing_under_it() -> None:
    here = Sharing()
    grant = here.granted("a", 500)
    assert not grant.stopped
    here.share.bind("a", 0.0)
    assert grant.stopped
    grant.abort()  # most of the estimate is given back
    assert isinstance(here.ask("a", 1), Queued)
    here.share.bind("a", None)
    here.now += 1
    assert isinstance(here.ask("a", 1), Grant)


def test_whoever_may_use_nothing_is_told_to_stop_by_hand_and_with_the_cluster_too() -> None:
    here = Sharing()
    grants = [here.granted(each, 10) for each in ("a", "b", "c")]
    here.known("a", Standing(ceil=0.0))
    here.known("b", Standing("actor"))
    here.known("banned", Standing("actor", ceil=0.0))
    assert [each.stopped for each in grants] == [True, True, False]
    here.known("c", Standing(ceil=0.001))
    assert not grants[2].stopped, "little is not nothing"


def test_a_ceiling_holds_also_when_capacity_is_idle() -> None:
    here = Sharing()
    for number in range(10):
        here.known(f"farm{number}", Standing("f", trust=0.1, ceil=0.02))
    got = served(here, [f"farm{number}" for number in range(10)], cost=5)
    assert sum(got.values()) == pytest.approx(0.02 * 60_000, rel=0.05)
    here.known("farm0", Standing("f", trust=0.1, ceil=0.0))
    assert sum(served(here, [f"farm{number}" for number in range(10)], cost=5).values()) == 0
    for number in range(10):
        here.known(f"farm{number}", Standing("f", trust=0.1))
    assert sum(served(here, [f"farm{number}" for number in range(10)]).values()) == pytest.approx(60_000, rel=0.02)


def test_unlinking_is_no_amnesty() -> None:
    here = Sharing()
    for account in ("a", "b", "other"):
        here.known(account, Standing("c" if account in "ab" else None, trust=1.0))
    here.known("other")
    here.empty()
    grant = here.queued("a", 1)
    here.pass_time(0.1)
    granted = here.share.open(grant.id)
    assert isinstance(granted, Grant)
    granted.charge(2_000)  # the cluster owes 4,000 now
    for account in "ab":
        here.known(account, Standing(trust=1.0))
    got = served(here, ["a", "b", "other"], seconds=20)  # four of which repay it
    assert got["other"] - got["a"] == pytest.approx(4_000, rel=0.05)
    assert got["other"] - got["b"] == pytest.approx(4_000, rel=0.05)


def test_who_is_wrongly_taken_for_one_of_a_farm_is_served_before_it() -> None:
    here = Sharing()
    farm = [f"farm{number}" for number in range(200)]
    for account in farm:
        here.known(account, Standing("f", trust=0.05))
    here.known("wrongly", Standing("f", trust=0.97))
    people = [f"p{number}" for number in range(4)]
    for account in people:
        here.known(account, Standing(trust=0.97))
    got = served(here, [*farm, "wrongly", *people])
    assert got["wrongly"] > 0.6 * got["p0"]
    assert sum(got.values()) - sum(got[each] for each in people) == pytest.approx(sum(got.values()) / 5, rel=0.05)


def test_an_older_version_changes_nothing() -> None:
    here = Sharing()
    assert here.share.set_principal("a", Standing(trust=0.2), 7)
    assert not here.share.set_principal("a", Standing(trust=0.9), 7)
    assert not here.share.set_principal("a", Standing(trust=0.9), 6)
    assert here.share.standings["a"].trust == 0.2


def test_who_weighs_nothing_is_served_when_nobody_else_wants_to_be() -> None:
    here = Sharing()
    here.known("nothing", Standing(trust=0.0))
    here.known("little", Standing(trust=0.5))
    assert served(here, ["nothing"])["nothing"] == pytest.approx(60_000, rel=0.02)
    got = served(here, ["nothing", "little"])
    assert got["nothing"] < 0.01 * got["little"]


def test_a_cluster_of_a_hundred_thousand_takes_no_longer_for_one_change_than_a_small_one() -> None:
    here = Sharing((Pool("p", 1e9),))
    for number in range(100_000):
        here.known(f"a{number}", Standing("c", trust=(number % 98 + 2) / 100, ceil=0.5 if number % 2 else None))
    cluster = here.share.clusters["c"]
    assert (len(cluster.members), cluster.weight, cluster.ceil) == (100_000, 1.0, 0.5)
    for number in range(0, 100_000, 10):
        here.known(f"a{number}")
    assert len(cluster.members) == 90_000
    assert here.granted("a11").settle(1, 1)


@pytest.mark.parametrize(
    ("standing", "name"),
    [
        ({"trust": 1.1}, "trust"),
        ({"trust": math.nan}, "trust"),
        ({"p_link": -0.1}, "p_link"),
        ({"paid": -1.0}, "paid"),
        ({"paid": math.inf}, "paid"),
        ({"ceil": 2.0}, "ceil"),
        ({"ceil": True}, "ceil"),
    ],
)
def test_absurd_standings_are_refused(standing: dict[str, float], name: str) -> None:
    with pytest.raises(ValueError, match=name):
        Standing(**standing)  # type: ignore[arg-type]


def test_an_account_named_like_a_cluster_is_not_taken_for_it() -> None:
    here = Sharing()
    here.known("c", Standing(trust=0.9))
    here.known("member", Standing("c", trust=0.4))
    assert here.share._of["c"] is not here.share._of["member"]
    here.known("c", Standing(trust=0.8))
    assert len(here.share.clusters["c"].members) == 1


def test_what_comes_back_counts_at_once_for_who_goes_next() -> None:
    here = Sharing()
    for account in "ab":
        here.known(account)
    here.empty()
    large = here.queued("b", 900)
    here.queued("b", 10)
    assert here.pass_time(0.001) == ["b"]
    here.queued("a", 10)
    assert here.pass_time(0.9) == ["a"]  # b is far ahead
    for _ in range(4):
        here.queued("a", 10)
        here.queued("b", 10)
    grant = here.share.open(large.id)
    assert isinstance(grant, Grant)
    assert grant.settle(0, 0)
    assert here.pass_time(0.5)[:4] == ["b", "a", "b", "a"]


# ----------------------------------------------------------------------------------------- bound beside what is known


def part_of(here: Sharing, account: str) -> float | None:
    """What the account's own ceiling is."""
    ceiling = here.share.stocks["p"].tree.accounts[account].ceiling
    return None if ceiling is None else ceiling.part


def test_who_is_bound_is_held_even_while_capacity_is_idle_and_served_when_let_go() -> None:
    here = Sharing()
    here.known("a")
    here.granted("a", 1)
    here.share.bind("a", 0.0)
    here.denied("a")
    here.queued("a")
    assert here.pass_time(50) == []
    here.share.bind("a", 0.1)
    assert here.pass_time(0) == ["a"]
    here.queued("a")
    assert here.pass_time(0.5) == ["a"], "a tenth of the capacity a second"
    here.denied("a")
    here.share.bind("a", None)
    here.granted("a")


@pytest.mark.parametrize("asked", [False, True])
def test_of_what_is_known_and_what_binds_the_lower_counts_whichever_came_first(asked: bool) -> None:
    here = Sharing()
    if asked:
        here.granted("a", 1)
    here.share.bind("a", 0.2)
    here.known("a", Standing(ceil=0.1))
    here.granted("a", 1)
    assert part_of(here, "a") == 0.1
    here.known("a", Standing(ceil=0.3))
    assert part_of(here, "a") == 0.2
    here.share.bind("a", None)
    assert part_of(here, "a") == 0.3
    here.share.bind("a", 0.05)
    here.known("a", Standing())
    assert part_of(here, "a") == 0.05
    assert here.share.standings["a"].ceil is None, "it is no knowledge"


def test_a_bound_holds_the_account_alone_and_goes_with_it_to_another_cluster() -> None:
    here = Sharing()
    for name in ("a", "b"):
        here.known(name, Standing("one", trust=1.0))
        here.granted(name, 1)
    here.share.bind("a", 0.0)
    here.denied("a")
    here.granted("b")
    here.known("c", Standing("two", trust=1.0))
    here.known("a", Standing("two", trust=1.0))
    here.denied("a")
    here.granted("c")


def test_a_bound_newcomer_in_the_cluster_of_somebody_established_is_held_too() -> None:
    here = Sharing()
    here.known("established", Standing("one", trust=1.0))
    here.known("new", Standing("one", newcomer=True))
    here.share.bind("new", 0.0)
    here.denied("new")
    here.granted("established")


def test_who_is_bound_and_not_known_stays_in_probation() -> None:
    here = Sharing()
    here.share.bind("a", 0.5)
    here.granted("a")
    found = here.share.explain("a")
    assert (found.known, found.standing, found.bound) == (False, NOBODY, 0.5)
    assert any("probation" in each for each in found.words)
    here.share.bind("a", None)
    assert here.share.explain("a").bound is None
    assert not here.share.explain("a").known


def test_who_is_bound_is_not_forgotten_with_what_they_took() -> None:
    here = Sharing(remembers=3)
    here.share.bind("a", 0.001)
    here.granted("a", 500).settle_cost(500)
    for number in range(20):
        here.granted(f"other{number}", 1).settle_cost(1)
    assert len(here.share.stocks["p"].tree.accounts) <= 4
    here.denied("a")
    here.share.bind("a", None)
    for number in range(20):
        here.granted(f"another{number}", 1).settle_cost(1)
    assert "a" not in here.share.stocks["p"].tree.accounts


def test_a_bound_is_a_part_of_whatever_the_capacity_is() -> None:
    here = Sharing()
    here.share.bind("a", 0.1)
    here.granted("a", 1_000)
    here.share.set_capacity("p", 100.0)
    here.pass_time(10)
    here.denied("a")
    assert part_of(here, "a") == 0.1


@pytest.mark.parametrize(
    ("account", "ceil"), [("a", 1.5), ("a", -0.1), ("a", float("nan")), ("", 0.5), ("a" * 257, 0.5)]
)
def test_what_can_not_bind_is_refused_and_changes_nothing(account: str, ceil: float) -> None:
    here = Sharing()
    here.share.bind("a", 0.5)
    with pytest.raises(BadAmount):
        here.share.bind(account, ceil)
    assert here.share.bounds == {"a": 0.5}


def test_letting_go_a_hundred_thousand_takes_no_long_time() -> None:
    """As a switch does: the event loop waits for it."""
    here = Sharing()
    for number in range(100_000):
        here.share.bind(f"a{number}", 0.0)
    began = time.process_time()
    for number in range(100_000):
        here.share.bind(f"a{number}", None)
    assert time.process_time() - began < 1.0
