"""Challenges and what came of them, kept until the log has it and for a while afterwards."""

from collections.abc import Callable
from typing import NamedTuple, Protocol

from fairgate.domain.challenge import Challenge, ChallengeState


class Set(NamedTuple):
    """The challenge that is there now, and whether it is the one that was to be set.

    Else one of the same `ref` of the same caller is there already; or, with None, the account has had too many.
    """

    challenge: Challenge | None
    new: bool


class Outcome(NamedTuple):
    """How a challenge ends and when, and the event that tells the door of it, as it is to be sent."""

    state: ChallengeState
    at: int
    event: bytes


class Untold(NamedTuple):
    """An event of which the door has not said yet that it has it, and how often it was sent in vain."""

    id: str
    event: bytes
    tries: int


class Challenges(Protocol):
    """All challenges of late. They stand nowhere else; what came of them is in the log once it was told there.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def put(self, asked: Challenge, most: int, since: int) -> Set:
        """Set a challenge, durably, unless one has its caller's `ref`, or the account had `most` of its kind `since`.

        Those count that were made after `since`.
        """
        ...

    def get(self, challenge_id: str) -> Challenge | None:
        """Return the challenge of an id; None where there is none."""
        ...

    def under(self, asked_by: str, ref: str) -> Challenge | None:
        """Return what a caller asked for under a `ref`; None for nothing."""
        ...

    def attempt(self, challenge_id: str, now: int) -> Challenge | None:
        """Take one of a challenge's attempts, durably, and return it as it is then.

        None, and nothing is taken, where it is not open any more, its time has passed, or it has no attempts left.
        """
        ...

    def give_back(self, challenge_id: str) -> None:
        """Give an attempt back that was taken and could not be judged."""
        ...

    def end(self, challenge_id: str, outcome: Outcome) -> bool:
        """End a challenge, durably, and return True; its event is to be told from then on.

        Where it is not open nothing happens, and False is returned: of several that end it one does.
        """
        ...

    def overdue(self, now: int, limit: int) -> list[Challenge]:
        """Return at most `limit` open challenges whose time has passed, the oldest first."""
        ...

    def erase(self, whose: Callable[[str], bool]) -> int:
        """Forget all challenges of accounts that `whose` says it of, durably, so that no file of the records has them.

        Also those that are open, and events that were not told. Returns how many there were.
        """
        ...

    def forget(self, before: int) -> int:
        """Forget challenges that ended before a time, told or not; returns how many."""
        ...


class Outcomes(Protocol):
    """The events of challenges that have ended, until the door has them. See `Challenges`."""

    def untold(self, now: int, limit: int) -> list[Untold]:
        """Return at most `limit` events that are due, those that have been so for the longest first."""
        ...

    def told(self, challenge_id: str) -> None:
        """Drop an event: the log has it."""
        ...

    def later(self, untold: Untold, due: int) -> None:
        """Keep an event that could not be told, as it is to be sent next, with its tries, until it is due again.

        One that was told meanwhile stays told.
        """
        ...

    def waiting(self) -> int:
        """Return how many events wait, due or not."""
        ...
