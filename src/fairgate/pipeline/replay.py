"""Replay: events of the past through the same code as live ones, and a tally of what was decided."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from fairgate.domain.action import Action
from fairgate.domain.event import Event, Refusal
from fairgate.domain.secret import salt_of
from fairgate.domain.windows import DAY
from fairgate.ingest.decode import Decoder, Taken
from fairgate.kernel.rows import Rows
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.engine import Engine, Judged
from fairgate.pipeline.recording import Recording
from fairgate.pipeline.repeats import Repeats

#: As many refusals are kept as examples.
MOST_EXAMPLES = 20


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """What a replay did.

    `events` were decided on; `repeats` had been met before and were skipped; `refused` counts by code, with the first
    of them in `examples`; `types` counts events by type. `rule_hits` has each rule of the pack with the events it fired
    on, whatever its mode. `asked` has, for each action, the events on which a rule that counted (not a silent one) has
    that action; `actions` the events that got it. `degraded` events were decided with something left out.
    `out_of_order` events came after one with a later time. `first` and `last` are the earliest and the latest time in
    microseconds, None without events.
    """

    events: int
    repeats: int
    refused: Mapping[str, int]
    examples: tuple[Refusal, ...]
    types: Mapping[str, int]
    rule_hits: Mapping[str, int]
    asked: Mapping[str, int]
    actions: Mapping[str, int]
    degraded: int
    out_of_order: int
    first: int | None
    last: int | None


class Replay:
    """Decides on batches of events by one pack, from an empty state, with nothing behind the decisions.

    `secret` keys the hashes and the canary draws: the same batches under the same secret give the same decisions. What
    comes later than a live event might, measured by the log's clock, is refused as late.
    """

    def __init__(self, checked: CheckedPack, secret: int) -> None:
        self.engine = Engine(checked, secret, Rows)
        self.decoder = Decoder(checked, self.engine.plan.longest)
        self._repeats = Repeats(salt_of(secret, "repeats"))
        self._tally = _Tally(checked)

    @property
    def events(self) -> int:
        """Events decided on so far."""
        return self._tally.events

    def run(
        self, batches: Iterable[Sequence[Taken]], *, recording: Recording | None = None, limit: int | None = None
    ) -> ReplayReport:
        """Decide on batches, until they end or `limit` events were decided on; each is recorded where asked for."""
        for batch in batches:
            rest = batch
            while rest and self.events != limit:
                room = len(rest) if limit is None else limit - self.events
                judged = self.engine.run(self._fresh(rest[:room]))
                if recording is not None:
                    recording.write(judged, self.events)
                self._tally.add(judged)
                rest = rest[room:]
            if self.events == limit:
                break
        return self._tally.report()

    def _fresh(self, batch: Sequence[Taken]) -> list[Event]:
        """The events to be decided on; the others are counted."""
        tally, start, oldest = self._tally, self.engine.clock, self.decoder.oldest
        clock, events = start, []
        for taken in batch:
            if isinstance(taken, Refusal):
                tally.refuse(taken)
                continue
            received = taken.received
            if received >= clock:
                clock = received
            elif received <= clock - oldest:
                reason = f"time is {oldest / DAY:g} days or more before an earlier event's: sort the files by time"
                tally.refuse(Refusal("late", "time", reason, taken.id))
                continue
            else:
                tally.out_of_order += 1
            events.append(taken)
        met = self._repeats.met(events, tally.events)
        tally.repeats += sum(number >= 0 for number in met)
        return [event for event, number in zip(events, met, strict=True) if number < 0]


class _Tally:
    """Counts as a replay goes on."""

    def __init__(self, checked: CheckedPack) -> None:
        self.events = self.repeats = self.out_of_order = self.degraded = 0
        self._refused: Counter[str] = Counter()
        self._examples: list[Refusal] = []
        self._types: Counter[str] = Counter()
        self._hits: Counter[str] = Counter({rule.name: 0 for rule in checked.pack.rules})
        self._asked: Counter[str] = Counter()
        self._actions = [0] * len(Action)
        self._asks = {
            (event_type, rule.name): action.word
            for rule in checked.pack.rules
            for event_type, action in rule.actions.items()
        }
        self._first: int | None = None
        self._last: int | None = None

    def refuse(self, refusal: Refusal) -> None:
        self._refused[refusal.code] += 1
        if len(self._examples) < MOST_EXAMPLES:
            self._examples.append(refusal)

    def add(self, judged: Sequence[Judged]) -> None:
        if not judged:
            return
        self.events += len(judged)
        self._types.update([each.event.type for each in judged])
        times = [each.event.time for each in judged]
        self._first = min(times) if self._first is None else min(self._first, *times)
        self._last = max(times) if self._last is None else max(self._last, *times)
        for each in judged:
            decision = each.decision
            self._actions[decision.action] += 1
            if decision.degraded:
                self.degraded += 1
            if decision.rules:
                self._hit(each)

    def _hit(self, judged: Judged) -> None:
        decision, asks, event_type = judged.decision, self._asks, judged.event.type
        self._hits.update(decision.rules)
        self._asked.update(
            {
                asks[event_type, rule]
                for rule in decision.rules
                if (event_type, rule) in asks and rule not in decision.silent
            }
        )

    def report(self) -> ReplayReport:
        return ReplayReport(
            events=self.events,
            repeats=self.repeats,
            refused=dict(self._refused),
            examples=tuple(self._examples),
            types=dict(self._types),
            rule_hits=dict(sorted(self._hits.items())),
            asked=dict(self._asked),
            actions={action.word: self._actions[action] for action in Action},
            degraded=self.degraded,
            out_of_order=self.out_of_order,
            first=self._first,
            last=self._last,
        )
