"""Recorded history as one pack sees it: what it can compute there, and which of its rules fired."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from fairgate.detect.lists import Lists
from fairgate.domain.pack import EventType
from fairgate.language.checked import CheckedPack, CheckedRule
from fairgate.language.to_polars import Columns, missing_columns, to_polars
from fairgate.language.tree import Aggregate, FeatureRef, Listed, Node, RuleRef, walk
from fairgate.pipeline.recording import Recorded

#: Rules that fired: one row for each, of the event's number and the rule's name.
HITS = {"event": pl.Int64(), "rule": pl.String()}


@dataclass(frozen=True)
class History:
    """A pack and a recording of its events, which another pack may have made.

    `numbers` renumbers the events: a frame of `_sequence`, as recorded, and `event`, the number they go by here.
    Without it they keep their own. `maker` is the pack that made the recording, where that is at hand.
    """

    checked: CheckedPack
    recorded: Recorded
    maker: CheckedPack | None = None
    numbers: pl.DataFrame | None = None

    @property
    def own(self) -> bool:
        """Whether this very pack made the recording, so that what it says was decided is what this pack decides."""
        return self.recorded.about.digest == self.checked.pack.digest

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that the pack knows and the recording holds."""
        return tuple(name for name in self.checked.pack.event_types if name in self.recorded.frames)

    @cached_property
    def lists(self) -> Mapping[str, frozenset[str]]:
        """What the pack's files enter in its lists."""
        return {name: frozenset(entries) for name, entries in Lists(self.checked).entries(0).items()}

    @cached_property
    def conditions(self) -> Mapping[str, Node]:
        """The rules' conditions by name."""
        return {each.rule.name: each.when for each in self.checked.rules}

    @cached_property
    def _columns(self) -> dict[str, Columns]:
        return {name: self._columns_of(name) for name in self.types}

    def columns(self, event_type: str) -> Columns:
        """What this pack's expressions can be computed from on events of a type."""
        return self._columns[event_type]

    def events(self, event_type: str) -> pl.LazyFrame:
        """The recorded events of a type, with their number in the column `event`."""
        frame = self.recorded.frames[event_type]
        if self.numbers is None:
            return frame.rename({"_sequence": "event"})
        return frame.join(self.numbers.lazy(), on="_sequence", how="inner").drop("_sequence")

    def only(self, event_type: str, events: pl.DataFrame) -> pl.LazyFrame:
        """Some of the recorded events of a type, by number."""
        # A filter, not a join: it is tried while a file is read, and the other columns are decoded where it holds.
        return self.events(event_type).filter(pl.col("event").is_in(events["event"].implode()))

    def lacking(self, event_type: str, nodes: Iterable[Node]) -> tuple[str, ...]:
        """The columns that the recording would need for expressions on events of a type."""
        columns = self.columns(event_type)
        return tuple(dict.fromkeys(each for node in nodes for each in missing_columns(node, columns)))

    def fired(self, event_type: str, rules: Sequence[CheckedRule]) -> pl.DataFrame:
        """The hits of rules on events of a type, their conditions computed over the recorded columns."""
        if not rules:
            return pl.DataFrame(schema=HITS)
        columns = self.columns(event_type)
        names = [each.rule.name for each in rules]
        results = [to_polars(each.when, columns).alias(each.rule.name) for each in rules]
        frame = self.events(event_type).select("event", *results).filter(pl.any_horizontal(names)).collect()
        hits = [frame.filter(pl.col(name)).select("event", pl.lit(name).alias("rule")) for name in names]
        return pl.concat([pl.DataFrame(schema=HITS), *hits])

    def recorded_hits(self, event_type: str, rules: Sequence[str]) -> pl.DataFrame:
        """The hits of rules on events of a type as they were recorded, whatever the rules' mode was."""
        fired = self.events(event_type).select("event", pl.col("_rules").alias("rule"))
        fired = fired.filter(pl.col("rule").list.len() > 0).explode("rule")
        return fired.filter(pl.col("rule").is_in(rules)).collect()

    def _columns_of(self, name: str) -> Columns:
        recorded = self.recorded.about.features[name]
        stale = set(self._stale_attributes(self.checked.pack.event_types[name]))
        usable = {column: text for column, text in recorded.items() if text not in self._stale_features}
        features = {text: column for column, text in usable.items() if column not in stale}
        rest = [each for each in self.recorded.frames[name].collect_schema().names() if each not in recorded]
        return Columns(
            present=frozenset({*features.values(), *(each for each in rest if each.partition(".")[0] not in stale)}),
            features=features,
            semantics=self.checked.semantics,
            rules=self.conditions,
            lists=self.lists,
        )

    def _stale_attributes(self, event_type: EventType) -> Iterator[str]:
        """Attributes whose column holds something else: they had another type then, or a feature had their name."""
        features = self.recorded.about.features[event_type.name]
        was = self.maker.pack.event_types.get(event_type.name) if self.maker else None
        for each in event_type.attributes:
            before = was.attribute(each.name) if was else None
            if each.name in features or (before is not None and before.type != each.type):
                yield each.name

    @cached_property
    def _stale_features(self) -> frozenset[str]:
        """Aggregates whose text is the same in the pack that recorded them, but not what they gather."""
        if self.maker is None or self.own:
            return frozenset()
        mine, theirs = _aggregates(self.checked), _aggregates(self.maker)
        changed = changed_lists(self.maker, self.checked)
        return frozenset(
            text
            for text, aggregate in mine.items()
            if text in theirs and (aggregate != theirs[text] or not changed.isdisjoint(_lists_in_aggregate(aggregate)))
        )


def conditions_of(checked: CheckedPack, rule: str) -> dict[str, Node]:
    """A rule's condition and those of all rules it names, and they name, by name; empty where there is no such rule."""
    conditions = {each.rule.name: each.when for each in checked.rules}
    found: dict[str, Node] = {}
    waiting = [rule] if rule in conditions else []
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = conditions[name]
            waiting += [each.name for each in walk(conditions[name]) if isinstance(each, RuleRef)]
    return found


def same_meaning(old: CheckedPack, new: CheckedPack, rule: str) -> bool:
    """Whether a rule's condition means the same in both packs: itself, the rules it names, and the lists they ask."""
    was, now = conditions_of(old, rule), conditions_of(new, rule)
    changed = changed_lists(old, new)
    return was == now and all(changed.isdisjoint(lists_in(node)) for node in now.values())


def changed_lists(old: CheckedPack, new: CheckedPack) -> frozenset[str]:
    """The lists that don't hold the same in both packs."""
    was, now = Lists(old).entries(0), Lists(new).entries(0)
    return frozenset(name for name in was.keys() | now.keys() if was.get(name) != now.get(name))


def lists_in(node: Node) -> set[str]:
    """The lists that an expression asks, and those that the aggregates in it ask."""
    found = set()
    for each in walk(node):
        match each:
            case Listed(_, name):
                found.add(name)
            case FeatureRef(aggregate):
                found |= _lists_in_aggregate(aggregate)
    return found


def _lists_in_aggregate(aggregate: Aggregate) -> set[str]:
    return {name for inner in (aggregate.value, aggregate.where) if inner is not None for name in lists_in(inner)}


def _aggregates(checked: CheckedPack) -> dict[str, Aggregate]:
    return {each.text: each for read in checked.read.values() for each in read.values()}
