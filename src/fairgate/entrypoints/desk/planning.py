"""The plan of a shift: who looks at what, made by a worker process, and what of it counts when somebody asks."""

import asyncio
import logging
from collections.abc import Sequence
from functools import partial
from typing import Final, NamedTuple

import msgspec

from fairgate.casework.greedy import greedy_plan
from fairgate.casework.plan import Plan, Reviewer, Work
from fairgate.casework.rota import Duty, duty
from fairgate.casework.worklist import Colleague, Item, Terms, Waits, reviewers_of, works_of
from fairgate.domain.access import Scope
from fairgate.domain.appeal import Appeal, AppealState
from fairgate.domain.case import Case
from fairgate.domain.errors import FairgateError
from fairgate.domain.windows import MINUTE, SECOND
from fairgate.entrypoints.desk.problems import Refusal
from fairgate.entrypoints.desk.records import DeskRecords, NoRecords
from fairgate.entrypoints.desk.roster import Roster
from fairgate.entrypoints.desk.tasks import Arrange, Arranged, Refused
from fairgate.entrypoints.desk.workers import Workers
from fairgate.ports.appeals import Wanted
from fairgate.settings import Settings
from fairgate.wiring import GREEDY, Records

#: What of each kind takes part: the most valuable cases, those that were escalated or drawn, what is due first.
MOST_CASES: Final = 2_000
MOST_OTHERS: Final = 500
#: A plan that is asked for is made anew where it is older.
_ANEW: Final = MINUTE
#: A plan counts for so many times as long as passes until the next.
_COUNTS: Final = 2
#: Seconds after which a worker is not waited for any longer.
_SECONDS: Final = 20.0
#: Cases valued anew before: others have been since they were looked at.
_RANKED: Final = 200
_log = logging.getLogger(__name__)


class Planned(NamedTuple):
    """A plan as it was made: when, by which planner, and why by that where it is not the better one.

    Works and items are in one order, and lists have their places. Without a `duty` nobody works, and there is no plan.
    """

    made: int
    duty: Duty | None = None
    by: str = ""
    why: str = ""
    reviewers: Sequence[Reviewer] = ()
    works: Sequence[Work] = ()
    items: Sequence[Item] = ()
    plan: Plan = Plan({}, (), ())


class _Gathered(NamedTuple):
    duty: Duty | None
    team: dict[str, Colleague]
    cases: list[Case]
    appeals: list[Appeal]


class Planning:
    """Makes plans, one at a time. Raises `Refusal`, and what `DeskRecords.do` raises.

    They are kept in this process alone: one that is started anew plans anew.
    """

    def __init__(self, settings: Settings, records: DeskRecords, workers: Workers, roster: Roster) -> None:
        self.roster = roster
        self._records = records
        self._workers = workers
        self._appeal_minutes = settings.desk.appeal_minutes
        self._every = int(settings.desk.plan_minutes * MINUTE)
        self._planned: Planned | None = None
        self._changes = 0
        self._making = asyncio.Lock()
        self._problem = ""

    async def plan(self) -> Planned:
        """The plan that counts, made anew where it is older than a minute."""
        async with self._making:
            now = self._records.clock.now()
            if self._planned is None or not 0 <= now - self._planned.made < _ANEW:
                await self._make(now)
            if self._planned is None:  # hours were changed meanwhile
                await self._make(now)
            return self._planned or Planned(now)

    def forget(self) -> None:
        """Let no plan count that was made before: somebody's hours or skills are others now."""
        self._planned = None
        self._changes += 1

    def planned_for(self, by: str, now: int) -> tuple[int, ...]:
        """The numbers of the cases that a plan which counts has for somebody in a shift that is on, in order."""
        planned = self._planned
        if planned is None or planned.duty is None or not 0 <= now - planned.made < _COUNTS * self._every:
            return ()
        if not planned.duty.begins <= now < planned.duty.ends:
            return ()
        own = (planned.items[place] for place in planned.plan.lists.get(by, ()))
        return tuple(each.number for each in own if each.kind == Waits.CASE)

    async def run(self) -> None:
        """Plan anew every few minutes while somebody works, until cancelled; what fails is tried again."""
        while True:
            try:
                await self._round()
            except NoRecords:
                pass  # nobody has asked for anything yet
            except Refusal as refusal:
                self._failed(refusal.reason)
            except FairgateError as error:
                self._failed(str(error))
            else:
                self._problem = ""
            await asyncio.sleep(self._every / SECOND)

    async def _round(self) -> None:
        now = self._records.clock.now()
        found = await self._records.do(lambda records: duty((each.shifts for each in _team(records).values()), now))
        if found is not None and found.begins <= now:
            async with self._making:
                await self._make(now)

    def _failed(self, why: str) -> None:
        if why != self._problem:
            _log.error("no plan could be made, which is tried again: %s", why)
        self._problem = why

    async def _make(self, now: int) -> None:
        changes = self._changes
        needs = await self.roster.needs()
        found = await self._records.do(partial(_gathered, now=now))
        planned = Planned(now)
        if found.duty is not None:
            terms = Terms(needs, self._appeal_minutes)
            works, items = works_of(found.cases, found.appeals, list(found.team.values()), found.duty, terms)
            reviewers = reviewers_of(found.duty, found.team)
            made = await self._arranged(Arrange(works, reviewers, found.duty.begins))
            planned = Planned(now, found.duty, made.by, made.why, reviewers, works, items, made.plan)
        if changes == self._changes:
            self._planned = planned

    async def _arranged(self, asked: Arrange) -> Arranged:
        """The plan that a worker makes; where it can't, a greedy one, in a thread."""
        answer = await self._workers.run(asked, _SECONDS)
        if not isinstance(answer, Refused):
            return msgspec.json.decode(answer[1], type=Arranged)
        _log.warning("a plan is made greedily: %s", answer.reason)
        plan = await asyncio.to_thread(greedy_plan, asked.works, asked.reviewers, asked.now)
        return Arranged(GREEDY, plan, answer.reason)


def _team(records: Records) -> dict[str, Colleague]:
    """Who may review and has hours, by their ids."""
    people = {each.id: each for each in records.people.all() if each.off is None and Scope.REVIEW in each.role.scopes}
    return {
        each.person: Colleague(people[each.person].name, each, Scope.AUDIT in people[each.person].role.scopes)
        for each in records.rota.all()
        if each.person in people
    }


def _gathered(records: Records, *, now: int) -> _Gathered:
    """All that a plan is made of, as of now."""
    team, queue = _team(records), records.case_queue
    found = duty((each.shifts for each in team.values()), now)
    if found is None:
        return _Gathered(None, team, [], [])
    queue.rank(now, now - MINUTE, _RANKED)
    cases = {
        each.number: each
        for page in (
            queue.best(now, escalated=False, after=None, limit=MOST_CASES),
            queue.best(now, escalated=True, after=None, limit=MOST_OTHERS),
            queue.kept(now, MOST_OTHERS),
        )
        for each in page
    }
    appeals = records.appeals.found(Wanted(AppealState.OPEN), None, MOST_OTHERS)
    return _Gathered(found, team, list(cases.values()), appeals)
