"""The Virtual Token Counter, made from the paper: Sheng et al., "Fairness in Serving Large Language Models", OSDI 2024.

Algorithm 2 of it: a counter for each client. Of the clients with requests in the queue the one with the smallest
counter goes next. It is charged its prompt when it goes, and each token of the answer as it is written, which weighs
twice as much. A client that comes back to the queue is lifted to the smallest counter in the queue, or, where the queue
is empty, to the counter of the client that left it last: nobody saves up by staying away.
"""

import heapq
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from fairgate.simulate.sharing.peer import Peer, Waiter
from fairgate.simulate.sharing.policy import Ask, Capacity

_INPUT_WEIGHT: Final = 1.0
_OUTPUT_WEIGHT: Final = 2.0


@dataclass(slots=True)
class _Client:
    """`queued` are its requests that wait; `turn` is its place in the heap, or 0."""

    counter: float = 0.0
    queued: int = 0
    turn: int = 0
    line: deque[Waiter] = field(default_factory=deque)


class VirtualTokenCounter(Peer):
    """Fair between clients, whoever they are: a thousand accounts of one person are a thousand clients."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(capacity)
        self._clients: dict[str, _Client] = {}
        self._heap: list[tuple[float, int, _Client]] = []
        self._turns = 0
        self._last: _Client | None = None

    def client_of(self, ask: Ask) -> str:
        """The client that a request counts for."""
        return ask.account

    def counter(self, client: str) -> float:
        """A client's counter."""
        return self._clients[client].counter

    def _of(self, waiter: Waiter) -> _Client:
        name = self.client_of(waiter.ask)
        client = self._clients.get(name)
        if client is None:
            client = self._clients[name] = _Client()
        return client

    def _enter(self, now: float, waiter: Waiter) -> None:  # noqa: ARG002 - counters know no time
        client = self._of(waiter)
        if not client.queued:
            self._lift(client)
        client.queued += 1
        client.line.append(waiter)
        if not client.turn:
            self._push(client)

    def _lift(self, client: _Client) -> None:
        first = self._first()
        if first is not None:
            client.counter = max(client.counter, first.counter)
        elif self._last is not None:
            client.counter = max(client.counter, self._last.counter)

    def _push(self, client: _Client) -> None:
        self._turns += 1
        client.turn = self._turns
        heapq.heappush(self._heap, (client.counter, client.turn, client))

    def _first(self) -> _Client | None:
        """The client with the smallest counter of those in the queue. Counters in the heap may be too small."""
        heap = self._heap
        while heap:
            counter, _, client = heap[0]
            if not client.queued:
                heapq.heappop(heap)
                client.turn = 0
            elif counter < client.counter:
                self._turns += 1
                client.turn = self._turns
                heapq.heapreplace(heap, (client.counter, client.turn, client))
            else:
                return client
        return None

    def _next(self, now: float) -> Waiter | None:  # noqa: ARG002 - as above
        client = self._first()
        if client is None:
            return None
        while not (waiter := client.line.popleft()).waits:
            pass
        return waiter

    def _taken(self, now: float, waiter: Waiter) -> None:
        client = self._of(waiter)
        client.counter += _INPUT_WEIGHT * waiter.ask.input
        self._left(now, waiter)

    def _left(self, now: float, waiter: Waiter) -> None:  # noqa: ARG002 - as above
        client = self._of(waiter)
        client.queued -= 1
        if not client.queued:
            client.line.clear()
            self._last = client

    def _written(self, now: float, waiter: Waiter, tokens: int) -> None:  # noqa: ARG002 - as above
        self._of(waiter).counter += _OUTPUT_WEIGHT * tokens
