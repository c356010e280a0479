"""The company that sells the compute: its data base, and what it does about each decision.

What a decision does lasts: a throttled account stays slow for hours, a suspended one is closed until a person has
looked at it. What those people find is sent as labels, what banks take back as disputes, what a classifier of content
finds as flags. All of them make mistakes, and so do the decisions; those are the company's costs, and are counted by
whoever is told of everything that was done.
"""

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Final, TypeAlias

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.windows import DAY, HOUR, SECOND
from fairgate.simulate.acts import Account, Act, Actor, Seen, Value, stamp
from fairgate.simulate.scarcity import Gate
from fairgate.simulate.world_file import World


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """What was decided on an event, which rules and lists had a part in it, and how likely it is abuse."""

    action: Action
    rules: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    probability: float = 0.0


#: Decides on the CloudEvent of these bytes at a time.
Decide: TypeAlias = Callable[[bytes, int], Verdict]
ALLOWED: Final = Verdict(Action.ALLOW)
#: Who sends what the company finds out by itself.
COMPANY: Final = Actor("company", "company", honest=True, hands="person")
#: Events that a label may speak of.
_LABELLED: Final = frozenset({"account.signup", "account.login", "key.created", "api.request"})
#: What an owner does that locks intruders out.
_LOCKS_OUT: Final = frozenset({"key.revoked", "password.reset"})


_ENCODER: Final = msgspec.json.Encoder()


class _CloudEvent(msgspec.Struct, gc=False, frozen=True):
    """An event as the company's services send it."""

    id: str
    source: str
    type: str
    time: str
    data: dict[str, Value]
    specversion: str = "1.0"
    datacontenttype: str = "application/json"


class Done(msgspec.Struct, frozen=True, gc=False):
    """An act with what came of it.

    `event` is the id of what was sent and `raw` what that was, both empty where the account was closed and nothing was.
    `wait` is how long a challenge took, in microseconds, and `cost` what it cost whoever solved it, in dollars.
    """

    act: Act
    seen: Seen
    event: str = ""
    raw: bytes = b""
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
    """What an account may do, and what the company's data base has of it. Times are microseconds, or 0.

    Of intruders, those named in `inside` can get in and those in `out` can't any more, nor anybody with the keys in
    `dead`. `asked` are its requests in the hour that began at `hour`, which count while it is slow. `last` is the id of
    the latest event that a label may speak of.
    """

    closed: bool = False
    slow_until: int = 0
    passed_until: int = 0
    inside: frozenset[str] = frozenset()
    out: frozenset[str] = frozenset()
    reviewing: bool = False
    hour: int = 0
    asked: int = 0
    last: str = ""
    email: Value = None
    device: Value = None
    dead: frozenset[Value] = frozenset()

    def keeps_out(self, act: Act) -> bool:
        """Whether an intruder can't do this any more; whoever only guesses at a password is no intruder yet."""
        name = act.actor.name
        if name in self.out or act.data.get("key") in self.dead:
            return True
        if name not in self.inside and act.data.get("success") is not False:
            self.inside |= {name}
        return False

    def owner_acts(self, act: Act) -> None:
        """What an owner does about intruders: a key is dead, or a new password is set."""
        if act.type == "key.revoked":
            self.dead |= {act.data.get("key")}
        elif act.data.get("step") == "done":
            self.lock_out()

    def lock_out(self) -> None:
        """Whoever is inside and doesn't belong there stays out from now on."""
        self.out |= self.inside
        self.inside = frozenset()


class Service:
    """Takes acts in order of time. `done` is told of each, of what the company sends by itself, and of each review."""

    def __init__(self, world: World, rng: Random, decide: Decide, done: Callable[[Done | Reviewed], None]) -> None:
        self._gate: Gate | None = None
        self._world = world
        self._spec = world.service
        self._rng = rng
        self._decide = decide
        self._done = done
        self._standing: dict[str, Standing] = {}
        self._later: list[tuple[int, int, Callable[[int], None]]] = []
        self._number = 0

    def put_behind(self, gate: Gate) -> None:
        """Let compute be scarce: who asks for it is let through by a gate, or has to wait there."""
        self._gate = gate

    def do(self, act: Act) -> Seen | None:
        """Let somebody do something, or not; None where they have to wait, until `turn` says what came of it."""
        later = self._later
        while later and later[0][0] <= act.time:
            time, _, what = heapq.heappop(later)
            what(time)
        name = act.account.name
        standing = self._standing.get(name)
        if standing is None:
            standing = self._standing[name] = Standing()
        if standing.closed or (act.intrusion and standing.keeps_out(act)):
            return self._over(Done(act, Seen.CLOSED))
        if act.dollars and standing.slow_until > act.time and not self._has_turn(standing, act.time):
            return self._over(Done(act, Seen.SLOWED))
        if act.dollars and self._gate is not None:
            passes = self._gate.ask(act)
            if not passes:
                return None if passes is None else self._over(Done(act, Seen.SLOWED))
        return self._serve(act, standing)

    def turn(self, act: Act, *, served: bool) -> Seen:
        """What is seen by somebody who has waited, now that their turn has come, or that it was in vain."""
        standing = self._standing[act.account.name]
        if standing.closed:
            return self._over(Done(act, Seen.CLOSED))
        return self._serve(act, standing) if served else self._over(Done(act, Seen.SLOWED))

    def _serve(self, act: Act, standing: Standing) -> Seen:
        seen = self._send(act, standing)
        if act.dollars and seen.served:
            self._classify(act, standing)
        return seen

    def _send(self, act: Act, standing: Standing) -> Seen:
        """Send an act's event, and do what is decided on it."""
        self._number += 1
        event = f"{self._number:x}"
        raw = _envelope(act, event)
        self._remember(act, event, standing)
        verdict = self._decide(raw, act.time)
        done = self._acted(act, event, raw, verdict, standing)
        if self._gate is not None:
            if verdict.probability:
                self._gate.decided(act.account, verdict.probability, act.time)
            if act.type == "payment.charged" and done.seen.served and act.data.get("outcome") == "accepted":
                self._gate.paid(act.account)
        return self._over(done)

    def _over(self, done: Done) -> Seen:
        self._done(done)
        return done.seen

    def _remember(self, act: Act, event: str, standing: Standing) -> None:
        kind = act.type
        if kind in _LABELLED:
            standing.last = event
        if kind == "account.signup":
            standing.email = act.data.get("email")
        elif kind in _LOCKS_OUT and not act.abuse:
            standing.owner_acts(act)
        device = act.data.get("device")
        if device is not None and not act.intrusion:
            standing.device = device
        if act.disputed:
            at = act.time + int(self._spec.dispute_days.draw(self._rng) * DAY)
            self._plan(at, lambda time: self._dispute(act, event, time))

    def _acted(self, act: Act, event: str, raw: bytes, verdict: Verdict, standing: Standing) -> Done:
        """What a decision does to an act, and to what may be done after it."""
        match verdict.action:
            case Action.ALLOW | Action.WATCH:
                return Done(act, Seen.SERVED, event, raw, verdict)
            case Action.THROTTLE:
                standing.slow_until = act.time + int(self._spec.throttled_hours * HOUR)
                return Done(act, Seen.SERVED, event, raw, verdict)
            case Action.CHALLENGE:
                return self._challenged(act, event, raw, verdict, standing)
            case action:
                standing.closed = True
                self._look_at(act, action)
                return Done(act, Seen.HELD if action == Action.HOLD else Seen.CLOSED, event, raw, verdict)

    def _challenged(self, act: Act, event: str, raw: bytes, verdict: Verdict, standing: Standing) -> Done:
        """Who has passed one is not asked again for a while, unless it is an intruder who would have to."""
        if standing.passed_until > act.time and not act.intrusion:
            return Done(act, Seen.SERVED, event, raw, verdict)
        passing = self._world.challenge["intruder" if act.intrusion else act.account.owner.hands]
        wait, cost = int(passing.seconds.draw(self._rng) * SECOND), passing.dollars.draw(self._rng)
        if self._rng.random() >= passing.passes:
            return Done(act, Seen.REFUSED, event, raw, verdict, wait, cost)
        if not act.intrusion:
            standing.passed_until = act.time + int(self._spec.challenge_hours * HOUR)
        return Done(act, Seen.CHALLENGED, event, raw, verdict, wait, cost)

    def _has_turn(self, standing: Standing, now: int) -> bool:
        """Whether a slow account may ask once more in this hour."""
        hour = now // HOUR
        if hour != standing.hour:
            standing.hour, standing.asked = hour, 0
        standing.asked += 1
        return standing.asked <= self._spec.throttled_hourly

    def _classify(self, act: Act, standing: Standing) -> None:
        """Have the classifier of content look at a request: it misses some, and now and then flags what is harmless."""
        finds = self._spec.classifier_finds if act.forbidden else self._spec.classifier_wrongs
        if self._rng.random() >= finds:
            return
        severity = round(act.forbidden or self._rng.uniform(0.3, 0.8), 3)
        data: dict[str, Value] = {"category": "misuse", "severity": severity, "request": standing.last}
        data |= {name: act.data[name] for name in ("key", "prompt_template") if name in act.data}
        self._send(Act(act.time, "policy.flagged", act.account, act.actor, data), standing)

    def _dispute(self, charge: Act, event: str, time: int) -> None:
        """The card's holder takes a charge back."""
        sent = ("account", "card", "device", "amount")
        data = {name: charge.data[name] for name in sent if name in charge.data}
        data |= {"of": event, "bad": True, "dispute_reason": charge.disputed}
        self._tell(Act(time, "payment.disputed", charge.account, COMPANY, data))

    def _look_at(self, act: Act, action: Action) -> None:
        """Have a person look at an account that was closed; at a banned one only if an honest owner appeals."""
        account, standing = act.account, self._standing[act.account.name]
        if action == Action.BAN:
            self._label(account, act.time, bad=True, said_by="enforcement")
        appeals = account.honest and self._rng.random() < self._spec.appeals
        if standing.reviewing or (action == Action.BAN and not appeals):
            return
        standing.reviewing = True
        at = act.time + int(self._spec.review_hours.draw(self._rng) * HOUR)
        said_by = "appeal" if action == Action.BAN else "reviewer"
        self._plan(at, lambda time: self._review(account, time, said_by))

    def _review(self, account: Account, time: int, said_by: str) -> None:
        """A person finds abuse, or doesn't; a victim's intruder is locked out."""
        standing = self._standing[account.name]
        wrong = self._rng.random() < (self._spec.review_wrongs if account.honest else self._spec.review_misses)
        standing.closed = account.honest == wrong
        standing.reviewing = False
        standing.lock_out()
        standing.passed_until = time + int(self._spec.challenge_hours * HOUR)
        self._done(Reviewed(time, account, standing.closed, self._spec.review_dollars.draw(self._rng)))
        if self._gate is not None:
            self._gate.found(account, bad=standing.closed)
        self._label(account, time, bad=standing.closed, said_by=said_by)

    def _label(self, account: Account, time: int, *, bad: bool, said_by: str) -> None:
        """Say what an account turned out to be, with what is known of it."""
        standing = self._standing[account.name]
        if standing.last:
            data: dict[str, Value] = {"of": standing.last, "bad": bad, "said_by": said_by}
            data |= {} if standing.email is None else {"email": standing.email}
            data |= {} if standing.device is None else {"device": standing.device}
            self._tell(Act(time, "account.label", account, COMPANY, data))

    def _tell(self, act: Act) -> None:
        """Send what the company knows; nothing is done about it."""
        self._number += 1
        event = f"{self._number:x}"
        raw = _envelope(act, event)
        self._done(Done(act, Seen.SERVED, event, raw, self._decide(raw, act.time)))

    def _plan(self, time: int, what: Callable[[int], None]) -> None:
        self._number += 1
        heapq.heappush(self._later, (time, self._number, what))


def _envelope(act: Act, event: str) -> bytes:
    """The CloudEvent as the company's services send it, with what its data base has about the account."""
    account = act.account
    if act.actor is COMPANY:
        data = {"account": account.name, **act.data}
    elif account.org is None:
        data = {"account": account.name, "tier": account.tier, **act.data}
    else:
        data = {"account": account.name, "org": account.org, "tier": account.tier, **act.data}
    source = f"simulated/{act.type.partition('.')[0]}"
    return _ENCODER.encode(_CloudEvent(event, source, act.type, stamp(act.time), data))
