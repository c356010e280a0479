"""The desk looks up what waits at the door, has it remembered, and tries again whatever fails."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from fairgate.domain.access import Granted, Scope
from fairgate.entrypoints.desk import remembering as module
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.remembering import Remembering
from fairgate.entrypoints.desk.tasks import Done, Identify, Refused, Task, Used
from fairgate.entrypoints.desk.workers import Workers
from fairgate.entrypoints.door.memory import MemoryAnswer, PostMemory, WaitingShown

SINCE = datetime(2026, 1, 5, tzinfo=UTC)
WAITING = [WaitingShown(7, "a", SINCE, ["cards"]), WaitingShown(8, "b", SINCE, ["cards", "phones"])]
USED = {"a": {"cards": ["t1:1"]}, "b": {"cards": [], "phones": ["t1:2"]}}


class Door(AtTheDoor):
    """A door at which these wait, and that gives these answers to what it is told, None for that it is done."""

    def __init__(self, waiting: Sequence[WaitingShown], answers: Sequence[Refusal | None]) -> None:
        self.waiting, self.answers = list(waiting), list(answers)
        self.told: list[PostMemory] = []
        self.granted: set[Granted] = set()

    async def get(self, path: str, granted: Granted) -> bytes:
        assert path == "/v1/memory"
        self.granted.add(granted)
        return msgspec.json.encode(MemoryAnswer(3, self.waiting))

    async def post(self, path: str, body: msgspec.Struct, granted: Granted) -> bytes:
        assert path == "/v1/memory"
        assert isinstance(body, PostMemory)
        self.granted.add(granted)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None and answer.code != "not_remembered":
            raise answer
        self.told.append(body)
        self.waiting = [each for each in self.waiting if each.action != body.action]
        if answer is not None:
            raise answer
        return b"{}"


class Hands(Workers):
    """Workers that give these answers, and then what was used."""

    def __init__(self, answers: Sequence[Done | Refused], used: Mapping[str, Mapping[str, list[str]]]) -> None:
        self.answers, self.used = list(answers), used
        self.tasks: list[Task] = []

    async def run(self, task: Task, seconds: float) -> tuple[Done, bytes] | Refused:
        assert seconds > 0
        self.tasks.append(task)
        answer = self.answers.pop(0) if self.answers else Done()
        return answer if isinstance(answer, Refused) else (answer, msgspec.json.encode(Used(dict(self.used))))  # type: ignore[arg-type]


def after(
    monkeypatch: pytest.MonkeyPatch, hands: Sequence[Done | Refused] = (), answers: Sequence[Refusal | None] = ()
) -> tuple[Door, Hands, list[str]]:
    """Door and workers when nothing waits any more, and the metrics."""
    monkeypatch.setattr(module, "_LOOK", 0.0)

    async def run() -> tuple[Door, Hands, list[str]]:
        door, workers, meters = Door(WAITING, answers), Hands(hands, USED), Meters()
        going = asyncio.create_task(Remembering(door, workers, meters).run())
        async with asyncio.timeout(60):
            while door.waiting:
                await asyncio.sleep(0)
                assert not going.done()
        going.cancel()
        await asyncio.wait([going])
        return door, workers, meters.render().decode().splitlines()

    return asyncio.run(run())


def test_what_waits_is_looked_up_together_and_remembered_each(monkeypatch: pytest.MonkeyPatch) -> None:
    door, workers, metrics = after(monkeypatch)
    assert workers.tasks == [Identify(["cards", "phones"], ["a", "b"])]
    assert [(each.action, each.found) for each in door.told] == [(7, {"cards": ["t1:1"]}), (8, {"phones": ["t1:2"]})]
    [granted] = door.granted
    assert (granted.by, granted.scopes) == ("fairgate", frozenset({Scope.ENFORCE}))
    assert "fairgate_ban_memory_tokens 3.0" in metrics
    assert "fairgate_ban_memory_failures_total 0.0" in metrics


@pytest.mark.parametrize(
    ("hands", "answers", "problem", "failures"),
    [
        ([Refused(429, "busy", "too many wait")] * 2, [], "too many wait", 2),
        ([Done(left_out=9)] * 2, [], "9 events can't be looked through", 0),
        ([], [Refusal(503, "door_unavailable", "the door can't be reached")] * 2, "the door can't be reached", 2),
    ],
)
def test_what_fails_is_told_once_and_tried_again(  # noqa: PLR0913, PLR0917 - what is given, and what is to come of it
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    hands: list[Done | Refused],
    answers: list[Refusal | None],
    problem: str,
    failures: int,
) -> None:
    with caplog.at_level(logging.WARNING):
        door, _, metrics = after(monkeypatch, hands, answers)
    assert [each.action for each in door.told] == [7, 8]
    assert [problem in record.getMessage() for record in caplog.records] == [True]
    assert f"fairgate_ban_memory_failures_total {float(failures)}" in metrics


def test_what_was_undone_meanwhile_stands_in_nobodys_way(monkeypatch: pytest.MonkeyPatch) -> None:
    door, workers, metrics = after(monkeypatch, answers=[Refusal(409, "not_remembered", "it was undone")])
    assert [each.action for each in door.told] == [7, 8]
    assert len(workers.tasks) == 1
    assert "fairgate_ban_memory_failures_total 0.0" in metrics
