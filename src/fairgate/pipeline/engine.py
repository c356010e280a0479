"""The state machine: events in log order -> features -> rules -> decisions. No log, no clock, no network."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from fairgate.decide.policy import ALL_RULES, Brakes, Finding, Policy, Weight, weight_of
from fairgate.detect.ban_memory import BanMemory
from fairgate.detect.lists import Lists, Told
from fairgate.detect.rules import Detector, Why, compile_detector
from fairgate.domain.action import Action
from fairgate.domain.event import Decision, Event
from fairgate.domain.ledger import Entry, Subject
from fairgate.domain.secret import Tokens, salt_of
from fairgate.enforce.ledger import Ledger
from fairgate.features.carry import carried
from fairgate.features.entities import EntityRequests
from fairgate.features.extract import Extract, ExtractSlowly, compile_extract
from fairgate.features.plan import FeaturePlan, TypePlan, plan_features
from fairgate.features.texts import Texts
from fairgate.kernel.program import Program
from fairgate.language.checked import CheckedPack
from fairgate.language.tree import Aggregate, Kind
from fairgate.pipeline.enforcing import Enforcing
from fairgate.ports.feature_rows import FeatureRows

#: A feature as its type: a number (NaN: missing), or a text, a bool or a time (None: missing).
FeatureValue: TypeAlias = float | str | bool | int | None

#: Events that one call of the kernel takes; more gains nothing.
BATCH = 4_096
_NO_OLDER: Final[Mapping[int, int]] = MappingProxyType({})


class Judged(msgspec.Struct, frozen=True, gc=False):
    """An event with its decision and the features it was decided on, in the order of its type's recorded names.

    `features` are the numbers as read from the rows (`Engine.values` gives them as their types), `packed` the same as
    float64s. `entries` of the ledger follow from the decision, or end by the event.
    """

    event: Event
    decision: Decision
    features: list[float]
    packed: bytes
    entries: tuple[Entry, ...] = ()


@dataclass(frozen=True, slots=True)
class Peeked:
    """What is remembered of an entity, whose value is in its canonical form: each aggregate by it alone.

    `token` stands for a personal value, and is empty for others. `seen` is whether anything is remembered; where not,
    the values are those of an entity never met.
    """

    value: str
    token: str
    seen: bool
    features: tuple[tuple[Aggregate, FeatureValue], ...]


@dataclass(frozen=True, slots=True)
class _Stage:
    """All that one event type needs, made once when the pack is compiled."""

    plan: TypePlan
    extract: Extract
    extract_slowly: ExtractSlowly
    detector: Detector
    weights: tuple[Weight, ...]
    outs: int


@dataclass
class Counts:
    """What happened since the start."""

    events: int = 0
    rule_errors: int = 0
    feature_errors: int = 0


class Engine:
    """Decides on events in the order given. The same events after the same state give the same bytes.

    `secret` (256 bits, of a version) keys the hashes, the tokens and the canary draws; tokens that were put in lists
    under `older` versions still stand for their texts. One caller at a time. After an exception the state is undefined:
    the engine must be rebuilt from snapshot and log.
    """

    def __init__(
        self,
        checked: CheckedPack,
        secret: int,
        open_rows: Callable[[Program], FeatureRows],
        *,
        version: int = 1,
        older: Mapping[int, int] = _NO_OLDER,
    ) -> None:
        self.checked = checked
        self.tokens = Tokens(secret, version)
        self.plan: FeaturePlan = plan_features(checked, salt_of(secret, "rows"))
        self._entities = EntityRequests(self.plan, checked.semantics, self.tokens)
        self._open_rows = open_rows
        self.rows = open_rows(self.plan.program)
        self.texts = Texts()
        self.lists = Lists(checked, self.tokens, tuple(Tokens(each, at) for at, each in sorted(older.items())))
        self.memory = BanMemory(checked.pack, self.lists)
        self.brakes = Brakes(frozenset(rule.name for rule in checked.pack.rules if rule.daily_cap is not None))
        self.clock = 0
        self.counts = Counts()
        self._policy = Policy(checked, salt_of(secret, "draws"), self.brakes)
        self._enforcing = Enforcing(checked, self.tokens, self._policy, self.brakes, self.memory.told)
        self._stages = {name: self._stage(name) for name in checked.pack.event_types}
        self._requests: NDArray[np.uint64] = np.zeros((BATCH, max(1, self.plan.program.request_words)), np.uint64)
        self._answers: NDArray[np.float64] = np.zeros((BATCH, max(1, self.plan.program.outs)), np.float64)
        self._buffer = self._requests.data.cast("B")

    def run(self, events: Sequence[Event]) -> list[Judged]:
        """Decide on events, one after another."""
        judged: list[Judged] = []
        for start in range(0, len(events), BATCH):
            judged += self._batch(events[start : start + BATCH])
        return judged

    def absorb(self, events: Sequence[Event], decisions: Sequence[Decision], entries: Iterable[Entry]) -> None:
        """Take in events that were decided on before, and the entries that came of them.

        The state afterwards is as if they had just been run.
        """
        self.ledger.restore(entries)
        for start in range(0, len(events), BATCH):
            _, clocks = self._advance(events[start : start + BATCH])
            for decision, clock in zip(decisions[start : start + BATCH], clocks, strict=True):
                self.brakes.count(decision, clock)

    def reset(self) -> None:
        """Forget all that happened and was said: what was compiled is kept, and that is most of the making."""
        self.rows = self._open_rows(self.plan.program)
        self.texts.clear()
        self.memory.reset()
        self.lists.reset()
        self.brakes.reset()
        self.ledger.reset()
        self.clock, self.counts = 0, Counts()

    def carry(self, arrays: Mapping[str, NDArray[np.int64]], old: CheckedPack) -> tuple[str, ...]:
        """Take over what profiles keep from the `arrays` of another pack's rows, before anything is counted.

        The rows must have been made with the same secret, and `texts` must hold already what it held there. Returns
        the texts of the profiles that have no counterpart in the old pack and begin empty. Events that the old rows had
        counted may be counted again: see `fairgate.features.carry`. Raises ValueError where there are rows already.
        """
        found = carried(old, self.checked, self.plan.salt)
        self.rows.carry(arrays, found.moves)
        return found.anew

    def recorded(self, event_type: str) -> tuple[tuple[str, Kind], ...]:
        """The names and types of an event type's recorded features, in the order of `Judged.features`."""
        plan = self._stages[event_type].plan
        return tuple(zip(plan.names, plan.kinds, strict=True))

    def values(self, event_type: str, features: Sequence[float]) -> tuple[FeatureValue, ...]:
        """Features as their types: numbers (NaN: missing), texts, bools and times (None: missing)."""
        kinds = self._stages[event_type].plan.kinds
        return tuple(typed(kind, number, self.texts.text) for kind, number in zip(kinds, features, strict=True))

    def peek(self, kind: str, value: str, clock: int) -> Peeked:
        """What the next event about an entity, at this time, would read before it is counted; nothing changes.

        A clock behind the log's is taken as the log's. Raises `NoSuchEntityKind` or `BadEntity`.
        """
        asked = self._entities.of(kind, value, max(clock, self.clock))
        answer = np.full((1, max(1, self.plan.reading.outs)), math.nan)
        rows = self.rows.peek(self.plan.reading, asked.words, answer)
        aggregates = self.plan.entities[kind].aggregates
        numbers = answer[0].tolist()[: len(aggregates)]
        values = (typed(each.kind, number, self.texts.text) for each, number in zip(aggregates, numbers, strict=True))
        return Peeked(asked.value, asked.token, rows > 0, tuple(zip(aggregates, values, strict=True)))

    def subject(self, kind: str, value: str) -> Subject:
        """An entity as the ledger knows it. A personal one may be named by its token.

        Raises `NoSuchEntityKind` or `BadEntity`.
        """
        found = self._entities.of(kind, value, self.clock)
        return Subject(kind, found.token or found.value)

    def put_in_list(self, name: str, value: str, until: int, told: Told, now: int) -> None:
        """Let a value stand in a list until a time; one that has passed takes it off, whatever put it there.

        Raises `NoSuchList` or `BadEntry`.
        """
        self.lists.put(name, value, until, told)
        if until <= now:
            self.memory.take_off(name, self.lists.entry(name, value).value)

    def forget_texts(self) -> None:
        """Hold no text of late any more: somebody was erased."""
        self.tokens.forget()
        self.lists.forget_texts()

    @property
    def ledger(self) -> Ledger:
        """What was done to whom, and stands or was undone of late."""
        return self._enforcing.ledger

    @property
    def all_off(self) -> bool:
        """Whether all enforcement is switched off."""
        return ALL_RULES in self.brakes.off

    def allowed(self, subject: Subject, now: int) -> bool:
        """Whether a list says that nothing is done to somebody, at a time."""
        names = self.lists.listing(subject.kind, subject.value, now)
        return any(self.checked.pack.lists[name].effect == Action.ALLOW for name in names)

    def outcome(self, event: Event, decision: Decision) -> tuple[Action, tuple[str, ...]]:
        """What is to be done about an event now; see `Enforcing.outcome`."""
        return self._enforcing.outcome(event, decision, self.clock)

    def why(self, judged: Judged) -> dict[str, str]:
        """The words of each fired rule that has some, with this event's values."""
        why = self._stages[judged.event.type].detector.why
        fired = [rule for rule in judged.decision.rules if rule in why]
        return {rule: evidence(why[rule], judged.event, judged.features) for rule in fired}

    def _stage(self, name: str) -> _Stage:
        bindings, plan = {**self.lists.bindings(), "keys": self.tokens.key}, self.plan.types[name]
        extract, slowly = compile_extract(self.checked, name, self.plan, self.texts, bindings)
        detector = compile_detector(self.checked, name, plan.out_of, self.texts.text, bindings)
        weights = tuple(weight_of(each.rule, name) for each in detector.rules)
        return _Stage(plan, extract, slowly, detector, weights, len(plan.names))

    def _batch(self, events: Sequence[Event]) -> list[Judged]:
        degraded, clocks = self._advance(events)
        answers = self._answers[: len(events)]
        packed, stride = answers.tobytes(), answers.strides[0]
        judged = [
            self._judge(event, features, clock, degraded.get(index, ()), packed[index * stride : (index + 1) * stride])
            for index, (event, features, clock) in enumerate(zip(events, answers.tolist(), clocks, strict=True))
        ]
        self.counts.events += len(events)
        return judged

    def _advance(self, events: Sequence[Event]) -> tuple[dict[int, tuple[str, ...]], list[int]]:
        """Count events in the rows and read their features into `_answers`; returns as `_prepare`."""
        prepared = self._prepare(events)
        self.rows.advance(self._requests, self._answers, len(events))
        self.rows.sweep(self.clock, 2 * len(events))
        return prepared

    def _prepare(self, events: Sequence[Event]) -> tuple[dict[int, tuple[str, ...]], list[int]]:
        """Pack a request for each event. Returns what failed, by position, and the log's clock at each event."""
        failed: dict[int, tuple[str, ...]] = {}
        clocks: list[int] = []
        stride, at, clock = self._requests.strides[0], 0, self.clock
        for index, event in enumerate(events):
            clock = max(clock, event.received)
            clocks.append(clock)
            stage = self._stages[event.type]
            try:
                stage.extract(event.data, event.time, clock, self._buffer, at)
            except Exception:  # noqa: BLE001 - whatever an expression raises: find out which, and go on without it
                errors = stage.extract_slowly(event.data, event.time, clock, self._buffer, at)
                self.counts.feature_errors += len(errors)
                failed[index] = tuple(f"feature: {error}" for error in errors)
            at += stride
        self.clock = clock
        return failed, clocks

    def _judge(
        self, event: Event, features: list[float], clock: int, degraded: tuple[str, ...], packed: bytes
    ) -> Judged:
        stage = self._stages[event.type]
        if stage.outs != len(features):
            features, packed = features[: stage.outs], packed[: 8 * stage.outs]
        fired: list[int] = []
        failed: list[tuple[int, str]] = []
        detector, data = stage.detector, event.data
        segment = detector.judge(data, event.time, clock, features, fired, failed)
        if failed:
            self.counts.rule_errors += len(failed)
            names = [*(each.rule.name for each in detector.rules), "segment"]
            degraded += tuple(f"rule {names[position]}: {error}" for position, error in failed)
        listed = detector.listed(data, clock)
        if not (fired or listed or degraded or self.brakes.off):
            decision = self._policy.quiet[segment]
            entries = self._enforcing.at(event, decision, clock) if event.type in self._enforcing.ends_by else ()
            return Judged(event, decision, features, packed, entries)
        weights = [stage.weights[position] for position in fired]
        finding = Finding(weights, segment, listed, degraded, lambda rule: detector.entity_of[rule](data))
        decision = self._policy.decide(finding, clock)
        enforcing = self._enforcing
        acts = decision.action in enforcing.follow or event.type in enforcing.ends_by
        entries = enforcing.at(event, decision, clock) if acts else ()
        return Judged(event, decision, features, packed, entries)


def typed(kind: Kind, number: float, text_of: Callable[[float], str | None]) -> FeatureValue:
    """A feature as its type, from the number that stands for it."""
    if kind == Kind.NUMBER:
        return number
    if math.isnan(number):
        return None
    if kind == Kind.TEXT:
        return text_of(number)
    return number == 1.0 if kind == Kind.BOOL else int(number)


def evidence(why: Why, event: Event, features: Sequence[float]) -> str:
    """A rule's words with an event's values."""
    try:
        return why(event.data, event.time, event.received, features)
    except Exception as error:  # noqa: BLE001 - whatever an expression raises: the decision stands without these words
        return f"its words could not be made ({type(error).__name__})"
