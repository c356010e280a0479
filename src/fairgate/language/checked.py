"""A pack whose meaning is checked: what the compilers, the feature plan and the decision stage are made from."""

from collections.abc import Mapping
from dataclasses import dataclass

from fairgate.domain.pack import EventType, ListSpec, Pack, Rule, Segment
from fairgate.language.semantic import SemanticType
from fairgate.language.template import Template
from fairgate.language.tree import PLAIN_TYPES, Aggregate, Attr, Kind, Node


@dataclass(frozen=True, slots=True)
class CheckedRule:
    """A rule with its condition as a tree. `by` is the entity that a canary is drawn on."""

    rule: Rule
    when: Node
    why: Template | None
    by: Attr | None


@dataclass(frozen=True, slots=True)
class CheckedSegment:
    """A segment with its condition; None in the last, which takes the rest."""

    segment: Segment
    when: Node | None


@dataclass(frozen=True)
class CheckedPack:
    """A pack without faults. `rules` are ordered so that a rule comes after those it names.

    `read` gives, for each event type, the aggregates whose value is recorded there, under the names they have there.
    """

    pack: Pack
    semantics: Mapping[str, SemanticType]
    rules: tuple[CheckedRule, ...]
    segments: tuple[CheckedSegment, ...]
    read: Mapping[str, Mapping[str, Aggregate]]

    def rules_on(self, event_type: str) -> tuple[CheckedRule, ...]:
        """The rules that look at an event type, in order."""
        return tuple(each for each in self.rules if event_type in each.rule.on)

    def entities(self, event_type: EventType) -> tuple[tuple[str, Attr], ...]:
        """The entity kinds of an event type, each with the attribute that identifies it."""
        return tuple(
            (each.entity, attr_of(each.name, each.type)) for each in event_type.attributes if each.entity is not None
        )

    def acting_lists(self) -> tuple[ListSpec, ...]:
        """The lists that act by themselves."""
        return tuple(each for each in self.pack.lists.values() if each.effect is not None)


def attr_of(name: str, type_name: str) -> Attr:
    """An attribute's tree node, without a part."""
    plain = PLAIN_TYPES.get(type_name)
    return Attr(name, "", plain, None) if plain else Attr(name, "", Kind.TEXT, type_name)
