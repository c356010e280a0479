"""The company that sells the compute: its data base, and what it does about each decision.

What a decision does lasts: a throttled account stays slow for hours, a suspended one is closed until a person has
looked at it. Those people make mistakes, and so do the decisions; both are the company's costs, and are counted by
whoever is told of everything that was done.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TypeAlias

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.event import moment
from fairgate.domain.windows import HOUR, SECOND
from fairgate.simulate.acts import Account, Act, Seen
from fairgate.simulate.world_file import World


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What was decided on an event, and which rules and lists had a part in it."""

    action: Action
    rules: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()


#: Decides on the CloudEvent of these bytes at a time.
Decide: TypeAlias = Callable[[bytes, int], Verdict]
ALLOWED = Verdict(Action.ALLOW)


class Done(msgspec.Struct, frozen=True, gc=False):
    """An act with what came of it.

    `event` is the id of what was sent, empty where the account was closed and nothing was. `wait` is how long a
    challenge took, in microseconds, and `cost` what it cost whoever solved it, in dollars.
    """

    act: Act
    seen: Seen
    event: str = ""
    verdict: Verdict = ALLOWED
    wait: int = 0
    cost: float = 0.0


class Reviewed(msgspec.Struct, frozen=True, gc=False):
    """A person has looked at an account, at a cost in dollars: it stays closed, or goes on without the abuse."""

    time: int
    account: Account
    closed: bool
    cost: float


@dataclass(slots=True)
class Standing:
    """What an account may do. Times are microseconds, 0 where there is nothing.

    `intruder` may still use it beside its owner. `asked` are its requests in the hour that began at `hour`, which count
    while it is slow.
    """

    closed: bool = False
    slow_until: int = 0
    passed_until: int = 0
    intruder: bool = True
    abused: bool = False
    reviewing: bool = False
    hour: int = 0
    asked: int = 0


class Service:
    """Takes acts in order of time. `done` is told of each, and of each review."""

    def __init__(self, world: World, rng: Random, decide: Decide, done: Callable[[Done | Reviewed], None]) -> None:
        self._world = world
        self._spec = world.service
        self._rng = rng
        self._decide = decide
        self._done = done
        self._standing: dict[str, Standing] = {}
        self._reviews: list[tuple[int, int, Account]] = []
        self._number = 0

    def do(self, act: Act) -> Seen:
        """Let somebody do something, or not."""
        self._review(act.time)
        standing = self._standing.setdefault(act.account.name, Standing())
        standing.abused |= act.abuse or not act.account.honest
        if standing.closed or (act.abuse and act.account.honest and not standing.intruder):
            return self._over(Done(act, Seen.CLOSED))
        if standing.slow_until > act.time and act.dollars and not self._has_turn(standing, act.time):
            return self._over(Done(act, Seen.SLOWED))
        self._number += 1
        event = f"{self._number:x}"
        verdict = self._decide(_envelope(act, event), act.time)
        return self._over(self._acted(act, event, verdict, standing))

    def _over(self, done: Done) -> Seen:
        self._done(done)
        return done.seen

    def _acted(self, act: Act, event: str, verdict: Verdict, standing: Standing) -> Done:
        """What a decision does to an act, and to what may be done after it."""
        match verdict.action:
            case Action.ALLOW | Action.WATCH:
                return Done(act, Seen.SERVED, event, verdict)
            case Action.THROTTLE:
                standing.slow_until = act.time + int(self._spec.throttled_hours * HOUR)
                return Done(act, Seen.SERVED, event, verdict)
            case Action.CHALLENGE:
                return self._challenged(act, event, verdict, standing)
            case action:
                standing.closed = True
                self._look_at(act, action)
                return Done(act, Seen.HELD if action == Action.HOLD else Seen.CLOSED, event, verdict)

    def _challenged(self, act: Act, event: str, verdict: Verdict, standing: Standing) -> Done:
        """Who has passed one is not asked again for a while, unless it is an intruder who would have to."""
        if standing.passed_until > act.time:
            return Done(act, Seen.SERVED, event, verdict)
        passing = self._world.challenge["intruder" if act.abuse and act.account.honest else act.account.hands]
        wait, cost = int(passing.seconds.draw(self._rng) * SECOND), passing.dollars.draw(self._rng)
        if self._rng.random() >= passing.passes:
            return Done(act, Seen.REFUSED, event, verdict, wait, cost)
        standing.passed_until = act.time + int(self._spec.challenge_hours * HOUR)
        return Done(act, Seen.CHALLENGED, event, verdict, wait, cost)

    def _has_turn(self, standing: Standing, now: int) -> bool:
        """Whether a slow account may ask once more in this hour."""
        hour = now // HOUR
        if hour != standing.hour:
            standing.hour, standing.asked = hour, 0
        standing.asked += 1
        return standing.asked <= self._spec.throttled_hourly

    def _look_at(self, act: Act, action: Action) -> None:
        """Have a person look at an account that was closed; at a banned one only if an honest owner appeals."""
        standing = self._standing[act.account.name]
        appeals = act.account.honest and self._rng.random() < self._spec.appeals
        if standing.reviewing or (action == Action.BAN and not appeals):
            return
        standing.reviewing = True
        at = act.time + int(self._spec.review_hours.draw(self._rng) * HOUR)
        heapq.heappush(self._reviews, (at, self._number, act.account))

    def _review(self, now: int) -> None:
        """What people have looked at by a time. They find abuse, or don't; a victim's intruder is locked out."""
        while self._reviews and self._reviews[0][0] <= now:
            time, _, account = heapq.heappop(self._reviews)
            standing = self._standing[account.name]
            wrong = self._rng.random() < (self._spec.review_wrongs if account.honest else self._spec.review_misses)
            standing.closed = account.honest == wrong
            standing.reviewing, standing.intruder = False, False
            standing.passed_until = time + int(self._spec.challenge_hours * HOUR)
            self._done(Reviewed(time, account, standing.closed, self._spec.review_dollars.draw(self._rng)))


def _envelope(act: Act, event: str) -> bytes:
    """The CloudEvent as the company's services send it, with what its data base has about the account."""
    account = act.account
    return msgspec.json.encode(
        {
            "specversion": "1.0",
            "id": event,
            "source": f"simulated/{act.type.partition('.')[0]}",
            "type": act.type,
            "time": stamp(act.time),
            "datacontenttype": "application/json",
            "data": {"account": account.name, "org": account.org, "tier": account.tier, **act.data}
            if account.org is not None
            else {"account": account.name, "tier": account.tier, **act.data},
        }
    )


def stamp(time: int) -> str:
    """RFC 3339 of microseconds since 1970."""
    return moment(time).isoformat(timespec="milliseconds").replace("+00:00", "Z")
