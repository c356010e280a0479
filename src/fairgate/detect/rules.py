"""All rules of an event type as one generated function."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairgate.domain.event import microseconds, moment
from fairgate.language.checked import CheckedPack, CheckedRule
from fairgate.language.template import Template
from fairgate.language.to_python import Writer, compiled, mentions_false, module_of
from fairgate.language.tree import Kind, Node

#: Whole numbers below this are exact as a float.
_EXACT = 2**53

#: (data, time, clock, features, fired, failed) -> the segment's position. Appends the positions of rules that fired,
#: and (position, kind of error) of those that raised, -1 for a segment.
Judge = Callable[[Any, int, int, Sequence[float], list[int], list[tuple[int, str]]], int]
#: (data, time, clock, features) -> a rule's evidence in words.
Why = Callable[[Any, int, int, Sequence[float]], str]


@dataclass(frozen=True, slots=True)
class Detector:
    """The rules of one event type. Positions count in `rules`; `listed` names the acting lists an event is in."""

    rules: tuple[CheckedRule, ...]
    judge: Judge
    listed: Callable[[Any, int], tuple[str, ...]]
    entity_of: Mapping[str, Callable[[Any], str | None]]
    why: Mapping[str, Why]


def compile_detector(
    checked: CheckedPack,
    name: str,
    out_of: Mapping[str, int],
    text_of: Callable[[float], str | None],
    bindings: Mapping[str, Any],
) -> Detector:
    """The detector of an event type. `out_of` places features in what a judge is given; `bindings` has the lists."""
    return _Compiler(checked, name, out_of, text_of, bindings).detector()


class _Compiler:
    def __init__(
        self,
        checked: CheckedPack,
        name: str,
        out_of: Mapping[str, int],
        text_of: Callable[[float], str | None],
        bindings: Mapping[str, Any],
    ) -> None:
        self.checked = checked
        self.name = name
        self.rules = checked.rules_on(name)
        self.out_of = out_of
        self.namespace: dict[str, Any] = {
            **bindings,
            "nan": math.nan,
            "micros": microseconds,
            "as_text": text_of,
            "as_time": lambda value: None if math.isnan(value) else int(value),
            "as_bool": lambda value: None if math.isnan(value) else value == 1.0,
            "written": written,
        }

    def writer(self) -> Writer:
        return Writer(self.checked.pack.event_types[self.name], self.checked.semantics, self.out_of, self.namespace)

    def detector(self) -> Detector:
        canaries = {rule.rule.name: rule.by for rule in self.rules if rule.by is not None}
        return Detector(
            rules=self.rules,
            judge=self.judge(),
            listed=self.listed(),
            entity_of={rule: self.function("entity", "d", attr) for rule, attr in canaries.items()},
            why={each.rule.name: self.why(each.why) for each in self.rules if each.why is not None},
        )

    def judge(self) -> Judge:
        writer = self.writer()
        three_valued = mentions_false([rule.when for rule in self.rules])
        body: list[str] = []
        for position, rule in enumerate(self.rules):
            body += self.rule(writer, position, rule, three_valued)
        body += self.segments(writer)
        source = module_of("def judge(d, t, now, f, fired, failed):", writer, body)
        judge: Judge = compiled(source, "judge", self.namespace)
        return judge

    def rule(self, writer: Writer, position: int, rule: CheckedRule, three_valued: frozenset[str]) -> list[str]:
        """A rule that raises takes nothing down: it is unknown, counted and told.

        Only the kind of error is told: its words may hold what is personal, and may differ between machines.
        """
        result, when = f"r_{rule.rule.name}", rule.when
        otherwise = f"{result} = False"
        if rule.rule.name in three_valued:
            otherwise = f"{result} = False if {writer.false(when)} else None"
        return [
            "    try:",
            f"        if {writer.true(when)}:",
            f"            fired.append({position})",
            f"            {result} = True",
            "        else:",
            f"            {otherwise}",
            "    except Exception as error:",
            f"        {result} = None",
            f"        failed.append(({position}, type(error).__name__))",
        ]

    def segments(self, writer: Writer) -> list[str]:
        lines = []
        for position, each in enumerate(self.checked.segments):
            if each.when is not None and (not each.segment.on or self.name in each.segment.on):
                lines.append(f"        if {writer.true(each.when)}: return {position}")
        if lines:
            told = "        failed.append((-1, type(error).__name__))"
            lines = ["    try:", *lines, "    except Exception as error:", told]
        return [*lines, f"    return {len(self.checked.segments) - 1}"]

    def listed(self) -> Callable[[Any, int], tuple[str, ...]]:
        writer = self.writer()
        tests = []
        entities = self.checked.entities(self.checked.pack.event_types[self.name])
        for spec in self.checked.acting_lists():
            texts = [self.text(writer, attr) for kind, attr in entities if kind == spec.entity]
            if texts:
                held = " or ".join(f"list_{spec.name}.get({text}, 0) > now" for text in texts)
                tests.append(f"({spec.name!r},) if {held} else ()")
        body = [f"    return {' + '.join(f'({test})' for test in tests) or '()'}"]
        listed: Callable[[Any, int], tuple[str, ...]] = compiled(
            module_of("def listed(d, now):", writer, body), "listed", self.namespace
        )
        return listed

    @staticmethod
    def text(writer: Writer, attr: Node) -> str:
        guard, value = writer.there(attr)
        if attr.kind == Kind.TEXT:
            return value
        return f"(written({value}) if {guard} else None)" if guard else f"written({value})"

    def function(self, name: str, parameters: str, node: Node) -> Callable[..., Any]:
        writer = self.writer()
        source = module_of(f"def {name}({parameters}):", writer, [f"    return {self.text(writer, node)}"])
        function: Callable[..., Any] = compiled(source, name, self.namespace)
        return function

    def why(self, template: Template) -> Why:
        writer = self.writer()
        values = [
            f"{'shown_time' if node.kind == Kind.TIME else 'shown'}({writer.value(node)})" for node in template.values
        ]
        pieces = [repr(template.words[0])]
        for value, words in zip(values, template.words[1:], strict=True):
            pieces += [value, repr(words)]
        body = [f"    return {' + '.join(pieces)}"]
        source = module_of("def why(d, t, now, f):", writer, body)
        why: Why = compiled(source, "why", {**self.namespace, "shown": shown, "shown_time": shown_time})
        return why


def shown(value: object) -> str:
    """A value as a person reads it; what can't be printed is escaped, so that no terminal or page obeys it."""
    match value:
        case None:
            return "unknown"
        case bool():
            return "yes" if value else "no"
        case int():
            return f"{value:,}"
        case float():
            if math.isnan(value):
                return "unknown"
            whole = abs(value) < _EXACT and value.is_integer()
            return f"{value:,.0f}" if whole else f"{value:,.4g}"
        case _:
            text = str(value)
            return text if text.isprintable() else text.encode("unicode_escape").decode()


def shown_time(time: int | None) -> str:
    """A time as a person reads it."""
    return "unknown" if time is None else f"{moment(time):%Y-%m-%d %H:%M:%S} UTC"


def written(number: float) -> str:
    """A number that identifies an entity, as lists write it: 64496, whether it was sent as 64496 or as 64496.0."""
    return str(int(number)) if number == int(number) else repr(number)
