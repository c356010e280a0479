"""The ledger: what was done to whom, until when, and what of it was undone. Its state is what the log says, in order.

An entry follows from a decision on an event, or is made by a person or a program of another team. What has ended by
itself is forgotten here; it stands in the log.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from heapq import heappop, heappush
from types import MappingProxyType
from typing import Final

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.errors import NoSuchEntry, RefTaken
from fairgate.domain.event import Decision
from fairgate.domain.ledger import FOREVER, Entry, Subject, Undone
from fairgate.domain.pack import ActionSpec
from fairgate.domain.windows import DAY

#: How long an entry that was undone can be asked for, and its `ref` is known, where it would not have ended before.
REMEMBERED: Final = 30 * DAY
_NOBODY: Final[Mapping[str, tuple[int, ...]]] = MappingProxyType({})


@dataclass
class Ledger:
    """The entries that stand, and those that were undone of late.

    `specs` say which actions are more than an answer to one event, and for how long. The state is a function of the
    calls of `take`, `undo` and `restore`, in their order; times are the log's clock.
    """

    specs: Mapping[Action, ActionSpec]
    #: The number of the next entry.
    following: int = 0
    #: Is told of each entry that is taken in, as it is then.
    told: Callable[[Entry], None] = field(default=lambda _: None, compare=False)
    _entries: dict[int, Entry] = field(default_factory=dict)
    #: By kind, then by value: most events are about nobody of whom anything is held, and are told so by two looks.
    _of: dict[str, dict[str, tuple[int, ...]]] = field(default_factory=dict)
    _refs: dict[tuple[str, str], int] = field(default_factory=dict)
    _ends: list[tuple[int, int]] = field(default_factory=list)

    # ------------------------------------------------------------------------------------------------------- making

    def follows(
        self, subject: Subject, decision: Decision, reasons: Callable[[], tuple[str, ...]], now: int
    ) -> Entry | None:
        """The entry that follows from a decision on one of a subject's events; None where none does.

        Nothing follows from an action that the pack says nothing of, for a subject that somebody has spared, or where
        what stands already is as grave and has half of its time left: a thousand throttled requests are one entry.
        """
        spec = self.specs.get(decision.action)
        if spec is None:
            return None
        ends = FOREVER if spec.length is None else now + spec.length
        enough = FOREVER if spec.length is None else now + spec.length // 2
        for each in self.standing(subject, now):
            spares = each.action == Action.ALLOW
            if spares or (each.action >= decision.action and each.ends >= enough):
                return None
        return Entry(
            number=self.following,
            subject=subject,
            action=decision.action,
            starts=now,
            ends=ends,
            reasons=reasons(),
            evidence=(*decision.lists, *(each for each in decision.rules if each not in decision.silent)),
            pack=decision.pack,
        )

    def ended(self, subject: Subject, actions: AbstractSet[Action], event_type: str, now: int) -> tuple[Entry, ...]:
        """What stands about a subject and ends by an event of this type, as it is then."""
        undone = Undone(now, "", event_type)
        return tuple(
            msgspec.structs.replace(each, undone=undone)
            for each in self.standing(subject, now)
            if each.action in actions
        )

    def made(self, asked: Entry) -> tuple[Entry, bool]:
        """An entry that somebody makes, with its number, and whether it is there already under their `ref`.

        Raises `RefTaken` where that stands for something else.
        """
        number = self._refs.get((asked.by, asked.ref)) if asked.ref else None
        if number is None:
            return msgspec.structs.replace(asked, number=self.following), False
        known = self._entries[number]
        if _written(known) != _written(asked):
            raise RefTaken(asked.ref, number)
        return known, True

    # -------------------------------------------------------------------------------------------------------- state

    def take(self, entry: Entry) -> None:
        """Take in an entry, or what is said of one again."""
        number, subject = entry.number, entry.subject
        if number not in self._entries:
            held = self._of.setdefault(subject.kind, {})
            held[subject.value] = (*held.get(subject.value, ()), number)
        self._entries[number] = entry
        self.following = max(self.following, number + 1)
        if entry.ref:
            self._refs[entry.by, entry.ref] = number
        if entry.ends < FOREVER or entry.undone is not None:
            heappush(self._ends, (_forgotten(entry), number))
        self.told(entry)

    def undo(self, numbers: Iterable[int], undone: Undone) -> None:
        """Undo entries. One that was undone before, or is not known any more, stays as it is."""
        for number in numbers:
            entry = self._entries.get(number)
            if entry is not None and entry.undone is None:
                self.take(msgspec.structs.replace(entry, undone=undone))

    def forget(self, now: int) -> None:
        """Forget what has ended before a time."""
        while self._ends and self._ends[0][0] <= now:
            _, number = heappop(self._ends)
            entry = self._entries.get(number)
            if entry is not None and _forgotten(entry) <= now:
                self._drop(entry)

    @property
    def ends_at(self) -> int:
        """Before this nothing ends by itself, or is forgotten."""
        return self._ends[0][0] if self._ends else FOREVER

    def restore(self, entries: Iterable[Entry], following: int = 0) -> None:
        """Take in several entries, as the log has them, and the number that came after them."""
        for entry in entries:
            self.take(entry)
        self.following = max(self.following, following)

    def reset(self) -> None:
        """Forget everything."""
        self.following = 0
        for each in (self._entries, self._of, self._refs, self._ends):
            each.clear()

    # -------------------------------------------------------------------------------------------------------- asking

    def __len__(self) -> int:
        """How many entries are held."""
        return len(self._entries)

    def __contains__(self, number: int) -> bool:
        """Whether the entry of a number is held."""
        return number in self._entries

    def __iter__(self) -> Iterator[Entry]:
        """The entries that are held, in the order in which they were taken in first."""
        yield from self._entries.values()

    def get(self, number: int) -> Entry:
        """The entry of a number. Raises `NoSuchEntry` where there was none, or it has ended by itself."""
        entry = self._entries.get(number)
        if entry is None:
            raise NoSuchEntry(number, self.following)
        return entry

    def of(self, subject: Subject) -> list[Entry]:
        """What is held of a subject, the oldest first, also what was undone."""
        return [self._entries[number] for number in self._of.get(subject.kind, _NOBODY).get(subject.value, ())]

    def standing(self, subject: Subject, now: int) -> list[Entry]:
        """What stands against or for a subject at a time, the oldest first."""
        return [entry for entry in self.of(subject) if entry.stands(now)]

    @property
    def held(self) -> Mapping[str, Mapping[str, tuple[int, ...]]]:
        """The numbers of what is held, by the kinds of subjects and then by their values."""
        return self._of

    def _drop(self, entry: Entry) -> None:
        number, subject = entry.number, entry.subject
        del self._entries[number]
        held = self._of[subject.kind]
        left = tuple(each for each in held[subject.value] if each != number)
        if left:
            held[subject.value] = left
        else:
            del held[subject.value]
        if not held:
            del self._of[subject.kind]
        if entry.ref and self._refs.get((entry.by, entry.ref)) == number:
            del self._refs[entry.by, entry.ref]


def endings(specs: Mapping[Action, ActionSpec]) -> Mapping[str, frozenset[Action]]:
    """The actions that end by an event, by its type."""
    types = {each.ends_on for each in specs.values() if each.ends_on is not None}
    return {name: frozenset(each.action for each in specs.values() if each.ends_on == name) for name in types}


def _written(entry: Entry) -> tuple[Subject, Action, int]:
    """An entry as it was asked for: what must be the same where the same `ref` comes again."""
    return entry.subject, entry.action, FOREVER if entry.ends == FOREVER else entry.ends - entry.starts


def _forgotten(entry: Entry) -> int:
    """When an entry is forgotten."""
    return entry.ends if entry.undone is None else min(entry.ends, entry.undone.at + REMEMBERED)
