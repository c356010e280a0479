"""The replay: a scene under a policy, event by event, until all is over.

Whoever is honest asks when the trace says so, waits at most as long as a person would, and asks again within that time
when refused. An account of the farm asks again whenever one of its requests has come to something. A granted request is
read and then written at the speeds below; while it is written, the policy is told now and then how far it has come.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

from fairgate.simulate.sharing.demand import PATIENCE, Person, Scene
from fairgate.simulate.sharing.policy import Ask, Granted, Policy, Refused
from fairgate.simulate.sharing.tally import Call, Tally

#: Tokens a second: of a prompt that is read, and of one answer that is written.
READS: Final = 5_000.0
WRITES: Final = 50.0
#: Seconds between what a policy hears of an answer.
HEARS: Final = 0.5
#: The soonest that a refused request is tried again, in seconds.
_SOONEST: Final = 1.0
#: Simulated seconds between what `tick` hears.
_TICK: Final = 1.0

_Event: TypeAlias = tuple[float, int, Callable[[float], None]]


@dataclass(slots=True)
class _Answering:
    """An answer that is being written from `begins` on, under the id that the policy gave it."""

    call: Call
    key: str
    begins: float
    ends: float


class Replay:
    """Plays a scene under a policy. `tick` is told the simulated time, about once a simulated second."""

    def __init__(
        self, scene: Scene, policy: Policy, tally: Tally, tick: Callable[[float], None] = lambda _: None
    ) -> None:
        self._scene = scene
        self._policy = policy
        self._tally = tally
        self._tick = tick
        self._people = {each.known.account: each for each in scene.people}
        self._sizes = Random(f"{scene.plan.seed} sizes")
        self._arrivals = [*scene.arrivals[::-1]]
        self._later: list[_Event] = []
        self._count = 0
        self._calls: dict[str, Call] = {}

    def run(self) -> None:
        """Play to the end."""
        scene = self._scene
        for each in (*scene.people, *scene.farm):
            self._policy.know(each.known)
        for person in scene.farm:
            for _ in range(scene.plan.backlog):
                self._plan(self._sizes.random(), self._has_asked(person))
        for time, person in scene.churners:
            self._plan(time, self._comes_once(person))
        shown = now = 0.0
        while (at := self._next_at()) < scene.horizon:
            now = max(now, at)
            self._tally.pass_time(now)
            self._happens(now)
            while answers := self._policy.advance(now):
                for answer in answers:
                    self._answered(now, self._calls.pop(answer.id), answer)
            if now >= shown + _TICK:
                shown = now
                self._tick(now)
        self._tally.pass_time(scene.horizon)

    def _next_at(self) -> float:
        """When the next thing happens; the horizon where nothing does."""
        at = self._scene.horizon
        if self._arrivals:
            at = min(at, self._arrivals[-1].time)
        if self._later:
            at = min(at, self._later[0][0])
        due = self._policy.next_at()
        return at if due is None else min(at, due)

    def _happens(self, now: float) -> None:
        """Let one thing happen that is due, unless it is the policy's turn alone."""
        if self._arrivals and self._arrivals[-1].time <= now:
            asked = self._arrivals.pop()
            self._asks(now, Call(self._people[asked.account], asked.input, asked.output, now, now + PATIENCE))
        elif self._later and self._later[0][0] <= now:
            heapq.heappop(self._later)[2](now)

    def _plan(self, at: float, what: Callable[[float], None]) -> None:
        self._count += 1
        heapq.heappush(self._later, (at, self._count, what))

    # --------------------------------------------------------------------------------------------------------- asking

    def _asks_on(self, person: Person) -> Callable[[float], None]:
        return lambda now: self._asks(now, self._sized(person, now))

    def _has_asked(self, person: Person) -> Callable[[float], None]:
        """The first requests have been waiting for a while, each for another: a farm doesn't begin with the scene."""

        def asks(now: float) -> None:
            call = self._sized(person, now)
            call.until = now + PATIENCE * (1.0 - self._sizes.random())
            self._asks(now, call)

        return asks

    def _comes_once(self, person: Person) -> Callable[[float], None]:
        def comes(now: float) -> None:
            self._policy.know(person.known)
            self._asks(now, self._sized(person, now, once=True))

        return comes

    def _sized(self, person: Person, now: float, *, once: bool = False) -> Call:
        """A request of an abuser, as large as any of the trace, or of the client that it stands for."""
        input_, output = self._sizes.choice(self._scene.sizes[person.client])
        return Call(person, input_, output, now, now + PATIENCE, once=once)

    def _asks(self, now: float, call: Call) -> None:
        if not call.tries:
            self._tally.asked(call)
        call.tries += 1
        ask = Ask(call.person.known.account, call.input, self._scene.most_output, call.until - now)
        answer = self._policy.acquire(now, ask)
        self._tally.waits(now, call)
        if isinstance(answer, Granted | Refused):
            self._answered(now, call, answer)
        else:
            self._calls[answer.id] = call

    def _answered(self, now: float, call: Call, answer: Granted | Refused) -> None:
        self._tally.waits_no_more(now, call)
        if isinstance(answer, Granted):
            self._tally.granted(now, call, answer.estimate)
            begins = now + call.input / READS
            answering = _Answering(call, answer.id, begins, begins + call.output / WRITES)
            self._plan_next(now, answering)
            if not call.person.honest and not call.once:
                self._plan(now, self._asks_on(call.person))
        else:
            self._refused(now, call, answer.retry_after)

    def _refused(self, now: float, call: Call, retry_after: float) -> None:
        """Try again later, unless it has taken too long; whoever uses an account once throws it away."""
        again = now + max(retry_after, _SOONEST)
        if call.person.honest and again < call.until:
            self._plan(again, lambda then: self._asks(then, call))
            return
        self._tally.given_up(now, call)
        if not call.person.honest and not call.once:
            self._plan(again, self._asks_on(call.person))

    # ------------------------------------------------------------------------------------------------------ answering

    def _plan_next(self, now: float, answering: _Answering) -> None:
        """Go on to where the policy hears of an answer next: in a while, or at its end."""
        hears = max(now, answering.begins) + HEARS
        if hears < answering.ends:
            self._plan(hears, lambda then: self._hears(then, answering))
        else:
            self._plan(answering.ends, lambda then: self._ends(then, answering))

    def _hears(self, now: float, answering: _Answering) -> None:
        written = int((now - answering.begins) * WRITES)
        self._policy.charge(now, answering.key, written)
        self._tally.written(answering.call, written)
        self._plan_next(now, answering)

    def _ends(self, now: float, answering: _Answering) -> None:
        call = answering.call
        self._policy.settle(now, answering.key, call.input, call.output)
        self._tally.written(call, call.output)
        self._tally.settled(call)
