"""The tables of a pack's files, as written."""

from typing import Any, Literal

import msgspec

ActionWord = Literal["allow", "watch", "throttle", "challenge", "hold", "suspend", "ban"]
GraveWord = Literal["suspend", "ban"]
#: The evidence groups; two of them together are independent evidence.
Group = Literal["network", "device", "payment", "identity", "behaviour"]


class Table(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """A table; a key that it doesn't know is a fault."""


class PackTable(Table, frozen=True):
    """[pack]."""

    name: str
    version: str
    about: str = ""
    prior: float = 0.01


class AttributeTable(Table, frozen=True):
    """An attribute of an event type; its type alone may stand for it."""

    type: str = "text"
    entity: str | None = None
    personal: bool = False
    required: bool = False
    about: str = ""


class EventTable(Table, frozen=True):
    """[event."name"]."""

    about: str = ""
    label_of: str | list[str] = []
    attributes: dict[str, str | AttributeTable] = {}


class FeatureTable(Table, frozen=True):
    """[[feature]]."""

    name: str
    value: str
    on: str | list[str]
    about: str = ""


class RuleTestTable(Table, frozen=True):
    """An element of a rule's tests."""

    fires: bool
    events: list[dict[str, Any]]
    about: str = ""
    listed: dict[str, list[str]] = {}


class RuleTable(Table, frozen=True):
    """[[rule]]."""

    name: str
    on: str | list[str]
    when: str
    score: float = 0.0
    action: ActionWord | dict[str, ActionWord] | None = None
    reason: str = ""
    why: str | None = None
    group: Group = "behaviour"
    mode: str = "shadow"
    by: str | None = None
    daily_cap: int | None = None
    owner: str = ""
    tests: list[RuleTestTable] = []


class ReasonTable(Table, frozen=True):
    """[[reason]]."""

    code: str
    user: str
    reviewer: str
    executive: str
    clause: str = ""


class CostTable(Table, frozen=True):
    """Costs of an action on an abusive and on an honest event."""

    bad: float
    good: float


class SegmentTable(Table, frozen=True):
    """[[segment]]."""

    name: str
    on: str | list[str] = []
    when: str | None = None
    costs: dict[ActionWord, CostTable] = {}


class RemembersTable(Table, frozen=True, rename={"length": "for"}):
    """How a list is filled by itself."""

    of: list[GraveWord]
    on: str | list[str]
    length: str
    shared_by: int = 3


class ListTable(Table, frozen=True):
    """[[list]]."""

    name: str
    about: str = ""
    entity: str | None = None
    effect: ActionWord | None = None
    reason: str = ""
    entries: list[str] = []
    file: str | None = None
    remembers: RemembersTable | None = None


class ActionTable(Table, frozen=True, rename={"length": "for"}):
    """[action.name]."""

    length: str | None = None
    use: bool = True
    spend: bool = True
    rate: float = 1.0
    models: list[str] | None = None
    challenge: str | None = None
    ends_on: str | None = None


class AppealTable(Table, frozen=True):
    """[appeal]."""

    text: str
    days: int = 180


class CasesTable(Table, frozen=True, rename={"opens_from": "from"}):
    """[cases]."""

    opens_from: ActionWord
    cost: str | None = None
    hours: float = 24.0
    minutes: float = 5.0
    skills: dict[str, str] = {}


class BulkTable(Table, frozen=True):
    """[bulk]."""

    paid: str = ""
    amount: str = ""
    paid_if: dict[str, str] = {}
    begins: str = ""


class SourceEventTable(Table, frozen=True):
    """[[source.event]]."""

    type: str
    id: str
    time: str
    when: dict[str, str | int | float | bool] = {}
    id_prefix: str = ""
    delay: str = "0s"
    attributes: dict[str, str] = {}


class SourceTable(Table, frozen=True):
    """[source]."""

    format: Literal["ndjson", "csv", "parquet"]
    event: list[SourceEventTable]
    name: str = ""
    time_format: Literal["s", "ms", "us"] | None = None


#: How each section is written, and the shape of one of its tables. Of [pack] and others like it there is one.
SECTIONS: dict[str, tuple[str, type[Table]]] = {
    "pack": ("[pack]", PackTable),
    "event": ('[event."name"]', EventTable),
    "feature": ("[[feature]]", FeatureTable),
    "rule": ("[[rule]]", RuleTable),
    "reason": ("[[reason]]", ReasonTable),
    "segment": ("[[segment]]", SegmentTable),
    "list": ("[[list]]", ListTable),
    "action": ("[action.name]", ActionTable),
    "appeal": ("[appeal]", AppealTable),
    "bulk": ("[bulk]", BulkTable),
    "cases": ("[cases]", CasesTable),
    "source": ("[source]", SourceTable),
}
