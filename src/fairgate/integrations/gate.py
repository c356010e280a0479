"""The gate that a gateway's requests pass: asks for each, and says what it used; what an outage means is named."""

import logging
from collections import Counter
from typing import Literal, TypeAlias

from fairgate.integrations.client import Asked, Granted, Refused, ShareClient, ShareUnreachable
from fairgate.share import Usage

#: What happens to requests while nobody can be asked: they pass unasked, or none does.
Fail: TypeAlias = Literal["open", "closed"]
#: What a caller is told where the gate is closed: when to ask again.
_CLOSED = Refused("unavailable", 5.0)
_log = logging.getLogger(__name__)


class Ticket:
    """A request that passed. Settled or aborted once; what comes after that is of no account."""

    __slots__ = ("_client", "_gate", "asked", "grant", "open", "output")

    def __init__(self, gate: "Gate", client: ShareClient, asked: Asked, grant: str | None) -> None:
        self._gate = gate
        self._client = client
        self.asked = asked
        #: None where it passed unasked.
        self.grant = grant
        self.open = True
        #: What was written so far.
        self.output = 0

    def charge(self, output: int) -> None:
        """Say what was written so far, in all."""
        if self.open and output > self.output:
            self.output = output
            if self.grant is not None:
                self._client.charge(self.grant, output)

    @property
    def stopped(self) -> bool:
        """Whether what it writes must be cut off: its account may use nothing any more."""
        return self.open and self.grant is not None and self._client.stopped(self.grant)

    async def settle(self, usage: Usage) -> None:
        """Say what was used."""
        if self._end("settled"):
            try:
                await self._client.settle(self.grant or "", usage)
            except ShareUnreachable:
                self._gate.lost()

    async def abort(self) -> None:
        """Say that it came to an early end, or that what it used is not known."""
        if self._end("aborted"):
            try:
                await self._client.abort(self.grant or "", self.output)
            except ShareUnreachable:
                self._gate.lost()

    def _end(self, how: str) -> bool:
        if not self.open:
            return False
        if self.stopped:
            self._gate.counts["stopped"] += 1
        self.open = False
        self._gate.counts[how] += 1
        return self.grant is not None


class Gate:
    """Lets requests pass that are granted.

    `fail` says what happens while nobody can be asked: `open` lets requests pass unasked, `closed` lets none. The
    first of an outage and its end are logged, and all are counted in `counts`: granted, denied, failed_open,
    failed_closed, settled, aborted, stopped for what was cut off, and lost, for what was used and could not be told.
    """

    def __init__(self, client: ShareClient, fail: Fail) -> None:
        if fail not in {"open", "closed"}:
            raise ValueError('fail must be "open" or "closed"')
        self.counts: Counter[str] = Counter()
        self._client = client
        self._fail = fail
        self._out = False

    async def enter(self, asked: Asked) -> Ticket | Refused:
        """Ask for a request, and wait. Who is cancelled leaves the queue. Raises `BadAmount` for what can't be."""
        try:
            answer = await self._client.acquire(asked)
        except ShareUnreachable as error:
            return self._unasked(asked, error.status)
        if self._out:
            self._out = False
            _log.warning("compute is shared out again")
        if isinstance(answer, Granted):
            self.counts["granted"] += 1
            return Ticket(self, self._client, asked, answer.grant)
        self.counts["denied"] += 1
        return answer

    def lost(self) -> None:
        """Note that what a request used could not be told; its grant ends by itself, as it was estimated."""
        self.counts["lost"] += 1
        _log.warning("what a request used could not be told: its grant ends by itself, as it was estimated")

    async def close(self) -> None:
        """Let go of what is open."""
        await self._client.close()

    def _unasked(self, asked: Asked, status: int) -> Ticket | Refused:
        self.counts[f"failed_{self._fail}"] += 1
        if not self._out:
            self._out = True
            passing = "all requests pass unasked" if self._fail == "open" else "no request passes"
            _log.error("compute can't be shared out, no usable answer comes: " + passing, extra={"status": status})
        return Ticket(self, self._client, asked, None) if self._fail == "open" else _CLOSED
