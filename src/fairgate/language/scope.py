"""What an expression is checked against, and how its faults are told."""

import ast
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from fairgate.domain.pack import EventType, Text
from fairgate.language.problems import Problems, with_article
from fairgate.language.semantic import SemanticType
from fairgate.language.syntax import place_of, width_of
from fairgate.language.tree import Aggregate, Kind, Node


@dataclass(frozen=True)
class Names:
    """What an expression may speak of.

    `rules` and `feature_types` give the event types that each looks at; a feature without any there looks at all.
    Features in `broken` have faults of their own, which are told already. What may read the event alone (no aggregate,
    feature or rule) is named in `event_only`, which is empty elsewhere.
    """

    event_types: Mapping[str, EventType]
    semantics: Mapping[str, SemanticType]
    lists: frozenset[str]
    features: Mapping[str, Aggregate] = field(default_factory=dict)
    rules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    feature_types: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    broken: AbstractSet[str] = frozenset()
    event_only: str = ""


class Fault(Exception):
    """An expression was left because of a fault, which is noted. Never seen outside the checker."""


@dataclass(frozen=True)
class Scope(ABC):
    """One expression of a pack about event types `on`, while it is checked."""

    text: Text
    on: tuple[str, ...]
    names: Names
    problems: Problems

    @abstractmethod
    def node(self, node: ast.expr) -> Node:
        """The typed tree of a part of the expression; raises `Fault`, noted."""

    def fault(self, node: ast.expr, what: str, hint: str = "") -> Fault:
        """Note a fault; what is returned is to be raised."""
        self.problems.add(place_of(self.text, node), what, width=width_of(self.text, node), hint=hint)
        return Fault()

    def several(self, nodes: Iterable[ast.expr], one: Callable[[ast.expr], Node]) -> tuple[Node, ...]:
        """Check each, so that a fault in one doesn't hide those in the next."""
        done, failed = [], False
        for each in nodes:
            try:
                done.append(one(each))
            except Fault:
                failed = True
        if failed:
            raise Fault
        return tuple(done)

    def typed(self, node: ast.expr, kind: Kind) -> Node:
        """The tree of a part that must be of a type."""
        checked = self.node(node)
        if checked.kind != kind:
            hint = "compare it with something" if kind == Kind.BOOL else ""
            raise self.fault(node, f"this is {with_article(checked.kind)}, where {with_article(kind)} is needed", hint)
        return checked

    def condition(self, node: ast.expr) -> Node:
        """The tree of a part that must be true, false or unknown."""
        return self.typed(node, Kind.BOOL)

    def texts(self, nodes: Iterable[ast.expr], hint: str = "") -> tuple[str, ...]:
        """Constant texts."""
        found = []
        for each in nodes:
            if not (isinstance(each, ast.Constant) and isinstance(each.value, str)):
                bare = f'write "{each.id}" in quotes' if isinstance(each, ast.Name) else ""
                raise self.fault(each, "a constant text is needed here", hint or bare)
            found.append(each.value)
        return tuple(found)
