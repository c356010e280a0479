"""Where it is kept when people review, and what they can do."""

from typing import Protocol

from fairgate.domain.audit import Doer
from fairgate.domain.shifts import Shifts


class Rota(Protocol):
    """The shifts of all people of whom any are known. They stand nowhere else.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def all(self) -> list[Shifts]:
        """Everybody's, by the ids of people."""
        ...

    def get(self, person: str) -> Shifts | None:
        """Return a person's; None where nothing is known of theirs."""
        ...

    def put(self, shifts: Shifts, doer: Doer) -> None:
        """Keep a person's, durably, in the place of what was known before, and note it in the audit log, as one.

        Raises `NoSuchPerson`.
        """
        ...
