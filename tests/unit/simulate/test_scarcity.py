"""Scarce compute: one queue for all, or fair shares by what the company knows."""

from collections.abc import Callable

import pytest

from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.simulate.acts import Account, Act, Actor, Life
from fairgate.simulate.scarcity import Gate, Scarcity

T0 = 1_800_000_000_000_000
FARM = Actor("farm 0", "credit_farm", honest=False, hands="robot")


def person(name: str, age: int = 30 * DAY) -> Account:
    return Account(name, "payg", T0 - age, Actor(name, "hobbyist", honest=True, hands="person"))


def farmed(number: int, age: int = 30 * DAY) -> Account:
    return Account(f"f{number}", "free", T0 - age, FARM)


class Day:
    """An hour's compute for 36 dollars: a cent a second; who was let through, when, and when a look is due."""

    def __init__(self, scarcity: Scarcity, seed: int = 1) -> None:
        self.opened: list[tuple[str, bool, float]] = []
        self.looks: list[tuple[int, Callable[[], Life]]] = []
        self.gate = Gate(scarcity, seed, ["farm 0", "farm 1"], self._opens, lambda *look: self.looks.append(look))
        self.now = T0

    def _opens(self, act: Act, served: bool) -> None:
        self.opened.append((act.account.name, served, (act.time - T0) / SECOND))

    def ask(self, who: Account, dollars: float = 0.1, actor: Actor | None = None) -> bool | None:
        act = Act(self.now, "api.request", who, actor or who.owner, {}, dollars)
        return self.gate.ask(act)

    def empty(self) -> None:
        """Use up what has been saved up."""
        assert self.ask(person("first"), 0.6) is True

    def run(self, seconds: float) -> None:
        """Let time pass, with every look that was planned."""
        until = self.now + int(seconds * SECOND)
        while self.looks and self.looks[0][0] <= until:
            time, life = self.looks.pop(0)
            self.now = time
            assert not list(life())
        self.now = until


def test_while_there_is_enough_nobody_waits() -> None:
    day = Day(Scarcity(36.0))
    assert [day.ask(person("a"), 0.1) for _ in range(6)] == [True] * 6
    assert not day.looks
    found = day.gate.result()
    assert (found.honest.requests, found.honest.denied, found.honest.p99) == (6, 0, 0.0)
    assert found.honest.served == pytest.approx(0.6)
    assert found.capture == 0.0


def test_with_one_queue_whoever_asks_most_is_served_most() -> None:
    got = {}
    for fair in (False, True):
        day = Day(Scarcity(36.0, fair=fair, links=1.0, false_links=0.0))
        day.empty()
        for _ in range(40):
            for number in range(9):
                assert day.ask(farmed(number)) is None
            assert day.ask(person("a")) is None
            day.run(10)
        found = day.gate.result()
        assert found.capture is not None
        got[fair] = found.capture
        assert found.opponents.denied > 0
    assert got[False] > 0.75
    assert 0.4 < got[True] < 0.55  # two who want everything: one person, one farm


def test_who_waits_too_long_is_denied_and_so_is_told() -> None:
    day = Day(Scarcity(0.36, fair=False))
    assert day.ask(person("a"), 1.0) is True
    assert day.ask(person("b"), 0.1) is None
    day.run(120)
    assert day.opened == [("b", False, 60.0)]
    assert day.gate.result().honest.denied == 1
    assert not day.looks


def test_what_was_decided_makes_trust_and_fades() -> None:
    day = Day(Scarcity(36.0, links=0.0))
    suspect = person("suspect")
    day.gate.decided(suspect, 0.9, day.now)
    day.gate.decided(suspect, 0.2, day.now)
    day.ask(suspect, 0.01)
    assert day.gate._share.standings["suspect"].trust == pytest.approx(0.1)
    day.now += 8 * DAY
    day.ask(suspect, 0.01)
    assert day.gate._share.standings["suspect"].trust == 0.95


def test_a_newcomer_is_established_by_time_or_by_an_accepted_card() -> None:
    day = Day(Scarcity(36.0, links=0.0))
    young, payer = person("young", age=HOUR), person("payer", age=HOUR)
    day.gate.paid(payer)
    for each in (young, payer):
        day.ask(each, 0.01)
    standings = day.gate._share.standings
    assert [standings[name].established for name in ("young", "payer")] == [False, True]
    day.now += 8 * DAY
    day.ask(young, 0.01)
    assert day.gate._share.standings["young"].established


def test_a_reviewers_finding_is_a_ceiling_for_all_that_is_known_of_a_farm() -> None:
    day = Day(Scarcity(36.0, links=1.0, false_links=0.0))
    for number in range(3):
        day.ask(farmed(number), 0.01)
    day.gate.found(farmed(0), bad=True)
    assert {day.gate._share.standings[f"f{number}"].ceil for number in range(3)} == {0.002}
    honest = person("a")
    day.gate.found(honest, bad=True)
    day.ask(honest, 0.01)
    day.gate.found(honest, bad=False)
    day.ask(honest, 0.01)
    assert day.gate._share.standings["a"].ceil is None


def test_so_many_links_are_known_and_so_many_are_wrong() -> None:
    day = Day(Scarcity(36.0, links=0.7, false_links=0.1))
    clusters = [day.gate._cluster(farmed(number)) for number in range(2_000)]
    assert set(clusters) == {"farm 0", None}
    assert sum(each is not None for each in clusters) / 2_000 == pytest.approx(0.7, abs=0.04)
    wrong = [day.gate._cluster(person(f"p{number}")) for number in range(2_000)]
    assert set(wrong) == {"farm 0", "farm 1", None}
    assert sum(each is not None for each in wrong) / 2_000 == pytest.approx(0.1, abs=0.03)


def test_an_intruder_counts_as_an_opponent_on_an_honest_account() -> None:
    day = Day(Scarcity(36.0, links=1.0, false_links=1.0))
    day.ask(person("victim"), 0.1, FARM)
    day.ask(person("victim"), 0.2)
    found = day.gate.result()
    assert (found.opponents.served, found.honest.served, found.honest.wrongly_served) == (0.1, 0.2, 0.2)
