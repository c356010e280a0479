"""The holder: a gateway's side of leases. It answers as a share does, from memory."""

import math
import random
import time
from collections.abc import Callable, Sequence

from fairgate.share.answers import Answer, Denied, Grant, Queued, Reason
from fairgate.share.lease import LONGEST, Sent, Terms, Told
from fairgate.share.lease_talk import Talk
from fairgate.share.lease_till import Till
from fairgate.share.pool import Pool
from fairgate.share.usage import Usage, amount, tokens

#: Seconds between messages while somebody waits, and while nobody answers.
_POLL, _RETRY = 0.02, 0.25
#: Names of models that are remembered, and how long one may be.
_MODELS, _LONGEST_NAME = 256, 256
#: Seconds after which it is worth asking again at the least, and how far the answer is off either way.
_SOONEST, _JITTER = 0.5, 0.25


class LeaseHolder:
    """Asks for leases, and admits requests from them; asked like a `Share`, by one thread.

    `send` gives what is to be sent to the desk, if anything is; then either `hear` is called with the answer or `lost`
    without one. Cut off, it uses what is left of its leases, then the safe rate. It begins cut off. The first request
    that it grants by itself begins a new life: the desk counts as spent whatever it may have granted by then. `born`
    is best a larger number at each start, such as the time: messages of an earlier process are told by it.
    """

    def __init__(  # noqa: PLR0913 - a share's, and who it is
        self,
        gateway: str,
        pools: Sequence[Pool],
        terms: Terms,
        clock: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        *,
        poll: float = _POLL,
        retry: float = _RETRY,
        born: int = 0,
    ) -> None:
        self._clock = clock
        self._rng = rng or random.SystemRandom()
        self.tills = {pool.name: Till(pool, self, terms, clock()) for pool in pools}
        self._till_of: dict[str, Till] = {}
        self._by_id: dict[str, Till] = {}
        self._outcomes: list[Grant | Denied] = []
        self._prefix, self._count = f"{self._rng.getrandbits(48):012x}", 0
        came = self._outcomes.append
        self.talk = Talk(
            gateway=gateway,
            process=self._prefix,
            born=born,
            tills=self.tills,
            terms=terms,
            clock=clock,
            came=came,
            pace=(poll, retry),
        )
        #: Called when a request has made something to be sent.
        self.wake: Callable[[], None] = _nothing

    # ------------------------------------------------------------------------------------------- as a share is asked

    def acquire(self, account: str, model: str, input_tokens: int, max_output: int, deadline: float) -> Answer:
        """See `Share.acquire`."""
        read, most = tokens("input_tokens", input_tokens), tokens("max_output", max_output)
        patience = min(amount("deadline", deadline), LONGEST)
        self._count += 1
        key = f"{self._prefix}{self._count:x}"
        till = self._till(model)
        if till is None:
            return Denied(key, Reason.NO_SUCH_MODEL, math.inf)
        now = self._clock()
        purse = till.purse(account, model, now)
        asked = purse.needs(till.pool, read, most)
        if asked[2] > till.largest:
            return Denied(key, Reason.TOO_LARGE, math.inf)
        admitted = not purse.waiting and till.admit(purse, asked[2], now)
        if not admitted and till.admit_unleased(asked[2], now):
            admitted = True
            self.talk.begin_anew()
        answer: Answer
        if admitted:
            self._by_id[key] = till
            answer = till.grant(key, purse, asked, now)
        elif patience and till.may_wait(purse):
            self._by_id[key] = till
            answer = Queued(self, key, purse, asked, (now, now + patience))
            till.enqueue(answer, purse)
        else:
            if purse.want is None:
                till.needy[purse] = None
            answer = Denied(key, Reason.BUSY if patience else Reason.LATE, self._retry_after(_SOONEST))
        if till.needy:
            self.wake()
        return answer

    def advance(self) -> list[Grant | Denied]:
        """See `Share.advance`."""
        now = self._clock()
        for till in self.tills.values():
            self._expire(till, now)
            for grant in till.serve_unleased(now):
                self.talk.begin_anew()
                self._outcomes.append(grant)
        outcomes = self._outcomes.copy()
        self._outcomes.clear()
        return outcomes

    def next_at(self) -> float | None:
        """See `Share.next_at`."""
        if self._outcomes:
            return self._clock()
        return min((at for till in self.tills.values() if (at := till.next_at()) is not None), default=None)

    def open(self, key: str) -> Grant | Queued | None:
        """See `Share.open`."""
        till = self._by_id.get(key)
        return None if till is None else till.grants.get(key) or till.queued.get(key)

    def charge_of(self, grant: Grant, output: int) -> bool:
        """See `Grant.charge`."""
        till = self._by_id.get(grant.id)
        return till is not None and till.charge(grant, output, self._clock())

    def settle_of(self, grant: Grant, usage: Usage | float) -> bool:
        """See `Grant.settle` and `Grant.settle_cost`."""
        till = self._by_id.pop(grant.id, None)
        return till is not None and till.settle(grant, usage)

    def stopped(self, grant: Grant) -> bool:  # noqa: ARG002 - as its protocol has it
        """See `Grant.stopped`: a desk gives such an account no more leases, and tells of none that is to be cut off."""
        return False

    def leave(self, queued: Queued) -> bool:
        """See `Queued.abort`."""
        till = self._by_id.get(queued.id)
        if till is None or not till.leave(queued):
            return False
        del self._by_id[queued.id]
        return True

    def retire(self) -> None:
        """Be about to stop: want nothing any more, and give back what is left of leases with the next message."""
        self.talk.retire()

    @property
    def cut_off(self) -> bool:
        """Whether the desk can't be reached, as far as is known."""
        return self.talk.cut_off

    def send_at(self) -> float | None:
        """When there is something to send, if nothing happens before; None where there is nothing."""
        return self.talk.send_at()

    def send(self) -> Sent | None:
        """What is to be sent now, None for nothing. `hear` or `lost` must be called before there is more."""
        now = self._clock()
        for till in self.tills.values():
            self._expire(till, now)
        return self.talk.send()

    def hear(self, told: Told) -> None:
        """Take the desk's answer; one to a message that was given up is no answer."""
        self.talk.hear(told)

    def lost(self) -> None:
        """No answer came to what was sent: the gateway is cut off until one does."""
        self.talk.lost()

    def _expire(self, till: Till, now: float) -> None:
        for key in till.expire(now):
            del self._by_id[key]
        for queued in till.late(now):
            del self._by_id[queued.id]
            self._outcomes.append(Denied(queued.id, Reason.LATE, self._retry_after(_SOONEST)))

    def _till(self, model: str) -> Till | None:
        till = self._till_of.get(model)
        if till is None and len(model) <= _LONGEST_NAME:
            till = next((each for each in self.tills.values() if each.pool.has(model)), None)
            if till is not None and len(self._till_of) < _MODELS:  # a model's name is the caller's
                self._till_of[model] = till
        return till

    def _retry_after(self, seconds: float) -> float:
        return seconds * self._rng.uniform(1 - _JITTER, 1 + _JITTER)


def _nothing() -> None:
    pass
