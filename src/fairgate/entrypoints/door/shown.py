"""What operators are shown of decisions, entities, lists and switches: the wire structs of the answers."""

from datetime import datetime
from typing import Any

import msgspec


class EventShown(msgspec.Struct):
    """An event as it was received. Where `readable` is false, tokens stand for personal texts."""

    source: str
    id: str
    type: str
    time: datetime
    received: datetime
    attributes: dict[str, Any]
    personal: dict[str, Any]
    readable: bool


class DecisionShown(msgspec.Struct):
    """The whole decision. What is in `silent` fired and changed nothing; `drawn` are canary draws."""

    action: str
    log_odds: float
    probability: float
    segment: str
    lists: list[str]
    silent: list[str]
    drawn: list[str]
    notes: list[str]
    degraded: list[str]
    propensity: float
    pack: str


class ReasonShown(msgspec.Struct):
    """A reason in its texts, with the lists and rules behind it."""

    code: str
    user: str
    reviewer: str
    executive: str
    score: float
    decisive: bool
    lists: list[str]
    rules: list[str]


class RuleShown(msgspec.Struct):
    """A rule that fired, as the pack had it then. `why` is its evidence in words; empty where it has none."""

    name: str
    score: float
    mode: str
    silent: bool
    owner: str
    group: str
    why: str


class FeatureShown(msgspec.Struct):
    """A feature with its type: number, text, bool or time (a text too, in RFC 3339). Missing is null."""

    type: str
    value: float | str | bool | None


class DecisionAnswer(msgspec.Struct):
    """A decision with all that it was made of, in the words of the pack that made it."""

    sequence: int
    event: EventShown
    decision: DecisionShown
    reasons: list[ReasonShown]
    rules: list[RuleShown]
    features: dict[str, FeatureShown]


class EntityFeatureShown(msgspec.Struct):
    """What the next event of the entity would read before it is counted. Events of the types `read_at` read it."""

    name: str
    formula: str
    window: str
    by: str
    read_at: list[str]
    type: str
    value: float | str | bool | None


class EntryShown(msgspec.Struct):
    """A value in a list. Without `until` it came with the pack and stands for ever."""

    list: str
    value: str
    until: datetime | None = None
    by: str = "pack"
    why: str = ""


class EntityAnswer(msgspec.Struct):
    """An entity now. Without the scope `personal` a personal value is shown as its token."""

    kind: str
    value: str
    seen: bool
    at: datetime
    features: list[EntityFeatureShown]
    lists: list[EntryShown]


class ListShown(msgspec.Struct):
    """A list of the pack. Where it is personal, tokens stand for its values."""

    name: str
    about: str
    entity: str | None
    effect: str | None
    reason: str
    personal: bool


class ListsAnswer(msgspec.Struct):
    """The lists of the pack."""

    lists: list[ListShown]


class EntriesAnswer(msgspec.Struct):
    """Entries of a list by value. `next`, where there is more, is the `after` of the next page."""

    entries: list[EntryShown]
    next: str | None = None


class SwitchesAnswer(msgspec.Struct):
    """What is switched off. With `all` nothing is enforced."""

    all: bool
    rules: list[str]
    actions: list[str]
