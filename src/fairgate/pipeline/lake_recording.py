"""The lake as a recording: what one pack decided on, for a backtest that needs no replay."""

from types import MappingProxyType

import polars as pl

from fairgate.domain.pack import EventType
from fairgate.language.checked import CheckedPack
from fairgate.pipeline.recording import FORMAT, About, Recorded
from fairgate.ports.lake import Lake

_BESIDE = frozenset({"_day", "_key", "_sealed", "_personal", "_pack", "_label_of"})


def lake_as_recording(lake: Lake, checked: CheckedPack) -> Recorded:
    """The events that this very pack decided on, of the types that the lake has; their sequences are the log's.

    Tokens stand for texts that a recording has not, so their columns are left out. It can be read as long as the lake
    is open.
    """
    frames = {
        name: _frame(lake.scan(name), checked.pack.event_types[name], checked)
        for name in dict.fromkeys(each.event_type for each in lake.files())
        if name in checked.pack.event_types
    }
    events = {name: int(frame.select(pl.len()).collect().item()) for name, frame in frames.items()}
    kept = [name for name, count in events.items() if count]
    about = About(
        format=FORMAT,
        pack=checked.pack.name,
        version=checked.pack.version,
        digest=checked.pack.digest,
        inputs=(),
        events={name: events[name] for name in kept},
        features={name: {column: aggregate.text for column, aggregate in checked.read[name].items()} for name in kept},
    )
    return Recorded(about, MappingProxyType({name: frames[name] for name in kept}))


def _frame(rows: pl.LazyFrame, event_type: EventType, checked: CheckedPack) -> pl.LazyFrame:
    personal = {each.name: each.type for each in event_type.attributes if each.personal}
    masked = [
        name
        for name in rows.collect_schema().names()
        if name.partition(".")[0] in personal and _is_token(name, personal, checked)
    ]
    mine = rows.filter(pl.col("_pack") == checked.pack.label)
    return mine.drop(*_BESIDE, *masked, strict=False).sort("_sequence")


def _is_token(name: str, personal: dict[str, str], checked: CheckedPack) -> bool:
    attribute, _, part = name.partition(".")
    semantic = checked.semantics.get(personal[attribute])
    return not part or semantic is None or part in semantic.revealing
