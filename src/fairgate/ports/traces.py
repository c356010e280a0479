"""Where the time of single requests went."""

from contextlib import AbstractContextManager
from typing import Literal, Protocol

Part = Literal["decide", "commit"]


class RequestTrace(Protocol):
    """One request while it is being answered. Nothing of its contents goes in."""

    def part(self, name: Part, events: int = 0) -> AbstractContextManager[object]:
        """What happens within is a part of the request, about so many events. An error in it is marked and goes on."""
        ...

    def end(self, status: int) -> None:
        """The request was answered with this status. To be called once."""
        ...


class Traces(Protocol):
    """Follows requests, across services where the caller does too. Never raises and never waits for the network."""

    def request(self, route: str, traceparent: bytes | None) -> RequestTrace:
        """Begin to follow a request to a route (its pattern), as part of its caller's trace if it names one (W3C)."""
        ...
