"""Run the tests that rules carry, through the same steps as live events."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import inspect

from fairgate.detect.lists import FOREVER
from fairgate.detect.rules import shown, shown_time
from fairgate.domain.errors import BadEntry, NoSuchList
from fairgate.domain.event import Event, Refusal, microseconds
from fairgate.domain.pack import EventType, Place, Rule, RuleTest
from fairgate.domain.windows import SECOND
from fairgate.ingest.decode import Decoder
from fairgate.kernel.rows import Rows
from fairgate.language.checked import CheckedPack
from fairgate.language.durations import HINT, parse_duration
from fairgate.language.problems import Problem, one_of
from fairgate.language.shapes import misfits
from fairgate.language.tree import Kind, aggregates
from fairgate.pipeline.engine import Engine, Judged

#: When the first event of every test takes place, unless it says `after`: a Monday.
START = microseconds(datetime(2026, 1, 5, 10, tzinfo=UTC))
#: What stands in a text of a repeated event for 1, 2, 3, ...
COUNTER = "{n}"
#: Events of one test.
MOST_EVENTS = 10_000

_SECRET = 0x5EC2E7


@dataclass(frozen=True, slots=True)
class RuleTestResult:
    """How one test of a rule went. `problem` is what went wrong and where it stands; None in a test that passed."""

    rule: str
    test: RuleTest
    problem: Problem | None

    @property
    def passed(self) -> bool:
        """Whether the rule did as the test says."""
        return self.problem is None


def run_rule_tests(checked: CheckedPack) -> list[RuleTestResult]:
    """Run every test of every rule, whatever its mode, in the order of the pack.

    Each test begins with an empty state, so tests can't touch each other. A test with `fires = true` passes when the
    rule's condition holds on the last event, one with `fires = false` when it holds on none. An event's keys: `type`
    (else the first the rule looks at), `after` (how long after the event before it; else a second, and the first event
    at `START`), `repeat` (how often it happens, else once; `{n}` in a text becomes 1, 2, 3, ...), and the attributes of
    its type. What a test has in `listed` stands in those lists from the beginning.
    """
    engine = Engine(checked, _SECRET, Rows)
    decoder = Decoder(checked, engine.plan.longest)
    return [
        RuleTestResult(rule.name, test, _Test(engine, decoder, rule, test).problem())
        for rule in checked.pack.rules
        for test in rule.tests
    ]


class _BadTest(Exception):
    """A test that can't be run. Never seen outside."""

    def __init__(self, place: Place, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.problem = Problem(place, what, hint=hint)


class _Test:
    def __init__(self, engine: Engine, decoder: Decoder, rule: Rule, test: RuleTest) -> None:
        engine.reset()
        self.engine = engine
        self.checked = engine.checked
        self.decoder = decoder
        self.rule = rule
        self.test = test

    def problem(self) -> Problem | None:
        """What is wrong with the test, or with the rule by it."""
        if not self.test.events:
            return Problem(self.test.place, "this test has no events")
        try:
            self.list()
            events = list(self.events())
        except _BadTest as bad:
            return bad.problem
        judged = self.engine.run(events)
        failed = next((error for each in judged for error in each.decision.degraded), None)
        if failed is not None:
            return Problem(self.test.place, f"`{self.rule.name}` could not be tested: {failed}")
        fired = [self.rule.name in each.decision.rules for each in judged]
        if self.test.fires and not fired[-1]:
            what = f"`{self.rule.name}` should fire on the last of {_counted(len(events))}, and does not"
            return Problem(self.test.place, what, hint=self.read_at(judged[-1]))
        if not self.test.fires and any(fired):
            first = fired.index(True)
            what = f"`{self.rule.name}` should not fire, and does on event {first + 1} of {len(events)}"
            return Problem(self.test.place, what, hint=self.read_at(judged[first]))
        return None

    def list(self) -> None:
        """Enter what the test says stands in lists."""
        for name, values in self.test.listed.items():
            for value in values:
                try:
                    self.engine.lists.put(name, value, FOREVER)
                except (NoSuchList, BadEntry) as error:
                    raise _BadTest(self.test.place, f"`listed` does not fit: {error}") from error

    def events(self) -> Iterator[Event]:
        """What the test describes, event by event."""
        time, made = START if "after" in self.test.events[0] else START - SECOND, 0
        for given, place in zip(self.test.events, self.test.places, strict=True):
            event_type, after, repeat = (
                self.event_type(given, place),
                self.after(given, place),
                self.repeat(given, place),
            )
            made += repeat
            if made > MOST_EVENTS:
                raise _BadTest(place, f"a test has at most {MOST_EVENTS:,} events")
            attributes = {key: value for key, value in given.items() if key not in ("type", "after", "repeat")}
            for number in range(1, repeat + 1):
                time += after
                yield self.event(event_type, numbered(attributes, number), place, time)

    def event_type(self, given: Mapping[str, object], place: Place) -> EventType:
        name = given.get("type", self.rule.on[0])
        types = self.checked.pack.event_types
        if not isinstance(name, str) or name not in types:
            raise _BadTest(place, f"there is no event type `{name}`", one_of(str(name), types))
        return types[name]

    def after(self, given: Mapping[str, object], place: Place) -> int:
        text = given.get("after", "1s")
        duration = parse_duration(text) if isinstance(text, str) else None
        if duration is None:
            raise _BadTest(place, f"`{text}` in `after` is no duration", HINT)
        return duration

    def repeat(self, given: Mapping[str, object], place: Place) -> int:
        times = given.get("repeat", 1)
        if not isinstance(times, int) or isinstance(times, bool) or not 1 <= times <= MOST_EVENTS:
            raise _BadTest(place, f"`repeat` is a whole number from 1 to {MOST_EVENTS:,}")
        return times

    def event(self, event_type: EventType, attributes: Mapping[str, object], place: Place, time: int) -> Event:
        known = [attribute.name for attribute in event_type.attributes]
        for name in attributes:
            if name not in known:
                raise _BadTest(place, f"{event_type.name} has no attribute `{name}`", one_of(name, known))
        shape = self.decoder.wires[event_type.name].data
        for misfit in misfits(attributes, inspect.type_info(shape)):
            raise _BadTest(place, f"{misfit.path[0]}: {misfit.what}" if misfit.path else misfit.what)
        try:
            data: Any = msgspec.convert(attributes, shape)
        except msgspec.ValidationError as error:
            raise _BadTest(place, f"this is no {event_type.name}: {error}") from error
        taken = self.decoder.admit(Event("test", "test", event_type.name, time, time, data))
        if isinstance(taken, Refusal):
            raise _BadTest(place, f"this {event_type.name} is refused: {taken.reason}")
        return taken

    def read_at(self, judged: Judged) -> str:
        """What the rule's aggregates were at an event."""
        checked = next(each for each in self.checked.rules if each.rule.name == self.rule.name)
        wanted = {aggregate.text for aggregate in aggregates(checked.when)}
        read = zip(self.checked.read[judged.event.type].items(), judged.features, strict=True)
        return "; ".join(
            f"{name} was {self.words(aggregate.kind, value)}"
            for (name, aggregate), value in read
            if aggregate.text in wanted
        )

    def words(self, kind: Kind, value: float) -> str:
        """A recorded value, as a person reads it."""
        if math.isnan(value):
            return "missing"
        match kind:
            case Kind.TEXT:
                return repr(self.engine.texts.text(value))
            case Kind.TIME:
                return shown_time(int(value))
            case _:
                return shown(bool(value) if kind == Kind.BOOL else value)


def numbered(attributes: Mapping[str, object], number: int) -> dict[str, object]:
    """The attributes with the counter in their texts replaced."""
    return {
        name: value.replace(COUNTER, str(number)) if isinstance(value, str) else value
        for name, value in attributes.items()
    }


def _counted(events: int) -> str:
    return "1 event" if events == 1 else f"{events} events"
