"""The desk's books: gateways, what they want, and what they have."""

from collections import deque
from typing import Final

from fairgate.share.answers import Grant, Queued
from fairgate.share.lease import Denial, Sent, Want

#: What costs differ by in the last digits is no difference.
_HAIR: Final = 1e-9


class Slot:
    """What one gateway has of one pool: `open`, the cost of its leases, and the wants that must wait for room."""

    __slots__ = ("aside", "open", "quantum")

    def __init__(self, quantum: float) -> None:
        self.quantum = quantum
        self.open = 0.0
        self.aside: deque[Wanted] = deque()

    def fits(self, cost: float) -> bool:
        """Whether there is room for a lease."""
        return self.open + cost <= self.quantum * (1 + _HAIR)


class Gateway:
    """A gateway as the desk knows it."""

    __slots__ = ("leases", "life", "name", "number", "process", "seen", "slots", "told", "untold", "wants")

    def __init__(self, sent: Sent, slots: dict[str, Slot]) -> None:
        self.name = sent.gateway
        self.process, self.life = sent.process, sent.life
        self.slots = slots
        self.number = 0
        self.seen = 0.0
        self.wants: dict[str, Wanted] = {}
        self.leases: dict[str, Leased] = {}
        #: What became of wants and is not known to have arrived; and by which answer of those it was told first.
        self.untold: dict[str, Leased | Denial] = {}
        self.told: dict[str, int] = {}

    def heard(self, serial: int) -> None:
        """An answer has arrived, and with it all that was told by then."""
        for key in [key for key, told in self.told.items() if told <= serial]:
            del self.told[key]
            self.untold.pop(key, None)


class Wanted:
    """A want: in the share's queue (`queued`), or aside."""

    __slots__ = ("gateway", "gone", "queued", "slot", "until", "want")

    def __init__(self, want: Want, gateway: Gateway, slot: Slot, until: float) -> None:
        self.want = want
        self.gateway = gateway
        self.slot = slot
        self.until = until
        self.queued: Queued | None = None
        self.gone = False

    def over(self, now: float) -> bool:
        """Whether nobody waits for it any more."""
        return self.gone or self.until < now


class Leased:
    """A lease that has not ended."""

    __slots__ = ("ends", "grant", "wanted")

    def __init__(self, wanted: Wanted, grant: Grant, ends: float) -> None:
        self.wanted = wanted
        self.grant = grant
        self.ends = ends
