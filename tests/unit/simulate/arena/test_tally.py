"""What is counted of a run: who got what, what was done to whom, and what was the first to do it."""

from pathlib import Path
from typing import Any

import pytest

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR
from fairgate.simulate.acts import Account, Act, Actor, Seen
from fairgate.simulate.arena.tally import Tally
from fairgate.simulate.operator import Entry
from fairgate.simulate.service import ALLOWED, COMPANY, Done, Reviewed, Verdict
from fairgate.simulate.world_file import Loaded
from tests.unit.simulate.worlds import world_of

FARMER = Actor("farm 0", "farm", honest=False, hands="robot")
OTHER = Actor("farm 1", "farm", honest=False, hands="robot")
PERSON = Actor("person 1", "hobbyist", honest=True, hands="person")
MINE = Account("acct_farm", "free", 0, FARMER)
SECOND = Account("acct_farm2", "free", 0, FARMER)
HERS = Account("acct_hers", "payg", 0, PERSON)
DAYS = 14


class Told:
    """A tally, and what it is told, at times from the world's beginning."""

    def __init__(self, world: Loaded) -> None:
        self.begins = world.begins
        self.tally = Tally(world, DAYS, {each.name: each.kind for each in (FARMER, OTHER)})
        self._number = 0

    def ask(self, account: Account, after: int, seen: Seen = Seen.SERVED, **more: Any) -> None:  # noqa: ANN401 - of an act or of what came of it
        self._number += 1
        done = {name: more.pop(name) for name in ("verdict", "wait", "cost") if name in more}
        act = {"dollars": 1.0, "data": {}, "actor": account.owner, "type": "api.request", **more}
        made = Act(time=self.begins + after, account=account, **act)
        event = "" if seen in (Seen.CLOSED, Seen.SLOWED) and "verdict" not in done else f"{self._number}"
        self.tally(Done(made, seen, event, b"", **{"verdict": ALLOWED, **done}))

    def book(self, after: int, what: str, dollars: float = 0.0, note: str = "") -> None:
        self.tally(Entry(self.begins + after, "farm 0", "farm", what, dollars, note))

    @property
    def farm(self) -> Any:  # noqa: ANN401 - an Opponents
        return self.tally.opponents(self.begins + DAYS * DAY)["farm"]

    @property
    def people(self) -> Any:  # noqa: ANN401 - an Honest
        return self.tally.honest()["hobbyist"]


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(world_of(tmp_path))


def rule(action: Action, *rules: str) -> Verdict:
    return Verdict(action, rules)


def test_compute_and_money_by_day(told: Told) -> None:
    told.ask(MINE, 0, dollars=2.0)
    told.ask(MINE, 3 * DAY, dollars=3.0)
    told.ask(MINE, 3 * DAY, Seen.SLOWED, dollars=50.0)
    told.ask(HERS, DAY, dollars=7.0)
    told.book(2 * DAY, "server", -4.0)
    told.book(2 * DAY, "sells", 9.0)
    told.ask(MINE, 4 * DAY, Seen.CHALLENGED, dollars=0.0, verdict=rule(Action.CHALLENGE, "r"), wait=HOUR)
    told.book(4 * DAY, "challenges", -0.5)
    assert told.farm.daily[:5] == (2.0, 0.0, 0.0, 3.0, 0.0)
    assert told.farm.costs[:5] == (0.0, 0.0, 4.0, 0.0, 0.5)
    assert (told.farm.compute, told.farm.cost, told.farm.asked, told.farm.earned) == (5.0, 4.5, 55.0, 9.0)
    assert told.people.daily[:2] == (0.0, 7.0)
    assert told.tally.events == 4  # what a slow account may not do is not sent


def test_what_was_paid_and_taken_back(told: Told) -> None:
    paid: dict[str, Any] = {"type": "payment.charged", "dollars": 0.0}
    told.ask(MINE, 0, data={"amount": 20.0, "outcome": "accepted"}, **paid)
    told.ask(MINE, 0, data={"amount": 50.0, "outcome": "accepted"}, disputed="fraudulent", **paid)
    told.ask(MINE, 0, data={"amount": 90.0, "outcome": "declined"}, **paid)
    assert told.farm.paid == 70.0
    told.ask(MINE, DAY, type="payment.disputed", actor=COMPANY, dollars=0.0, data={"of": "2"})
    assert told.farm.paid == 20.0


def test_when_and_by_what_an_account_was_noticed(told: Told) -> None:
    told.ask(MINE, 0)
    told.ask(MINE, HOUR, verdict=rule(Action.WATCH, "watcher"))
    told.ask(MINE, 3 * HOUR, verdict=rule(Action.THROTTLE, "slower", "other"))
    told.ask(MINE, 4 * HOUR, Seen.CLOSED, verdict=Verdict(Action.BAN, ("r",), ("blocked",)))
    told.ask(SECOND, 5 * HOUR, Seen.CLOSED, verdict=Verdict(Action.BAN, ("r",), ("blocked",)))
    assert (told.farm.accounts, told.farm.noticed, told.farm.hours, told.farm.closed) == (2, 2, 1.5, 2)
    assert told.farm.first == {"rule slower, other": 1, "list blocked": 1}


def test_a_week_is_lasted_by_those_who_could(told: Told) -> None:
    third = Account("acct_farm3", "free", 0, FARMER)
    told.ask(MINE, 0)
    told.ask(MINE, 6 * DAY, Seen.HELD, verdict=rule(Action.HOLD, "r"))
    told.ask(SECOND, 0)
    told.ask(SECOND, 8 * DAY, Seen.CLOSED, verdict=rule(Action.BAN, "r"))
    told.ask(third, 8 * DAY)
    assert (told.farm.watched, told.farm.week) == (2, 1)


def test_who_returns_after_a_ban(told: Told) -> None:
    told.ask(MINE, 0)
    told.ask(MINE, HOUR, Seen.CLOSED, verdict=rule(Action.BAN, "r"))
    told.ask(Account("x", "free", 0, OTHER), 0)
    told.ask(Account("x", "free", 0, OTHER), DAY, Seen.CLOSED)
    assert (told.farm.operators, told.farm.banned, told.farm.returned) == (2, 2, 0)
    told.ask(SECOND, 2 * HOUR)
    assert (told.farm.banned, told.farm.returned) == (2, 1)


def test_what_is_done_to_honest_people(told: Told) -> None:
    people = [Account(f"acct_{number}", "free", 0, PERSON) for number in range(5)]
    told.ask(people[0], 0)
    told.ask(people[1], 0, Seen.CHALLENGED, verdict=rule(Action.CHALLENGE, "r"), wait=HOUR // 2)
    told.ask(people[2], 0, verdict=rule(Action.THROTTLE, "r"))
    told.ask(people[2], 1, Seen.SLOWED)
    told.ask(people[3], 0, Seen.REFUSED, verdict=rule(Action.CHALLENGE, "r"), wait=1)
    for _ in range(3):
        told.ask(people[4], 0, Seen.HELD, verdict=rule(Action.HOLD, "r"))
    found = told.people
    assert (found.accounts, found.challenged, found.throttled, found.denied, found.closed) == (5, 2, 1, 2, 1)
    assert (found.requests, found.stopped) == (8, 5)
    assert found.waited == pytest.approx(0.5, abs=1e-6)
    assert told.farm.noticed == 0


def test_who_is_broken_into_is_a_victim_and_not_denied(told: Told) -> None:
    told.ask(HERS, 0)
    told.ask(HERS, HOUR, actor=FARMER, dollars=5.0)
    told.ask(HERS, 2 * HOUR, Seen.HELD, actor=FARMER, verdict=rule(Action.HOLD, "r"))
    told.ask(HERS, 3 * HOUR, Seen.CLOSED)
    assert (told.people.victims, told.people.denied, told.people.stopped) == (1, 0, 1)
    assert told.people.compute == 1.0
    assert (told.farm.accounts, told.farm.compute, told.farm.closed) == (1, 5.0, 1)


def test_rules_by_week_and_whom(told: Told) -> None:
    told.ask(MINE, 0, verdict=rule(Action.WATCH, "r"))
    told.ask(MINE, 1, verdict=rule(Action.WATCH, "r"))
    told.ask(SECOND, 2)
    told.ask(HERS, 3, verdict=rule(Action.CHALLENGE, "r"), wait=1)
    told.ask(MINE, 8 * DAY)
    told.ask(HERS, 8 * DAY, verdict=rule(Action.ALLOW, "quiet"))
    found = told.tally.rules(told.begins + DAYS * DAY)
    assert set(found) == {"r"}
    assert (found["r"].abusive, found["r"].honest) == ({"farm": 1}, {"hobbyist": 1})
    assert found["r"].weekly == (0.5, 0.0)
    assert told.tally.rules(told.begins + 6 * DAY)["r"].weekly == (0.5,)  # who stops early knows of no week after


def test_what_opponents_decide(told: Told) -> None:
    told.book(0, "tries", note="one way: it may bring 3 dollars")
    told.book(DAY, "tries", note="one way: it may bring 2 dollars")
    told.book(8 * DAY, "tries", note="another: it may bring 1 dollar")
    told.book(9 * DAY, "leaves", note="no way pays any more")
    assert told.farm.ways == ({"one way": 2}, {"another": 1})
    assert told.farm.left == 1
    assert told.farm.costs == (0.0,) * DAYS


def test_reviews_and_their_cost(told: Told) -> None:
    told.tally(Reviewed(told.begins, MINE, closed=True, cost=4.0))
    told.tally(Reviewed(told.begins, HERS, closed=False, cost=3.0))
    assert (told.tally.reviews, told.tally.review_dollars) == (2, 7.0)
