"""Semantic types: texts that have parts, such as an e-mail address and its domain. Ingest says how they are parsed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter

_value = attrgetter("value")


@dataclass(frozen=True, slots=True)
class SemanticType:
    """A type by its parts.

    `parse` gives an object with an attribute for each of `fields` (text, number or bool), or raises a ValueError whose
    text continues a sentence that begins with the attribute's name. One of the fields is `value`, the canonical form.
    `revealing` are the parts that identify a person where the attribute is personal.
    """

    name: str
    about: str
    parse: Callable[[str], object]
    fields: Mapping[str, str]
    revealing: frozenset[str]

    def canonical(self, text: str) -> str:
        """The canonical form of a text. Raises as `parse`."""
        return str(_value(self.parse(text)))
