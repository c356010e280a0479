"""The Virtual Token Counter with a counter for each known cluster: what knowing links alone gives."""

from fairgate.simulate.sharing.policy import Ask, Capacity, Known
from fairgate.simulate.sharing.vtc import VirtualTokenCounter


class Clusters(VirtualTokenCounter):
    """Fair between clusters. It takes every link for certain, be it only an address that some people share."""

    def __init__(self, capacity: Capacity) -> None:
        super().__init__(capacity)
        self._cluster: dict[str, str] = {}

    def know(self, who: Known) -> None:
        """Whatever is linked is one client."""
        if who.cluster is not None:
            self._cluster[who.account] = f"cluster {who.cluster}"

    def client_of(self, ask: Ask) -> str:
        """Its cluster, or the account where none is known."""
        return self._cluster.get(ask.account, ask.account)
