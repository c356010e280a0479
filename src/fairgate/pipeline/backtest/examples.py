"""Examples of events that a rule fires on, with the rule's own words."""

import polars as pl

from fairgate.detect.rules import shown
from fairgate.language.checked import CheckedRule
from fairgate.language.template import Template
from fairgate.language.to_polars import missing_columns, to_polars
from fairgate.pipeline.backtest.history import History
from fairgate.pipeline.backtest.report import Example

#: Examples of one kind.
MOST = 5


class Examples:
    """Picks examples among hits, spread evenly over time."""

    def __init__(self, old: History, new: History) -> None:
        self._old = old
        self._new = new

    def of(self, rule: CheckedRule | None, hits: pl.DataFrame, *, by_new: bool) -> tuple[Example, ...]:
        """Some of a rule's hits, given with what is known of the events; its words are the old or the new pack's."""
        if rule is None or hits.is_empty():
            return ()
        ordered = hits.sort("time", "event")
        count = min(MOST, ordered.height)
        chosen = ordered[[at * ordered.height // count for at in range(count)]]
        history = self._new if by_new else self._old
        words: dict[int, str] = {}
        if rule.why is not None:
            for (name,), events in chosen.group_by("type"):
                words |= _words(rule.why, history, str(name), events)
        return tuple(
            Example(row["source"], row["id"], row["type"], row["time"], row["bad"], words.get(row["event"]))
            for row in chosen.iter_rows(named=True)
        )


def _words(why: Template, history: History, event_type: str, events: pl.DataFrame) -> dict[int, str]:
    """A rule's words on events, by their number; none where a value in them was not recorded."""
    columns = history.columns(event_type)
    if any(missing_columns(value, columns) for value in why.values):
        return {}
    values = [to_polars(value, columns).alias(f"value{at}") for at, value in enumerate(why.values)]
    found = history.only(event_type, events)
    return {
        event: why.words[0] + "".join(shown(value) + words for value, words in zip(row, why.words[1:], strict=True))
        for event, *row in found.select("event", *values).collect().iter_rows()
    }
