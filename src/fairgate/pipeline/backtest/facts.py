"""What is known of the events that either pack acts on: when and what they were, their labels, who they are about."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from fairgate.language.to_polars import missing_columns
from fairgate.pipeline.backtest.decisions import as_text
from fairgate.pipeline.backtest.history import History

#: What a label says of an event, its own number, which rule alone picked the event for it, and whether decisions did.
_KNOWN = {
    "event": pl.Int64(),
    "bad": pl.Boolean(),
    "known": pl.Int64(),
    "selector": pl.String(),
    "picked": pl.Boolean(),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of some events, and how many of all events of each type are labelled bad, by the last known label.

    `events` has the columns `event`, `type`, `time`, `source`, `id`, `recorded` (the action when it was recorded) and
    `bad`, the last known label (null: none). Where only one rule picked the event to be labelled so, and not by lot,
    `selector` is its name, and `apart` the last label that it did not pick: its own finds must not speak for a rule.
    `free` is the last label that no decision picked: what decisions found must not speak for decisions. `labelled` has
    `type`, `bad`, `selector`, `apart` and `free` of all events that have a label.
    """

    events: pl.DataFrame
    bad: Mapping[str, int]
    labelled: pl.DataFrame


def facts_of(history: History, events: Mapping[str, pl.DataFrame]) -> Facts:
    """The facts of events, given by type."""
    columns = {"time": "_time", "source": "_source", "id": "_id", "recorded": "_action"}
    named = {short: pl.col(column) for short, column in columns.items()}
    facts = pl.concat(
        history.only(name, wanted).select("event", pl.lit(name).alias("type"), **named).collect()
        for name, wanted in events.items()
    )
    labels = {name: _labels(history, name) for name in label_types(history)}
    asked = pl.concat([facts.select("event", "type", "source", "id"), *_suspects(history, labels)]).unique("event")
    known = [
        _known(each, asked.filter(pl.col("type").is_in(_spoken_of(history, name)))) for name, each in labels.items()
    ]
    said = pl.concat([pl.DataFrame(schema=_KNOWN), *known]).sort("known")
    last = said.unique("event", keep="last").select("event", "bad", "selector")
    apart = said.filter(pl.col("selector").is_null()).unique("event", keep="last").select("event", apart="bad")
    free = said.filter(~pl.col("picked")).unique("event", keep="last").select("event", free="bad")
    bad = last.join(apart, on="event", how="left").join(free, on="event", how="left")
    labelled = bad.join(asked, on="event").select("type", "bad", "selector", "apart", "free")
    counts = dict(labelled.filter("bad").group_by("type").len().iter_rows())
    by_type = {name: counts.get(name, 0) for name in history.types}
    return Facts(facts.join(bad, on="event", how="left"), by_type, labelled)


def scored(events: pl.DataFrame, rule: str) -> pl.DataFrame:
    """Events with the labels by which a rule may be scored: what it picked itself to be labelled does not count."""
    own = pl.col("selector").eq_missing(rule)
    return events.with_columns(bad=pl.when(own).then("apart").otherwise("bad"))


def _suspects(history: History, labels: Mapping[str, pl.LazyFrame]) -> Iterator[pl.DataFrame]:
    """The events that some label calls bad: few, so that what else is known of them is quickly found."""
    for label, each in labels.items():
        accused = each.filter("bad").select("source", "id").unique().collect()
        for name in _spoken_of(history, label):
            if name in history.types:
                events = history.events(name).select("event", pl.lit(name).alias("type"), source="_source", id="_id")
                yield events.join(accused.lazy(), on=["source", "id"], how="semi").collect()


def label_types(history: History) -> tuple[str, ...]:
    """The event types that are labels, and were recorded as such."""
    types = history.checked.pack.event_types
    return tuple(
        name for name in history.types if types[name].label_of and {"of", "bad"} <= history.columns(name).present
    )


def entities_of(history: History, events: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The entities of events, as recorded: a row of `event`, `entity` (the kind) and `value` for each."""
    frames = [pl.DataFrame(schema={"event": pl.Int64(), "entity": pl.String(), "value": pl.String()})]
    for name, wanted in events.items():
        columns = history.columns(name)
        declared = history.checked.entities(history.checked.pack.event_types[name])
        for kind, attr in declared:
            if not missing_columns(attr, columns):
                found = history.only(name, wanted).select(
                    "event", pl.lit(kind).alias("entity"), as_text(attr, columns).alias("value")
                )
                frames.append(found.drop_nulls().collect())
    return pl.concat(frames)


def _spoken_of(history: History, label_type: str) -> Sequence[str]:
    return history.checked.pack.event_types[label_type].label_of


def _labels(history: History, label_type: str) -> pl.LazyFrame:
    """A label type's events as what they say of which event. A label that says nothing is left out."""
    present = history.columns(label_type).present
    selector = _selector(present)
    labels = history.events(label_type).select(
        source="_source", id="of", bad="bad", known="event", selector=selector, picked=_picked(present)
    )
    return labels.drop_nulls("bad")


def _selector(present: Collection[str]) -> pl.Expr:
    """The rule that alone picked an event to be labelled, and not by lot; null where that is not so, or not known."""
    if "selected_by" not in present:
        return pl.lit(None, pl.String)
    by = pl.col("selected_by").cast(pl.String)
    return pl.when(_by_lot(present) | by.str.contains(" ", literal=True)).then(None).otherwise(by)


def _picked(present: Collection[str]) -> pl.Expr:
    """Whether rules picked an event to be labelled, one or several, and not by lot."""
    if "selected_by" not in present:
        return pl.lit(value=False)
    return (pl.col("selected_by").cast(pl.String).str.len_bytes() > 0).fill_null(value=False) & ~_by_lot(present)


def _by_lot(present: Collection[str]) -> pl.Expr:
    return (pl.col("propensity") < 1).fill_null(value=False) if "propensity" in present else pl.lit(value=False)


def _known(labels: pl.LazyFrame, events: pl.DataFrame) -> pl.DataFrame:
    """The labels of events, as `_KNOWN` has them."""
    found = labels.join(events.lazy().select("event", "source", "id"), on=["source", "id"], how="inner").collect()
    return found.select(*_KNOWN)
