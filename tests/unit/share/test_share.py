"""Grants, the queue and denials: what a gateway meets."""

import math

import pytest

from fairgate.share import Denied, Grant, Pool, Queued, Reason, Share, Standing
from tests.unit.share.sharing import Sharing


def test_a_grant_costs_its_estimate_at_first_and_what_was_used_in_the_end() -> None:
    here = Sharing()
    grant = here.share.acquire("a", "m", 100, 1_000, 5)
    assert isinstance(grant, Grant)
    assert grant.estimate == 100 + 2 * 256  # nothing is known of the account's output yet
    assert here.level == pytest.approx(1_000 - 612)
    assert grant.settle(100, 30, cached=40)
    assert here.level == pytest.approx(1_000 - (60 + 4 + 60))


def test_the_estimate_learns_what_an_account_writes() -> None:
    here = Sharing()
    here.known("short")
    for _ in range(200):
        here.now += 10
        written = here.share.acquire("short", "m", 10, 4_000, 0)
        assert isinstance(written, Grant)
        written.settle(10, 20)
    grant = here.share.acquire("short", "m", 10, 4_000, 0)
    assert isinstance(grant, Grant)
    assert grant.estimate == pytest.approx(10 + 2 * 20, abs=2)
    shorter = here.share.acquire("short", "m", 10, 5, 0)
    assert isinstance(shorter, Grant)
    assert shorter.estimate == 10 + 2 * 5


def test_what_streams_beyond_the_estimate_is_charged_while_it_streams() -> None:
    here = Sharing()
    grant = here.share.acquire("a", "m", 0, 10_000, 5)
    assert isinstance(grant, Grant)
    assert grant.charge(200)
    assert here.level == pytest.approx(1_000 - 512)
    assert grant.charge(600)
    assert here.level == pytest.approx(1_000 - 1_200)
    assert not grant.charge(600)
    assert not grant.charge(100)
    assert grant.abort()
    assert here.level == pytest.approx(1_000 - 1_200)


def test_an_aborted_stream_costs_what_was_written() -> None:
    here = Sharing()
    grant = here.share.acquire("a", "m", 50, 10_000, 5)
    assert isinstance(grant, Grant)
    grant.charge(20)
    assert grant.abort()
    assert here.level == pytest.approx(1_000 - 50 - 40)


def test_a_grant_ends_once() -> None:
    here = Sharing()
    grant = here.granted("a")
    assert grant.settle(100, 10)
    level = here.level
    assert not grant.settle(100, 900)
    assert not grant.abort()
    assert not grant.charge(10_000)
    assert not grant.settle_cost(5.0)
    assert here.level == level
    assert here.share.open(grant.id) is None


def test_a_client_that_never_settles_pays_the_estimate_when_its_time_is_over() -> None:
    here = Sharing((Pool("p", 1_000.0, grant_seconds=30.0),))
    grant = here.granted("a", 700)
    here.now += 29
    assert grant.charge(1)  # it is alive
    here.now += 29
    assert here.share.open(grant.id) is grant
    here.now += 1
    here.share.advance()
    assert here.share.open(grant.id) is None
    assert not grant.settle(0, 0)
    assert here.share.stocks["p"].used == 700 + 2
    assert here.share.state().pools[0].in_flight == 0


def test_who_waits_is_served_in_turn_and_told() -> None:
    here = Sharing()
    here.empty()
    for account in "ab":
        here.known(account)
    here.queued("a", 300)
    here.queued("a", 300)
    here.queued("b", 300)
    assert here.share.next_at() == pytest.approx(here.now, abs=1e-4)
    assert here.pass_time(0.9) == ["a", "b", "a"]
    assert here.share.advance() == []


def test_whose_deadline_passes_is_denied_and_waits_no_more() -> None:
    here = Sharing()
    here.empty()
    waits = here.queued("a", deadline=0.5)
    here.share.set_capacity("p", 0)
    assert here.share.next_at() == pytest.approx(here.now + 0.5)
    here.now += 0.5
    (told,) = here.share.advance()
    assert isinstance(told, Denied)
    assert (told.id, told.reason) == (waits.id, Reason.LATE)
    assert not waits.abort()
    assert here.share.state().pools[0].waiting == 0


def test_without_patience_it_is_now_or_never() -> None:
    here = Sharing()
    here.empty()
    denied = here.denied("a")
    assert denied.reason == Reason.LATE
    assert 0 < denied.retry_after < math.inf


def test_who_leaves_the_queue_is_not_served() -> None:
    here = Sharing()
    here.empty()
    gone = here.queued("a")
    here.queued("b")
    assert gone.abort()
    assert not gone.abort()
    assert here.share.open(gone.id) is None
    assert here.pass_time(5) == ["b"]


def test_models_have_the_pool_that_has_them_first() -> None:
    here = Sharing((Pool("large", 10.0, models=("big-*",)), Pool("rest", 1_000.0, models=("*-mini", "tiny"))))
    assert here.denied("a", model="else").reason == Reason.NO_SUCH_MODEL
    for model, pool in (("big-7", "large"), ("big-mini", "large"), ("x-mini", "rest"), ("tiny", "rest")):
        before = here.share.stocks[pool].used
        here.share.acquire("b", model, 5, 0, 10)
        assert here.share.stocks[pool].used + here.share.stocks[pool].waiting_cost > before


def test_pools_do_not_touch_each_other() -> None:
    here = Sharing((Pool("one", 100.0, models=("one",)), Pool("two", 100.0, models=("two",))))
    here.ask("a", 5_000, model="one")
    assert isinstance(here.ask("a", model="one"), Queued)
    assert isinstance(here.ask("a", model="two"), Grant)


def test_a_request_too_large_for_a_pool_is_never_taken() -> None:
    here = Sharing((Pool("p", 1_000.0, largest=500.0),))
    denied = here.denied("a", 501)
    assert (denied.reason, denied.retry_after) == (Reason.TOO_LARGE, math.inf)
    here.granted("a", 500)


@pytest.mark.parametrize(
    ("name", "read", "most"),
    [
        ("input_tokens", -1, 0),
        ("input_tokens", 10**9 + 1, 0),
        ("input_tokens", True, 0),
        ("input_tokens", 1.5, 0),
        ("input_tokens", "7", 0),
        ("max_output", 0, -5),
        ("max_output", 0, math.nan),
        ("max_output", 0, None),
    ],
)
def test_absurd_counts_are_refused(name: str, read: int, most: int) -> None:
    with pytest.raises(ValueError, match=name):
        Sharing().share.acquire("a", "m", read, most, 1)


@pytest.mark.parametrize("deadline", [-1, math.nan, math.inf, "soon", True])
def test_absurd_deadlines_are_refused(deadline: float) -> None:
    with pytest.raises(ValueError, match="deadline"):
        Sharing().share.acquire("a", "m", 1, 1, deadline)


@pytest.mark.parametrize("account", ["", "x" * 257, None, 7])
def test_absurd_names_are_refused(account: str) -> None:
    with pytest.raises(ValueError, match="account"):
        Sharing().share.acquire(account, "m", 1, 1, 1)


@pytest.mark.parametrize(
    ("usage", "name"),
    [((-1, 0, 0), "input"), ((1, -1, 0), "output"), ((1, 1, 2), "cached"), ((1, 10**12, 0), "output")],
)
def test_what_can_not_have_been_used_ends_nothing(usage: tuple[int, int, int], name: str) -> None:
    here = Sharing()
    grant = here.granted("a")
    with pytest.raises(ValueError, match=name):
        grant.settle(*usage)
    with pytest.raises(ValueError, match="gpu_seconds"):
        grant.settle(1, 1, gpu_seconds=-1.0)
    with pytest.raises(ValueError, match="output"):
        grant.charge(-1)
    assert here.share.open(grant.id) is grant
    assert grant.settle(1, 1)


@pytest.mark.parametrize(
    "pool",
    [
        {"capacity": -1.0},
        {"capacity": math.nan},
        {"capacity": math.inf},
        {"capacity": 1.0, "burst": 0.0},
        {"capacity": 1.0, "queue": -1},
        {"capacity": 1.0, "grant_seconds": 0.0},
        {"capacity": 1.0, "largest": 0.0},
    ],
)
def test_absurd_pools_are_refused(pool: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"capacity|burst|queue"):
        Pool("p", **pool)  # type: ignore[arg-type]


def test_pools_have_names_of_their_own() -> None:
    for pools in ([], [Pool("p", 1.0), Pool("p", 2.0)]):
        with pytest.raises(ValueError, match="pool"):
            Share(pools)


def test_a_clock_that_steps_back_makes_no_capacity_and_loses_none() -> None:
    here = Sharing()
    here.empty()
    here.queued("a", 500)
    for step in (0.2, -50.0, 0.1, 49.9):
        here.now += step
        here.share.advance()
    assert here.level == pytest.approx(200 - 500)
    here.now += 0.5
    here.share.advance()
    assert here.level == pytest.approx(700 - 500)


def test_a_clock_that_leaps_fills_no_more_than_the_burst() -> None:
    here = Sharing()
    here.empty()
    here.now += 1e9
    here.share.advance()
    assert here.level == 1_000


def test_no_capacity_serves_nobody_until_there_is_some() -> None:
    here = Sharing((Pool("p", 0.0, burst=100.0),))
    here.granted("a", 100)
    here.queued("a", 100, deadline=3_000)
    assert here.pass_time(1_000) == []
    here.share.set_capacity("p", 50.0)
    assert here.pass_time(0.1) == ["a"]


def test_capacity_that_shrinks_takes_what_was_saved_up_with_it() -> None:
    here = Sharing()
    here.share.set_capacity("p", 10.0)
    assert here.level == 10
    here.share.set_capacity("p", 1_000.0)
    assert here.level == 10
    with pytest.raises(KeyError):
        here.share.set_capacity("q", 1.0)
    with pytest.raises(ValueError, match="capacity"):
        here.share.set_capacity("p", math.nan)


def test_no_capacity_leaks_over_a_million_grants() -> None:
    here = Sharing((Pool("p", 1e6, burst=1e6, grant_seconds=60.0),))
    share, rng, used, open_grants = here.share, here.share._rng, 0.0, []
    for number in range(1_000_000):
        if not number % 50:
            here.now += 0.01
        answer = share.acquire(f"a{rng.randrange(500)}", "m", 20, 40, 0)
        if isinstance(answer, Grant):
            open_grants.append(answer)
        if len(open_grants) > 100:
            grant = open_grants.pop(rng.randrange(100))
            if rng.random() < 0.2:
                grant.charge(written := rng.randrange(40))
                used += 20 + 2 * written if grant.abort() else grant.estimate
            else:
                written = rng.randrange(60)
                used += 20 + 2 * written if grant.settle(20, written) else grant.estimate
    for grant in open_grants:
        used += 20 if grant.abort() else grant.estimate
    stock = share.stocks["p"]
    assert stock.used == pytest.approx(used, rel=1e-9)
    assert not stock.grants
    assert not share._by_id
    assert stock.tree.root.waiting == 0
    assert all(node.in_flight == 0 for node in stock.tree.accounts.values())
    here.now += 2
    share.advance()
    assert here.level == 1e6


def test_reserving_by_cost_costs_that() -> None:
    here = Sharing()
    grant = here.share.reserve("a", "m", 400.0, 0)
    assert isinstance(grant, Grant)
    assert here.level == 600
    assert grant.settle_cost(150.0)
    assert here.level == 850
    with pytest.raises(ValueError, match="cost"):
        here.share.reserve("a", "m", -1.0, 0)


def test_the_queue_has_room_for_who_comes_late() -> None:
    here = Sharing((Pool("p", 1_000.0, queue=100),))
    here.empty()
    flood = [here.ask("farm", 1) for _ in range(200)]
    assert sum(isinstance(each, Queued) for each in flood) < 60
    assert [each.reason for each in flood if isinstance(each, Denied)][:1] == [Reason.BUSY]
    late = [here.ask(f"late{number}", 1) for number in range(20)]
    assert all(isinstance(each, Queued) for each in late)


def test_when_to_ask_again_tells_nobody_who_they_are_taken_for() -> None:
    here = Sharing((Pool("p", 1_000.0, queue=0),))
    here.empty()
    here.known("honest")
    here.known("abuser", Standing(trust=0.01, ceil=0.0))
    answers = {name: [here.denied(name).retry_after for _ in range(200)] for name in ("honest", "abuser", "unknown")}
    for times in answers.values():
        assert 0.35 < min(times) < 0.4
        assert 0.6 < max(times) < 0.65


def test_accounts_that_nothing_is_known_of_are_forgotten_when_there_are_too_many() -> None:
    here = Sharing(remembers=50)
    kept = here.granted("busy", 1)
    for number in range(500):
        here.now += 1
        here.granted(f"passes{number}", 1).settle(1, 0)
    tree = here.share.stocks["p"].tree
    assert len(tree.accounts) <= 52
    assert "busy" in tree.accounts
    assert len(tree.clusters) == len(tree.accounts)
    assert kept.settle(1, 0)
