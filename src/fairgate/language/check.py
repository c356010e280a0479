"""The type checker: from a syntax tree to a typed tree, every fault told with its place."""

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from fairgate.domain.pack import Attribute, EventType, Text
from fairgate.language.aggregates import AGGREGATES, aggregate
from fairgate.language.functions import FUNCTIONS, Function
from fairgate.language.problems import Problems, one_of, with_article
from fairgate.language.scope import Fault, Names, Scope
from fairgate.language.syntax import parse
from fairgate.language.tree import (
    PLAIN_TYPES,
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
)

__all__ = ["AGGREGATES", "MOST_DISTINCT", "Names", "check"]

#: Beyond this a distinct count is an estimate with more than 5 % error, so asking for more is refused.
MOST_DISTINCT = 3_000
#: Beyond this a number is not exact.
_LARGEST = 2**53

_ARITHMETIC: Mapping[type[ast.operator], str] = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.Mod: "%"}
_COMPARISONS: Mapping[type[ast.cmpop], str] = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
}  # fmt: skip
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}

_OPERATORS = "the operators are + - * / % and the comparisons"
#: What Python has and the rule language has not: its name in plain words, and what to write instead.
_UNKNOWN: Mapping[type[ast.expr], tuple[str, str]] = {
    ast.BinOp: ("this operator", _OPERATORS),
    ast.UnaryOp: ("this operator", _OPERATORS),
    ast.Tuple: ("a list of values here", "it goes on the right of `in`, or in `by=`"),
    ast.List: ("a list of values here", "it goes on the right of `in`, or in `by=`"),
    ast.Set: ("a list of values here", "it goes on the right of `in`"),
    ast.IfExp: ("`if`", "write two rules, or use `and` and `or`"),
    ast.JoinedStr: ("texts with an f before them", "only `why` has values in braces"),
    ast.NamedExpr: ("`:=`", "write == to compare"),
    ast.Subscript: ("`[...]`", "starts_with, ends_with, contains and matches look inside a text"),
    ast.Attribute: ("a part of a part", "write name.part"),
    ast.Call: ("calls of anything but its functions", f"functions: {', '.join(sorted(FUNCTIONS))}"),
}


def check(
    text: Text, on: tuple[str, ...], names: Names, problems: Problems, *, expect: Kind | None = None
) -> Node | None:
    """The typed tree of an expression about event types `on` (one at least), or None with its faults noted."""
    parsed = parse(text, problems)
    if parsed is None:
        return None
    checker = _Checker(text, on, names, problems)
    try:
        return checker.node(parsed) if expect is None else checker.typed(parsed, expect)
    except Fault:
        return None


@dataclass(frozen=True)
class _Checker(Scope):
    def node(self, node: ast.expr) -> Node:
        match node:
            case ast.BoolOp(op, values):
                return Both(isinstance(op, ast.And), self.several(values, self.condition))
            case ast.UnaryOp(op, operand) if isinstance(op, ast.Not | ast.USub):
                return Not(self.condition(operand)) if isinstance(op, ast.Not) else self.negative(operand)
            case ast.BinOp(left, op, right) if type(op) in _ARITHMETIC:
                return self.arithmetic(node, _ARITHMETIC[type(op)], left, right)
            case ast.Compare(left, ops, comparators):
                return self.comparison(left, ops, comparators)
            case ast.Constant(value):
                return self.constant(node, value)
            case ast.Name(name):
                return self.name(node, name)
            case ast.Attribute(ast.Name(name), part):
                return self.attribute(node, name, part)
            case ast.Call(ast.Name(name)):
                return self.call(node, name)
            case _:
                return self.unknown(node)

    def unknown(self, node: ast.expr) -> NoReturn:
        what, hint = _UNKNOWN.get(type(node), ("this", "see the reference of the rule language"))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitAnd | ast.BitOr):
            hint = "write `and`" if isinstance(node.op, ast.BitAnd) else "write `or`"
        raise self.fault(node, f"the rule language has no place for {what}", hint)

    def negative(self, operand: ast.expr) -> Node:
        number = self.typed(operand, Kind.NUMBER)
        if isinstance(number, Literal) and not isinstance(number.value, str):
            return Literal(-number.value, Kind.NUMBER)
        return Arithmetic("-", Literal(0, Kind.NUMBER), number)

    def constant(self, node: ast.expr, value: object) -> Node:
        match value:
            case bool():
                return Literal(value, Kind.BOOL)
            case int() | float():
                if not math.isfinite(value) or abs(value) > _LARGEST:
                    raise self.fault(node, "this number is too large to be exact", "numbers go to 2**53")
                return Literal(value, Kind.NUMBER)
            case str():
                return Literal(value, Kind.TEXT)
        raise self.fault(node, "values are numbers, texts, True and False", "`known(x)` asks whether x is there")

    def name(self, node: ast.expr, name: str) -> Node:
        if name == "time":
            return Now()
        if not any(self.names.event_types[each].attribute(name) for each in self.on):
            if name in self.names.features or name in self.names.feature_types:
                return self.feature(node, name)
            if name in self.names.rules:
                self.sees(node, "rule", name, self.names.rules[name])
                return RuleRef(name)
        return self.attribute(node, name, "")

    def feature(self, node: ast.expr, name: str) -> FeatureRef:
        self.sees(node, "feature", name, self.names.feature_types.get(name, self.on))
        if name in self.names.broken:
            raise Fault
        if name not in self.names.features:
            raise self.fault(node, "a feature can't be made of another", "features read events alone")
        return FeatureRef(self.names.features[name])

    def sees(self, node: ast.expr, what: str, name: str, types: tuple[str, ...]) -> None:
        if self.names.event_only:
            raise self.fault(
                node, f"{self.names.event_only} reads the event alone, so the {what} `{name}` can't stand here"
            )
        blind = next((each for each in self.on if each not in types), None)
        if blind is not None:
            raise self.fault(node, f"the {what} `{name}` does not look at {blind}", f"add it to the `on` of `{name}`")

    def attribute(self, node: ast.expr, name: str, part: str) -> Attr:
        found = [self.attribute_in(node, self.names.event_types[each], name, part) for each in self.on]
        for each, event_type in zip(found, self.on, strict=True):
            if each != found[0]:
                types = [with_article(one.semantic or one.kind) for one in (found[0], each)]
                raise self.fault(node, f"`{name}` is {types[0]} in {self.on[0]} and {types[1]} in {event_type}")
        return found[0]

    def attribute_in(self, node: ast.expr, event_type: EventType, name: str, part: str) -> Attr:
        declared = event_type.attribute(name)
        if declared is None:
            self.no_attribute(node, event_type, name)
        if declared.type in PLAIN_TYPES:
            if part:
                raise self.fault(node, f"`{name}` is {with_article(declared.type)} and has no parts")
            return Attr(name, "", PLAIN_TYPES[declared.type], None)
        fields = self.names.semantics[declared.type].fields
        if part and part not in fields:
            raise self.fault(node, f"{with_article(declared.type)} has no part `{part}`", one_of(part, fields))
        return Attr(name, part, Kind(fields[part]) if part else Kind.TEXT, declared.type)

    def no_attribute(self, node: ast.expr, event_type: EventType, name: str) -> NoReturn:
        if isinstance(node, ast.Attribute) and name in ("time", *self.names.features, *self.names.rules):
            hint = "hour(time), weekday(time) and day(time) look inside the time" if name == "time" else ""
            raise self.fault(node, f"`{name}` has no parts", hint)
        parts = [f"{each.name}.{name}" for each in event_type.attributes if name in self.parts(each)]
        if parts:
            hint = f"did you mean `{parts[0]}`?"
        elif name in self.names.lists:
            hint = f'`{name}` is a list: write x in list("{name}")'
        elif name in ("true", "false"):
            hint = f"write {name.title()}"
        else:
            known = [each.name for each in event_type.attributes] + ["time"]
            known += [] if self.names.event_only else [*self.names.features, *self.names.rules]
            hint = one_of(name, known)
        raise self.fault(node, f"`{name}` is not an attribute of {event_type.name}", hint)

    def parts(self, attribute: Attribute) -> Mapping[str, str]:
        return self.names.semantics[attribute.type].fields if attribute.type in self.names.semantics else {}

    def arithmetic(self, node: ast.expr, operator: str, left: ast.expr, right: ast.expr) -> Node:
        first, second = self.several((left, right), self.node)
        if operator == "-" and first.kind == second.kind == Kind.TIME:
            return Arithmetic(operator, first, second)
        for side, source in ((first, left), (second, right)):
            if side.kind != Kind.NUMBER:
                hint = "time - time is seconds" if side.kind == Kind.TIME else ""
                raise self.fault(source, f"`{operator}` takes numbers; this is {with_article(side.kind)}", hint)
        if operator in "/%" and second == Literal(0, Kind.NUMBER):
            raise self.fault(node, "this divides by zero")
        return Arithmetic(operator, first, second)

    def comparison(self, left: ast.expr, ops: list[ast.cmpop], rights: list[ast.expr]) -> Node:
        parts = []
        for op, right in zip(ops, rights, strict=True):
            parts.append(self.pair(left, op, right))
            left = right
        return parts[0] if len(parts) == 1 else Both(every=True, items=tuple(parts))

    def pair(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> Node:
        if isinstance(op, ast.In | ast.NotIn):
            inside = self.membership(left, right)
            return Not(inside) if isinstance(op, ast.NotIn) else inside
        if type(op) not in _COMPARISONS:
            nothing = isinstance(right, ast.Constant) and right.value is None
            hint = "`known(x)` asks whether x is there" if nothing else "write == or !="
            raise self.fault(right, "`is` is not in the rule language", hint)
        operator = _COMPARISONS[type(op)]
        first, second = self.several((left, right), self.node)
        if first.kind != second.kind:
            what = f"{with_article(first.kind)} is compared with {with_article(second.kind)}"
            raise self.fault(right, what, _unquoted(first, second))
        if first.kind == Kind.BOOL and operator not in ("==", "!="):
            raise self.fault(right, f"`{operator}` does not compare bools")
        self.check_distinct(right, first, operator, second)
        self.check_distinct(left, second, _MIRRORED[operator], first)
        return Compare(operator, first, second)

    def check_distinct(self, node: ast.expr, counted: Node, operator: str, limit: Node) -> None:
        if isinstance(counted, FeatureRef) and counted.aggregate.name == "distinct" and isinstance(limit, Literal):
            most = float(limit.value) + (operator in (">", "<="))
            if most > MOST_DISTINCT:
                what = f"distinct counts are within 5 % to {MOST_DISTINCT:,} only; this asks for {most:,.0f}"
                raise self.fault(node, what, "use a lower threshold, or count events")

    def membership(self, left: ast.expr, right: ast.expr) -> Node:
        match right:
            case ast.Call(ast.Name("list"), arguments):
                return self.listed(left, right, arguments)
            case ast.Call(ast.Name("cidr"), networks, []):
                item = self.node(left)
                if not (isinstance(item, Attr) and item.semantic == "ip" and item.part in ("", "value", "raw")):
                    raise self.fault(left, "only an ip can be in a cidr(...)")
                if not networks:
                    raise self.fault(right, "cidr(...) needs a network", 'write cidr("10.0.0.0/8")')
                return self.built(networks, FUNCTIONS["cidr"], (item,))
            case ast.Tuple(elts) | ast.List(elts) | ast.Set(elts) if elts:
                return self.among(left, elts)
        hint = 'write ("a", "b"), list("name") or cidr("10.0.0.0/8"); contains(text, part) looks inside a text'
        raise self.fault(right, "`in` needs constants, list(...) or cidr(...)", hint)

    def listed(self, left: ast.expr, right: ast.Call, arguments: list[ast.expr]) -> Node:
        if len(arguments) != 1 or right.keywords:
            raise self.fault(right, "list(...) takes one name")
        name = self.texts(arguments)[0]
        if name not in self.names.lists:
            raise self.fault(arguments[0], f"there is no list `{name}`", one_of(name, self.names.lists))
        item = self.node(left)
        if item.kind != Kind.TEXT:
            raise self.fault(left, f"lists hold texts; this is {with_article(item.kind)}")
        return Listed(item, name)

    def among(self, left: ast.expr, elements: list[ast.expr]) -> Node:
        item, options = self.node(left), []
        for source in elements:
            option = self.node(source)
            if not isinstance(option, Literal):
                raise self.fault(source, "only constants can stand here", "write == for each, joined by `or`")
            if option.kind != item.kind:
                raise self.fault(
                    source, f"{with_article(item.kind)} is looked for among {option.kind}s", _unquoted(item, option)
                )
            options.append(option)
        return OneOf(item, tuple(options))

    def call(self, node: ast.Call, name: str) -> Node:
        if name in AGGREGATES:
            return FeatureRef(aggregate(self, node, name))
        if name == "known":
            if len(node.args) != 1 or node.keywords:
                raise self.fault(node, "known(x) takes one value")
            return Known(self.node(node.args[0]))
        if name not in FUNCTIONS or name == "cidr":
            hint = (
                f"write x in {name}(...)"
                if name in ("cidr", "list")
                else one_of(name, [*FUNCTIONS, *AGGREGATES, "known"])
            )
            raise self.fault(node.func, f"there is no function `{name}`", hint)
        function = FUNCTIONS[name]
        if node.keywords or len(node.args) != len(function.parameters):
            values = "1 value" if len(function.parameters) == 1 else f"{len(function.parameters)} values"
            raise self.fault(node, f"{name}({', '.join(function.parameters)}) takes {values}")
        split = len(node.args) - function.constants
        arguments = tuple(
            self.typed(each, Kind(kind)) for each, kind in zip(node.args[:split], function.parameters, strict=False)
        )
        return self.built(node.args[split:], function, arguments)

    def built(self, constants: list[ast.expr], function: Function, arguments: tuple[Node, ...]) -> Node:
        """A call whose constants were tried, each by itself, so that a bad one is told here and not at an event."""
        texts = self.texts(constants)
        for text, source in zip(texts, constants, strict=True):
            try:
                function.make(text)
            except ValueError as error:
                raise self.fault(source, str(error)) from error
        return Call(function, arguments, texts)


def _unquoted(wanted: Node, given: Node) -> str:
    """A hint for a number in quotes."""
    if wanted.kind == Kind.NUMBER and isinstance(given, Literal) and isinstance(given.value, str):
        try:
            float(given.value)
        except ValueError:
            return ""
        return f"write {given.value} without quotes"
    return ""
