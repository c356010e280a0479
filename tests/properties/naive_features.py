"""Every aggregate, told the simple way: all events are kept, and each read looks through all of them.

It shares nothing with the kernel, the plan or the compilers but the checked pack's trees. Missing is None.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from operator import add, eq, ge, gt, le, lt, mul, ne, sub, truediv
from typing import Any, TypeAlias

from fairgate.domain.event import Event
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import (
    Aggregate,
    Arithmetic,
    Attr,
    Both,
    Compare,
    Known,
    Literal,
    Node,
    Not,
    Now,
)

Value: TypeAlias = float | str | bool | None

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {"==": eq, "!=": ne, "<": lt, "<=": le, ">": gt, ">=": ge}
_ARITHMETIC: Mapping[str, Callable[[Any, Any], float]] = {"+": add, "-": sub, "*": mul, "/": truediv}


@dataclass(frozen=True)
class Met:
    """An event in the log, the log's clock when it came, and the time it counts at."""

    event: Event
    clock: int
    time: int


class NaiveFeatures:
    """Answers each event in turn with the values of its type's recorded features, in their order."""

    def __init__(self, checked: CheckedPack) -> None:
        self._read = checked.read
        self._log: list[Met] = []

    def answer(self, event: Event) -> list[Value]:
        clock = max([event.received, *(met.clock for met in self._log[-1:])])
        now = Met(event, clock, min(event.time, clock))
        answers = [_Question(aggregate, self._log, now).answer() for aggregate in self._read[event.type].values()]
        self._log.append(now)
        return answers


class _Question:
    """One aggregate asked at one event."""

    def __init__(self, aggregate: Aggregate, before: Sequence[Met], now: Met) -> None:
        self.aggregate = aggregate
        self.now = now
        self.key = _key(aggregate, now)
        self.before = [met for met in before if self.gathers(met)]
        self.until_now = self.before + ([now] if self.gathers(now) else [])

    def gathers(self, met: Met) -> bool:
        """Whether an event is gathered and, by its bucket, inside the window as it is now."""
        aggregate, over = self.aggregate, self.aggregate.over
        if met.event.type not in aggregate.on or None in self.key or _key(aggregate, met) != self.key:
            return False
        if aggregate.where is not None and value_of(aggregate.where, met) is not True:
            return False
        if aggregate.value is not None and value_of(aggregate.value, met) is None:
            return False
        return over.tick == 0 or met.time // over.tick > self.now.clock // over.tick - over.buckets

    def answer(self) -> Value:
        return None if None in self.key else _ANSWERS[self.aggregate.name](self)

    def mean(self) -> Value:
        return math.fsum(self.values(self.until_now)) / len(self.until_now) if self.until_now else None

    def since(self) -> Value:
        last = self.end(oldest=False)
        return None if last is None else max(0.0, (self.now.time - float(last)) / 1_000_000)

    def is_new(self) -> Value:
        mine = self.value(self.now)
        return None if mine is None else mine not in self.values(self.before)

    def end(self, *, oldest: bool) -> Value:
        """The first of the events in the oldest bucket, or the last of those in the newest."""
        if not self.before:
            return None
        buckets = [met.time // self.aggregate.over.tick if self.aggregate.over.tick else 0 for met in self.before]
        wanted = min(buckets) if oldest else max(buckets)
        inside = [met for met, bucket in zip(self.before, buckets, strict=True) if bucket == wanted]
        return self.value(inside[0] if oldest else inside[-1])

    def value(self, met: Met) -> Value:
        return met.time if self.aggregate.value is None else value_of(self.aggregate.value, met)

    def values(self, gathered: Sequence[Met]) -> list[Any]:
        return [self.value(met) for met in gathered]


_ANSWERS: Mapping[str, Callable[[_Question], Value]] = {
    "count": lambda asked: len(asked.until_now),
    "total": lambda asked: math.fsum(asked.values(asked.until_now)),
    "distinct": lambda asked: len(set(asked.values(asked.until_now))),
    "mean": _Question.mean,
    "rate": _Question.mean,
    "smallest": lambda asked: min(asked.values(asked.until_now), default=None),
    "largest": lambda asked: max(asked.values(asked.until_now), default=None),
    "first": lambda asked: asked.end(oldest=True),
    "last": lambda asked: asked.end(oldest=False),
    "since": _Question.since,
    "is_new": _Question.is_new,
}


def _key(aggregate: Aggregate, met: Met) -> tuple[Value, ...]:
    return tuple(value_of(attr, met) for attr in aggregate.by)


def value_of(node: Node, met: Met) -> Value:
    """An expression at an event, None where it is missing or unknown."""
    match node:
        case Literal(constant):
            return constant
        case Now():
            return met.time
        case Attr(name):
            value: Value = getattr(met.event.data, name)
            return value
        case Known(item):
            return value_of(item, met) is not None
        case Not(item):
            truth = value_of(item, met)
            return None if truth is None else not truth
        case Both(every, items):
            truths = [value_of(item, met) for item in items]
            decided = not every  # False decides `and`, True decides `or`
            return decided if decided in truths else None if None in truths else every
        case Compare(operator, left, right):
            return _joined(_COMPARE[operator], value_of(left, met), value_of(right, met))
        case Arithmetic(operator, left, right):
            divisor = value_of(right, met)
            if operator == "/" and divisor == 0:
                return None
            return _joined(_ARITHMETIC[operator], value_of(left, met), divisor)
        case other:
            raise AssertionError(f"the model knows no {type(other).__name__}")


def _joined(operator: Callable[[Any, Any], Any], left: Value, right: Value) -> Value:
    joined: Value = None if left is None or right is None else operator(left, right)
    return joined
