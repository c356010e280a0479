"""Whatever callers do, and whenever, nobody waits for ever, and no grant is left without an owner."""

import asyncio
import random

import pytest

from fairgate.integrations.driver import Driver, ShareClosed, Waiting
from fairgate.share import Denied, Grant, Pool, Share


def drive(capacity: float = 1_000.0, **more: float) -> Driver:
    return Driver(Share([Pool("default", capacity, **more)], rng=random.Random(7)))  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(8))
def test_callers_who_are_cancelled_at_any_moment_leave_nothing_behind(seed: int) -> None:
    draw = random.Random(seed)
    ended = {"granted": 0, "denied": 0, "cancelled": 0}

    async def caller(driver: Driver, number: int) -> None:
        await asyncio.sleep(draw.random() * 0.3)
        try:
            answer = await driver.acquire(f"a{number % 9}", "m", draw.randrange(200), 50, draw.random() * 0.5)
        except asyncio.CancelledError:
            ended["cancelled"] += 1
            raise
        if isinstance(answer, Denied):
            ended["denied"] += 1
            return
        ended["granted"] += 1
        try:
            await asyncio.sleep(draw.random() * 0.05)
            answer.charge(30)
        finally:
            answer.abort() if draw.random() < 0.3 else answer.settle(10, 40)
            driver.touched()

    async def play() -> tuple[int, int, int]:
        driver = drive(20_000.0, burst=500.0)
        tasks = [asyncio.ensure_future(caller(driver, number)) for number in range(400)]
        while not all(task.done() for task in tasks):
            await asyncio.sleep(0.01)
            for task in draw.sample(tasks, 4):
                task.cancel()
        await asyncio.sleep(0.01)
        assert isinstance(driver.share, Share)
        state = driver.share.state().pools[0]
        found = (driver.waiting, state.waiting, state.in_flight)
        driver.close()
        return found

    assert asyncio.run(play()) == (0, 0, 0)
    assert ended["granted"] > 20
    assert ended["cancelled"] > 20


def test_who_leaves_at_the_moment_of_the_grant_gives_it_back() -> None:
    async def play() -> tuple[int, float]:
        driver = drive(0.0, burst=10.0)
        first = driver.ask("a", "m", 100, 0, 0)
        assert isinstance(first, Grant)
        waiting = driver.ask("b", "m", 100, 0, 60)
        assert isinstance(waiting, Waiting)
        first.settle(0, 0)
        driver.touched()
        await waiting.outcome
        waiting.leave()
        assert isinstance(driver.share, Share)
        state = driver.share.state().pools[0]
        driver.close()
        return state.in_flight, driver.waiting

    assert asyncio.run(play()) == (0, 0)


def test_a_deadline_wakes_who_waits_without_anybody_elses_doing() -> None:
    async def play() -> Grant | Denied:
        driver = drive(0.0, burst=10.0)
        driver.ask("a", "m", 100, 0, 0)
        answer = await asyncio.wait_for(driver.acquire("b", "m", 1, 0, 0.05), 5)
        driver.close()
        return answer

    assert isinstance(asyncio.run(play()), Denied)


def test_capacity_that_comes_back_wakes_who_waits() -> None:
    async def play() -> Grant | Denied:
        driver = drive(1_000.0, burst=10.0)
        driver.ask("a", "m", 100, 0, 0)
        answer = await asyncio.wait_for(driver.acquire("b", "m", 1, 0, 5), 5)
        driver.close()
        return answer

    assert isinstance(asyncio.run(play()), Grant)


def test_a_closed_driver_lets_nobody_wait() -> None:
    async def play() -> None:
        driver = drive(0.0, burst=10.0)
        driver.ask("a", "m", 100, 0, 0)
        waiting = [asyncio.ensure_future(driver.acquire("b", "m", 1, 0, 60)) for _ in range(3)]
        await asyncio.sleep(0.01)
        driver.close()
        for each in waiting:
            with pytest.raises(ShareClosed):
                await each
        with pytest.raises(ShareClosed):
            driver.ask("a", "m", 1, 0, 0)

    asyncio.run(play())


def test_many_wake_ups_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play() -> int:
        driver, looks = drive(), 0
        honest = driver.share.advance

        def counted() -> list[Grant | Denied]:
            nonlocal looks
            looks += 1
            return honest()

        monkeypatch.setattr(driver.share, "advance", counted)
        for _ in range(100):
            driver.touched()
        await asyncio.sleep(0.01)
        driver.close()
        return looks

    assert asyncio.run(play()) == 1
