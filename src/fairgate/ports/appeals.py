"""Appeals, kept until somebody has decided them, and afterwards."""

from collections.abc import Sequence
from typing import Final, NamedTuple, Protocol

from fairgate.domain.appeal import Appeal, AppealState, Ruling
from fairgate.domain.ledger import Subject

#: The words of an appeal whose filer was erased.
ERASED: Final = "(erased)"


class Filed(NamedTuple):
    """The appeal that is there now, and whether it is the one that was to be filed.

    Else it stood in the way: it has the same `ref` of the same caller, or is open against the same action.
    """

    appeal: Appeal
    new: bool


class Wanted(NamedTuple):
    """Which appeals are asked for: those of a state, about a subject, against an action; None for any."""

    state: AppealState | None = None
    subject: Subject | None = None
    action: int | None = None


class Docket(NamedTuple):
    """How many appeals are open, how many of them are overdue, and when the first is due, 0 for none."""

    open: int = 0
    overdue: int = 0
    first: int = 0


class Appeals(Protocol):
    """All appeals that were ever filed. They stand nowhere else: the log does not have them.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def file(self, asked: Appeal) -> Filed:
        """File an appeal, durably, with a number greater than all before, whatever number it had.

        Nothing is filed where the caller has one under this `ref` already, or else where one against the same action
        is open: then that is returned.
        """
        ...

    def get(self, number: int) -> Appeal | None:
        """Return the appeal of a number; None where there is none."""
        ...

    def under(self, filed_by: str, ref: str) -> Appeal | None:
        """Return what a caller filed under a `ref`; None for nothing."""
        ...

    def found(self, wanted: Wanted, after: Appeal | None, limit: int) -> list[Appeal]:
        """Return at most `limit` appeals, those that are due first at first, then by number.

        With `after`, only those behind it in this order.
        """
        ...

    def decide(self, number: int, ruling: Ruling) -> bool:
        """Decide an appeal, durably, and return True. Where it is not open nothing happens, and False is returned."""
        ...

    def about_others(self, kind: str, after: int, limit: int) -> list[Appeal]:
        """Return at most `limit` appeals about entities of any kind but this, with numbers above `after`, by number.

        Those whose words were erased are left out.
        """
        ...

    def erase(self, subject: Subject, numbers: Sequence[int] = ()) -> int:
        """Overwrite the words of all appeals about a subject, and of these, durably, so that no file has them.

        Returns how many were overwritten: those that were erased before are not. The appeals stay.
        """
        ...

    def docket(self, now: int) -> Docket:
        """Return how many are open and overdue at a time."""
        ...
