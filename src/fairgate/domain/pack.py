"""A pack: the content that a team writes, as it stands in its files.

Event types, features, rules, reasons, segments with their costs, lists, what actions mean for an account, and the shape
of foreign files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fairgate.domain.action import Action


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a pack something stands. Lines and columns count from 1."""

    file: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of rule language with its place. `written` is how the file spells it, where that differs (escapes)."""

    source: str
    place: Place
    written: str = ""


@dataclass(frozen=True, slots=True)
class Attribute:
    """One attribute of an event type. `entity` is the kind it identifies, if any; a personal one is kept apart."""

    name: str
    type: str
    entity: str | None
    personal: bool
    required: bool
    about: str
    place: Place


@dataclass(frozen=True, slots=True)
class EventType:
    """An input fact's shape. A label type names the event types it speaks of; its `of` holds their event's id."""

    name: str
    about: str
    attributes: tuple[Attribute, ...]
    label_of: tuple[str, ...]
    place: Place

    def attribute(self, name: str) -> Attribute | None:
        """The attribute of that name."""
        return next((attribute for attribute in self.attributes if attribute.name == name), None)


@dataclass(frozen=True, slots=True)
class Feature:
    """An aggregate under a name, read and recorded at the event types `on`."""

    name: str
    value: Text
    on: tuple[str, ...]
    about: str
    place: Place


class Stage(StrEnum):
    """How far a rule is released."""

    SHADOW = "shadow"
    CANARY = "canary"
    LIVE = "live"


@dataclass(frozen=True, slots=True)
class Mode:
    """A rule's release stage; `fraction` of the entities are in a canary."""

    stage: Stage
    fraction: float


@dataclass(frozen=True, slots=True)
class RuleTest:
    """Events on the last of which a rule must fire, or on none of which it may. `places` are where each stands.

    `listed` is what stands in lists meanwhile, beside what came with the pack.
    """

    fires: bool
    events: tuple[Mapping[str, object], ...]
    about: str
    place: Place
    places: tuple[Place, ...]
    listed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rule:
    """A named condition that yields a signal.

    `score` is log-odds of abuse, `actions` the least it asks for by event type.
    """

    name: str
    on: tuple[str, ...]
    when: Text
    score: float
    actions: Mapping[str, Action]
    reason: str
    why: Text | None
    group: str
    mode: Mode
    by: str | None
    daily_cap: int | None
    owner: str
    tests: tuple[RuleTest, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Reason:
    """A stable code with a text for the user (no detection detail), the reviewer, and the executive.

    `clause` names the part of the terms of use that it rests on; empty where the pack says of none.
    """

    code: str
    user: str
    reviewer: str
    executive: str
    clause: str
    place: Place


@dataclass(frozen=True, slots=True)
class Appeal:
    """How to have an action looked at again, in words for whoever it is on, and for how many days."""

    text: str
    days: int


@dataclass(frozen=True, slots=True)
class CaseTerms:
    """When a decision calls for somebody to look, and what is at stake then.

    It does from the action `opens_from` on. `cost` is the attribute of events that says what they used, in dollars:
    None where none does. Somebody bad goes on for `hours` until they are caught otherwise, and a review takes
    `minutes`. `skills` says, by the code of a reason, what somebody has to know who judges a case with it.
    """

    opens_from: Action
    cost: str | None
    hours: float
    minutes: float
    skills: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Bulk:
    """How it is known what accounts pay and when they began, for the preview of bulk actions.

    `paid` is the event type of money that came in, `amount` its attribute that says how much; only events whose
    attributes have the values of `paid_if` count. An account began with its first event of the type `begins`. Both
    types are empty where the pack does not say.
    """

    paid: str
    amount: str
    paid_if: Mapping[str, str]
    begins: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of the population with costs of its own; the first whose condition holds is the event's.

    `on` are the event types it is looked for at, empty for all; `costs` are on an abusive and on an honest event.
    """

    name: str
    on: tuple[str, ...]
    when: Text | None
    costs: Mapping[Action, tuple[float, float]]
    place: Place


@dataclass(frozen=True, slots=True)
class Remembers:
    """What a list is filled with by itself: identifiers of accounts that one of `actions` was taken against.

    They are those seen with the account in events of the types `on`, and stand for `length` (microseconds) from the
    action's beginning. One that more than `shared_by` accounts have used is nobody's, and is left out.
    """

    actions: frozenset[Action]
    on: tuple[str, ...]
    length: int
    shared_by: int


@dataclass(frozen=True, slots=True)
class ListSpec:
    """A named list of values. With an `entity` and an `effect` it acts by itself on every event of such an entity.

    `reason` is the code that is told then; empty where nothing is to be told.
    """

    name: str
    about: str
    entity: str | None
    effect: Action | None
    reason: str
    entries: tuple[str, ...]
    place: Place
    remembers: Remembers | None = None


@dataclass(frozen=True, slots=True)
class ActionSpec:
    """What an action means for an account, beyond the event that it was decided on, and for how long (microseconds).

    Without a `length` it stands until it is undone. Whoever it is on may `use` the service or not, `spend` what they
    have bought or been given or not, has `rate` (above 0 to 1) of their usual rate, the `models` named or all, and is
    asked for a `challenge`, by its kind. It ends by an event of the type `ends_on`, such as a passed challenge.
    """

    action: Action
    length: int | None
    use: bool
    spend: bool
    rate: float
    models: tuple[str, ...] | None
    challenge: str | None
    ends_on: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class SourceEvent:
    """How one row of a foreign file becomes one event.

    Values are paths into the row; `delay` shifts the time (microseconds).
    """

    type: str
    when: Mapping[str, str | int | float | bool]
    id: str
    id_prefix: str
    time: str
    delay: int
    attributes: Mapping[str, str]
    place: Place


@dataclass(frozen=True, slots=True)
class Source:
    """The shape of a foreign file. `time_format` is the unit of times that are numbers: s, ms or us."""

    format: str
    name: str
    time_format: str | None
    events: tuple[SourceEvent, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Pack:
    """All content of one pack, as loaded. `digest` tells two versions apart whatever their `version` says."""

    name: str
    version: str
    about: str
    prior: float
    event_types: Mapping[str, EventType]
    features: tuple[Feature, ...]
    rules: tuple[Rule, ...]
    reasons: Mapping[str, Reason]
    segments: tuple[Segment, ...]
    lists: Mapping[str, ListSpec]
    actions: Mapping[Action, ActionSpec]
    appeal: Appeal | None
    cases: CaseTerms | None
    bulk: Bulk | None
    source: Source | None
    digest: str
    files: Mapping[str, str] = field(repr=False)

    @property
    def label(self) -> str:
        """Name, version and the beginning of the digest, as decisions and people cite it."""
        return f"{self.name} {self.version} ({self.digest[:8]})"
