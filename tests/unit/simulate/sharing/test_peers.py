"""The peers, each against what was worked out by hand."""

import pytest

from fairgate.simulate.sharing.clusters import Clusters
from fairgate.simulate.sharing.fcfs import FirstCome
from fairgate.simulate.sharing.peer import Bucket, Expected, Peer
from fairgate.simulate.sharing.policy import Ask, Capacity, Granted, Known, Refused
from fairgate.simulate.sharing.token_bucket import TokenBuckets
from fairgate.simulate.sharing.vtc import VirtualTokenCounter
from tests.unit.simulate.sharing.few import AGES, only

#: One grant empties the pool, so that each `advance`, ages later, lets one request through.
ONE_BY_ONE = Capacity(1.0, 3)


def ask(account: str, input_: int = 100, most: int = 60, patience: float = 1e9) -> Ask:
    return Ask(account, input_, most, patience)


class Script:
    """Asks, and lets requests through one by one; each is answered in full before the next."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.now = 0.0
        self._of: dict[str, tuple[str, int, int]] = {}
        self._number = 0

    def asks(self, account: str, input_: int, output: int) -> None:
        self._number += 1
        answer = self.peer.acquire(self.now, ask(account, input_))
        self._of[answer.id] = f"{account}{self._number}", input_, output

    def next(self) -> str:
        self.now += AGES
        granted = only(self.peer.advance(self.now))
        name, input_, output = self._of[granted.id]
        self.peer.charge(self.now, granted.id, output // 2)
        self.peer.settle(self.now, granted.id, input_, output)
        return name

    def order(self, count: int) -> list[str]:
        return [self.next() for _ in range(count)]


# ----------------------------------------------------------------------------------------------------------- the pool


def test_a_bucket_rises_at_its_rate_up_to_its_burst_and_is_above_zero_when_it_says() -> None:
    bucket = Bucket(2.0, 10.0)
    bucket.take(16.0)
    assert bucket.refill(1.0) == -4.0
    at = bucket.above_zero_at()
    assert at == pytest.approx(3.0, abs=1e-5)
    assert bucket.refill(at) > 0
    assert bucket.refill(0.0) == bucket.refill(at)  # a step back is none
    assert bucket.refill(100.0) == 10.0
    bucket.take(-5.0)
    assert bucket.level == 10.0


def test_an_account_is_expected_to_go_on_as_it_did_and_a_new_one_to_be_like_all() -> None:
    expected = Expected()
    assert expected.output(ask("a", most=60)) == 60
    expected.learn("a", 10)
    expected.learn("a", 20)
    expected.learn("b", 60)
    assert expected.output(ask("a")) == 15
    assert expected.output(ask("new")) == 30
    assert expected.output(ask("b", most=5)) == 5


@pytest.mark.parametrize("make", [FirstCome, TokenBuckets, VirtualTokenCounter, Clusters])
def test_a_grant_takes_its_estimate_and_a_settlement_what_it_was_wrong_by(make: type[Peer]) -> None:
    peer = make(Capacity(1_000.0, 1))
    peer.acquire(0.0, ask("a", 400, 50))
    peer.acquire(0.0, ask("a", 600, 50))
    peer.acquire(0.0, ask("a", 1, 50))
    assert peer.next_at() == 0.0
    first, second = peer.advance(0.0)  # the level is 500 after the first, -200 after the second
    assert isinstance(first, Granted)
    assert isinstance(second, Granted)
    assert (first.estimate, second.estimate) == (500.0, 700.0)
    assert peer.pool.level == -200.0
    assert peer.next_at() == pytest.approx(0.2, abs=1e-4)
    assert peer.advance(0.19) == []
    peer.settle(0.19, first.id, 400, 45)  # 10 less than estimated
    assert peer.pool.level == pytest.approx(0.0, abs=1e-9)
    peer.settle(0.19, second.id, 660, 30)  # 20 more
    assert peer.pool.level == pytest.approx(-20.0)
    assert peer.advance(0.2) == []
    assert only(peer.advance(0.2101)).estimate == 1 + 2 * 37.5  # the mean of both answers
    assert peer.next_at() is None


@pytest.mark.parametrize("make", [FirstCome, TokenBuckets, VirtualTokenCounter, Clusters])
def test_whoever_has_waited_too_long_is_sent_away_and_leaves_no_trace(make: type[Peer]) -> None:
    peer = make(ONE_BY_ONE)
    for account, patience in (("a", 1e9), ("a", 1e9), ("b", 5.0), ("a", 3.0), ("b", 1e9)):
        peer.acquire(0.0, ask(account, patience=patience))
    assert only(peer.advance(0.0)).id == "1"
    assert peer.next_at() == 3.0
    assert peer.advance(2.9) == []
    assert peer.advance(3.0) == [Refused("4", 1.0)]
    assert peer.advance(6.0) == [Refused("3", 1.0)]
    assert sorted(only(peer.advance(AGES * lap)).id for lap in (1, 2)) == ["2", "5"]
    assert peer.advance(AGES * 3) == []
    assert peer.next_at() is None


# -------------------------------------------------------------------------------------------------------------- fcfs


def test_the_first_come_are_the_first_served_whoever_they_are() -> None:
    script = Script(FirstCome(ONE_BY_ONE))
    for account in "aaabac":
        script.asks(account, 100, 10)
    assert script.order(6) == ["a1", "a2", "a3", "b4", "a5", "c6"]


# ------------------------------------------------------------------------------------------------------ token buckets


def buckets() -> TokenBuckets:
    """Each account has 0.1 a second, and 6 saved up; the pool 10 a second."""
    return TokenBuckets(Capacity(10.0, 100))


def test_an_account_over_its_limit_waits_until_its_bucket_has_refilled_while_others_pass() -> None:
    peer = buckets()
    for account in "aab":
        peer.acquire(0.0, ask(account, 16, 0))
    assert [each.id for each in peer.advance(0.0)] == ["1"]
    assert peer.next_at() == pytest.approx(0.6, abs=1e-4)
    assert [each.id for each in peer.advance(0.61)] == ["3"]  # the pool is above zero again, and b within its limit
    assert peer.next_at() == pytest.approx(100.0, abs=1e-4)  # 6 - 16 = -10, at 0.1 a second
    assert peer.advance(99.9) == []
    assert [each.id for each in peer.advance(100.1)] == ["2"]


def test_what_was_estimated_too_high_comes_back_to_the_account() -> None:
    peer = buckets()
    peer.acquire(0.0, ask("a", 6, 5))
    peer.acquire(0.0, ask("a", 6, 5))
    first = only(peer.advance(0.0))
    assert first.estimate == 16.0
    assert peer.next_at() == pytest.approx(100.0, abs=1e-4)
    peer.settle(20.0, first.id, 6, 0)  # 10 less: the bucket is 2 above zero
    assert only(peer.advance(20.0)).id == "2"


def test_a_bucket_holds_a_minute_and_no_more() -> None:
    peer = buckets()
    for now in (0.0, 10_000.0):
        for _ in range(3):
            peer.acquire(now, ask("a", 5, 0))
        assert len(peer.advance(now)) + len(peer.advance(now + 1.0)) == 2  # 6 - 5 is above zero, 1 - 5 isn't
        assert len(peer.advance(now + 100.0)) == 1


def test_of_those_within_their_limits_the_first_come_go_first() -> None:
    peer = buckets()
    for account in "aabacb":
        peer.acquire(0.0, ask(account, 2, 0))
    got = [each.id for lap in range(9) for each in peer.advance(lap * 1.0)]
    assert got == ["1", "2", "3", "4", "5", "6"]


# ---------------------------------------------------------------------------------------------------------------- vtc


def test_the_smallest_counter_goes_next_and_answers_count_double() -> None:
    """A's requests count 100 + 2 * 10 = 120, B's 20 + 2 * 60 = 140.

    A1: A = 120. B4: B = 140. A2: A = 240. B5: B = 280. A3: A = 360. B6.
    """
    script = Script(VirtualTokenCounter(ONE_BY_ONE))
    for account, input_, output in [*[("A", 100, 10)] * 3, *[("B", 20, 60)] * 3]:
        script.asks(account, input_, output)
    assert script.order(6) == ["A1", "B4", "A2", "B5", "A3", "B6"]


def test_the_prompt_counts_when_a_request_goes_and_each_token_of_the_answer_as_it_is_written() -> None:
    peer = VirtualTokenCounter(ONE_BY_ONE)
    peer.acquire(0.0, ask("A", 100))
    granted = only(peer.advance(0.0))
    assert peer.counter("A") == 100.0
    peer.charge(1.0, granted.id, 7)
    assert peer.counter("A") == 114.0
    peer.charge(2.0, granted.id, 7)
    peer.charge(2.0, granted.id, 5)  # it is told how far it has come: going back is nothing
    assert peer.counter("A") == 114.0
    peer.settle(3.0, granted.id, 100, 10)
    assert peer.counter("A") == 120.0


def test_who_comes_back_is_lifted_to_the_smallest_counter_in_the_queue() -> None:
    script = Script(VirtualTokenCounter(ONE_BY_ONE))
    for account, input_ in [("A", 100), ("B", 300), ("A", 100), ("B", 300), ("A", 100), ("B", 300)]:
        script.asks(account, input_, 0)
    assert script.order(2) == ["A1", "B2"]  # A = 100, B = 300
    script.asks("C", 50, 0)
    peer = script.peer
    assert isinstance(peer, VirtualTokenCounter)
    assert peer.counter("C") == 100.0
    assert script.order(3) == ["A3", "C7", "A5"]  # A and C were at 100: A stood there first. A = 300, C = 150
    script.asks("C", 50, 0)
    assert peer.counter("C") == 300.0  # of those in the queue only B is left
    script.asks("C", 50, 0)
    assert peer.counter("C") == 300.0  # it was there already


def test_a_lift_never_lowers() -> None:
    script = Script(VirtualTokenCounter(ONE_BY_ONE))
    script.asks("A", 500, 0)
    script.next()
    script.asks("B", 10, 0)
    script.asks("B", 10, 0)
    peer = script.peer
    assert isinstance(peer, VirtualTokenCounter)
    assert peer.counter("B") == 500.0  # the queue was empty, and A had left it last
    assert script.order(2) == ["B2", "B3"]  # B = 520
    script.asks("C", 1, 0)
    assert peer.counter("C") == 520.0
    script.next()
    script.asks("B", 1, 0)
    script.asks("A", 1, 0)
    assert (peer.counter("A"), peer.counter("B"), peer.counter("C")) == (521.0, 521.0, 521.0)
    script.order(1)
    script.peer.acquire(script.now, ask("D", 1))
    script.peer.acquire(script.now, ask("B", 1))
    assert (peer.counter("B"), peer.counter("D")) == (522.0, 521.0)


def test_a_newcomer_wins_against_whoever_waits_as_long_as_newcomers_keep_coming() -> None:
    """What identity churn makes of it: each is lifted to the minimum alone, and the minimum is the last newcomer's."""
    script = Script(VirtualTokenCounter(ONE_BY_ONE))
    for _ in range(3):
        script.asks("old", 100, 0)
    script.asks("new1 ", 100, 0)
    got = []
    for number in range(2, 8):
        script.asks(f"new{number} ", 100, 0)
        got.append(script.next())
    assert sum(each.startswith("old") for each in got) == 1


# ----------------------------------------------------------------------------------------------------------- clusters


def test_accounts_of_a_cluster_share_one_counter_by_whatever_link() -> None:
    peer = Clusters(ONE_BY_ONE)
    peer.know(Known("a1", cluster="x", p_link=0.3))
    peer.know(Known("a2", cluster="x", p_link=1.0))
    peer.know(Known("b"))
    script = Script(peer)
    for account in ("a1", "a2", "a1", "a2", "b", "b", "x"):
        script.asks(account, 100, 0)
    assert script.order(7) == ["a11", "b5", "x7", "a22", "b6", "a13", "a24"]
