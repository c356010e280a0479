"""A tree of virtual counters: who goes next, and who has had how much for what they weigh.

Each node counts what it was charged, divided by its weight. Of those that wait the one with the smallest counter goes
next, from the root down. The counters are start tags of start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996):
a node's `time` is the counter of the child that was served last, as it was before, and whoever wakes up is lifted to
it, so that nobody saves up a turn by staying away. Charging what was used instead of what was asked is the virtual
token counter of Sheng et al. (OSDI 2024).
"""

from heapq import heappop, heappush, heapreplace
from itertools import count
from typing import Final

from fairgate.share.ceiling import Ceiling

#: The least weight: who weighs nothing is served when nobody else wants to be.
LEAST_WEIGHT: Final = 1e-4
_turns = count()


class Node:
    """A class, a cluster or an account in one pool's tree; the root has no parent."""

    __slots__ = ("active", "ceiling", "counter", "heap", "name", "parent", "time", "turn", "used", "waiting", "weight")

    def __init__(self, name: str, parent: "Node | None", weight: float) -> None:
        self.name = name
        self.parent = parent
        #: The virtual time of its children.
        self.time = 0.0
        self.weight = max(weight, LEAST_WEIGHT)
        #: What it was charged for its weight, since ever; comparable among siblings alone.
        self.counter: float = parent.time if parent is not None else 0.0
        #: What it was charged in all, in cost.
        self.used = 0.0
        #: How many requests wait in it.
        self.waiting = 0
        #: Whether it stands in its parent's heap; `turn` tells its entry there from older ones.
        self.active = False
        self.turn = -1
        self.heap: list[tuple[float, int, Node]] = []
        self.ceiling: Ceiling | None = None

    @property
    def path(self) -> "tuple[Node, ...]":
        """The node and each above, less the root."""
        path: list[Node] = []
        node = self
        while node.parent is not None:
            path.append(node)
            node = node.parent
        return tuple(path)

    @property
    def debt(self) -> float:
        """How far it is ahead of its siblings' time, in cost."""
        return 0.0 if self.parent is None else max(0.0, self.counter - self.parent.time) * self.weight

    def wake(self, cost: float) -> None:
        """Stand in line, lifted to the siblings' time; so does each above.

        Who weighs less than 1 begins later: by what a request of this cost is to it beyond what it is to who weighs 1.
        Else a thousand accounts that hardly weigh anything would have a request each before anybody had a second one.
        """
        node = self
        while (parent := node.parent) is not None:
            if not node.active:
                start = parent.time
                if node.weight < 1:
                    start += cost * (1 / node.weight - 1)
                node.counter = max(node.counter, start)
                node.active = True
                node.turn = next(_turns)
                heappush(parent.heap, (node.counter, node.turn, node))
            node = parent

    def stand_in_line(self) -> None:
        """Take the place in the parent's heap that the counter gives; an older place counts no more."""
        if self.parent is not None:
            self.turn = next(_turns)
            heappush(self.parent.heap, (self.counter, self.turn, self))

    def step_out(self) -> None:
        """Leave the line."""
        self.active = False
        self.turn = -1

    def first(self) -> "Node | None":
        """The child that goes next, or None where no child stands in line. Those in whom nobody waits step out."""
        heap = self.heap
        while heap:
            counter, turn, child = heap[0]
            if turn != child.turn:
                heappop(heap)
            elif not child.waiting:
                child.step_out()
                heappop(heap)
            elif counter < child.counter:  # it was charged since it took its place
                child.turn = next(_turns)
                heapreplace(heap, (child.counter, child.turn, child))
            else:
                return child
        return None

    def serve(self, cost: float) -> None:
        """Count the cost of a grant here and in each above; the siblings' time is where this one stood before."""
        node = self
        while (parent := node.parent) is not None:
            counter = node.counter
            if counter < parent.time:
                if not node.active:
                    node.counter = counter = parent.time
            else:
                parent.time = counter
            node.counter = counter + cost / node.weight
            node.used += cost
            if node.ceiling is not None:
                node.ceiling.take(cost)
            node = parent

    def correct(self, more: float) -> None:
        """Count that a grant cost so much more than what was counted, or less, where that is below zero."""
        if self.parent is not None:
            self.counter += more / self.weight
            self.used += more
            if self.ceiling is not None:
                self.ceiling.take(more)
            if more < 0 and self.active:
                self.stand_in_line()

    def reweigh(self, weight: float) -> None:
        """Weigh something else from now on; what was charged ahead stays charged."""
        weight = max(weight, LEAST_WEIGHT)
        if weight != self.weight and self.parent is not None:
            self.counter = self.parent.time + (self.counter - self.parent.time) * self.weight / weight
            self.weight = weight
            if self.active:
                self.stand_in_line()

    def move(self, parent: "Node", debt: float) -> None:
        """Go to another parent, with everybody who waits, owing a cost there. It stands in no line afterwards."""
        old: Node | None = self.parent
        self.step_out()
        while old is not None:
            old.waiting -= self.waiting
            old = old.parent
        self.parent = parent
        self.counter = parent.time + debt / self.weight
        new: Node | None = parent
        while new is not None:
            new.waiting += self.waiting
            new = new.parent
