"""What each pack would have decided: the decision stage itself, run once for each different set of findings.

A rule counts where it is live and, with a daily cap, as long as the cap isn't reached. A canary is drawn by a secret
that a backtest does not have, so its rules count as not drawn. List entries and switches made while the history
happened are not known here: the lists are those of the pack's files.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import polars as pl

from fairgate.decide.policy import Brakes, Finding, Policy, Weight, weight_of
from fairgate.domain.action import Action
from fairgate.domain.pack import Stage
from fairgate.domain.windows import DAY
from fairgate.language.checked import CheckedPack
from fairgate.language.to_polars import Columns, missing_columns, to_polars
from fairgate.language.tree import Attr, Kind, Node
from fairgate.pipeline.backtest.history import History, changed_lists, lists_in

#: Decisions: one row for each event, of its number, the segment's position, and the action as a number.
DECISIONS = {"event": pl.Int64(), "action": pl.Int8()}


class Decider:
    """Decides on recorded events as one pack would."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._policy = Policy(history.checked, 0, Brakes())
        self._lists = {
            name: values
            for name, values in history.lists.items()
            if values and name in {spec.name for spec in history.checked.acting_lists()}
        }

    @property
    def quiet(self) -> frozenset[Action]:
        """What is decided, by segment, where nothing was found."""
        return frozenset(decision.action for decision in self._policy.quiet)

    def needs(self, event_type: str) -> tuple[Node, ...]:
        """The expressions that decisions on events of a type are made from, beside the rules."""
        if self._same_segments:
            return ()
        return tuple(
            each.when
            for each in self._history.checked.segments
            if each.when is not None and event_type in (each.segment.on or (event_type,))
        )

    @cached_property
    def _same_segments(self) -> bool:
        """Whether the pack that made the recording sorts events into the same segments."""
        checked, maker = self._history.checked, self._history.maker
        if maker is None or _sorting(checked) != _sorting(maker):
            return False
        asked = {name for each in checked.segments if each.when is not None for name in lists_in(each.when)}
        return changed_lists(maker, checked).isdisjoint(asked)

    def unseen_lists(self) -> tuple[str, ...]:
        """The acting lists whose entity was not recorded, on some event type, so that they can't be looked up."""
        return tuple(
            name
            for name in self._lists
            for event_type in self._history.types
            if len(self._entities(event_type, name)) != len(self._declared(event_type, name))
        )

    def listed(self, event_type: str) -> pl.DataFrame:
        """The events of a type that stand in an acting list, with the lists' names, a space between them."""
        columns = self._history.columns(event_type)
        tests = {
            name: pl.any_horizontal([as_text(attr, columns).is_in(sorted(self._lists[name])) for attr in attrs])
            for name in self._lists
            if (attrs := self._entities(event_type, name))
        }
        names = list(tests)
        if not names:
            return pl.DataFrame(schema={"event": pl.Int64(), "lists": pl.String()})
        frame = self._history.events(event_type).select("event", **tests).filter(pl.any_horizontal(names)).collect()
        lists = pl.concat_str([pl.when(name).then(pl.lit(name)) for name in names], separator=" ", ignore_nulls=True)
        return frame.select("event", lists.alias("lists"))

    def segments(self, event_type: str) -> pl.Expr:
        """The position of an event's segment, from the recorded columns."""
        checked, columns = self._history.checked, self._history.columns(event_type)
        last = len(checked.segments) - 1
        if last == 0:
            return pl.lit(0, pl.Int32)
        if self._same_segments:
            positions = {each.segment.name: position for position, each in enumerate(checked.segments)}
            return pl.col("_segment").replace_strict(positions, default=last, return_dtype=pl.Int32)
        found: pl.Expr = pl.lit(last, pl.Int32)
        for position, each in reversed(list(enumerate(checked.segments))):
            if each.when is not None and event_type in (each.segment.on or (event_type,)):
                holds = to_polars(each.when, columns).fill_null(value=False)
                found = pl.when(holds).then(pl.lit(position, pl.Int32)).otherwise(found)
        return found

    @property
    def caps(self) -> Mapping[str, int]:
        """The live rules that have a daily cap, with it."""
        return {
            each.rule.name: each.rule.daily_cap
            for each in self._history.checked.rules
            if each.rule.daily_cap is not None and each.rule.mode.stage == Stage.LIVE
        }

    def within_caps(self, hits: pl.DataFrame, acted: pl.DataFrame) -> pl.DataFrame:
        """Hits, over all event types, without those of live rules that came after their cap of the day was reached.

        `acted` has the `event`s with more than an allow, which alone use a cap up. Days are UTC days of the clock,
        the latest receive time so far.
        """
        caps = self.caps
        received = [self._history.events(name).select("event", "_received") for name in self._history.types]
        day = pl.col("_received").dt.epoch("us").cum_max() // DAY
        clock = pl.concat(received).sort("event").select("event", day=day)
        capped = hits.filter(pl.col("rule").is_in(list(caps)))
        uses = capped.join(acted, on="event", how="semi")
        numbered = uses.join(clock.collect(), on="event").sort("event")
        cap = pl.col("rule").replace_strict(caps, return_dtype=pl.Int64)
        beyond = numbered.filter(pl.int_range(pl.len()).over("rule", "day") >= cap)
        return hits.join(beyond, on=["event", "rule"], how="anti")

    def decide(self, event_type: str, events: pl.DataFrame, hits: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
        """The decisions on some events of a type, given their segments (`event`, `segment`), hits and lists."""
        weights = self._counted(event_type)
        places = pl.DataFrame(
            {"rule": [each.name for each in weights.values()], "place": list(weights)},
            schema={"rule": pl.String(), "place": pl.Int64()},
        )
        fired = hits.join(places, on="rule").group_by("event")
        rules = fired.agg(pl.col("place").sort().cast(pl.String).str.join(" ").alias("rules"))
        found = events.join(rules, on="event", how="left").join(listed, on="event", how="left")
        found = found.with_columns(pl.col("rules", "lists").fill_null(""))
        keys = ["segment", "rules", "lists"]
        different = found.select(keys).unique()
        actions = pl.Series("action", [self._action(weights, *row) for row in different.iter_rows()], pl.Int8)
        return found.join(different.with_columns(actions), on=keys).select("event", "action")

    def _action(self, weights: Mapping[int, Weight], segment: int, rules: str, lists: str) -> int:
        fired = [weights[int(place)] for place in rules.split()]
        return int(self._policy.decide(Finding(fired, segment, lists.split(), (), lambda _: None), 0).action)

    def _counted(self, event_type: str) -> dict[int, Weight]:
        """The rules that are live on an event type, by their place in the pack; their caps are dealt with by then."""
        weights = {
            place: weight_of(each.rule, event_type)
            for place, each in enumerate(self._history.checked.rules)
            if event_type in each.rule.on
        }
        live = {place: weight for place, weight in weights.items() if weight.stage == Stage.LIVE}
        return {place: replace(weight, daily_cap=None) for place, weight in live.items()}

    def _declared(self, event_type: str, name: str) -> list[Attr]:
        """The attributes whose entity a list acts on."""
        checked = self._history.checked
        kind = checked.pack.lists[name].entity
        return [attr for entity, attr in checked.entities(checked.pack.event_types[event_type]) if entity == kind]

    def _entities(self, event_type: str, name: str) -> list[Attr]:
        """Those of them that were recorded."""
        columns = self._history.columns(event_type)
        return [attr for attr in self._declared(event_type, name) if not missing_columns(attr, columns)]


def _sorting(checked: CheckedPack) -> list[tuple[str, tuple[str, ...], Node | None]]:
    return [(each.segment.name, each.segment.on, each.when) for each in checked.segments]


def as_text(attr: Attr, columns: Columns) -> pl.Expr:
    """An entity as lists and reports write it; a number as Python does."""
    if attr.kind == Kind.TEXT:
        return to_polars(attr, columns)
    return pl.col(attr.name).map_batches(_as_python_writes, pl.String, is_elementwise=True)


def _as_python_writes(numbers: pl.Series) -> pl.Series:
    return pl.Series(numbers.name, [None if number is None else str(number) for number in numbers], pl.String)
