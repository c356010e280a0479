"""The next case: the most valuable, the leads' first, and by lot with the probability that is recorded."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from fairgate.casework.drawing import AMONG_ALL, AMONG_UNCERTAIN, Taker, next_case
from fairgate.domain.action import Action
from fairgate.domain.case import Case, CaseState, Claim, Facts, Happening
from fairgate.domain.windows import HOUR, MINUTE
from fairgate.domain.worth import Stake
from fairgate.wiring import Records, open_records

NOW = 1_796_000_000_000_000
STAKE = Stake(0.9, 10.0, 24.0, 100.0, 400.0, Action.ALLOW, 5.0, NOW)


class NoLot(Random):
    """Draws that never fall on the lot."""

    def random(self) -> float:
        return 0.99


class Lot(Random):
    """Draws that always fall on it: on all, or on the uncertain."""

    def __init__(self, at: float, seed: int) -> None:
        super().__init__(seed)
        self.at = at

    def random(self) -> float:
        return self.at


@pytest.fixture
def records(tmp_path: Path) -> Iterator[Records]:
    with open_records(tmp_path) as opened:
        yield opened


def opened(records: Records, account: str, *, burn: float = 10.0, probability: float = 0.9, **more: object) -> Case:
    stake = replace(STAKE, burn=burn, probability=probability)
    case = records.cases.open(Case(-1, (account,), Facts(stake), NOW, "ann", "look")).case
    if more:
        case = replace(case, version=2, **more)
        assert records.cases.store(case, [Happening(NOW, "ann", "changed", "")])
    return case


def test_the_most_valuable_is_next(records: Records) -> None:
    assert next_case(records.case_queue, NOW, Taker("bob"), NoLot()) is None
    opened(records, "a", burn=5.0)
    best = opened(records, "b", burn=20.0)
    opened(records, "c", burn=10.0)
    found = next_case(records.case_queue, NOW, Taker("bob"), NoLot())
    assert found == (best, 1.0)


def test_leads_get_what_was_escalated_and_others_never(records: Records) -> None:
    opened(records, "a", burn=20.0)
    opened(records, "b", burn=5.0, escalated=True)
    chosen = {lead: next_case(records.case_queue, NOW, Taker("bob", lead=lead), NoLot()) for lead in (True, False)}
    assert {lead: found and found.case.accounts for lead, found in chosen.items()} == {True: ("b",), False: ("a",)}


def test_who_is_barred_gets_the_next(records: Records) -> None:
    for number in range(25):
        opened(records, f"x{number}", burn=20.0 + number, barred=("bob",))
    other = opened(records, "a", burn=1.0)
    found = next_case(records.case_queue, NOW, Taker("bob"), NoLot())
    assert found is not None
    assert found.case == other
    for seed in range(20):
        drawn = next_case(records.case_queue, NOW, Taker("bob"), Lot(0.0, seed))
        assert drawn is not None
        assert drawn.case == other


def test_what_burnt_hours_ago_comes_behind_what_burns_now(records: Records) -> None:
    opened(records, "a", burn=50.0)
    later = NOW + 3 * HOUR
    fresh = records.cases.open(Case(-1, ("b",), Facts(replace(STAKE, burn=20.0, at=later)), later, "ann", "look")).case
    found = next_case(records.case_queue, later, Taker("bob"), NoLot())
    assert found is not None
    assert found.case == fresh


def test_by_lot_each_is_drawn_as_often_as_is_recorded(records: Records) -> None:
    for number in range(6):
        opened(records, f"x{number}", probability=0.5 if number < 2 else 0.9)
    opened(records, "claimed", claim=Claim("ann", NOW + MINUTE))
    rounds, draw = 6_000, Random(7)
    times: Counter[str] = Counter()
    recorded: dict[str, float] = {}
    for _ in range(rounds):
        found = next_case(records.case_queue, NOW, Taker("bob"), draw)
        assert found is not None
        if found.propensity < 1:
            times[found.case.accounts[0]] += 1
            recorded[found.case.accounts[0]] = found.propensity
    assert recorded == {
        f"x{number}": pytest.approx(AMONG_ALL / 6 + (AMONG_UNCERTAIN / 2 if number < 2 else 0)) for number in range(6)
    }
    for account, propensity in recorded.items():
        deviation = (rounds * propensity * (1 - propensity)) ** 0.5
        assert abs(times[account] - rounds * propensity) < 4 * deviation


def test_where_nothing_is_uncertain_the_lot_falls_on_nothing(records: Records) -> None:
    case = opened(records, "a")
    found = next_case(records.case_queue, NOW, Taker("bob"), Lot(AMONG_ALL, 1))
    assert found == (case, 1.0)


def test_what_is_planned_for_somebody_comes_before_the_best_where_it_is_ready(records: Records) -> None:
    best, planned = opened(records, "a", burn=20.0), opened(records, "b", burn=1.0, propensity=0.25)
    asleep = opened(records, "c", snoozed_until=NOW + HOUR)
    decided = opened(records, "d", state=CaseState.DECIDED)
    barred, leads = opened(records, "e", barred=("bob",)), opened(records, "f", escalated=True)
    ours = (asleep, decided, barred, leads, planned)
    found = next_case(records.case_queue, NOW, Taker("bob", planned=ours), NoLot())
    assert found == (planned, 0.25)  # it was drawn by lot before, and is still one that was
    found = next_case(records.case_queue, NOW, Taker("bob", planned=ours[:-1]), NoLot())
    assert found == (best, 1.0)
    found = next_case(records.case_queue, NOW, Taker("bob", planned=(planned,)), Lot(0.0, 2))
    assert found is not None
    assert found.propensity < 0.25  # a tenth is drawn whatever is planned


def test_what_does_not_fit_is_passed_over_however_much_of_it_there_is(records: Records) -> None:
    for number in range(100):
        opened(records, f"x{number}", burn=20.0 + number)
    fitting = opened(records, "fits", burn=1.0)

    def fits(case: Case) -> bool:
        return case.accounts == ("fits",)

    for draw in (NoLot(), Lot(0.0, 3)):
        found = next_case(records.case_queue, NOW, Taker("bob", fits=fits, planned=[opened(records, "x7")]), draw)
        assert found == (fitting, 1.0)
    assert next_case(records.case_queue, NOW, Taker("bob", fits=lambda _: False), NoLot()) is None
