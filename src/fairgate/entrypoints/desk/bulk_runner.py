"""What carries bulk actions out: page by page from the records, so that whatever is killed, it goes on where it was.

Before a page is sent to the door it is noted that it is; the door takes each action once under its name, so a page
whose answer got lost is sent again. It runs in the name of who approved it (else of who confirmed it), as long as their
key counts, or they may log in, with the scopes that they had then and still have.
"""

import asyncio
import logging
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final

import msgspec

from fairgate.backends.embedded.segment_reader import published
from fairgate.domain.access import Granted, Scope
from fairgate.domain.bulk import Bulk, BulkState, Fate, Happening
from fairgate.domain.errors import FairgateError
from fairgate.domain.ledger import Subject
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.access import Access
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.entrypoints.desk.sessions import Sessions
from fairgate.entrypoints.door.batches import MOST, BatchAnswer, BatchUndoAnswer, PostBatch, PostBatchUndo
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.entrypoints.door.http import Problems
from fairgate.ports.bulks import Step
from fairgate.settings import Settings
from fairgate.wiring import Records

#: Seconds until the next look where there is nothing to do, or the door or the records can't do it.
_PAUSE_SECONDS: Final = 1.0
#: Entries of an account that are looked through for the one that a bulk action made.
_MOST_OF_ONE: Final = 1_000
_ENDED: Final = "the API key or the person in whose name it ran does not count any more"
_log = logging.getLogger(__name__)


class BulkRunner:
    """Runs, cancels and undoes bulk actions, one page at a time."""

    def __init__(
        self, settings: Settings, records: DeskRecords, door: AtTheDoor, access: Access, sessions: Sessions
    ) -> None:
        self._log_folder = settings.data / "log"
        self._records = records
        self._door = door
        self._access = access
        self._sessions = sessions
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Let it look at once."""
        self._woken.set()

    async def run(self) -> None:
        """Go on until cancelled."""
        failing = False
        while True:
            self._woken.clear()
            try:
                worked = await self.once()
            except NoRecords:
                worked = False
            except (FairgateError, Refusal):
                if not failing:
                    _log.exception("a bulk action can't go on; it is tried again until it can")
                worked, failing = False, True
            else:
                failing = False
            if not worked:
                try:
                    async with asyncio.timeout(_PAUSE_SECONDS):
                        await self._woken.wait()
                except TimeoutError:
                    continue

    async def once(self) -> bool:
        """Do one page of each that is going; whether there was one to do.

        Raises what `DeskRecords.do` raises, and `Refusal` where the door can't be reached: nothing is lost then.
        """
        going = await self._records.do(lambda records: records.bulks.going())
        worked = False
        for bulk in going:
            worked |= await self._page(bulk)
        return worked

    async def _page(self, bulk: Bulk) -> bool:
        granted = await self._granted(bulk)
        if granted is None:
            await self._end(bulk, BulkState.STOPPED, _ENDED)
            return True
        try:
            match bulk.state:
                case BulkState.RUNNING:
                    await self._act(bulk, granted)
                case BulkState.CANCELLING:
                    await self._finish(bulk, granted)
                case _:
                    return await self._undo(bulk, granted)
        except Refusal as refusal:
            if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
                raise
            told = msgspec.json.decode(bytes(refusal.response.body), type=Problems).error
            await self._end(bulk, BulkState.STOPPED, told.reason)
        return True

    async def _granted(self, bulk: Bulk) -> Granted | None:
        actor = bulk.actor
        if actor is None:
            return None
        granted = Granted(actor.key, actor.by, frozenset(Scope(each) for each in actor.scopes))
        return await self._sessions.still(granted) if granted.is_person else self._access.still(granted)

    async def _act(self, bulk: Bulk, granted: Granted) -> None:
        page = await self._records.do(lambda records: records.bulks.page(bulk.number, MOST))
        if page:
            await self._send(bulk, page, granted)
        else:
            await self._end(bulk, BulkState.DONE)

    async def _finish(self, bulk: Bulk, granted: Granted) -> None:
        """Finish the page that was under way: part of it may be done."""
        page = await self._records.do(lambda records: records.bulks.asked(bulk.number, MOST))
        if page:
            await self._send(bulk, page, granted)
        await self._end(bulk, BulkState.CANCELLED)

    async def _send(self, bulk: Bulk, page: list[str], granted: Granted) -> None:
        order = bulk.order
        asked = PostBatch(
            kind=ACCOUNT,
            values=page,
            action=order.action.word,
            why=order.why,
            ref=bulk.batch,
            length=order.length or None,
            reasons=list(order.reasons),
            evidence=list(order.evidence),
        )
        answer = msgspec.json.decode(await self._door.post("/v1/actions/batch", asked, granted), type=BatchAnswer)
        refused = {each.value: each.error.code for each in answer.refused}
        taken = dict(zip((each for each in page if each not in refused), answer.numbers, strict=True))
        await self._records.do(lambda records: records.bulks.settle(bulk.number, taken, refused))

    async def _undo(self, bulk: Bulk, granted: Granted) -> bool:
        """Undo a page; whether it could: what was cut short must be in the records first."""
        if not await self._settled(bulk):
            return False
        numbers = await self._records.do(lambda records: records.bulks.to_undo(bulk.number, MOST))
        if not numbers:
            await self._end(bulk, BulkState.UNDONE)
            return True
        why = f"{bulk.batch}: {bulk.undo_why}"
        now = self._records.clock.now()
        over = await self._records.do(lambda records: _over(records, numbers, (granted.by or ANYONE, why), now))
        open_ = [each for each in numbers if each not in over]
        fates = dict(over)
        if open_:
            answer = await self._door.post("/v1/actions/batch/undo", PostBatchUndo(open_, why), granted)
            gone = set(msgspec.json.decode(answer, type=BatchUndoAnswer).missing)
            fates |= {each: Fate.GONE if each in gone else Fate.UNDONE for each in open_}
        await self._records.do(lambda records: records.bulks.meet(bulk.number, fates))
        return True

    async def _settled(self, bulk: Bulk) -> bool:
        """Whether it is known of each account that was asked for what became of it.

        Where the last page was cut short and its sender may send nothing more, the records know: what the door did is
        in the log, which the clerk has read when it is at its end.
        """
        asked = await self._records.do(lambda records: records.bulks.asked(bulk.number, MOST))
        if not asked:
            return True
        end = await asyncio.to_thread(published, self._log_folder)
        if await self._records.do(lambda records: records.ledger.read().sequence) < (end or 0):
            return False
        taken = await self._records.do(lambda records: _made(records, bulk.batch, asked))
        refused = dict.fromkeys((each for each in asked if each not in taken), "stopped")
        await self._records.do(lambda records: records.bulks.settle(bulk.number, taken, refused))
        return True

    async def _end(self, bulk: Bulk, state: BulkState, problem: str = "") -> None:
        by = bulk.actor.by if bulk.actor is not None else ""
        happening = Happening(self._records.clock.now(), by, state, problem)
        # Where somebody cancelled it meanwhile this does nothing, and the next look sees that.
        await self._records.do(
            lambda records: records.bulks.step(bulk.number, Step(bulk.state, happening, problem=problem))
        )
        _log.info("bulk action", extra={"bulk": bulk.number, "state": state.value, "problem": problem})


def _over(records: Records, numbers: Sequence[int], own: tuple[str, str], now: int) -> dict[int, Fate]:
    """Actions that are over, and how, as far as the records know; not those that this very undo has undone."""
    found = dict[int, Fate]()
    for number in numbers:
        entry = records.ledger.get(number)
        if entry is None:
            continue
        if entry.undone is not None:
            if (entry.undone.by, entry.undone.why) != own:
                found[number] = Fate.BEFORE
        elif entry.ends <= now:
            found[number] = Fate.ENDED
    return found


def _made(records: Records, batch: str, accounts: Sequence[str]) -> dict[str, int]:
    """The numbers of actions that a batch made on accounts, by the name that it gave them."""
    found = dict[str, int]()
    for account in accounts:
        for entry in records.ledger.of(Subject(ACCOUNT, account), 1 << 62, _MOST_OF_ONE):
            if entry.ref == f"{batch}/{account}":
                found[account] = entry.number
    return found
