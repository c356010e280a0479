"""Second looks and gold cases as people work on them: who is given one, what they are not shown, what they say of it.

Whoever was given a look at a case is blind to it until the look is done, also where their claim has run out.
"""

from random import Random, SystemRandom
from typing import Final, NamedTuple

from fairgate.casework import second
from fairgate.casework.handling import Hand, Step, confirmed, referred, rounds
from fairgate.casework.worklist import Fit
from fairgate.domain.access import Granted, Scope
from fairgate.domain.case import Case, CaseState, Happening, Verdict
from fairgate.domain.look import Kind, LookState, OneLook, Word
from fairgate.entrypoints.desk.caseroom import Caseroom, stale
from fairgate.entrypoints.desk.judging import Follows, Judging, ref_of
from fairgate.entrypoints.desk.measuring import Measuring
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.ports.cases import CasesWanted
from fairgate.wiring import Records

#: Looks and gold cases among which one for somebody is looked for.
_MOST: Final = 100
#: How often a case that others write notes on meanwhile is tried.
_TRIES: Final = 5


class Given(NamedTuple):
    """A case that somebody looks at without knowing what others said, and their look."""

    case: Case
    look: OneLook


class _File(NamedTuple):
    """What there is of a case that is looked at again; `first` is the look before, of a double one."""

    case: Case
    history: list[Happening]
    first: OneLook | None


class SecondLooks:
    """Gives out looks and takes in what is said. Raises `Refusal`, and what `DeskRecords.do` raises."""

    def __init__(
        self,
        records: DeskRecords,
        caseroom: Caseroom,
        judging: Judging,
        measuring: Measuring,
        draw: Random | None = None,
    ) -> None:
        self._records = records
        self._caseroom = caseroom
        self._judging = judging
        self._measuring = measuring
        self._draw = draw or SystemRandom()

    async def next(self, granted: Granted) -> Given | None:
        """Give somebody a look, or the one again that they are at; None where an ordinary case is next."""
        hand, fit = self._caseroom.hand(granted), await self._caseroom.fit(granted)
        return await self._records.do(lambda records: _Giving(records, hand, fit, self._draw).next())

    async def at(self, number: int, granted: Granted) -> Given | None:
        """The look at a case that somebody was given and has not done; None where they may see all of the case."""
        by = self._caseroom.hand(granted).by
        return await self._records.do(lambda records: _at(records, number, by))

    async def hidden(self, granted: Granted) -> frozenset[int]:
        """The numbers of the cases that somebody is blind to."""
        by = self._caseroom.hand(granted).by
        return await self._records.do(lambda records: frozenset(each.case for each in records.looks.given(by)))

    async def claim(self, given: Given, seen: int, granted: Granted) -> Given:
        """Let somebody be at a look again, or for longer."""
        hand = self._caseroom.hand(granted)

        def claimed(records: Records) -> OneLook:
            _check_seen(given.look, seen)
            return _kept(records, second.taken(given.look, hand))

        return Given(given.case, await self._caseroom.told(claimed, granted))

    async def release(self, given: Given, seen: int, granted: Granted) -> Given:
        """Let somebody else look, where they can."""
        hand = self._caseroom.hand(granted)

        def released(records: Records) -> OneLook:
            _check_seen(given.look, seen)
            return _kept(records, second.released(given.look, hand))

        return Given(given.case, await self._caseroom.told(released, granted))

    async def said(self, number: int, seen: int, verdict: Verdict, granted: Granted) -> Given | None:
        """What somebody has said before, where they say the same again; refuses where they say another thing now."""
        hand = self._caseroom.hand(granted)

        def done(records: Records) -> Given | None:
            mine = [each for each in records.looks.of(number) if (each.by, each.version) == (hand.by, seen + 1)]
            look = next((each for each in reversed(mine) if each.kind is not Kind.ORDINARY), None)
            case = records.cases.get(number)
            if look is None or look.word is None or case is None or case.claimed(hand.at) == hand.by:
                return None
            word = look.word
            if (word.outcome, word.why, word.confidence) != (verdict.outcome, verdict.why, verdict.confidence):
                raise Refusal(409, "looked", "you have said what you found already")
            return Given(case, look)

        return await self._records.do(done)

    async def say(self, given: Given, seen: int, verdict: Verdict, follows: Follows, granted: Granted) -> Given:
        """Take in what somebody found, and do what follows: what was held, or the case goes to those who lead."""
        with self._judging.alone(given.case.number):
            for _ in range(_TRIES):
                file = await self._records.do(lambda records: _file(records, given.look))
                word = second.word_of(file.case, verdict, follows.staged, undo=follows.undo)
                done = await self._spoken(given.look, seen, word, file, granted)
                if done is not None:
                    return Given(file.case, done)
        raise Refusal(409, "stale", "the case keeps changing: say it again, and nothing is done twice")

    async def _spoken(self, look: OneLook, seen: int, word: Word, file: _File, granted: Granted) -> OneLook | None:
        """The look that is done, with what follows; None where the case has changed meanwhile."""
        hand = self._caseroom.hand(granted)

        def spoken(_: Records) -> OneLook:
            _check_seen(look, seen)
            return second.said(look, hand, word, file.first)

        done = await self._caseroom.told(spoken, granted)
        step = await self._follows(done, file, hand, granted)
        return done if await self._records.do(lambda records: _keep(records, done, step)) else None

    async def _follows(self, done: OneLook, file: _File, hand: Hand, granted: Granted) -> Step | None:
        """What becomes of the case; what was held is done."""
        first = file.first
        if first is None or first.word is None or done.word is None:
            return None
        errors, case = self._measuring.errors, file.case
        one, two = (first.word, errors(first.by)), (done.word, errors(done.by))
        follows = second.then(case.facts.stake, one, two, done.held)
        acts = self._acting(case, done, granted) if follows is second.Then.ACT else None
        if acts is not None:
            await self._judging.act(case, ref_of(case, done.round, held=False), first.word, done.held, acts)
            return confirmed(case, hand)
        if follows is second.Then.NOTHING:
            return None
        return referred(case, hand, [(first.by, first.word), (done.by, done.word)])

    def _acting(self, case: Case, done: OneLook, granted: Granted) -> Granted | None:
        """In whose name what was held is done; None where the second may not do that."""
        try:
            acts = self._judging.acting(case, Follows(done.held), granted)
        except Refusal:
            return None
        return acts if not acts.key or Scope.ENFORCE in acts.scopes else None


class _Giving(NamedTuple):
    """Gives out one look."""

    records: Records
    hand: Hand
    fit: Fit
    draw: Random

    def next(self) -> Given | None:
        """What holds something first. A gold case may come in the place of any other, also of an ordinary one."""
        records, hand = self.records, self.hand
        given = [found for each in records.looks.given(hand.by) if (found := _current(records, each)) is not None]
        at_work = next((each for each in given if each.look.claimed(hand.at) == hand.by), None)
        if at_work is not None or self._works():
            return at_work
        waiting = records.looks.waiting(hand.by, hand.at, _MOST)
        if waiting or records.case_queue.best(hand.at, escalated=False, after=None, limit=1):
            gold = self._gold([each for each in given if each.look.kind is Kind.GOLD])
            if gold is not None:
                return gold
        return next((found for look in waiting if (found := self._double(look)) is not None), None)

    def _works(self) -> bool:
        """Whether they are at an ordinary case."""
        mine = self.records.cases.found(CasesWanted(CaseState.OPEN, claimed_by=self.hand.by), -1, _MOST)
        return any(each.claimed(self.hand.at) == self.hand.by for each in mine)

    def _may_judge(self, case: Case) -> bool:
        """Whether it suits them, and they took no part in it: who has opened it knows more than the evidence."""
        return self.hand.by not in {*case.barred, case.opened_by} and self.fit.suits(case)

    def _double(self, look: OneLook) -> Given | None:
        """A double look, where they may have it."""
        if look.claim is None and self.hand.by in look.given:  # they gave it back, for a reason of theirs
            return None
        found = _current(self.records, look)
        if found is None or not self._may_judge(found.case):
            return None
        taken = second.taken(look, self.hand)
        return Given(found.case, taken) if self.records.looks.keep([taken]) else None

    def _gold(self, given: list[Given]) -> Given | None:
        """A gold case that is slipped in, mostly none; also one that they have given back."""
        records, hand = self.records, self.hand
        again = {each.case.number: each for each in given}
        chosen = second.gold([*again, *records.gold.unseen(hand.by, _MOST)], self.draw)
        if chosen is None:
            return None
        number, propensity = chosen
        case = records.cases.get(number)
        if case is None or case.verdict is None or hand.by == case.verdict.by or not self._may_judge(case):
            return None
        if number in again:
            look = second.taken(again[number].look, hand)
        else:
            look = second.gold_look(case, rounds(records.cases.history(number)), propensity, hand)
        if not records.looks.keep([look]):
            return None
        kept = next(each for each in reversed(records.looks.given(hand.by)) if each.case == number)
        return Given(case, kept)


def _at(records: Records, number: int, by: str) -> Given | None:
    mine = (each for each in records.looks.given(by) if each.case == number)
    return next((found for each in mine if (found := _current(records, each)) is not None), None)


def _current(records: Records, look: OneLook) -> Given | None:
    """A look with its case; None, and dropped, where nobody has to look any more."""
    case = records.cases.get(look.case)
    if case is not None and not second.overtaken(look, case, records.cases.history(look.case)):
        return Given(case, look)
    records.looks.keep([second.dropped(look)])
    return None


def _file(records: Records, look: OneLook) -> _File:
    """The case as it is now. Raises `Refusal` where nobody has to look any more."""
    case, history = records.cases.get(look.case), records.cases.history(look.case)
    if case is None or second.overtaken(look, case, history):
        raise Refusal(409, "overtaken", "the case is being judged anew: nobody has to look at what was decided")
    if look.kind is not Kind.DOUBLE:
        return _File(case, history, None)
    firsts = (each for each in records.looks.of(look.case) if each.round == look.round)
    return _File(case, history, next((each for each in firsts if each.kind is Kind.ORDINARY), None))


def _keep(records: Records, done: OneLook, step: Step | None) -> bool:
    """Keep what was said with what becomes of the case; False where the case has changed since."""
    if step is None:
        return records.looks.keep([done]) or _changed(records, done)
    return records.looks.keep([done], step.case, [step.happening]) or _changed(records, done)


def _changed(records: Records, done: OneLook) -> bool:
    """False where it was the case that has changed; raises `Refusal` where it was the look."""
    there = next(each for each in records.looks.of(done.case) if each.number == done.number)
    if there.version != done.version - 1 or there.state is not LookState.WAITING:
        raise stale()
    return False


def _kept(records: Records, look: OneLook) -> OneLook:
    if not records.looks.keep([look]):
        raise stale()
    return look


def _check_seen(look: OneLook, seen: int) -> None:
    if look.version != seen:
        raise stale()
