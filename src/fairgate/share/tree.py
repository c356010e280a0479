"""Who uses a pool: classes, their clusters, the clusters' accounts, and who of them goes next."""

from collections import deque
from heapq import heappop, heappush
from itertools import count
from typing import Final

from fairgate.share.answers import Queued
from fairgate.share.ceiling import Ceiling
from fairgate.share.node import Node
from fairgate.share.standing import Cluster, Standing

#: What each class weighs in a pool, which is its part where all want all of it.
CLASSES: Final = {"established": 0.9, "probation": 0.08, "arrivals": 0.02}
#: What a newcomer has to use of a pool before it leaves the arrivals for probation, in mean requests.
PROVES: Final = 5
_turns = count()


class AccountNode(Node):
    """An account: its requests that wait, its grants that have not ended, and its running mean of output tokens."""

    __slots__ = ("in_flight", "mean_output", "queue")

    def __init__(self, name: str, parent: Node, weight: float, mean_output: float) -> None:
        super().__init__(name, parent, weight)
        self.queue: deque[Queued] = deque()
        self.mean_output = mean_output
        self.in_flight = 0


class Tree:
    """Classes over clusters over accounts. `capacity` is the pool's, of which ceilings are parts."""

    def __init__(self, capacity: float) -> None:
        self.capacity = capacity
        #: What a request costs on the average.
        self.mean_cost = 0.0
        self.root = Node("", None, 1.0)
        self.classes = {name: Node(name, self.root, weight) for name, weight in CLASSES.items()}
        self.clusters: dict[Cluster, Node] = {}
        self.accounts: dict[str, AccountNode] = {}
        #: Those that a ceiling keeps from the line, by when it lets them go.
        self._kept: list[tuple[float, int, Node]] = []

    def add(self, account: str, standing: Standing, cluster: Cluster, fee: float, now: float) -> AccountNode:
        """A node for an account that has none, which owes an entry fee: with its cluster, if that is new as well."""
        group = self.clusters.get(cluster)
        if group is None:
            owes = group = self._group(cluster, now)
            node = AccountNode(account, group, standing.within, 0.0)
        else:
            owes = node = AccountNode(account, group, standing.within, 0.0)
        node.ceiling = self._ceiling(standing.ceil, now)
        owes.counter += fee / owes.weight
        self.accounts[account] = node
        return node

    def place(self, account: str, standing: Standing, left: Cluster, cluster: Cluster, now: float) -> None:
        """Put an account where it belongs by now, and weigh it and the clusters concerned anew.

        Its debts go with it, and so does what the cluster owes that it leaves: unlinking is no amnesty.
        """
        node = self.accounts.get(account)
        if left is not cluster and left in self.clusters:
            debt = self._leave(node, left)
            if node is not None:
                node.reweigh(standing.within)
                self._move(node, cluster, debt, now)
            elif debt:  # it has used nothing, and leaves those who have
                node = self.add(account, standing, cluster, debt, now)
        elif node is not None:
            node.reweigh(standing.within)
        if node is not None:
            _limit(node, self._ceiling(standing.ceil, now))
        for each in (left, cluster):
            self._weigh(each, now)
        if node is not None:
            self.admit(node)
            self.wake(node)

    def admit(self, node: AccountNode) -> None:
        """Let a newcomer's cluster leave the arrivals, with its debt, if it has used enough of the pool.

        Anybody can have any number of accounts that have used nothing; one that has used something had to wait for it.
        """
        group = node.parent
        if group is None or group.parent is not self.classes["arrivals"]:
            return
        if self._proven(max(node.used, group.used)):
            group.move(self.classes["probation"], group.debt)
            self.wake(group)

    def wake(self, node: Node) -> None:
        """Let a node stand in line, if anybody waits in it."""
        if node.waiting:
            node.wake(self.mean_cost)

    def forget(self, account: str, cluster: Cluster) -> None:
        """Forget an account in whom nothing waits and of whom nothing is in flight, and its cluster if it was alone."""
        self.accounts.pop(account).step_out()
        if len(cluster.members) <= 1:
            self.clusters.pop(cluster).step_out()

    def first(self, now: float) -> AccountNode | None:
        """The account that goes next: in which somebody waits, whom no ceiling keeps. None where there is none."""
        node = self.root
        while True:
            child = node.first()
            if child is None:
                if node is self.root:
                    return None
                node.step_out()  # all that wait in it are kept by ceilings
                node = self.root
            elif child.ceiling is not None and not child.ceiling.refill(now, self.capacity):
                child.step_out()
                heappush(self._kept, (child.ceiling.free_at, next(_turns), child))
                node = self.root
            elif isinstance(child, AccountNode):
                return child
            else:
                node = child

    def kept_by_ceiling(self, node: Node, now: float) -> bool:
        """Whether a ceiling keeps a node, or one above it, from being served now."""
        each: Node | None = node
        while each is not None:
            if each.ceiling is not None and not each.ceiling.refill(now, self.capacity):
                return True
            each = each.parent
        return False

    @property
    def frees_at(self) -> float | None:
        """When the next ceiling lets somebody go."""
        return self._kept[0][0] if self._kept else None

    def free(self, now: float) -> None:
        """Let those stand in line again whose ceiling lets them go by now."""
        while self._kept and self._kept[0][0] <= now:
            self.wake(heappop(self._kept)[2])

    def change(self, capacity: float, now: float) -> None:
        """Have another capacity, and the ceilings parts of it."""
        for node in (*self.clusters.values(), *self.accounts.values()):
            if node.ceiling is not None:
                node.ceiling.refill(now, capacity)
        self.capacity = capacity
        kept, self._kept = self._kept, []
        for _, _, node in kept:  # those that are still kept are found to be when it is their turn
            self.wake(node)

    def _group(self, cluster: Cluster, now: float) -> Node:
        group = Node(cluster.name, self._class_of(cluster, None), cluster.weight)
        group.ceiling = self._ceiling(cluster.ceil, now)
        self.clusters[cluster] = group
        return group

    def _leave(self, node: AccountNode | None, left: Cluster) -> float:
        """What an account owes that leaves a cluster: what either owes, but nothing twice. The last one ends it."""
        old = self.clusters[left]
        debt = old.debt
        if left.members:
            return debt if node is None else max(debt, node.debt)
        old.step_out()
        del self.clusters[left]
        return debt

    def _move(self, node: AccountNode, cluster: Cluster, debt: float, now: float) -> None:
        group = self.clusters.get(cluster)
        if group is None:
            group = self._group(cluster, now)
            group.counter += debt / group.weight
            debt = 0.0
        node.move(group, debt)

    def _weigh(self, cluster: Cluster, now: float) -> None:
        group = self.clusters.get(cluster)
        if group is None:
            return
        _limit(group, self._ceiling(cluster.ceil, now))
        parent = self._class_of(cluster, group)
        debt = group.debt
        group.reweigh(cluster.weight)
        if parent is not group.parent:
            group.move(parent, debt)
        self.wake(group)

    def _class_of(self, cluster: Cluster, group: Node | None) -> Node:
        """The class of a cluster, whose node is `group`, if it has one; who has left the arrivals stays out of them."""
        if cluster.established:
            return self.classes["established"]
        probation = self.classes["probation"]
        if group is not None and (group.parent is probation or self._proven(group.used)):
            return probation
        return self.classes["arrivals"]

    def _proven(self, used: float) -> bool:
        return used > PROVES * self.mean_cost

    def _ceiling(self, part: float | None, now: float) -> Ceiling | None:
        return None if part is None else Ceiling(part, self.capacity, now)


def _limit(node: Node, ceiling: Ceiling | None) -> None:
    """Set a node's ceiling; one that is as it was keeps its level."""
    if node.ceiling is None or ceiling is None or node.ceiling.part != ceiling.part:
        node.ceiling = ceiling
