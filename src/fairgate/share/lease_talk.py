"""The talk of a gateway with the desk: what is wanted, what is given back, what arrived, and what did not."""

import math
from collections.abc import Callable, Mapping
from itertools import chain, islice
from typing import Final

from fairgate.share.answers import Denied, Grant, Reason
from fairgate.share.lease import MOST_SAID, Denial, Lease, Return, Sent, Terms, Told, Want
from fairgate.share.lease_purse import Held, Purse
from fairgate.share.lease_till import Till

#: A lease is given back after its account was quiet for this part of a lease's life.
_QUIET: Final = 0.25
#: How often it is looked whether leases are done with, in parts of a lease's life.
_LOOK: Final = 0.1


class _Wanted:
    """A want that is not answered; `sent` in the message of a number, or not yet."""

    __slots__ = ("arrived", "purse", "till", "want")

    def __init__(self, till: Till, purse: Purse, want: Want) -> None:
        self.till = till
        self.purse = purse
        self.want = want
        #: Whether the desk is known to have it.
        self.arrived = False


class Talk:
    """One message at a time, each answered or lost. `came` is told what comes of those who wait.

    Before something is granted without a lease `begin_anew` must be called: the gateway's life ends, the desk counts as
    spent whatever it may have granted in it, and nothing is wanted before the desk has answered to the next one.
    """

    def __init__(  # noqa: PLR0913 - who a gateway is, and all that it works with
        self,
        *,
        gateway: str,
        process: str,
        born: int,
        tills: Mapping[str, Till],
        terms: Terms,
        clock: Callable[[], float],
        came: Callable[[Grant | Denied], None],
        pace: tuple[float, float],
    ) -> None:
        self._gateway, self._process, self._life = gateway, process, born
        self._tills = tills
        self._terms = terms
        self._clock = clock
        self._came = came
        self._poll, self._retry = pace
        #: Seconds after which a lease is given back whose account asks for nothing.
        self.quiet = _QUIET * terms.lifetime
        self._wants: dict[str, _Wanted] = {}
        self._cancels: dict[str, None] = {}
        self._desk = ""
        self._number = self._heard = self._count = 0
        self._awaited: Sent | None = None
        self._sent_at = self._looked_at = -math.inf
        #: Whether this life has said nothing yet that the desk could grant anything for.
        self._silent = False
        self._retired = False
        self.cut_off = False
        self._cut()

    def send_at(self) -> float | None:
        """When there is something to send, if nothing happens before; None where there is nothing."""
        if self._awaited is not None:
            return None
        if self.cut_off:
            return self._sent_at + self._retry
        tills = self._tills.values()
        news = self._cancels or any(till.needy or till.needless for till in tills)
        if news or any(not each.arrived for each in self._wants.values()):
            return self._sent_at + self._poll / 4
        if self._wants or any(till.back for till in tills):
            return self._sent_at + self._poll
        if any(till.rich for till in tills):
            return self._looked_at + _LOOK * self._terms.lifetime
        return None

    def send(self) -> Sent | None:
        """What is to be sent now, None for nothing. `hear` or `lost` must be called before there is more."""
        at, now = self.send_at(), self._clock()
        if at is None or at > now:
            return None
        self._looked_at = now
        wants, returns, cancels = list[Want](), list[Return](), list[str]()
        if not self._silent:
            self._look(now)
            wants = [each.want for each in self._wants.values() if not each.arrived][:MOST_SAID]
            back = chain.from_iterable(till.back.items() for till in self._tills.values())
            returns = [Return(lease, spent) for lease, spent in islice(back, MOST_SAID)]
            cancels = list(islice(self._cancels, MOST_SAID))
        if not (self.cut_off or self._wants or returns or cancels):
            return None
        self._number += 1
        self._sent_at = now
        self._awaited = Sent(
            gateway=self._gateway,
            process=self._process,
            life=self._life,
            number=self._number,
            desk=self._desk,
            heard=self._heard,
            wants=wants,
            returns=returns,
            cancels=cancels,
        )
        return self._awaited

    def hear(self, told: Told) -> None:
        """Take the desk's answer; one to a message that was given up is no answer."""
        sent = self._awaited
        if sent is None or told.number != sent.number:
            return
        self._awaited = None
        if told.stale is not None:
            self._life, self._silent = max(self._life, told.stale), False
            self.begin_anew()
            return
        self._arrived(sent, told)
        self.cut_off = self._silent = False
        for name, till in self._tills.items():
            till.well()
            till.scarce = name in told.scarce
        for lease in told.leases:
            self._leased(lease)
        for denial in told.denials:
            self._denied(denial)

    def _arrived(self, sent: Sent, told: Told) -> None:
        """What was sent need not be said again, unless the desk has forgotten all."""
        self._heard = told.serial
        if told.desk != self._desk:
            self._desk = told.desk
            self._ask_again()
        for want in sent.wants:
            if want.id in self._wants:
                self._wants[want.id].arrived = True
        for each in sent.returns:
            for till in self._tills.values():
                till.back.pop(each.lease, None)
        for key in sent.cancels:
            self._cancels.pop(key, None)

    def lost(self) -> None:
        """No answer came to what was sent: the gateway is cut off until one does."""
        self._awaited = None
        self._ask_again()
        if not self.cut_off:
            self._cut()

    def retire(self) -> None:
        """Want nothing any more, and give everything back with the next message, which may be sent at once."""
        self._retired = True
        for till in self._tills.values():
            for queued in list(till.queued.values()):
                queued.abort()
            till.needy.clear()
            till.needless.update(dict.fromkeys(each.purse for each in self._wants.values() if each.till is till))
        self._sent_at = self._looked_at = -math.inf

    def _cut(self) -> None:
        self.cut_off = True
        for till in self._tills.values():
            till.cut_off(self._clock())

    def begin_anew(self) -> None:
        """Something was granted without a lease: what the desk may have granted must not be used as well."""
        if self._silent:
            return
        self._life += 1
        self._silent = True
        self._awaited = None
        for each in self._wants.values():
            self._unwant(each)
        self._wants.clear()
        self._cancels.clear()
        for till in self._tills.values():
            till.begin_anew()

    def _ask_again(self) -> None:
        for each in self._wants.values():
            each.arrived = False

    def _look(self, now: float) -> None:
        """See which leases are done with, and which are needed."""
        for till in self._tills.values():
            till.end_leases(now)
            before = now if till.scarce or self._retired else now - self.quiet
            till.give_back_idle(before, retired=self._retired)
            needless, till.needless = till.needless, {}
            for purse in needless:
                if purse.want is not None:
                    self._cancels[purse.want] = None
                    self._unwant(self._wants.pop(purse.want))
            needy, till.needy = [each for each in till.needy if each.waiting or each.last > before], {}
            many, idle = len(till.rich.keys() | {*needy}) + len(self._wants), till.idle()
            for purse in needy:
                cost = till.wants(purse, many, idle) if purse.want is None else None
                if cost is not None:
                    self._want(till, purse, cost, now)

    def _want(self, till: Till, purse: Purse, cost: float, now: float) -> None:
        latest = max((each.deadline for each in purse.queue if not each.gone), default=now + self._terms.lifetime)
        self._count += 1
        want = Want(f"{self._process}w{self._count:x}", purse.name, purse.model, cost, max(0.0, latest - now))
        purse.want = want.id
        till.wanted += cost
        self._wants[want.id] = _Wanted(till, purse, want)

    def _unwant(self, wanted: _Wanted) -> None:
        """A want is one no more."""
        wanted.purse.want = None
        wanted.till.wanted = max(0.0, wanted.till.wanted - wanted.want.cost)
        if wanted.purse.waiting:
            wanted.till.needy[wanted.purse] = None

    def _leased(self, lease: Lease) -> None:
        """A lease has come: its life is counted from when it was asked for, by the fastest of desks' clocks."""
        ends = self._sent_at + lease.lifetime * (1 - 2 * self._terms.delta)
        wanted, now = self._wants.pop(lease.id, None), self._clock()
        if wanted is None:  # nobody waits for it any more
            for till in self._tills.values():
                if till.pool.has(lease.model):
                    till.back[lease.lease] = 0.0
                    return
            return
        self._unwant(wanted)
        till, purse = wanted.till, wanted.purse
        till.take(purse, Held(lease.lease, lease.cost, ends))
        till.needy.pop(purse, None)
        for grant in till.serve(purse, now):
            self._came(grant)

    def _denied(self, denial: Denial) -> None:
        wanted = self._wants.pop(denial.id, None)
        if wanted is None:
            return
        self._unwant(wanted)
        if denial.reason == Reason.LATE:  # whoever still has time is asked for again
            return
        after = math.inf if denial.retry_after is None else denial.retry_after
        for queued in [each for each in wanted.purse.queue if not each.gone]:
            queued.abort()
            self._came(Denied(queued.id, denial.reason, after))
