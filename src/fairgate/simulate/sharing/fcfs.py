"""First come, first served: one queue for all."""

from collections import deque

from fairgate.simulate.sharing.peer import Peer, Waiter
from fairgate.simulate.sharing.policy import Capacity


class FirstCome(Peer):
    """Whoever asks most gets most."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(capacity)
        self._line: deque[Waiter] = deque()

    def _enter(self, now: float, waiter: Waiter) -> None:  # noqa: ARG002 - the order is all that counts
        self._line.append(waiter)

    def _next(self, now: float) -> Waiter | None:  # noqa: ARG002 - as above
        while self._line:
            waiter = self._line.popleft()
            if waiter.waits:
                return waiter
        return None
