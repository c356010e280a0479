"""A receiver's lane: everything arrives, in order for each subject, however the receiver behaves."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import pytest

from fairgate.domain.ledger import Subject
from fairgate.domain.windows import HOUR, SECOND
from fairgate.entrypoints.clerk import lane as module
from fairgate.entrypoints.clerk.lane import Lane, Refused
from fairgate.ports.outbox import Letter
from tests.support import NOW


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_FIRST_WAIT", SECOND // 500)


class LoopClock:
    """A clock that goes as the event loop's does."""

    begun: float | None = None

    def now(self) -> int:
        time = asyncio.get_running_loop().time()
        self.begun = time if self.begun is None else self.begun
        return NOW + int((time - self.begun) * SECOND)


@dataclass
class Drawer:
    """An outbox in memory."""

    letters: dict[int, Letter] = field(default_factory=dict)
    dead: list[Letter] = field(default_factory=list)
    asked: int = 0
    broken: bool = False

    def put(self, count: int, subjects: int, start: int = 0) -> None:
        for number in range(start, start + count):
            subject = Subject("account", f"a{number % subjects}")
            self.letters[number] = Letter(number, "r", f"m{number}", subject, "t", b"{}", NOW, 0)

    async def waiting(self, receiver: str, after: int, limit: int) -> list[Letter]:
        assert receiver == "r"
        self.asked += 1
        return [each for number, each in sorted(self.letters.items()) if number > after][:limit]

    def arrived(self, number: int) -> None:
        del self.letters[number]

    def failed(self, letter: Letter) -> None:
        if self.broken:
            raise OSError("the disk is gone")
        self.letters[letter.number] = letter

    async def give_up(self, letter: Letter) -> None:
        del self.letters[letter.number]
        self.dead.append(letter)


@dataclass
class Receiver:
    """Notes what it is sent, and refuses some of it."""

    refuses: Callable[[Letter], bool] = lambda _: False
    seconds: float = 0.0
    got: list[Letter] = field(default_factory=list)
    tries: Counter[str] = field(default_factory=Counter)
    going: Counter[Subject] = field(default_factory=Counter)
    most: int = 0
    after: float = 0.0

    async def send(self, letter: Letter) -> None:
        self.tries[letter.message] += 1
        self.going[letter.subject] += 1
        self.most = max(self.most, self.going.total())
        assert self.going[letter.subject] == 1, "two about one subject at a time"
        await asyncio.sleep(self.seconds)
        self.going[letter.subject] -= 1
        if self.refuses(letter):
            raise Refused("no", self.after)
        self.got.append(letter)


def lane(receiver: Receiver, drawer: Drawer, *, at_once: int = 8, patience: int = 1 << 60) -> Lane:
    return Lane("r", receiver.send, drawer, LoopClock(), random.Random(1), at_once, patience)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(5):
        while not holds():  # noqa: ASYNC110 - what is waited for knows nothing of the test
            await asyncio.sleep(0.002)


def play(tried: Lane, story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def both() -> None:
        running = asyncio.create_task(tried.run())
        try:
            done, _ = await asyncio.wait([running, asyncio.create_task(story())], return_when="FIRST_COMPLETED")
            for each in done:
                await each
        finally:
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(both())


def in_order(got: Sequence[Letter]) -> bool:
    by_subject: dict[Subject, list[int]] = {}
    for each in got:
        by_subject.setdefault(each.subject, []).append(each.number)
    return all(numbers == sorted(numbers) for numbers in by_subject.values())


@pytest.mark.parametrize(("count", "subjects"), [(1, 1), (60, 1), (400, 7), (400, 400)])
def test_everything_arrives_once_and_in_order(count: int, subjects: int) -> None:
    drawer, receiver = Drawer(), Receiver(seconds=0.001)
    drawer.put(count, subjects)
    play(lane(receiver, drawer), lambda: until(lambda: not drawer.letters))
    assert (len(receiver.got), in_order(receiver.got)) == (count, True)
    assert receiver.most == min(8, subjects)


def test_a_receiver_that_fails_one_time_in_five_gets_everything_in_order() -> None:
    draw = random.Random(2)
    drawer, receiver = Drawer(), Receiver(refuses=lambda _: draw.random() < 0.2)
    drawer.put(300, 20)
    play(lane(receiver, drawer), lambda: until(lambda: not drawer.letters))
    assert ({each.number for each in receiver.got}, len(receiver.got)) == (set(range(300)), 300)
    assert in_order(receiver.got)
    assert sum(receiver.tries.values()) > 330


def test_a_letter_that_is_refused_holds_up_its_own_subject_alone() -> None:
    drawer, receiver = Drawer(), Receiver(refuses=lambda letter: letter.number == 0)
    drawer.put(40, 4)

    async def story() -> None:
        await until(lambda: len(receiver.got) == 30)
        await until(lambda: receiver.tries["m0"] >= 4)

    play(lane(receiver, drawer), story)
    assert {each.number % 4 for each in receiver.got} == {1, 2, 3}
    first = drawer.letters[0]
    assert (first.attempts >= 3, first.why, first.due > NOW) == (True, "no", True)


def test_a_letter_is_given_up_when_it_is_too_old_and_those_behind_it_go_on() -> None:
    drawer, receiver = Drawer(), Receiver(refuses=lambda letter: letter.number == 0)
    drawer.put(12, 3)
    play(lane(receiver, drawer, patience=SECOND // 20), lambda: until(lambda: not drawer.letters))
    [dead] = drawer.dead
    assert (dead.number, dead.why, dead.attempts > 2) == (0, "no", True)
    assert {each.number for each in receiver.got} == set(range(1, 12))


def test_what_is_given_is_taken_when_it_comes_and_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_HELD", 10)
    drawer, receiver = Drawer(), Receiver()
    tried = lane(receiver, drawer)
    drawer.put(35, 5)

    async def story() -> None:
        await until(lambda: len(receiver.got) == 35)
        asked = drawer.asked
        await asyncio.sleep(0.02)
        assert drawer.asked == asked
        drawer.put(20, 5, start=35)
        tried.told()
        await until(lambda: len(receiver.got) == 55)

    play(tried, story)
    assert in_order(receiver.got)


def test_a_receiver_that_is_down_gets_one_at_a_time_until_it_is_back() -> None:
    down = True
    drawer, receiver = Drawer(), Receiver(refuses=lambda _: down, seconds=0.002)
    drawer.put(60, 60)

    async def story() -> None:
        nonlocal down
        await until(lambda: receiver.tries.total() > 20)
        receiver.most = 0
        await asyncio.sleep(0.05)
        assert receiver.most <= 1
        down = False
        await until(lambda: not drawer.letters)

    play(lane(receiver, drawer), story)
    assert receiver.most == 8


def test_it_waits_as_long_as_the_receiver_asks() -> None:
    drawer, receiver = Drawer(), Receiver(refuses=lambda letter: receiver.tries[letter.message] == 1, after=0.04)
    drawer.put(1, 1)

    async def story() -> None:
        await until(lambda: receiver.tries.total() == 1)
        begun = asyncio.get_running_loop().time()
        await until(lambda: not drawer.letters)
        assert asyncio.get_running_loop().time() - begun > 0.03

    play(lane(receiver, drawer), story)


def test_waits_grow_and_have_an_end() -> None:
    drawer, receiver = Drawer(), Receiver(refuses=lambda _: True)
    drawer.put(1, 1)
    drawer.letters[0] = msgspec.structs.replace(drawer.letters[0], attempts=60)
    tried = lane(receiver, drawer)

    async def story() -> None:
        await until(lambda: drawer.letters[0].attempts == 61)
        assert HOUR // 8 < drawer.letters[0].due - tried.clock.now() <= HOUR

    play(tried, story)


def test_where_it_can_not_be_kept_up_the_lane_ends_with_the_error() -> None:
    drawer, receiver = Drawer(broken=True), Receiver(refuses=lambda _: True)
    drawer.put(1, 1)
    with pytest.raises(OSError, match="the disk is gone"):
        play(lane(receiver, drawer), lambda: asyncio.sleep(5))
