"""Compile checked expressions to Python source: one small module of functions per event type.

Three-valued logic without a third value at run time: for each condition there are two expressions, one that holds where
it is true and one that holds where it is false. Negation goes down to the leaves by swapping the two, and every leaf's
expression fails where something is missing, so that unknown makes both fail. Only where a condition is a value itself
(compared with another, asked for by `known`) is it True, False or None.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairgate.domain.event import Erased
from fairgate.domain.pack import EventType
from fairgate.language.semantic import SemanticType
from fairgate.language.tree import (
    Arithmetic,
    Attr,
    Both,
    Call,
    Compare,
    FeatureRef,
    Kind,
    Known,
    Listed,
    Literal,
    Node,
    Not,
    Now,
    OneOf,
    RuleRef,
    children,
)

_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}
_NEVER = "False"


def missing_parts(semantic: SemanticType) -> dict[str, float | None]:
    """Every part of a semantic type, missing."""
    return {name: float("nan") if kind == Kind.NUMBER else None for name, kind in semantic.fields.items()}


def nothing_of(semantic: SemanticType) -> object:
    """An object with every part of a semantic type missing."""
    return type(f"No{semantic.name.title()}", (), {"__slots__": (), **missing_parts(semantic)})()


def _kept(value: Erased | None, nothing: object) -> object:
    """The parts of a text that is not there in clear: those that were kept of it, or none."""
    return nothing if value is None else value.parts


@dataclass
class Writer:
    """Writes expressions about one event type, gathering the attributes they load and the objects they need by name.

    In the source, `d` is the event's data, `t` its time, `now` the log's clock, `f` the list of features read at it.
    """

    event_type: EventType
    semantics: Mapping[str, SemanticType]
    features: Mapping[str, int]
    namespace: dict[str, Any]
    loads: dict[str, str] = field(default_factory=dict)
    _temporaries: int = 0

    def value(self, node: Node) -> str:
        """An expression for a node's value, NaN or None where it is missing."""
        match node:
            case Literal(value):
                return f"({value!r})" if isinstance(value, int | float) and value < 0 else repr(value)
            case Now():
                return "t"
            case Attr():
                return self._attribute(node)
            case FeatureRef(aggregate):
                read = f"f[{self.features[aggregate.text]}]"
                return {Kind.NUMBER: read, Kind.BOOL: f"as_bool({read})", Kind.TEXT: f"as_text({read})"}.get(
                    aggregate.kind, f"as_time({read})"
                )
            case Arithmetic(operator, left, right):
                return self._arithmetic(operator, left, right)
            case Call(function):
                missing = "nan" if function.result == Kind.NUMBER else "None"
                guards, called = self._called(node)
                return f"({called} if {' and '.join(guards)} else {missing})" if guards else called
            case _:
                return self._truth_value(node)

    def true(self, node: Node) -> str:
        """An expression that holds where a condition is true."""
        return self._truth(node, wanted=True)

    def false(self, node: Node) -> str:
        """An expression that holds where a condition is false: not where it is unknown."""
        return self._truth(node, wanted=False)

    def _truth(self, node: Node, *, wanted: bool) -> str:
        match node:
            case Not(item):
                return self._truth(item, wanted=not wanted)
            case Both(every, items):
                word = " and " if every == wanted else " or "
                return f"({word.join(self._truth(item, wanted=wanted) for item in items)})"
            case Known(item):
                return self._known(item, wanted=wanted)
            case RuleRef(name):
                return f"r_{name}" if wanted else f"(r_{name} is False)"
            case FeatureRef(aggregate):
                return f"(f[{self.features[aggregate.text]}] == {float(wanted)})"
            case Literal(value):
                return repr(value is wanted)
            case Attr():
                return f"({self._attribute(node)} is {wanted})"
            case _:
                guards, test = self._test(node, wanted=wanted, sure=False)
                return f"({' and '.join([*guards, test])})"

    def _truth_value(self, node: Node) -> str:
        """True, False or None. Each part is written once: written twice, nested conditions would grow without bound."""
        match node:
            case Not(item):
                first, later = self._held(item)
                return f"(None if {first} is None else not {later})"
            case Both(every, items):
                held = [self._held(item) for item in items]
                decided = " or ".join(f"{first} is {not every}" for first, _ in held)
                unknown = " or ".join(f"{later} is None" for _, later in held)
                return f"({not every} if {decided} else None if {unknown} else {every})"
            case Known(item):
                return self._known(item, wanted=True)
            case RuleRef(name):
                return f"r_{name}"
            case _:
                guards, test = self._test(node, wanted=True, sure=True)
                return f"({test} if {' and '.join(guards)} else None)" if guards else f"({test})"

    def _test(self, node: Node, *, wanted: bool, sure: bool) -> tuple[list[str], str]:
        """Guards that nothing is missing, and a test after them.

        Unless `sure`, the guards are left out where the test by itself fails on what is missing.
        """
        match node:
            case Compare(operator, left, right):
                return self._compare(operator if wanted else _OPPOSITE[operator], left, right, sure=sure)
            case OneOf(item, options):
                name = f"set_{len(self.namespace)}"
                self.namespace[name] = frozenset(option.value for option in options)
                if wanted and not sure:  # neither None nor NaN is in the set
                    return [], f"{self.value(item)} in {name}"
                guard, value = self.there(item)
                return [guard] if guard else [], f"{value} {'in' if wanted else 'not in'} {name}"
            case Listed(item, name):
                if wanted and not sure:
                    return [], f"list_{name}.get({self.value(item)}, 0) > now"
                guard, value = self.there(item)
                return [guard] if guard else [], f"list_{name}.get({value}, 0) {'>' if wanted else '<='} now"
            case Call():
                guards, called = self._called(node)
                return guards, called if wanted else f"not {called}"
            case _:
                raise TypeError(node)

    def _attribute(self, attr: Attr) -> str:
        declared = self.event_type.attribute(attr.name)
        personal = declared is not None and declared.personal
        optional = declared is None or not declared.required or personal
        name, raw = f"a_{attr.name}", f"d.{attr.name}"
        if attr.semantic is not None:
            semantic = self.semantics[attr.semantic]
            parse, nothing = f"parse_{attr.semantic}", f"no_{attr.semantic}"
            self.namespace |= {parse: semantic.parse, nothing: nothing_of(semantic), "kept": _kept}
            if personal:
                self.loads[name] = f"{parse}({raw}) if {raw}.__class__ is str else kept({raw}, {nothing})"
            else:
                self.loads[name] = (
                    f"{parse}({raw}) if {raw} is not None else {nothing}" if optional else f"{parse}({raw})"
                )
            return f"{name}.{attr.part or 'value'}"
        if attr.kind == Kind.TIME:
            converted = f"micros({raw})"
            self.loads[name] = f"{converted} if {raw} is not None else None" if optional else converted
        elif attr.kind == Kind.NUMBER and optional:
            self.loads[name] = f"nan if {raw} is None else {raw}"
        elif attr.kind == Kind.TEXT and personal:
            self.loads[name] = f"{raw} if {raw}.__class__ is str else None"
        else:
            self.loads[name] = raw
        return name

    def identifies(self, attr: Attr) -> bool:
        """Whether this is a text that tells who a person is: it may be erased, and its token kept."""
        declared = self.event_type.attribute(attr.name)
        if declared is None or not declared.personal or attr.kind != Kind.TEXT:
            return False
        return attr.semantic is None or (attr.part or "value") in self.semantics[attr.semantic].revealing

    def _never_missing(self, node: Node) -> bool:
        if isinstance(node, Attr):
            declared = self.event_type.attribute(node.name)
            there = declared is not None and declared.required and not declared.personal
            return there and node.part in ("", "value", "raw")
        return isinstance(node, Literal | Now)

    def _held(self, node: Node) -> tuple[str, str]:
        """A node's value for use twice: the first use, which may name it, and the later ones."""
        source = self.value(node)
        if isinstance(node, Literal | Now | Attr) or (isinstance(node, FeatureRef) and node.kind == Kind.NUMBER):
            return source, source
        self._temporaries += 1
        name = f"v{self._temporaries}"
        return f"({name} := {source})", name

    def there(self, node: Node) -> tuple[str | None, str]:
        """A guard that a value is there (None: it always is), which must be evaluated first, and the value after it."""
        if self._never_missing(node):
            return None, self.value(node)
        first, later = self._held(node)
        return (f"{first} == {later}" if node.kind == Kind.NUMBER else f"{first} is not None"), later

    def _compare(self, operator: str, left: Node, right: Node, *, sure: bool) -> tuple[list[str], str]:
        fails_by_itself = (
            operator != "!="  # NaN fails every comparison but this one
            if left.kind == Kind.NUMBER
            else operator == "==" and (self._never_missing(left) or self._never_missing(right))
        )
        if fails_by_itself and not sure:
            return [], f"{self.value(left)} {operator} {self.value(right)}"
        (guard_left, value_left), (guard_right, value_right) = self.there(left), self.there(right)
        guards = [guard for guard in (guard_left, guard_right) if guard]
        return guards, f"{value_left} {operator} {value_right}"

    def _known(self, item: Node, *, wanted: bool) -> str:
        if self._never_missing(item):
            return repr(wanted)
        guard, _ = self.there(item)
        return f"({guard})" if wanted else f"(not {guard})"

    def _arithmetic(self, operator: str, left: Node, right: Node) -> str:
        if left.kind == Kind.TIME:
            guards = [self.there(left), self.there(right)]
            seconds = f"({guards[0][1]} - {guards[1][1]}) / 1000000"
            needed = [guard for guard, _ in guards if guard]
            return f"({seconds} if {' and '.join(needed)} else nan)" if needed else f"({seconds})"
        if operator in "/%" and not isinstance(right, Literal):
            first, later = self._held(right)
            # The divisor is named, and tested, before the dividend is reached.
            return f"({self._double(left, right)} {operator} {later} if {first} != 0 else nan)"
        return f"({self._double(left, right)} {operator} {self._double(right, left)})"

    def _double(self, node: Node, other: Node) -> str:
        """One side of a sum or product, so that its result is a double: as integer it would be exact beyond 2**53."""
        if isinstance(node, Literal):
            return f"({float(node.value)!r})"
        source = self.value(node)
        if isinstance(node, FeatureRef | Arithmetic) or isinstance(other, FeatureRef | Arithmetic | Literal):
            return source
        return f"float({source})"

    def _called(self, node: Call) -> tuple[list[str], str]:
        """Guards that each argument is there, and the call itself."""
        pairs = [self.there(argument) for argument in node.arguments]
        guards, values = [guard for guard, _ in pairs if guard], [value for _, value in pairs]
        if node.function.plain:
            return guards, node.function.plain.format(*values, *map(repr, node.constants))
        name = f"call_{len(self.namespace)}"
        self.namespace[name] = node.function.make(*node.constants)
        return guards, f"{name}({', '.join(values)})"


def module_of(header: str, writer: Writer, body: Sequence[str]) -> str:
    """The source of a function: its header, the attributes its body needs, the body."""
    loads = [f"    {name} = {source}" for name, source in writer.loads.items()]
    return "\n".join([header, *loads, *body]) + "\n"


def compiled(source: str, name: str, namespace: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a function made from text
    """The function of that name in a generated source: nothing in it is a user's but checked names and constants."""
    scope = dict(namespace)
    exec(compile(source, f"<generated {name}>", "exec"), scope)  # noqa: S102 - made from a checked tree, never user text
    return scope[name]


def mentions_false(nodes: Sequence[Node]) -> frozenset[str]:
    """The rules whose falsity someone asks for (`not other_rule`), which then need three values."""
    found: set[str] = set()

    def visit(node: Node, *, positive: bool, negative: bool) -> None:
        match node:
            case RuleRef(name) if negative:
                found.add(name)
            case Not(item):
                visit(item, positive=negative, negative=positive)
            case Both(_, items):
                for item in items:
                    visit(item, positive=positive, negative=negative)
            case _:
                for child in children(node):
                    visit(child, positive=True, negative=True)

    for node in nodes:
        visit(node, positive=True, negative=False)
    return frozenset(found)
