"""Cases as people work on them: who gets the next, who may do what to one, and what a change makes of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from random import Random, SystemRandom
from typing import Final, TypeVar

from msgspec.structs import replace

from fairgate.casework.dividing import parting
from fairgate.casework.drawing import Taker, next_case
from fairgate.casework.handling import Hand, Step, claimed, done_before, handed_up, joining, merged, split, splitting
from fairgate.casework.worklist import Fit
from fairgate.domain.access import Granted, Scope
from fairgate.domain.case import Case, CaseState, Happening
from fairgate.domain.errors import CaseStands
from fairgate.domain.windows import MINUTE
from fairgate.entrypoints.desk.audit import DeskAudit
from fairgate.entrypoints.desk.finding import findings_of
from fairgate.entrypoints.desk.planning import Planning
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords
from fairgate.entrypoints.desk.roster import apart_of
from fairgate.entrypoints.door.bodies import ANYONE
from fairgate.ports.cases import CasesWanted, Opened, Waiting
from fairgate.settings import Settings
from fairgate.wiring import Records

#: Cases that are tried for one that nobody claims at the same moment, before it is given up.
_TRIES: Final = 50
#: Cases that somebody has claimed and among which the one that they are at is looked for.
_AT_WORK: Final = 500
#: Codes of `CaseStands` by which somebody is kept from a case for who they are.
_BARRED: Final = frozenset({"apart", "barred", "for_leads"})
_UNFIT: Final = frozenset({"all_or_none", "bad_time", "itself", "not_in_case", "too_many"})
_T = TypeVar("_T")


def _stored(records: Records, step: Step) -> bool:
    return records.cases.store(step.case, [step.happening])


@dataclass(frozen=True, slots=True)
class Deed:
    """What is to be done to a case: what the history calls it, what they say, and what it makes of the case.

    `keep` stores that; it returns False where the case has changed since.
    """

    what: str
    said: str
    step: Callable[[Case, Hand], Step]
    keep: Callable[[Records, Step], bool] = _stored


class Caseroom:
    """Gives out cases and changes them. Raises `Refusal`, and what `DeskRecords.do` raises: nothing is half done then.

    Whoever sends the same again to the version that it was meant for gets the case as it is then: a double click does
    nothing twice. `draw` draws cases by lot.
    """

    def __init__(
        self,
        settings: Settings,
        records: DeskRecords,
        audit: DeskAudit,
        planning: Planning,
        draw: Random | None = None,
    ) -> None:
        self._planning = planning
        self._draw = draw or SystemRandom()
        self._records = records
        self._audit = audit
        self._log = settings.data / "log"
        self._lasts = int(settings.desk.claim_minutes * MINUTE)

    def hand(self, granted: Granted) -> Hand:
        """Who asks, and what they may: without API keys everybody may all. Who sees the audit log is a lead."""
        lead = not granted.key or Scope.AUDIT in granted.scopes
        return Hand(granted.by or ANYONE, self._records.clock.now(), lead, self._lasts)

    async def fit(self, granted: Granted) -> Fit:
        """What somebody may be given."""
        return await self._planning.roster.fit(self.hand(granted).by)

    async def file(self, number: int) -> tuple[Case, list[Happening]]:
        """The case of a number, and what happened to it."""
        return await self._records.do(lambda records: (_case(records, number), records.cases.history(number)))

    async def found(self, wanted: CasesWanted, after: int, limit: int) -> list[Case]:
        """At most `limit` cases with numbers above `after`."""
        return await self._records.do(lambda records: records.cases.found(wanted, after, limit))

    async def open(self, asked: Case) -> Opened:
        """Open a case; the same again under one `ref` of one person is there already."""
        opened = await self._records.do(lambda records: records.cases.open(asked))
        there = opened.case
        if opened.new:
            return opened
        if (there.opened_by, there.ref) != (asked.opened_by, asked.ref):
            what = f"case {there.number} about one of these accounts is open already"
            raise Refusal(409, "case_open", what, "accounts")
        if (set(there.accounts) >= set(asked.accounts), there.why) != (True, asked.why):
            what = f"this ref is case {there.number}, which says something else: give what is new a name of its own"
            raise Refusal(409, "ref_taken", what, "ref")
        return opened

    async def next(self, granted: Granted) -> Case:
        """Claim the next case for somebody, or give them the one that they are at already."""
        hand = self.hand(granted)
        fit, planned = await self.fit(granted), self._planning.planned_for(hand.by, hand.at)
        taker = Taker(hand.by, hand.lead, fit.suits)
        found = await self._records.do(lambda records: _next(records, hand, taker, planned, self._draw))
        if found is None:
            raise Refusal(404, "no_case", "no case is ready for you")
        return found

    async def queue(self, granted: Granted, limit: int) -> tuple[list[Case], Waiting]:
        """What is somebody's and what waits, in the order of its value, and how much waits in all."""
        hand = self.hand(granted)

        def looked(records: Records) -> tuple[list[Case], Waiting]:
            mine = records.cases.found(CasesWanted(CaseState.OPEN, claimed_by=hand.by), -1, _AT_WORK)
            cases = [case for case in mine if case.claimed(hand.at) == hand.by]
            for escalated in (True, False) if hand.lead else (False,):
                ready = records.case_queue.best(hand.at, escalated=escalated, after=None, limit=limit)
                cases += [case for case in ready if hand.by not in case.barred]
            return cases[:limit], records.case_queue.waiting(hand.at)

        return await self._records.do(looked)

    async def change(self, number: int, seen: int, deed: Deed, granted: Granted) -> Case:
        """Do something to the version of a case that somebody has seen."""
        hand = self.hand(granted)

        def changed(records: Records) -> Case:
            case = _case(records, number)
            if done_before(case, seen, hand.by, (deed.what, deed.said), records.cases.history(number)):
                return case
            _check_seen(case, seen)
            step = deed.step(case, _knowing(records, hand))
            if not deed.keep(records, step):
                raise stale()
            return step.case

        return await self.told(changed, granted)

    async def reopen(self, number: int, seen: int, deed: Deed, granted: Granted) -> Case:
        """Open a decided case again, unless a newer one about its accounts is open."""

        def newer(records: Records) -> Case | None:
            case = _case(records, number)
            wanted = (CasesWanted(CaseState.OPEN, account) for account in case.accounts)
            return next((each for one in wanted for each in records.cases.found(one, -1, 2) if each != case), None)

        there = await self._records.do(newer)
        if there is not None:
            what = f"case {there.number} about one of its accounts is open: merge or judge that one"
            raise Refusal(409, "case_open", what)
        return await self.change(number, seen, deed, granted)

    async def merge(self, number: int, seen: int, other: tuple[int, int], why: str, granted: Granted) -> Case:
        """Merge another case, by its number and the version that was seen, into one."""
        hand, said = self.hand(granted), joining(number, other[0], why)

        def both(records: Records) -> Case:
            kept, gone = _case(records, number), _case(records, other[0])
            if done_before(kept, seen, hand.by, ("merged", said), records.cases.history(number)):
                return kept
            _check_seen(kept, seen)
            _check_seen(gone, other[1], "other_version")
            _check_settled(records, number, other[0])
            one, two = merged(kept, gone, _knowing(records, hand), why)
            if not records.cases.merge(one.case, two.case, [one.happening]):
                raise stale()
            return _case(records, number)

        return await self.told(both, granted)

    async def split(
        self, number: int, seen: int, accounts: Sequence[str], why: str, granted: Granted
    ) -> tuple[Case, Case]:
        """Make a case of its own of some of a case's accounts; both, as they are then."""
        case, _ = await self.file(number)
        findings = await findings_of(self._log, case.facts.events)
        hand = self.hand(granted)

        def apart(records: Records) -> tuple[Case, Case]:
            case = _case(records, number)
            there = _split_off(records, case, seen, accounts, (hand.by, why))
            if there is not None:
                return case, there
            _check_seen(case, seen)
            _check_settled(records, number)
            left, made = split(case, accounts, hand)
            how = parting(left.accounts, made.accounts, findings, hand.at)

            def told(new: int) -> list[Happening]:
                return [Happening(hand.at, hand.by, "split", splitting(number, new, len(made.accounts), why))]

            new = records.cases.split(left, made, how, told)
            if new is None:
                raise stale()
            return _case(records, number), _case(records, new)

        return await self.told(apart, granted)

    async def check(self, number: int, seen: int, deed: Deed, granted: Granted) -> tuple[Case, list[Happening], bool]:
        """The case, what happened to it, and whether the deed is done already; refuses one that can't be done."""
        hand = self.hand(granted)

        def looked(records: Records) -> tuple[Case, list[Happening], bool]:
            case, history = _case(records, number), records.cases.history(number)
            if done_before(case, seen, hand.by, (deed.what, deed.said), history):
                return case, history, True
            _check_seen(case, seen)
            deed.step(case, _knowing(records, hand))
            return case, history, False

        return await self.told(looked, granted)

    async def told(self, call: Callable[[Records], _T], granted: Granted) -> _T:
        """Do something with the records; `CaseStands` is an answer, and noted where it is for who they are."""
        try:
            return await self._records.do(call)
        except CaseStands as error:
            status = HTTPStatus.CONFLICT
            if error.code in _BARRED:
                status = HTTPStatus.FORBIDDEN
                await self._audit.refused(granted, "case", error.number, error.code)
            elif error.code in _UNFIT:
                status = HTTPStatus.UNPROCESSABLE_ENTITY
            raise Refusal(status, error.code, str(error)) from error


def _case(records: Records, number: int) -> Case:
    found = records.cases.get(number)
    if found is None:
        raise Refusal(404, "not_found", "there is no case of this number", "number")
    return found


def _knowing(records: Records, hand: Hand) -> Hand:
    """A hand with the accounts that they must not judge."""
    return hand._replace(apart=apart_of(records, hand.by))


def _split_off(records: Records, case: Case, seen: int, accounts: Sequence[str], who: tuple[str, str]) -> Case | None:
    """The case that somebody has made of these accounts of the version `seen` already, and said so: a double click."""
    by, why = who
    if case.version != seen + 1 or not accounts:
        return None
    history = records.cases.history(case.number)
    for each in records.cases.found(CasesWanted(account=accounts[0]), case.number, _AT_WORK):
        deed = "split", splitting(case.number, each.number, len(accounts), why)
        if set(each.accounts) == set(accounts) and done_before(case, seen, by, deed, history):
            return each
    return None


def _next(records: Records, hand: Hand, taker: Taker, planned: Sequence[int], draw: Random) -> Case | None:
    """Claim the next that nobody else claims at the same moment. How likely it was to be drawn stays with it."""
    for case in records.cases.found(CasesWanted(CaseState.OPEN, claimed_by=hand.by), -1, _AT_WORK):
        if case.claimed(hand.at) == hand.by:
            return case
    for _ in range(_TRIES):
        ours = (found for number in planned if (found := records.cases.get(number)) is not None)
        chosen = next_case(records.case_queue, hand.at, taker._replace(planned=ours), draw)
        if chosen is None:
            return None
        step = claimed(replace(chosen.case, propensity=chosen.propensity), hand)
        if records.cases.store(step.case, [step.happening]):
            return step.case
    return None


def _check_settled(records: Records, *numbers: int) -> None:
    """What two did not say the same of is decided as it is: else nobody would undo what the first of them did."""
    for number in numbers:
        if handed_up(records.cases.history(number)):
            what = "two who looked at it did not say the same: it is decided as it is first"
            raise CaseStands(number, "referred", what)


def _check_seen(case: Case, seen: int, field: str = "If-Match") -> None:
    if case.version != seen:
        raise stale(field)


def stale(field: str = "If-Match") -> Refusal:
    """Refuses what is meant for another version than the one that is there."""
    return Refusal(409, "stale", "the case has changed since you looked: look again, then decide what to do", field)
