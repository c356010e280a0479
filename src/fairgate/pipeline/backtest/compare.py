"""Compare two packs on history: per rule, per decision, per person affected."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import polars as pl

from fairgate.domain.action import ACTIONS, Action
from fairgate.domain.errors import NoSuchRule
from fairgate.domain.pack import Pack, Stage
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.backtest.decisions import DECISIONS, Decider
from fairgate.pipeline.backtest.facts import entities_of, facts_of, label_types
from fairgate.pipeline.backtest.history import HITS, History
from fairgate.pipeline.backtest.prepare import Material, Prepared, Told, changed_rules, prepare
from fairgate.pipeline.backtest.report import (
    ActionCount,
    Affected,
    Interventions,
    PackName,
    Report,
    headline,
    span_of,
)
from fairgate.pipeline.backtest.rule_results import Evidence, caught, days, rule_results

#: Entities that are named as newly affected, of each kind.
MOST_NAMED = 5


def backtest(
    old: CheckedPack, new: CheckedPack, material: Material, rules: Sequence[str] = (), told: Told = lambda _: None
) -> Report:
    """What the new pack would have done differently from the old one.

    The recording may have been made with either pack, or with another. What was recorded is used as it stands; changed
    conditions are computed over recorded columns; where one needs what was not recorded, the inputs are replayed.
    `rules` limits which rules are reported. Raises `NothingToCompare`, `NotRecorded`, `NoSuchRule`, and what reading a
    recording or inputs raises.
    """
    names = list(dict.fromkeys(each.rule.name for pack in (old, new) for each in pack.rules))
    for rule in rules:
        if rule not in names:
            raise NoSuchRule(rule, names)
    return _Comparison(prepare(old, new, material, told)).report(list(rules) or names)


class _Comparison:
    """Gathers what both packs fired and decided on the events that either of them touches."""

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.old, self.new = prepared.old, prepared.new
        self.first, self.last, self.types = _extent(self.old)
        self.computed = {each.rule.name for name in self.new.types for each in changed_rules(self.new, name)}
        self.old_hits = {name: _hits(self.old, name) for name in self.old.types}
        self.new_hits = {name: _hits(self.new, name) for name in self.new.types}
        self.old_decider, self.new_decider = Decider(self.old), Decider(self.new)
        self.old_listed = {name: self.old_decider.listed(name) for name in self.old.types}
        self.new_listed = {name: self.new_decider.listed(name) for name in self.new.types}
        self.touched = {name: self._touched(name) for name in self.old.types}
        facts = facts_of(self.old, self.touched)
        self.facts, self.bad, self.labelled = facts.events, facts.bad, facts.labelled
        self.decisions = self._decisions()

    def _touched(self, event_type: str) -> pl.DataFrame:
        """The numbers of the events that a rule or a list of either pack speaks of; the others are decided on alike."""
        if len(self.old_decider.quiet | self.new_decider.quiet) > 1:  # where segments differ by themselves, all count
            return self.old.events(event_type).select("event").collect()
        found = [self.old_hits, self.old_listed, self.new_hits, self.new_listed]
        return pl.concat([each[event_type].select("event") for each in found if event_type in each]).unique()

    def _decisions(self) -> pl.DataFrame:
        """The facts of touched events of types that both packs know, with both packs' actions, `old` and `new`."""
        old = _decided(self.old, self.old_decider, self.old_hits, self.old_listed, self.touched)
        new = _decided(self.new, self.new_decider, self.new_hits, self.new_listed, self.touched)
        both = old.rename({"action": "old"}).join(new.rename({"action": "new"}), on="event")
        return self.facts.join(both, on="event").with_columns(
            before=pl.col("old") >= Action.THROTTLE, after=pl.col("new") >= Action.THROTTLE
        )

    def report(self, names: Iterable[str]) -> Report:
        about = self.old.recorded.about
        interventions, actions, affected = self._interventions(), self._actions(), self._affected()
        return Report(
            old=_name(self.old.checked.pack),
            new=_name(self.new.checked.pack),
            recorded_with=PackName(about.pack, about.version, about.digest),
            headline=headline(interventions, actions, affected, span_of(self.first, self.last), self._noun()),
            events=sum(self.types.values()),
            types=self.types,
            first=self.first,
            last=self.last,
            replays=self.prepared.replays,
            labelled_bad=dict(self.bad),
            rules=rule_results(self._evidence(), names),
            actions=actions,
            interventions=interventions,
            affected=affected,
            warnings=tuple(self._warnings()),
        )

    def _evidence(self) -> Evidence:
        return Evidence(
            self.old,
            self.new,
            pl.concat([pl.DataFrame(schema=HITS), *self.old_hits.values()]),
            pl.concat([pl.DataFrame(schema=HITS), *self.new_hits.values()]),
            self.facts,
            self.labelled,
            self.first,
            self.last,
            frozenset(self.computed),
            replayed=self.new.numbers is not None,
        )

    def _actions(self) -> tuple[ActionCount, ...]:
        """All events by action: those touched as decided, the others as each pack decides where it finds nothing."""
        shared = [name for name in self.old.types if name in self.new.types]
        rest = sum(self.types[name] for name in shared) - self.decisions.height
        counts = []
        for side, decider in (("old", self.old_decider), ("new", self.new_decider)):
            found = dict(self.decisions.group_by(side).len().iter_rows())
            if rest:
                (quiet,) = decider.quiet
                found[quiet] = found.get(quiet, 0) + rest
            counts.append(found)
        return tuple(ActionCount(each.word, counts[0].get(each, 0), counts[1].get(each, 0)) for each in Action)

    def _interventions(self) -> Interventions:
        decisions = self.decisions.with_columns(bad="free")
        bad = int(self.labelled["free"].sum())
        old, new = decisions.filter("before"), decisions.filter("after")
        return Interventions(
            old=caught(old, bad),
            new=caught(new, bad),
            gained=caught(new.filter(~pl.col("before")), bad),
            lost=caught(old.filter(~pl.col("after")), bad),
            days=days(old, new, self.first, self.last),
        )

    def _affected(self) -> tuple[Affected, ...]:
        acted = self.decisions.filter(pl.col("before") | pl.col("after"))
        by_type = {str(name): events.select("event") for (name,), events in acted.group_by("type", maintain_order=True)}
        entities = entities_of(self.new, by_type).join(acted.select("event", "before", "after"), on="event")
        each = entities.group_by("entity", "value").agg(pl.col("before", "after").sum())
        result = []
        for (kind,), found in each.sort("entity").group_by("entity", maintain_order=True):
            newly = found.filter((pl.col("before") == 0) & (pl.col("after") > 0))
            newly = newly.sort("after", "value", descending=[True, False])
            result.append(
                Affected(
                    entity=str(kind),
                    old=found.filter(pl.col("before") > 0).height,
                    new=found.filter(pl.col("after") > 0).height,
                    newly=newly.height,
                    no_longer=found.filter((pl.col("before") > 0) & (pl.col("after") == 0)).height,
                    examples=tuple(newly["value"].head(MOST_NAMED)),
                )
            )
        return tuple(result)

    def _noun(self) -> str:
        """What the events are called on which decisions differ."""
        types = self.decisions.filter(pl.col("before") != pl.col("after"))["type"].unique().to_list()
        return types[0].replace(".", " ").replace("_", " ") if len(types) == 1 else "event"

    def _warnings(self) -> Iterator[str]:
        if self.old.maker is None:
            about = self.old.recorded.about
            yield f"Pack {about.pack} {about.version}, which is neither of the two, made the recording."
        if self.prepared.unmatched:
            yield f"{self.prepared.unmatched:,} events of the inputs are not in the recording and were left out."
        for name in self.new.checked.pack.event_types:
            if name not in self.new.types:
                yield f"No events of type {name} were recorded, so nothing is said of rules on them."
        if not any(self.types[name] for name in label_types(self.old)):
            yield "There are no labels, so precision and recall are unknown."
        for name in sorted({*self.old_decider.unseen_lists(), *self.new_decider.unseen_lists()}):
            yield f"List {name} was not applied: the entity it acts on is personal, so it was not recorded."
        yield from self._unreleased()
        if differ := self._decided_otherwise():
            yield (
                f"{differ:,} events were decided otherwise when they were recorded: by canaries, or by lists and "
                "switches as they stood then."
            )

    def _unreleased(self) -> Iterator[str]:
        """Rules whose hits don't show in decisions."""
        canaries: dict[str, list[str]] = {}
        for history, which in ((self.old, "old"), (self.new, "new")):
            for each in history.checked.rules:
                if each.rule.mode.stage == Stage.CANARY:
                    canaries.setdefault(each.rule.name, []).append(which)
        for name, packs in canaries.items():
            where = "both packs" if len(packs) > 1 else f"the {packs[0]} pack"
            yield f"Rule {name} is a canary in {where}: there it has no part in the decisions shown."
        for each in self.new.checked.rules:
            if each.rule.mode.stage == Stage.SHADOW and each.rule.name in self.computed:
                yield f"Rule {each.rule.name} is in shadow in the new pack: it has no part in decisions."

    def _decided_otherwise(self) -> int:
        """Touched events whose recorded action is not what the same pack's decision stage gives here."""
        if not self.old.own:
            return 0
        numbers = {word: int(action) for word, action in ACTIONS.items()}
        recorded = pl.col("recorded").replace_strict(numbers, return_dtype=pl.Int8)
        return self.decisions.filter(recorded != pl.col("old")).height


def _hits(history: History, event_type: str) -> pl.DataFrame:
    """All hits of a pack's rules on events of a type: recorded where they were, computed where not."""
    changed = changed_rules(history, event_type)
    names = {each.rule.name for each in changed}
    recorded = [each.rule.name for each in history.checked.rules_on(event_type) if each.rule.name not in names]
    return pl.concat([history.recorded_hits(event_type, recorded), history.fired(event_type, changed)])


def _decided(
    history: History,
    decider: Decider,
    hits: Mapping[str, pl.DataFrame],
    listed: Mapping[str, pl.DataFrame],
    touched: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """A pack's decisions on touched events of the types it knows."""
    every = pl.concat([pl.DataFrame(schema=HITS), *hits.values()])
    freely = _decided_on(every, history, decider, listed, touched)
    if not decider.caps:
        return freely
    acted = freely.filter(pl.col("action") > int(Action.ALLOW))
    return _decided_on(decider.within_caps(every, acted), history, decider, listed, touched)


def _decided_on(
    counted: pl.DataFrame,
    history: History,
    decider: Decider,
    listed: Mapping[str, pl.DataFrame],
    touched: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    """The decisions that these hits make."""
    decided = [pl.DataFrame(schema=DECISIONS)]
    for name, events in touched.items():
        if name in history.types:
            segments = history.only(name, events).select("event", segment=decider.segments(name)).collect()
            mine = counted.join(events, on="event", how="semi")
            decided.append(decider.decide(name, segments, mine, listed[name]))
    return pl.concat(decided)


def _extent(history: History) -> tuple[datetime | None, datetime | None, dict[str, int]]:
    """The earliest and the latest time, and how many events of each type."""
    first: list[datetime] = []
    last: list[datetime] = []
    types = {}
    for name in history.types:
        time = pl.col("_time")
        found = history.events(name).select(first=time.min(), last=time.max(), len=pl.len()).collect()
        types[name] = int(found["len"].item())
        if types[name]:
            first.append(found["first"].item())
            last.append(found["last"].item())
    return min(first, default=None), max(last, default=None), types


def _name(pack: Pack) -> PackName:
    return PackName(pack.name, pack.version, pack.digest)
