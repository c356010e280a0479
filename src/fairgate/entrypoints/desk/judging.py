"""Deciding cases: what follows is done at the door first, and the case is decided once the door has done it.

Until then it is open, whatever is killed, and may be decided again: what was done is not done twice.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import msgspec

from fairgate.casework.handling import decided, judged, rounds
from fairgate.domain.access import Granted
from fairgate.domain.action import Action
from fairgate.domain.case import Case, Happening, Verdict
from fairgate.domain.ledger import Subject
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.caseroom import Caseroom, Deed
from fairgate.entrypoints.desk.labelling import Labelled, Labelling
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.batches import BatchAnswer, BatchUndoAnswer, PostBatch, PostBatchUndo
from fairgate.settings import DeskSettings
from fairgate.wiring import Records

#: Actions that are undone in one request.
_MOST: Final = 1_000
#: How often a case that others write notes on meanwhile is tried to be decided.
_TRIES: Final = 5


class Staged(NamedTuple):
    """An action that follows from a verdict: on whom, and for how long; None for what the pack says."""

    action: Action
    accounts: tuple[str, ...]
    length: str | None


class Judged(NamedTuple):
    """A decided case, the numbers of the actions taken, how many were undone, and what was labelled."""

    case: Case
    actions: tuple[int, ...] = ()
    undone: int = 0
    labelled: Labelled = Labelled(0, ())


class Follows(NamedTuple):
    """What follows from a verdict: actions; or that what rules did is undone, and how long they spare the accounts."""

    staged: Sequence[Staged] = ()
    undo: bool = False
    spare: str | None = None


class Judging:
    """Decides cases. Raises `Refusal`, and what `DeskRecords.do` raises."""

    def __init__(
        self, settings: DeskSettings, caseroom: Caseroom, records: DeskRecords, door: AtTheDoor, labelling: Labelling
    ) -> None:
        self._most_alone = settings.second_person_above
        self._caseroom = caseroom
        self._records = records
        self._door = door
        self._labelling = labelling
        self._under_way: set[int] = set()

    async def decide(self, number: int, seen: int, verdict: Verdict, follows: Follows, granted: Granted) -> Judged:
        """Judge a case, do what follows, and return what was done."""
        if number in self._under_way:
            raise Refusal(409, "being_decided", "somebody is deciding this case just now: look again in a moment")
        self._under_way.add(number)  # before it is read: what another has done must not be decided otherwise
        try:
            deed = Deed("decided", judged(verdict), lambda case, hand: decided(case, hand, verdict))
            case, history, done = await self._caseroom.check(number, seen, deed, granted)
            if done:
                return Judged(case)
            acts = self._acting(case, follows, granted)
            actions = await self._act(case, history, verdict, follows.staged, acts)
            undone = await self._undo(case, verdict.why, follows.spare, acts) if follows.undo else 0
            labelled = await self._labelling.of_case(case, verdict.outcome, verdict.confidence, granted)
            return Judged(await self._store(case, deed, granted), actions, undone, labelled)
        finally:
            self._under_way.discard(number)

    def _acting(self, case: Case, follows: Follows, granted: Granted) -> Granted:
        """In whose name what follows is done. Whoever judges acts, but not where bulk actions need a second person."""
        acts = granted.judging
        if acts == granted or not (follows.staged or follows.undo):
            return granted
        if len(case.accounts) > self._most_alone or any(each.action == Action.BAN for each in follows.staged):
            what = f"to ban, or to act on more than {self._most_alone:,} accounts, needs the scope enforce: escalate it"
            raise Refusal(403, "scope_missing", what, "actions")
        return acts

    async def _act(
        self, case: Case, history: Sequence[Happening], verdict: Verdict, staged: Sequence[Staged], granted: Granted
    ) -> tuple[int, ...]:
        """Take the actions, each as a batch under the case's name."""
        again = rounds(history)
        ref = f"case-{case.number}-{again}" if again else f"case-{case.number}"
        strangers = {account for each in staged for account in each.accounts} - set(case.accounts)
        if strangers:
            raise Refusal(422, "not_in_case", "an action names an account that the case is not about", "actions")
        numbers: list[int] = []
        for each in staged:
            asked = PostBatch(
                kind=ACCOUNT,
                values=list(each.accounts or case.accounts),
                action=each.action.word,
                why=verdict.why,
                ref=ref,
                length=each.length,
                reasons=list(verdict.reasons or case.facts.reasons),
                evidence=[f"case {case.number}", *case.facts.evidence[:10]],
            )
            answer = msgspec.json.decode(await self._door.post("/v1/actions/batch", asked, granted), type=BatchAnswer)
            numbers += answer.numbers
            if answer.refused:
                first = answer.refused[0]
                what = (
                    f"the door did not act on {len(answer.refused):,} of the accounts, the first for this: "
                    f"{first.error.reason}. The others were acted on, and the case is open"
                )
                raise Refusal(409, "not_all_done", what, "actions")
        return tuple(numbers)

    async def _undo(self, case: Case, why: str, spare: str | None, granted: Granted) -> int:
        """Undo what stands against the accounts and followed from rules; returns how many."""
        now = self._records.clock.now()

        def standing(records: Records) -> list[int]:
            subjects = (Subject(ACCOUNT, account) for account in case.accounts)
            entries = (entry for subject in subjects for entry in records.ledger.standing(subject, now))
            return [entry.number for entry in entries if not entry.by_person and entry.action > Action.ALLOW]

        numbers, undone = await self._records.do(standing), 0
        for start in range(0, len(numbers), _MOST):
            asked = PostBatchUndo(numbers[start : start + _MOST], why, spare)
            answer = await self._door.post("/v1/actions/batch/undo", asked, granted)
            undone += msgspec.json.decode(answer, type=BatchUndoAnswer).undone
        return undone

    async def _store(self, case: Case, deed: Deed, granted: Granted) -> Case:
        """Decide the case as it is now, with what others have noted meanwhile."""
        for _ in range(_TRIES):
            try:
                return await self._caseroom.change(case.number, case.version, deed, granted)
            except Refusal as refusal:
                if refusal.code != "stale":
                    raise
                case, _ = await self._caseroom.file(case.number)
        raise Refusal(409, "stale", "the case keeps changing: decide it again, and nothing is done twice")
