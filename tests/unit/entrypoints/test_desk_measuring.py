"""What the desk knows of how reviewers err: worked out by itself, in a real worker process, whatever fails."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from fairgate.casework.figures import Mine, Quality
from fairgate.domain.case import Outcome
from fairgate.domain.look import Gold, Kind
from fairgate.domain.windows import DAY
from fairgate.domain.worth import USUAL_ERRORS
from fairgate.entrypoints.desk import measuring as module
from fairgate.entrypoints.desk.measuring import WINDOW, Measuring
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.workers import Workers
from fairgate.settings import DeskSettings, Settings
from fairgate.wiring import open_records
from tests.e2e.desks import until
from tests.support import NOW, SetClock
from tests.unit.casework.test_measures import look


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path / "data", desk=DeskSettings(sql_at_once=1, sql_waiting=1))


def fill(settings: Settings) -> None:
    """Cy calls ten of ten honest gold cases bad; and once long ago, another."""
    cases = [msgspec.structs.replace(look(case, "cy", Outcome.BAD, Kind.GOLD), number=-1) for case in range(1, 11)]
    old = msgspec.structs.replace(cases[0], ended=NOW - 31 * DAY, by="long ago")
    with open_records(settings.data) as records:
        at = [msgspec.structs.replace(each, ended=NOW - DAY, began=NOW - DAY) for each in cases]
        assert records.looks.keep([*at, old])
        for each in cases:
            records.gold.make(Gold(each.case, Outcome.BENIGN, NOW, "lea", "known"))


def test_it_is_worked_out_by_itself(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.05)
    monkeypatch.setattr(module, "_EVERY", 0.05)

    async def until_known() -> None:
        workers = Workers(settings)
        measuring = Measuring(DeskRecords(settings, SetClock()), workers)
        going = asyncio.create_task(measuring.run())
        try:
            await asyncio.sleep(0.2)  # there are no records yet
            assert not going.done()
            assert measuring.errors("cy") == measuring.others("ann") == USUAL_ERRORS
            await asyncio.to_thread(fill, settings)
            await asyncio.to_thread(until, lambda: measuring.errors("cy") != USUAL_ERRORS)
            assert measuring.errors("cy").wronged == pytest.approx((10 + 20 * USUAL_ERRORS.wronged) / 30)
            assert measuring.others("ann") == measuring.errors("cy")
            assert measuring.others("cy") == measuring.errors("ann") == USUAL_ERRORS
            quality = msgspec.json.decode(await measuring.measure(WINDOW), type=Quality)
            assert [each.name for each in quality.reviewers] == ["cy"]
            mine = msgspec.json.decode(await measuring.mine("cy", 1), type=Mine)
            assert (mine.gold, mine.gold_right) == (10, 0)
        finally:
            going.cancel()
            await asyncio.wait([going])
            await workers.close()

    asyncio.run(until_known())


def test_what_can_not_be_measured_now_is_told_and_tried_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN", 0.05)
    fill(settings)

    async def failing() -> None:
        workers = Workers(settings)
        measuring = Measuring(DeskRecords(settings, SetClock()), workers)
        workers.taken = 2  # all are busy
        going = asyncio.create_task(measuring.run())
        try:
            with pytest.raises(Refusal) as caught:
                await measuring.mine("cy", 1)
            assert (caught.value.status, caught.value.code) == (429, "busy")
            await asyncio.sleep(0.2)
            assert not going.done()
            workers.taken = 0
            await asyncio.to_thread(until, lambda: measuring.errors("cy") != USUAL_ERRORS)
        finally:
            going.cancel()
            await asyncio.wait([going])
            await workers.close()

    asyncio.run(failing())
