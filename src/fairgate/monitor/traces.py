"""No traces: what the door is given where none are configured."""

from contextlib import nullcontext

from fairgate.ports.traces import Part, RequestTrace

_NOTHING = nullcontext()


class NoTrace:
    """A request that nobody follows."""

    def part(self, name: Part, events: int = 0) -> nullcontext[None]:  # noqa: ARG002 - the port's names
        """Nothing."""
        return _NOTHING

    def end(self, status: int) -> None:
        """Nothing."""


NO_TRACE = NoTrace()


class NoTraces:
    """Follows no request; costs 0.1 us."""

    def request(self, route: str, traceparent: bytes | None) -> RequestTrace:  # noqa: ARG002 - the port's names
        """The request that nobody follows."""
        return NO_TRACE
