"""The structs of a pack's event types, and the generated functions that admit and split their data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec

from fairgate.domain.pack import EventType
from fairgate.ingest.identifiers import BadValue
from fairgate.ingest.identifiers.text import refuse_hidden
from fairgate.language.semantic import SemanticType

#: Characters in any text attribute, in an identifier (an entity), and in an event's id and source.
LONGEST_TEXT = 8_192
LONGEST_IDENTIFIER = 512
LONGEST_ID = 256
#: Numbers beyond this are not exact, and no honest one is.
LARGEST_NUMBER = 2.0**53
#: First and last year of an attribute that is a time. The calendar's own edges can't be turned into UTC.
TIME_YEARS = (1900, 2500)
NO_OFFSET = "has no offset from UTC; write RFC 3339, such as 2026-01-05T10:00:00Z"

_WIRE_TYPES: Mapping[str, Any] = {"text": str, "number": float, "integer": int, "bool": bool, "time": datetime}


class Envelope(msgspec.Struct, gc=False):
    """A CloudEvents 1.0 event; `data` is narrowed for each event type.

    What is not declared here or in a pack is not kept.
    """

    specversion: Literal["1.0"]
    id: str
    source: str
    data: Any
    time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Wire:
    """How one event type stands in memory and in the log.

    `admit(data)` is None, or the attribute at fault and what is wrong with it. `public(data)` and `personal(data)` are
    its values under `public_names` and `personal_names`; together they are the whole. `partial` is `data` with nothing
    required, for what is left of an event that was erased.
    """

    event_type: EventType
    data: type[msgspec.Struct]
    partial: type[msgspec.Struct]
    envelope: type[Envelope]
    admit: Callable[[Any], tuple[str, str] | None]
    public: Callable[[Any], tuple[Any, ...]]
    personal: Callable[[Any], tuple[Any, ...]]
    public_names: tuple[str, ...]
    personal_names: tuple[str, ...]


def wire_of(event_type: EventType, semantics: Mapping[str, SemanticType]) -> Wire:
    """The wire form of a checked event type."""
    ordered = sorted(event_type.attributes, key=lambda attribute: not attribute.required)
    fields: list[Any] = []
    for attribute in ordered:
        kind = _WIRE_TYPES.get(attribute.type, str)
        fields.append((attribute.name, kind) if attribute.required else (attribute.name, kind | None, None))
    name = "".join(part.title() for part in event_type.name.replace("_", ".").split("."))
    data = msgspec.defstruct(name, fields, gc=False)
    envelope: Any = msgspec.defstruct(
        f"{name}Envelope", [("data", data)], bases=(Envelope,), tag_field="type", tag=event_type.name, gc=False
    )
    optional = [(attribute, kind | None, None) for attribute, kind, *_ in fields]
    partial = msgspec.defstruct(f"{name}Partial", optional, gc=False)
    public = [attribute.name for attribute in ordered if not attribute.personal]
    personal = [attribute.name for attribute in ordered if attribute.personal]
    namespace: dict[str, Any] = {"BadValue": BadValue, "refuse_hidden": refuse_hidden}
    parsed = {attribute.type for attribute in ordered if attribute.type in semantics}
    namespace |= {f"parse_{name}": semantics[name].parse for name in parsed}
    source = "\n".join([*_admit(event_type), _split("public", public), _split("personal", personal)])
    exec(compile(source, f"<wire of {event_type.name}>", "exec"), namespace)  # noqa: S102 - made from checked names only
    return Wire(
        event_type=event_type,
        data=data,
        partial=partial,
        envelope=envelope,
        admit=namespace["admit"],
        public=namespace["public"],
        personal=namespace["personal"],
        public_names=tuple(public),
        personal_names=tuple(personal),
    )


def _admit(event_type: EventType) -> list[str]:
    lines = ["def admit(d):"]
    for attribute in event_type.attributes:
        faults = list(_faults(attribute.type, "v", is_entity=attribute.entity is not None))
        if faults:
            lines.append(f"    v = d.{attribute.name}")
        if faults and not attribute.required:
            lines.append("    if v is not None:")
        indent = "    " if attribute.required else "        "
        for condition, words in faults:
            lines.append(f"{indent}if {condition}: return {attribute.name!r}, {words!r}")
        if attribute.type not in _WIRE_TYPES:
            lines += _tried(f"parse_{attribute.type}", attribute.name, indent)
        elif attribute.type == "text" and attribute.entity is not None:
            lines.append(f"{indent}if not (v.isascii() and v.isprintable()):")
            lines += _tried("refuse_hidden", attribute.name, f"{indent}    ")
    return [*lines, "    return None"]


def _tried(function: str, name: str, indent: str) -> list[str]:
    """Call a function that raises `BadValue` on an attribute."""
    return [f"{indent}try: {function}(v)", f"{indent}except BadValue as bad: return {name!r}, bad.reason"]


def _faults(kind: str, name: str, *, is_entity: bool) -> list[tuple[str, str]]:
    """Conditions under which a value is refused, each with the reason."""
    if kind in ("number", "integer"):
        return [(f"not -{LARGEST_NUMBER} <= {name} <= {LARGEST_NUMBER}", "is not a finite number within 2**53")]
    if kind == "bool":
        return []
    if kind == "time":
        first, last = TIME_YEARS
        return [
            (f"{name}.tzinfo is None", NO_OFFSET),
            (f"not {first} <= {name}.year <= {last}", f"is not between the years {first} and {last}"),
        ]
    if not is_entity:
        return [(f"len({name}) > {LONGEST_TEXT}", f"has more than {LONGEST_TEXT:,} characters")]
    return [
        (f"not {name}", "is empty"),
        (f"len({name}) > {LONGEST_IDENTIFIER}", f"has more than {LONGEST_IDENTIFIER} characters"),
    ]


def _split(name: str, attributes: list[str]) -> str:
    values = "".join(f"d.{attribute}, " for attribute in attributes)
    return f"def {name}(d): return ({values})"
