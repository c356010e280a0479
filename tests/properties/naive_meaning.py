"""The meaning of a checked expression, slowly and plainly: truth tables, and None for whatever is missing."""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from fairgate.language.tree import (
    Arithmetic,
    Attr,
    Both,
    Call,
    Compare,
    FeatureRef,
    Known,
    Listed,
    Literal,
    Node,
    Not,
    Now,
    OneOf,
    RuleRef,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class World:
    """An event as an expression sees it. Attributes and features are values or None; `lists` has the entries."""

    time: int
    attributes: Mapping[str, Any]
    features: Mapping[str, Any]
    lists: Mapping[str, frozenset[str]]
    rules: Mapping[str, Node]
    parse: Mapping[str, Callable[[str], Any]]


def meaning(node: Node, world: World) -> Any:  # noqa: ANN401 - a value of any type
    """The value, or None where it is missing or unknown."""
    value = _meaning(node, world)
    return None if isinstance(value, float) and math.isnan(value) else value


def _meaning(node: Node, world: World) -> Any:  # noqa: ANN401, C901, PLR0912 - one case for each kind of node
    match node:
        case Literal(value):
            return value
        case Now():
            return world.time
        case Attr():
            return _attribute(node, world)
        case FeatureRef(aggregate):
            return world.features[aggregate.text]
        case RuleRef(name):
            return meaning(world.rules[name], world)
        case Not(item):
            return {True: False, False: True, None: None}[meaning(item, world)]
        case Both(every, items):
            values = [meaning(item, world) for item in items]
            decisive = not every
            if decisive in values:
                return decisive
            return None if None in values else every
        case Compare(operator, left, right):
            sides = meaning(left, world), meaning(right, world)
            return None if None in sides else _COMPARISONS[operator](*sides)
        case OneOf(item, options):
            value = meaning(item, world)
            return None if value is None else any(value == option.value for option in options)
        case Listed(item, name):
            value = meaning(item, world)
            return None if value is None else value in world.lists[name]
        case Known(item):
            return meaning(item, world) is not None
        case Arithmetic(operator, left, right):
            first, second = meaning(left, world), meaning(right, world)
            return None if first is None or second is None else _arithmetic(operator, first, second, node)
        case Call(function, arguments, constants):
            values = [meaning(argument, world) for argument in arguments]
            return None if None in values else _FUNCTIONS[function.name](*values, *constants)


def _attribute(attr: Attr, world: World) -> Any:  # noqa: ANN401 - a value of any type
    sent = world.attributes[attr.name]
    if sent is None:
        return None
    if attr.semantic is not None:
        return getattr(world.parse[attr.semantic](sent), attr.part or "value")
    return (sent - EPOCH) // timedelta(microseconds=1) if isinstance(sent, datetime) else sent


def _arithmetic(operator: str, first: float, second: float, node: Arithmetic) -> float | None:
    if node.left.kind == "time":
        return (first - second) / 1_000_000
    first, second = float(first), float(second)
    match operator:
        case "+":
            return first + second
        case "-":
            return first - second
        case "*":
            return first * second
        case "/":
            return first / second if second else None
        case _:
            return first % second if second else None


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": lambda left, right: left == right,
    "!=": lambda left, right: not left == right,  # noqa: SIM201 - said by the other one, so that neither stands for both
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left < right or left == right,
    ">": lambda left, right: right < left,
    ">=": lambda left, right: right < left or left == right,
}


def _moment(time: int) -> datetime:
    return EPOCH + timedelta(microseconds=time)


def _hour_in(time: int, zone: str) -> int | None:
    try:
        return _moment(time).astimezone(ZoneInfo(zone)).hour
    except (KeyError, ValueError, OSError):
        return None


_FUNCTIONS: Mapping[str, Callable[..., Any]] = {
    "lower": lambda text: text.lower(),
    "upper": lambda text: text.upper(),
    "length": lambda text: sum(1 for _ in text),
    "contains": lambda text, part: any(text[at : at + len(part)] == part for at in range(len(text) + 1)),
    "starts_with": lambda text, part: text[: len(part)] == part,
    "ends_with": lambda text, part: text[len(text) - len(part) :] == part if len(part) <= len(text) else False,
    "matches": lambda text, pattern: re.search(pattern, text) is not None,
    "cidr": lambda text, *networks: any(
        ipaddress.ip_address(text) in ipaddress.ip_network(network) for network in networks
    ),
    "hour": lambda time: _moment(time).hour,
    "weekday": lambda time: _moment(time).weekday(),
    "day": lambda time: (_moment(time).date() - EPOCH.date()).days,
    "hour_in": _hour_in,
    "abs": lambda number: -number if number < 0 else number,
    "floor": lambda number: number // 1 if math.isfinite(number) else number,
    "log": lambda number: math.log(number) if number > 0 else None,
    "min": lambda first, second: -max(-first, -second),
    "max": lambda first, second: -min(-first, -second),
}
