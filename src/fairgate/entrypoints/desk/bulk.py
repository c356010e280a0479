"""Bulk actions as the desk handles them: who may confirm, approve, cancel and undo one, and when."""

from collections.abc import Callable
from typing import Final

from fairgate.domain.access import Granted
from fairgate.domain.bulk import UNDOABLE, Actor, Bulk, BulkState, Happening, Progress
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.bulk_drafts import Drafting, Wanted
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ports.bulks import Drafted, Step

_BARRED: Final = {
    "drafted_it": "whoever drafted a bulk action does not approve it: let somebody else look at it",
    "confirmed_it": "whoever confirmed a bulk action does not approve it: let somebody else look at it",
    "not_told_apart": "without API keys nobody knows who you are, and a second person must approve this: make a key for"
    " each person (`fairgate keys create`), draft it anew, and let another approve it",
}


class BulkDesk:
    """Drafts bulk actions and lets them go on. Raises `Refusal`, and what `DeskRecords.do` raises.

    `wake` is called when there is something for the runner to do.
    """

    def __init__(self, records: DeskRecords, audit: DeskAudit, drafting: Drafting, wake: Callable[[], None]) -> None:
        self._records = records
        self._audit = audit
        self._drafting = drafting
        self._wake = wake

    async def get(self, number: int) -> Bulk:
        """The bulk action of a number."""
        found = await self._records.do(lambda records: records.bulks.get(number))
        if found is None:
            raise Refusal(404, "not_found", "there is no bulk action of this number", "number")
        return found

    async def file(self, number: int) -> tuple[Bulk, Progress, list[Happening]]:
        """One with how far it is and its history."""
        bulk = await self.get(number)
        progress, history = await self._records.do(
            lambda records: (records.bulks.progress(number), records.bulks.history(number))
        )
        return bulk, progress, history

    async def found(self, before: int, limit: int) -> list[Bulk]:
        """At most `limit` with numbers below `before`, the newest first."""
        return await self._records.do(lambda records: records.bulks.found(before, limit))

    async def draft(self, wanted: Wanted, granted: Granted) -> Drafted:
        """Draft one; the same again under one `ref` of one caller is there already."""
        by = granted.by or ANYONE
        known = await self._records.do(lambda records: records.bulks.under(by, wanted.ref))
        if known is not None:
            return _same(Drafted(known, new=False), wanted)
        draft, accounts = await self._drafting.drafted(wanted, granted)
        return _same(await self._records.do(lambda records: records.bulks.draft(draft, accounts)), wanted)

    async def confirm(self, number: int, typed: str, granted: Granted) -> Bulk:
        """Confirm a draft by what it says is to be typed; it runs then, or waits for a second person."""
        bulk = await self._pending(number, BulkState.DRAFT)
        if typed != bulk.phrase:
            raise Refusal(422, "not_as_said", "that is not what the preview says is to be typed (`phrase`)", "typed")
        by = granted.by or ANYONE
        if bulk.second:
            return await self._step(bulk, Step(bulk.state, self._now(by, BulkState.WAITING), confirmed_by=by))
        step = Step(bulk.state, self._now(by, BulkState.RUNNING), confirmed_by=by, actor=_actor(granted))
        return await self._step(bulk, step)

    async def approve(self, number: int, granted: Granted) -> Bulk:
        """Let one run that waits for a second person, in their name."""
        bulk = await self._pending(number, BulkState.WAITING)
        bar = _bar(bulk, granted)
        if bar:
            await self._audit.refused(granted, "bulk", number, bar)
            raise Refusal(403, bar, _BARRED[bar])
        return await self._step(bulk, Step(bulk.state, self._now(granted.by, BulkState.RUNNING), actor=_actor(granted)))

    async def reject(self, number: int, why: str, granted: Granted) -> Bulk:
        """Say no to one that waits for a second person."""
        bulk = await self._pending(number, BulkState.WAITING)
        return await self._step(bulk, Step(bulk.state, self._now(granted.by or ANYONE, BulkState.REJECTED, why)))

    async def cancel(self, number: int, why: str, granted: Granted) -> Bulk:
        """End one before it runs, or while it does: the page under way is finished, and what was done stays."""
        bulk = await self.get(number)
        state = bulk.state_at(self._records.clock.now())
        after = {
            BulkState.DRAFT: BulkState.CANCELLED,
            BulkState.WAITING: BulkState.CANCELLED,
            BulkState.RUNNING: BulkState.CANCELLING,
        }.get(state)
        if after is None:
            raise _not_so(state)
        return await self._step(bulk, Step(bulk.state, self._now(granted.by or ANYONE, after, why)))

    async def undo(self, number: int, why: str, granted: Granted) -> Bulk:
        """Undo all that one did, in the name of who asks."""
        bulk = await self.get(number)
        if bulk.state not in UNDOABLE:
            raise _not_so(bulk.state_at(self._records.clock.now()))
        happening = self._now(granted.by or ANYONE, BulkState.UNDOING, why)
        return await self._step(bulk, Step(bulk.state, happening, actor=_actor(granted), problem="", undo_why=why))

    async def _pending(self, number: int, state: BulkState) -> Bulk:
        """One that must be in this state, and not too old for it."""
        bulk = await self.get(number)
        now = bulk.state_at(self._records.clock.now())
        if now != state:
            raise _not_so(now)
        return bulk

    async def _step(self, bulk: Bulk, step: Step) -> Bulk:
        if not await self._records.do(lambda records: records.bulks.step(bulk.number, step)):
            raise Refusal(409, "changed", "somebody else was at it just now: look again")
        self._wake()
        return await self.get(bulk.number)

    def _now(self, by: str, state: BulkState, why: str = "") -> Happening:
        return Happening(self._records.clock.now(), by, state, why)


def _bar(bulk: Bulk, granted: Granted) -> str:
    """Why somebody may not approve, as a code; empty where they may."""
    if not granted.key:
        return "not_told_apart"
    if granted.by == bulk.drafted_by:
        return "drafted_it"
    return "confirmed_it" if granted.by == bulk.confirmed_by else ""


def _actor(granted: Granted) -> Actor:
    return Actor(granted.key, granted.by, tuple(sorted(granted.scopes)))


def _same(drafted: Drafted, wanted: Wanted) -> Drafted:
    """What was drafted, where it is what was wanted now. Accounts that were listed are not compared."""
    there, order = drafted.bulk, drafted.bulk.order
    same = (there.query, order.action.word, order.length, order.reasons, order.evidence, order.why)
    if same != (wanted.query, wanted.action, wanted.length, wanted.reasons, wanted.evidence, wanted.why):
        what = f"this ref is bulk action {there.number}, which says something else: give what is new a name of its own"
        raise Refusal(409, "ref_taken", what, "ref")
    return drafted


def _not_so(state: BulkState) -> Refusal:
    if state == BulkState.EXPIRED:
        return Refusal(409, "expired", "it was drafted more than an hour ago, and the world moves: draft it anew")
    return Refusal(409, "not_now", f"it is {state.value}, so this can't be done to it")
