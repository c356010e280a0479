"""What other services are told: that what stands about somebody has changed, in words that give no detection away."""

from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from enum import StrEnum
from typing import Final

import msgspec

from fairgate.domain.action import Action
from fairgate.domain.event import moment
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.pack import ActionSpec, Reason
from fairgate.enforce.entitlements import entitlements
from fairgate.enforce.ledger import Ledger
from fairgate.enforce.standing import Standing, standing_of
from fairgate.ports.ledger import Message

STANDING_CHANGED: Final = "standing.changed"
SWITCHED: Final = "enforcement.switched"
#: The kind of subject that messages about switches have: they come in order among themselves.
SWITCH_KIND: Final = "switch"


class What(StrEnum):
    """What happened to an entry of the ledger.

    `SWITCHED`: its action, or all enforcement, was switched off or on. `REDEFINED`: a pack went live that says other
    things of its action.
    """

    TAKEN = "taken"
    UNDONE = "undone"
    ENDED = "ended"
    SWITCHED = "switched"
    REDEFINED = "redefined"


class Cause(msgspec.Struct):
    """The action after which somebody stands as they do, and what happened to it."""

    number: int
    action: str
    what: str
    automated: bool


class Changed(msgspec.Struct):
    """The data of a message that somebody's standing has changed."""

    standing: Standing
    cause: Cause


class Switched(msgspec.Struct):
    """The data of a message that an action, or `all` enforcement, is switched off or on again."""

    switch: str
    off: bool


class Body(msgspec.Struct):
    """A message's body, as Standard Webhooks has it."""

    type: str
    timestamp: datetime
    data: Changed | Switched


class Messages:
    """Makes messages of what a ledger says. `specs` and `reasons` are those of the pack that is live there."""

    def __init__(self, ledger: Ledger, specs: Mapping[Action, ActionSpec], reasons: Mapping[str, Reason]) -> None:
        self._ledger = ledger
        self.specs = specs
        self._reasons = reasons

    def changed(self, name: str, entry: Entry, what: What, now: int, off: AbstractSet[Action]) -> Message:
        """That something happened to an entry, with how its subject stands at a time, less the actions that are `off`.

        `name` is the message's id.
        """
        subject = entry.subject
        standing = self._ledger.standing(subject, now)
        shown = standing_of(subject, entitlements(standing, self.specs, off), self._reasons)
        cause = Cause(entry.number, entry.action.word, what, automated=not entry.by_person)
        return _message(name, subject, STANDING_CHANGED, Changed(shown, cause), now)


def name_of(entry: Entry, what: What, said: int) -> str:
    """The id of the message that something happened to an entry, as a record said at a time: always the same one.

    The time is in it, since a log that was restored from a backup gives the numbers of what it has lost again. There is
    no dot in it, which Standard Webhooks has between an id and what follows.
    """
    undone = entry.undone.at if entry.undone is not None else 0
    time = {What.TAKEN: entry.starts, What.UNDONE: undone, What.ENDED: entry.ends}.get(what, said)
    return f"action_{entry.number}_{what}-{time:x}"


def switched(name: str, sequence: int, now: int, *, off: bool) -> Message:
    """That an action, or all enforcement, is switched off or on, by a record of the log."""
    subject = Subject(SWITCH_KIND, name)
    return _message(f"switch_{sequence}-{now:x}", subject, SWITCHED, Switched(name, off), now)


def _message(name: str, subject: Subject, kind: str, data: Changed | Switched, now: int) -> Message:
    return Message(name, subject, kind, msgspec.json.encode(Body(kind, moment(now), data)))
