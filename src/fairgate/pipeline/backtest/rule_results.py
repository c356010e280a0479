"""What a backtest says of each rule."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import polars as pl

from fairgate.domain.pack import Rule, Stage
from fairgate.language.checked import CheckedPack, CheckedRule
from fairgate.language.tree import aggregates
from fairgate.pipeline.backtest.examples import Examples
from fairgate.pipeline.backtest.facts import scored
from fairgate.pipeline.backtest.history import History, conditions_of, same_meaning
from fairgate.pipeline.backtest.report import Caught, Day, Overlap, RuleResult, share

_ORDER = {"changed": 0, "added": 1, "removed": 2, "unchanged": 3}


@dataclass(frozen=True)
class Evidence:
    """All that rules are judged on.

    Both packs' hits (`event`, `rule`), what is known of their events and of all that are labelled (see `Facts`), the
    earliest and latest time, and which rules of the new pack were computed over columns.
    """

    old: History
    new: History
    old_hits: pl.DataFrame
    new_hits: pl.DataFrame
    facts: pl.DataFrame
    labelled: pl.DataFrame
    first: datetime | None
    last: datetime | None
    computed: frozenset[str]
    replayed: bool


def rule_results(evidence: Evidence, wanted: Iterable[str]) -> tuple[RuleResult, ...]:
    """The results of rules: those that differ between the packs first, with the most hits gained or lost on top."""
    judge = _Judge(evidence)
    results = (judge.result(name) for name in wanted)
    return tuple(
        sorted(results, key=lambda each: (_ORDER[each.status], -each.gained.events - each.lost.events, each.name))
    )


class _Judge:
    def __init__(self, evidence: Evidence) -> None:
        self._evidence = evidence
        self._old_rules = {each.rule.name: each for each in evidence.old.checked.rules}
        self._new_rules = {each.rule.name: each for each in evidence.new.checked.rules}
        self._examples = Examples(evidence.old, evidence.new)
        self._old_hits = evidence.old_hits.join(evidence.facts, on="event")
        self._new_hits = evidence.new_hits.join(evidence.facts, on="event")
        self._sizes: dict[str, int] = dict(evidence.new_hits.group_by("rule").len().iter_rows())
        released = [name for name, each in self._new_rules.items() if each.rule.mode.stage != Stage.SHADOW]
        counts = evidence.new_hits.with_columns(released=pl.col("rule").is_in(released))
        others = pl.col("released").sum().over("event") - pl.col("released").cast(pl.UInt32)
        self._alone: dict[str, int] = dict(counts.filter(others == 0).group_by("rule").len().iter_rows())

    def result(self, name: str) -> RuleResult:
        old, new = self._old_rules.get(name), self._new_rules.get(name)
        before = scored(self._old_hits.filter(pl.col("rule") == name), name)
        after = scored(self._new_hits.filter(pl.col("rule") == name), name)
        gained = after.join(before, on="event", how="anti")
        lost = before.join(after, on="event", how="anti")
        differs = differences(self._evidence.old.checked, self._evidence.new.checked, old, new)
        on = tuple(dict.fromkeys(kind for each in (old, new) if each for kind in each.rule.on))
        labelled = scored(self._evidence.labelled.filter(pl.col("type").is_in(on)), name)
        bad = int(labelled["bad"].sum())
        return RuleResult(
            name=name,
            on=on,
            status=_status(old, new, differs),
            differs=differs,
            how=self._how(name) if new else None,
            old_mode=mode_word(old.rule) if old else None,
            new_mode=mode_word(new.rule) if new else None,
            old=caught(before, bad) if old else None,
            new=caught(after, bad) if new else None,
            gained=caught(gained, bad),
            lost=caught(lost, bad),
            cold=self._cold(name, after),
            alone=share(self._alone.get(name, 0), after.height),
            overlaps=self._overlaps(name),
            days=days(before, after, self._evidence.first, self._evidence.last),
            gained_examples=self._examples.of(new, gained, by_new=True),
            lost_examples=self._examples.of(old, lost, by_new=False),
        )

    def _how(self, name: str) -> Literal["recorded", "columns", "kernel"]:
        if self._evidence.replayed:
            return "kernel"
        return "columns" if name in self._evidence.computed else "recorded"

    def _cold(self, name: str, hits: pl.DataFrame) -> int:
        """Hits from before the longest window that the rule looks back over had once filled."""
        conditions = conditions_of(self._evidence.new.checked, name).values()
        longest = max((each.over.length for node in conditions for each in aggregates(node)), default=0)
        if self._evidence.first is None:
            return 0
        return hits.filter(pl.col("time") < self._evidence.first + timedelta(microseconds=longest)).height

    def _overlaps(self, name: str) -> tuple[Overlap, ...]:
        """The other rules that fired on the same events, the most alike first."""
        hits = self._evidence.new_hits
        mine = hits.filter(pl.col("rule") == name).select("event")
        together = hits.filter(pl.col("rule") != name).join(mine, on="event", how="semi")
        found = [
            Overlap(other, both, both / (mine.height + self._sizes[other] - both))
            for other, both in together.group_by("rule").len().iter_rows()
        ]
        return tuple(sorted(found, key=lambda each: (-each.jaccard, each.other)))


def caught(events: pl.DataFrame, bad_there: int) -> Caught:
    """What a set of events comes to by its labels, given how many events of these types are labelled bad in all."""
    labelled = events["bad"].drop_nulls()
    bad = int(labelled.sum())
    return Caught(events.height, labelled.len(), bad, share(bad, labelled.len()), share(bad, bad_there))


def days(before: pl.DataFrame, after: pl.DataFrame, first: datetime | None, last: datetime | None) -> tuple[Day, ...]:
    """Events by day under each pack, from the first day of the history to its last."""
    if first is None or last is None:
        return ()
    old, new = (dict(each.group_by(pl.col("time").dt.date()).len().iter_rows()) for each in (before, after))
    every = [first.date() + timedelta(days=number) for number in range((last.date() - first.date()).days + 1)]
    return tuple(Day(day, old.get(day, 0), new.get(day, 0)) for day in every)


def differences(
    old_pack: CheckedPack, new_pack: CheckedPack, old: CheckedRule | None, new: CheckedRule | None
) -> tuple[str, ...]:
    """What of a rule is not the same in both packs; empty where only one has it."""
    if old is None or new is None:
        return ()
    was, now = old.rule, new.rule
    compared = {
        "condition": not same_meaning(old_pack, new_pack, now.name),
        "event types": was.on != now.on,
        "score": was.score != now.score,
        "action": was.actions != now.actions,
        "group": was.group != now.group,
        "mode": was.mode != now.mode,
        "daily cap": was.daily_cap != now.daily_cap,
        "reason": was.reason != now.reason,
    }
    return tuple(what for what, differs in compared.items() if differs)


def mode_word(rule: Rule) -> str:
    """A rule's mode as packs write it."""
    return f"canary {100 * rule.mode.fraction:.4g}%" if rule.mode.stage == Stage.CANARY else str(rule.mode.stage)


def _status(
    old: CheckedRule | None, new: CheckedRule | None, differs: Sequence[str]
) -> Literal["added", "removed", "changed", "unchanged"]:
    if old is None:
        return "added"
    if new is None:
        return "removed"
    return "changed" if differs else "unchanged"
