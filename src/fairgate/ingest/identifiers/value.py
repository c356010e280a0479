"""What every identifier has in common: a value with parts, or the reason why the text can't be one."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Protocol, get_type_hints

from fairgate.language.semantic import SemanticType

_KINDS: Mapping[object, str] = {str: "text", str | None: "text", int: "number", bool: "bool"}


class BadValue(ValueError):
    """The text can't be what it claims. `reason` continues a sentence that begins with the attribute's name.

    It never repeats the text, which may be hostile or personal; a character is named by its code point.
    """

    reason: str

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Value(Protocol):
    """A parsed identifier: a frozen, slotted dataclass whose attributes are the parts a rule may use."""

    @property
    def raw(self) -> str:
        """The text as sent."""
        ...

    @property
    def value(self) -> str:
        """The canonical form, which is the entity's identity. Parsing it again gives the same value."""
        ...


def semantic_type(
    name: str, about: str, parse: Callable[[str], Value], value_class: type[Value], revealing: str
) -> SemanticType:
    """The semantic type whose fields are exactly the value class's attributes, in their order.

    `parse` is pure and deterministic, and raises `BadValue` and nothing else, whatever the text. A part that may be
    missing has its plain kind. `revealing` are the parts that identify a person, with spaces between. KeyError where a
    part's type is none that a rule knows, or a revealing part is none of the parts.
    """
    fields = {part: _KINDS[hint] for part, hint in get_type_hints(value_class).items()}
    if not fields.keys() >= set(revealing.split()):
        raise KeyError(revealing)
    return SemanticType(name, about, parse, MappingProxyType(fields), frozenset(revealing.split()))
