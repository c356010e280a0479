"""The holder of leases: a gateway that answers as a share does."""

import random

import pytest

from fairgate.share import Answer, Denied, Grant, Pool, Queued, Reason, Share, Standing
from fairgate.share.lease import Sent, Terms
from fairgate.share.lease_desk import LeaseDesk
from fairgate.share.lease_holder import LeaseHolder

POOLS = [
    Pool("p", 1_000.0, models=("m*",), queue=40, grant_seconds=60.0),
    Pool("q", 10.0, models=("g",), grant_seconds=60.0),
]
TERMS = Terms(2, {"p": 200.0, "q": 50.0}, lifetime=10.0, delta=0.1)


class Gateway:
    """A gateway beside its desk, and a clock that stands."""

    def __init__(self) -> None:
        self.now = 50.0
        self.share = Share(POOLS, lambda: self.now, random.Random(1))
        for account in ("a", "b"):
            self.share.set_principal(account, Standing(trust=0.9), 1)
        self.restart_desk()
        self.holder = self.born(1)

    def born(self, seed: int) -> LeaseHolder:
        return LeaseHolder("g", POOLS, TERMS, lambda: self.now, random.Random(seed))

    def restart_desk(self) -> None:
        self.desk = LeaseDesk(self.share, TERMS, lambda: self.now, random.Random(self.now))

    def exchange(self, times: int = 4) -> list[Grant | Denied]:
        """Exchange messages, each after the time that it must wait for."""
        for _ in range(times):
            self.now += 0.03
            if (sent := self.holder.send()) is not None:
                self.holder.hear(self.desk.exchange(sent))
        return self.holder.advance()

    def lose(self) -> Sent:
        """Send a message that gets lost."""
        self.now += 0.3
        sent = self.holder.send()
        assert sent is not None
        self.holder.lost()
        return sent

    def ask(self, account: str = "a", cost: int = 10, deadline: float = 5.0, model: str = "m") -> Answer:
        return self.holder.acquire(account, model, cost, 0, deadline)

    def granted(self, account: str = "a", cost: int = 10) -> Grant:
        answer = self.ask(account, cost, 0.0)
        assert isinstance(answer, Grant)
        return answer

    @property
    def used(self) -> float:
        return self.share.stocks["p"].used


@pytest.fixture
def gateway() -> Gateway:
    """A gateway that has heard from the desk."""
    made = Gateway()
    made.exchange(1)
    assert not made.holder.cut_off
    return made


def test_the_first_request_waits_for_a_lease_and_the_next_ones_do_not(gateway: Gateway) -> None:
    queued = gateway.ask()
    assert isinstance(queued, Queued)
    assert gateway.holder.open(queued.id) is queued
    (outcome,) = gateway.exchange()
    assert isinstance(outcome, Grant)
    assert outcome.id == queued.id
    assert gateway.holder.open(queued.id) is outcome
    assert gateway.granted().account == "a"


def test_a_lease_is_given_back_when_its_account_is_quiet(gateway: Gateway) -> None:
    gateway.ask()
    (first,) = gateway.exchange()
    gateway.granted().settle(10, 0)
    gateway.now += 2.6
    gateway.exchange()
    assert gateway.desk.leases, "it has a request in flight"
    assert isinstance(first, Grant)
    first.settle(10, 3)
    gateway.now += 1.1
    gateway.exchange()
    assert not gateway.desk.leases
    assert gateway.used == 26.0


def test_a_lease_that_is_used_up_is_kept_until_its_request_has_ended(gateway: Gateway) -> None:
    gateway.holder.tills["p"].scarce = True
    gateway.ask(cost=40)
    (grant,) = gateway.exchange()
    gateway.exchange()
    assert isinstance(grant, Grant)
    assert grant.settle(40, 30)
    gateway.now += 3.7
    gateway.exchange()
    assert not gateway.desk.leases
    assert gateway.used == 100.0


def test_what_requests_turn_out_to_cost_is_told(gateway: Gateway) -> None:
    gateway.ask()
    (first,) = gateway.exchange()
    assert isinstance(first, Grant)
    assert first.charge(30)
    assert not first.charge(20)
    assert first.counted == 10 + 2 * 30
    assert first.settle(10, 40)
    assert not first.settle(10, 40)
    assert not first.charge(50)
    second = gateway.granted()
    assert second.settle(4, 0)
    gateway.now += 2.6
    gateway.exchange()
    assert gateway.used == 10 + 2 * 40 + 4


def test_a_grant_that_nobody_ends_ends_by_itself(gateway: Gateway) -> None:
    gateway.ask()
    (grant,) = gateway.exchange()
    assert gateway.holder.next_at() == pytest.approx(grant.touched + 60 if isinstance(grant, Grant) else 0)
    gateway.now += 61
    assert gateway.holder.advance() == []
    assert gateway.holder.open(grant.id) is None


def test_a_lease_ends_earlier_at_its_gateway(gateway: Gateway) -> None:
    gateway.ask()
    sent_at = gateway.now + 0.03
    gateway.exchange(1)
    gateway.holder.talk.quiet = 100.0
    gateway.now = sent_at + 10 * (1 - 2 * 0.1) - 0.01
    gateway.granted()
    gateway.now += 0.02
    assert isinstance(gateway.ask(deadline=0.0), Denied)


def test_reasons_for_a_denial(gateway: Gateway) -> None:
    def reason(answer: Answer) -> Reason:
        assert isinstance(answer, Denied)
        return answer.reason

    assert reason(gateway.ask(cost=201)) == Reason.TOO_LARGE
    assert reason(gateway.ask(model="none")) == Reason.NO_SUCH_MODEL
    assert reason(gateway.ask(model="m" * 300)) == Reason.NO_SUCH_MODEL
    assert reason(gateway.ask(deadline=0.0)) == Reason.LATE
    for _ in range(20):
        assert isinstance(gateway.ask("b"), Queued)
    assert reason(gateway.ask("b")) == Reason.BUSY
    gateway.now += 6
    assert {reason(each) for each in gateway.holder.advance()} == {Reason.LATE}
    for wrong in ("", "x" * 257):
        with pytest.raises(ValueError, match="account"):
            gateway.ask(wrong)
    with pytest.raises(ValueError, match="input_tokens"):
        gateway.ask(cost=-1)


def test_who_leaves_the_queue_wants_nothing_any_more(gateway: Gateway) -> None:
    gateway.share.set_capacity("p", 0.0)
    gateway.share.reserve("b", "m", 2_000.0, 0.0)
    queued = gateway.ask()
    gateway.exchange(1)
    assert len(gateway.share.stocks["p"].queued) == 1
    assert isinstance(queued, Queued)
    assert queued.abort()
    assert not queued.abort()
    gateway.exchange()
    assert not gateway.share.stocks["p"].queued
    assert gateway.holder.send_at() is None


def test_what_the_desk_denies_is_denied(gateway: Gateway) -> None:
    gateway.desk.gateways.clear()
    for name in ("x", "y"):
        gateway.desk.exchange(Sent(gateway=name, process=name, life=0, number=1))
    gateway.ask()
    (denied,) = gateway.exchange()
    assert isinstance(denied, Denied)
    assert (denied.reason, denied.retry_after) == (Reason.BUSY, 10.0)


def test_each_pool_has_a_quantum_and_leases_of_its_own(gateway: Gateway) -> None:
    gateway.ask(cost=150)
    gateway.ask(cost=10, model="g")
    assert len(gateway.exchange()) == 2
    assert isinstance(gateway.ask(cost=51, model="g"), Denied)


def test_who_is_cut_off_uses_leases_then_the_safe_rate() -> None:
    gateway = Gateway()
    gateway.exchange(1)
    gateway.ask(cost=20)
    gateway.exchange()
    gateway.ask("b", 30)
    gateway.lose()
    assert gateway.holder.cut_off
    gateway.granted("a", 20)
    cut_at = gateway.now
    rate = 0.5 * 1_000 / 2 * 0.9
    due = gateway.holder.next_at()
    assert due == pytest.approx(cut_at + (200 + 30) / rate, abs=0.01)
    gateway.now = due or 0.0
    (outcome,) = gateway.holder.advance()
    assert outcome.account == "b" if isinstance(outcome, Grant) else False
    sent = gateway.holder.send()
    assert sent is not None
    assert (sent.life, sent.wants, sent.returns) == (1, [], []), "it has begun a new life, and says no more than that"


def test_leases_of_an_earlier_life_are_dropped_when_the_desk_is_back(gateway: Gateway) -> None:
    gateway.ask(cost=10)
    gateway.exchange()
    gateway.holder.talk.quiet = 100.0
    assert gateway.holder.tills["p"].left > 0
    gateway.ask("b", 5)
    gateway.lose()
    gateway.now += 2.0
    assert gateway.holder.advance()
    assert gateway.holder.tills["p"].left > 0
    used = gateway.used
    gateway.now += 0.3
    gateway.exchange(1)
    assert gateway.holder.tills["p"].left == 0
    assert not gateway.desk.leases
    assert gateway.used == used, "all of it is spent"


def test_a_desk_that_was_restarted_is_told_again(gateway: Gateway) -> None:
    gateway.share.set_capacity("p", 0.0)
    gateway.share.reserve("b", "m", 2_000.0, 0.0)
    queued = gateway.ask(deadline=60.0)
    gateway.exchange(2)
    gateway.share = Share(POOLS, lambda: gateway.now, random.Random(3))
    gateway.restart_desk()
    (outcome,) = gateway.exchange(3)
    assert isinstance(outcome, Grant)
    assert outcome.id == queued.id


def test_a_gateway_that_was_restarted_begins_after_its_earlier_lives(gateway: Gateway) -> None:
    gateway.ask()
    gateway.exchange()
    gateway.holder = gateway.born(9)
    gateway.ask()
    gateway.now += 0.3
    gateway.exchange(1)
    assert gateway.holder.cut_off
    gateway.now += 0.3
    (outcome,) = gateway.exchange()
    assert isinstance(outcome, Grant)


def test_a_gateway_that_stops_gives_everything_back(gateway: Gateway) -> None:
    gateway.ask()
    gateway.exchange()
    gateway.ask("b", cost=60)
    gateway.holder.retire()
    sent = gateway.holder.send()
    assert sent is not None
    assert (len(sent.wants), len(sent.returns)) == (0, 1)
    gateway.holder.hear(gateway.desk.exchange(sent))
    assert not gateway.desk.leases
    assert gateway.used == 10.0


def test_accounts_are_forgotten_when_there_are_too_many(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fairgate.share.lease_till._REMEMBERS", 3)
    gateway.ask("a")
    for number in range(20):
        gateway.ask(f"other{number}", deadline=0.0)
    purses = gateway.holder.tills["p"].purses
    assert len(purses) <= 4
    assert "a" in purses, "it waits"
