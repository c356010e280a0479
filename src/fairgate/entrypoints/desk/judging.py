"""Deciding cases: what follows is done at the door first, and the case is decided once the door has done it.

Until then it is open, whatever is killed, and may be decided again: what was done is not done twice.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, NamedTuple

import msgspec

from fairgate.casework.handling import decided, judged, rounds
from fairgate.casework.second import word_of
from fairgate.domain.access import Granted
from fairgate.domain.action import Action
from fairgate.domain.case import Case, Verdict
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.look import Staged, Word
from fairgate.enforce.subjects import ACCOUNT
from fairgate.entrypoints.desk.at_the_door import AtTheDoor
from fairgate.entrypoints.desk.caseroom import Caseroom, Deed
from fairgate.entrypoints.desk.doubts import Doubts
from fairgate.entrypoints.desk.labelling import Labelled, Labelling
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.door.batches import BatchAnswer, BatchUndoAnswer, PostBatch, PostBatchUndo
from fairgate.wiring import Records

#: Actions that are undone in one request.
_MOST: Final = 1_000
#: How often a case that others write notes on meanwhile is tried to be decided.
_TRIES: Final = 5


class Judged(NamedTuple):
    """A decided case, the numbers of the actions taken, how many were undone, and what was labelled.

    `held` is whether a hold stands in the place of something grave until somebody else has looked.
    """

    case: Case
    actions: tuple[int, ...] = ()
    undone: int = 0
    labelled: Labelled = Labelled(0, ())
    held: bool = False


class Follows(NamedTuple):
    """What follows from a verdict: actions; or that what rules did is undone, and how long they spare the accounts."""

    staged: Sequence[Staged] = ()
    undo: bool = False
    spare: str | None = None


class Judging:
    """Decides cases. Raises `Refusal`, and what `DeskRecords.do` raises."""

    def __init__(
        self, caseroom: Caseroom, records: DeskRecords, door: AtTheDoor, labelling: Labelling, doubts: Doubts
    ) -> None:
        self._caseroom = caseroom
        self._records = records
        self._door = door
        self._labelling = labelling
        self._doubts = doubts
        self._under_way: set[int] = set()

    async def decide(self, number: int, seen: int, verdict: Verdict, follows: Follows, granted: Granted) -> Judged:
        """Judge a case, do what follows, and return what was done.

        Where somebody else is to look first, a hold is put in the place of what is grave.
        """
        with self.alone(number):  # before it is read: what another has done must not be decided otherwise
            deed = Deed("decided", judged(verdict), lambda case, hand: decided(case, hand, verdict))
            case, history, done = await self._caseroom.check(number, seen, deed, granted)
            if done:
                return Judged(case)
            hand, staged = self._caseroom.hand(granted), follows.staged
            acts = self.acting(case, follows, granted)
            word = word_of(case, verdict, staged, undo=follows.undo)
            first = self._doubts.first((case, history), word, staged, hand)
            ref = ref_of(case, rounds(history), held=first.holds)
            actions = await self.act(case, ref, verdict, first.at_once, acts)
            undone = 0
            if follows.undo:
                undone = await self._undo(case, verdict.why, follows.spare, acts, _by_rule)
            if first.overrules:
                undone += await self._undo(case, verdict.why, None, acts, _earlier(case, ref))
            labelled = await self._labelling.of_case(case, verdict.outcome, verdict.confidence, granted)
            stored = await self._store(case, replace(deed, keep=first.keep), granted)
            return Judged(stored, actions, undone, labelled, first.holds)

    @contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """Let nobody else decide a case meanwhile; raises `Refusal` where somebody does."""
        if number in self._under_way:
            raise Refusal(409, "being_decided", "somebody is deciding this case just now: look again in a moment")
        self._under_way.add(number)
        try:
            yield
        finally:
            self._under_way.discard(number)

    def acting(self, case: Case, follows: Follows, granted: Granted) -> Granted:
        """In whose name what follows is done. Whoever judges acts, but not where bulk actions need a second person."""
        acts = granted.judging
        if acts == granted or not (follows.staged or follows.undo):
            return granted
        most = self._doubts.settings.second_person_above
        if len(case.accounts) > most or any(each.action == Action.BAN for each in follows.staged):
            what = f"to ban, or to act on more than {most:,} accounts, needs the scope enforce: escalate it"
            raise Refusal(403, "scope_missing", what, "actions")
        return acts

    async def act(
        self, case: Case, ref: str, said: Verdict | Word, staged: Sequence[Staged], granted: Granted
    ) -> tuple[int, ...]:
        """Take the actions, each as a batch under a name of the case; the same again takes nothing twice."""
        strangers = {account for each in staged for account in each.accounts} - set(case.accounts)
        if strangers:
            raise Refusal(422, "not_in_case", "an action names an account that the case is not about", "actions")
        numbers: list[int] = []
        for each in staged:
            asked = PostBatch(
                kind=ACCOUNT,
                values=list(each.accounts or case.accounts),
                action=each.action.word,
                why=said.why,
                ref=ref,
                length=each.length,
                reasons=list(said.reasons or case.facts.reasons),
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

    async def _undo(
        self, case: Case, why: str, spare: str | None, granted: Granted, which: Callable[[Entry], bool]
    ) -> int:
        """Undo what stands against the accounts, of a kind; returns how many."""
        now = self._records.clock.now()

        def standing(records: Records) -> list[int]:
            subjects = (Subject(ACCOUNT, account) for account in case.accounts)
            entries = (entry for subject in subjects for entry in records.ledger.standing(subject, now))
            return [entry.number for entry in entries if which(entry) and entry.action > Action.ALLOW]

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


def ref_of(case: Case, again: int, *, held: bool) -> str:
    """The name under which a case's actions are taken, where it was opened again so often."""
    return f"case-{case.number}" + (f"-{again}" if again else "") + ("-held" if held else "")


def _by_rule(entry: Entry) -> bool:
    return not entry.by_person


def _earlier(case: Case, ref: str) -> Callable[[Entry], bool]:
    """Whether an entry was taken as the case was decided before."""
    name = ref_of(case, 0, held=False)

    def earlier(entry: Entry) -> bool:
        of = entry.ref.partition("/")[0]
        return entry.by_person and of != ref and (of == name or of.startswith(f"{name}-"))

    return earlier
