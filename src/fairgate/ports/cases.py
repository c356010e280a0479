"""Cases, kept until somebody has judged them, and afterwards."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from fairgate.domain.case import Case, CaseState, Finding, Happening
from fairgate.domain.parting import Parting
from fairgate.domain.worth import Stake


class Opened(NamedTuple):
    """The case that is there now, and whether it is the one that was to be opened.

    Else one with the same `ref` of the same person was there, or an open one about one of the accounts.
    """

    case: Case
    new: bool


class CasesWanted(NamedTuple):
    """Which cases are asked for: those of a state, about an account, claimed by somebody, escalated; None for any."""

    state: CaseState | None = None
    account: str | None = None
    claimed_by: str | None = None
    escalated: bool | None = None


class Waiting(NamedTuple):
    """How many cases are open, how many of them are ready, when the oldest was opened, and minutes of work in all."""

    open: int = 0
    ready: int = 0
    oldest: int = 0
    minutes: float = 0.0


class Came(NamedTuple):
    """How cases came in: when the first ever was opened, 0 for none, and how many of a time were, by the hour.

    Hours are counted from 1970 UTC on. What was merged into another is no case of its own.
    """

    first: int = 0
    by_hour: Mapping[int, int] = {}


class Cases(Protocol):
    """All cases that there ever were. They stand nowhere else: the log does not have them.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def open(self, asked: Case) -> Opened:
        """Open a case, durably, with a number greater than all before, whatever number it had.

        Nothing is opened where they have one under this `ref` already (unless that is empty), or else where one about
        one of the accounts is open: then that is returned.
        """
        ...

    def get(self, number: int) -> Case | None:
        """Return the case of a number; None where there is none."""
        ...

    def store(self, case: Case, happenings: Sequence[Happening]) -> bool:
        """Put what people did to a case in the place of the version before its own, durably, and return True.

        Its facts stay as they are there. Where another version is there, nothing happens, and False is returned.
        """
        ...

    def merge(self, kept: Case, merged: Case, happenings: Sequence[Happening]) -> bool:
        """As `store` for both as one. The one that is kept gets the facts of both, as of the happenings."""
        ...

    def split(self, left: Case, made: Case, parting: Parting, told: Callable[[int], Sequence[Happening]]) -> int | None:
        """As `store` for the one that is left, and open the other as of its `opened`, both as one.

        Each gets its part of the facts that were there. `told` says what happened to both, by the number of the other.
        Returns that number; None, and nothing happens, where another version is there.
        """
        ...

    def found(self, wanted: CasesWanted, after: int, limit: int) -> list[Case]:
        """Return at most `limit` cases with numbers above `after`, by number."""
        ...

    def history(self, number: int) -> list[Happening]:
        """Return what happened to a case, in order."""
        ...


class CaseIntake(Protocol):
    """Cases as they come in many at once. See `Cases`."""

    def open(self, asked: Sequence[Case]) -> list[Opened]:
        """As `Cases.open` for each in turn, all as one."""
        ...

    def about(self, accounts: Sequence[str]) -> Mapping[str, int]:
        """Return the number of the open case about each of these accounts; those without one are left out."""
        ...


class CaseQueue(Protocol):
    """The open cases, as they are given to people. See `Cases`.

    A case is ready where it is open, nobody is at it, and it does not sleep.
    """

    def best(self, now: int, *, escalated: bool, after: Case | None, limit: int) -> list[Case]:
        """Return at most `limit` cases that are ready, the most valuable first; those that are escalated or those not.

        With `after`, only those behind it in this order.
        """
        ...

    def counted(self, now: int, *, uncertain: bool) -> int:
        """Return how many that are not escalated are ready; where `uncertain`, of those alone that are."""
        ...

    def nth(self, now: int, place: int, *, uncertain: bool) -> Case | None:
        """Return the one at a place among those `counted`, from 0, by number; None where there are not so many."""
        ...

    def kept(self, now: int, limit: int) -> list[Case]:
        """Return at most `limit` cases, by number, that were drawn by lot, given back, and are ready again."""
        ...

    def came(self, since: int, until: int) -> Came:
        """Return how many came in from a time on until before another."""
        ...

    def rank(self, now: int, before: int, limit: int) -> int:
        """Value open cases as of now that were valued last before a time, and return how many.

        At most `limit`, those that seemed the most valuable: what was used fades, so they may not be.
        """
        ...

    def waiting(self, now: int) -> Waiting:
        """Return how many wait at a time."""
        ...


class CaseFeed(Protocol):
    """What decisions do to cases: one process feeds it. See `Cases`."""

    def fed(self) -> int:
        """Return the number below which the log's records were taken in; 0 where none were."""
        ...

    def feed(self, upto: int, findings: Sequence[Finding], used: Mapping[str, Stake], now: int) -> None:
        """Take in what the log says below the number `upto`, durably and as one.

        Each finding goes to the open case about its account, or opens one. `used` says what accounts have used that was
        not told before, as of when, which comes to what their open case burns.
        """
        ...

    def burning(self, after: int) -> tuple[int, Mapping[str, Stake]]:
        """Return the greatest number of a case, and the stakes of open ones above `after`, by account."""
        ...
