"""How much of what clients send is held in memory at a time."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias

from fairgate.ingest.decode import LARGEST_EVENT

Receive: TypeAlias = Callable[[], Awaitable[MutableMapping[str, Any]]]

#: Bodies up to this size are not counted: the number of connections bounds them.
UNCOUNTED: Final = LARGEST_EVENT


class BodyTooLarge(Exception):
    """Ends the reading of a body that has more bytes than its route takes."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class BodiesTooMany(Exception):
    """Ends the reading of a body for which there is no room beside the others."""


class ClientGone(Exception):
    """The client has hung up; there is nobody to answer."""


class Bodies:
    """Reads the bodies of requests, all together at most `most` bytes of those that are large."""

    def __init__(self, most: int) -> None:
        self.held = 0
        self._most = most

    async def read(self, receive: Receive, limit: int, announced: bytes) -> bytes:
        """A body, as a whole. It counts as held until it is given to `release`.

        Raises `BodyTooLarge`, `BodiesTooMany` or `ClientGone`.
        """
        if announced.isdigit() and int(announced) > limit:
            raise BodyTooLarge(limit)
        body, more = _part(await receive())
        if not more and len(body) <= UNCOUNTED and len(body) <= limit:
            return body
        parts: list[bytes] = []
        size = held = 0
        try:
            while True:
                parts.append(body)
                size += len(body)
                if size > UNCOUNTED:
                    held += self._hold(size - held)
                _check(size, limit)
                if not more:
                    return b"".join(parts)
                body, more = _part(await receive())
        except BaseException:
            self.held -= held
            raise

    def release(self, body: bytes) -> None:
        """Make room again when a body that was read has been dealt with."""
        if len(body) > UNCOUNTED:
            self.held -= len(body)

    def _hold(self, size: int) -> int:
        if self.held + size > self._most:
            raise BodiesTooMany
        self.held += size
        return size


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise BodyTooLarge(limit)


def _part(message: MutableMapping[str, Any]) -> tuple[bytes, bool]:
    """A part of a body, and whether more follow."""
    if message["type"] == "http.disconnect":
        raise ClientGone
    return message.get("body", b""), message.get("more_body", False)
