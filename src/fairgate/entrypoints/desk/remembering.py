"""The desk's part in the ban memory: it looks up what banned accounts used, and tells the door.

The door decides, and must not look through what happened; the desk has the lake for that. What it finds becomes a
record of the log, so that a replay remembers the same. A ban is remembered some seconds after it was made.
"""

import asyncio
import logging
from typing import Final

import msgspec

from fairgate.domain.access import Granted, Scope
from fairgate.domain.memory import REMEMBERS
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.tasks import Identify, Refused, Used
from fairgate.entrypoints.desk.workers import Workers
from fairgate.entrypoints.door.memory import MemoryAnswer, PostMemory, WaitingShown

_PATH: Final = "/v1/memory"
#: Seconds between two looks for actions that wait.
_LOOK: Final = 2.0
#: Seconds that looking up a hundred actions may take.
_PATIENCE: Final = 600.0
_ME: Final = Granted(key="", by=REMEMBERS, scopes=frozenset({Scope.ENFORCE}))
_log = logging.getLogger(__name__)


class Remembering:
    """Asks the door which actions wait, looks them up in a worker process, and has them remembered."""

    def __init__(self, door: AtTheDoor, workers: Workers, meters: Meters) -> None:
        self._door = door
        self._workers = workers
        self._meters = meters
        self._problem = ""

    async def run(self) -> None:
        """Go round until cancelled. What fails is told once, and tried again."""
        while True:
            try:
                problem = await self._round()
            except Refusal as refusal:
                problem = refusal.reason
                self._meters.memory_failures.inc()
            if problem and problem != self._problem:
                _log.warning("bans can't be remembered now, and are tried again: %s", problem)
            self._problem = problem
            await asyncio.sleep(_LOOK)

    async def _round(self) -> str:
        """Look up what waits; what kept it from being remembered, empty for nothing."""
        answer = msgspec.json.decode(await self._door.get(_PATH, _ME), type=MemoryAnswer)
        self._meters.memory_waiting.set(len(answer.waiting))
        self._meters.memory_tokens.set(answer.tokens)
        if not answer.waiting:
            return ""
        lists = sorted({name for each in answer.waiting for name in each.lists})
        asked = Identify(lists, [each.account for each in answer.waiting])
        done = await self._workers.run(asked, _PATIENCE)
        if isinstance(done, Refused):
            self._meters.memory_failures.inc()
            return done.reason
        if done[0].left_out:
            return f"the lake is too far behind: {done[0].left_out:,} events can't be looked through"
        used = msgspec.json.decode(done[1], type=Used)
        for each in answer.waiting:
            await self._remember(each, used)
        return ""

    async def _remember(self, waiting: WaitingShown, used: Used) -> None:
        tokens = used.found.get(waiting.account, {})
        found = {name: tokens[name] for name in waiting.lists if tokens.get(name)}
        told = PostMemory(waiting.action, found, f"what {waiting.account} used"[:200])
        try:
            await self._door.post(_PATH, told, _ME)
        except Refusal as refusal:
            if refusal.code not in {"not_remembered", "no_action"}:  # else it was undone meanwhile
                raise
        self._meters.memory_actions.inc()
