"""What came of challenges, told to the door as events: once, and again while it does not have them."""

import asyncio
import logging
from time import monotonic
from typing import Any, Final

import msgspec

from fairgate.domain.challenge import SOURCE, Challenge, ChallengeState
from fairgate.domain.errors import FairgateError
from fairgate.domain.event import moment
from fairgate.domain.windows import HOUR, LONGEST_REPEAT, SECOND
from fairgate.entrypoints.desk.at_the_door import AtTheDoor, EventRefused
from fairgate.entrypoints.desk.meters import Meters
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.ports.challenges import Outcome, Untold

#: Seconds between two looks for what has expired and what is to be told.
_PAUSE: Final = 1.0
#: Challenges of one look.
_MOST: Final = 100
#: A try that failed is followed by another after twice as long as before, from the first on and up to the last.
_FIRST, _LAST = 2 * SECOND, HOUR
_DOUBLINGS: Final = 12
#: An ended challenge is kept for as long as the door takes its event: later it would be refused as too old.
KEPT: Final = LONGEST_REPEAT
_FORGET_SECONDS: Final = 600.0
_DATA: Final = "data."
_log = logging.getLogger(__name__)


def event_of(challenge: Challenge, state: ChallengeState, at: int, about: dict[str, Any]) -> bytes:
    """The event that tells how a challenge ended. Its id is the challenge's, so that it counts once."""
    data = {
        **about,
        "account": challenge.account,
        "challenge": challenge.kind,
        "seconds": round((at - challenge.made) / SECOND, 3),
        "attempts": challenge.attempts,
    }
    event = {
        "specversion": "1.0",
        "id": challenge.id,
        "source": SOURCE,
        "type": f"challenge.{state}",
        "time": moment(at).isoformat(),
        "data": data,
    }
    return msgspec.json.encode(event)


class Outcomes:
    """Ends challenges, durably with the event that tells of it, and sees to it that the door gets that.

    Nothing is lost where the door or this process is down, and nothing counts twice.
    """

    def __init__(self, records: DeskRecords, door: AtTheDoor, meters: Meters) -> None:
        self._records = records
        self._door = door
        self._meters = meters
        self._failing = False
        self._forgotten: float | None = None

    async def end(self, challenge: Challenge, state: ChallengeState, about: dict[str, Any]) -> bool | None:
        """End a challenge now; whether the log has it already. None, and nothing is done, where it had ended.

        Raises what `DeskRecords.do` raises: it is open then.
        """
        at = self._records.clock.now()
        if state == ChallengeState.EXPIRED:
            at = max(challenge.made, challenge.expires)
        event = event_of(challenge, state, at, about)
        outcome = Outcome(state, at, event)
        if not await self._records.do(lambda records: records.challenges.end(challenge.id, outcome)):
            return None
        self._meters.challenges.labels(challenge.kind, state.value).inc()
        if state == ChallengeState.PASSED:
            self._meters.challenge_seconds.labels(challenge.kind).observe((at - challenge.made) / SECOND)
        return await self._tell(Untold(challenge.id, event, 0))

    async def run(self) -> None:
        """Look again and again until cancelled; what fails is tried at the next look."""
        while True:
            try:
                await self._round()
            except NoRecords:
                pass  # nobody was asked for anything yet
            except (FairgateError, OSError):
                if not self._failing:
                    _log.exception("challenges can't be looked after, and are tried again")
                self._failing = True
            else:
                self._failing = False
            await asyncio.sleep(_PAUSE)

    async def _round(self) -> None:
        now = self._records.clock.now()
        for each in await self._records.do(lambda records: records.challenges.overdue(now, _MOST)):
            if await self.end(each, ChallengeState.EXPIRED, msgspec.json.decode(each.about or b"{}")) is False:
                break  # a door that hangs takes seconds for each: the others come in the next rounds
        for untold in await self._records.do(lambda records: records.outcomes.untold(now, _MOST)):
            if not await self._tell(untold):
                break
        if self._forgotten is None or monotonic() - self._forgotten >= _FORGET_SECONDS:
            await self._records.do(lambda records: records.challenges.forget(now - KEPT))
            self._forgotten = monotonic()

    async def _tell(self, untold: Untold) -> bool:
        """Tell the door of an event; whether it has it. An attribute that it refuses is left out."""
        event = untold.event
        while True:
            try:
                await self._door.tell(event)
            except EventRefused as refused:
                leaner = _without(event, refused.problem.field)
                if leaner is None:
                    _log.error("the door refuses what came of a challenge: %s", refused.problem.reason)
                    await self._later(untold, event, _LAST)
                    return False
                event = leaner
            except Refusal:  # it was logged why
                await self._later(untold, event, min(_FIRST << min(untold.tries, _DOUBLINGS), _LAST))
                return False
            else:
                await self._told(untold.id)
                return True

    async def _told(self, challenge_id: str) -> None:
        try:
            await self._records.do(lambda records: records.outcomes.told(challenge_id))
        except (FairgateError, NoRecords):  # it is told again then, and counts once
            _log.exception("that the door has what came of a challenge can't be written down")

    async def _later(self, untold: Untold, event: bytes, wait: int) -> None:
        due = self._records.clock.now() + wait
        again = Untold(untold.id, event, untold.tries + 1)
        try:
            await self._records.do(lambda records: records.outcomes.later(again, due))
        except (FairgateError, NoRecords):  # it is due as before
            _log.exception("that what came of a challenge is to be told later can't be written down")


def _without(event: bytes, field: str) -> bytes | None:
    """An event less the attribute that the door refuses; None where it is not for an attribute that may be missing.

    A browser's own words are among them: nobody is to keep an event out of the log by saying something odd.
    """
    whole = msgspec.json.decode(event)
    name = field.removeprefix(_DATA)
    if not field.startswith(_DATA) or name == "account" or name not in whole["data"]:
        return None
    del whole["data"][name]
    return msgspec.json.encode(whole)
