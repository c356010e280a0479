"""Bulk actions, kept with their accounts and what became of each."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from fairgate.domain.action import Action
from fairgate.domain.bulk import Actor, Bulk, BulkState, Fate, Happening, Progress


class Drafted(NamedTuple):
    """The bulk action that is there now, and whether it is the one that was to be drafted.

    Else the same caller has this one under the same `ref`.
    """

    bulk: Bulk
    new: bool


class Step(NamedTuple):
    """A step from one state to the one that `happening` names. What is None stays as it was."""

    before: BulkState
    happening: Happening
    confirmed_by: str | None = None
    actor: Actor | None = None
    problem: str | None = None
    undo_why: str | None = None


class Bulks(Protocol):
    """All bulk actions that were ever drafted. They stand nowhere else, though what they did stands in the log.

    Any number of processes may use them at the same time. Everything raises `RecordsUnavailable` where the data base
    can't be used; nothing is half done then.
    """

    def draft(self, asked: Bulk, accounts: Sequence[str]) -> Drafted:
        """Keep a draft and its accounts, no two the same, durably, with a number greater than all before."""
        ...

    def get(self, number: int) -> Bulk | None:
        """Return the bulk action of a number; None where there is none."""
        ...

    def under(self, drafted_by: str, ref: str) -> Bulk | None:
        """Return what a caller drafted under a `ref`; None for nothing."""
        ...

    def found(self, before: int, limit: int) -> list[Bulk]:
        """Return at most `limit` with numbers below `before`, the newest first."""
        ...

    def going(self) -> list[Bulk]:
        """Return those that are at work, by number."""
        ...

    def step(self, number: int, step: Step) -> bool:
        """Make a step, durably, and return True. Where its state is another one nothing happens: False."""
        ...

    def history(self, number: int) -> list[Happening]:
        """Return its steps, the first at first."""
        ...

    def progress(self, number: int) -> Progress:
        """Return how far it is."""
        ...

    def page(self, number: int, limit: int) -> list[str]:
        """Note, durably, that the first `limit` accounts without a result are asked for, and return them."""
        ...

    def asked(self, number: int, limit: int) -> list[str]:
        """Return the first `limit` accounts that were asked for and have no result: those of a page cut short."""
        ...

    def settle(self, number: int, taken: Mapping[str, int], refused: Mapping[str, str]) -> None:
        """Note, durably, the numbers of actions taken and why others were not; the first result of an account stays."""
        ...

    def to_undo(self, number: int, limit: int) -> list[int]:
        """Return the numbers of at most `limit` actions that were taken and have no fate, in the accounts' order."""
        ...

    def meet(self, number: int, fates: Mapping[int, Fate]) -> None:
        """Note, durably, what an undo met at actions, by their numbers; the first fate of one stays."""
        ...

    def standing(self, kind: str, values: Sequence[str], now: int) -> dict[str, tuple[Action, Action]]:
        """Return the mildest and the gravest action that stand about each entity of a kind, where one does."""
        ...
