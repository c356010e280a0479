"""Appeals as the desk hears them: when one may be filed, who may decide it, and what happens then."""

import asyncio
from http import HTTPStatus
from typing import Final

import msgspec

from fairgate.domain.access import Granted
from fairgate.domain.appeal import Appeal, Ruling
from fairgate.domain.errors import FairgateError
from fairgate.domain.ledger import Entry
from fairgate.domain.pack import Appeal as AppealTerms
from fairgate.domain.windows import DAY
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.labelling import Labelling
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.roster import apart_of
from fairgate.entrypoints.desk.terms import Terms
from fairgate.entrypoints.door.actions import PostUndo
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ports.appeals import ERASED, Filed, Wanted
from fairgate.settings import Settings

_BARRED: Final = {
    "took_it": "whoever took an action does not decide on the appeal against it: let somebody else do so",
    "filed_it": "whoever filed an appeal does not decide on it: let somebody else do so",
    "apart": "you know whose this account is: let somebody else decide on the appeal",
    "not_told_apart": "without API keys nobody knows who you are, and a person took this action: make a key for each"
    " person (`fairgate keys create`), and let another decide",
}


class Hearing:
    """Files and decides appeals. Raises `Refusal`, and what `DeskRecords.do` raises: nothing is half done then."""

    def __init__(
        self, settings: Settings, records: DeskRecords, audit: DeskAudit, door: AtTheDoor, labelling: Labelling
    ) -> None:
        self._settings = settings
        self._door = door
        self._labelling = labelling
        self._records = records
        self._audit = audit
        self._terms = Terms(settings.data)
        self._under_way: set[int] = set()

    async def get(self, number: int) -> Appeal:
        """The appeal of a number."""
        found = await self._records.do(lambda records: records.appeals.get(number))
        if found is None:
            raise Refusal(404, "not_found", "there is no appeal of this number", "number")
        return found

    async def found(self, wanted: Wanted, after: int | None, limit: int) -> list[Appeal]:
        """At most `limit` appeals behind the one with the number `after`."""
        before = None if after is None else await self._records.do(lambda records: records.appeals.get(after))
        if after is not None and before is None:
            raise Refusal(422, "malformed", "there is no appeal of this number to go on behind", "after")
        return await self._records.do(lambda records: records.appeals.found(wanted, before, limit))

    async def file(self, action: int, words: str, ref: str, granted: Granted) -> Filed:
        """File an appeal against an action; the same again under one `ref` of one caller is there already."""
        by, now = granted.by or ANYONE, self._records.clock.now()
        entry, known = await self._records.do(
            lambda records: (records.ledger.get(action), records.appeals.under(by, ref))
        )
        if known is not None:
            return _same(Filed(known, new=False), action, words, ref, by)
        if entry is None:
            what = "there is no such action in the records; one that was only just taken is there in a moment"
            raise Refusal(404, "no_action", what, "action")
        await self._check_in_time(entry, now)
        due = now + self._settings.desk.appeal_days * DAY
        asked = Appeal(-1, action, entry.subject, entry.by, now, by, due, words, ref)
        return _same(await self._records.do(lambda records: records.appeals.file(asked)), action, words, ref, by)

    async def decide(self, number: int, granted: Granted, ruled: Ruling, spare: str | None) -> Appeal:
        """Decide an appeal, and return it.

        One that is granted has its action undone at the door first, which gets a label, too, and is decided once the
        door has done so: until then it is open, whatever is killed, and may be decided again.
        """
        if number in self._under_way:
            raise Refusal(409, "being_decided", "somebody is deciding this appeal just now: look again in a moment")
        self._under_way.add(number)  # before it is read: nobody may refuse what another is having undone
        try:
            appeal = await self.get(number)
            await self._check_may_decide(appeal, granted)
            if appeal.ruling is not None:
                raise _decided()
            if ruled.granted:
                await self._undo(appeal.action, PostUndo(ruled.why, spare), granted)
                await self._label(appeal.action, granted)
            if not await self._records.do(lambda records: records.appeals.decide(number, ruled)):
                raise _decided()
        finally:
            self._under_way.discard(number)
        return msgspec.structs.replace(appeal, ruling=ruled)

    async def _undo(self, action: int, asked: PostUndo, granted: Granted) -> None:
        try:
            await self._door.post(f"/v1/actions/{action}/undo", asked, granted)
        except Refusal as refusal:
            if refusal.status != HTTPStatus.NOT_FOUND:
                raise
            what = (
                "the action has ended by itself, or was undone long ago: nothing is left to undo, so refuse the appeal"
            )
            raise Refusal(409, "action_over", what) from refusal

    async def _label(self, action: int, granted: Granted) -> None:
        """Label the event that the action followed from as benign: somebody believed whom it was on."""
        entry = await self._records.do(lambda records: records.ledger.get(action))
        if entry is not None:
            await self._labelling.of_appeal(entry, granted)

    async def _check_in_time(self, entry: Entry, now: int) -> None:
        if entry.undone is not None:
            raise Refusal(409, "action_over", "the action was undone already", "action")
        if entry.ends <= now:
            raise Refusal(409, "action_over", "the action has ended by itself", "action")
        terms = await self._live_terms()
        if terms is None:
            raise Refusal(409, "no_appeals", "the pack has no [appeal] table, so there are no appeals", "action")
        if now > entry.starts + terms.days * DAY:
            raise Refusal(422, "too_late", f"an appeal could be filed for {terms.days:,} days from the action on")

    async def _live_terms(self) -> AppealTerms | None:
        try:
            return await asyncio.to_thread(self._terms.appeal)
        except FairgateError as error:
            what = "the log, which says which pack is live, can't be read: `fairgate doctor` says why"
            raise Refusal(503, "unavailable", what) from error

    async def _check_may_decide(self, appeal: Appeal, granted: Granted) -> None:
        """Refuse those who took the action, filed the appeal or know whose it is, and note that they tried."""
        bar = _bar(appeal, granted)
        if not bar and appeal.subject.value in await self._records.do(lambda records: apart_of(records, granted.by)):
            bar = "apart"
        if bar:
            await self._audit.refused(granted, "appeal", appeal.number, bar)
            raise Refusal(403, bar, _BARRED[bar])


def _bar(appeal: Appeal, granted: Granted) -> str:
    """Why somebody may not decide an appeal, as a code; empty where they may.

    Without API keys all have one name; then what rules did can be decided on, since nobody did it.
    """
    if not granted.key:
        return "not_told_apart" if appeal.taken_by else ""
    if granted.by == appeal.taken_by:
        return "took_it"
    return "filed_it" if granted.by == appeal.filed_by else ""


def _same(filed: Filed, action: int, words: str, ref: str, by: str) -> Filed:
    """What was filed, where nothing else stood in its way."""
    there = filed.appeal
    if (there.filed_by, there.ref) != (by, ref):
        raise Refusal(409, "appeal_open", f"appeal {there.number} against this action is open already", "action")
    if there.action != action or there.words not in {words, ERASED}:
        what = f"this ref is appeal {there.number}, which says something else: give what is new a name of its own"
        raise Refusal(409, "ref_taken", what, "ref")
    return filed


def _decided() -> Refusal:
    return Refusal(409, "decided", "this appeal has been decided already")
