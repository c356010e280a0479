"""The outbox: letters to other services, kept until they have arrived or somebody has seen that they can't."""

from collections.abc import Sequence
from typing import Protocol

import msgspec

from fairgate.domain.ledger import Subject


class Letter(msgspec.Struct, frozen=True, gc=False):
    """A message to one receiver. Numbers grow in the order in which letters to a receiver are to arrive.

    `message` is the message's id. It was tried `attempts` times, the last of which failed as `why` says, and is due
    again at `due`. Times are microseconds since 1970 UTC.
    """

    number: int
    receiver: str
    message: str
    subject: Subject
    type: str
    body: bytes
    made: int
    due: int
    attempts: int = 0
    why: str = ""


class Backlog(msgspec.Struct, frozen=True, gc=False):
    """How many letters wait for a receiver and when the oldest was made (0 for none), and how many were given up."""

    receiver: str
    waiting: int
    oldest: int
    dead: int


class Outbox(Protocol):
    """Letters that wait, and those that were given up. Others are forgotten when they have arrived.

    Everything raises `RecordsUnavailable` where the data base can't be used; nothing is half done then.
    """

    def waiting(self, receiver: str, after: int, limit: int) -> list[Letter]:
        """Return at most `limit` letters that wait, with numbers above `after`, by number."""
        ...

    def arrived(self, numbers: Sequence[int]) -> None:
        """Forget letters that have arrived."""
        ...

    def failed(self, letters: Sequence[Letter]) -> None:
        """Keep what is new of letters that wait: their `due`, `attempts` and `why`."""
        ...

    def give_up(self, letter: Letter) -> None:
        """Put a letter aside, with its `attempts` and `why`: those behind it go on."""
        ...

    def dead(self, receiver: str | None, after: int, limit: int) -> list[Letter]:
        """Return at most `limit` letters that were given up, of one receiver or all, above `after`, by number."""
        ...

    def again(self, number: int, now: int) -> bool:
        """Let a letter that was given up wait again, due now, untried, with a new number; whether there was one."""
        ...

    def backlogs(self) -> list[Backlog]:
        """Return how it stands for every receiver that has letters, by name."""
        ...
