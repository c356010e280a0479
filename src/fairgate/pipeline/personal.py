"""How the personal attributes of an event are recorded, and how they come back.

The values are sealed. Beside them stand tokens (what features, lists and searches compare) and facts (the parts that
tell nobody who it is), so that an event whose subject was erased still counts as it did.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, TypeAlias

from fairgate.domain.event import Erased
from fairgate.domain.pack import Attribute, EventType
from fairgate.domain.secret import Tokens, key_of
from fairgate.features.plan import SlotKind, TypePlan
from fairgate.language.checked import CheckedPack
from fairgate.language.semantic import SemanticType
from fairgate.language.to_python import compiled, missing_parts
from fairgate.language.tree import Attr, Kind

#: The attribute whose value is the subject of what is personal in an event.
SUBJECT = "account"

_Read: TypeAlias = Callable[[Any], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class PersonalForm:
    """The personal part of one event type.

    `tokens(data)` and `facts(data)` are what stands in the clear: a token for each of `token_names` (an attribute, or
    `attribute.part`), and for each of `fact_names` the named parts. None is for what is missing.
    """

    token_names: tuple[str, ...]
    fact_names: Mapping[str, tuple[str, ...]]
    tokens: _Read
    facts: _Read


def personal_form(event_type: EventType, plan: TypePlan, checked: CheckedPack, tokens: Tokens) -> PersonalForm:
    """The form of an event type: tokens of its personal texts, and of the parts of them that features are keyed by."""
    personal = [each for each in event_type.attributes if is_personal_text(each, checked.semantics)]
    parsed = {each.name: checked.semantics[each.type] for each in personal if each.type in checked.semantics}
    paths = [*((each.name, "") for each in personal), *_hashed_parts(plan, parsed)]
    facts = {name: facts_of(semantic) for name, semantic in parsed.items()}
    loads = [f"    {name} = parse_{name}(d.{name}) if d.{name} is not None else None" for name in parsed]
    token_values = [
        f"tokens[{name}.{part or 'value'}] if {name} is not None else None" if name in parsed else f"tokens[d.{name}]"
        for name, part in paths
    ]
    fact_values = [
        f"({''.join(f'{name}.{part}, ' for part in parts)}) if {name} is not None else None"
        for name, parts in facts.items()
    ]
    namespace = {"tokens": tokens.of, **{f"parse_{name}": semantic.parse for name, semantic in parsed.items()}}
    return PersonalForm(
        token_names=tuple(f"{name}.{part}" if part else name for name, part in paths),
        fact_names=facts,
        tokens=_tuple_of("tokens_of", loads, token_values, namespace),
        facts=_tuple_of("facts_of", loads, fact_values, namespace),
    )


def is_personal_text(attribute: Attribute, semantics: Mapping[str, SemanticType]) -> bool:
    """Whether an attribute is a personal text: these have tokens."""
    return attribute.personal and (attribute.type == "text" or attribute.type in semantics)


def facts_of(semantic: SemanticType) -> tuple[str, ...]:
    """The parts of a type that tell nobody who it is."""
    return tuple(part for part in semantic.fields if part not in semantic.revealing)


def erased(semantic: SemanticType | None, tokens: Mapping[str, bytes | None], facts: Mapping[str, Any]) -> Erased:
    """What stands for a personal text whose key is gone: its tokens by part ("" for the whole), and its facts."""
    keys = {part: key_of(token) for part, token in tokens.items()}
    if semantic is None:
        return Erased(None, keys)
    return Erased(SimpleNamespace(**{**missing_parts(semantic), **facts}), keys)


def _hashed_parts(plan: TypePlan, parsed: Mapping[str, SemanticType]) -> list[tuple[str, str]]:
    """The revealing parts, other than the canonical form, that features have as keys or count the values of."""
    nodes = [slot.value for slot in plan.slots if slot.kind == SlotKind.HASH]
    found = [
        (node.name, node.part)
        for node in nodes
        if isinstance(node, Attr) and node.name in parsed and node.kind == Kind.TEXT and node.part not in ("", "value")
    ]
    return [(name, part) for name, part in dict.fromkeys(found) if part in parsed[name].revealing]


def _tuple_of(name: str, loads: Sequence[str], values: Sequence[str], namespace: Mapping[str, Any]) -> _Read:
    """A function of an event's data that gives these values as a tuple."""
    lines = [f"def {name}(d):", *(loads if values else ()), f"    return ({''.join(f'({each}), ' for each in values)})"]
    read: _Read = compiled("\n".join(lines), name, namespace)
    return read
