"""The desk of leases: what it grants, counts and says again."""

import random
from typing import Any

import pytest

from fairgate.share import Grant, Pool, Queued, Reason, Share, Standing
from fairgate.share.lease import Return, Sent, Terms, Told, Want
from fairgate.share.lease_desk import LeaseDesk


class Counter:
    """A desk with a clock that stands, and what gateways say to it."""

    def __init__(self, gateways: int = 2, capacity: float = 1_000.0) -> None:
        self.now = 50.0
        pools = [
            Pool("p", capacity, models=("m*",), largest=90.0, grant_seconds=60.0),
            Pool("q", 10.0, models=("g",), grant_seconds=60.0),
        ]
        self.share = Share(pools, lambda: self.now, random.Random(1))
        self.stock = self.share.stocks["p"]
        for account in ("a", "b"):
            self.share.set_principal(account, Standing(trust=0.9), 1)
        self.terms = Terms(gateways, {"p": 100.0, "q": 5.0}, lifetime=10.0)
        self.desk = LeaseDesk(self.share, self.terms, lambda: self.now, random.Random(2))
        self.number = 0
        self.heard: dict[str, int] = {}

    def say(self, *wants: tuple[str, float], gateway: str = "g", hears: bool = True, **more: object) -> Told:
        """Say something; wants are ids and costs."""
        self.number += 1
        sent = {
            "gateway": gateway,
            "process": f"p-{gateway}",
            "life": 0,
            "number": self.number,
            "desk": "" if gateway not in self.heard else self.desk._life,
            "heard": self.heard.get(gateway, 0),
            "wants": [Want(key, "a", "m", cost, 5.0) for key, cost in wants],
        }
        told = self.desk.exchange(Sent(**(sent | more)))  # type: ignore[arg-type]
        if hears:
            self.heard[gateway] = told.serial
        return told


@pytest.fixture
def counter() -> Counter:
    return Counter()


def ids(told: Told) -> list[str]:
    return [each.id for each in told.leases]


def test_a_lost_answer_is_told_again_and_not_granted_twice(counter: Counter) -> None:
    first = counter.say(("w1", 40.0), hears=False)
    assert [(each.id, each.account, each.cost, each.lifetime) for each in first.leases] == [("w1", "a", 40.0, 10.0)]
    counter.now += 2
    again = counter.say(("w1", 40.0))
    assert [(each.lease, each.lifetime) for each in again.leases] == [(first.leases[0].lease, 8.0)]
    assert counter.say().leases == []
    assert counter.stock.used == 40.0


def test_a_want_that_does_not_fit_waits_until_there_is_room(counter: Counter) -> None:
    told = counter.say(("w1", 60.0), ("w2", 60.0), ("w3", 10.0))
    assert ids(told) == ["w1"], "the small one does not pass the large one"
    told = counter.say(returns=[Return(told.leases[0].lease, 25.0)])
    assert ids(told) == ["w2", "w3"]
    assert told.late == []
    assert counter.stock.used == 25.0 + 60.0 + 10.0


def test_each_gateway_and_each_pool_has_a_quantum_of_its_own(counter: Counter) -> None:
    assert ids(counter.say(("w1", 80.0))) == ["w1"]
    assert ids(counter.say(("w2", 80.0), gateway="h")) == ["w2"]
    assert ids(counter.say(wants=[Want("w3", "a", "g", 5.0, 1.0)])) == ["w3"]


def test_a_lease_that_is_not_returned_in_time_is_spent(counter: Counter) -> None:
    lease = counter.say(("w1", 60.0), ("w2", 60.0)).leases[0].lease
    assert counter.desk.next_at() == pytest.approx(60.0)
    counter.now += 4.9
    assert ids(counter.say()) == []
    counter.now += 5.1
    told = counter.say(returns=[Return(lease, 0.0)])
    assert told.late == [lease]
    assert [(each.id, each.reason) for each in told.denials] == [("w2", Reason.LATE)]
    assert counter.stock.used == 60.0
    assert not counter.stock.grants


def test_what_was_spent_beyond_a_lease_is_charged(counter: Counter) -> None:
    lease = counter.say(("w1", 60.0)).leases[0].lease
    assert counter.say(returns=[Return(lease, 90.0)]).late == []
    assert counter.stock.used == 90.0


def test_a_lease_that_ends_before_its_gateway_heard_of_it_is_told_as_none(counter: Counter) -> None:
    counter.say(("w1", 60.0), hears=False)
    counter.now += 10
    told = counter.say(("w1", 60.0))
    assert told.leases == []
    assert [(each.id, each.reason) for each in told.denials] == [("w1", Reason.LATE)]


def test_what_a_gateway_had_in_an_earlier_life_is_spent(counter: Counter) -> None:
    lease = counter.say(("w1", 60.0)).leases[0].lease
    told = counter.say(("w2", 100.0), process="other", life=1, returns=[Return(lease, 0.0)])
    assert told.late == [lease]
    assert told.leases == [], "more than what one lease may cost"
    assert counter.stock.used == 60.0


@pytest.mark.parametrize(
    "late",
    [{"number": 1}, {"process": "other"}, {"life": 2, "process": "other"}],
)
def test_a_message_of_a_life_that_is_over_changes_nothing(counter: Counter, late: dict[str, Any]) -> None:
    counter.say(life=3)
    counter.say(life=3)
    message: dict[str, Any] = {"life": 3} | late
    told = counter.say(("w1", 10.0), **message)
    assert (told.stale, told.leases) == (3, [])
    assert counter.stock.used == 0.0


def test_a_message_that_comes_twice_is_answered_twice(counter: Counter) -> None:
    first = counter.say(("w1", 10.0), number=7, hears=False)
    second = counter.say(("w1", 10.0), number=7, hears=False)
    assert first.leases == second.leases
    assert first.serial < second.serial


def test_there_are_no_more_gateways_than_was_agreed(counter: Counter) -> None:
    counter.say(("w1", 10.0))
    counter.say(gateway="h")
    told = counter.say(("w3", 10.0), gateway="i")
    assert [(each.id, each.reason, each.retry_after) for each in told.denials] == [("w3", Reason.BUSY, 10.0)]
    counter.now += 10
    assert ids(counter.say(("w4", 10.0), gateway="i")) == ["w4"], "one that was silent makes room"
    assert {*counter.desk.gateways} == {"h", "i"}


def test_what_can_never_be_granted_is_denied_for_good(counter: Counter) -> None:
    wants = [Want("w1", "a", "m", 101.0, 1.0), Want("w2", "a", "m", 91.0, 1.0), Want("w3", "a", "none", 1.0, 1.0)]
    denials = counter.say(wants=wants).denials
    assert [(each.id, each.reason, each.retry_after) for each in denials] == [
        ("w1", Reason.TOO_LARGE, None),
        ("w2", Reason.TOO_LARGE, None),
        ("w3", Reason.NO_SUCH_MODEL, None),
    ]


def test_a_want_waits_in_the_queue_until_it_is_cancelled() -> None:
    counter = Counter(capacity=10.0)
    told = counter.say(("w1", 50.0), ("w2", 20.0), ("w3", 20.0))
    assert ids(told) == ["w1"]
    assert told.scarce == ["p"]
    assert len(counter.stock.queued) == 2
    counter.say(cancels=["w2", "unknown"])
    assert len(counter.stock.queued) == 1
    counter.now += 4.5
    assert ids(counter.say()) == ["w3"]


def test_the_queue_s_order_is_the_share_s() -> None:
    counter = Counter(capacity=10.0)
    counter.say(("w1", 60.0))
    counter.say(("w2", 30.0), gateway="h")
    wants = [Want("w3", "a", "m", 5.0, 60.0), Want("w4", "b", "m", 5.0, 60.0)]
    assert ids(counter.say(wants=wants)) == []
    counter.now += 8.2
    assert ids(counter.say()) == ["w4", "w3"], "b has had nothing"


def test_others_use_the_share_beside_the_desk() -> None:
    counter = Counter(capacity=10.0)
    counter.say(("w1", 50.0))
    queued = counter.desk.acquire("b", "m", 20, 0, 30.0)
    assert isinstance(queued, Queued)
    assert counter.desk.open(queued.id) is queued
    counter.say(("w2", 20.0))
    counter.now += 4.5
    counter.say()
    assert counter.desk.next_at() == counter.now
    (outcome,) = counter.desk.advance()
    assert isinstance(outcome, Grant)
    assert outcome.id == queued.id
    assert counter.desk.advance() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"gateways": 0},
        {"quanta": {"p": 0.0}},
        {"quanta": {"p": float("nan")}},
        {"lifetime": 0.0},
        {"delta": 0.25},
        {"delta": -0.1},
        {"sigma": 1.1},
    ],
)
def test_terms_that_can_not_be_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|not a number"):
        Terms(**({"gateways": 1, "quanta": {"p": 1.0}} | wrong))  # type: ignore[arg-type]


def test_a_pool_needs_a_quantum_and_grants_that_outlive_leases() -> None:
    for pool in (Pool("other", 1.0), Pool("p", 1.0, grant_seconds=10.0)):
        with pytest.raises(ValueError, match="quantum"):
            LeaseDesk(Share([pool]), Terms(1, {"p": 1.0}, lifetime=10.0))
