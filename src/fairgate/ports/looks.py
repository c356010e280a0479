"""Looks at cases: what was said of them, who is to look once more, and the cases of which the truth is known."""

from collections.abc import Sequence
from typing import Protocol

from fairgate.domain.case import Case, Happening
from fairgate.domain.look import Gold, OneLook


class Looks(Protocol):
    """All looks that there ever were. They stand nowhere else.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def keep(self, looks: Sequence[OneLook], case: Case | None = None, happenings: Sequence[Happening] = ()) -> bool:
        """Keep looks, and what was done to their case, durably and as one, and return True.

        A look with the number -1 gets one greater than all before; others take the place of the version before their
        own. The case does so as by `Cases.store`. Where one of them has another version there, nothing happens, and
        False is returned.
        """
        ...

    def of(self, case: int) -> list[OneLook]:
        """Return all looks at a case, by number."""
        ...

    def waiting(self, by: str, now: int, limit: int) -> list[OneLook]:
        """Return at most `limit` double looks that wait, nobody is at, and somebody may be given.

        They have said nothing of the case, and were given no other look at it. Those that hold something come first,
        and the oldest of them.
        """
        ...

    def given(self, by: str) -> list[OneLook]:
        """Return the looks that wait and were given to somebody, by number."""
        ...

    def done(self, since: int, limit: int) -> list[OneLook]:
        """Return at most `limit` looks that were done at a time or later, the newest first."""
        ...

    def open(self) -> int:
        """Return how many double looks wait."""
        ...


class GoldCases(Protocol):
    """The gold cases. See `Looks`."""

    def make(self, gold: Gold) -> Gold:
        """Make a case gold, durably, unless it is; return what it is then."""
        ...

    def undo(self, case: int) -> bool:
        """Let a case be gold no longer, durably; return whether it was."""
        ...

    def get(self, case: int) -> Gold | None:
        """Return what is known of a case; None where it is no gold one."""
        ...

    def all(self, limit: int) -> list[Gold]:
        """Return at most `limit` gold cases, by number."""
        ...

    def unseen(self, by: str, limit: int) -> list[int]:
        """Return at most `limit` numbers of decided gold cases that somebody may be given, the greatest first.

        They did not make it gold, have said nothing of it, and were given no look at it.
        """
        ...
