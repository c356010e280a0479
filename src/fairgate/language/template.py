"""The `why` of a rule: words with expressions in braces, `{count} sign-ups from {ip.network}`."""

import re
from dataclasses import dataclass

from fairgate.domain.pack import Text
from fairgate.language.aggregates import AGGREGATES
from fairgate.language.check import check
from fairgate.language.problems import Problems
from fairgate.language.scope import Names
from fairgate.language.syntax import slice_of
from fairgate.language.tree import FeatureRef, Node, RuleRef, walk

_PIECE = re.compile(r"(?P<brace>\{\{|\}\})|\{(?P<value>[^{}]*)\}|(?P<stray>[{}])|[^{}]+")


@dataclass(frozen=True, slots=True)
class Template:
    """Words and expressions in turn: `words` has one more item than `values`."""

    words: tuple[str, ...]
    values: tuple[Node, ...]


def check_template(text: Text, on: tuple[str, ...], when: Node, names: Names, problems: Problems) -> Template | None:
    """The template of a text, or None with its faults noted.

    An aggregate's bare name stands for the first such aggregate of the rule's condition.
    """
    words: list[str] = [""]
    values: list[Node | None] = []
    for piece in _PIECE.finditer(text.source):
        if piece["stray"]:
            place = slice_of(text, *piece.span()).place
            problems.add(
                place, f"this `{piece[0]}` has no partner", hint=f"write {piece[0] * 2} for a brace of its own"
            )
            return None
        if piece["value"] is None:
            words[-1] += piece["brace"][0] if piece["brace"] else piece[0]
        else:
            values.append(_value(slice_of(text, *piece.span("value")), on, when, names, problems))
            words.append("")
    found = tuple(value for value in values if value is not None)
    return Template(tuple(words), found) if len(found) == len(values) else None


def _value(inside: Text, on: tuple[str, ...], when: Node, names: Names, problems: Problems) -> Node | None:
    name, width = inside.source.strip(), len(inside.source)
    if name in AGGREGATES:
        for node in walk(when):
            if isinstance(node, FeatureRef) and node.aggregate.name == name:
                return node
        problems.add(inside.place, f"the rule's condition has no {name}(...)", width=width, hint="write it out here")
        return None
    value = check(inside, on, names, problems)
    if value is not None and any(isinstance(each, RuleRef) for each in walk(value)):
        problems.add(inside.place, "a rule can't be shown in `why`", width=width, hint="write its condition out here")
        return None
    return value
