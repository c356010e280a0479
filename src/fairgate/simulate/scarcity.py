"""Compute that is scarce: who is served when, by one queue for all or by fair shares.

Shares go by what the company knows. What was decided on an account makes its trust, a reviewer's finding its ceiling,
and time or an accepted card make it established. Which accounts belong together is told by nobody yet, so it comes from
the world's truth, of which a stated part is known, and some links are wrong: nothing that decides is told of it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Final

import msgspec

from fairgate.domain.windows import DAY, SECOND
from fairgate.share import Grant, Pool, Queued, Share, Standing
from fairgate.simulate.acts import Account, Act, Life

#: How long anybody waits, in seconds; and how often it is looked whose turn it is while somebody does.
_PATIENCE: Final = 60.0
_LOOKS: Final = SECOND
#: How long what was decided on an account makes its trust, and how long a newcomer is one.
_REMEMBERS, _NEW = 7 * DAY, 7 * DAY
#: The trust in an account on which nothing was found, and the part of all capacity that a confirmed farm gets.
_TRUST, _CONFIRMED = 0.95, 0.002
_EVERYBODY: Final = "everybody"
#: Waits that are kept, for their quantiles.
_KEPT: Final = 20_000


class Scarcity(msgspec.Struct, frozen=True):
    """Compute for so many dollars an hour, at list price, and who is served first.

    `fair` divides it by shares; otherwise there is one queue. With shares, `links` is the part of an opponent's
    accounts that are known to belong together, `false_links` that of honest ones which are wrongly counted among them.
    """

    dollars_per_hour: float
    fair: bool = True
    links: float = 0.8
    false_links: float = 0.02

    @property
    def words(self) -> str:
        """Who is served first, in words."""
        return "fair shares" if self.fair else "first come, first served"


class Waits(msgspec.Struct, frozen=True):
    """What became of the requests of honest people, or of opponents: dollars, counts, and seconds waited.

    `wrongly` is that part of the honest dollars which was asked with accounts wrongly counted among a farm's.
    """

    asked: float
    served: float
    requests: int
    denied: int
    p50: float
    p95: float
    p99: float
    wrongly_asked: float
    wrongly_served: float


class Scarce(msgspec.Struct, frozen=True):
    """What scarcity did in one run."""

    scarcity: Scarcity
    honest: Waits
    opponents: Waits

    @property
    def capture(self) -> float | None:
        """The part of the compute that was served which opponents got."""
        whole = self.honest.served + self.opponents.served
        return self.opponents.served / whole if whole else None


@dataclass(slots=True)
class _Known:
    """What the company knows of an account: what it is thought to belong to, what was decided, what was found."""

    account: Account
    cluster: str | None
    doubt: float = 0.0
    doubted: int = 0
    verified: bool = False
    confirmed: bool = False
    standing: Standing | None = None


@dataclass(slots=True)
class _Sums:
    """Sums of one side."""

    asked: float = 0.0
    served: float = 0.0
    requests: int = 0
    denied: int = 0
    wrongly_asked: float = 0.0
    wrongly_served: float = 0.0
    waits: list[float] = field(default_factory=list)

    def waits_of(self) -> Waits:
        """The sums with their quantiles."""
        cuts = sorted(self.waits) or [0.0]
        p50, p95, p99 = (cuts[min(len(cuts) - 1, int(len(cuts) * part))] for part in (0.5, 0.95, 0.99))
        return Waits(
            self.asked, self.served, self.requests, self.denied, p50, p95, p99, self.wrongly_asked, self.wrongly_served
        )


class Gate:
    """Lets requests through as there is compute for them. Told of what the company finds; see `Service`.

    `opens` is given what somebody who had to wait asked for, when its turn has come or the wait was in vain; `later`
    plans a look at a time.
    """

    def __init__(
        self,
        scarcity: Scarcity,
        seed: int,
        farms: Sequence[str],
        opens: Callable[[Act, bool], None],
        later: Callable[[int, Callable[[], Life]], None],
    ) -> None:
        self.scarcity = scarcity
        self._seed = seed
        self._farms = farms
        self._opens = opens
        self._later = later
        self._now = 0
        capacity = scarcity.dollars_per_hour / 3_600
        pool = Pool("all", capacity, burst=60 * capacity)
        self._share = Share([pool], clock=lambda: self._now / SECOND, rng=Random(f"{seed} share"))
        self._known: dict[str, _Known] = {}
        self._waiting: dict[str, tuple[Act, int]] = {}
        self._version = 0
        self._looking = False
        self._members: dict[str, list[_Known]] = {}
        self._confirmed: set[str] = set()
        self._sums = {True: _Sums(), False: _Sums()}
        self._draw = Random(f"{seed} waits")

    def ask(self, act: Act) -> bool | None:
        """Whether a request is served now, True, or never, False; None where it waits."""
        self._now = max(self._now, act.time)
        self._look()
        side, wrongly = self._side(act)
        side.requests += 1
        side.asked += act.dollars
        side.wrongly_asked += act.dollars * wrongly
        account = _EVERYBODY
        if self.scarcity.fair:
            account = act.account.name
            self._place(self._of(act.account))
        answer = self._share.reserve(account, "any", act.dollars, _PATIENCE)
        if isinstance(answer, Queued):
            self._waiting[answer.id] = act, self._now
            self._plan()
            return None
        self._count(act, 0.0, served=isinstance(answer, Grant))
        if isinstance(answer, Grant):
            answer.settle_cost(act.dollars)
        return isinstance(answer, Grant)

    def decided(self, account: Account, probability: float, time: int) -> None:
        """What was decided on an account: how likely it is abuse."""
        known = self._of(account)
        if probability >= known.doubt or time - known.doubted > _REMEMBERS:
            known.doubt, known.doubted = probability, time

    def paid(self, account: Account) -> None:
        """A payment method was accepted."""
        self._of(account).verified = True

    def found(self, account: Account, *, bad: bool) -> None:
        """A person has found what an account is. Where it is bad, so is its cluster."""
        known = self._of(account)
        known.doubt, known.confirmed = 0.0, bad
        if known.cluster is not None and bad:
            self._confirmed.add(known.cluster)
            for member in self._members[known.cluster]:
                self._place(member)

    def result(self) -> Scarce:
        """What it came to."""
        return Scarce(self.scarcity, self._sums[True].waits_of(), self._sums[False].waits_of())

    def _look(self) -> None:
        """Let those through whose turn has come."""
        for each in self._share.advance():
            act, since = self._waiting.pop(each.id)
            served = isinstance(each, Grant)
            if isinstance(each, Grant):
                each.settle_cost(act.dollars)
            self._count(act, (self._now - since) / SECOND, served=served)
            act.time = max(act.time, self._now - self._now % 1_000)
            self._opens(act, served)

    def _plan(self) -> None:
        if not self._looking:
            self._looking = True
            self._later(self._now + _LOOKS, self._tick)

    def _tick(self) -> Life:
        """A look, and the next one if somebody still waits; nothing is done by it that anybody sees."""
        self._looking = False
        self._now += _LOOKS
        self._look()
        if self._waiting:
            self._plan()
        return
        yield

    def _count(self, act: Act, waited: float, *, served: bool) -> None:
        side, wrongly = self._side(act)
        if not served:
            side.denied += 1
            return
        side.served += act.dollars
        side.wrongly_served += act.dollars * wrongly
        if len(side.waits) < _KEPT:
            side.waits.append(waited)
        elif (at := self._draw.randrange(side.requests)) < _KEPT:  # a sample in which each is as likely as any other
            side.waits[at] = waited

    def _side(self, act: Act) -> tuple[_Sums, bool]:
        honest = act.actor.honest
        return self._sums[honest], honest and self._of(act.account).cluster is not None

    def _place(self, known: _Known) -> None:
        """Tell the share what is known of an account by now."""
        account = known.account
        doubt = known.doubt if self._now - known.doubted <= _REMEMBERS else 0.0
        standing = Standing(
            known.cluster,
            trust=min(_TRUST, 1.0 - doubt),
            newcomer=self._now - account.created < _NEW,
            verified=known.verified,
            ceil=_CONFIRMED if known.confirmed or known.cluster in self._confirmed else None,
        )
        if standing != known.standing:
            known.standing = standing
            self._version += 1
            self._share.set_principal(account.name, standing, self._version)

    def _of(self, account: Account) -> _Known:
        known = self._known.get(account.name)
        if known is None:
            cluster = self._cluster(account)
            known = self._known[account.name] = _Known(account, cluster)
            if cluster is not None:
                self._members.setdefault(cluster, []).append(known)
        return known

    def _cluster(self, account: Account) -> str | None:
        """The cluster that an account is thought to be of: the truth, as far as it is known, and some that isn't."""
        rng = Random(f"{self._seed} link {account.name}")
        if not account.honest:
            return account.owner.name if rng.random() < self.scarcity.links else None
        return rng.choice(self._farms) if self._farms and rng.random() < self.scarcity.false_links else None
