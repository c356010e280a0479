"""What is done to accounts and others beyond one event: the ledger's entries, and how long they stand."""

import msgspec

from fairgate.domain.action import Action

#: The end of what does not end by itself.
FOREVER = 1 << 62


class Subject(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Whom an entry is about: an entity by its kind and value, canonical; the token where that is personal."""

    kind: str
    value: str


class Undone(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """That an entry was undone: when, by whom and why. One that ended by an event has its type as `why`."""

    at: int
    by: str
    why: str


class Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """An action on a subject from one time to another (`FOREVER`: without an end), and why it was taken.

    `number` counts the entries of a log from 0. `reasons` are codes of the pack, `evidence` the rules and lists that
    spoke for it, or what a person names. What follows from a decision has no `by`, and `pack` says by which it was
    made; else `by` is who took it, `why` their words, and `ref` their own name for it, under which it is taken once.
    """

    number: int
    subject: Subject
    action: Action
    starts: int
    ends: int
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    pack: str
    by: str = ""
    why: str = ""
    ref: str = ""
    undone: Undone | None = None

    @property
    def by_person(self) -> bool:
        """Whether somebody took it, and no rule."""
        return self.by != ""

    def stands(self, now: int) -> bool:
        """Whether it is in force."""
        return self.undone is None and self.starts <= now < self.ends
