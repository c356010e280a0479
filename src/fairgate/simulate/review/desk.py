"""Simulated days at the review desk: cases come in, reviewers take the next of a queue, and what they say is done.

Everything but the order of the queue is the same under each way of ranking: the cases, the people, their mistakes
(drawn per case and person, not in turn), second looks, and what follows from an answer. Triage alone keeps a tenth of
the time for cases that are drawn.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from heapq import heappop, heappush
from random import Random
from typing import Final

import msgspec

from fairgate.casework.looks import Look, look, posterior, too_doubtful
from fairgate.casework.reserve import KEPT_SHARE, Candidate, keep
from fairgate.domain.action import MOST_UNGRAVE, Action
from fairgate.domain.look import Kind
from fairgate.domain.worth import Errors, Stake, cost_of, value_per_minute
from fairgate.simulate.review.caseload import HOUR, Case
from fairgate.simulate.review.reviewers import Reviewer

_DAY: Final = 24 * HOUR
#: Who finds nothing to do looks again after so many minutes.
_IDLE: Final = 5.0
_NO_LOOK: Final = Look(Kind.ORDINARY, 1.0)
_SECOND, _KEPT, _ORDINARY = 0, 1, 2


class Ranking(StrEnum):
    """What comes first in the queue."""

    TRIAGE = "triage"
    FIFO = "first in, first out"
    SCORE = "by score"


@dataclass(slots=True)
class Decided:
    """What became of a case that was looked at: who said what, in turn, and the action taken and when."""

    case: Case
    said: dict[str, bool] = field(default_factory=dict)
    probability: float = 0.0
    look: Look = _NO_LOOK
    action: Action | None = None
    at: float = 0.0


@dataclass(slots=True)
class Days:
    """What came of it: what was decided, by the case's number, and the hours worked."""

    decided: dict[int, Decided]
    hours: float


@dataclass(slots=True)
class _Queue:
    """What waits, the first in rank first. An entry whose rank has changed since is passed over."""

    ranking: Ranking
    errors: Errors
    waiting: dict[int, tuple[int, float]] = field(default_factory=dict)
    cases: dict[int, Case] = field(default_factory=dict)
    heap: list[tuple[int, float, int]] = field(default_factory=list)

    def put(self, case: Case, now: float, tier: int) -> None:
        """Put a case in, or where it belongs by now."""
        rank = (tier, self._rank(case, now) if tier == _ORDINARY else 0.0)
        if self.waiting.get(case.number) != rank:
            self.waiting[case.number] = rank
            self.cases[case.number] = case
            heappush(self.heap, (*rank, case.number))

    def take(self, now: float, may: Callable[[Case], bool]) -> Case | None:
        """The first case that may be taken and has not ended by itself; None where there is none."""
        aside = list[tuple[int, float, int]]()
        found = None
        while self.heap and found is None:
            entry = heappop(self.heap)
            *rank, number = entry
            if self.waiting.get(number) != tuple(rank):
                continue
            case = self.cases[number]
            if case.ends <= now:
                del self.waiting[number]
            elif may(case):
                del self.waiting[number]
                found = case
            else:
                aside.append(entry)
        for entry in aside:
            heappush(self.heap, entry)
        return found

    def _rank(self, case: Case, now: float) -> float:
        if self.ranking is Ranking.FIFO:
            return case.arrives
        if self.ranking is Ranking.SCORE:
            return -case.probability
        return -value_per_minute(case.stake(now), self.errors)


class _What(StrEnum):
    COMES = "comes"
    TURNS = "turns"
    FREE = "free"
    DONE = "done"
    DRAW = "draw"


@dataclass(slots=True)
class Desk:
    """One run. Call `run` once."""

    cases: Sequence[Case]
    team: Sequence[Reviewer]
    ranking: Ranking
    seed: int
    days: float
    #: How the team errs, as measured on gold cases.
    errors: Errors
    _queue: _Queue = field(init=False)
    _decided: dict[int, Decided] = field(default_factory=dict)
    _events: list[tuple[float, int, _What, int, int]] = field(default_factory=list)
    _turn: int = 0
    _worked: float = 0.0

    def run(self) -> Days:
        """Let the days go by."""
        self._queue = _Queue(self.ranking, self.errors)
        for at, case in enumerate(self.cases):
            self._at(case.arrives, _What.COMES, at)
        for at, reviewer in enumerate(self.team):
            self._at(reviewer.begins, _What.FREE, at)
        for day in range(1, int(self.days) if self.ranking is Ranking.TRIAGE else 0):
            self._at(day * _DAY, _What.DRAW, day)
        while self._events and self._events[0][0] < self.days * _DAY:
            now, _, what, first, second = heappop(self._events)
            self._happens(now, what, first, second)
        return Days(self._decided, self._worked / HOUR)

    def _at(self, time: float, what: _What, first: int, second: int = -1) -> None:
        self._turn += 1
        heappush(self._events, (time, self._turn, what, first, second))

    def _happens(self, now: float, what: _What, first: int, second: int) -> None:
        if what is _What.DRAW:
            self._keep(now, first)
        elif what is _What.FREE:
            self._takes_next(now, first)
        elif what is _What.DONE:
            self._says(now, self.cases[first], self.team[second])
            self._takes_next(now, second)
        else:
            case = self.cases[first]
            waits = case.number in self._queue.waiting
            if what is _What.COMES:
                self._at(case.turns, _What.TURNS, first)
            if what is _What.COMES or (waits and self._queue.waiting[case.number][0] == _ORDINARY):
                self._queue.put(case, now, _ORDINARY)

    def _keep(self, now: float, day: int) -> None:
        """Draw the kept part of this day's time among what came in on the day before."""
        came = [each for each in self.cases if (day - 1) * _DAY <= each.arrives < day * _DAY]
        minutes = KEPT_SHARE * sum(each.minutes for each in self.team)
        for kept in keep(
            [Candidate(each.number, each.expected, each.probability) for each in came],
            minutes,
            Random(f"{self.seed}/kept/{day}"),
        ):
            if kept.case in self._queue.waiting:
                self._queue.put(self.cases[kept.case], now, _KEPT)

    def _takes_next(self, now: float, at: int) -> None:
        reviewer = self.team[at]
        if not reviewer.on_shift(now):
            day = now // _DAY + (now % _DAY >= reviewer.begins)
            self._at(day * _DAY + reviewer.begins, _What.FREE, at)
            return
        case = self._queue.take(now, lambda each: reviewer.name not in self._of(each).said)
        if case is None:
            self._at(now + _IDLE, _What.FREE, at)
            return
        self._worked += case.minutes
        self._at(now + case.minutes, _What.DONE, case.number, at)

    def _of(self, case: Case) -> Decided:
        return self._decided.get(case.number) or Decided(case, probability=case.probability)

    def _says(self, now: float, case: Case, reviewer: Reviewer) -> None:
        """Take in what somebody says of a case; act on it, or let somebody else look first."""
        known = self._decided.setdefault(case.number, self._of(case))
        hours = (now % _DAY - reviewer.begins) / HOUR
        draw = Random(f"{self.seed}/{case.number}/{reviewer.name}")
        said = reviewer.calls_bad(case, hours, draw, score_shown=not known.said)
        known.said[reviewer.name] = said
        known.probability = posterior(known.probability, self.errors, said_bad=said)
        stake = msgspec.structs.replace(case.stake(now), probability=known.probability)
        meant = msgspec.structs.replace(stake, stands=min(Action, key=lambda each: cost_of(stake, each)))
        if self._again(known, meant, draw):
            self._queue.put(case, now, _SECOND)
        else:
            known.action, known.at = MOST_UNGRAVE if too_doubtful(meant) else meant.stands, now

    def _again(self, known: Decided, stake: Stake, draw: Random) -> bool:
        """Whether somebody else looks: after the first by worth or draw, after two who disagree always."""
        match list(known.said.values()):
            case [_]:
                known.look = look(stake, self.errors, draw)
                return known.look.kind is Kind.DOUBLE
            case [first, second]:
                return first is not second
            case _:
                return False
