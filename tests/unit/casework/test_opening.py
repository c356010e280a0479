"""From the log to cases, as the clerk does it: who has to be looked at, what they burn, and nothing twice."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from fairgate.backends.embedded.segment_reader import SegmentReader
from fairgate.casework.opening import Opening
from fairgate.domain.action import Action
from fairgate.domain.case import Case, CaseState, Facts, Happening
from fairgate.domain.windows import HOUR, SECOND
from fairgate.domain.worth import Stake
from fairgate.language.pack_file import pack_from_texts
from fairgate.pipeline.online import Pipeline
from fairgate.pipeline.projection import Projection
from fairgate.ports.cases import CasesWanted
from fairgate.wiring import Records, open_records
from tests.support import NOW, PACK, SetClock, open_pipeline, request
from tests.unit.pipeline.live import answers

TERMS = """
[cases]
from = "throttle"
cost = "cost"
hours = 10
minutes = 4
"""
COSTS = """name = "default"
costs = { allow = { bad = 100, good = 0 }, throttle = { bad = 60, good = 2 }, ban = { bad = 2, good = 400 } }"""
CASES = PACK.replace("daily_cap = 2\n", "").replace('name = "default"', COSTS) + TERMS


class Clerk:
    """A pipeline, and the cases that are fed by its log."""

    def __init__(self, pipeline: Pipeline, records: Records, folder: Path, clock: SetClock) -> None:
        self.pipeline, self.records, self.clock = pipeline, records, clock
        self.log = SegmentReader.open(folder / "log")
        self.number = 0
        self.restart()

    def restart(self) -> None:
        opening = Opening(self.records.case_feed)
        self.projection = Projection(self.log, self.records.ledger, [], pack_from_texts, [opening])

    def step(self) -> None:
        self.pipeline.commit()
        self.log.refresh()
        self.projection.step(self.clock.time)

    def ask(self, account: str, cost: float) -> None:
        self.number += 1
        answers(self.pipeline, request(self.number, account=account, cost=cost))

    def cases(self, account: str | None = None) -> list[Case]:
        return self.records.cases.found(CasesWanted(account=account), -1, 100)


@contextmanager
def clerk(folder: Path, pack: str = CASES) -> Iterator[Clerk]:
    clock = SetClock()
    with open_pipeline(folder, pack, clock=clock) as pipeline, open_records(folder) as records:
        made = Clerk(pipeline, records, folder, clock)
        with closing(made.log):
            yield made


def test_a_decision_as_grave_as_the_pack_says_opens_a_case(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        tried.ask("meek", 1.0)
        tried.ask("bold", 20.0)
        tried.step()
        (case,) = tried.cases()
        last = tried.log.end() - 1
    assert (case.accounts, case.opened, case.opened_by) == (("bold",), NOW, "")
    facts = case.facts
    assert (facts.suggested, facts.reasons, facts.evidence) == (Action.THROTTLE, ("spend",), ("capped",))
    assert facts.events == (last,)
    stake = facts.stake
    assert (stake.burn, stake.hours, stake.at_risk, stake.worth, stake.minutes) == (20.0, 10.0, 100.0, 400.0, 4.0)
    assert (stake.stands, stake.at) == (Action.THROTTLE, NOW)
    assert 0 < stake.probability < 1


def test_without_cases_in_the_pack_nothing_is_opened(tmp_path: Path) -> None:
    with clerk(tmp_path, PACK) as tried:
        tried.ask("bold", 20.0)
        tried.step()
        assert tried.cases() == []


def test_what_is_used_while_a_case_is_open_burns_and_fades(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        tried.ask("bold", 20.0)
        tried.step()
        tried.clock.time += HOUR
        tried.ask("bold", 3.0)
        tried.ask("meek", 7.0)
        tried.step()
        (case,) = tried.cases()
    assert case.facts.stake.burn == pytest.approx(20 / 2.718281828459045 + 3)
    assert case.facts.stake.at == NOW + HOUR


def test_a_case_burns_what_all_its_accounts_use(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        stake = Stake(0.5, 100.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW)
        tried.records.cases.open(Case(-1, ("one", "two"), Facts(stake), NOW, "ann", "a hunch"))
        tried.step()
        for cost in (1.0, 2.0):
            for account in ("one", "two"):
                tried.ask(account, cost)
                tried.step()
            tried.clock.time += HOUR
        tried.ask("one", 4.0)
        tried.clock.time += SECOND
        tried.step()
        (case,) = tried.cases()
    fades = 2.718281828459045
    assert case.facts.stake.burn == pytest.approx(102 / fades**2 + 4 / fades + 4, rel=0.001)


def test_what_brings_nothing_new_feeds_nothing_for_an_hour(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        for _ in range(5):
            tried.ask("bold", 20.0)
            tried.clock.time += SECOND
            tried.step()
        (case,) = tried.cases()
        assert len(case.facts.events) == 1
        tried.clock.time += HOUR
        tried.ask("bold", 20.0)
        tried.step()
        (case,) = tried.cases()
        assert len(case.facts.events) == 2


def test_one_that_was_judged_is_opened_anew_where_it_goes_on(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        tried.ask("bold", 20.0)
        tried.step()
        (case,) = tried.cases()
        closed = replace(case, state=CaseState.DECIDED, version=2)
        assert tried.records.cases.store(closed, [Happening(tried.clock.time, "ann", "decided", "")])
        for wait, cases in ((SECOND, 1), (HOUR, 2), (SECOND, 2)):
            tried.clock.time += wait
            tried.ask("bold", 20.0)
            tried.step()
            assert len(tried.cases("bold")) == cases


@pytest.mark.parametrize("lost", [False, True])
def test_after_a_start_nothing_is_fed_twice(tmp_path: Path, *, lost: bool) -> None:
    with clerk(tmp_path) as tried:
        tried.ask("bold", 20.0)
        tried.step()
        tried.clock.time += SECOND
        tried.ask("bold", 5.0)
        tried.step()
        if lost:  # killed after the cases were kept and before the ledger was: the log is read again from its beginning
            with tried.records.cases._records.writing() as connection:  # type: ignore[attr-defined]
                connection.exec_driver_sql("delete from ledger_read")
        tried.restart()
        tried.ask("other", 20.0)
        tried.step()
        assert [case.accounts for case in tried.cases()] == [("bold",), ("other",)]
        assert tried.cases("bold")[0].facts.stake.burn == pytest.approx(25.0, rel=0.001)


def test_the_case_that_somebody_opened_is_fed(tmp_path: Path) -> None:
    with clerk(tmp_path) as tried:
        tried.ask("bold", 20.0)
        stake = Stake(0.5, 0.0, 24.0, 0.0, 100.0, Action.ALLOW, 5.0, NOW)
        opened = tried.records.cases.open(Case(-1, ("bold", "friend"), Facts(stake), NOW, "ann", "a hunch")).case
        tried.step()
        (case,) = tried.cases()
        assert case.number == opened.number
        assert case.facts.evidence == ("capped",)
        tried.clock.time += SECOND
        tried.ask("friend", 2.0)
        tried.step()
        (case,) = tried.cases("friend")
        assert case.facts.stake.burn == pytest.approx(2.0)
