"""The desk: owns the counters, and grants leases to gateways on behalf of accounts."""

import math
import random
import time
from collections.abc import Callable

from fairgate.share.answers import Answer, Denied, Grant, Queued, Reason
from fairgate.share.lease import Denial, Lease, Return, Sent, Terms, Told, Want
from fairgate.share.lease_books import Gateway, Leased, Slot, Wanted
from fairgate.share.share import Share


class LeaseDesk:
    """Grants leases out of a share.

    A gateway's leases never cost more than the quantum together; a want that doesn't fit waits at the desk. A lease
    that is not returned in time is spent in full; so is all that a gateway had before it began a new life. Others use
    the share beside it by way of `acquire`, `advance`, `next_at` and `open` here. `clock` must be the share's.
    """

    def __init__(
        self,
        share: Share,
        terms: Terms,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
    ) -> None:
        self.share = share
        self.terms = terms
        self._quanta = {name: terms.quantum(stock.pool) for name, stock in share.stocks.items()}
        self._clock = clock
        self._life = f"{(rng or random.Random()).getrandbits(48):012x}"
        self.gateways: dict[str, Gateway] = {}
        #: Leases in the order in which they end, and wants in the share's queue; by the share's ids.
        self.leases: dict[str, Leased] = {}
        self._queued: dict[str, Wanted] = {}
        self._others: list[Grant | Denied] = []
        self._serial = 0

    def exchange(self, sent: Sent) -> Told:
        """Take what a gateway says, and tell it what came of its wants. Raises `BadAmount` for what can't be."""
        self._move()
        gateway = self._gateway(sent)
        if gateway is None:
            wait = self.terms.lifetime
            denials = [Denial(want.id, Reason.BUSY, wait) for want in sent.wants]
            return Told(desk=self._life, number=sent.number, denials=denials)
        if (sent.process, sent.life) != (gateway.process, gateway.life) or sent.number < gateway.number:
            return Told(desk=self._life, number=sent.number, stale=gateway.life)
        gateway.number = sent.number
        if sent.desk == self._life:
            gateway.heard(sent.heard)
        for key in sent.cancels:
            self._cancel(gateway, key)
        late = [each.lease for each in sent.returns if not self._returned(gateway, each)]
        for want in sent.wants:
            self._want(gateway, want)
        self._move()
        return self._tell(gateway, late)

    def acquire(self, account: str, model: str, input_tokens: int, max_output: int, deadline: float) -> Answer:
        """See `Share.acquire`."""
        return self.share.acquire(account, model, input_tokens, max_output, deadline)

    def open(self, key: str) -> Grant | Queued | None:
        """See `Share.open`."""
        return self.share.open(key)

    def advance(self) -> list[Grant | Denied]:
        """End leases whose time is up, grant what waits, and give what came of the requests of others."""
        self._move()
        others, self._others = self._others, []
        return others

    def next_at(self) -> float | None:
        """When `advance` may have something to do, if nothing else happens before; None for never."""
        if self._others:
            return self._clock()
        first = next(iter(self.leases.values()), None)
        due = [at for at in (self.share.next_at(), first.ends if first else None) if at is not None]
        return min(due, default=None)

    def _gateway(self, sent: Sent) -> Gateway | None:
        """The gateway that says something; None where there are as many as there may be."""
        gateway = self.gateways.get(sent.gateway)
        now = self._clock()
        if gateway is None:
            if len(self.gateways) >= self.terms.gateways and not self._forget(now):
                return None
            slots = {name: Slot(quantum) for name, quantum in self._quanta.items()}
            gateway = self.gateways[sent.gateway] = Gateway(sent, slots)
        elif sent.life > gateway.life:
            self._void(gateway)
            gateway.process, gateway.life, gateway.number = sent.process, sent.life, 0
        gateway.seen = now
        return gateway

    def _forget(self, now: float) -> bool:
        """Make room for a gateway: forget one that has been silent for the life of a lease, if there is such a one."""
        for name, gateway in self.gateways.items():
            if not gateway.leases and gateway.seen + self.terms.lifetime <= now:
                self._void(gateway)
                del self.gateways[name]
                return True
        return False

    def _void(self, gateway: Gateway) -> None:
        """The gateway's life is over: what it had is spent, for it may be; what it wanted it wants no more."""
        for key in list(gateway.wants):
            self._cancel(gateway, key)
        for leased in list(gateway.leases.values()):
            self._end(leased, leased.grant.estimate)
        gateway.untold.clear()
        gateway.told.clear()

    def _cancel(self, gateway: Gateway, key: str) -> None:
        """A want that has not been granted is wanted no more; a lease is told all the same, and comes back."""
        wanted = gateway.wants.pop(key, None)
        if wanted is not None:
            wanted.gone = True
            if wanted.queued is not None:
                wanted.queued.abort()
                self._queued.pop(wanted.queued.id, None)

    def _returned(self, gateway: Gateway, each: Return) -> bool:
        leased = gateway.leases.get(each.lease)
        if leased is None:
            return False
        self._end(leased, each.spent)
        return True

    def _end(self, leased: Leased, spent: float) -> None:
        wanted = leased.wanted
        leased.grant.settle_cost(spent)
        del self.leases[leased.grant.id]
        del wanted.gateway.leases[leased.grant.id]
        wanted.slot.open = wanted.slot.open - leased.grant.estimate if wanted.gateway.leases else 0.0
        if wanted.gateway.untold.get(wanted.want.id) is leased:  # nobody ever heard of it
            wanted.gateway.untold[wanted.want.id] = Denial(wanted.want.id, Reason.LATE, None)
        self._fill(wanted.slot)

    def _want(self, gateway: Gateway, want: Want) -> None:
        """Take a want; one that is known is the same one, said again."""
        if want.id in gateway.wants or want.id in gateway.untold:
            return
        pool = next((name for name, stock in self.share.stocks.items() if stock.pool.has(want.model)), None)
        if pool is None or want.cost > gateway.slots[pool].quantum:
            reason = Reason.NO_SUCH_MODEL if pool is None else Reason.TOO_LARGE
            gateway.untold[want.id] = Denial(want.id, reason, None)
            return
        slot = gateway.slots[pool]
        wanted = gateway.wants[want.id] = Wanted(want, gateway, slot, self._clock() + want.deadline)
        slot.aside.append(wanted)
        self._fill(slot)

    def _fill(self, slot: Slot) -> None:
        """Reserve for those aside that there is room for, the first one first: else a large one would never fit."""
        now = self._clock()
        while slot.aside and (slot.aside[0].over(now) or slot.fits(slot.aside[0].want.cost)):
            wanted = slot.aside.popleft()
            want = wanted.want
            if wanted.gone:
                continue
            if wanted.over(now):
                self._came(wanted, Denied(want.id, Reason.LATE, math.inf))
                continue
            answer = self.share.reserve(want.account, want.model, want.cost, wanted.until - now)
            if isinstance(answer, Queued):
                wanted.queued = answer
                self._queued[answer.id] = wanted
            else:
                self._came(wanted, answer)

    def _came(self, wanted: Wanted, answer: Grant | Denied) -> None:
        """Something has come of a reservation."""
        key, gateway = wanted.want.id, wanted.gateway
        wanted.queued = None
        if isinstance(answer, Denied):
            del gateway.wants[key]
            after = answer.retry_after if math.isfinite(answer.retry_after) else None
            gateway.untold[key] = Denial(key, answer.reason, after)
        elif not wanted.slot.fits(wanted.want.cost):  # others came first: it is its turn when they are done
            answer.settle_cost(0.0)
            wanted.slot.aside.append(wanted)
        else:
            del gateway.wants[key]
            leased = Leased(wanted, answer, self._clock() + self.terms.lifetime)
            self.leases[answer.id] = gateway.leases[answer.id] = leased
            gateway.untold[key] = leased
            wanted.slot.open += answer.estimate

    def _move(self) -> None:
        """End what must end, and hear what came of reservations, until nothing does."""
        now = self._clock()
        while self.leases and (leased := next(iter(self.leases.values()))).ends <= now:
            self._end(leased, leased.grant.estimate)
        for gateway in self.gateways.values():
            for slot in gateway.slots.values():
                self._fill(slot)
        while outcomes := self.share.advance():
            for each in outcomes:
                waited = self._queued.pop(each.id, None)
                if waited is not None:
                    self._came(waited, each)
                else:
                    self._others.append(each)

    def _tell(self, gateway: Gateway, late: list[str]) -> Told:
        now, leases, denials = self._clock(), list[Lease](), list[Denial]()
        self._serial += 1
        for key, each in gateway.untold.items():
            gateway.told.setdefault(key, self._serial)
            if isinstance(each, Denial):
                denials.append(each)
            else:
                want = each.wanted.want
                left = each.ends - now
                leases.append(Lease(key, each.grant.id, want.account, want.model, each.grant.estimate, left))
        scarce = [name for name, stock in self.share.stocks.items() if stock.queued]
        return Told(
            desk=self._life,
            number=gateway.number,
            serial=self._serial,
            leases=leases,
            denials=denials,
            late=late,
            scarce=scarce,
        )
